"""Two-date difference: the index of two clear looks a year apart in the same season.

    python two_dates.py IN.npz OUT.npz

What a simple user would do, at every look: compare it with the clear look nearest to the same day a year before.
IN and OUT are described in `compare.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

NEAR_DAYS = 20
"""How far from the same day of the year before a look may lie [days]."""


def main(given: str, wanted: str) -> None:
    """Read series, write breaks."""
    with np.load(given) as data:
        days, values, bands = data["days"], data["values"], data["bands"].tolist()
    rows = []
    with np.errstate(invalid="ignore", divide="ignore"):
        nir, red = values[..., bands.index("nir")], values[..., bands.index("red")]
        ndvi = (nir - red) / (nir + red)
    for series in range(ndvi.shape[1]):
        seen = np.flatnonzero(np.isfinite(ndvi[:, series]))
        own, at = ndvi[seen, series], days[seen]
        for n, day in enumerate(at):
            away = np.abs(at - (day - 365))
            if not n or away.min() > NEAR_DAYS:
                continue
            drop = own[int(np.argmin(away))] - own[n]
            # The change came between the two dates: that is all that two dates can say.
            rows.append((series, at[int(np.argmin(away))], day, day, drop, 0))
    table = np.array(rows, float).reshape(-1, 6)
    names = ("series", "before", "after", "detected", "score", "setting")
    np.savez(wanted, version=f"numpy {np.__version__}", **dict(zip(names, table.T, strict=True)))


if __name__ == "__main__":
    main(*sys.argv[1:3])
    sys.stdout.write(f"{Path(__file__).stem}: done\n")
