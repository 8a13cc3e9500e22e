"""Tables of dBASE III and IV, as shapefiles have them, with Chinese text in GBK or UTF-8."""

from __future__ import annotations

import codecs
import re
import struct
from dataclasses import dataclass, field

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import MAX_FEATURES, Note
from geocollateral.intake.formats.texts import parse_number

MAX_COLUMNS = 255
CODE_PAGES = {
    "utf8": "utf-8", "65001": "utf-8", "gbk": "gb18030", "gb2312": "gb18030", "gb18030": "gb18030", "936": "gb18030",
    "cp936": "gb18030", "ansi936": "gb18030", "54936": "gb18030", "big5": "big5", "950": "big5", "cp950": "big5",
    "1252": "cp1252", "cp1252": "cp1252", "ansi1252": "cp1252", "iso88591": "latin-1", "88591": "latin-1",
}  # fmt: skip
"""Encodings by what stands in a ``.cpg``, without dashes and spaces."""
DRIVERS = {0x4D: "gb18030", 0x7A: "gb18030", 0x78: "big5", 0x57: None, 0x03: None, 0x00: None, 0x01: None}
"""Encodings by the language driver of the header; those of None are written by default and say nothing."""


@dataclass(frozen=True, kw_only=True)
class _Column:
    name: bytes
    kind: str
    start: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Table:
    """Records of a table, None where one is marked as deleted."""

    records: list[dict[str, object] | None]
    notes: list[Note] = field(default_factory=list)


def parse(content: bytes, name: str, code_page: str | None) -> Table:
    """Records of a ``.dbf``.

    Parameters
    ----------
    content, name
        Bytes of the table, and name of the file for messages.
    code_page
        What the ``.cpg`` beside it says, or None.

    Raises
    ------
    InvalidInput
        The table is broken, its text is in no encoding that fits, or a column is of a kind that is not read.
    """
    if len(content) < 33:
        raise InvalidInput(f"{name}: expected a .dbf, got {len(content)} bytes.")
    count, start, width = struct.unpack_from("<IHH", content, 4)
    columns = _columns(content, start, name)
    if width != 1 + sum(column.width for column in columns) or start + count * width > len(content):
        raise InvalidInput(
            f"{name}: expected a whole .dbf of {count:,} records, got one of another length. Was it cut off?"
        )
    if count > MAX_FEATURES:
        raise InvalidInput(f"{name}: expected at most {MAX_FEATURES:,} parcels, got {count:,}. Split the file.")
    rows = [content[start + n * width : start + (n + 1) * width] for n in range(count)]
    encoding, notes = _encoding(columns, rows, code_page, content[29], name)
    names = [_label(column.name, encoding) for column in columns]
    if len(set(names)) < len(names):
        twice = next(each for each in names if names.count(each) > 1)
        raise InvalidInput(f"{name}: column {twice!r:.40} of the .dbf is there more than once. Rename one.")
    records = [
        None if row[:1] == b"*" else _record(row, columns, names, encoding, n, name) for n, row in enumerate(rows, 1)
    ]
    return Table(records=records, notes=notes)


def _columns(content: bytes, end: int, name: str) -> list[_Column]:
    columns: list[_Column] = []
    start = 1
    for place in range(32, min(end, len(content)) - 1, 32):
        if content[place] == 0x0D:
            break
        entry = content[place : place + 32]
        if len(entry) < 32 or len(columns) == MAX_COLUMNS:
            raise InvalidInput(f"{name}: expected the columns of a .dbf, got a broken header.")
        column = _Column(name=entry[:11].split(b"\x00")[0], kind=chr(entry[11]), start=start, width=entry[16])
        if column.kind == "C":  # the place of decimals holds the upper half of the width of long text
            column = _Column(name=column.name, kind="C", start=start, width=entry[16] + 256 * entry[17])
        if column.kind not in "CNFDLIBO":
            what = "a memo, whose text is in another file" if column.kind == "M" else f"of type {column.kind!r:.10}"
            raise InvalidInput(
                f"{name}: column {_shown(column.name)} of the .dbf is {what}, which is not read. Remove it."
            )
        columns.append(column)
        start += column.width
    if not columns:
        raise InvalidInput(f"{name}: expected the columns of a .dbf, got none.")
    return columns


def _encoding(
    columns: list[_Column], rows: list[bytes], code_page: str | None, driver: int, name: str
) -> tuple[str, list[Note]]:
    """Encoding by the .cpg, else by the header, else the one that fits."""
    declared = CODE_PAGES.get(re.sub(r"[\s_\-]", "", code_page or "").lower()) or DRIVERS.get(driver)
    texts = [column.name for column in columns]
    texts += [row[c.start : c.start + c.width] for row in rows for c in columns if c.kind == "C"]
    texts = [text for text in set(texts) if not text.isascii()]
    for encoding in [declared] if declared else ["utf-8", "gb18030"]:
        # Programs cut long text at a byte, in the middle of a character too: what is left of it at the end is no fault.
        if all(_decode(text.rstrip(b" \x00"), encoding) is not None for text in texts):
            return encoding, _notes(encoding, declared, texts)
    raise InvalidInput(
        f"{name}: the text of the .dbf is not in {declared or 'UTF-8 or GBK'}, as expected. Export the shapefile again "
        f"in UTF-8."
    )


def _notes(encoding: str, declared: str | None, texts: list[bytes]) -> list[Note]:
    if not texts or encoding == "utf-8" or declared:
        return []
    return [
        ("reading", "the text of the .dbf is in GB18030 (GBK); the shapefile does not say so, but UTF-8 does not fit")
    ]


def _decode(text: bytes, encoding: str) -> str | None:
    """Text, without half a character at its end; None where it is in another encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(text, final=False)
    except UnicodeDecodeError:
        return None


def _label(name: bytes, encoding: str) -> str:
    return (_decode(name, encoding) or "").strip()


def _record(
    row: bytes, columns: list[_Column], names: list[str], encoding: str, number: int, name: str
) -> dict[str, object]:
    record: dict[str, object] = {}
    for column, label in zip(columns, names, strict=True):
        raw = row[column.start : column.start + column.width]
        try:
            record[label] = _value(raw, column.kind, encoding)
        except ValueError as exc:
            raise InvalidInput(
                f"{name}: record {number}: column {label!r:.40} holds {raw.strip()!r:.40}, which is not of its type "
                f"{column.kind!r}."
            ) from exc
    return record


def _value(raw: bytes, kind: str, encoding: str) -> object:
    if kind == "C":
        return (_decode(raw.rstrip(b" \x00"), encoding) or "").strip() or None
    if kind == "I":
        return int(struct.unpack("<i", raw)[0])
    if kind in "BO":
        return float(struct.unpack("<d", raw)[0])
    text = raw.decode("ascii").strip(" \x00")
    if not text:
        return None
    if kind == "L":
        return {"T": True, "Y": True, "F": False, "N": False}.get(text.upper())
    if kind == "D":
        return None if text == "00000000" else f"{int(text[:4]):04d}-{int(text[4:6]):02d}-{int(text[6:8]):02d}"
    return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else parse_number(text)


def _shown(name: bytes) -> str:
    return repr(name.decode("ascii", errors="replace"))[:40]
