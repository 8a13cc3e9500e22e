"""Imagery in, one file per source.

A new source is one file in this folder that enters its opener in `SOURCES`; nothing else has to know of it.
"""

from __future__ import annotations

import importlib
import pkgutil

from geocollateral.errors import InvalidInput
from geocollateral.sources.schemes import SOURCES
from geocollateral.types import Source

__all__ = ["SOURCES", "open_source"]

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")


def open_source(spec: str, **options: object) -> Source:
    """Source named by ``SCHEME:WHAT``, looked at once so that a wrong name or file is told before any work starts.

    Parameters
    ----------
    spec
        For instance ``sample:romania`` or ``cube:FILE``.
    **options
        Options of the source, such as ``scale``, ``offset`` and ``crs`` of ``cube``. None counts as not given.

    Raises
    ------
    InvalidInput
        The scheme, an option or the content is wrong.
    MissingInput
        What the spec names does not exist.
    BrokenData
        A file is corrupt.
    """
    scheme, colon, rest = spec.partition(":")
    if not colon or not rest:
        raise InvalidInput(
            f"A source is written SCHEME:WHAT, such as sample:romania or cube:FILE; got {spec!r}. "
            f"Known schemes: {', '.join(SOURCES)}."
        )
    return SOURCES[scheme](rest, options)
