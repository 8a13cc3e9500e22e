"""The dataset that every source's ``read`` returns, put together in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from geocollateral.types import Block


@dataclass(frozen=True, kw_only=True)
class SceneAxis:
    """What is known of the scenes read, ordered by time and id."""

    time: NDArray[np.datetime64]
    """Shape (scene,), datetime64[ns], UTC."""
    scene_id: Sequence[str]
    platform: Sequence[str]
    """``""`` where unknown, as in `orbit`."""
    orbit: Sequence[str]
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further text along time, by name of the coordinate."""


@dataclass(frozen=True, kw_only=True)
class BandStack:
    """One band of all scenes on the block's grid."""

    values: NDArray[np.generic]
    """Shape (scene, y, x); `nodata` where there is no data."""
    nodata: float
    units: str
    """Of ``DN * scale + offset``: ``"1"`` or ``"dB"``."""
    scale: NDArray[np.float64] | float
    offset: NDArray[np.float64] | float
    """Per scene, or one for all."""
    status: NDArray[np.str_]
    """Shape (scene,): values of `geocollateral.types.READ_STATUSES`."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """Why bands of scenes were not read. Shape (scene, band) each."""

    reason: NDArray[np.str_]
    transient: NDArray[np.bool_]
    sha256: NDArray[np.str_]
    """First digits of the SHA-256 of the compressed bytes that the pixels came from."""


def assemble(
    block: Block,
    bands: Sequence[str],
    scenes: SceneAxis,
    stacks: Mapping[str, BandStack],
    account: Account | None = None,
) -> xr.Dataset:
    """Dataset as `geocollateral.types.Source.read` describes it.

    Parameters
    ----------
    stacks
        By band. A band that is asked for and has none is no variable: its status is ``missing``, its scale and offset
        NaN.
    account
        Adds the variables ``reason`` and ``transient`` and the coordinate ``sha256``.
    """
    shape = (scenes.time.size, len(bands))
    status = np.full(shape, "missing", dtype="<U11")
    scale, offset = np.full(shape, np.nan), np.full(shape, np.nan)
    variables: dict[str, object] = {}
    for n, band in enumerate(bands):
        if band in stacks:
            stack = stacks[band]
            status[:, n], scale[:, n], offset[:, n] = stack.status, stack.scale, stack.offset
            attrs = {"nodata": stack.nodata, "units": stack.units}
            variables[band] = xr.DataArray(stack.values, dims=("time", "y", "x"), attrs=attrs)
    by_band = {"scale": scale, "offset": offset, "status": status}
    if account is not None:
        by_band |= {"reason": account.reason, "transient": account.transient}
    variables |= {name: (("time", "band"), values) for name, values in by_band.items()}
    along_time = {"scene_id": scenes.scene_id, "platform": scenes.platform, "orbit": scenes.orbit, **scenes.notes}
    a, (height, width) = block.geobox.affine, block.geobox.shape
    return xr.Dataset(
        variables,
        coords={
            "time": scenes.time,
            "y": a.f + a.e * (np.arange(height) + 0.5),
            "x": a.c + a.a * (np.arange(width) + 0.5),
            "band": np.array(list(bands), dtype=np.str_),
            **{name: ("time", np.array(list(text), dtype=np.str_)) for name, text in along_time.items()},
            **({} if account is None else {"sha256": (("time", "band"), account.sha256)}),
        },
        attrs={"crs": str(block.geobox.crs), "transform": tuple(float(v) for v in tuple(a)[:6])},
    )
