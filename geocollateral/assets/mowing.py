"""Mowings of meadows, from a series of green that need not be masked for clouds, and the coherence of radar looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.types import Params

Floats = NDArray[np.float64]
Days = NDArray[np.int64]


class MowingParams(Params):
    """Knobs of finding mowings."""

    before_days: int = Field(25, ge=5, description="Span before a look in which the green's height is taken [days].")
    after_days: int = Field(13, ge=5, description="Span after it in which a meadow left standing would show [days].")
    threshold: float = Field(0.16, gt=0, description="Fall of green plus rise of coherence that make a mowing [1].")
    apart_days: int = Field(35, ge=10, description="Grass is not mown again sooner [days].")
    cloud: float = Field(0.30, description="With no look greener than this afterwards nothing was seen but cloud [1].")


@dataclass(frozen=True, kw_only=True)
class Mowing:
    """One mowing; days since 1970-01-01."""

    before: int
    """Last look at standing grass."""
    after: int
    """First look at mown grass, or at cloud."""
    fall: float
    """Fall of the upper envelope of green [1]."""
    rise: float
    """Rise of coherence [1]; 0 where there is none to see."""

    @property
    def day(self) -> float:
        """Middle of the interval."""
        return 0.5 * (self.before + self.after)


def find_mowings(
    days: Days,
    green: Floats,
    params: MowingParams,
    *,
    coherence_days: Days | None = None,
    coherence: Floats | None = None,
) -> tuple[Mowing, ...]:
    """Falls of the upper envelope of green, borne out by coherence where it is known.

    Clouds only lower an index of green, so what is compared are the greenest looks before and after a day (upper
    envelope: Chen et al. 2004, doi:10.1016/j.rse.2004.03.014). Short stubble is steadier under the radar than tall
    grass: coherence rises after a mowing (De Vroey et al. 2021, doi:10.3390/rs13030348).

    Parameters
    ----------
    days, green
        Shape (look,), rising days since 1970-01-01; NaN counts nothing. Clouds need not be masked.
    coherence_days, coherence
        Shape (radar look,): coherence of the pair that ends on each day [0-1].

    Returns
    -------
    Mowings in order of time. In autumn grass yellows as if mown: judge by season.
    """
    good = np.isfinite(green)
    x, y = days[good], green[good]
    found = []
    for n in range(1, len(x)):
        earlier = (x < x[n]) & (x >= x[n] - params.before_days)
        later = (x >= x[n]) & (x <= x[n] + params.after_days)
        if not earlier.any() or later.sum() < 2 or y[later].max() < params.cloud:
            continue
        height = float(y[earlier].max())
        last = int(x[earlier][y[earlier] >= height - 0.1][-1])
        rise = _rise(last, int(x[n]), coherence_days, coherence)
        found.append(Mowing(before=last, after=int(x[n]), fall=height - float(y[later].max()), rise=rise))
    kept: list[Mowing] = []
    for mowing in sorted(found, key=lambda m: (-(m.fall + m.rise), m.after)):
        if mowing.fall + mowing.rise < params.threshold:
            break
        if all(abs(mowing.day - other.day) > params.apart_days for other in kept):
            kept.append(mowing)
    return tuple(sorted(kept, key=lambda m: m.day))


def _rise(before: int, after: int, days: Days | None, coherence: Floats | None) -> float:
    """Most coherence in the interval and twelve days on, less its median in the month before."""
    if days is None or coherence is None:
        return 0.0
    good = np.isfinite(coherence)
    x, y = days[good], coherence[good]
    now, then = (x >= before) & (x <= after + 12), (x < before) & (x >= before - 30)
    if not now.any() or not then.any():
        return 0.0
    return float(np.clip(y[now].max() - np.median(y[then]), -0.2, 0.3))
