"""docs/intake.md shows every heading, value and message of the code, and the limits that hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from geocollateral.intake import features
from geocollateral.intake.formats import archive, extensions, kml
from geocollateral.intake.sandbox import limits


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    path = Path(__file__).parents[3] / ".ci" / "intake_page.py"
    spec = importlib.util.spec_from_file_location("intake_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_code_says(root: Path, writer: ModuleType) -> None:
    page = (root / "docs" / "intake.md").read_text(encoding="utf-8")
    assert writer.render(page) == page, "run .ci/intake_page.py"


def test_a_message_of_every_kind_is_found(writer: ModuleType) -> None:
    text = writer.messages_text()
    for part in ("two ways of mending", "is empty. Expected a …", "never guessed", "zip bomb", "spreadsheet formula"):
        assert part in text


def test_the_limits_shown_are_those_that_hold(root: Path) -> None:
    page = (root / "docs" / "intake.md").read_text(encoding="utf-8")
    for shown in (
        f"| a file | {features.MAX_BYTES // 10**6} MB |",
        f"| parcels in a file | {features.MAX_FEATURES:,} |",
        f"{archive.MAX_UNPACKED // 10**6} MB, and {archive.MAX_RATIO} times the archive once it is more than 1 MB",
        f"| entries of an archive | {archive.MAX_ENTRIES};",
        f"{features.MAX_DEPTH} levels of a JSON value, {kml.MAX_NESTING} of XML elements",
        f"| {limits.CPU_SECONDS} s, {limits.WALL_SECONDS:g} s |",
        f"| memory of the reading process | {limits.MEMORY_BYTES >> 30} GB |",
        f"| what it may answer | {limits.RESULT_BYTES // 10**6} MB |",
        *(f"`{ending}`" for ending in extensions()),
    ):
        assert shown in page, shown
