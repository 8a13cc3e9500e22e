"""Faults of a file of parcels, gathered so that the user can mend all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geocollateral.errors import InvalidInput

MAX_LISTED = 20


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong with one feature."""

    number: int
    """Of the feature in the file, counted from 1."""
    parcel_id: str | None
    message: str
    position: tuple[float, float] | None = None
    """As written in the file, x before y."""

    def __str__(self) -> str:
        parcel = "" if self.parcel_id is None else f" (parcel {self.parcel_id!r})"
        place = "" if self.position is None else f" at [{self.position[0]:.10g}, {self.position[1]:.10g}]"
        return f"feature {self.number}{parcel}{place}: {self.message}"


def refuse(name: str, faults: Sequence[Fault]) -> InvalidInput:
    """Error that lists the faults, one line each, and says that nothing was accepted."""
    count = f"{len(faults)} fault" + ("s" if len(faults) > 1 else "")
    lines = [f"  {fault}" for fault in faults[:MAX_LISTED]]
    if len(faults) > MAX_LISTED:
        lines.append(f"  and {len(faults) - MAX_LISTED} more")
    return InvalidInput(
        f"{name} has {count}; nothing of it was accepted, since due diligence over a part of the pledge would be "
        f"wrong. Mend and send again:\n" + "\n".join(lines)
    )
