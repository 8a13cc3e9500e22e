"""JPEG 2000, which the Copernicus Data Space serves: decoded by GDAL's OpenJPEG driver from bytes of our own transport.

GDAL gets a file object, never an address. Its driver is named, so that no content can choose another. The format has no
checksum: over plain http each range is fetched twice.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from geocollateral.sources.raster.address import Address
from geocollateral.sources.raster.cache import BlockCache, make_key
from geocollateral.sources.raster.file import Changed
from geocollateral.sources.raster.layout import require_expected
from geocollateral.sources.raster.paste import failed, fill_of, valid_pixels
from geocollateral.sources.raster.request import (
    Provenance,
    RasterProfile,
    RasterRead,
    ReadFault,
    WindowRequest,
)
from geocollateral.sources.raster.transport import Answer, Transport
from geocollateral.types import ReadCost

if TYPE_CHECKING:
    from rasterio.io import DatasetReader  # type: ignore[import-untyped]

CHUNK = 1 << 19
"""Bytes of one request: about a third of a tile of a Sentinel-2 band."""
MAGIC = b"\x00\x00\x00\x0cjP  "
_names = itertools.count()


def is_jpeg2000(href: str) -> bool:
    """Tell from the name whether a file is JPEG 2000."""
    return urlsplit(href).path.lower().endswith((".jp2", ".j2k"))


def read_profile(transport: Transport, address: Address, cache: BlockCache | None, version: str) -> RasterProfile:
    """What the header says; see `read.read_profile`."""
    with _open(RangeFile(transport, address, cache, version)) as dataset:
        return _describe(dataset)


def read_file(
    transport: Transport, address: Address, cache: BlockCache | None, requests: Sequence[WindowRequest]
) -> list[RasterRead]:
    """All windows of one file; see `read.read_windows`."""
    fault = ReadFault("corrupt", "never tried")
    for anew in (False, True):
        try:
            return _read_once(RangeFile(transport, address, cache, requests[0].version, anew=anew), address, requests)
        except Changed as exc:
            fault = ReadFault("corrupt", str(exc), transient=True)
        except ReadFault as exc:
            fault = exc
            break
    return [failed(request, fault) for request in requests]


def _read_once(file: RangeFile, address: Address, requests: Sequence[WindowRequest]) -> list[RasterRead]:
    reads: list[RasterRead] = []
    try:
        with _open(file) as dataset:
            reads.extend(_read_window(dataset, file, address, request) for request in requests)
    except ReadFault as fault:
        reads.extend(failed(request, fault) for request in requests[len(reads) :])
    return reads


def cost_of_file(requests: Sequence[WindowRequest]) -> ReadCost:
    """A guess: two bytes a pixel, all of each 1024 x 1024 tile of the window, in requests of half a megabyte."""
    tiles = sum(
        math.prod((part.stop - 1) // 1024 - part.start // 1024 + 1 for part in request.window) for request in requests
    )
    size = tiles * 1024 * 1024 * 2
    pixels = sum(math.prod(request.shape) for request in requests)
    return ReadCost(requests=1 + size // CHUNK, bytes=size, pixels=pixels)


class RangeFile(io.RawIOBase):
    """A remote file as GDAL reads it: whole chunks are fetched once and kept. The first fault is remembered in `fault`,
    because GDAL makes its own of what a read raises.
    """

    def __init__(
        self, transport: Transport, address: Address, cache: BlockCache | None, version: str, *, anew: bool = False
    ) -> None:
        self._transport = transport
        self._address = address
        self._cache = None if address.kind == "file" else cache
        self._version = version
        self._anew = anew
        self._chunks: dict[int, bytes] = {}
        self._at = 0
        self.fault: BaseException | None = None
        self.transferred = 0
        self.attempts = 0
        self._booked = 0
        self.total, self.etag, self._chunks[0] = self._first_chunk()
        if not self._chunks[0].startswith((MAGIC, b"\xff\x4f\xff\x51")):
            raise ReadFault("corrupt", "not the header of a JPEG 2000 file")

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
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.total}[whence] + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Bytes from here; none after a fault."""
        stop = self.total if size < 0 else min(self._at + size, self.total)
        if stop <= self._at or self.fault is not None:
            return b""
        try:
            numbers = range(self._at // CHUNK, (stop - 1) // CHUNK + 1)
            whole = b"".join(self._chunk(number) for number in numbers)
        except Exception as exc:
            self.fault = exc
            return b""
        found = whole[self._at - numbers.start * CHUNK : stop - numbers.start * CHUNK]
        self._at = stop
        return found

    def book(self) -> int:
        """Bytes transferred since this was last asked."""
        new, self._booked = self.transferred - self._booked, self.transferred
        return new

    def digest(self) -> str:
        """SHA-256 of what was fetched, in the order of the file."""
        return hashlib.sha256(b"".join(self._chunks[number] for number in sorted(self._chunks))).hexdigest()

    def _first_chunk(self) -> tuple[int, str, bytes]:
        """Size and state of the file, and its first chunk: from the cache, which then answers for that state."""
        key = make_key("first chunk", self._address.public, self._version)
        held = self._cache.get(key) if self._cache is not None else None
        if held is not None and not self._anew:
            meta, _, body = held.partition(b"\n")
            return (*json.loads(meta), body)
        first = self._fetch(0)
        if first.total is None:
            raise ReadFault("missing", f"the server does not say how large {self._address.public} is")
        if self._cache is not None:
            self._cache.put(key, json.dumps([first.total, first.etag]).encode() + b"\n" + first.body)
        return first.total, first.etag, first.body

    def _chunk(self, number: int) -> bytes:
        if number not in self._chunks:
            key = make_key("chunk", self._address.public, self._version, f"{self.etag} {number}")
            body = self._cache.get(key) if self._cache is not None else None
            if body is None:
                body = self._fetch(number).body
                if self._cache is not None:
                    self._cache.put(key, body)
            self._chunks[number] = body
        return self._chunks[number]

    def _fetch(self, number: int) -> Answer:
        def accept(answer: Answer) -> None:
            if self._chunks and (answer.total, answer.etag) != (self.total, self.etag):
                raise Changed(f"{self._address.public} was replaced while it was read")

        fetched = self._transport.fetch(self._address, number * CHUNK, (number + 1) * CHUNK, accept)
        self.transferred += fetched.took.transferred
        self.attempts = max(self.attempts, fetched.took.attempts)
        return fetched.answer


@contextmanager
def _open(file: RangeFile) -> Iterator[DatasetReader]:
    import rasterio  # type: ignore[import-untyped]
    from rasterio.errors import RasterioError  # type: ignore[import-untyped]

    name = f"{next(_names)}.jp2"  # GDAL knows the file by this name only; its look-outs for side files find nothing

    def opener(path: str, mode: str = "rb") -> RangeFile:  # noqa: ARG001  as rasterio calls it
        if not path.endswith(name):
            raise FileNotFoundError(path)
        file.seek(0)
        return file

    try:
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_PAM_ENABLED="NO"),
            rasterio.open(name, driver="JP2OpenJPEG", opener=opener) as dataset,
        ):
            yield cast("DatasetReader", dataset)
    except (RasterioError, OSError, ValueError) as exc:
        if file.fault is not None:
            raise file.fault from exc
        raise ReadFault("corrupt", f"JPEG 2000 that cannot be decoded: {str(exc)[:120]}") from exc


def _describe(dataset: DatasetReader) -> RasterProfile:
    crs = dataset.crs
    code = crs.to_epsg() if crs else None
    return RasterProfile(
        driver="jpeg2000",
        shape=(dataset.height, dataset.width),
        transform=tuple(dataset.transform)[:6],
        crs=None if crs is None else f"EPSG:{code}" if code else crs.to_wkt(),
        dtype=dataset.dtypes[0],
        nodata=dataset.nodata,
        bands=dataset.count,
        has_alpha=False,
        tile=tuple(dataset.block_shapes[0]),
        compression="jpeg2000",
        overviews=tuple((-(-dataset.height // f), -(-dataset.width // f)) for f in dataset.overviews(1)),
    )


def _read_window(dataset: DatasetReader, file: RangeFile, address: Address, request: WindowRequest) -> RasterRead:
    import numpy as np
    from rasterio.windows import Window  # type: ignore[import-untyped]

    profile = _describe(dataset)
    seen = SimpleNamespace(
        shape=profile.shape, dtype=np.dtype(profile.dtype), transform=profile.transform, crs=profile.crs
    )
    rows, cols = request.window
    try:
        require_expected(cast(Any, seen), request.expected)
        if rows.stop > profile.shape[0] or cols.stop > profile.shape[1]:
            raise ReadFault("corrupt", f"the window reaches past the file's {profile.shape} pixels")
        if request.band > profile.bands:
            raise ReadFault("missing", f"there is no band {request.band}, the file has {profile.bands}")
        pixels = dataset.read(request.band, window=Window.from_slices(rows, cols))
        if file.fault is not None:
            raise file.fault
    except ReadFault as fault:
        return failed(request, fault)
    nodata = profile.nodata if request.expected.nodata is None else request.expected.nodata
    fill = fill_of(pixels.dtype, nodata)
    mask = valid_pixels(pixels, profile.nodata, request.expected.nodata)
    pixels[~mask] = fill
    return RasterRead(
        key=request.key,
        array=pixels,
        mask=mask,
        nodata=fill,
        status="ok",
        reason="",
        transient=False,
        provenance=Provenance(
            href=address.public,
            driver="jpeg2000",
            bytes=file.book(),
            sha256=file.digest(),
            etag=file.etag,
            attempts=file.attempts,
            from_cache=file.transferred == 0,
        ),
    )
