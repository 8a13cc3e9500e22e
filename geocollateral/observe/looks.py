"""One look per day: scenes of one day are parts or twins of one overpass and must not count as independent evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyproj
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Indices of one sensor, one step per day."""

    indices: xr.Dataset
    """Dims ``(time, pixel)``, days rising and unique; NaN = not seen clearly."""
    clear: NDArray[np.bool_]
    """Shape (time, pixel), True = clear."""
    scene_ids: tuple[str, ...]
    """Scenes of each day, joined by ``+``."""


def look_days(times: NDArray[np.datetime64], longitude: float) -> NDArray[np.datetime64]:
    """Day of the look each acquisition belongs to.

    Acquisitions of one solar day are one look, also where midnight UTC parts them (an overpass at 178 degrees east
    happens at 22:30 UTC). The look is named by the UTC day of its first acquisition, so that no name is later than
    what was acquired.

    Parameters
    ----------
    times
        Shape (time,), UTC, rising.
    longitude
        Of the place [degrees].

    Returns
    -------
    Shape (time,), datetime64[D].
    """
    hours = (longitude + 180.0) % 360.0 - 180.0
    shift = np.timedelta64(round(hours / 15.0 * 3600), "s")
    _, first, member = np.unique((times + shift).astype("datetime64[D]"), return_index=True, return_inverse=True)
    return np.asarray(times[first].astype("datetime64[D]")[member])


def longitude_of(geobox: GeoBox) -> float:
    """Longitude of the middle of a block [degrees, WGS 84]."""
    box = geobox.boundingbox
    to_wgs84 = pyproj.Transformer.from_crs(str(geobox.crs), "EPSG:4326", always_xy=True)
    return float(to_wgs84.transform((box.left + box.right) / 2, (box.bottom + box.top) / 2)[0])


def fuse_days(
    indices: xr.Dataset,
    clear: NDArray[np.bool_],
    scene_ids: Sequence[str],
    days: NDArray[np.datetime64] | None = None,
) -> Looks:
    """Join the scenes of each day; where several saw a pixel clearly, their mean counts as one look.

    Parameters
    ----------
    indices
        Dims ``(time, pixel)``, in any order of time.
    clear
        Shape (time, pixel), True = clear.
    scene_ids
        One per time.
    days
        Day of the look of each time (`look_days`); None: the UTC day.
    """
    days = indices["time"].values.astype("datetime64[D]") if days is None else days
    unique, inverse = np.unique(days, return_inverse=True)
    names = ["+".join(sorted(scene_ids[int(i)] for i in np.flatnonzero(inverse == n))) for n in range(len(unique))]
    any_clear = np.zeros((len(unique), clear.shape[1]), bool)
    np.logical_or.at(any_clear, inverse, clear)
    fused = {}
    for name, variable in indices.data_vars.items():
        usable = clear & np.isfinite(variable.values)
        total = np.zeros(any_clear.shape)
        count = np.zeros(any_clear.shape)
        np.add.at(total, inverse, np.where(usable, variable.values, 0.0))
        np.add.at(count, inverse, usable)
        with np.errstate(invalid="ignore", divide="ignore"):
            fused[name] = (("time", "pixel"), np.where(count > 0, total / count, np.nan).astype(np.float32))
    return Looks(
        indices=xr.Dataset(fused, coords={"time": unique.astype("datetime64[ns]")}, attrs=indices.attrs),
        clear=any_clear,
        scene_ids=tuple(names),
    )
