"""Tiles and strips of TIFF files: bytes in, pixels out, or a reason why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geocollateral.sources.raster.layout import PLAIN_CODECS, Layout
from geocollateral.sources.raster.request import Undecodable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Buffer = bytes | memoryview


def is_hole(layout: Layout, index: int) -> bool:
    """Tell whether the file does not hold a tile: GDAL leaves such tiles when it is killed, and for ``SPARSE_OK``."""
    return layout.offsets[index] == 0 or layout.counts[index] == 0


def segment_shape(layout: Layout, index: int) -> tuple[int, int, int]:
    """Rows, columns and samples that a tile or strip holds; tiles are whole at the image's edge, strips are not."""
    rows, cols = layout.tile
    if not layout.page.is_tiled:
        per_plane = layout.grid[0]
        rows = min(rows, layout.shape[0] - (index % per_plane) * rows)
    return rows, cols, 1 if layout.planar else layout.samples


def decode(layout: Layout, index: int, data: Buffer) -> NDArray[np.generic]:
    """Pixels of a tile or strip, shape (rows, cols, samples).

    Raises
    ------
    Undecodable
        The bytes are not that tile: checksum, size or syntax is wrong.
    """
    shape = segment_shape(layout, index)
    try:
        whole_bytes = layout.page.bitspersample == layout.dtype.itemsize * 8 and layout.page.fillorder == 1
        if layout.compression in PLAIN_CODECS and whole_bytes:
            return _decode_plain(layout, data, shape)
        return _decode_other(layout, index, data, shape)
    except Undecodable:
        raise
    except Exception as exc:  # each codec has an error of its own
        raise Undecodable(f"tile {index} cannot be decoded: {str(exc).splitlines()[:1] or type(exc).__name__}") from exc


def _decode_plain(layout: Layout, data: Buffer, shape: tuple[int, int, int]) -> NDArray[np.generic]:
    """As tifffile does it, but a tile that is a byte short is an error, not padded with zeros."""
    import numpy as np
    import tifffile

    size = shape[0] * shape[1] * shape[2] * layout.dtype.itemsize
    raw: Any = data
    if layout.compression != 1:
        raw = tifffile.TIFF.DECOMPRESSORS[layout.compression](data, out=size)
    if len(raw) != size:
        raise Undecodable(f"a tile of {size} bytes has {len(raw)}")
    order = layout.page.parent.byteorder
    if layout.predictor == 3:
        stored = np.frombuffer(raw, layout.dtype.newbyteorder("=")).reshape(shape)
        return np.asarray(tifffile.TIFF.UNPREDICTORS[3](stored, axis=-2))
    pixels = np.frombuffer(raw, layout.dtype.newbyteorder(order)).reshape(shape)
    pixels = pixels.astype(layout.dtype.newbyteorder("="), copy=False)
    if layout.predictor == 1:
        return pixels
    if layout.predictor != 2:
        raise Undecodable(f"predictor {layout.predictor} is not known")
    return np.asarray(tifffile.TIFF.UNPREDICTORS[2](pixels, axis=-2))


def _decode_other(layout: Layout, index: int, data: Buffer, shape: tuple[int, int, int]) -> NDArray[np.generic]:
    import numpy as np

    more: dict[str, Any] = {}
    if layout.compression == 7:
        more = {"jpegtables": layout.page.jpegtables, "jpegheader": layout.page.jpegheader}
    decoded, _, _ = layout.page.decode(bytes(data), index, **more)
    if decoded is None:
        raise Undecodable(f"tile {index} holds nothing")
    pixels = np.asarray(decoded)[0]
    whole = np.zeros(shape, layout.dtype.newbyteorder("="))
    if pixels.shape[2] != shape[2] or pixels.shape[0] > shape[0] or pixels.shape[1] > shape[1]:
        raise Undecodable(f"tile {index} has shape {pixels.shape}, expected {shape}")
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    return whole
