"""Looks of a block kept on disk, so that methods can be judged again without reading imagery again.

A folder per block: reflectance as int16 in a memory-mapped file, backscatter and its statistics as NetCDF. What follows
from these (indices, their statistics, coverage) is computed anew, so that it is never older than the code; coverage is
also written down, for programs that know nothing of this package.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from geocollateral.block import BlockTask, observe_block, wanted_indices
from geocollateral.observe import indices, zonal
from geocollateral.observed import Observed, RadarLooks
from geocollateral.types import OPTICAL_BANDS

SCALE = 1e-4
"""Step of the reflectance kept [1]: that of Sentinel-2's own numbers."""
HIDDEN = -32768
"""Kept number of what was not seen clearly."""
LARGEST = 32767


def looks_of(task: BlockTask, folder: Path | None) -> Observed:
    """Looks of a task: from the folder where they are, else from its imagery; then they are kept.

    With a folder, the looks are those of the folder from the first run on, so that the first run and later ones say the
    same: kept reflectance is rounded to `SCALE`.

    Parameters
    ----------
    folder
        Where looks are kept, one folder per block below it; None keeps nothing.
    """
    if folder is None:
        return observe_block(task)
    home = folder / _key(task)
    if not (home / "whole.json").is_file():
        keep(observe_block(task), home)
    return load(task, home)


def _key(task: BlockTask) -> str:
    """Name of a folder for all that the looks follow from."""
    parts = [
        [
            part.block.block_id,
            [item.id for item in part.block.items],
            task.bands(part),
            wanted_indices(task.asset_classes, part.offered),
            sorted(part.geometries),
        ]
        for part in task.parts
    ]
    masks = task.settings.masks.model_dump(mode="json")
    text = json.dumps([task.source.info.name, parts, masks, str(task.block.geobox)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def keep(seen: Observed, home: Path) -> None:
    """Write the looks of a block; the last file says that all of them are there."""
    home.mkdir(parents=True, exist_ok=True)
    bands: list[str] = []
    if seen.optical is not None:
        bands = [str(name) for name in seen.optical.data_vars]
        shape = (len(bands), seen.optical.sizes["time"], seen.optical.sizes["pixel"])
        packed = np.lib.format.open_memmap(home / "optical.npy", mode="w+", dtype=np.int16, shape=shape)
        for place, name in enumerate(bands):
            packed[place] = _packed(seen.optical[name].values)
        packed.flush()
    for orbit, looks in seen.radar.items():
        looks.power.to_netcdf(home / f"power-{orbit}.nc", engine="h5netcdf")
        looks.statistics.to_netcdf(home / f"statistics-{orbit}.nc", engine="h5netcdf")
        looks.around.to_netcdf(home / f"around-{orbit}.nc", engine="h5netcdf")
    if seen.around is not None:
        seen.around.to_netcdf(home / "around.nc", engine="h5netcdf")
    if seen.beside is not None:
        seen.beside.to_netcdf(home / "beside.nc", engine="h5netcdf")
    seen.series.to_parquet(home / "series.parquet")
    (home / "scenes.json").write_text(json.dumps(seen.scenes), encoding="utf-8")
    row, col = np.divmod(seen.cover.pixels, seen.geobox.shape.x)
    left, top = ~seen.grid.affine @ (seen.geobox.affine @ (0, 0))
    np.savez(
        home / "cover.npz",
        parcels=np.array(seen.cover.parcel_ids),
        shares=seen.cover.fraction.data,
        pixels=seen.cover.fraction.indices,
        starts=seen.cover.fraction.indptr,
        whole=seen.cover.whole,
        row=row + round(top),
        col=col + round(left),
    )
    days = [] if seen.optical is None else seen.optical["time"].values.astype("datetime64[D]").astype(str).tolist()
    about = {"bands": bands, "days": days, "sensor": seen.sensor, "orbits": list(seen.radar)}
    (home / "whole.json").write_text(json.dumps(about), encoding="utf-8")


def _packed(values: NDArray[np.float32]) -> NDArray[np.int16]:
    with np.errstate(invalid="ignore"):
        rounded = np.clip(np.round(values / SCALE), HIDDEN + 1, LARGEST)
    return np.where(np.isfinite(values), rounded, HIDDEN).astype(np.int16)


def load(task: BlockTask, home: Path) -> Observed:
    """Looks of a task from the folder that `keep` wrote."""
    about: dict[str, Any] = json.loads((home / "whole.json").read_text(encoding="utf-8"))
    part = task.parts[0]
    cover = zonal.coverage(part.geometries, part.block.geobox)
    optical = found = statistics = around = None
    if task.optical is not None:
        optical = _reflectance(home, about)
        found = indices.compute_indices(optical, wanted_indices(task.asset_classes, task.optical.offered))
        bands = [name for name in OPTICAL_BANDS if name in optical]
        seen = np.logical_or.reduce([np.isfinite(optical[name].values) for name in bands])
        statistics = zonal.zonal_statistics(found, seen, cover)
        around = _read(home / "around.nc")
    return Observed(
        cover=cover,
        geobox=part.block.geobox,
        grid=part.grid,
        sensor=about["sensor"],
        optical=optical,
        found=found,
        statistics=statistics,
        cells=zonal.ground_around(cover, part.block.geobox),
        around=around,
        radar={orbit: _radar(home, orbit) for orbit in about["orbits"]},
        series=pd.read_parquet(home / "series.parquet"),
        scenes=tuple(json.loads((home / "scenes.json").read_text(encoding="utf-8"))),
        beside=_read(home / "beside.nc") if (home / "beside.nc").is_file() else None,
    )


def _reflectance(home: Path, about: dict[str, Any]) -> xr.Dataset:
    packed = np.load(home / "optical.npy", mmap_mode="r")
    bands = {}
    for place, name in enumerate(about["bands"]):
        values = packed[place] * np.float32(SCALE)
        values[packed[place] == HIDDEN] = np.nan
        bands[name] = (("time", "pixel"), values)
    return xr.Dataset(bands, coords={"time": np.array(about["days"], "datetime64[ns]")})


def _radar(home: Path, orbit: str) -> RadarLooks:
    power, statistics, around = (_read(home / f"{name}-{orbit}.nc") for name in ("power", "statistics", "around"))
    return RadarLooks(power=power, statistics=statistics, around=around)


def _read(path: Path) -> xr.Dataset:
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        return opened.load()
