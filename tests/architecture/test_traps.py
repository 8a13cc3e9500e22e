"""Every trap and every goal of reliability that applies to code that exists has a test named by its number."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
NAME = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)
NUMBER = re.compile(r"(?<=_)([tr]\d{1,2})(?=_)")

NOT_YET = {
    "t45": "there is no learned model",
}
"""Trap -> why there is nothing to spring it on."""
TRAPS = [f"t{n}" for n in range(1, 46)]
GOALS = ["r1", "r2", "r3", *(f"r{n}" for n in range(10, 17))]


def numbered_tests() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for name in NAME.findall(path.read_text(encoding="utf-8")):
            for number in NUMBER.findall(name):
                found[number].append(f"{path.relative_to(TESTS).as_posix()}::{name}")
    return found


@pytest.mark.parametrize("number", [number for number in (*TRAPS, *GOALS) if number not in NOT_YET])
def test_has_a_test_of_its_number(number: str) -> None:
    assert numbered_tests()[number], f"no test is named {number}"


@pytest.mark.parametrize("number", sorted(NOT_YET))
def test_what_does_not_apply_yet_has_none(number: str) -> None:
    assert not numbered_tests()[number], f"{number} has a test now: take it off the list"


def test_the_page_of_sources_tells_of_each(root: Path) -> None:
    page = (root / "docs/sources.md").read_text(encoding="utf-8")
    lacking = [number for number in TRAPS if f"| {number.upper()} |" not in page]
    assert not lacking
