"""A frozen model against sales as they close: error, bias and coverage by month and class, each with its interval.

And two models on the same later sales: a challenger is recommended only where it is better beyond chance, and in no
group worse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from geocollateral.errors import InvalidInput

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

RESAMPLES = 2000
MIN_GROUP = 100
"""Fewest sales of a group in which a challenger must not be worse."""
HIT_MARGIN = 0.02
"""A challenger may refuse this share of sales more than the champion, no more: refusing the hard ones is no merit."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure with its 95 % interval; all NaN where there is nothing to tell it from."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Window:
    """How the estimates of one month, class, or of all agree with prices."""

    name: str
    n: int
    """Sales that were valued."""
    n_refused: int
    mdape: Figure
    """Median absolute error [share of the price]."""
    pe10: Figure
    pe20: Figure
    """Share of estimates within 10 % and 20 % of the price."""
    bias: Figure
    """Median ratio of estimate and price, less one: negative where the model values too low."""
    coverage: Figure
    """Share of prices inside the interval of the model."""
    level: float
    """What the coverage should be."""

    def as_dict(self) -> dict[str, Any]:
        """JSON values; NaN becomes None."""
        return {key: _plain(value) for key, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """A model against later sales."""

    total: Window
    months: tuple[Window, ...]
    classes: tuple[Window, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "total": self.total.as_dict(),
            "months": [window.as_dict() for window in self.months],
            "classes": [window.as_dict() for window in self.classes],
        }


def backtest(
    told: pd.DataFrame, price: Floats, month: NDArray[np.object_], kind: NDArray[np.object_], level: float
) -> Backtest:
    """Compare what a model told with prices paid.

    Parameters
    ----------
    told
        Columns ``p05``, ``p50``, ``p95``, ``refused``, a row per sale, as `ValueModel.predict` gives them.
    price
        Shape (sale,): positive.
    month, kind
        Shape (sale,): name of the month and of the class of each sale.
    level
        Nominal share of prices inside the interval.
    """

    def window(name: str, rows: Mask) -> Window:
        return window_of(name, told[rows], price[rows], level)

    return Backtest(
        total=window("all", np.ones(len(price), bool)),
        months=tuple(window(str(m), month == m) for m in sorted(set(month))),
        classes=tuple(window(str(k), kind == k) for k in sorted(set(kind))),
    )


def window_of(name: str, told: pd.DataFrame, price: Floats, level: float) -> Window:
    """One window of a back-test."""
    valued = ~told["refused"].to_numpy(bool)
    p05, p50, p95 = (told[column].to_numpy(np.float64)[valued] for column in ("p05", "p50", "p95"))
    paid = price[valued]
    ratio = p50 / paid
    # 110 against 100 is an error of 10 %, whatever binary fractions make of it.
    error = np.abs(ratio - 1)
    return Window(
        name=name,
        n=int(valued.sum()),
        n_refused=int((~valued).sum()),
        mdape=median_figure(error),
        pe10=share_figure(int((error <= 0.10 + 1e-12).sum()), len(error)),
        pe20=share_figure(int((error <= 0.20 + 1e-12).sum()), len(error)),
        bias=median_figure(ratio, less=1.0),
        coverage=share_figure(int(((paid >= p05) & (paid <= p95)).sum()), len(error)),
        level=level,
    )


def share_figure(k: int, n: int) -> Figure:
    """A share with its interval (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    if n == 0:
        return Figure(value=math.nan, low=math.nan, high=math.nan)
    z = float(stats.norm.ppf(0.975))
    middle, half = (k + z * z / 2) / (n + z * z), z * math.sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return Figure(value=k / n, low=max(middle - half, 0.0), high=min(middle + half, 1.0))


def median_figure(values: Floats, less: float = 0.0) -> Figure:
    """A median with the interval of its order statistics; below six values the interval has no bounds."""
    n = len(values)
    if n == 0:
        return Figure(value=math.nan, low=math.nan, high=math.nan)
    ordered = np.sort(values) - less
    rank = int(stats.binom.ppf(0.025, n, 0.5))
    low, high = (float(ordered[rank - 1]), float(ordered[n - rank])) if n >= 6 else (-math.inf, math.inf)
    return Figure(value=float(np.median(ordered)), low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class Duel:
    """A challenger beside the champion, on the same later sales."""

    n: int
    """Sales that both value; all that is compared is of these."""
    hit_rate_champion: float
    hit_rate_challenger: float
    mdape_champion: float
    mdape_challenger: float
    difference: Figure
    """Challenger less champion in median absolute error, by paired bootstrap; negative: the challenger is better."""
    groups: Mapping[str, tuple[int, float]]
    """By group of `MIN_GROUP` sales or more: number, and difference of the median absolute errors."""
    coverage_challenger: Figure
    is_recommended: bool
    reasons: tuple[str, ...]
    """Why it is not recommended; empty where it is."""

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def duel(
    champion: pd.DataFrame,
    challenger: pd.DataFrame,
    price: Floats,
    groups: Mapping[str, NDArray[np.object_]],
    level: float,
    *,
    seed: int = 1,
) -> Duel:
    """Compare two models on the same sales.

    Parameters
    ----------
    champion, challenger
        What each told, a row per sale in one order.
    groups
        Shape (sale,) by name of what they are grouped by, such as class, region and size.
    level
        Nominal share of prices inside the interval.

    Raises
    ------
    InvalidInput
        There are fewer than 100 sales that both value: too few to replace a model on.
    """
    hits = [~told["refused"].to_numpy(bool) for told in (champion, challenger)]
    both = hits[0] & hits[1]
    if both.sum() < MIN_GROUP:
        raise InvalidInput(
            f"{int(both.sum())} later sales are valued by both models; at least {MIN_GROUP} are needed to compare them."
        )
    old, new = (np.abs(told["p50"].to_numpy(np.float64)[both] / price[both] - 1) for told in (champion, challenger))
    difference = _paired(old, new, seed)
    by_group = {}
    for what, names in groups.items():
        own = names[both]
        for name in sorted({str(value) for value in own if value is not None}):
            rows = own.astype(str) == name
            if rows.sum() >= MIN_GROUP:
                by_group[f"{what}={name}"] = (int(rows.sum()), float(np.median(new[rows]) - np.median(old[rows])))
    coverage = window_of("challenger", challenger[both], price[both], level).coverage
    rates = [float(hit.mean()) for hit in hits]
    reasons = []
    if not difference.high < 0:
        reasons.append("its median error is not smaller beyond chance")
    reasons += [f"it is worse in {name} by {d:.4f} (n = {n})" for name, (n, d) in by_group.items() if d > 0]
    if rates[1] < rates[0] - HIT_MARGIN:
        reasons.append(f"it values {rates[1]:.1%} of the sales, the champion {rates[0]:.1%}")
    if coverage.high < level:
        reasons.append(f"its interval holds {coverage.value:.1%} of prices, {level:.0%} are due")
    return Duel(
        n=int(both.sum()),
        hit_rate_champion=rates[0],
        hit_rate_challenger=rates[1],
        mdape_champion=float(np.median(old)),
        mdape_challenger=float(np.median(new)),
        difference=difference,
        groups=by_group,
        coverage_challenger=coverage,
        is_recommended=not reasons,
        reasons=tuple(reasons),
    )


def _paired(old: Floats, new: Floats, seed: int) -> Figure:
    rng = np.random.default_rng(seed)
    n = len(old)
    drawn = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        rows = rng.integers(n, size=n)
        drawn[i] = np.median(new[rows]) - np.median(old[rows])
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Figure(value=float(np.median(new) - np.median(old)), low=float(low), high=float(high))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


__all__ = ["Backtest", "Duel", "Figure", "Window", "backtest", "duel", "median_figure", "share_figure", "window_of"]
