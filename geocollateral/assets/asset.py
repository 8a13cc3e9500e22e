"""What every asset class offers, and the register of those there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from geocollateral.registry import Registry
from geocollateral.types import Hit, Judgement, ParcelEvidence


class Asset(Protocol):
    """One asset class."""

    @property
    def name(self) -> str:
        """Value of the column ``asset_class``."""
        ...

    @property
    def indices(self) -> tuple[str, ...]:
        """Indices it needs, the leading one first."""
        ...

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands it needs as reflectance, beside those of its indices."""
        ...

    @property
    def optional(self) -> tuple[str, ...]:
        """Bands and indices it makes use of where the source offers them."""
        ...

    @property
    def monitoring(self) -> Sequence[Mapping[str, Mapping[str, Any]]]:
        """Indices that are monitored pixel by pixel, in groups: those of a group are weighed together, the leading one
        first. Of each, the fields of the change monitor's parameters that differ from its defaults.
        """
        ...

    def judge(self, evidence: ParcelEvidence, params: Any) -> Judgement:
        """What can be said of one parcel at ``evidence.as_of``."""
        ...

    def hits(self, evidence: ParcelEvidence, judgement: Judgement, params: Any) -> Sequence[Hit]:
        """Alert rules that fire on the judgement."""
        ...


AlertRule = Callable[[ParcelEvidence, Judgement], Sequence[Hit]]
"""One decorated function in the asset's file; what it returns becomes alerts."""

ASSETS: Registry[Asset] = Registry("asset class with a judgement")

__all__ = ["ASSETS", "AlertRule", "Asset"]
