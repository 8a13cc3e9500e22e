#!/usr/bin/env python3
"""Writes the tables of docs/intake.md from the code: headings, values, and every message a user can get.

`.ci/intake_page.py` writes them, `.ci/intake_page.py --check` says whether the page is up to date. The messages are the
sentences that stand in the modules of the intake; what differs from file to file is shown as an ellipsis.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INTAKE = ROOT / "geocollateral" / "intake"
PAGE = ROOT / "docs" / "intake.md"
NOT_MESSAGES = {"headings.py", "currencies.py", "__init__.py", "limits.py"}
"""Modules whose strings no user gets to see, below the folder ``formats`` excepted."""
QUIET_CALLS = {"Column", "Field", "compile", "execute", "_heading", "_entry", "startswith", "cast"}
"""Calls whose strings are no messages."""
MIN_WORDS = 3

sys.path.insert(0, str(ROOT))


def modules() -> list[Path]:
    """Modules that have messages, in the order of the page."""
    found = [p for p in sorted(INTAKE.rglob("*.py")) if p.name not in NOT_MESSAGES or p.parent.name == "formats"]
    return sorted(found, key=lambda p: (p.parent != INTAKE / "formats", p.parent.name, p.name))


def text_of(node: ast.expr) -> str | None:
    """A sentence as it stands in the code, with an ellipsis for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [v.value if isinstance(v, ast.Constant) else "…" for v in node.values]
        return "".join(str(part) for part in parts)
    return None


def messages(path: Path) -> list[str]:
    """Sentences of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: dict[str, None] = {}
    for text in walk(tree):
        sentence = re.sub(r"\s+", " ", text).strip()
        if len(re.findall(r"[A-Za-z]{2,}", sentence)) >= MIN_WORDS and sentence.count(" ") > 1:
            found.setdefault(sentence)
    return list(found)


def walk(node: ast.AST) -> Iterator[str]:
    """Strings below a node that may be messages: no docstrings, no patterns, no queries."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in QUIET_CALLS:
            return
    if isinstance(node, ast.expr):
        text = text_of(node)
        if text is not None:
            if not text.upper().startswith(("SELECT ", "PRAGMA ")):
                yield text
            return
    for child in ast.iter_child_nodes(node):
        yield from walk(child)


def messages_text() -> str:
    """All messages, a list for each module."""
    parts = []
    for path in modules():
        found = messages(path)
        if found:
            parts.append(
                f"`{path.relative_to(INTAKE).as_posix()}`\n\n" + "\n".join(f"* {escape(each)}" for each in found)
            )
    return "\n\n".join(parts)


def escape(sentence: str) -> str:
    """A sentence in Markdown that shows it as it is."""
    return re.sub(r"([\\`*_<>\[\]|])", r"\\\1", sentence)


def render(page: str) -> str:
    """The page with its tables written anew."""
    from geocollateral.intake.headings import headings_table, words_table

    for mark, table in (("headings", headings_table()), ("values", words_table()), ("messages", messages_text())):
        begin, end = f"<!-- {mark}: begin -->\n", f"\n<!-- {mark}: end -->"
        before, rest = page.split(begin)
        page = before + begin + table + end + rest.split(end, 1)[1]
    return page


def main() -> int:
    """Write or check the page."""
    page = PAGE.read_text(encoding="utf-8")
    made = render(page)
    if "--check" in sys.argv:
        if made != page:
            print("docs/intake.md is not what the code says: run .ci/intake_page.py")
        return int(made != page)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
