"""One look per day: scenes of one day are parts or twins of one overpass and must not count as independent evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What one sensor saw, one step per day."""

    values: xr.Dataset
    """Dims ``(time, pixel)``, days rising and unique; NaN = not seen clearly."""
    clear: NDArray[np.bool_]
    """Shape (time, pixel), True = clear."""
    scene_ids: tuple[str, ...]
    """Scenes of each day, joined by ``+``."""
    scenes_of: tuple[NDArray[np.intp], ...]
    """Positions of the scenes of each day."""


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
    values: xr.Dataset,
    clear: NDArray[np.bool_],
    scene_ids: Sequence[str],
    days: NDArray[np.datetime64] | None = None,
) -> Looks:
    """Join the scenes of each day; where several saw a pixel clearly, their mean counts as one look.

    Parameters
    ----------
    values
        Reflectance, backscatter or indices, dims ``(time, pixel)``, in any order of time.
    clear
        Shape (time, pixel), True = clear.
    scene_ids
        One per time.
    days
        Day of the look of each time (`look_days`); None: the UTC day.
    """
    days = values["time"].values.astype("datetime64[D]") if days is None else days
    unique = np.unique(days)
    scenes_of = [np.flatnonzero(days == day) for day in unique]
    fused = {
        str(name): (("time", "pixel"), np.stack([_mean(variable.values[i], clear[i]) for i in scenes_of]))
        for name, variable in values.data_vars.items()
    }
    return Looks(
        values=xr.Dataset(fused, coords={"time": unique.astype("datetime64[ns]")}, attrs=values.attrs),
        clear=np.stack([clear[i].any(axis=0) for i in scenes_of]),
        scene_ids=tuple("+".join(sorted(scene_ids[int(n)] for n in i)) for i in scenes_of),
        scenes_of=tuple(scenes_of),
    )


def _mean(scenes: NDArray[np.floating[Any]], clear: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Mean over the scenes of a day of what is clear and finite; NaN where nothing is."""
    usable = clear & np.isfinite(scenes)
    if len(scenes) == 1:
        return np.where(usable[0], scenes[0], np.nan).astype(np.float32)
    with np.errstate(invalid="ignore"):
        mean = np.where(usable, scenes, 0.0).sum(axis=0, dtype=np.float64) / usable.sum(axis=0)
    return np.asarray(mean, np.float32)
