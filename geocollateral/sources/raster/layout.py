"""What the header of a TIFF file says, and whether it can be true."""

from __future__ import annotations

import functools
import io
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from geocollateral.sources.raster.request import Expected, ReadFault, Transform, Undecodable

if TYPE_CHECKING:
    import numpy as np
    from tifffile import TiffPage

HEADER_BYTES = 32_768
"""First request of a file; a COG of a Sentinel-2 tile has its header in the first 20 kB."""
HEADER_LIMIT = 1 << 24
"""A header larger than this is none."""
SEGMENT_LIMIT = 1 << 29
"""Largest tile or strip decoded [bytes]."""

CHECKED_CODECS = frozenset({8, 32946})
"""DEFLATE: zlib's Adler-32 closes every tile, and libdeflate checks it."""
PLAIN_CODECS = frozenset({1, 5, 8, 32946, 50000})
"""None, LZW, DEFLATE (two numbers), ZSTD."""
CODECS = PLAIN_CODECS | {7, 32773, 50001}
"""And JPEG, PackBits, WebP: orthomosaics."""

MASKED = "not supported: a mask of its own inside the file; rewrite it with an alpha band or a nodata value"
"""Read without its mask, the black collar of an orthomosaic would count as ground."""

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what it would print we say in `reason`


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Header of a TIFF file: its finest image."""

    shape: tuple[int, int]
    transform: Transform
    crs: str | None
    dtype: np.dtype[Any]
    nodata: float | None
    samples: int
    alpha: bool
    """The last sample is opacity."""
    planar: bool
    """Each band has tiles of its own."""
    tile: tuple[int, int]
    """Rows, columns of a tile or strip."""
    compression: int
    predictor: int
    offsets: Sequence[int]
    counts: Sequence[int]
    total: int | None
    """Size of the file [bytes]."""
    etag: str
    overviews: tuple[tuple[int, int], ...]
    """Rows, columns of the reduced images; empty unless asked for. Never read: averages are other numbers."""
    page: TiffPage

    @property
    def grid(self) -> tuple[int, int]:
        """Rows, columns of tiles."""
        return -(-self.shape[0] // self.tile[0]), -(-self.shape[1] // self.tile[1])

    @property
    def segments(self) -> int:
        """Tiles of the image, all bands."""
        rows, cols = self.grid
        return rows * cols * (self.samples if self.planar else 1)

    @property
    def checked(self) -> bool:
        """Every tile carries a checksum that decoding verifies."""
        return self.compression in CHECKED_CODECS

    def segment(self, row: int, col: int, band: int) -> int:
        """Number of the tile at a row and column of tiles that holds a band."""
        rows, cols = self.grid
        return ((band - 1) * rows if self.planar else 0) * cols + row * cols + col


class HeaderBytes(io.RawIOBase):
    """The part of a file that was fetched, as a file. Remembers in `lacking` the first read that reached past it."""

    def __init__(self, parts: Mapping[int, bytes], total: int | None) -> None:
        self._parts = dict(sorted(parts.items()))
        self._total = total if total is not None else 1 << 62
        self._at = 0
        self.lacking: tuple[int, int] | None = None

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._total}[whence]
        self._at = start + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Bytes from here, fewer where they were not fetched."""
        stop = self._total if size < 0 else min(self._at + size, self._total)
        for start, part in self._parts.items():
            if start <= self._at and stop <= start + len(part):
                found = part[self._at - start : stop - start]
                self._at = stop
                return found
        if self.lacking is None and stop > self._at:
            self.lacking = (self._at, stop)
        return b""

    def readinto(self, buffer: Any) -> int:
        """As `read`."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


def parse_layout(
    parts: Mapping[int, bytes], total: int | None, etag: str, *, overviews: bool = False
) -> Layout | tuple[int, int]:
    """Layout of a file of which some parts were fetched (by offset), or the range that is lacking still.

    Reduced images are looked for only where `overviews` asks for them: no pixel of theirs is ever read.

    Raises
    ------
    Undecodable
        The bytes are no header of a TIFF file, or contradict themselves.
    ReadFault
        It is a TIFF file of a kind that is not read.
    """
    import tifffile

    file = HeaderBytes(parts, total)
    try:
        with tifffile.TiffFile(cast(Any, file)) as tiff:
            layout = _describe(tiff.pages.first, total, etag)
            if file.lacking is None and _has_mask(tiff, file, look_further=layout.samples >= 3):
                raise ReadFault("missing", MASKED)
            if overviews:
                reduced = [page for page in cast(Any, tiff.pages) if int(page.subfiletype) & 5 == 1]
                layout = replace(layout, overviews=tuple((int(p.imagelength), int(p.imagewidth)) for p in reduced))
    except (ReadFault, Undecodable):
        if file.lacking is None:
            raise
        return file.lacking
    except Exception as exc:  # whatever a parser of hostile bytes trips over
        if file.lacking is None:
            raise Undecodable(f"not the header of a TIFF file ({type(exc).__name__})") from exc
        return file.lacking
    return file.lacking or layout


def require_expected(layout: Layout, expected: Expected) -> None:
    """Check that a header agrees with the catalogue.

    Raises
    ------
    ReadFault
        It does not: ``corrupt``.
    """
    said: list[str] = []
    if expected.shape is not None and tuple(expected.shape) != layout.shape:
        said.append(f"shape {layout.shape}, the catalogue says {tuple(expected.shape)}")
    if expected.dtype is not None and layout.dtype.name != expected.dtype:
        said.append(f"dtype {layout.dtype.name}, the catalogue says {expected.dtype}")
    if expected.transform is not None and not _same_transform(layout.transform, expected.transform, layout.shape):
        said.append(f"transform {layout.transform}, the catalogue says {tuple(expected.transform)}")
    if expected.crs is not None and not same_crs(layout.crs, expected.crs):
        said.append(f"CRS {(layout.crs or 'none')[:80]}, the catalogue says {expected.crs[:80]}")
    if said:
        raise ReadFault("corrupt", f"the file contradicts the catalogue: it has {'; '.join(said)}")


@functools.lru_cache(maxsize=256)
def same_crs(one: str | None, other: str) -> bool:
    """Tell whether two names or definitions mean the same CRS."""
    if one is None or one == other:
        return one == other
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return bool(CRS.from_user_input(one).equals(CRS.from_user_input(other), ignore_axis_order=True))
    except CRSError:
        return False


def _same_transform(one: Transform, other: Transform, shape: tuple[int, int]) -> bool:
    """The corners of the image agree to a thousandth of a pixel."""
    pixel = max(math.hypot(one[0], one[3]), 1e-300)
    corners = [(0, 0), (shape[1], 0), (0, shape[0])]
    return all(
        math.isclose(one[i] * c + one[i + 1] * r + one[i + 2], other[i] * c + other[i + 1] * r + other[i + 2],
                     rel_tol=0, abs_tol=pixel * 1e-3)
        for c, r in corners for i in (0, 3)
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- the header


def _describe(page: Any, total: int | None, etag: str) -> Layout:
    rows, cols, samples = int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)
    strip = min(int(page.rowsperstrip), rows), cols
    tile = (int(page.tilelength), int(page.tilewidth)) if page.is_tiled else strip
    if min(rows, cols, samples, *tile) < 1 or max(rows, cols) > 1 << 24:
        raise Undecodable(f"the header says {rows} x {cols} pixels in tiles of {tile}")
    if page.dtype is None or page.dtype.kind not in "uif":
        raise ReadFault("missing", f"not supported: pixels of {page.bitspersample} bits")
    if int(page.compression) not in CODECS or int(page.imagedepth) != 1:
        raise ReadFault("missing", f"not supported: compression {int(page.compression)}")
    layout = Layout(
        shape=(rows, cols),
        transform=_read_transform(page),
        crs=_read_crs(page),
        dtype=page.dtype,
        nodata=_read_nodata(page),
        samples=samples,
        alpha=samples > 1 and bool(set(page.extrasamples) & {1, 2}),
        planar=int(page.planarconfig) == 2 and samples > 1,
        tile=tile,
        compression=int(page.compression),
        predictor=int(page.predictor),
        offsets=page.dataoffsets,
        counts=page.databytecounts,
        total=total,
        etag=etag,
        overviews=(),
        page=page,
    )
    if not len(layout.offsets) == len(layout.counts) == layout.segments:
        raise Undecodable(f"the header lists {len(layout.offsets)} tiles, the image has {layout.segments}")
    if tile[0] * tile[1] * samples * page.dtype.itemsize > SEGMENT_LIMIT:
        raise ReadFault(
            "missing", f"not supported: tiles or strips of {tile[0]} x {tile[1]} pixels; rewrite it as a COG"
        )
    return layout


def _has_mask(tiff: Any, file: HeaderBytes, *, look_further: bool) -> bool:
    """Tell whether the second image is the mask of the first, where GDAL writes it.

    A single band is masked by nodata as a rule: for it the second image is looked at only where its header was fetched
    with the first's. For pictures it is fetched (`look_further`).
    """
    try:
        second = tiff.pages[1]
    except IndexError:
        return False
    except Exception:  # cut off, like whatever the header lacks
        if file.lacking is None or look_further:
            raise
        file.lacking = None
        return False
    if file.lacking is not None and not look_further:
        file.lacking = None
    first = tiff.pages.first
    same = (second.imagelength, second.imagewidth) == (first.imagelength, first.imagewidth)
    return bool(int(second.subfiletype) & 4) and same


def _read_nodata(page: Any) -> float | None:
    text = page.tags.valueof(42113)
    if text is None:
        return None
    try:
        return float(str(text).strip("\x00 "))
    except ValueError as exc:
        raise Undecodable(f"the header's nodata is {text!r}") from exc


def _read_transform(page: Any) -> Transform:
    """Affine of pixel corners. A file without any has the identity, as GDAL says."""
    keys = _read_geokeys(page)
    half = 0.5 if keys.get(1025) == 2 else 0.0  # GTRasterTypeGeoKey: the tie point is a pixel's centre
    matrix = page.tags.valueof(34264)
    if matrix is not None and len(matrix) == 16:
        a, b, _, c, d, e, _, f = (float(v) for v in matrix[:8])
    else:
        scale, tie = page.tags.valueof(33550), page.tags.valueof(33922)
        if scale is None or tie is None or len(tie) != 6:
            return (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        a, b, d, e = float(scale[0]), 0.0, 0.0, -float(scale[1])
        c, f = float(tie[3]) - a * float(tie[0]), float(tie[4]) - e * float(tie[1])
    return (a, b, c - half * (a + b), d, e, f - half * (d + e))


def _read_geokeys(page: Any) -> dict[int, int]:
    """Keys that hold a plain number."""
    raw = page.tags.valueof(34735)
    if raw is None:
        return {}
    if len(raw) < 4 or len(raw) < 4 + 4 * raw[3]:
        raise Undecodable("the header's geographic keys are cut off")
    return {raw[i]: raw[i + 3] for i in range(4, 4 + 4 * raw[3], 4) if raw[i + 1] == 0}


def _read_crs(page: Any) -> str | None:
    """``EPSG:n`` of the projected, else of the geographic CRS; WKT of a CRS without a code."""
    keys = _read_geokeys(page)
    code = keys.get(3072) if keys.get(1024) == 1 else keys.get(2048)
    if code is None or code == 0:
        return None
    return f"EPSG:{code}" if code < 32767 else _crs_of_keys(page)


def _crs_of_keys(page: Any) -> str | None:
    """WKT of a CRS that is spelt out, read by GDAL from a file of one pixel made here with the same keys."""
    import numpy as np
    import tifffile
    from rasterio.io import MemoryFile  # type: ignore[import-untyped]

    extra: list[tuple[int, int, int, object]] = [  # with a place, or GDAL warns that there is none
        (33550, 12, 3, (1.0, 1.0, 0.0)),
        (33922, 12, 6, (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
    ]
    for code, kind in ((34735, 3), (34736, 12), (34737, 2)):
        value = page.tags.valueof(code)
        if value is not None:
            extra.append((code, kind, len(value), value))
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, np.zeros((1, 1), np.uint8), photometric="minisblack", metadata=None, extratags=cast(Any, extra)
    )
    with MemoryFile(buffer.getvalue()) as memory, memory.open(driver="GTiff") as dataset:
        return None if dataset.crs is None else cast(str, dataset.crs.to_wkt())
