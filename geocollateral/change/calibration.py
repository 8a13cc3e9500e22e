"""Thresholds from a budget of false alarms, and scores as probabilities.

A *score* orders alerts of one kind, in 0..1; what it means is learned from alerts that were held against the truth.

1. **Thresholds.** Each kind of alert gets a share of the budget of its class, in whole false alarms: equal shares, and
   what one kind leaves unused goes to those that need more (max-min fairness). Its threshold is the smallest that keeps
   to it.
2. **Probability.** The share of alerts of that score that were right: Platt's logistic curve on the log odds of the
   score where cases are few, a monotone step curve (isotonic regression) where they are many, one share where the score
   does not tell right from wrong.
3. **Another base rate.** A portfolio in which events are rarer than in the world the table was made on has more false
   alarms among its alerts: odds are scaled by the ratio of the rates.

Sources: Platt 1999, Probabilistic outputs for support vector machines; Zadrozny & Elkan 2002,
doi:10.1145/775047.775151 (isotonic); Ayer et al. 1955, doi:10.1214/aoms/1177728423 (pool adjacent violators); Saerens,
Latinne & Decaestecker 2002, doi:10.1162/089976602753284446 (base rate); Cox 1958, doi:10.1093/biomet/45.3-4.562
(calibration slope); Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2; Hanley & McNeil 1982,
doi:10.1148/radiology.143.1.7063747 (area under the curve).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from geocollateral.change.evaluation import threshold_for_budget
from geocollateral.change.intervals import CONFIDENCE, NOTHING, Figure, rate, share
from geocollateral.errors import InvalidInput

Floats = NDArray[np.float64]
Way = Literal["logistic", "isotonic", "share"]
FEWEST = 10
"""Alerts below which nothing is fitted: the interval of a share of nine is half as wide as all there is."""
MANY = 200
"""Alerts, and a fifth of them of the rarer outcome, from which a step curve is fitted: below, its steps are chance."""
EDGE = 1e-4
"""Scores are kept this far from 0 and 1 before their log odds are taken."""
POINTS = 9
"""Points of a logistic curve's table."""


# ----------------------------------------------------------------------------------------------------------- thresholds


def fair_shares(needs: Mapping[str, int], allowed: int, at_least: Mapping[str, int] | None = None) -> dict[str, int]:
    """Share out whole false alarms: equal shares, none more than it needs, the rest to those that need more.

    Parameters
    ----------
    needs
        By kind, the false alarms it would make at any score.
    allowed
        Of all kinds together.
    at_least
        By kind, what it has already; counted as shared out.
    """
    given = {kind: (at_least or {}).get(kind, 0) for kind in sorted(needs)}
    left = allowed - sum(given.values())
    while left > 0:
        short = sorted((given[kind], kind) for kind in given if given[kind] < needs[kind])
        if not short:
            break
        given[short[0][1]] += 1
        left -= 1
    return given


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """From which score on an alert is said, and what that costs."""

    score: float
    """``-inf``: every alert may be said; ``inf``: none."""
    false_per_100: Figure
    """False alerts at or above it per 100 quiet parcel-years."""


def thresholds_for_budget(
    false_scores: Mapping[str, Sequence[float] | Floats],
    parcel_years: float,
    budget: float,
    stricter: Mapping[str, Threshold] | None = None,
) -> dict[str, Threshold]:
    """Thresholds of the kinds of one class that keep all of them together within its budget.

    Parameters
    ----------
    false_scores
        By kind, the scores of its false alerts in quiet parcel-years; empty where there are none.
    parcel_years
        Quiet parcel-years of the class.
    budget
        False alerts allowed per 100 parcel-years, over all kinds.
    stricter
        Thresholds of a smaller budget: those found here are never above them, and what they let pass counts.

    Returns
    -------
    ``-inf`` for a kind all of whose false alerts fit in: nothing speaks against any of its scores.

    Raises
    ------
    InvalidInput
        No parcel-years, or a negative budget.
    """
    if parcel_years <= 0 or budget < 0:
        raise InvalidInput(
            f"parcel_years must be positive and budget not negative, got parcel_years {parcel_years}, budget {budget}"
        )
    known = {kind: _numbers(values) for kind, values in false_scores.items()}
    # A hair of slack: 3 alarms in 300 parcel-years are 1 per 100, whatever floating point makes of it.
    allowed = int(np.floor(budget * parcel_years / 100 * (1 + 1e-12)))
    passed = {kind: int((known[kind] >= one.score).sum()) for kind, one in (stricter or {}).items() if kind in known}
    given = fair_shares({kind: len(values) for kind, values in known.items()}, allowed, passed)
    found = {}
    for kind, values in known.items():
        score = threshold_for_budget(values, parcel_years, given[kind] * 100 / parcel_years)
        count = int((values >= score).sum())
        found[kind] = Threshold(score=score, false_per_100=rate(count, parcel_years, per=100))
    return found


def _numbers(values: Sequence[float] | Floats) -> Floats:
    found = np.asarray(values, np.float64)
    return found[~np.isnan(found)]


# ---------------------------------------------------------------------------------------------------------- probability


def information(scores: Floats, right: NDArray[np.bool_]) -> Figure:
    """Share of pairs of a right and a wrong alert in which the right one has the higher score; ties count half.

    A half: the score tells nothing. The interval is Hanley & McNeil's; NaN without both outcomes.
    """
    scores, right = _cases(scores, right)
    n_right, n_wrong = int(right.sum()), int((~right).sum())
    if not n_right or not n_wrong:
        return NOTHING
    ranks = stats.rankdata(scores)
    area = float((ranks[right].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))
    one, two = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (n_right - 1) * (one - area * area) + (n_wrong - 1) * (two - area * area)
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE / 2) * np.sqrt(max(spread, 0.0) / (n_right * n_wrong)))
    return Figure(value=area, low=max(area - reach, 0.0), high=min(area + reach, 1.0), n=len(scores))


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A monotone table from score to probability; straight between its points, level beyond them."""

    way: Way
    scores: tuple[float, ...]
    """Rising."""
    probabilities: tuple[float, ...]
    """Not falling, within 0..1."""

    def at(self, scores: Floats) -> Floats:
        """Probability of each score."""
        return np.interp(scores, self.scores, self.probabilities)


def calibrate(scores: Floats, right: NDArray[np.bool_]) -> Curve | None:
    """Learn what share of alerts of a score is right; None with fewer than `FEWEST` alerts.

    Both outcomes are smoothed as by one more case of each (Platt's targets), so that no probability is 0 or 1.

    Raises
    ------
    InvalidInput
        A score is not within 0..1, or there are not as many outcomes as scores.
    """
    scores, right = _cases(scores, right)
    if len(scores) < FEWEST:
        return None
    rarer = min(int(right.sum()), int((~right).sum()))
    if rarer and len(scores) >= MANY and rarer >= MANY / 5:
        steps = isotonic(scores, right)
        return Curve(way="isotonic", scores=tuple(steps[0].tolist()), probabilities=tuple(steps[1].tolist()))
    even = (float(right.sum()) + 1) / (len(scores) + 2)
    level = Curve(way="share", scores=(0.5,), probabilities=(even,))
    told = information(scores, right)
    if not rarer or not told.low > 0.5:
        return level
    level_odds, slope = platt(scores, right)
    if slope <= 0:
        return level
    places = np.unique(np.quantile(scores, np.linspace(0, 1, POINTS)))
    found = _expit(level_odds + slope * _log_odds(places))
    return Curve(way="logistic", scores=tuple(places.tolist()), probabilities=tuple(found.tolist()))


def platt(scores: Floats, right: NDArray[np.bool_], rounds: int = 50) -> tuple[float, float]:
    """Level and slope of the log odds of being right on the log odds of the score, by maximum likelihood (Newton).

    Targets are Platt's: ``(n + 1) / (n + 2)`` for right and ``1 / (n + 2)`` for wrong, so that the fit is finite.
    """
    n_right, n_wrong = int(right.sum()), int((~right).sum())
    target = np.where(right, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2))
    return _logistic(_log_odds(scores), target, rounds)[0]


def _logistic(x: Floats, target: Floats, rounds: int = 50) -> tuple[tuple[float, float], Floats]:
    """Level and slope of a logistic curve, and their covariance; steps are halved until the likelihood rises."""
    design = np.stack([np.ones_like(x), x], axis=1)
    beta = np.zeros(2)
    ridge = 1e-9 * np.eye(2)  # a constant x leaves the slope open: 0

    def loss(b: Floats) -> float:
        odds = design @ b
        return float((np.logaddexp(0, odds) - target * odds).sum())

    hessian = ridge
    for _ in range(rounds):
        p = _expit(design @ beta)
        hessian = (design * (p * (1 - p))[:, None]).T @ design + ridge
        step = np.linalg.solve(hessian, design.T @ (target - p))
        size = 1.0
        while size > 1e-6 and loss(beta + size * step) > loss(beta):
            size /= 2
        beta = beta + size * step
        if np.abs(size * step).max() < 1e-10:
            break
    return (float(beta[0]), float(beta[1])), np.asarray(np.linalg.inv(hessian), np.float64)


def isotonic(scores: Floats, right: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Monotone share of right alerts by pooling adjacent violators: scores of the steps' ends, and shares.

    Alerts of one score are one; each step is smoothed as by one more case of each outcome, and pooled again with its
    neighbours until the smoothed shares rise.
    """
    places, where = np.unique(scores, return_inverse=True)
    hits = np.bincount(where, weights=right.astype(float))
    cases = np.bincount(where).astype(float)
    pools: list[tuple[float, float, int, int]] = []  # hits, cases, first and last place
    for place in range(len(places)):
        pools.append((hits[place], cases[place], place, place))
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            a, b = pools[-2:]
            pools[-2:] = [(a[0] + b[0], a[1] + b[1], a[2], b[3])]
    at, shares = [], []
    for own, n, first, last in pools:
        for end in sorted({first, last}):
            at.append(places[end])
            shares.append((own + 1) / (n + 2))
    return np.array(at), np.maximum.accumulate(shares)


def shift_prior(probability: Floats, per_100_there: float, per_100_here: float) -> Floats:
    """Probability where events are rarer or more frequent than where it was learned.

    What is true of the score within events and within quiet time is taken to hold; then right alerts grow with the rate
    of events, and false ones with quiet time, of which nearly all time is: odds scale with the ratio of the rates.

    Parameters
    ----------
    per_100_there, per_100_here
        True events per 100 parcel-years where the probability was learned, and where it is used.

    Raises
    ------
    InvalidInput
        A rate is not positive.
    """
    if per_100_there <= 0 or per_100_here <= 0:
        raise InvalidInput(f"rates of events must be positive, got {per_100_there} there and {per_100_here} here")
    ratio = per_100_here / per_100_there
    return np.asarray(probability * ratio / (probability * ratio + 1 - probability))


# --------------------------------------------------------------------------------------------------------- verification


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Stated probabilities against what came true."""

    n: int
    stated: float
    """Mean stated probability [0-1]; NaN without cases."""
    came_true: Figure
    """Share that was right [0-1]."""
    brier: float
    """Mean squared distance of the probability from what came true: 0 is perfect; NaN without cases."""
    brier_of_share: float
    """The same for one who always states the share that was right: what the probabilities must beat."""
    slope: Figure
    """Slope of what came true on the stated log odds: 1 is perfect, below 1 too sure. NaN without both outcomes or
    with one probability for all."""
    bins: tuple[tuple[float, Figure], ...]
    """Mean stated probability and share that was right, of groups of about equal size."""


def reliability(probability: Floats, right: NDArray[np.bool_], n_bins: int = 5) -> Reliability:
    """Hold stated probabilities against what came true. NaN is left out.

    Raises
    ------
    InvalidInput
        A probability is not within 0..1, or there are not as many outcomes as probabilities.
    """
    probability, right = _cases(probability, right)
    n = len(probability)
    if not n:
        return Reliability(
            n=0, stated=np.nan, came_true=NOTHING, brier=np.nan, brier_of_share=np.nan, slope=NOTHING, bins=()
        )
    true = share(int(right.sum()), n)
    return Reliability(
        n=n,
        stated=float(probability.mean()),
        came_true=true,
        brier=float(((probability - right) ** 2).mean()),
        brier_of_share=true.value * (1 - true.value),
        slope=_slope(probability, right),
        bins=_bins(probability, right, n_bins),
    )


def _bins(probability: Floats, right: NDArray[np.bool_], n_bins: int) -> tuple[tuple[float, Figure], ...]:
    """Groups by quantiles; equal probabilities are never parted, so that the order of cases does not matter."""
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, n_bins + 1)[1:-1]))
    group = np.digitize(probability, edges)
    return tuple(
        (float(probability[group == one].mean()), share(int(right[group == one].sum()), int((group == one).sum())))
        for one in np.unique(group)
    )


def _slope(probability: Floats, right: NDArray[np.bool_]) -> Figure:
    x = _log_odds(probability)
    if right.all() or not right.any() or np.ptp(x) < 1e-9:
        return NOTHING
    # Where stated odds part right from wrong without a rest, the slope has no bound: Platt's targets keep it finite.
    n_right, n_wrong = int(right.sum()), int((~right).sum())
    parted = x[right].min() > x[~right].max()
    target = right.astype(float)
    if parted:
        target = np.where(right, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2))
    (_, slope), covariance = _logistic(x, target)
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE / 2) * np.sqrt(covariance[1, 1]))
    return Figure(value=slope, low=slope - reach, high=np.inf if parted else slope + reach, n=len(x))


def _cases(scores: Floats, right: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    scores, right = np.asarray(scores, np.float64), np.asarray(right, bool)
    if scores.shape != right.shape or scores.ndim != 1:
        raise InvalidInput(f"expected one outcome per score, got shapes {scores.shape} and {right.shape}")
    known = ~np.isnan(scores)
    scores, right = scores[known], right[known]
    if ((scores < 0) | (scores > 1)).any():
        raise InvalidInput(f"scores must lie within 0..1, got {scores.min()} to {scores.max()}")
    return scores, right


def _log_odds(p: Floats) -> Floats:
    kept = np.clip(p, EDGE, 1 - EDGE)
    return np.asarray(np.log(kept / (1 - kept)))


def _expit(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


__all__ = [
    "FEWEST",
    "Curve",
    "Reliability",
    "Threshold",
    "calibrate",
    "fair_shares",
    "information",
    "isotonic",
    "platt",
    "reliability",
    "shift_prior",
    "thresholds_for_budget",
]
