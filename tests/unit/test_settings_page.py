"""docs/settings.md says what the code takes."""

from __future__ import annotations

from pathlib import Path

from geocollateral.config import settings_tables


def test_the_page_holds_the_tables_of_the_code(root: Path) -> None:
    page = (root / "docs/settings.md").read_text(encoding="utf-8")
    assert page.endswith(settings_tables()), "write docs/settings.md anew with geocollateral.config.settings_tables()"
