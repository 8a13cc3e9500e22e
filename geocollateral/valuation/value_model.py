"""The learned value: a linear hedonic model, corrected by gradient boosting and by what sold nearby, with an interval.

1. The level of prices over time is taken out (`market_time`).
2. Six learners, all judged out of fold: the linear model; boosting of absolute and of squared errors of log prices;
   boosting of what the linear model leaves, told what the nearest sales left too (LightGBM: Ke et al. 2017); the linear
   model and what it left nearby; the nearest sales (`nearby`).
3. Their mix is the non-negative one with the smallest error out of fold (stacking: Wolpert 1992,
   doi:10.1016/S0893-6080(05)80023-1): where boosting does not beat the linear model it gets no weight.
4. The spread of errors is learned from the errors out of fold, and the interval is conformal on errors in units of that
   spread (Lei et al. 2018, doi:10.1080/01621459.2017.1307116), wider where past forecasts forward in time were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import nnls

from geocollateral.types import Params
from geocollateral.valuation.domain import Domain, domain_of
from geocollateral.valuation.folds import Folds, make_folds, units_of
from geocollateral.valuation.hedonic import PENALTIES, Hedonic, best_penalty, fit_hedonic
from geocollateral.valuation.intervals import MIN_TO_LEARN, Interval, fit_interval, groups_of
from geocollateral.valuation.market_time import FLAT, PriceLevel, price_level
from geocollateral.valuation.nearby import MIN_SALES, Kriging, Nearby, Sizes, drawn_in, kriging_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEARNERS = (
    "linear",
    "boosted, absolute errors",
    "boosted, squared errors",
    "linear corrected by boosting",
    "linear and what it left nearby",
    "nearest sales",
)
_EVERYWHERE = 4
"""The first learners need no places."""
_DRAWN = 100
"""Sales whose errors weigh as much as the wish for equal weights: few sales cannot tell one learner from another."""
_WEIGHT_OF_ALL = 20
"""Sales of a region that weigh as much as the median of all in its ratio to the baseline."""
_SURFACE_HELPS, _SURFACE_HARMS = 0.95, 1.10
"""Errors with a surface of places against those without: over all blocks of places, and at most in one of them."""
_CLEARLY = 0.99
"""A further step from the baseline must bring errors below this share of those of the plainer way."""
_MANY = 100_000
"""More sales than this are judged in three folds, and the level of prices is learned from a sample of this many."""


class ValueModelParams(Params):
    """Knobs of the learned value. The defaults serve 100 to 400,000 sales; nothing needs tuning by hand."""

    level: float = Field(0.90, gt=0.5, lt=1, description="Share of prices that the interval is to hold [0-1].")
    folds: int = Field(5, ge=3, le=10, description="Folds behind everything that is judged out of fold.")
    seed: int = Field(1, ge=0, description="Of every random choice; the same data give the same bytes.")
    threads: int = Field(1, ge=1, description="Threads of the booster; no result depends on them.")
    effort: float = Field(1.0, gt=0, le=4, description="Rounds of boosting against the usual; 0.2 is a quick look.")
    increasing: tuple[str, ...] = Field(
        (), description="Numbers with which the value never falls, all else alike, such as the area."
    )
    refusal_rate: float = Field(0.01, gt=0, lt=0.1, description="Share of good rows refused as unlike any sale [0-1].")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Size of the boosters by the number of sales."""

    rounds: int
    rate: float
    leaves: int
    in_leaf: int

    @staticmethod
    def of(n: int, share: float) -> Effort:
        """More sales bear larger trees, and need faster steps to end in minutes; fewer rounds take longer steps."""
        in_leaf = int(np.clip(n // 100, 5, 20))
        rounds, rate, leaves = (700, 0.05, 31) if n <= 30_000 else (600, 0.08, 63) if n <= 120_000 else (500, 0.12, 127)
        rounds, leaves = min(rounds, max(n // 4, 300)), min(leaves, max(n // 100, 7))
        return Effort(rounds=max(int(rounds * share), 20), rate=min(rate / share, 0.3), leaves=leaves, in_leaf=in_leaf)

    def small(self) -> Effort:
        """A third of the rounds, for what is asked roughly and often."""
        return replace(self, rounds=max(self.rounds // 3, 20), rate=min(1.5 * self.rate, 0.3))


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Features as a matrix of numbers: kinds by their place in a fixed list, NaN for missing and new ones."""

    names: tuple[str, ...]
    kinds: Mapping[str, tuple[str, ...]]

    @property
    def categorical(self) -> list[int]:
        """Columns that hold kinds."""
        return [n for n, name in enumerate(self.names) if name in self.kinds]

    def matrix(self, features: pd.DataFrame, xy: Floats | None, further: Sequence[Floats] = ()) -> Floats:
        """Shape (row, column): features in fixed order, then the place and its diagonals, then further columns."""
        columns: list[Floats] = []
        for name in self.names:
            if name in self.kinds:
                known = pd.Index(list(self.kinds[name]), dtype=object)
                code = known.get_indexer(pd.Index(features[name], dtype=object)).astype(np.float64)
                columns.append(np.where(code < 0, np.nan, code))
            else:
                columns.append(features[name].to_numpy(np.float64))
        if xy is not None:
            columns += [xy[:, 0], xy[:, 1], xy[:, 0] + xy[:, 1], xy[:, 0] - xy[:, 1]]
        columns += list(further)
        return np.column_stack(columns) if columns else np.zeros((len(features), 0))


@dataclass(frozen=True, kw_only=True)
class Members:
    """The learners, fitted on one set of rows."""

    encoder: Encoder
    linear: Hedonic
    nearby: Nearby | None
    boosters: tuple[lgb.Booster, ...]

    def predict(self, features: pd.DataFrame, xy: Floats | None) -> Floats:
        """Log prices, shape (row, learner)."""
        linear = self.linear.predict(features, xy)
        plain, told = self.encoder.matrix(features, xy), self.told(features, xy, linear)
        absolute, squared, corrected = self.boosters
        found = [linear, _predict(absolute, plain), _predict(squared, plain), linear + _predict(corrected, told)]
        if self.nearby is None or xy is None:
            return np.column_stack([*found, linear, linear])
        sizes = self.nearby.sizes.logs(features)
        return np.column_stack([*found, linear + self.nearby.left(xy), sizes + self.nearby.around(xy)])

    def told(self, features: pd.DataFrame, xy: Floats | None, linear: Floats) -> Floats:
        """What the booster that corrects the linear model is told, shape (row, column)."""
        return self.encoder.matrix(features, xy, [linear, *_nearby(self.nearby, xy, own=False)])


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What is made of a given baseline, such as a valuer's or an index's value."""

    kind: Literal["none", "region", "learned"]
    """``none``: the baseline as it is; ``region``: times its region's ratio; ``learned``: times what is learned."""
    region: str | None
    """Category whose kinds are the regions."""
    ratios: Mapping[str, float]
    """Median log ratio of price to baseline in each region, drawn to that of all the more the fewer its sales."""
    overall: float
    errors: Mapping[str, float]
    """Mean absolute log error out of fold of each way."""


@dataclass(frozen=True, kw_only=True)
class ValueModel:
    """A fitted model of prices."""

    members: Members
    weights: Floats
    """Shape (learner,)."""
    middle: float
    stretch: float
    """Departures of the mix from `middle` are multiplied by this."""
    level: PriceLevel
    interval: Interval
    domain: Domain
    folds: Folds
    out_of_fold: Floats
    """Log prices of the training rows at their own dates, out of fold. Shape (row,)."""
    importance: Mapping[str, float]
    params: ValueModelParams
    correction: Correction | None = None
    """None: values are learned without a baseline."""

    @property
    def uses_learners(self) -> bool:
        """Whether the learners' mix makes the value; no: a baseline is kept, or corrected by region."""
        return self.correction is None or self.correction.kind == "learned"

    def corrected(self, features: pd.DataFrame) -> Floats:
        """Log ratio to the baseline where the learners are not used, shape (row,)."""
        if self.correction is None or self.correction.kind == "none":
            return np.zeros(len(features))
        return _by_region(self.correction, features)

    def stretched(self, mixed: Floats) -> Floats:
        """Log values of a mix of learners, shape (row,)."""
        return self.middle + self.stretch * (mixed - self.middle)

    def predict(
        self, features: pd.DataFrame, xy: Floats | None, months: Floats | None, baseline: Floats | None = None
    ) -> pd.DataFrame:
        """Intervals of prices at given times; `baseline`: the given values, where the model corrects such.

        Returns
        -------
        Columns ``p05``, ``p50``, ``p95`` (the bounds of `ValueModelParams.level`, whatever it is), ``fsd`` (forecast
        standard deviation of the logarithm), ``refused`` and ``reason``; no number where refused.
        """
        told = self.members.predict(features, xy)
        log_price = self.stretched(told @ self.weights) if self.uses_learners else self.corrected(features)
        spread = self.interval.spreads(_spread_matrix(self.members, features, xy, told, log_price))
        spread = spread * self.interval.widening(months, spread)
        if self.uses_learners:
            log_price = log_price + self.level.at(months, len(features))
        reason = self.domain.refusals(features, xy, months, self.members.encoder.matrix(features, xy))
        if self.correction is not None:
            given = np.full(len(features), np.nan) if baseline is None else baseline
            with np.errstate(invalid="ignore", divide="ignore"):
                log_price = log_price + np.where(given > 0, np.log(given), np.nan)
            reason[~(given > 0)] = "the baseline is missing"
        refused = np.array([r is not None for r in reason], bool)
        out = pd.DataFrame(
            {
                "p05": np.exp(log_price + self.interval.low * spread),
                "p50": np.exp(log_price),
                "p95": np.exp(log_price + self.interval.high * spread),
                "fsd": self.interval.deviation * spread,
            },
            index=features.index,
        )
        out.loc[refused, :] = np.nan
        # The mix's own bias can place both quantiles on one side of it; the middle stays between.
        out["p05"], out["p95"] = out[["p05", "p50"]].min(axis=1), out[["p95", "p50"]].max(axis=1)
        out["refused"], out["reason"] = refused, reason
        return out


def fit_value_model(
    features: pd.DataFrame,
    xy: Floats | None,
    months: Floats | None,
    group: NDArray[np.object_] | None,
    price: Floats,
    params: ValueModelParams,
    *,
    where: Floats | None = None,
    baseline: Floats | None = None,
    region: str | None = None,
    alike: NDArray[np.object_] | None = None,
) -> ValueModel:
    """Fit on sales.

    Parameters
    ----------
    features
        Numbers as float64 with NaN, categories as text with None; one row per sale.
    xy, months, group
        Place, time and group of each sale; None where the table has none.
    price
        Positive prices.
    where
        Places that will be valued, from which the kind of folds follows.
    baseline
        Positive given values: what is learned is the ratio of prices to them, and used only where that is nearer to
        prices out of fold than the given values are.
    region
        Category whose kinds are the regions of a correction by region.
    alike
        Rows of one name say the same, and are never on both sides of a fold.
    """
    log_price = np.log(price) if baseline is None else np.log(price / baseline)
    units = units_of(len(price), group, xy, alike=alike)
    n_folds = params.folds if len(price) <= _MANY else 3
    folds = make_folds(units, xy, where, n_folds, params.seed)
    encoder = encoder_of(features)
    level = FLAT
    few = _sample(len(price), params.seed)
    if months is not None:
        own, own_xy, own_log = features[few], _take(xy, few), log_price[few]
        level = price_level(months[few], own_log - _quick(encoder, own, own_xy, own_log, folds.fold[few], params))
    adjusted = log_price - level.at(months, len(price))
    surface, penalty, linear_out = _linear(features, xy, adjusted, folds, params)
    how = _How(
        encoder=encoder,
        penalty=penalty,
        surface=surface,
        sizes=Sizes.of(features, price) if baseline is None else Sizes(name=None, middle=0.0),
        kriging=_kriging(xy, adjusted - linear_out, folds.fold, params.seed),
        params=params,
    )
    out, parts = np.empty((len(price), len(LEARNERS))), {}
    for fold in np.unique(folds.fold):
        own = folds.fold == fold
        part = _fit_members(how, features[~own], _take(xy, ~own), adjusted[~own], linear_out[~own])
        out[own] = part.predict(features[own], _take(xy, own))
        parts[int(fold)] = replace(part, boosters=())
    members = _fit_members(how, features, xy, adjusted, linear_out)
    weights = np.zeros(len(LEARNERS))
    used = len(LEARNERS) if members.nearby is not None else _EVERYWHERE
    weights[:used] = _mix(out[:, :used], adjusted)
    middle, stretch = _stretch(out @ weights, adjusted)
    mixed = middle + stretch * (out @ weights - middle)
    error, correction = adjusted - mixed, None
    if baseline is not None:
        correction, error = _correction(features, region, log_price, error, folds.fold)
        if correction.kind != "learned":
            mixed, level = log_price - error, FLAT
    interval = _interval(parts, features, xy, out, mixed, error, folds.fold, params)
    forward = 1.0
    if months is not None:
        forward = _forward_factor(encoder, features[few], _take(xy, few), months[few], log_price[few], params)
    importance = _importance(encoder, members)
    return ValueModel(
        members=members,
        weights=weights,
        middle=middle,
        stretch=stretch,
        level=level,
        interval=replace(
            interval,
            forward=forward,
            last_month=np.inf if months is None else float(months.max()),
            drift=level.drift,
        ),
        domain=_domain(encoder, features, xy, months, importance, folds.fold, params),
        folds=folds,
        out_of_fold=mixed + level.at(months, len(price)),
        importance=importance,
        params=params,
        correction=correction,
    )


def encoder_of(features: pd.DataFrame) -> Encoder:
    """The fixed order of columns and kinds of a training set."""
    kinds = {
        str(name): tuple(sorted(map(str, features[name].dropna().unique())))
        for name in features.columns
        if features[name].dtype == object
    }
    return Encoder(names=tuple(map(str, features.columns)), kinds=kinds)


@dataclass(frozen=True, kw_only=True)
class _How:
    """What the learners of all folds have in common."""

    encoder: Encoder
    penalty: float
    surface: bool
    """Whether the linear model has a surface of places."""
    sizes: Sizes
    kriging: Kriging | None
    params: ValueModelParams


def _linear(
    features: pd.DataFrame, xy: Floats | None, adjusted: Floats, folds: Folds, params: ValueModelParams
) -> tuple[bool, float, Floats]:
    """Whether the linear model has a surface of places, its penalty, and its predictions out of fold.

    Where whole places are asked for, a surface is followed beyond the sales it was bent to. There it is kept only if it
    brings errors clearly down and in no block of places raises them by much.
    """
    told = folds.fold, PENALTIES, params.increasing
    bent = best_penalty(features, xy, adjusted, *told)
    if xy is None or folds.kind == "random":
        return xy is not None, *bent
    plain = best_penalty(features, None, adjusted, *told)
    off, off_plain = np.abs(adjusted - bent[1]), np.abs(adjusted - plain[1])
    blocks = [folds.fold == f for f in np.unique(folds.fold)]
    worst = max(float(off[own].mean() / (off_plain[own].mean() + 1e-12)) for own in blocks)
    if off.mean() < _SURFACE_HELPS * off_plain.mean() and worst < _SURFACE_HARMS:
        return True, *bent
    return False, *plain


def _kriging(xy: Floats | None, residual: Floats, fold: Ints, seed: int) -> Kriging | None:
    if xy is None or (there := np.isfinite(xy).all(axis=1)).sum() < MIN_SALES:
        return None
    return kriging_of(xy[there], residual[there], fold[there], seed)


def _fit_members(how: _How, features: pd.DataFrame, xy: Floats | None, adjusted: Floats, linear_out: Floats) -> Members:
    """All learners on one set of rows; `linear_out` are the linear model's predictions out of fold."""
    encoder, params = how.encoder, how.params
    linear = fit_hedonic(features, xy if how.surface else None, adjusted, how.penalty, params.increasing)
    residual = adjusted - linear_out
    nearby = None
    if xy is not None and how.kriging is not None and (there := np.isfinite(xy).all(axis=1)).sum() >= MIN_SALES:
        paid = (adjusted - how.sizes.logs(features))[there]
        nearby = Nearby(xy=xy[there], residual=residual[there], paid=paid, sizes=how.sizes, kriging=how.kriging)
    plain = encoder.matrix(features, xy)
    told = encoder.matrix(features, xy, [linear_out, *_nearby(nearby, xy, own=True)])
    effort, kinds = Effort.of(len(features), params.effort), encoder.categorical
    rising = [n for n, name in enumerate(encoder.names) if name in params.increasing and n not in set(kinds)]
    # A correction may fall with the linear model's value no more than with the numbers in it.
    further = [*rising, plain.shape[1]] if rising else []
    return Members(
        encoder=encoder,
        linear=linear,
        nearby=nearby,
        boosters=(
            _boost(plain, adjusted, kinds, effort, params, "l1", rising),
            _boost(plain, linear_out + drawn_in(residual, 4), kinds, effort, params, "l2", rising),
            _boost(told, residual, kinds, effort, params, "l1", further),
        ),
    )


def _boost(
    matrix: Floats,
    target: Floats,
    categorical: list[int],
    effort: Effort,
    params: ValueModelParams,
    objective: str,
    rising: Sequence[int] = (),
) -> lgb.Booster:
    """A booster; `rising`: columns with which it never falls."""
    data = lgb.Dataset(matrix, target, categorical_feature=categorical, params={"verbose": -1})
    settings: dict[str, Any] = {
        "objective": objective,
        "learning_rate": effort.rate,
        "num_leaves": effort.leaves,
        "min_data_in_leaf": effort.in_leaf,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "cat_smooth": 20.0,
        "cat_l2": 20.0,
        "max_cat_threshold": 16,
        "seed": params.seed,
        "num_threads": params.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    if rising:
        settings["monotone_constraints"] = [int(column in set(rising)) for column in range(matrix.shape[1])]
        if objective == "l1":  # leaves of absolute errors are renewed after growth, which no constraint survives
            middle = np.median(target)
            settings |= {"objective": "huber", "alpha": max(0.3 * float(np.median(np.abs(target - middle))), 1e-3)}
    return lgb.train(settings, data, effort.rounds)


def _predict(booster: lgb.Booster, matrix: Floats) -> Floats:
    return np.asarray(booster.predict(matrix, num_threads=1), np.float64)


def _quick(
    encoder: Encoder, features: pd.DataFrame, xy: Floats | None, target: Floats, fold: Ints, params: ValueModelParams
) -> Floats:
    """Log prices out of fold by one small booster that knows no dates."""
    matrix, out = encoder.matrix(features, xy), np.empty(len(target))
    small = Effort.of(len(target), params.effort).small()
    for f in np.unique(fold):
        own = fold == f
        out[own] = _predict(_boost(matrix[~own], target[~own], encoder.categorical, small, params, "l1"), matrix[own])
    return out


def _mix(out: Floats, target: Floats) -> Floats:
    """Non-negative weights that add up to 1, drawn to equal ones the more the fewer sales there are."""
    n, m = out.shape
    middle = target.mean()
    scale = float(np.std(target - np.median(out, axis=1))) + 1e-9
    # Errors beyond three spreads are drawn in: a few prices between relatives do not choose the learner.
    drawn_in = np.median(out, axis=1) + np.clip(target - np.median(out, axis=1), -3 * scale, 3 * scale)
    prior = np.sqrt(_DRAWN) * scale * np.eye(m)
    system = np.vstack([out - middle, prior, 1e3 * np.sqrt(n) * np.ones((1, m))])
    right = np.concatenate([drawn_in - middle, prior @ np.full(m, 1 / m), [1e3 * np.sqrt(n)]])
    weights = nnls(system, right)[0]
    return np.asarray(weights / weights.sum(), np.float64)


def _correction(
    features: pd.DataFrame, region: str | None, log_ratio: Floats, learned: Floats, fold: Ints
) -> tuple[Correction, Floats]:
    """The way with the smallest error out of fold, the plainest where they are as good, and its errors."""
    by_region = np.empty(len(log_ratio))
    for f in np.unique(fold):
        own = fold == f
        by_region[own] = _by_region(_ratios(features[~own], region, log_ratio[~own]), features[own])
    found = {"none": log_ratio, "region": log_ratio - by_region, "learned": learned}
    errors = {kind: float(np.abs(error).mean()) for kind, error in found.items()}
    kind: Literal["none", "region", "learned"] = "none"
    if errors["region"] < _CLEARLY * errors[kind]:
        kind = "region"
    if errors["learned"] < _CLEARLY * errors[kind]:
        kind = "learned"
    return replace(_ratios(features, region, log_ratio), kind=kind, errors=errors), found[kind]


def _ratios(features: pd.DataFrame, region: str | None, log_ratio: Floats) -> Correction:
    overall, ratios = float(np.median(log_ratio)), {}
    if region is not None:
        grouped = pd.Series(log_ratio).groupby(features[region].to_numpy(object)).agg(["median", "size"])
        drawn = overall + (grouped["median"] - overall) * grouped["size"] / (grouped["size"] + _WEIGHT_OF_ALL)
        ratios = {str(name): float(value) for name, value in drawn.items()}
    return Correction(kind="region", region=region, ratios=ratios, overall=overall, errors={})


def _by_region(correction: Correction, features: pd.DataFrame) -> Floats:
    if correction.region is None:
        return np.full(len(features), correction.overall)
    found = features[correction.region].map(dict(correction.ratios)).astype("float64")
    return np.asarray(found.fillna(correction.overall).to_numpy(np.float64), np.float64)


def _stretch(mixed: Floats, target: Floats) -> tuple[float, float]:
    """Middle of the values and the factor on departures from it that learned values lack.

    A mix with the smallest error draws values to their middle: dear property is valued too low. Its spread is brought
    towards that of prices, as far as neither the mean nor the median error out of fold grows by more than three
    thousandths.
    """
    middle = float(np.median(mixed))
    error = target - mixed
    if len(mixed) < MIN_TO_LEARN or np.var(mixed) <= 0:
        return middle, 1.0
    full = float(np.sqrt(1 + np.var(np.clip(error, *np.quantile(error, [0.005, 0.995]))) / np.var(mixed)))

    def errors(factor: float) -> Floats:
        size = np.abs(middle + factor * (mixed - middle) - target)
        return np.array([size.mean(), np.median(size)])

    best, bound = 1.0, 1.003 * errors(1.0)
    for factor in np.linspace(1.0, min(full, 1.15), 9)[1:]:
        if (errors(float(factor)) > bound).any():
            break
        best = float(factor)
    return middle, best


def _spread_matrix(members: Members, features: pd.DataFrame, xy: Floats | None, told: Floats, mixed: Floats) -> Floats:
    """What the spread of errors may hang on: the features, the value, how the learners differ, what was sold near."""
    further = [mixed, np.log(told.std(axis=1) + 1e-3), told[:, 0] - mixed]
    if members.nearby is not None and xy is not None:
        further += members.nearby.doubts(xy)
    return members.encoder.matrix(features, xy, further)


def _interval(
    parts: Mapping[int, Members],
    features: pd.DataFrame,
    xy: Floats | None,
    told: Floats,
    mixed: Floats,
    error: Floats,
    fold: Ints,
    params: ValueModelParams,
) -> Interval:
    """Each row's doubts by the members that did not know it."""
    pieces = {
        f: _spread_matrix(part, features[fold == f], _take(xy, fold == f), told[fold == f], mixed[fold == f])
        for f, part in parts.items()
    }
    matrix = np.full((len(error), max(piece.shape[1] for piece in pieces.values())), np.nan)
    for f, piece in pieces.items():
        matrix[fold == f, : piece.shape[1]] = piece
    encoder = next(iter(parts.values())).encoder
    effort = Effort(rounds=150, rate=0.05, leaves=15, in_leaf=max(30, len(error) // 200))

    def boost(given: Floats, target: Floats) -> lgb.Booster:
        return _boost(given, target, encoder.categorical, effort, params, "l2")

    return fit_interval(matrix, error, fold, groups_of(features, mixed), params.level, boost)


def _forward_factor(
    encoder: Encoder,
    features: pd.DataFrame,
    xy: Floats | None,
    months: Floats,
    log_price: Floats,
    params: ValueModelParams,
) -> float:
    """How much wider errors are when the past values the future: the worst of three replays within the sales."""
    fold = np.arange(len(months)) % 3
    inside = np.abs(log_price - _leveled(encoder, features, xy, months, log_price, fold, params))
    usual = float(np.quantile(inside, params.level))
    factors = []
    for share in (0.7, 0.8, 0.9):
        cut = float(np.quantile(months, share))
        past, after = months < cut, months >= cut
        if past.sum() < 100 or after.sum() < 50:
            continue
        told = _one_forward(encoder, features, xy, months, log_price, past, after, params)
        factors.append(float(np.quantile(np.abs(log_price[after] - told), params.level)) / usual)
    return float(np.clip(max(factors), 1.0, 2.5)) if factors else 1.0


def _leveled(
    encoder: Encoder,
    features: pd.DataFrame,
    xy: Floats | None,
    months: Floats,
    log_price: Floats,
    fold: Ints,
    params: ValueModelParams,
) -> Floats:
    """Out of fold, the level of prices known."""
    rough = _quick(encoder, features, xy, log_price, fold, params)
    level = price_level(months, log_price - rough).at(months, len(months))
    return _quick(encoder, features, xy, log_price - level, fold, params) + level


def _one_forward(
    encoder: Encoder,
    features: pd.DataFrame,
    xy: Floats | None,
    months: Floats,
    log_price: Floats,
    past: NDArray[np.bool_],
    after: NDArray[np.bool_],
    params: ValueModelParams,
) -> Floats:
    own, own_xy = features[past], _take(xy, past)
    fold = np.arange(int(past.sum())) % 3
    rough = _quick(encoder, own, own_xy, log_price[past], fold, params)
    level = price_level(months[past], log_price[past] - rough)
    small = Effort.of(int(past.sum()), params.effort).small()
    target = log_price[past] - level.at(months[past], int(past.sum()))
    booster = _boost(encoder.matrix(own, own_xy), target, encoder.categorical, small, params, "l1")
    return _predict(booster, encoder.matrix(features[after], _take(xy, after)))


def _domain(
    encoder: Encoder,
    features: pd.DataFrame,
    xy: Floats | None,
    months: Floats | None,
    importance: Mapping[str, float],
    fold: Ints,
    params: ValueModelParams,
) -> Domain:
    """What the sales cover; what to expect of a number is a small booster's guess."""
    effort = Effort(rounds=60, rate=0.1, leaves=15, in_leaf=20)
    return domain_of(
        features,
        xy,
        importance,
        fold,
        months=months,
        matrix=encoder.matrix(features, xy),
        boost=lambda given, target: _boost(given, target, encoder.categorical, effort, params, "l2"),
        refusal_rate=params.refusal_rate,
        seed=params.seed,
    )


def _importance(encoder: Encoder, members: Members) -> dict[str, float]:
    """Share of the gain of each feature, over the two boosters of prices."""
    gain = np.zeros(len(encoder.names))
    for booster in members.boosters[:2]:
        own = np.asarray(booster.feature_importance("gain"), np.float64)[: len(encoder.names)]
        gain += own / max(float(own.sum()), 1e-12)
    total = max(float(gain.sum()), 1e-12)
    return {name: float(g / total) for name, g in zip(encoder.names, gain, strict=True)}


def _nearby(nearby: Nearby | None, xy: Floats | None, *, own: bool) -> list[Floats]:
    return [] if nearby is None or xy is None else nearby.columns(xy, own)


def _sample(n: int, seed: int) -> NDArray[np.bool_]:
    """Rows from which levels and replays are learned: all of them, or a random part of very many. Shape (n,)."""
    if n <= _MANY:
        return np.ones(n, bool)
    found = np.zeros(n, bool)
    found[np.random.default_rng(seed).choice(n, _MANY, replace=False)] = True
    return found


def _take(xy: Floats | None, rows: NDArray[np.bool_]) -> Floats | None:
    return None if xy is None else xy[rows]


__all__ = ["LEARNERS", "Correction", "ValueModel", "ValueModelParams", "fit_value_model"]
