"""Open local NetCDF and Zarr files, whatever their names, and say plainly what is wrong with them."""

from __future__ import annotations

import hashlib
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore, ZipStore

from geocollateral.errors import BrokenData, InvalidInput, MissingInput, ServiceUnavailable

READ_FAULTS = (OSError, RuntimeError, ValueError, EOFError, zlib.error, zipfile.BadZipFile)
"""What the codecs of HDF5 and Zarr raise on chunks that cannot be decoded."""

ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata")


def detect_format(path: Path) -> str:
    """``h5netcdf``, ``scipy`` (NetCDF 3), ``zarr`` or ``zarr.zip``, told from the content.

    Raises
    ------
    MissingInput
        There is no such file or folder.
    InvalidInput
        It is neither NetCDF nor Zarr.
    BrokenData
        It is empty.
    ServiceUnavailable
        It cannot be opened.
    """
    if path.is_dir():
        if any((path / mark).is_file() for mark in ZARR_MARKS):
            return "zarr"
        raise InvalidInput(f"Expected a NetCDF file or a Zarr store, got the folder {path} without {ZARR_MARKS}.")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError as exc:
        raise MissingInput(f"There is no file {path}.") from exc
    except OSError as exc:
        raise ServiceUnavailable(f"{path} cannot be opened: {exc.strerror}.") from exc
    if not head:
        raise BrokenData(f"{path} is empty. Was its writing broken off?")
    if head == b"\x89HDF\r\n\x1a\n":
        return "h5netcdf"
    if head[:4] in (b"CDF\x01", b"CDF\x02"):
        return "scipy"
    if head[:4] == b"PK\x03\x04":
        return "zarr.zip"
    raise InvalidInput(
        f"Expected NetCDF (3 or 4) or Zarr (a folder or .zarr.zip), got {path.name} that starts with {head!r}."
    )


@contextmanager
def open_dataset(path: Path) -> Iterator[xr.Dataset]:
    """A lazily read dataset of digital numbers: times decoded, scale and nodata left in ``attrs``.

    Every call opens the file anew and closes it at the end, so threads never share a handle.

    Raises
    ------
    BrokenData
        The file is truncated or corrupt.
    InvalidInput, MissingInput, ServiceUnavailable
        As in `detect_format`.
    """
    form = detect_format(path)
    store: ZipStore | None = None
    try:
        if form == "zarr.zip":
            zipfile.ZipFile(path).close()  # a store that failed to open cannot be closed: look first
            store = ZipStore(path, mode="r")
            dataset = xr.open_zarr(store, chunks=None, mask_and_scale=False, consolidated=False)
        elif form == "zarr":
            dataset = xr.open_zarr(path, chunks=None, mask_and_scale=False, consolidated=False)
        else:
            dataset = xr.open_dataset(path, engine=form, mask_and_scale=False, cache=False)
    except (*READ_FAULTS, KeyError, TypeError, AttributeError) as exc:
        if store is not None:
            store.close()
        raise BrokenData(
            f"{path.name} cannot be read as {form}: {_first_line(exc)}. It is truncated, corrupt or not a cube."
        ) from exc
    try:
        yield dataset
    finally:
        dataset.close()
        if store is not None:
            store.close()


@dataclass(frozen=True, kw_only=True)
class ChunkMap:
    """Which chunks of a Zarr array were ever written. Zarr reads the others as its fill value, without a word."""

    shape: tuple[int, ...]
    """Of one stored chunk (or shard), in the order of the array's dimensions."""
    written: NDArray[np.bool_]
    """True where the chunk exists; one axis per dimension."""


def map_chunks(path: Path, variable: str, nodata: float) -> ChunkMap | None:
    """Chunks of a variable of a Zarr store; None where it is no Zarr, or where absent chunks read as nodata anyway."""
    form = detect_format(path)
    if not form.startswith("zarr"):
        return None
    store = ZipStore(path, mode="r") if form == "zarr.zip" else LocalStore(path, read_only=True)
    try:
        array = zarr.open_array(store, path=variable, mode="r")
        fill = array.fill_value
        if fill is not None and (float(fill) == nodata or (math.isnan(float(fill)) and math.isnan(nodata))):
            return None
        shape = tuple(array.shards or array.chunks)
        counts = tuple(-(-size // step) for size, step in zip(array.shape, shape, strict=True))
        names = _list_names(path, variable)
        written = np.zeros(counts, dtype=np.bool_)
        for place in np.ndindex(counts):
            written[place] = array.metadata.encode_chunk_key(place) in names
    finally:
        store.close()
    return ChunkMap(shape=shape, written=written)


def _list_names(path: Path, variable: str) -> set[str]:
    """Names of the files of a Zarr array, relative to it."""
    if path.is_dir():
        root = path / variable
        return {file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()}
    with zipfile.ZipFile(path) as archive:
        return {name.removeprefix(f"{variable}/") for name in archive.namelist() if name.startswith(f"{variable}/")}


def hash_files(path: Path) -> Mapping[str, str]:
    """SHA-256 by name: of a file, or of a folder's sorted list of files with their own SHA-256."""
    if path.is_file():
        return {path.name: _hash_file(path)}
    listing = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        listing.update(f"{_hash_file(file)}  {file.relative_to(path).as_posix()}\n".encode())
    return {path.name: listing.hexdigest()}


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0][:200]
