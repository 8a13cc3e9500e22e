"""Polygons in: what the user sends becomes parcels that can be relied on, or one message that says what is wrong.

The names are loaded on first use: the process that reads a file imports this package too, and must start quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geocollateral.intake.contract import COLUMNS, Column
    from geocollateral.intake.layers import Layer, read_layer
    from geocollateral.intake.parcels import IntakeParams
    from geocollateral.intake.reading import read_content, read_parcels
    from geocollateral.intake.shared_ground import (
        DATUM_SHIFTS,
        WEB_MAPS,
        DatumShift,
        PledgeParams,
        SharedGround,
        alike_areas,
        common_area,
        find_moved,
        find_shared,
        merge,
        reach_boxes,
        union_area,
    )

__all__ = [
    "COLUMNS",
    "DATUM_SHIFTS",
    "WEB_MAPS",
    "Column",
    "DatumShift",
    "IntakeParams",
    "Layer",
    "PledgeParams",
    "SharedGround",
    "alike_areas",
    "common_area",
    "find_moved",
    "find_shared",
    "merge",
    "reach_boxes",
    "read_content",
    "read_layer",
    "read_parcels",
    "union_area",
]

_HOMES = {
    "COLUMNS": "geocollateral.intake.contract",
    "DATUM_SHIFTS": "geocollateral.intake.shared_ground",
    "WEB_MAPS": "geocollateral.intake.shared_ground",
    "Column": "geocollateral.intake.contract",
    "DatumShift": "geocollateral.intake.shared_ground",
    "IntakeParams": "geocollateral.intake.parcels",
    "Layer": "geocollateral.intake.layers",
    "PledgeParams": "geocollateral.intake.shared_ground",
    "SharedGround": "geocollateral.intake.shared_ground",
    "alike_areas": "geocollateral.intake.shared_ground",
    "common_area": "geocollateral.intake.shared_ground",
    "find_moved": "geocollateral.intake.shared_ground",
    "find_shared": "geocollateral.intake.shared_ground",
    "merge": "geocollateral.intake.shared_ground",
    "reach_boxes": "geocollateral.intake.shared_ground",
    "read_content": "geocollateral.intake.reading",
    "read_layer": "geocollateral.intake.layers",
    "read_parcels": "geocollateral.intake.reading",
    "union_area": "geocollateral.intake.shared_ground",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
