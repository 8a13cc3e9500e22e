"""The only file of the intake that touches the disk."""

from __future__ import annotations

from pathlib import Path

from geocollateral.errors import InvalidInput, MissingInput, ServiceUnavailable
from geocollateral.intake.geojson import MAX_BYTES
from geocollateral.intake.parcels import parse_parcels
from geocollateral.types import AreaOfInterest


def read_parcels(path: str | Path, *, datum: str = "wgs84") -> AreaOfInterest:
    """Parcels of a GeoJSON file, checked.

    Parameters
    ----------
    path
        GeoJSON (RFC 7946), at most 50 MB. See ``aoi/README.md`` for the columns.
    datum
        What the coordinates are measured in: ``wgs84``, or ``cgcs2000``, which is taken as WGS 84 and noted.

    Raises
    ------
    MissingInput
        There is no such file.
    InvalidInput
        The file is not what is expected. The message lists every fault; no part of a faulty file is accepted.
    ServiceUnavailable
        The file is there but cannot be read.
    """
    path = Path(path)
    return parse_parcels(read_bytes(path), name=path.name, datum=datum)


def read_bytes(path: Path) -> bytes:
    """Content of a file that is not too large.

    Raises
    ------
    MissingInput, InvalidInput, ServiceUnavailable
        As `read_parcels`.
    """
    try:
        if path.exists() and not path.is_file():
            raise InvalidInput(f"Expected a GeoJSON file, got {path}, which is not a file.")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as exc:
        raise MissingInput(f"There is no file {path}.") from exc
    except (OSError, ValueError) as exc:
        raise ServiceUnavailable(f"{path!s} cannot be read: {getattr(exc, 'strerror', None) or exc}.") from exc
    if len(content) > MAX_BYTES:
        raise InvalidInput(
            f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB. Split the pledge into several files, or thin out "
            f"the vertices."
        )
    return content
