"""Polygons in: what the user sends becomes parcels that can be relied on, or one message that says what is wrong.

The names are loaded on first use: the process that reads a file imports this package too, and must start quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geocollateral.intake.contract import COLUMNS, Column
    from geocollateral.intake.parcels import IntakeParams
    from geocollateral.intake.reading import read_content, read_parcels

__all__ = ["COLUMNS", "Column", "IntakeParams", "read_content", "read_parcels"]

_HOMES = {
    "COLUMNS": "geocollateral.intake.contract",
    "Column": "geocollateral.intake.contract",
    "IntakeParams": "geocollateral.intake.parcels",
    "read_content": "geocollateral.intake.reading",
    "read_parcels": "geocollateral.intake.reading",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
