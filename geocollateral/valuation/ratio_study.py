"""Ratio studies: how well estimates agree with prices paid, by the measures that supervisors and assessors use.

A ratio is estimate / price. Definitions follow the IAAO Standard on Ratio Studies (2013): median ratio, coefficient of
dispersion (COD), price-related differential (PRD), price-related bias (PRB); the modified Kakwani index (MKI) follows
Quintos 2020, A Gini measure for vertical equity in property assessments, J. Prop. Tax Assess. Admin. 17(2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from geocollateral.errors import InvalidInput

Floats = NDArray[np.float64]
Met = Literal["met", "not met", "undecided", "too few"]

MIN_SALES = 20
"""Fewest sales on which a measure is held against a standard (IAAO, section 9.2.7)."""
TRIM_IQR = 3.0
"""Ratios further than this many interquartile ranges outside the quartiles are trimmed (IAAO, appendix B.1)."""
RESAMPLES = 1000
_ROUNDING = 1e-12
"""110 against 100 is an error of 10 %, whatever binary fractions make of it."""
_DRAWS = 20_000_000
"""Numbers drawn for one bootstrap at most: very large samples get fewer resamples, their intervals are narrow."""

STANDARDS: Mapping[str, tuple[float, float]] = {
    "median_ratio": (0.90, 1.10),
    "cod": (5.0, 20.0),
    "prd": (0.98, 1.03),
    "prb": (-0.05, 0.05),
    "mki": (0.95, 1.05),
}
"""Bounds of each measure; COD up to 15 for improved residential property (`COD_RESIDENTIAL`), up to 20 for land, farms
and all other property. A COD below 5 points to estimates that knew the prices, or to sales that are too alike."""
COD_RESIDENTIAL = (5.0, 15.0)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure with its 95 % interval."""

    value: float
    """NaN where it is not defined, such as the MKI of equal prices."""
    low: float
    high: float
    met: Met
    """``met``: inside its standard. ``not met``: outside, with the whole interval. ``undecided``: outside, but the
    interval reaches into it. ``too few``: fewer than `MIN_SALES` sales."""


@dataclass(frozen=True, kw_only=True)
class RatioStudy:
    """How a set of estimates agrees with prices."""

    n: int
    n_trimmed: int
    """Ratios left out as outliers; 0 where nothing was trimmed."""
    median_ratio: Measure
    cod: Measure
    """Coefficient of dispersion: mean absolute deviation of the ratios from their median [% of the median]."""
    prd: Measure
    """Price-related differential: mean ratio / price-weighted mean ratio; above 1 dear property is undervalued."""
    prb: Measure
    """Price-related bias: change of the ratio with each doubling of value [share of the median]."""
    mki: Measure
    """Modified Kakwani index: Gini coefficient of the estimates in the order of prices / that of the prices."""
    mean_ratio: float
    weighted_mean_ratio: float
    rank_correlation: float
    """Spearman's, of ratios and prices: what to read in place of the PRD with few sales; NaN where all are equal."""
    mdape: float
    """Median absolute error [share of the price]."""
    within_10: float
    within_20: float
    """Share of estimates within 10 % and 20 % of the price [0-1]."""
    strata: Mapping[str, RatioStudy]
    """The same by stratum, where strata were given."""

    def as_dict(self) -> dict[str, Any]:
        """JSON values; NaN becomes None."""
        return {str(k): _plain(v) for k, v in asdict(self).items()}


def ratio_study(
    estimates: ArrayLike,
    prices: ArrayLike,
    *,
    by: Sequence[object] | None = None,
    trim: bool = False,
    standards: Mapping[str, tuple[float, float]] = STANDARDS,
    seed: int = 0,
) -> RatioStudy:
    """Study the ratios of estimates to prices.

    Parameters
    ----------
    estimates, prices
        Shape (sale,): positive and finite, in one currency.
    by
        Shape (sale,): stratum of each sale, such as a region or class; None: no strata.
    trim
        Leave out ratios further than `TRIM_IQR` interquartile ranges outside the quartiles of the whole sample.
    standards
        Bounds of each measure.
    seed
        Of the bootstrap behind the intervals of COD, PRD and MKI; the same input gives the same figures.

    Returns
    -------
    Intervals of the median come from order statistics, that of the PRB from its regression, the others from a
    percentile bootstrap.

    Raises
    ------
    InvalidInput
        Lengths differ, fewer than two sales, or a number is not positive and finite.
    """
    estimate, price = _checked(estimates, prices)
    groups = None if by is None else np.asarray([str(label) for label in by], object)
    if groups is not None and len(groups) != len(price):
        raise InvalidInput(f"by: expected one stratum for each of {len(price)} sales, received {len(groups)}.")
    kept = ~is_outlier(estimate / price) if trim else np.ones(len(price), bool)
    whole = _study(estimate[kept], price[kept], int((~kept).sum()), standards, seed)
    if groups is None:
        return whole
    strata = {}
    for name in sorted(set(groups.tolist())):
        own = groups == name
        if (own & kept).sum() >= 2:
            strata[name] = _study(estimate[own & kept], price[own & kept], int((own & ~kept).sum()), standards, seed)
    return RatioStudy(**{**_fields(whole), "strata": strata})


def is_outlier(ratios: Floats) -> NDArray[np.bool_]:
    """Ratios further than `TRIM_IQR` interquartile ranges outside the quartiles; shape (sale,)."""
    low, high = np.quantile(ratios, [0.25, 0.75])
    reach = TRIM_IQR * (high - low)
    return np.asarray((ratios < low - reach) | (ratios > high + reach), bool)


def _checked(estimates: ArrayLike, prices: ArrayLike) -> tuple[Floats, Floats]:
    estimate, price = (np.asarray(values, np.float64) for values in (estimates, prices))
    if estimate.ndim != 1 or estimate.shape != price.shape:
        raise InvalidInput(
            f"Expected one estimate for each price, two rows of numbers of one length; received shapes "
            f"{estimate.shape} and {price.shape}."
        )
    if len(price) < 2:
        raise InvalidInput(f"A ratio study needs at least two sales; received {len(price)}.")
    for name, values in (("estimate", estimate), ("price", price)):
        wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(wrong):
            raise InvalidInput(
                f"Every {name} must be a positive number; {len(wrong)} of {len(values)} are not, the first at position "
                f"{wrong[0]}: {values[wrong[0]]}. Leave out what has no {name} (a refusal is no estimate)."
            )
    return estimate, price


def _study(
    estimate: Floats, price: Floats, n_trimmed: int, standards: Mapping[str, tuple[float, float]], seed: int
) -> RatioStudy:
    n = len(price)
    ratio = estimate / price
    spread = _bootstrap(estimate, price, seed)
    values = {"cod": _cod(ratio), "prd": _prd(estimate, price), "mki": _mki(estimate, price)}
    bands = {name: (values[name], *_range(spread[name])) for name in values}
    bands["median_ratio"] = (float(np.median(ratio)), *_median_interval(ratio))
    bands["prb"] = _prb(estimate, price)
    error = np.abs(ratio - 1)
    return RatioStudy(
        n=n,
        n_trimmed=n_trimmed,
        **{name: _measure(*band, standards[name], n) for name, band in bands.items()},
        mean_ratio=float(ratio.mean()),
        weighted_mean_ratio=float(estimate.sum() / price.sum()),
        rank_correlation=_rank_correlation(ratio, price),
        mdape=float(np.median(error)),
        within_10=float((error <= 0.10 + _ROUNDING).mean()),
        within_20=float((error <= 0.20 + _ROUNDING).mean()),
        strata={},
    )


def _measure(value: float, low: float, high: float, bounds: tuple[float, float], n: int) -> Measure:
    met: Met
    if n < MIN_SALES or not math.isfinite(value):
        met = "too few"
    elif bounds[0] <= value <= bounds[1]:
        met = "met"
    elif high < bounds[0] or low > bounds[1]:
        met = "not met"
    else:
        met = "undecided"
    return Measure(value=value, low=low, high=high, met=met)


def _cod(ratio: Floats) -> float:
    middle = np.median(ratio)
    return float(100 / middle * np.abs(ratio - middle).mean())


def _prd(estimate: Floats, price: Floats) -> float:
    return float((estimate / price).mean() / (estimate.sum() / price.sum()))


def _prb(estimate: Floats, price: Floats) -> tuple[float, float, float]:
    """Slope of the ratio's departure from the median on the binary logarithm of value, and its 95 % interval.

    Value is the mean of the price and of the estimate over the median ratio, so that an error in either does not by
    itself make a slope (IAAO, section 9.2.7 and appendix D).
    """
    ratio = estimate / price
    middle = np.median(ratio)
    departure = (ratio - middle) / middle
    value = np.log2((estimate / middle + price) / 2)
    n, centred = len(price), value - value.mean()
    scatter = float(centred @ centred)
    if n < 3 or scatter <= 1e-12:
        return float("nan"), float("nan"), float("nan")
    slope = float(centred @ departure / scatter)
    left = departure - departure.mean() - slope * centred
    error = math.sqrt(float(left @ left) / (n - 2) / scatter)
    reach = float(stats.t.ppf(0.975, n - 2)) * error
    return slope, slope - reach, slope + reach


def _mki(estimate: Floats, price: Floats) -> float:
    order = np.argsort(price, kind="stable")
    place = np.arange(1, len(price) + 1)

    def gini(values: Floats) -> float:
        return float(2 * (values * place).sum() / values.sum() - (len(values) + 1)) / len(values)

    of_prices = gini(price[order])
    return gini(estimate[order]) / of_prices if abs(of_prices) > 1e-12 else float("nan")


def _rank_correlation(ratio: Floats, price: Floats) -> float:
    if np.ptp(ratio) == 0 or np.ptp(price) == 0:
        return float("nan")
    return float(stats.spearmanr(ratio, price).statistic)


def _median_interval(ratio: Floats) -> tuple[float, float]:
    """Order statistics between which the median lies with at least 95 % (IAAO, appendix C.4); NaN where n < 6."""
    n = len(ratio)
    below = int(stats.binom.ppf(0.025, n, 0.5))  # smallest k with P(K <= k) >= 2.5 %
    if below < 1:
        return float("nan"), float("nan")
    ordered = np.sort(ratio)
    return float(ordered[below - 1]), float(ordered[n - below])


def _bootstrap(estimate: Floats, price: Floats, seed: int) -> dict[str, Floats]:
    n = len(price)
    rng = np.random.default_rng(seed)
    measures: dict[str, Callable[[Floats, Floats], float]] = {
        "cod": lambda e, p: _cod(e / p),
        "prd": _prd,
        "mki": _mki,
    }
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(int(np.clip(_DRAWS // n, 100, RESAMPLES))):
        drawn = rng.integers(0, n, n)
        e, p = estimate[drawn], price[drawn]
        for name, measure in measures.items():
            found[name].append(measure(e, p))
    return {name: np.asarray(values) for name, values in found.items()}


def _range(values: Floats) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


def _fields(study: RatioStudy) -> dict[str, Any]:
    return {name: getattr(study, name) for name in study.__dataclass_fields__}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


__all__ = ["COD_RESIDENTIAL", "MIN_SALES", "STANDARDS", "Measure", "RatioStudy", "is_outlier", "ratio_study"]
