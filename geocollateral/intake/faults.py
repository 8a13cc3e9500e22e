"""Faults of a file of parcels, gathered so that the user can mend all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import refuse_all


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong with one feature."""

    number: int
    """Of the feature in the file, counted from 1."""
    parcel_id: str | None
    message: str
    position: tuple[float, float] | None = None
    """As written in the file, x before y."""
    place: str = ""
    """Of the feature, where the format has better words than its number, such as ``line 12``."""

    def __str__(self) -> str:
        parcel = "" if self.parcel_id is None else f" (parcel {self.parcel_id!r})"
        point = "" if self.position is None else f" at [{self.position[0]:.10g}, {self.position[1]:.10g}]"
        return f"{self.place or f'feature {self.number}'}{parcel}{point}: {self.message}"


def refuse(name: str, faults: Sequence[Fault]) -> InvalidInput:
    """Error that lists the faults, one line each, and says that nothing was accepted."""
    return refuse_all(name, [str(fault) for fault in faults])
