"""Polygons in: what the user sends becomes parcels that can be relied on, or one message that says what is wrong."""

from geocollateral.intake.contract import COLUMNS, Column
from geocollateral.intake.layers import Layer, read_layer
from geocollateral.intake.reading import read_parcels
from geocollateral.intake.shared_ground import (
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
    "Column",
    "DatumShift",
    "Layer",
    "PledgeParams",
    "SharedGround",
    "alike_areas",
    "common_area",
    "find_moved",
    "find_shared",
    "merge",
    "reach_boxes",
    "read_layer",
    "read_parcels",
    "union_area",
]
