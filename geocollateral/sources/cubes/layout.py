"""What a cube on disk holds, told from its metadata and coordinates: grid, scenes, bands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyproj
import xarray as xr
from numpy.typing import NDArray
from pyproj.exceptions import CRSError

from geocollateral.errors import GeocollateralError, InvalidInput
from geocollateral.sources.cubes.declared import BandVariable, Declaration, describe_variable, find_bands
from geocollateral.sources.cubes.grid import Grid, crs_name, grid_from_centres, parse_crs
from geocollateral.types import BANDS, SENTINEL1_BANDS, SENTINEL2_BANDS

DIMS = ("time", "y", "x")


@dataclass(frozen=True, kw_only=True)
class CubePart:
    """One file of a cube, and what the user says of it."""

    path: Path
    declaration: Declaration = field(default_factory=Declaration)
    crs: str | None = None
    """CRS where the file has none."""
    variables: tuple[str, ...] | None = None
    """Names of the variables used, or None for all that are bands."""
    scene_prefix: str | None = None
    """What scene ids made of the time start with, where the file names no scenes; default: the name of the file."""


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """The scenes of a cube, ordered by time and id."""

    position: NDArray[np.intp]
    """Shape (scene,): index along the file's time dimension."""
    time: NDArray[np.datetime64]
    """Shape (scene,), datetime64[ns], UTC."""
    scene_id: tuple[str, ...]
    """Unique."""
    platform: tuple[str, ...]
    """``""`` where unknown, as in `orbit`."""
    orbit: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What one part of a cube holds."""

    path: Path
    grid: Grid
    scenes: Scenes
    bands: Mapping[str, BandVariable]

    @property
    def constellation(self) -> str:
        """``sentinel-1`` or ``sentinel-2`` where every variable carries its band names; else ``""``."""
        names = {facts.variable.upper() for facts in self.bands.values()}
        short = {name.replace("B0", "B") for name in SENTINEL2_BANDS}
        if names <= {*SENTINEL2_BANDS, *short}:
            return "sentinel-2"
        return "sentinel-1" if names <= set(SENTINEL1_BANDS) else ""


def standard_dims(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with its dimensions named ``time, y, x``."""
    return dataset.rename({"t": "time"}) if "t" in dataset.dims and "time" not in dataset.dims else dataset


def describe(dataset: xr.Dataset, part: CubePart) -> Layout:
    """Layout of a dataset opened with ``mask_and_scale=False`` and dims as by `standard_dims`.

    Raises
    ------
    InvalidInput
        The cube does not say what it must; the message starts with the name of the file.
    """
    try:
        names = find_bands(str(name) for name in dataset.data_vars if part.variables is None or name in part.variables)
        if not names:
            raise InvalidInput(
                f"No variable is a band. Expected common names ({', '.join(BANDS)}) or Sentinel names (B04, SCL, VV), "
                f"got {', '.join(map(str, dataset.data_vars)) or 'no variables'}."
            )
        _require_dims(dataset, names)
        return Layout(
            path=part.path,
            grid=grid_from_centres(
                np.asarray(dataset["x"].values, dtype=np.float64),
                np.asarray(dataset["y"].values, dtype=np.float64),
                _find_crs(dataset, names, part.crs),
            ),
            scenes=_list_scenes(dataset, part.scene_prefix or part.path.name.split(".")[0]),
            bands={
                band: describe_variable(band, name, dataset[name].dtype, _attrs(dataset[name]), part.declaration)
                for band, name in names.items()
            },
        )
    except GeocollateralError as exc:
        raise type(exc)(f"{part.path.name}: {exc}") from exc


def _require_dims(dataset: xr.Dataset, names: Mapping[str, str]) -> None:
    for name in names.values():
        got = tuple(map(str, dataset[name].dims))
        if {"lat", "lon", "latitude", "longitude"} & set(got):
            raise InvalidInput(
                f"Variable {name!r} is on a geographic grid {got}: its pixels have no fixed size in metres. Expected "
                f"dims {DIMS} on a projected grid, such as the UTM grid of the Sentinel tile; reproject the cube."
            )
        if set(got) != set(DIMS) or len(got) != 3:
            raise InvalidInput(f"Variable {name!r} must have dims {DIMS}, got {got}.")
    lacking = [dim for dim in DIMS if dim not in dataset.coords]
    if lacking:
        raise InvalidInput(f"The cube has no coordinate values along {', '.join(lacking)}.")
    if 0 in (dataset.sizes[dim] for dim in DIMS):
        raise InvalidInput(f"The cube is empty: {dict(dataset.sizes)}.")


def _find_crs(dataset: xr.Dataset, names: Mapping[str, str], option: str | None) -> pyproj.CRS:
    # 1. grid_mapping of a band, 2. variables spatial_ref or crs, 3. attributes of the dataset, 4. the option.
    # An option that differs from the file is refused: one of them is wrong, and every parcel would be misplaced.
    stated = _stated_crs(dataset, names)
    given = None if option is None else parse_crs(option, "Option crs")
    if stated is not None and given is not None and not stated.equals(given, ignore_axis_order=True):
        raise InvalidInput(f"The file says its CRS is {crs_name(stated)[:80]}, the option says {crs_name(given)[:80]}.")
    crs = stated or given
    if crs is None:
        raise InvalidInput(
            "The cube has no CRS. Expected a CF grid_mapping variable with crs_wkt or spatial_ref, or the option --crs "
            "(such as --crs EPSG:32650)."
        )
    return crs


def _stated_crs(dataset: xr.Dataset, names: Mapping[str, str]) -> pyproj.CRS | None:
    mappings = {
        str(v.attrs.get("grid_mapping") or v.encoding.get("grid_mapping") or "")
        for v in (dataset[name] for name in names.values())
    } - {""}
    if len(mappings) > 1:
        raise InvalidInput(f"Bands name different grid mappings: {', '.join(sorted(mappings))}.")
    for name in (*mappings, "spatial_ref", "crs"):
        if name in dataset.variables:
            attrs = _attrs(dataset[name])
            text = attrs.get("crs_wkt") or attrs.get("spatial_ref")
            if text:
                return parse_crs(str(text), f"The CRS in variable {name!r}")
            if "grid_mapping_name" in attrs:
                return _crs_from_cf(attrs, name)
    for key in ("crs_wkt", "crs", "proj:code"):
        if key in dataset.attrs:
            return parse_crs(str(dataset.attrs[key]), f"The CRS in attribute {key!r}")
    return None


def _crs_from_cf(attrs: Mapping[str, object], name: str) -> pyproj.CRS:
    try:
        wkt = pyproj.CRS.from_cf(dict(attrs)).to_wkt()
    except (CRSError, KeyError, ValueError, TypeError) as exc:
        raise InvalidInput(f"The grid mapping {name!r} is not complete: {exc}.") from exc
    return parse_crs(wkt, f"The CRS in variable {name!r}")


def _list_scenes(dataset: xr.Dataset, prefix: str) -> Scenes:
    raw = dataset["time"].values
    if raw.dtype.kind != "M":
        raise InvalidInput(
            f"Coordinate 'time' must decode to dates of the standard calendar, got {raw.dtype} such as "
            f"{raw.flat[0]!r}. Expected CF units such as 'days since 2015-01-01'."
        )
    time = raw.astype("datetime64[ns]")
    if np.isnat(time).any():
        raise InvalidInput(f"Coordinate 'time' holds {int(np.isnat(time).sum())} missing dates.")
    made = [f"{prefix}_{pd.Timestamp(value):%Y%m%dT%H%M%S}" for value in time]
    ids = _number_repeats([given or own for given, own in zip(_labels(dataset, "scene_id"), made, strict=True)])
    platform, orbit = _labels(dataset, "platform"), _labels(dataset, "orbit")
    order = sorted(range(time.size), key=lambda n: (time[n], ids[n]))
    return Scenes(
        position=np.array(order, dtype=np.intp),
        time=time[order],
        scene_id=tuple(ids[n] for n in order),
        platform=tuple(platform[n] for n in order),
        orbit=tuple(orbit[n] for n in order),
    )


def _labels(dataset: xr.Dataset, name: str) -> list[str]:
    """Text along time; an attribute of the dataset stands for all times; ``""`` where unknown."""
    size = dataset.sizes["time"]
    if name in dataset.variables and dataset[name].dims == ("time",):
        return [_text(value) for value in dataset[name].values.tolist()]
    return [_text(dataset.attrs.get(name))] * size


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip("\x00 ")
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _number_repeats(ids: list[str]) -> list[str]:
    """Ids made unique: the second of its kind gets ``-2``."""
    seen: Counter[str] = Counter()
    unique = []
    for scene_id in ids:
        seen[scene_id] += 1
        unique.append(scene_id if seen[scene_id] == 1 else f"{scene_id}-{seen[scene_id]}")
    if len(set(unique)) != len(unique):
        return [f"{scene_id}-{n}" for n, scene_id in enumerate(unique, start=1)]
    return unique


def _attrs(variable: xr.DataArray) -> dict[str, object]:
    return {str(key): value for key, value in variable.attrs.items()}
