"""Which band of an orthomosaic is which: said by the user, by the file's descriptions or by its colours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from geocollateral.errors import InvalidInput
from geocollateral.types import OPTICAL_BANDS

SYNONYMS: Mapping[str, str] = {
    "r": "red",
    "g": "green",
    "b": "blue",
    "n": "nir",
    "nearinfrared": "nir",
    "infrared": "nir",
    "ir": "nir",
    "rededge": "rededge071",
    "re": "rededge071",
    "coastalblue": "coastal",
}
"""How files and users call bands, letters only, besides their common names."""
SKIP = "_"
"""Stands for a band that has no name of ours."""


def parse_bands(text: str, count: int) -> dict[str, int]:
    """Common name to band number, counted from 1.

    Parameters
    ----------
    text
        Names in the file's order with ``+`` between, such as ``red+green+blue+nir``; ``_`` for a band to leave out.
        Bands after the last one named are left out.
    count
        Bands the file has.

    Raises
    ------
    InvalidInput
        A name is not known or given twice, none is given, or there are more names than bands.
    """
    names = [part.strip() for part in text.split("+")]
    if len(names) > count:
        raise InvalidInput(f"{len(names)} bands are named ({text}), the file has {count}.")
    found: dict[str, int] = {}
    for number, given in enumerate(names, start=1):
        if given == SKIP:
            continue
        name = _common_name(given)
        if name is None:
            raise InvalidInput(
                f"Band {given!r} is not known. Expected names such as red+green+blue+nir, {SKIP} for a band to leave "
                f"out; known: {', '.join(OPTICAL_BANDS)}."
            )
        if name in found:
            raise InvalidInput(f"Band {name!r} is named twice in {text!r}.")
        found[name] = number
    if not found:
        raise InvalidInput(f"No band is named in {text!r}.")
    return found


def find_bands(descriptions: Sequence[str | None], colours: Sequence[str]) -> dict[str, int]:
    """Common name to band number from what the file says of its bands; empty where it says nothing we know.

    Parameters
    ----------
    descriptions
        Text of each band, or None.
    colours
        Colour interpretation of each band in lower case, as GDAL calls it: ``red``, ``green``, ``blue``, ``gray`` ...
    """
    # 1. What is written of a band. 2. Its colour, if no band is described: software leaves "red" on whatever comes
    # first, but describes bands only where it knows them.
    for texts in (descriptions, colours):
        found: dict[str, int] = {}
        for number, text in enumerate(texts, start=1):
            name = _common_name(text or "")
            if name is not None:
                found.setdefault(name, number)
        if found:
            return found
    return {}


def _common_name(text: str) -> str | None:
    """The common name meant by ``Near-infrared``, ``Band 3: NIR (840 nm)``, ``RED`` ..."""
    plain = text.strip().lower()
    if plain in OPTICAL_BANDS:
        return plain
    plain = re.sub(r"\(.*?\)|^band\s*\d+\s*[:\-]?", "", plain)
    letters = re.sub(r"[^a-z]", "", plain)
    name = SYNONYMS.get(letters, letters)
    return name if name in OPTICAL_BANDS else None
