"""Text of user files: its encoding found, never guessed past what the bytes allow."""

from __future__ import annotations

import re

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import Note

REPLACED = "\ufffd"
MOJIBAKE = ("锟斤拷", "锘縜", "烫烫烫")
"""What is left where text was once decoded with the wrong encoding and saved again."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")


def parse_number(text: str) -> float:
    """A decimal number; not all that Python takes for one (``nan``, ``1_000``).

    Raises
    ------
    ValueError
        The text is none.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"expected a number, got {text!r:.60}")
    return float(text)


def decode(content: bytes, name: str) -> tuple[str, list[Note]]:
    """Text of a file in UTF-8, UTF-16 with its mark, or GB18030 (which covers GBK and GB2312), and what to note.

    Raises
    ------
    InvalidInput
        The content is none of them, or was damaged before it came here.
    """
    text, notes = _decode(content, name)
    if "\x00" in text:
        raise InvalidInput(f"{name}: expected text, got a file with NUL characters (a binary file?).")
    if REPLACED in text or any(scrap in text for scrap in MOJIBAKE):
        place = min(text.find(scrap) for scrap in (REPLACED, *MOJIBAKE) if scrap in text)
        line = text.count("\n", 0, place) + 1
        raise InvalidInput(
            f"{name}: line {line} holds characters that were damaged before the file came here (saved in the wrong "
            f"encoding). Export it again from its source, in UTF-8."
        )
    return text, notes


def _decode(content: bytes, name: str) -> tuple[str, list[Note]]:
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return content.decode("utf-16"), [("reading", "the text is in UTF-16")]
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("gb18030"), [("reading", "the text is in GB18030 (GBK), not UTF-8")]
    except UnicodeDecodeError as exc:
        raise InvalidInput(
            f"{name}: expected text in UTF-8 or GB18030 (GBK), got other bytes at position {exc.start}. Save it as "
            f"UTF-8."
        ) from exc
