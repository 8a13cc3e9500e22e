"""Polygons in: what the user sends becomes parcels that can be relied on, or one message that says what is wrong."""

from geocollateral.intake.contract import COLUMNS, Column
from geocollateral.intake.parcels import IntakeParams
from geocollateral.intake.reading import read_parcels

__all__ = ["COLUMNS", "Column", "IntakeParams", "read_parcels"]
