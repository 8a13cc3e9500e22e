"""What covers a piece of ground day by day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geocollateral.simulate.materials import INDEX, PLANTS


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Daily cover of a piece of ground."""

    share: NDArray[np.float32]
    """Shape (day, material), 0-1, sums to 1: seen from above, without snow."""
    rough: NDArray[np.float32]
    """Shape (day,): roughness of the ground, 0 (rolled) to 1 (just ploughed)."""

    @property
    def green(self) -> NDArray[np.float32]:
        """Shape (day,): share under living plants."""
        total: NDArray[np.float32] = self.share[:, [INDEX[name] for name in PLANTS]].sum(axis=1)
        return total


def surface(
    n_days: int, parts: dict[str, NDArray[np.float64] | float], rest: str, rough: NDArray[np.float64] | float = 0.3
) -> Surface:
    """A surface of parts laid over each other, and one material for what they leave free.

    Parts that together exceed 1 are scaled down to 1.
    """
    share = np.zeros((n_days, len(INDEX)))
    for name, part in parts.items():
        share[:, INDEX[name]] += np.clip(part, 0.0, 1.0)
    total = share.sum(axis=1, keepdims=True)
    share /= np.maximum(total, 1.0)
    share[:, INDEX[rest]] += np.maximum(1.0 - total[:, 0], 0.0)
    return Surface(
        share=share.astype(np.float32), rough=np.broadcast_to(np.asarray(rough, np.float32), (n_days,)).copy()
    )


def blend(before: Surface, after: Surface, weight: NDArray[np.float64]) -> Surface:
    """One surface that gives way to another; ``weight`` (day,) is the share of the second."""
    w = weight.astype(np.float32)
    return Surface(
        share=before.share * (1 - w[:, None]) + after.share * w[:, None],
        rough=before.rough * (1 - w) + after.rough * w,
    )
