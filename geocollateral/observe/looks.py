"""One look per day: scenes of one day are parts or twins of one overpass and must not count as independent evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Indices of one sensor, one step per day."""

    indices: xr.Dataset
    """Dims ``(time, pixel)``, days rising and unique; NaN = not seen clearly."""
    clear: NDArray[np.bool_]
    """Shape (time, pixel), True = clear."""
    scene_ids: tuple[str, ...]
    """Scenes of each day, joined by ``+``."""


def fuse_days(indices: xr.Dataset, clear: NDArray[np.bool_], scene_ids: Sequence[str]) -> Looks:
    """Join the scenes of each day; where several saw a pixel clearly, their mean counts as one look.

    Parameters
    ----------
    indices
        Dims ``(time, pixel)``, in any order of time.
    clear
        Shape (time, pixel), True = clear.
    scene_ids
        One per time.
    """
    days = indices["time"].values.astype("datetime64[D]")
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
