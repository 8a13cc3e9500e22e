"""`store.artifacts`: the table, and the page made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from geocollateral.store.artifacts import ARTIFACTS, markdown_table, require_declared

PAGE = Path(__file__).parents[3] / "docs" / "results.md"


def test_the_page_is_in_step_with_the_table():
    _, rest = PAGE.read_text().split("a test keeps it in step -->\n")
    assert rest.split("\n<!-- /artifacts -->")[0] == markdown_table(), "run python -m geocollateral.store.artifacts"


def test_names_are_unique():
    assert len({a.name for a in ARTIFACTS}) == len(ARTIFACTS)


@pytest.mark.parametrize("name", ["parcels.geojson", "chips/A-1_before_2018-05-02.png", "run.json"])
def test_declared(name):
    assert require_declared(name).matches(name)
