"""Text of a table of sales as a table: encodings, separators, lines before the headings, decimal commas.

Spreadsheets of one country write what those of another do not read. What is guessed here is guessed from the file as a
whole, so that one column is never read by another rule than its neighbour.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter

import pandas as pd

from geocollateral.errors import InvalidInput

SEPARATORS = (",", ";", "\t", "|")
_HEAD_LINES = 60
"""Lines of the file in which the headings are looked for."""
_SAMPLE_BYTES = 200_000
_NUMBER_WITH_COMMA = r"[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?"
"""A number where a comma stands before decimals and points part thousands."""


def table_from_csv(data: bytes, name: str = "table") -> pd.DataFrame:
    """A table from the bytes of a text file with separators.

    Understood are UTF-8, UTF-16 with its mark, GB18030 and Windows-1252; comma, semicolon, tab and bar; titles above
    the headings; and decimal commas, where any separator but the comma leaves room for them.

    Raises
    ------
    InvalidInput
        It is text in none of these encodings, or holds no table.
    """
    encoding = _encoding(data, name)
    head = data[:_SAMPLE_BYTES].decode(encoding, errors="ignore")
    lines = head.splitlines()[:_HEAD_LINES]
    separator = _separator(lines)
    table = pd.read_csv(
        io.BytesIO(data),
        encoding=encoding,
        sep=separator,
        skiprows=_lines_before_headings(lines, separator),
        low_memory=False,
        dtype=str if (commas := separator != "," and _has_decimal_commas(head, separator)) else None,
    )
    return table.apply(_without_decimal_commas) if commas and len(table) else table


def _encoding(data: bytes, name: str) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    encodings = ["utf-8-sig", "gb18030", "cp1252"]
    if _high_bytes_stand_alone(data[:_SAMPLE_BYTES]):
        encodings = ["utf-8-sig", "cp1252", "gb18030"]
    for encoding in encodings:
        try:
            data.decode(encoding)
            return encoding
        except UnicodeDecodeError:
            continue
    raise InvalidInput(f"{name}: expected UTF-8, UTF-16, GB18030 or Windows-1252 text; it is none of them.")


def _high_bytes_stand_alone(data: bytes) -> bool:
    """Accented letters are single bytes among plain ones; those of Chinese come in pairs."""
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", data)]
    return bool(runs) and sum(run == 1 for run in runs) > 0.5 * len(runs)


def _separator(lines: list[str]) -> str:
    """The mark that parts the most lines into one and the same number of cells, more than one."""

    def parts(mark: str) -> tuple[int, int]:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=mark) if len(row) > 1)
        if not widths:
            return 0, 0
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        return count, width

    return max(SEPARATORS, key=parts)


def _lines_before_headings(lines: list[str], separator: str) -> int:
    """Titles and notes above the headings: lines of which most cells are empty or missing."""
    rows = list(csv.reader(lines, delimiter=separator))
    if len(rows) != len(lines) or not rows:  # a cell with a line break in it: no line is counted
        return 0
    width = Counter(len(row) for row in rows).most_common(1)[0][0]

    def named(row: list[str]) -> int:
        return sum(bool(cell.strip()) for cell in row)

    if width < 3 or named(rows[0]) > 0.5 * width:
        return 0
    return next((n for n, row in enumerate(rows) if len(row) == width and named(row) >= 0.8 * width), 0)


def _has_decimal_commas(text: str, separator: str) -> bool:
    """Whether cells such as ``85,5`` stand in the file, and none such as ``85.5``."""
    edge = re.escape(separator)
    comma = len(re.findall(rf'(?:^|{edge}|")\s*[-+]?[\d.]*\d,\d+\s*(?={edge}|"|$)', text, re.MULTILINE))
    point = len(re.findall(rf'(?:^|{edge}|")\s*[-+]?\d+\.(?:\d{{1,2}}|\d{{4,}})\s*(?={edge}|"|$)', text, re.MULTILINE))
    return comma > 0 and point < 0.05 * comma


def _without_decimal_commas(column: pd.Series) -> pd.Series:
    """Numbers where all that is known is one, else the text."""
    text = column.str.strip()
    known = text.dropna()
    if not len(known) or not known.str.fullmatch(_NUMBER_WITH_COMMA).all():
        return column
    if not known.str.contains(r"[.,]").any():
        return pd.to_numeric(text) if not known.str.fullmatch(r"0\d+").any() else column
    return pd.to_numeric(text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False))


__all__ = ["SEPARATORS", "table_from_csv"]
