"""COLD and S-CCD of pyxccd, on the six bands of Landsat.

    PYXCCD_PYTHON pyxccd_breaks.py IN.npz OUT.npz cold|sccd [0.99,0.999]

Runs in an environment of its own with ``pyxccd==1.1.0``. Each change probability is one setting; the score is the size
of the change in standard errors of the bands, signed: positive for less green. `compare.py` describes IN and OUT.
"""

from __future__ import annotations

import sys
from importlib.metadata import version

import numpy as np
from pyxccd import cold_detect, sccd_detect

PROBABILITIES = (0.9, 0.99, 0.999, 0.99999)
"""Probability of change from which a look departs; the default is 0.99."""
CONSE = 6
"""Looks in a row that must depart, the default."""
EPOCH = 719163
"""Ordinal of 1970-01-01."""
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")


def main(given: str, wanted: str, method: str, asked: str = "") -> None:
    """Read series, write breaks."""
    probabilities = [float(p) for p in asked.split(",")] if asked else PROBABILITIES
    with np.load(given) as data:
        days, values = data["days"], data["values"]
        order = [data["bands"].tolist().index(name) for name in BANDS]
    scaled = np.round(values[..., order] * 10_000)
    rows = []
    for series in range(values.shape[1]):
        seen = np.isfinite(scaled[:, series]).all(axis=-1)
        if seen.sum() < 2 * CONSE:
            continue
        at = days[seen]
        bands = [np.ascontiguousarray(scaled[seen, series, n]).astype(np.int64) for n in range(len(BANDS))]
        for setting, probability in enumerate(probabilities):
            for found in breaks(at + EPOCH, bands, method, probability):
                broken = int(found["t_break"]) - EPOCH
                place = int(np.searchsorted(at, broken))
                said = at[min(place + CONSE - 1, len(at) - 1)]
                size = np.asarray(found["magnitude"][:6], float)
                error = np.maximum(np.asarray(found["rmse"][:6], float), 1.0)
                score = float(np.sqrt(np.mean((size / error) ** 2))) * float(np.sign(size[2] - size[3]))
                rows.append((series, at[max(place - 1, 0)], broken, said, score, setting))
    table = np.array(rows, float).reshape(-1, 6)
    names = ("series", "before", "after", "detected", "score", "setting")
    np.savez(wanted, version=f"pyxccd {version('pyxccd')}", **dict(zip(names, table.T, strict=True)))


def breaks(ordinals: np.ndarray, bands: list[np.ndarray], method: str, probability: float) -> list[np.void]:
    """Confirmed breaks of one series."""
    clear = np.zeros(len(ordinals), np.int64)
    try:
        if method == "cold":
            found = cold_detect(ordinals, *bands, clear, clear, p_cg=probability, conse=CONSE)
        else:
            found = sccd_detect(ordinals, *bands, clear, p_cg=probability, conse=CONSE).rec_cg
    except RuntimeError:  # a series too short for its model
        return []
    return [row for row in found if row["t_break"] > 0]


if __name__ == "__main__":
    main(*sys.argv[1:5])
