"""Imagery in, one file per source.

A new source is one file in this folder that enters its opener in `SOURCES`; nothing else has to know of it.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from geocollateral.errors import InvalidInput
from geocollateral.sources.raster.access import AccessParams
from geocollateral.sources.schemes import CHECKS, SOURCES, SourceRequest
from geocollateral.sources.schemes import TITLES as SOURCE_TITLES
from geocollateral.types import Source, SourceCheck

__all__ = ["SOURCES", "SOURCE_TITLES", "check_source", "open_source"]

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")


def open_source(spec: str, access: AccessParams | None = None, **options: object) -> Source:
    """Source named by ``SCHEME:WHAT``, by a bare name, or by the path of a STAC catalogue on disk.

    Parameters
    ----------
    spec
        For instance ``sample:romania``, ``cube:FILE``, ``earth-search``, ``stac:URL#COLLECTION`` or ``./catalogue``.
    access
        How services are reached.
    **options
        Options of the source, such as ``scale``, ``offset`` and ``crs`` of ``cube``. None counts as not given.

    Raises
    ------
    InvalidInput
        The scheme, an option or the content is wrong.
    MissingInput
        What the spec names does not exist.
    ServiceUnavailable
        A service does not answer.
    BrokenData
        A file is corrupt.
    """
    scheme, what = _split(spec)
    return SOURCES[scheme](SourceRequest(what=what, options=options, access=access or AccessParams()))


def check_source(spec: str, access: AccessParams | None = None) -> list[SourceCheck]:
    """What can be said of a source without reading imagery: reachable, credentials, collections, each with advice.

    Raises
    ------
    InvalidInput
        There is no such source.
    """
    scheme, what = _split(spec)
    if scheme not in CHECKS:
        SOURCES[scheme]  # a wrong name is told
        return []
    return CHECKS[scheme](SourceRequest(what=what, access=access or AccessParams()))


def _split(spec: str) -> tuple[str, str]:
    # 1. A known scheme before a colon. 2. A known bare name. 3. A path that is there.
    scheme, colon, rest = spec.partition(":")
    if colon and rest and scheme in SOURCES:
        return scheme, rest
    if spec in SOURCES and spec in BARE_NAMES:
        return spec, ""
    if spec and Path(spec).exists() and "stac" in SOURCES:
        return "stac", spec
    if colon and rest and "/" not in scheme:
        raise InvalidInput(SOURCES.explain_unknown(scheme))
    raise InvalidInput(
        f"A source is written SCHEME:WHAT, such as sample:romania or cube:FILE, or is the name of a service or the "
        f"path of a STAC catalogue that exists; got {spec!r}. Known: {', '.join(SOURCES)}."
    )


BARE_NAMES = frozenset({"earth-search", "planetary-computer", "cdse", "sentinelhub"})
"""Sources that need nothing after their name."""
