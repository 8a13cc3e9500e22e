"""Imagery sources by scheme: what stands before the colon of ``--source``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from geocollateral.errors import InvalidInput
from geocollateral.registry import Registry
from geocollateral.sources.raster.access import AccessParams
from geocollateral.types import Params, Source, SourceCheck


@dataclass(frozen=True, kw_only=True)
class SourceRequest:
    """What a user asked for when naming a source."""

    what: str
    """What stands after the scheme and its colon; ``""`` for a bare name."""
    options: Mapping[str, object] = field(default_factory=dict)
    access: AccessParams = field(default_factory=AccessParams)


Opener = Callable[[SourceRequest], Source]
"""Returns a source that has been looked at once, so that a wrong name is told before any work starts."""

SOURCES: Registry[Opener] = Registry("imagery source")

Checker = Callable[[SourceRequest], list[SourceCheck]]
CHECKS: Registry[Checker] = Registry("imagery source with a check")
"""By scheme: what `geocollateral sources` looks at. A check never raises for what it looks at; it says so."""

P = TypeVar("P", bound=Params)


def parse_options(model: type[P], options: Mapping[str, object], scheme: str) -> P:
    """Options of a source as its parameter object; options that are None count as not given.

    Raises
    ------
    InvalidInput
        An option is not known to the source, or its value is out of bounds.
    """
    given = {name: value for name, value in options.items() if value is not None}
    unknown = sorted(set(given) - set(model.model_fields))
    if unknown:
        known = ", ".join(model.model_fields) or "none"
        raise InvalidInput(f"Source {scheme!r} has no option {', '.join(unknown)}. Its options: {known}.")
    try:
        return model.model_validate(given)
    except ValidationError as exc:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}={e['input']!r}: {e['msg']}" for e in exc.errors())
        raise InvalidInput(f"Options of source {scheme!r} are wrong: {faults}") from exc


TITLES: Mapping[str, str] = {
    "sample": "sample:romania, a real Sentinel-2 series carried by a package",
    "cube": "cube:FILE, a NetCDF or Zarr cube on disk",
    "stac": "stac:URL#COLLECTION, a STAC API or catalogue; or the path of a catalogue on disk",
    "earth-search": "Sentinel-2 L2A on AWS, free, no account",
    "planetary-computer": "Sentinel-2 L2A and Sentinel-1 RTC, free, signed anonymously",
    "cdse": "Copernicus Data Space, Sentinel-2 L2A from its S3 store; needs an account",
    "sentinelhub": "Sentinel Hub, commercial or CDSE deployment; needs an account, counts processing units",
    "ortho": "ortho:FILE, a user's drone or aerial orthomosaic",
}
"""What a list of sources says of each."""
