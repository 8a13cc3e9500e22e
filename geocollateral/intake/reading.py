"""The only file of the intake that opens a path: the one the caller gave. What is in the file never names another."""

from __future__ import annotations

import hashlib
from pathlib import Path

from geocollateral.errors import InvalidInput, MissingInput, ServiceUnavailable
from geocollateral.intake.features import MAX_BYTES, Reading
from geocollateral.intake.parcels import IntakeParams, check_parcels
from geocollateral.intake.sandbox.runner import read_in_child
from geocollateral.types import AreaOfInterest


def read_parcels(path: str | Path, *, datum: str | None = None, params: IntakeParams | None = None) -> AreaOfInterest:
    """Parcels of a file, checked.

    Parameters
    ----------
    path
        GeoJSON, zipped shapefile, KML, KMZ, GeoPackage, CSV or a text of coordinates, at most 50 MB. See
        ``docs/intake.md`` for the formats and ``aoi/README.md`` for the columns.
    datum
        What the coordinates are measured in (docs/datums.md); None where it was not asked, which is refused for parcels
        in China unless the file declares another reference system than WGS 84.
    params
        Knobs of the intake.

    Raises
    ------
    MissingInput
        There is no such file.
    InvalidInput
        The file is not what is expected. The message lists every fault; no part of a faulty file is accepted.
    ServiceUnavailable
        The file is there but cannot be read.
    BrokenData
        Reading it failed by a defect of ours, or was stopped.
    """
    path = Path(path)
    return read_content(read_bytes(path), name=path.name, datum=datum, params=params)


def read_content(
    content: bytes, *, name: str, datum: str | None = None, params: IntakeParams | None = None
) -> AreaOfInterest:
    """Parcels of the bytes of a file, such as an upload, checked as `read_parcels` does.

    Parameters
    ----------
    content
        Bytes of the file, at most 50 MB.
    name
        Of the file; its ending says the format. It is only shown, never opened.
    datum, params
        As for `read_parcels`.

    Raises
    ------
    InvalidInput, ServiceUnavailable, BrokenData
        As for `read_parcels`.
    """
    reading, sha256 = read_features(content, name)
    return check_parcels(reading, name=shown_name(name), datum=datum, sha256=sha256, params=params)


def read_features(content: bytes, name: str) -> tuple[Reading, str]:
    """Features of the bytes of a file as they stand in it, read by a process of its own; and the digest of the bytes.

    Raises
    ------
    InvalidInput, ServiceUnavailable, BrokenData
        As for `read_parcels`.
    """
    shown = shown_name(name)
    if len(content) > MAX_BYTES:
        raise InvalidInput(
            f"{shown} is larger than {MAX_BYTES // 1_000_000} MB. Split the pledge into several files, or thin out the "
            f"vertices."
        )
    return read_in_child(content, shown), hashlib.sha256(content).hexdigest()


def shown_name(name: str) -> str:
    """The last part of a name, as it may stand in a message."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c if c.isprintable() else "\ufffd" for c in last)[-120:] or "the file"


def read_bytes(path: Path) -> bytes:
    """Content of a file, up to one byte more than is read of any.

    Raises
    ------
    MissingInput, InvalidInput, ServiceUnavailable
        As `read_parcels`.
    """
    try:
        if path.exists() and not path.is_file():
            raise InvalidInput(f"Expected a file of parcels, got {path}, which is not a file.")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as exc:
        raise MissingInput(f"There is no file {path}.") from exc
    except (OSError, ValueError) as exc:
        raise ServiceUnavailable(f"{path!s} cannot be read: {getattr(exc, 'strerror', None) or exc}.") from exc
