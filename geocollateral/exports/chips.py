"""Small dated pictures as PNG files."""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geocollateral.errors import BrokenData
from geocollateral.types import Chip

_LONGEST = 60
"""Of the part of a file name that comes from a parcel id."""


def chip_files(chips: Sequence[Chip]) -> dict[str, bytes]:
    """The PNG of each chip by file name."""
    return {name: encode_png(chip.rgb) for name, chip in zip(chip_names(chips), chips, strict=True)}


def chip_names(chips: Sequence[Chip]) -> list[str]:
    """A file name per chip, in order, safe on every file system: ``chips/<parcel_id>_<role>_<date>.png``."""
    folded = Counter(parcel_id.casefold() for parcel_id in {chip.parcel_id for chip in chips})
    names: list[str] = []
    for chip in chips:
        slug = safe_name(chip.parcel_id, distinct=folded[chip.parcel_id.casefold()] > 1)
        stem = f"chips/{slug}_{chip.role}_{chip.acquired.isoformat()}"
        # One parcel can have two breaks with the same last clear look before them.
        count = sum(name == f"{stem}.png" or name.startswith(f"{stem}-") for name in names)
        names.append(f"{stem}-{count + 1}.png" if count else f"{stem}.png")
    return names


def safe_name(text: str, *, distinct: bool = False) -> str:
    """``text`` as part of a file name.

    Anything but ASCII letters, digits, ``.``, ``_`` and ``-`` becomes ``_``. Where that loses
    something, or ``distinct`` asks for it, eight digits of the text's SHA-256 keep two texts apart.
    """
    slug = re.sub(r"[^A-Za-z0-9._-]", "_", text)[:_LONGEST].lstrip(".-")
    if slug == text and slug and not distinct:
        return slug
    return f"{slug}_{hashlib.sha256(text.encode()).hexdigest()[:8]}".lstrip("._-")


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """PNG of an image, without a date or a georeference: the same picture gives the same bytes.

    Parameters
    ----------
    image
        Shape (height, width, 3) for red, green, blue, or (height, width, 4) with opacity; 0-255.
    """
    if image.ndim != 3 or image.shape[2] not in (3, 4) or image.dtype != np.uint8 or 0 in image.shape:
        raise BrokenData(f"expected uint8 (height, width, 3 or 4) with pixels, got {image.dtype} {image.shape}")
    sink = io.BytesIO()
    Image.fromarray(image).save(sink, format="PNG", optimize=True)
    return sink.getvalue()
