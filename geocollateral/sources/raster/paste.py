"""Windows put together from tiles, with a mask that says which pixels are good and a status that says what became of
them.

A sparse tile (one the file does not hold) makes the read ``missing`` and its pixels invalid, whatever nodata the file
declares: a writer that was killed leaves the same. A tile of nothing but zero bytes is taken for one too where its
codec has no checksum, unless 0 is nodata (its pixels are invalid anyway) and the way to the file protects its bytes.
The other pixels of the window are good and the mask says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from geocollateral.sources.raster.address import redact
from geocollateral.sources.raster.file import TiffReader, Tiles, bands_of, tiles_of
from geocollateral.sources.raster.layout import Layout
from geocollateral.sources.raster.request import Provenance, RasterRead, ReadFault, WindowRequest
from geocollateral.sources.raster.tiff import Buffer, is_hole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def failed(request: WindowRequest, fault: ReadFault, reader: TiffReader | None = None) -> RasterRead:
    """The read of a window of which nothing could be had."""
    import numpy as np

    dtype = np.dtype(request.expected.dtype or "uint8")
    fill = fill_of(dtype, request.expected.nodata)
    return RasterRead(
        key=request.key,
        array=np.full(request.shape, fill, dtype),
        mask=np.zeros(request.shape, np.bool_),
        nodata=fill,
        status=fault.status,
        reason=fault.reason,
        transient=fault.transient,
        provenance=Provenance(
            href=redact(request.href),
            driver="",
            bytes=reader.spent.bytes if reader else 0,
            attempts=reader.spent.attempts if reader else 0,
        ),
    )


def assemble(
    layout: Layout, request: WindowRequest, need: Sequence[int], tiles: Tiles, reader: TiffReader, *, counted: bool
) -> RasterRead:
    """The read of a window from the tiles it needs.

    Parameters
    ----------
    layout, request, need, tiles
        The file's header, the window, the numbers of its tiles and what was had of them.
    reader
        For the provenance.
    counted
        Whether the bytes of the file are booked on this read.
    """
    import numpy as np

    nodata = layout.nodata if request.expected.nodata is None else request.expected.nodata
    fill = fill_of(layout.dtype, nodata)
    array = np.full(request.shape, fill, layout.dtype.newbyteorder("="))
    mask = np.zeros(request.shape, np.bool_)
    trusted = nodata == 0 and reader.address.vouched_by(reader.transport.access)
    holes = {i for i in need if is_hole(layout, i) or (not trusted and _is_blank(layout, tiles.stored.get(i)))}
    for row, col in tiles_of(layout, request):
        indices = [layout.segment(row, col, band) for band in bands_of(layout, request)]
        if holes.isdisjoint(indices) and all(i in tiles.pixels for i in indices):
            _paste(layout, request, (row, col), tiles, array, mask)
    mask &= valid_pixels(array, layout.nodata, request.expected.nodata)
    array[~mask] = fill
    status, reason, transient = _judge(need, holes, tiles)
    return RasterRead(
        key=request.key,
        array=array,
        mask=mask,
        nodata=fill,
        status=status,
        reason=reason,
        transient=transient,
        provenance=Provenance(
            href=reader.address.public,
            driver="tiff",
            bytes=reader.spent.bytes if counted else 0,
            sha256=_hash_stored(layout, need, tiles),
            etag=layout.etag,
            attempts=reader.spent.attempts,
            from_cache=reader.spent.bytes == 0,
        ),
    )


def valid_pixels(array: NDArray[np.generic], *nodata: float | None) -> NDArray[np.bool_]:
    """True where a pixel is none of the values that mean "no data", nor NaN."""
    import numpy as np

    valid = ~np.isnan(array) if array.dtype.kind == "f" else np.ones(array.shape, np.bool_)
    for value in nodata:
        if value is not None and value == value:
            valid &= array != np.asarray(value).astype(array.dtype) if _fits(array.dtype, value) else True
    return np.asarray(valid, np.bool_)


def fill_of(dtype: np.dtype[Any], nodata: float | None) -> float:
    """Value of pixels that could not be read: nodata if the dtype holds it, else NaN for floats and 0 for integers."""
    if nodata is not None and _fits(dtype, nodata):
        return nodata
    return float("nan") if dtype.kind == "f" else 0.0


def _fits(dtype: np.dtype[Any], value: float) -> bool:
    import numpy as np

    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype)
    return value == int(value) and limits.min <= value <= limits.max if np.isfinite(value) else False


def _is_blank(layout: Layout, stored: Buffer | None) -> bool:
    """Nothing but zero bytes where no checksum tells them from a tile that was never written, or lost on the way."""
    import numpy as np

    return stored is not None and not layout.checked and not np.frombuffer(stored, np.uint8).any()


def _paste(
    layout: Layout,
    request: WindowRequest,
    place: tuple[int, int],
    tiles: Tiles,
    array: NDArray[np.generic],
    mask: NDArray[np.bool_],
) -> None:
    """Copy what a window and a tile share."""
    import numpy as np

    (th, tw), (rows, cols) = layout.tile, request.window
    top, left = place[0] * th, place[1] * tw
    r0, r1 = max(rows.start, top), min(rows.stop, top + th)
    c0, c1 = max(cols.start, left), min(cols.stop, left + tw)
    there = slice(r0 - top, r1 - top), slice(c0 - left, c1 - left)
    here = slice(r0 - rows.start, r1 - rows.start), slice(c0 - cols.start, c1 - cols.start)
    bands = bands_of(layout, request)
    pixels = [tiles.pixels[layout.segment(*place, band)][(*there, 0 if layout.planar else band - 1)] for band in bands]
    array[here] = pixels[0]
    mask[here] = np.asarray(pixels[1] != 0) if len(pixels) == 2 else True


def _judge(need: Sequence[int], holes: set[int], tiles: Tiles) -> tuple[Any, str, bool]:
    """Status, reason and whether it may pass, worst first: corrupt, missing, sparse."""
    faults = sorted((f for i in need if (f := tiles.faults.get(i))), key=lambda f: (f.status != "corrupt", f.reason))
    if faults:
        return faults[0].status, faults[0].reason, faults[0].transient
    if holes:
        return "missing", f"{len(holes)} of {len(need)} tiles of the window were never written", False
    return "ok", "", False


def _hash_stored(layout: Layout, need: Sequence[int], tiles: Tiles) -> str:
    """SHA-256 of the compressed tiles in the order of the file."""
    stored = [i for i in sorted(need, key=lambda i: layout.offsets[i]) if i in tiles.stored]
    if not stored:
        return ""
    digest = hashlib.sha256()
    for index in stored:
        digest.update(tiles.stored[index])
    return digest.hexdigest()
