"""Evidence of a parcel built by a few lines: a frame of 10 m pixels, looks on given days, reflectance by band."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from geocollateral.types import Event, ParcelEvidence, RadarEvidence

STAND = {"green": 0.04, "red": 0.025, "nir": 0.28, "nir08": 0.30, "swir16": 0.14, "swir22": 0.065}
WATER = {"green": 0.08, "red": 0.06, "nir": 0.04, "nir08": 0.04, "swir16": 0.02, "swir22": 0.015}
MUD = {"green": 0.10, "red": 0.12, "nir": 0.17, "nir08": 0.18, "swir16": 0.24, "swir22": 0.20}


def days_between(first: str, last: str, step: int) -> np.ndarray:
    return np.arange(np.datetime64(first), np.datetime64(last), step)


def picture(side: tuple[int, int], before: Mapping[str, float], looks: int) -> dict[str, np.ndarray]:
    """Reflectance (look, pixel) of a frame of rows x columns that looks alike everywhere and always."""
    return {band: np.full((looks, side[0] * side[1]), value) for band, value in before.items()}


def painted(
    bands: dict[str, np.ndarray], when: np.ndarray, where: np.ndarray, cover: Mapping[str, float], share: float = 1.0
) -> dict[str, np.ndarray]:
    """The same with a share of some pixels on some looks turned into another cover."""
    spot = when[:, None] & where[None, :]
    return {band: np.where(spot, (1 - share) * old + share * cover[band], old) for band, old in bands.items()}


def parcel(
    side: tuple[int, int],
    days: np.ndarray,
    bands: Mapping[str, np.ndarray],
    *,
    peers: np.ndarray | None = None,
    radar: RadarEvidence | None = None,
    as_of: str | None = None,
) -> ParcelEvidence:
    """Evidence whose looks are all clear. ``peers`` is NBR, shape (look, peer)."""
    row, col = np.divmod(np.arange(side[0] * side[1]), side[1])
    time = days.astype("datetime64[ns]")
    optical = xr.Dataset({name: (("time", "pixel"), np.asarray(v)) for name, v in bands.items()}, coords={"time": time})
    found: dict[str, xr.DataArray] = {}
    if {"nir08", "swir22"} <= set(bands):
        found["nbr"] = (optical["nir08"] - optical["swir22"]) / (optical["nir08"] + optical["swir22"])
    around = None
    if peers is not None:
        variables = {
            "mean": (("index", "time", "peer"), peers[None]),
            "valid_fraction": (("index", "time", "peer"), np.ones((1, *peers.shape))),
        }
        around = xr.Dataset(variables, coords={"index": ["nbr"], "time": time})
    return ParcelEvidence(
        parcel_id="P1",
        attributes={"asset_class": "forestry", "obs_area_m2": 100.0 * len(row)},
        as_of=dt.date.fromisoformat(as_of) if as_of else days[-1].astype(dt.date),
        area_m2=np.full(len(row), 100.0),
        row=row + 30,
        col=col + 5,
        n_full_pixels=len(row),
        visible_fraction=1.0,
        look_days=days.astype("datetime64[D]"),
        look_fraction=np.ones(len(days)),
        pixels={},
        optical=optical,
        indices=xr.Dataset(found),
        peers=around,
        radar={} if radar is None else {"ascending-1": radar},
    )


def radar_of(days: np.ndarray, decibel: Mapping[str, np.ndarray]) -> RadarEvidence:
    """Radar looks from backscatter (look, pixel) [dB], without peers."""
    time = days.astype("datetime64[ns]")
    power = xr.Dataset({b: (("time", "pixel"), 10 ** (v / 10)) for b, v in decibel.items()}, coords={"time": time})
    none = np.zeros((len(decibel), len(days), 0))
    peers = xr.Dataset({"mean": (("index", "time", "peer"), none)}, coords={"index": list(decibel), "time": time})
    return RadarEvidence(power=power, series=xr.Dataset(), peers=peers)


def known_on(evidence: ParcelEvidence, as_of: str) -> ParcelEvidence:
    """What was known on a day: no look after it."""
    last = np.datetime64(as_of)
    kept = np.flatnonzero(evidence.look_days <= last)
    end = last.astype("datetime64[ns]") + np.timedelta64(86_399, "s")

    def cut(table: xr.Dataset | None) -> xr.Dataset | None:
        return None if table is None else table.isel(time=np.flatnonzero(table["time"].values <= end))

    radar = {
        orbit: replace(looks, power=looks.power.isel(time=np.flatnonzero(looks.power["time"].values <= end)))
        for orbit, looks in evidence.radar.items()
    }
    return replace(
        evidence,
        as_of=dt.date.fromisoformat(as_of),
        look_days=evidence.look_days[kept],
        look_fraction=evidence.look_fraction[kept],
        optical=cut(evidence.optical),
        indices=cut(evidence.indices),
        peers=cut(evidence.peers),
        radar=radar,
    )


def loss(before: str, after: str, pixels: Sequence[int], detected: str | None = None) -> Event:
    """A loss of stand as a monitor would hand it on."""
    first = dt.date.fromisoformat(after)
    return Event(
        kind="stand_loss",
        last_clear_before=dt.date.fromisoformat(before),
        first_clear_after=first,
        detected_on=dt.date.fromisoformat(detected) if detected else first,
        recovered_on=None,
        area_m2=100.0 * len(pixels),
        area_low_m2=100.0 * len(pixels),
        area_high_m2=100.0 * len(pixels),
        magnitude=-0.4,
        probability=0.95,
        indices=("ndvi",),
        pixels=tuple(int(p) for p in pixels),
        reasons=("Found by hand.",),
    )
