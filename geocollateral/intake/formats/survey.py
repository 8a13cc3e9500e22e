"""Text of corners as land surveys of China hand it over: sections ``[属性描述]`` and ``[地块坐标]``.

Lines ``name=value`` say datum, zone and unit. Then each parcel has a line of its facts that ends in ``@``
(corners, area, number, name, kind, sheet, use, class of land ...) and a line for each corner: its number, its ring,
northing, easting.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import Feature, Note, Reading, refuse_all, require_some
from geocollateral.intake.formats.shapefile import group_rings, signed_area
from geocollateral.intake.formats.texts import decode, parse_number
from geocollateral.intake.headings import is_known, understand

HEAD, PARCELS = "属性描述", "地块坐标"
FACTS = ("界址点数", "地块面积", "地块编号", "地块名称", "图形属性", "图幅号", "地块用途", "地类编码")
"""Facts of a parcel in their order; further ones are numbered."""
MAX_LINES = 500_000
UNITS: Mapping[str, float] = {"公顷": 1e4, "平方米": 1.0, "亩": 2000 / 3}
"""Units of area [m2]; the format means the first, files hold all three."""
AGREES = 0.02
"""The area stated and the area drawn are of one unit where they differ by less [1]."""

_SECTION = re.compile(r"\s*\[\s*([^\[\]]{1,20}?)\s*\]\s*")
_DATUMS: tuple[tuple[str, str, int, int], ...] = (
    ("2000|cgcs", "EPSG:4490", 4513, 4491),
    ("80|xian", "EPSG:4610", 2349, 2327),
    ("54|beijing|北京", "EPSG:4214", 2401, 21413),
)
"""Words of a datum, and the codes of EPSG for its degrees and for its first zones of 3 and of 6 degrees (25, 13)."""


@dataclass(kw_only=True)
class _Parcel:
    line: int
    facts: dict[str, object]
    corners: list[tuple[int, list[float]]] = field(default_factory=list)
    """Number of the ring, easting and northing [m]."""
    last: int = 0


def has_sections(text: str) -> bool:
    """Whether a text has a section of parcels."""
    return any(_section(line) == PARCELS for line in text.splitlines()[:MAX_LINES])


def parse(content: bytes, name: str) -> Reading:
    """Features of a text of a land survey, in metres of the projection that it declares.

    Raises
    ------
    InvalidInput
        Lines are not of the format, or what they declare is not read; all faults are listed by line.
    """
    text, notes = decode(content, name)
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise InvalidInput(f"{name}: expected at most {MAX_LINES:,} lines, got {len(lines):,}. Split the file.")
    faults: list[str] = []
    head, parcels, skipped = _sections(lines, faults)
    crs = _reference(head, faults)
    if not any(_names_asset(key) for key in head):
        faults.append("expected a line such as 资产类别=林业 below [属性描述], which says what is pledged, got none")
    features = [_feature(number, parcel, head, faults, notes) for number, parcel in enumerate(parcels, start=1)]
    if faults:
        raise refuse_all(name, faults)
    if skipped:
        notes.append(("warning", f"sections {', '.join(skipped)} of the text were not read"))
    parameters = re.split(r"[,;\s]+", head.get("转换参数", (0, ""))[1])
    if any(parse_number(part) for part in parameters if _is_number(part)):
        notes.append(("warning", "the file holds 转换参数 (parameters of a transformation), which were not applied"))
    notes.append(("reading", "the third number of each corner was read as northing, the fourth as easting [m]"))
    return Reading(
        format="coordinates",
        features=require_some(name, features, f"there is no line of facts that ends in @ below [{PARCELS}]"),
        crs=crs,
        textual=True,
        notes=tuple(dict.fromkeys(notes)),
    )


def _sections(lines: Sequence[str], faults: list[str]) -> tuple[dict[str, tuple[int, str]], list[_Parcel], list[str]]:
    head: dict[str, tuple[int, str]] = {}
    parcels: list[_Parcel] = []
    skipped: list[str] = []
    section: str | None = None
    for number, raw in enumerate(lines, start=1):
        line = unicodedata.normalize("NFKC", raw).strip()
        if not line:
            continue
        named = _section(line)
        if named is not None:
            section = named
            if section not in (HEAD, PARCELS):
                skipped.append(f"[{section}]")
        elif section == PARCELS:
            _take(line, number, parcels, faults)
        elif section in (None, HEAD):
            key, sign, value = line.partition("=")
            if not sign or not key.strip() or key.strip() in head:
                faults.append(f"line {number}: expected a line name=value below [{HEAD}], each once, got {line!r:.60}")
            head[key.strip()] = (number, value.strip())
    return head, parcels, skipped


def _section(line: str) -> str | None:
    found = _SECTION.fullmatch(unicodedata.normalize("NFKC", line).strip("\ufeff"))
    return None if found is None else found[1]


def _take(line: str, number: int, parcels: list[_Parcel], faults: list[str]) -> None:
    cells = [cell.strip() for cell in re.split("[,、]", line)]
    if "@" in cells[-1] or line.endswith("@"):
        cells[-1] = cells[-1].removesuffix("@").strip()
        names = [*FACTS, *(f"属性{n}" for n in range(len(FACTS) + 1, len(cells) + 1))]
        facts: dict[str, object] = {key: cell for key, cell in zip(names, cells, strict=False) if cell}
        parcels.append(_Parcel(line=number, facts=facts, last=number))
    elif not parcels:
        faults.append(
            f"line {number}: expected the facts of a parcel, which end in @, before its corners, got {line!r:.60}"
        )
    elif len(cells) < 4 or any(cells[4:]) or not cells[1].isascii() or not cells[1].isdigit() or len(cells[1]) > 6:
        faults.append(f"line {number}: expected number, ring, northing and easting of a corner, got {line!r:.60}")
    elif not (_is_number(cells[2]) and _is_number(cells[3])):
        faults.append(f"line {number}: expected northing and easting in metres, got {line!r:.60}")
    else:
        parcels[-1].last = number
        parcels[-1].corners.append((int(cells[1]), [parse_number(cells[3]), parse_number(cells[2])]))


def _is_number(text: str) -> bool:
    try:
        parse_number(text)
    except ValueError:
        return False
    return True


def _names_asset(key: str) -> bool:
    meaning = understand(key)
    return key == "asset_class" or (meaning is not None and meaning.column == "asset_class")


def _reference(head: Mapping[str, tuple[int, str]], faults: list[str]) -> str | None:
    """Code of the projection, zones written before the easting or not; None where it says nothing or has a fault."""
    for key, words in (("投影类型", ("高斯", "gauss")), ("计量单位", ("米", "m"))):
        line, value = head.get(key, (0, ""))
        if value and not any(value.casefold().startswith(word) for word in words):
            faults.append(f"line {line}: expected {key}={words[0]}..., got {value!r:.40}. Export Gauss-Kruger metres")
    line, datum = head.get("坐标系", (0, ""))
    plain = datum.casefold().replace(" ", "")
    known = [entry for entry in _DATUMS if re.search(entry[0], plain)]
    if not datum:
        return None
    if len(known) != 1:
        faults.append(f"line {line}: expected 坐标系=2000国家大地坐标系, 西安80 or 北京54, got {datum!r:.40}")
        return None
    _, degrees, three, six = known[0]
    width_line, width = head.get("几度分带", (0, ""))
    zone_line, zone = head.get("带号", (0, ""))
    if not zone:
        return degrees
    digits = re.fullmatch(r"(\d{1,2})带?", zone)
    step = re.match(r"[36]|[三六]", width)
    number = int(digits[1]) if digits else 0
    if width and step is None:
        faults.append(f"line {width_line}: expected 几度分带=3 or 6, got {width!r:.40}")
    elif not (13 <= number <= 23 or 25 <= number <= 45):
        faults.append(
            f"line {zone_line}: expected a zone of China as 带号 (13-23, or 25-45 for 3 degrees), got {zone!r:.40}"
        )
    elif step is not None and (step[0] in "6六") != (number <= 23):
        faults.append(f"line {zone_line}: 带号={number} is no zone of {width} degrees, as line {width_line} says")
    else:
        return f"EPSG:{six + number - 13 if number <= 23 else three + number - 25}"
    return None


def _feature(
    number: int, parcel: _Parcel, head: Mapping[str, tuple[int, str]], faults: list[str], notes: list[Note]
) -> Feature:
    where = f"lines {parcel.line} to {parcel.last}"
    kind = str(parcel.facts.pop("图形属性", "面"))
    if kind != "面":
        faults.append(f"line {parcel.line}: expected a parcel of kind 面 (polygon), got {kind!r:.20}")
    rings = _rings(parcel, faults)
    polygons = group_rings(_turned(rings)) if rings else []
    properties: dict[str, object] = {
        key: value for key, (_, value) in head.items() if value and (is_known(key) or key.startswith("数据"))
    }
    properties |= {key: value for key, value in parcel.facts.items() if key != "界址点数"}
    _name_area(properties, abs(sum(map(signed_area, (ring for polygon in polygons for ring in polygon)))), notes)
    return Feature(
        number=number,
        identity=properties.get("地块名称"),
        geometry={"type": "MultiPolygon", "coordinates": polygons},
        properties=properties,
        place=where,
    )


def _rings(parcel: _Parcel, faults: list[str]) -> list[list[list[float]]]:
    rings: dict[int, list[list[float]]] = {}
    for ring, corner in parcel.corners:
        rings.setdefault(ring, []).append(corner)
    short = [ring for ring, corners in rings.items() if len({tuple(corner) for corner in corners}) < 3]
    if short or not rings:
        what = f"ring {short[0]} with {len(rings[short[0]])}" if short else "none"
        faults.append(f"line {parcel.line}: expected rings of three corners or more, got {what}")
    stated = str(parcel.facts.get("界址点数", ""))
    drawn = len(parcel.corners)
    closing = sum(corners[0] == corners[-1] for corners in rings.values())
    if stated.isascii() and stated.isdigit() and len(stated) < 9 and int(stated) not in (drawn, drawn - closing):
        faults.append(f"line {parcel.line}: expected {stated} corners, as it says, got {drawn}. Were lines lost?")
    return list(rings.values())


def _turned(rings: Sequence[list[list[float]]]) -> list[list[list[float]]]:
    """Rings so that one inside an odd number of others is a hole: the numbers of rings do not say which it is in."""
    turned = []
    for n, ring in enumerate(rings):
        around = sum(_holds(other, ring) for m, other in enumerate(rings) if m != n)
        is_hole = around % 2 == 1
        turned.append(ring if (signed_area(ring) > 0) == is_hole else ring[::-1])
    return turned


def _holds(outer: list[list[float]], inner: list[list[float]]) -> bool:
    if abs(signed_area(outer)) <= abs(signed_area(inner)):
        return False
    return len(group_rings([_clockwise(outer), _clockwise(inner)[::-1]])) == 1


def _clockwise(ring: list[list[float]]) -> list[list[float]]:
    return ring if signed_area(ring) <= 0 else ring[::-1]


def _name_area(properties: dict[str, object], drawn_m2: float, notes: list[Note]) -> None:
    """Give the stated area its unit: that of the format, unless another one alone agrees with the outline."""
    text = str(properties.pop("地块面积", ""))
    if not text:
        return
    unit = next(iter(UNITS))
    if _is_number(text) and drawn_m2 > 0:
        fits = [each for each, size in UNITS.items() if abs(parse_number(text) * size / drawn_m2 - 1) < AGREES]
        if fits and unit not in fits:
            unit = fits[0]
            notes.append(("reading", f"地块面积 was read in {unit}, which agrees with the outline, not in 公顷"))
    properties[f"地块面积({unit})"] = text
