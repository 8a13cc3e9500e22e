"""Angles as people write them: decimal, or degrees, minutes and seconds, with or without a hemisphere.

``116°23'29.5"E, 39°54'20"N``, ``东经116度23分29.5秒 北纬39度54分20秒``, ``N39 54 20 E116 23 29``,
``116.3915 39.9056``
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Axis = Literal["lon", "lat"]

_WORDS = (
    ("东经", " E "), ("東經", " E "), ("西经", " W "), ("西經", " W "),
    ("北纬", " N "), ("北緯", " N "), ("南纬", " S "), ("南緯", " S "),
    ("经度", " lon "), ("經度", " lon "), ("纬度", " lat "), ("緯度", " lat "), ("longitude", " lon "),
    ("latitude", " lat "), ("lng", " lon "), ("lon", " lon "), ("lat", " lat "),
)  # fmt: skip
_SIGNS = str.maketrans({
    "º": "°", "˚": "°", "度": "°",
    "′": "'", "’": "'", "‘": "'", "＇": "'", "分": "'",
    "″": '"', "”": '"', "“": '"', "＂": '"', "秒": '"',
    "−": "-", "–": "-", "、": ",",
})  # fmt: skip
_LETTER_SIGNS = ((r"(?<=\d)d(?![A-Za-z])", "°"), (r"(?<=\d)m(?![A-Za-z])", "'"), (r"(?<=\d)s(?=$|[\s,;NSEW])", '"'))
_COLONS = re.compile(r"(?<!\d)(\d{1,3}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)(?!\d)")
_PUNCTUATION = frozenset(",;:()[]=")
_DEGREE = frozenset("°")
_SCIENTIFIC = re.compile(r"\d[eE][-+]?\d")
_TOKEN = re.compile(r"""\s*(lon|lat|[NSEWnsew](?![A-Za-z])|[-+]?\d+(?:\.\d+)?|[°'"]|[,;:()\[\]=])""")
_HEMISPHERES: dict[str, tuple[Axis, int]] = {"N": ("lat", 1), "S": ("lat", -1), "E": ("lon", 1), "W": ("lon", -1)}
_LABELS: dict[str, Axis] = {"lon": "lon", "lat": "lat"}


class AngleFault(ValueError):
    """Why a text is no angle."""


@dataclass(frozen=True, kw_only=True)
class Angle:
    """One angle [degrees] and the axis it names, if any."""

    value: float
    axis: Axis | None = None


def parse_angle(text: str) -> Angle:
    """One angle.

    Raises
    ------
    AngleFault
        The text is not exactly one angle.
    """
    angles = parse_angles(text)
    if len(angles) != 1:
        raise AngleFault(f"expected one angle such as 116.3915 or 116°23'29.5\"E, got {text!r:.60}")
    return angles[0]


def parse_angles(text: str) -> list[Angle]:
    """All angles of a text, in their order.

    Raises
    ------
    AngleFault
        There is something else than angles in it, or one of them is none.
    """
    tokens = _tokenise(text)
    shown = f"{text.strip()!r:.60}"
    if not any(token in _LABELS for token in tokens):
        return [_angle(part, shown) for part in _split_unlabelled(tokens, shown)]
    if _bare(tokens)[0] not in _LABELS:
        raise AngleFault(f"expected a name before every coordinate, got {shown}")
    angles = []
    for part in _split_before(tokens, lambda token: token in _LABELS):
        label, found = _LABELS[part[0]], [_angle(each, shown) for each in _split_unlabelled(part[1:], shown)]
        if len(found) != 1 or found[0].axis not in (None, label):
            raise AngleFault(f"expected one angle after every name of a coordinate, got {shown}")
        angles.append(_in_range(Angle(value=found[0].value, axis=label), shown))
    return angles


def _tokenise(text: str) -> list[str]:
    plain = text
    for word, sign in _WORDS:
        plain = re.sub(word, sign, plain, flags=re.IGNORECASE)
    plain = unicodedata.normalize("NFKC", plain.translate(_SIGNS)).replace("''", '"').strip()
    for letter, sign in _LETTER_SIGNS:
        plain = re.sub(letter, sign, plain)
    plain = _COLONS.sub("\\1°\\2'\\3\"", plain)
    tokens: list[str] = []
    place = len(plain) if _SCIENTIFIC.search(plain) else 0
    while place < len(plain):
        found = _TOKEN.match(plain, place)
        if found is None:
            break
        tokens.append(found[1].upper() if found[1] in "nsew" else found[1])
        place = found.end()
    if place < len(plain) or not _bare(tokens):
        raise AngleFault(f"expected coordinates, got {text.strip()!r:.60}")
    return tokens


def _bare(tokens: Sequence[str]) -> list[str]:
    return [token for token in tokens if token not in _PUNCTUATION]


def _split_unlabelled(tokens: Sequence[str], shown: str) -> list[list[str]]:
    """One list of tokens for each angle."""
    bare = _bare(tokens)
    if not bare:
        raise AngleFault(f"expected a number beside every hemisphere, got {shown}")
    if any(token in _HEMISPHERES for token in bare):
        if bare[0] in _HEMISPHERES:
            parts = _split_before(tokens, lambda token: token in _HEMISPHERES)
        else:
            parts = [part[::-1] for part in _split_before(tokens[::-1], lambda token: token in _HEMISPHERES)][::-1]
    elif "°" in bare:
        starts = {n for n, token in enumerate(tokens[1:]) if token in _DEGREE}
        parts = [[]]
        for place, token in enumerate(tokens):
            if place in starts:
                parts.append([])
            parts[-1].append(token)
    else:
        return [[token] for token in bare]
    return [part for part in parts if _bare(part)]


def _split_before(tokens: Sequence[str], is_start: Callable[[str], bool]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if is_start(token):
            parts.append([])
        parts[-1].append(token)
    return [part for part in parts if _bare(part)]


def _angle(part: Sequence[str], shown: str) -> Angle:
    """Angle of the tokens of one angle."""
    while part and part[-1] in _PUNCTUATION:
        part = part[:-1]
    while part and part[0] in _PUNCTUATION:
        part = part[1:]
    signs = [token for token in part if token in _HEMISPHERES]
    inner = [token for token in part if token not in _HEMISPHERES]
    while inner and inner[0] in ":=":
        inner = inner[1:]
    numbers = [token for token in inner if token[-1].isdigit()]
    if not numbers or len(numbers) > 3 or len(signs) > 1 or not _has_right_units(inner):
        raise AngleFault(f"expected degrees, minutes and seconds with their signs in order, got {shown}")
    if any(number[0] in "+-" for number in numbers[1:]) or (signs and numbers[0][0] in "+-"):
        raise AngleFault(f"expected one sign or one hemisphere for each angle, got {shown}")
    if any("." in number for number in numbers[:-1]):
        raise AngleFault(f"expected a decimal point in the last number of an angle only, got {shown}")
    values = [float(number) for number in numbers]
    if any(value >= 60 for value in values[1:]):
        raise AngleFault(f"expected minutes and seconds from 0 to below 60, got {shown}")
    size = sum(abs(value) / 60**power for power, value in enumerate(values))
    axis, sign = _HEMISPHERES[signs[0]] if signs else (None, -1 if numbers[0].startswith("-") else 1)
    angle = Angle(value=sign * size, axis=axis)
    # A bare number may be metres of a grid: what it is measured in is not for the reader to say.
    return angle if axis is None and len(inner) == 1 else _in_range(angle, shown)


def _has_right_units(tokens: Sequence[str]) -> bool:
    """Whether numbers stand alone, or with their signs in order; the sign of the last may be left out."""
    text = "".join("1" if token[-1].isdigit() else token for token in tokens)
    return re.fullmatch(r"""1{1,3}|1°|1°1'?|1°1'1"?""", text) is not None


def _in_range(angle: Angle, shown: str) -> Angle:
    if abs(angle.value) > (90 if angle.axis == "lat" else 180):
        raise AngleFault(f"expected longitude -180..180 and latitude -90..90, got {angle.value:g} in {shown}")
    return angle
