"""Buildings pulled down: a surface that stood still for a year changed for good, and what came is no roof."""

from __future__ import annotations

from geocollateral.assets.stages import StagePath
from geocollateral.types import Event, ParcelEvidence


def pulled_down(evidence: ParcelEvidence, path: StagePath, min_m2: float, min_fraction: float) -> list[Event]:
    """Demolitions of one parcel."""
    return []


__all__ = ["pulled_down"]
