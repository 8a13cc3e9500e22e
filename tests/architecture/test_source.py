"""What may not stand in the package: names that say nothing, unfinished work, paths of one machine."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "geocollateral"
MODULES = sorted(PACKAGE.rglob("*.py"))
SUFFIXES = {".py", ".html", ".css", ".js", ".sql", ".yaml", ".toml", ".md"}
TEXTS = sorted(p for p in PACKAGE.rglob("*") if p.suffix in SUFFIXES)
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager"}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 10


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_name_says_what_is_inside(path: Path) -> None:
    assert EMPTY_NAMES.isdisjoint(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"\b(TODO|FIXME|XXX)\b", id="unfinished"),
        pytest.param(r"\bNotImplementedError\b", id="not implemented"),
        pytest.param(r"""(?<![\w.~/-])/(work|root|home|Users|tmp)/""", id="machine path"),
    ],
)
def test_text_is_free_of(path: Path, pattern: str) -> None:
    text = path.read_text(encoding="utf-8")
    found = [f"line {text.count(chr(10), 0, m.start()) + 1}: {m.group()}" for m in re.finditer(pattern, text)]
    assert not found


def walk_public(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Public classes, functions and methods; what is defined inside a function is its own affair."""
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            if "overload" in {ast.unparse(d).rpartition(".")[2] for d in child.decorator_list}:
                continue
            yield f"{prefix}{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from walk_public(child, f"{prefix}{child.name}.")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_everything_public_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lacking = [name for name, node in walk_public(tree) if not ast.get_docstring(node)]  # type: ignore[arg-type]
    if not ast.get_docstring(tree):
        lacking.insert(0, "the module")
    assert not lacking
