"""A user's orthomosaic: one dated picture of very high resolution, as GeoTIFF or COG on disk.

* Pixels are read by the raster module, which decodes TIFF only and follows no reference to other files. GDAL, its
  driver named, is asked for what that module does not know: descriptions and colours of the bands, the date.
* CRS: any that the file names, geographic too. Pixels reach a grid by area averages only (`area_average`).
* Bands: the option ``bands``, else the file's descriptions, else its colours.
* Date: the option ``date``, else the tag ``DateTime``, which often is the day of processing; what was taken is told.
* Values: ``DN * scale + offset`` where a scale is given, else digital numbers as they are.
* No data: the declared value, the opacity band, NaN. Where a file of whole numbers declares none of them: pixels that
  are 0 in every band, for that is how its surroundings are filled. A mask of its own inside a file is refused.
* Side files (``.aux.xml``, ``.ovr``, ``.msk``, ``.tfw``) are not looked at.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pydantic import Field
from pyproj.exceptions import CRSError
from shapely import segmentize
from shapely.geometry import Polygon, box

from geocollateral.errors import BrokenData, InvalidInput, MissingInput
from geocollateral.sources.cubes.files import hash_files
from geocollateral.sources.orthos.area_average import AreaSum, Span, parts_of, window_over
from geocollateral.sources.orthos.bands import find_bands, parse_bands
from geocollateral.sources.raster.access import Access
from geocollateral.sources.raster.read import read_profile, read_windows
from geocollateral.sources.raster.request import RasterProfile, WindowRequest
from geocollateral.sources.schemes import parse_options
from geocollateral.types import Params

if TYPE_CHECKING:
    from rasterio.io import DatasetReader  # type: ignore[import-untyped]

SLAB_PIXELS = 1 << 22
"""Pixels averaged at once."""
SYNTAX = "FILE@YYYY-MM-DD, then any of ,bands=red+green+blue+nir ,scale=0.0001 ,offset=0 ,sensor=NAME"


class OrthoOptions(Params):
    """Options of an orthomosaic."""

    date: dt.date | None = Field(None, description="Day it was flown; default: the file's DateTime tag, if it has one.")
    bands: str | None = Field(
        None,
        description="Common names in the file's order with + between, _ for one to leave out: red+green+blue+nir.",
    )
    scale: float | None = Field(None, gt=0, le=1, description="Reflectance per digital number: DN * scale + offset.")
    offset: float = Field(0.0, ge=-1, le=1, description="Reflectance at digital number 0; needs a scale.")
    sensor: str = Field(
        "drone",
        pattern=r"^[a-z0-9][a-z0-9 .-]{0,39}$",
        description="Name its looks go by, in lower case; not that of a Sentinel.",
    )


@dataclass(frozen=True, kw_only=True)
class Orthomosaic:
    """One orthomosaic on disk. Holds what the header says; the file is opened inside each read. Pickles."""

    path: Path
    """Resolved."""
    sha256: str
    acquired: dt.date
    date_from: Literal["given", "tag"]
    """Whether the user named the day, or the file's DateTime tag did."""
    sensor: str
    bands: Mapping[str, int]
    """Common name to band number, counted from 1."""
    scale: float | None
    """None: values are digital numbers."""
    offset: float
    profile: RasterProfile

    @property
    def name(self) -> str:
        """Name of the file, without its folder."""
        return self.path.name

    @property
    def scene_id(self) -> str:
        """File name and the beginning of its SHA-256."""
        return f"{self.name}-{self.sha256[:8]}"

    @property
    def declares_no_data(self) -> bool:
        """Whether the file says by itself which pixels hold nothing."""
        profile = self.profile
        floats = profile.dtype.startswith("float")
        return floats or profile.nodata is not None or profile.has_alpha

    @property
    def crs(self) -> str:
        """CRS of the file."""
        return self.profile.crs or ""

    @property
    def resolution_m(self) -> float:
        """Side of a pixel on the ground [m], in the middle of the file."""
        rows, cols = self.profile.shape
        corners = self._to_degrees([(cols / 2, rows / 2), (cols / 2 + 1, rows / 2), (cols / 2, rows / 2 + 1)])
        (x0, y0), (x1, y1), (x2, y2) = corners
        geod = pyproj.Geod(ellps="WGS84")
        return float(np.sqrt(geod.inv(x0, y0, x1, y1)[2] * geod.inv(x0, y0, x2, y2)[2]))

    @property
    def footprint(self) -> Polygon:
        """Outline of the file, empty margins included [degrees, WGS 84]."""
        rows, cols = self.profile.shape
        ring = segmentize(box(0, 0, cols, rows), max(rows, cols) / 8).exterior.coords
        return Polygon(self._to_degrees(list(ring)))

    def _to_degrees(self, pixels: Sequence[tuple[float, ...]]) -> list[tuple[float, float]]:
        turn = pyproj.Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        places = [Affine(*self.profile.transform) @ (col, row) for col, row in pixels]
        return [turn.transform(x, y) for x, y in places]


@dataclass(frozen=True, kw_only=True)
class AreaRead:
    """An orthomosaic averaged over the cells of a grid."""

    values: Mapping[str, NDArray[np.float32]]
    """By band, shape (y, x): reflectance or digital numbers; NaN where a cell holds no valid pixel."""
    share: NDArray[np.float32]
    """Shape (y, x): share of each cell's area that valid pixels cover [0-1]."""
    faults: tuple[str, ...]
    """What could not be read of the file; its pixels are invalid."""


# ------------------------------------------------------------------------------------------------------------- opening


def parse_spec(spec: str) -> tuple[Path, dict[str, str]]:
    """Path and options of ``FILE@YYYY-MM-DD,bands=...,sensor=...``; all but the file may be left out.

    Raises
    ------
    InvalidInput
        An option has no value, is not known or is given twice.
    """
    head, *parts = re.split(r",(?=[a-z]+=)", spec)
    options: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        if name not in OrthoOptions.model_fields or name in options or not value:
            raise InvalidInput(f"Option {part!r} of orthomosaic {head!r} is not understood. Expected {SYNTAX}.")
        options[name] = value
    path, at, date = head.rpartition("@")
    if at and not Path(head).exists():
        if "date" in options:
            raise InvalidInput(f"Orthomosaic {head!r} has two dates. Expected {SYNTAX}.")
        return Path(path), {**options, "date": date}
    return Path(head), options


def open_orthomosaic(spec: str, **options: object) -> Orthomosaic:
    """Orthomosaic named by ``FILE@YYYY-MM-DD`` with options as in `parse_spec`.

    Parameters
    ----------
    **options
        As in `OrthoOptions`, where the spec does not name them; None counts as not given.

    Raises
    ------
    MissingInput
        There is no such file.
    InvalidInput
        It is no GeoTIFF, has no date, no CRS or no band that we know, or an option is wrong.
    BrokenData
        It is corrupt.
    """
    path, named = parse_spec(spec)
    chosen = parse_options(OrthoOptions, {**options, **named}, "ortho")
    if chosen.offset and chosen.scale is None:
        raise InvalidInput(f"Orthomosaic {path.name}: an offset without a scale says nothing; give the scale too.")
    if chosen.sensor.startswith("sentinel"):
        raise InvalidInput(f"Orthomosaic {path.name}: sensor {chosen.sensor!r} is a satellite's of ours; name another.")
    if not path.is_file():
        raise MissingInput(f"There is no orthomosaic {path}. Expected {SYNTAX}.")
    path = path.resolve()
    profile = _profile(path)
    with _gdal(path) as dataset:
        bands = _bands(path.name, chosen.bands, dataset)
        tagged = _tagged_day(dataset)
        _require_no_mask(path.name, dataset)
    acquired = chosen.date or tagged
    if acquired is None:
        raise InvalidInput(
            f"Orthomosaic {path.name} needs the day it was flown: the file does not say. Expected {SYNTAX}."
        )
    return Orthomosaic(
        path=path,
        sha256=hash_files(path)[path.name],
        acquired=acquired,
        date_from="given" if chosen.date else "tag",
        sensor=chosen.sensor,
        bands=bands,
        scale=chosen.scale,
        offset=chosen.offset,
        profile=profile,
    )


def _profile(path: Path) -> RasterProfile:
    """Header of a GeoTIFF that lies somewhere on the ground."""
    try:
        profile = read_profile(str(path), "", Access(folders=(path.parent,)))
    except (BrokenData, MissingInput) as error:
        raise InvalidInput(f"Expected an orthomosaic as GeoTIFF, got {path.name}: {error}") from error
    if profile.driver != "tiff":
        raise InvalidInput(f"Expected an orthomosaic as GeoTIFF, got {path.name}, which is {profile.driver}.")
    a, b, _, d, e, _ = profile.transform
    if profile.crs is None or (a, b, d, e) == (1, 0, 0, 1):
        raise InvalidInput(
            f"{path.name} is not georeferenced: it has no CRS or no transform. Export it as GeoTIFF with both; world "
            "files beside it are not read."
        )
    try:
        known = pyproj.CRS(profile.crs)
    except CRSError as error:
        raise InvalidInput(f"{path.name} has a CRS that is not known: {str(error)[:200]}") from error
    if not (known.is_projected or known.is_geographic or known.is_compound) or a * e - b * d == 0:
        raise InvalidInput(
            f"{path.name} has CRS {known.name} and transform {profile.transform}: no place on the ground."
        )
    return profile


@contextmanager
def _gdal(path: Path) -> Iterator[DatasetReader]:
    """The file in GDAL, driver named and side files out of sight. The raster module has seen that it is TIFF."""
    import rasterio  # type: ignore[import-untyped]
    from rasterio.errors import RasterioError  # type: ignore[import-untyped]

    quiet = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}
    try:
        with rasterio.Env(**quiet), rasterio.open(path, driver="GTiff", sharing=False) as dataset:
            yield dataset
    except RasterioError as error:
        raise BrokenData(f"{path.name} cannot be read: {str(error)[:200]}") from error


def _bands(name: str, given: str | None, dataset: DatasetReader) -> dict[str, int]:
    found = (
        parse_bands(given, dataset.count)
        if given
        else find_bands(dataset.descriptions, [colour.name for colour in dataset.colorinterp])
    )
    if not found:
        raise InvalidInput(
            f"{name} does not say which of its {dataset.count} bands are which; name them: "
            f"{name}@DATE,bands=blue+green+red+rededge+nir (as they lie in the file)."
        )
    return found


def _tagged_day(dataset: DatasetReader) -> dt.date | None:
    match = re.match(r"(\d{4}):(\d\d):(\d\d)\b", str(dataset.tags().get("TIFFTAG_DATETIME", "")))
    try:
        return dt.date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _require_no_mask(name: str, dataset: DatasetReader) -> None:
    """The raster module refuses most files with a mask; read without it, their surroundings would count as ground."""
    from rasterio.enums import MaskFlags  # type: ignore[import-untyped]

    flags = dataset.mask_flag_enums[0]
    if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
        raise InvalidInput(f"{name} has a mask of its own inside, which is not read; rewrite it with an alpha band.")


# ------------------------------------------------------------------------------------------------------------- reading


def count_pixels(mosaic: Orthomosaic, geobox: GeoBox) -> int:
    """Pixels of the file that `read_area` of the same would decode, once per band."""
    window = window_over(mosaic.profile, geobox)
    return 0 if window is None else (window[0].stop - window[0].start) * (window[1].stop - window[1].start)


def read_area(mosaic: Orthomosaic, geobox: GeoBox, bands: Sequence[str]) -> AreaRead:
    """Area averages of an orthomosaic at full resolution over the cells of a grid, in any CRS.

    Parameters
    ----------
    mosaic, bands
        What to read.
    geobox
        The grid, north up and projected.
    """
    total = AreaSum(geobox, mosaic.profile, len(bands))
    names = list(bands) if mosaic.declares_no_data else list(dict.fromkeys([*bands, *mosaic.bands]))
    faults: dict[str, None] = {}
    window = window_over(mosaic.profile, geobox)
    for part in parts_of(mosaic.profile, window) if window else ():
        for values, valid, at in _read_part(mosaic, part, names, faults):
            total.add(values[: len(bands)], valid, at)
    means, share = total.means()
    if mosaic.scale is not None:
        means = means * np.float32(mosaic.scale) + np.float32(mosaic.offset)
    return AreaRead(values=dict(zip(bands, means, strict=True)), share=share, faults=tuple(faults))


def _read_part(
    mosaic: Orthomosaic, part: Span, names: Sequence[str], faults: dict[str, None]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_], Span]]:
    """Values (band, rows, cols) and validity (rows, cols) of a part, a slab of rows at a time."""
    href, version = str(mosaic.path), mosaic.sha256
    requests = [WindowRequest(key=n, href=href, version=version, window=part, band=mosaic.bands[n]) for n in names]
    reads = read_windows(requests, Access(folders=(mosaic.path.parent,)))
    faults |= {read.reason: None for read in reads if read.status == "corrupt"}
    rows, cols = part
    tall = max(SLAB_PIXELS // (cols.stop - cols.start), 1)
    for top in range(0, rows.stop - rows.start, tall):
        cut = np.s_[top : min(top + tall, rows.stop - rows.start)]
        values = np.stack([read.array[cut] for read in reads]).astype(np.float32)
        valid = np.logical_and.reduce([read.mask[cut] for read in reads])
        if not mosaic.declares_no_data:
            valid &= (values != 0).any(axis=0)
        yield values, valid, (slice(rows.start + cut.start, rows.start + cut.stop), cols)
