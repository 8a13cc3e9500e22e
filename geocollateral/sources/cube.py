"""Cubes on disk: NetCDF and Zarr with dimensions ``time, y, x``.

A source is made of one or more parts, one per pixel size; coarser parts are replicated onto the finest grid. What a
cube must say of itself, and what is done where it is silent:

* CRS: CF ``grid_mapping`` (``crs_wkt`` or ``spatial_ref``), or the option ``crs``; projected, in metres, true to area.
  Geographic grids are refused, because their pixels have no fixed area.
* Bands: variables under common names or Sentinel names, in any case. Other variables are passed over.
* Reflectance: CF ``scale_factor`` and ``add_offset``, or the options ``scale`` and ``offset``, or floats in units "1".
* Backscatter: ``units`` "1" (linear power) or "dB", or the option ``backscatter``. dB is handed on as it is, and
  ``attrs["units"] = "dB"`` of the variable says so; ``DN * scale + offset`` is then dB.
* No data: ``_FillValue`` or ``missing_value``; else NaN in floats and 0 in optical integers, which Sentinel-2 reserves.
* Time: naive times are UTC. Duplicate times are separate scenes, unsorted times are sorted.
* ``scene_id``, ``platform`` and ``orbit`` along time are taken where present.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pystac
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field
from shapely import box
from shapely.geometry import Polygon

from geocollateral.errors import BrokenData
from geocollateral.sources.assembly import BandStack, SceneAxis, assemble
from geocollateral.sources.cubes.declared import BackscatterUnits, BandVariable, Declaration
from geocollateral.sources.cubes.files import READ_FAULTS, ChunkMap, hash_files, map_chunks, open_dataset
from geocollateral.sources.cubes.grid import Window, footprint, replication, window_of
from geocollateral.sources.cubes.items import build_items
from geocollateral.sources.cubes.layout import CubePart, Layout, Scenes, describe, standard_dims
from geocollateral.sources.schemes import SOURCES, SourceRequest, parse_options
from geocollateral.types import Block, Params, Period, Source, SourceInfo


class CubeOptions(Params):
    """Options of ``cube:FILE``."""

    scale: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Reflectance per digital number of optical variables that declare none: DN * scale + offset.",
    )
    offset: float | None = Field(
        None, ge=-1, le=1, description="Reflectance at digital number 0; 0 where only the scale is given."
    )
    crs: str | None = Field(None, description="CRS of a file that has none, such as EPSG:32650.")
    backscatter: BackscatterUnits | None = Field(
        None, description="Whether VV and VH without units are linear power or dB."
    )


@dataclass(frozen=True, kw_only=True)
class CubeSource:
    """Imagery in local cubes. Holds settings only; files are opened inside each call and closed there."""

    name: str
    title: str
    licence: str
    attribution: str
    parts: tuple[CubePart, ...]
    sha256: Mapping[str, str] | None = None
    """SHA-256 by file name where it was checked already, or None to compute it when `info` is asked for."""
    constellation: str = ""
    """Said of every item; ``""`` to tell it from the names of the variables."""

    @property
    def info(self) -> SourceInfo:
        """What a report says of this source. Reads all files once where no SHA-256 is known."""
        sha256 = self.sha256
        if sha256 is None:
            sha256 = {name: digest for part in self.parts for name, digest in hash_files(part.path).items()}
        return SourceInfo(
            name=self.name, title=self.title, licence=self.licence, attribution=self.attribution, sha256=sha256
        )

    def search(self, bounds: tuple[float, float, float, float], period: Period) -> list[pystac.Item]:
        """Scenes of the period, if the grid meets the bounds; see `geocollateral.types.Source`."""
        with self._open() as parts:
            layouts = [layout for _, layout in parts]
        ring, _ = footprint(layouts[0].grid)
        west, south, east, north = bounds
        halves = [(west, 180.0), (-180.0, east)] if west > east else [(west, east)]  # across 180 degrees
        if not any(Polygon(ring).intersects(box(left, south, right, north)) for left, right in halves):
            return []
        constellations = {layout.constellation for layout in layouts}
        constellation = self.constellation or (constellations.pop() if len(constellations) == 1 else "")
        return build_items(layouts, constellation, _within(layouts[0].scenes, period))

    def read(self, block: Block, bands: Sequence[str]) -> xr.Dataset:
        """Digital numbers of a block's scenes; see `geocollateral.types.Source`.

        Every variable has ``attrs["nodata"]`` (floats may hold NaN besides) and ``attrs["units"]``: "dB" where
        ``DN * scale + offset`` is backscatter in dB, else "1". A band that no part has is no variable: its status is
        ``missing``, its scale and offset NaN.

        Raises
        ------
        BrokenData
            A file cannot be opened, or the block does not lie inside the grid, or names a scene the cube lacks.
        """
        with self._open() as parts:
            finest = parts[0][1]
            scenes = _pick(finest.scenes, block)
            window = window_of(finest.grid, block.geobox)
            read: dict[str, tuple[BandVariable, NDArray[np.generic], NDArray[np.str_]]] = {}
            for dataset, layout in reversed(parts):
                factor = replication(finest.grid, layout.grid)
                positions = _pick(layout.scenes, block, by=finest.scenes).position
                for band in bands:
                    if band in layout.bands:
                        facts = layout.bands[band]
                        values, status = _read_variable(dataset, layout, facts, window, factor, positions)
                        read[band] = (facts, values, status)
        return _assemble(block, bands, scenes, read)

    @contextmanager
    def _open(self) -> Iterator[list[tuple[xr.Dataset, Layout]]]:
        """Datasets and layouts of all parts, finest first, checked against each other."""
        with ExitStack() as stack:
            parts = []
            for part in self.parts:
                dataset = standard_dims(stack.enter_context(open_dataset(part.path)))
                parts.append((dataset, describe(dataset, part)))
            parts.sort(key=lambda pair: pair[1].grid.pixel_m)
            finest = parts[0][1]
            for _, layout in parts[1:]:
                replication(finest.grid, layout.grid)
                if not np.array_equal(layout.scenes.time, finest.scenes.time):
                    raise BrokenData(f"{finest.path.name} and {layout.path.name} do not hold the same times.")
            yield parts


@SOURCES.register("cube")
def open_cube(request: SourceRequest) -> Source:
    """Cube in one NetCDF file, Zarr folder or ``.zarr.zip``.

    Raises
    ------
    InvalidInput, MissingInput, BrokenData, ServiceUnavailable
        The file is not there, not a cube, or does not say what it must.
    """
    chosen = parse_options(CubeOptions, request.options, "cube")
    declaration = Declaration(scale=chosen.scale, offset=chosen.offset, backscatter=chosen.backscatter)
    part = CubePart(path=Path(request.what), declaration=declaration, crs=chosen.crs)
    with open_dataset(part.path) as dataset:
        describe(standard_dims(dataset), part)
    return CubeSource(
        name=f"cube:{part.path.name}",
        title=f"Imagery cube {part.path.name}",
        licence="not stated by the file",
        attribution="provided by the user",
        parts=(part,),
    )


def _within(scenes: Scenes, period: Period) -> list[int]:
    """Positions of the scenes acquired in the period, by day in UTC."""
    days = scenes.time.astype("datetime64[D]")
    wanted = days <= np.datetime64(period.end)
    if period.start is not None:
        wanted &= days >= np.datetime64(period.start)
    return [int(n) for n in np.flatnonzero(wanted)]


def _pick(scenes: Scenes, block: Block, by: Scenes | None = None) -> Scenes:
    """The block's scenes, found under their ids in ``by`` (default: the scenes themselves), in order."""
    rank = {scene_id: n for n, scene_id in enumerate((by or scenes).scene_id)}
    unknown = [item.id for item in block.items if item.id not in rank]
    if unknown:
        raise BrokenData(f"Block {block.block_id} asks for scenes that the cube does not have: {unknown[:3]}")
    order = sorted({rank[item.id] for item in block.items})
    return Scenes(
        position=scenes.position[order],
        time=scenes.time[order],
        scene_id=tuple(scenes.scene_id[n] for n in order),
        platform=tuple(scenes.platform[n] for n in order),
        orbit=tuple(scenes.orbit[n] for n in order),
    )


def _read_variable(
    dataset: xr.Dataset, layout: Layout, facts: BandVariable, window: Window, factor: int, positions: NDArray[np.intp]
) -> tuple[NDArray[np.generic], NDArray[np.str_]]:
    """Digital numbers ``(time, y, x)`` of a window of the finest grid, and the status of each time.

    Only the window and the times asked for are read. If that fails, the times are read one by one, so that the
    corrupt ones are told from the others.
    """
    coarse = _coarsen(window, factor)
    rows = _file_rows(layout, coarse.rows)
    lazy = dataset[facts.variable].transpose("time", "y", "x").isel(y=rows, x=coarse.columns)
    values, corrupt = _load_times(lazy, positions, facts)
    chunks = map_chunks(layout.path, facts.variable, facts.nodata)
    unwritten: NDArray[np.bool_] = np.zeros(positions.size, dtype=np.bool_)
    if chunks is not None:
        absent = ~_written(chunks, dataset[facts.variable].dims, positions, rows, coarse.columns)
        values[absent] = facts.nodata
        unwritten = np.asarray(absent.all(axis=(1, 2)))
    if layout.grid.south_up:
        values = values[:, ::-1]
    fine = values.repeat(factor, axis=1).repeat(factor, axis=2) if factor > 1 else values
    top, left = window.rows.start - coarse.rows.start * factor, window.columns.start - coarse.columns.start * factor
    height, width = window.rows.stop - window.rows.start, window.columns.stop - window.columns.start
    numbers = np.ascontiguousarray(fine[:, top : top + height, left : left + width])
    # Later lines win: a scene without data here does not meet the block, unless there is a reason why it has none.
    status = np.full(positions.size, "ok", dtype="<U11")
    status[_is_nodata(numbers, facts.nodata).all(axis=(1, 2))] = "outside"
    status[unwritten] = "missing"
    status[corrupt] = "corrupt"
    return numbers, status


def _load_times(
    lazy: xr.DataArray, positions: NDArray[np.intp], facts: BandVariable
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Numbers of the times asked for, and which of them could not be decoded (these are nodata)."""
    corrupt = np.zeros(positions.size, dtype=np.bool_)
    try:
        return _load(lazy, positions, facts), corrupt
    except READ_FAULTS:
        values = np.full((positions.size, *lazy.shape[1:]), facts.nodata, dtype=facts.dtype)
    for n, position in enumerate(positions):
        try:
            values[n] = _load(lazy, np.array([position]), facts)[0]
        except READ_FAULTS:
            corrupt[n] = True
    return values, corrupt


def _written(
    chunks: ChunkMap, dims: Sequence[Hashable], positions: NDArray[np.intp], rows: slice, columns: slice
) -> NDArray[np.bool_]:
    """Pixels ``(time, y, x)`` as the file counts them: True where their chunk was written."""
    asked = {"time": positions, "y": np.arange(rows.start, rows.stop), "x": np.arange(columns.start, columns.stop)}
    places = [asked[str(dim)] // step for dim, step in zip(dims, chunks.shape, strict=True)]
    found: NDArray[np.bool_] = chunks.written[np.ix_(*places)]
    return found.transpose([list(dims).index(dim) for dim in ("time", "y", "x")])


def _is_nodata(numbers: NDArray[np.generic], nodata: float) -> NDArray[np.bool_]:
    found = np.asarray(numbers == nodata)
    return found | np.isnan(numbers) if numbers.dtype.kind == "f" else found


def _load(lazy: xr.DataArray, positions: NDArray[np.intp], facts: BandVariable) -> NDArray[np.generic]:
    first, last = (int(positions.min()), int(positions.max())) if positions.size else (0, -1)
    if positions.size == last - first + 1:
        values = lazy.isel(time=slice(first, last + 1)).values[positions - first]
    else:
        values = lazy.isel(time=positions).values
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    return native.view(facts.dtype) if native.dtype.kind == "i" and facts.dtype.kind == "u" else native


def _coarsen(window: Window, factor: int) -> Window:
    """Smallest window of coarse pixels that covers a window of fine ones."""

    def cover(span: slice) -> slice:
        return slice(span.start // factor, -(-span.stop // factor))

    return Window(rows=cover(window.rows), columns=cover(window.columns))


def _file_rows(layout: Layout, rows: slice) -> slice:
    """Rows as the file counts them; files stored south to north count from the bottom."""
    if not layout.grid.south_up:
        return rows
    height = int(layout.grid.geobox.shape[0])
    return slice(height - rows.stop, height - rows.start)


def _assemble(
    block: Block,
    bands: Sequence[str],
    scenes: Scenes,
    read: Mapping[str, tuple[BandVariable, NDArray[np.generic], NDArray[np.str_]]],
) -> xr.Dataset:
    axis = SceneAxis(time=scenes.time, scene_id=scenes.scene_id, platform=scenes.platform, orbit=scenes.orbit)
    stacks = {
        band: BandStack(
            values=values,
            nodata=facts.nodata,
            units=facts.units,
            scale=facts.scale,
            offset=facts.offset,
            status=status,
        )
        for band, (facts, values, status) in read.items()
    }
    return assemble(block, bands, axis, stacks)
