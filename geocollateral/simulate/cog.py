"""Cloud-optimised GeoTIFFs of one band: directories first, then overviews, then the full image, in tiles.

A small writer of our own, because a world has tens of thousands of files: a general writer takes several times as long
for each, and puts the directories where a reader needs one more request to find them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Resampling = Literal["average", "nearest"]
_ASCII, _SHORT, _LONG, _DOUBLE = 2, 3, 4, 12
_FORMATS = {_ASCII: "s", _SHORT: "H", _LONG: "I", _DOUBLE: "d"}
_DEFLATE = 8
_HORIZONTAL, _FLOATING = 2, 3


@dataclass(frozen=True, kw_only=True)
class Georeference:
    """Where an image lies."""

    epsg: int
    left: float
    top: float
    pixel_m: float


def encode_cog(
    image: NDArray[np.generic], where: Georeference, *, nodata: float, tile: int, resampling: Resampling
) -> bytes:
    """The bytes of a cloud-optimised GeoTIFF.

    Parameters
    ----------
    image
        Shape (rows, columns); uint8, uint16 or float32.
    nodata
        Stored in the tag of GDAL, left out of averages, and used to fill the last tiles.
    tile
        Pixels a side of a tile: a multiple of 16.
    resampling
        How overviews are made: ``nearest`` for classes.
    """
    levels = [image]
    while max(levels[-1].shape) > tile:
        levels.append(_halve(levels[-1], nodata, resampling))
    encoded = [_tiles(level, nodata, tile) for level in levels]
    directories = [_tags(level, n, where, nodata, tile) for n, level in enumerate(levels)]
    # Two rounds: offsets of tiles are only known once the length of all directories is.
    sizes = [
        len(_directory(tags, [0] * len(parts), parts, 0, 0)) for tags, parts in zip(directories, encoded, strict=True)
    ]
    position = 8 + sum(sizes)
    offsets: list[list[int]] = [[] for _ in levels]
    body = []
    for n in reversed(range(len(levels))):
        for part in encoded[n]:
            offsets[n].append(position)
            body.append(part)
            position += len(part)
    out = [struct.pack("<2sHI", b"II", 42, 8)]
    start = 8
    for n, (tags, parts) in enumerate(zip(directories, encoded, strict=True)):
        following = start + sizes[n] if n + 1 < len(levels) else 0
        out.append(_directory(tags, offsets[n], parts, start, following))
        start += sizes[n]
    return b"".join([*out, *body])


def write_cog(path: Path, image: NDArray[np.generic], where: Georeference, *, nodata: float, tile: int) -> None:
    """Write one band; classes (uint8) get nearest-neighbour overviews."""
    resampling: Resampling = "nearest" if image.dtype == np.uint8 else "average"
    path.write_bytes(encode_cog(image, where, nodata=nodata, tile=tile, resampling=resampling))


def _halve(image: NDArray[np.generic], nodata: float, resampling: Resampling) -> NDArray[np.generic]:
    rows, columns = image.shape
    even = np.pad(image, ((0, rows % 2), (0, columns % 2)), mode="edge")
    if resampling == "nearest":
        return np.ascontiguousarray(even[::2, ::2])
    parts = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).astype(np.float64)
    valid = parts != nodata
    count = valid.sum(axis=(1, 3))
    mean = np.where(valid, parts, 0).sum(axis=(1, 3)) / np.maximum(count, 1)
    mean = np.rint(mean) if image.dtype.kind == "u" else mean
    return np.where(count > 0, mean, nodata).astype(image.dtype)


def _tiles(image: NDArray[np.generic], nodata: float, tile: int) -> list[bytes]:
    """Compressed tiles, row by row, filled up with nodata at the right and lower edge."""
    import imagecodecs

    rows, columns = image.shape
    full = np.full((-(-rows // tile) * tile, -(-columns // tile) * tile), nodata, dtype=image.dtype)
    full[:rows, :columns] = image
    found = []
    for top in range(0, full.shape[0], tile):
        for left in range(0, full.shape[1], tile):
            part = np.ascontiguousarray(full[top : top + tile, left : left + tile])
            if part.dtype.kind == "u":
                part[:, 1:] = part[:, 1:] - part[:, :-1]  # the right side is made before it is stored
                data = part.tobytes()
            else:
                data = bytes(imagecodecs.floatpred_encode(part, axis=-1).tobytes())
            found.append(bytes(imagecodecs.deflate_encode(data, level=1)))
    return found


def _tags(
    image: NDArray[np.generic], level: int, where: Georeference, nodata: float, tile: int
) -> list[tuple[int, int, Sequence[float] | bytes]]:
    rows, columns = image.shape
    floating = image.dtype.kind == "f"
    tags: list[tuple[int, int, Sequence[float] | bytes]] = [
        (254, _LONG, [1 if level else 0]),
        (256, _LONG, [columns]),
        (257, _LONG, [rows]),
        (258, _SHORT, [image.dtype.itemsize * 8]),
        (259, _SHORT, [_DEFLATE]),
        (262, _SHORT, [1]),
        (277, _SHORT, [1]),
        (284, _SHORT, [1]),
        (317, _SHORT, [_FLOATING if floating else _HORIZONTAL]),
        (322, _LONG, [tile]),
        (323, _LONG, [tile]),
        (339, _SHORT, [3 if floating else 1]),
    ]
    if level == 0:
        keys = [1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, where.epsg, 3076, 0, 1, 9001]
        tags += [
            (33550, _DOUBLE, [where.pixel_m, where.pixel_m, 0.0]),
            (33922, _DOUBLE, [0.0, 0.0, 0.0, where.left, where.top, 0.0]),
            (34735, _SHORT, keys),
        ]
    return [*tags, (42113, _ASCII, f"{nodata:g}\0".encode())]


def _directory(
    tags: Sequence[tuple[int, int, Sequence[float] | bytes]],
    offsets: Sequence[int],
    parts: Sequence[bytes],
    start: int,
    following: int,
) -> bytes:
    """One image file directory with the values that do not fit into it right behind."""
    every = sorted([*tags, (324, _LONG, offsets), (325, _LONG, [len(part) for part in parts])], key=lambda tag: tag[0])
    behind = start + 2 + 12 * len(every) + 4
    entries, values = [], b""
    for number, kind, value in every:
        data = value if isinstance(value, bytes) else struct.pack(f"<{len(value)}{_FORMATS[kind]}", *value)
        if len(data) <= 4:
            entries.append(struct.pack("<HHI4s", number, kind, len(value), data))
        else:
            entries.append(struct.pack("<HHII", number, kind, len(value), behind + len(values)))
            values += data + b"\0" * (len(data) % 2)
    return struct.pack("<H", len(every)) + b"".join(entries) + struct.pack("<I", following) + values
