"""The monitor ``seasonal``: one pass over time, many series at once.

Each new clear look is compared with what the seasonal baseline expects on that day. A look counts as a hit only if the
drop (or rise) is both unlikely and large, *and* if the change would have been visible on that day at all: a leafless
deciduous stand and a felled one look alike; such a look is uninformative and neither confirms nor clears a suspicion.
A break is confirmed by several hits among the next informative looks; until then it is a suspicion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.change.harmonic import Floats, HarmonicFit, design, design_slope, fit_harmonics
from geocollateral.types import CANNOT_TELL, CONFIRMED, STABLE, SUSPECTED, UNSTABLE_HISTORY, Params

Direction = Literal["down", "up", "both"]


class SeasonalParams(Params):
    """Knobs of the monitor ``seasonal``. Values with [unit] are in the unit of the series."""

    harmonics: int = Field(3, ge=0, le=4, description="Yearly harmonics of the seasonal baseline.")
    amplitude_prior: float = Field(
        0.25, gt=0, description="Prior sd of the first harmonic [unit]; the k-th has 1/k^1.5 of it."
    )
    noise_floor: float = Field(0.03, gt=0, description="Smallest noise of a clear look assumed [unit].")
    timing_days: float = Field(
        12.0,
        ge=0,
        description="How far seasons shift between years, sd, widened for the smooth curve's gentler slopes [days].",
    )
    season_shift: float = Field(
        1.0,
        ge=0,
        description="A hit lies outside all that the season gives when moved by up to this many timing_days [1].",
    )
    min_history_looks: int = Field(9, ge=4, description="Fewest clear looks a baseline may rest on.")
    min_history_days: float = Field(330.0, ge=0, description="Shortest history a baseline may rest on [days].")
    huber: float = Field(1.345, gt=0, description="Huber constant of the history fit.")
    z_limit: float = Field(3.0, gt=0, description="A hit is at least this many predictive spreads from the baseline.")
    min_magnitude: float = Field(0.12, gt=0, description="A hit is at least this far from the baseline [unit].")
    direction: Direction = Field("both", description="Which way a change of interest goes.")
    changed_level: float | None = Field(
        None,
        description="Level of the series once changed [unit], e.g. cleared ground; looks on which the baseline itself "
        "is near it are uninformative. None: every look is informative.",
    )
    confirm_looks: int = Field(3, ge=1, description="Hits that confirm a break.")
    allowed_misses: int = Field(1, ge=0, description="Informative looks without a hit tolerated among them.")
    max_gap_days: float = Field(
        120.0,
        gt=0,
        description="Hits further apart do not date each other: the run starts anew at the later one, and its interval "
        "reaches back to before the first [days].",
    )
    full_share: float = Field(
        0.6,
        ge=0,
        le=1,
        description="The break is dated to the first hit that reaches this share of the run's greatest departure, both "
        "measured against a full change on their day; needs changed_level.",
    )
    recover_looks: int = Field(3, ge=1, description="Consecutive informative looks near the baseline that end a break.")


@dataclass(frozen=True, kw_only=True)
class SeasonalResult:
    """Outcome per series; times are positions in the time axis, -1 = none."""

    status: NDArray[np.int8]
    break_at: NDArray[np.int32]
    """First hit of the run: first clear look after the change."""
    last_before: NDArray[np.int32]
    """Last informative look that agreed with the baseline before it."""
    detected_at: NDArray[np.int32]
    recovered_at: NDArray[np.int32]
    magnitude: Floats
    """Mean departure over the hits [unit]; NaN without a run."""
    probability: Floats
    """Posterior probability of a change; NaN where the status is ``cannot_tell``."""
    n_looks: NDArray[np.int32]
    n_informative: NDArray[np.int32]
    """Looks after the history on which a change would have been seen."""
    first_informative: NDArray[np.int32]
    last_informative: NDArray[np.int32]
    expected: Floats
    """Shape (time, series): baseline as known before each look, over the history its fit; NaN without a baseline."""
    spread: Floats
    """Shape (time, series): predictive spread of ``expected``."""
    informative: NDArray[np.bool_]
    """Shape (time, series): a change would be visible on that day, had there been a clear look."""
    season_max: Floats
    season_min: Floats
    """Highest and lowest value the baseline takes on the looks of the history [unit]; NaN without a baseline."""


def monitor_seasonal(values: Floats, days: Floats, history_end: float | None, params: SeasonalParams) -> SeasonalResult:
    """Monitor many series for departures from their season.

    Parameters
    ----------
    values
        Shape (time, series), time rising; NaN = no clear look.
    days
        Shape (time,): days since a fixed epoch.
    history_end
        Last day of the history, or None: each series' history is its shortest beginning that satisfies
        ``min_history_looks`` and ``min_history_days``.
    """
    n_time, n_series = values.shape
    if not n_time:  # no look is too few looks, not an error: one empty day says so
        nothing = monitor_seasonal(np.full((1, n_series), np.nan), np.zeros(1), history_end, params)
        return replace(
            nothing, expected=nothing.expected[:0], spread=nothing.spread[:0], informative=nothing.informative[:0]
        )
    seen = np.isfinite(values)
    history, adequate = split_history(seen, days, history_end, params)
    regressors, slopes = design(days, params.harmonics), design_slope(days, params.harmonics)
    prior_sd = np.array(
        [np.inf] + [params.amplitude_prior / k**1.5 for k in range(1, params.harmonics + 1) for _ in range(2)]
    )
    fit = fit_harmonics(
        np.where(history, values, np.nan),
        regressors,
        prior_sd=prior_sd,
        sigma_floor=params.noise_floor,
        huber=params.huber,
    )
    intact = history & _shows_unchanged(values, fit.sigma, params)
    state = _State.start(fit.normal, fit.moment, fit.sigma, history, intact, params)
    trace = _Trace.empty(n_time, n_series)
    shift = params.season_shift * params.timing_days
    moved = np.stack([design(days + part * shift, params.harmonics) for part in (-1.0, -0.5, 0.5, 1.0)], axis=1)
    for now in range(n_time):
        state.step(
            now, days[now], values[now], history[now], adequate, regressors[now], slopes[now], moved[now], params, trace
        )
    unstable = _unstable_history(values, history, fit, regressors, slopes, params)
    fitted = np.where(history & adequate, regressors @ fit.coefficients.T, np.nan)
    return state.finish(seen, adequate, trace, unstable, fitted)


def split_history(
    seen: NDArray[np.bool_], days: Floats, history_end: float | None, params: SeasonalParams
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which looks are history, shape (time, series), and which series have enough of it, shape (series,)."""
    count = np.cumsum(seen, axis=0)
    first = np.where(seen.any(axis=0), days[np.argmax(seen, axis=0)], np.nan)
    span = days[:, None] - first
    enough = seen & (count >= params.min_history_looks) & (span >= params.min_history_days)
    if history_end is not None:
        inside = days <= history_end
        return seen & inside[:, None], np.any(enough & inside[:, None], axis=0)
    adequate = np.any(enough, axis=0)
    last = np.where(adequate, np.argmax(enough, axis=0), len(days))
    return seen & (np.arange(len(days))[:, None] <= last), adequate


def _unstable_history(
    values: Floats,
    history: NDArray[np.bool_],
    fit: HarmonicFit,
    regressors: Floats,
    slopes: Floats,
    params: SeasonalParams,
) -> NDArray[np.bool_]:
    """A history that itself holds a run of hits cannot serve as a baseline."""
    expected = regressors @ fit.coefficients.T
    timing = params.timing_days * (slopes @ fit.coefficients.T)
    spread = np.sqrt(np.square(fit.sigma) + np.square(timing))
    residual = values - expected
    limit = np.maximum(params.z_limit * spread, params.min_magnitude)
    run = np.zeros(values.shape[1], np.int32)
    sign = np.zeros(values.shape[1])
    longest = np.zeros(values.shape[1], np.int32)
    for now in range(len(values)):
        with np.errstate(invalid="ignore"):
            out = history[now] & (np.abs(residual[now]) > limit[now])
        side = np.sign(np.where(out, residual[now], 0.0))
        run = np.where(history[now], np.where(out, np.where(side == sign, run + 1, 1), 0), run)
        sign = np.where(history[now], side, sign)
        longest = np.maximum(longest, run)
    return longest >= params.confirm_looks


@dataclass
class _Trace:
    expected: Floats
    spread: Floats
    informative: NDArray[np.bool_]

    @classmethod
    def empty(cls, n_time: int, n_series: int) -> _Trace:
        return cls(
            np.full((n_time, n_series), np.nan),
            np.full((n_time, n_series), np.nan),
            np.zeros((n_time, n_series), bool),
        )


@dataclass
class _State:
    """All that is remembered between two looks."""

    covariance: Floats  # (series, k, k), in units of sigma^2
    coefficients: Floats  # (series, k)
    squares: Floats  # sum of squared residuals
    weight: Floats  # and how many looks it holds
    sigma: Floats
    hits: NDArray[np.int32]
    misses: NDArray[np.int32]
    side: Floats  # sign of the running suspicion
    total: Floats  # sum of departures over the hits
    hit_at: NDArray[np.int32]  # (confirm_looks, series): the hits of the run
    hit_share: Floats  # (confirm_looks, series): their departures as a share of a full change's
    last_hit: Floats  # day of the newest hit of the run
    log_odds: Floats
    break_at: NDArray[np.int32]
    last_before: NDArray[np.int32]
    last_normal: NDArray[np.int32]
    detected_at: NDArray[np.int32]
    recover: NDArray[np.int32]
    recover_from: NDArray[np.int32]
    recovered_at: NDArray[np.int32]
    n_informative: NDArray[np.int32]
    first_informative: NDArray[np.int32]
    last_informative: NDArray[np.int32]

    @classmethod
    def start(
        cls,
        normal: Floats,
        moment: Floats,
        sigma: Floats,
        history: NDArray[np.bool_],
        intact: NDArray[np.bool_],
        params: SeasonalParams,
    ) -> _State:
        n = len(sigma)
        covariance = np.linalg.inv(normal)
        looks = history.sum(axis=0).astype(np.float64)
        k = normal.shape[1]
        # The spread of a short history is itself uncertain: the noise floor enters as k looks' worth of prior.
        freedom = np.maximum(looks - k / 2, 1.0)
        squares = np.square(sigma) * freedom + k * params.noise_floor**2
        weight = freedom + k
        none = np.full(n, -1, np.int32)
        zero = np.zeros(n, np.int32)
        # Where no look of the history shows the thing plainly, a break may be as old as the first of them.
        first = np.where(history.any(axis=0), np.argmax(history, axis=0), -1)
        last_intact = np.where(intact.any(axis=0), len(intact) - 1 - np.argmax(intact[::-1], axis=0), first)
        return cls(
            covariance=covariance,
            coefficients=np.einsum("nij,nj->ni", covariance, moment),
            squares=squares,
            weight=weight,
            sigma=np.maximum(np.sqrt(squares / weight), params.noise_floor),
            hits=zero.copy(),
            misses=zero.copy(),
            side=np.zeros(n),
            total=np.zeros(n),
            hit_at=np.full((params.confirm_looks, n), -1, np.int32),
            hit_share=np.zeros((params.confirm_looks, n)),
            last_hit=np.full(n, np.nan),
            log_odds=np.full(n, PRIOR_LOG_ODDS),
            break_at=none.copy(),
            last_before=none.copy(),
            last_normal=last_intact.astype(np.int32),
            detected_at=none.copy(),
            recover=zero.copy(),
            recover_from=none.copy(),
            recovered_at=none.copy(),
            n_informative=zero.copy(),
            first_informative=none.copy(),
            last_informative=none.copy(),
        )

    def step(
        self,
        now: int,
        day: float,
        value: Floats,
        in_history: NDArray[np.bool_],
        adequate: NDArray[np.bool_],
        x: Floats,
        dx: Floats,
        moved: Floats,
        params: SeasonalParams,
        trace: _Trace,
    ) -> None:
        expected = self.coefficients @ x
        leverage = np.einsum("nij,i,j->n", self.covariance, x, x)
        timing = params.timing_days * (self.coefficients @ dx)
        spread = np.sqrt(np.square(self.sigma) * (1 + leverage) + np.square(timing))
        limit = np.maximum(params.z_limit * spread, params.min_magnitude)
        # What an early or late season would show on this day is no change: the slope alone does not know where it ends.
        around = self.coefficients @ moved.T - expected[:, None]
        noise = params.z_limit * self.sigma
        limit_down = np.maximum(limit, noise - np.minimum(around.min(axis=1), 0.0))
        limit_up = np.maximum(limit, noise + np.maximum(around.max(axis=1), 0.0))
        visible = _visible(expected, limit_down, limit_up, params)
        trace.expected[now], trace.spread[now], trace.informative[now] = expected, spread, visible
        residual = value - expected
        look = np.isfinite(value) & ~in_history & adequate
        with np.errstate(invalid="ignore"):
            hit = look & visible & ((residual < -limit_down) | (residual > limit_up))
        share = np.abs(residual) / _full_change(expected, params)
        unclear = ~hit & _half_changed(residual, share, params)
        informative = look & ~unclear & (visible | _plainly_unchanged(value, self.sigma, params))
        side = np.sign(np.where(hit, residual, 0.0))
        if params.direction != "both":
            wanted = -1.0 if params.direction == "down" else 1.0
            hit &= side == wanted
        open_case = self.detected_at < 0
        self.n_informative += informative
        self.first_informative[informative & (self.first_informative < 0)] = now
        self.last_informative[informative] = now
        self._suspect(now, day, residual, share, spread, hit, side, informative, open_case, params)
        self._recover(now, informative, hit, open_case, params)
        normal = look & ~hit & open_case & (self.hits == 0) & (np.abs(residual) <= params.z_limit * spread)
        self.last_normal[informative & ~hit & open_case & _shows_unchanged(value, self.sigma, params)] = now
        self._learn(normal, residual, leverage, timing, x, params)

    def _suspect(
        self,
        now: int,
        day: float,
        residual: Floats,
        share: Floats,
        spread: Floats,
        hit: NDArray[np.bool_],
        side: Floats,
        informative: NDArray[np.bool_],
        open_case: NDArray[np.bool_],
        params: SeasonalParams,
    ) -> None:
        flipped = hit & (self.hits > 0) & (side != self.side)
        miss = informative & open_case & (self.hits > 0) & (~hit | flipped)
        self.misses[miss] += 1
        ended = miss & ((self.misses > params.allowed_misses) | flipped)
        self._clear(ended)
        with np.errstate(invalid="ignore"):
            apart = hit & open_case & (self.hits > 0) & (day - self.last_hit > params.max_gap_days)
        self._clear(apart)
        begins = hit & open_case & (self.hits == 0)
        self.break_at[begins] = now
        self.last_before[begins] = self.last_normal[begins]
        self.side[begins] = side[begins]
        counted = hit & open_case & (side == self.side)
        which = np.flatnonzero(counted)
        self.hit_at[self.hits[which], which] = now
        self.hit_share[self.hits[which], which] = share[which]
        self.hits[counted] += 1
        self.last_hit[counted] = day
        self.total[counted] += residual[counted]
        weighed = informative & open_case & (self.hits > 0)
        self.log_odds[weighed] += _evidence(residual[weighed], spread[weighed], self.side[weighed], params)
        confirmed = counted & (self.hits >= params.confirm_looks)
        self.detected_at[confirmed] = now
        if params.changed_level is not None:
            self._date_again(np.flatnonzero(confirmed), params)

    def _date_again(self, which: NDArray[np.intp], params: SeasonalParams) -> None:
        """Move the break past early hits that were slight against the later ones: an early autumn is not a felling."""
        share = self.hit_share[:, which]
        first = np.argmax(share >= params.full_share * share.max(axis=0), axis=0)
        moved, column = which[first > 0], np.flatnonzero(first > 0)
        self.break_at[moved] = self.hit_at[first[column], moved]
        self.last_before[moved] = self.hit_at[first[column] - 1, moved]

    def _clear(self, ended: NDArray[np.bool_]) -> None:
        self.hits[ended] = 0
        self.misses[ended] = 0
        self.side[ended] = 0
        self.total[ended] = 0
        self.log_odds[ended] = PRIOR_LOG_ODDS
        self.break_at[ended] = -1
        self.last_before[ended] = -1

    def _recover(
        self,
        now: int,
        informative: NDArray[np.bool_],
        hit: NDArray[np.bool_],
        open_case: NDArray[np.bool_],
        params: SeasonalParams,
    ) -> None:
        broken = ~open_case & (self.recovered_at < 0) & informative
        near = broken & ~hit
        self.recover_from[near & (self.recover == 0)] = now
        self.recover[near] += 1
        self.recover[broken & hit] = 0
        done = near & (self.recover >= params.recover_looks)
        self.recovered_at[done] = self.recover_from[done]

    def _learn(
        self,
        normal: NDArray[np.bool_],
        residual: Floats,
        leverage: Floats,
        timing: Floats,
        x: Floats,
        params: SeasonalParams,
    ) -> None:
        """Let a look that agrees with the baseline refine it (recursive least squares)."""
        if not normal.any():
            return
        r, lev = residual[normal], leverage[normal]
        # Where seasons shift from year to year a residual says little about the curve: its weight is its noise's share.
        weight = np.square(self.sigma[normal]) / (np.square(self.sigma[normal]) + np.square(timing[normal]))
        gain = np.einsum("nij,j->ni", self.covariance[normal], x) * (weight / (1 + weight * lev))[:, None]
        self.coefficients[normal] += gain * r[:, None]
        projected = np.einsum("j,nji->ni", x, self.covariance[normal])
        self.covariance[normal] -= gain[:, :, None] * projected[:, None, :]
        self.squares[normal] += weight * np.square(r) / (1 + weight * lev)
        self.weight[normal] += weight
        self.sigma[normal] = np.maximum(np.sqrt(self.squares[normal] / self.weight[normal]), params.noise_floor)

    def finish(
        self,
        seen: NDArray[np.bool_],
        adequate: NDArray[np.bool_],
        trace: _Trace,
        unstable: NDArray[np.bool_],
        fitted: Floats,
    ) -> SeasonalResult:
        status = np.full(len(adequate), STABLE, np.int8)
        status[self.hits > 0] = SUSPECTED
        status[self.detected_at >= 0] = CONFIRMED
        status[(self.n_informative == 0) & (self.detected_at < 0)] = CANNOT_TELL
        status[unstable] = UNSTABLE_HISTORY
        status[~adequate] = CANNOT_TELL
        silent = np.isin(status, [UNSTABLE_HISTORY, CANNOT_TELL])
        has_run = (self.hits > 0) & ~silent
        with np.errstate(invalid="ignore", divide="ignore"):
            magnitude = np.where(has_run, self.total / self.hits, np.nan)
        return SeasonalResult(
            status=status,
            break_at=np.where(has_run, self.break_at, -1).astype(np.int32),
            last_before=np.where(has_run, self.last_before, -1).astype(np.int32),
            detected_at=np.where(silent, -1, self.detected_at).astype(np.int32),
            recovered_at=np.where(silent, -1, self.recovered_at).astype(np.int32),
            magnitude=magnitude,
            probability=np.where(silent, np.nan, 1 / (1 + np.exp(-self.log_odds))),
            n_looks=seen.sum(axis=0).astype(np.int32),
            n_informative=self.n_informative,
            first_informative=self.first_informative,
            last_informative=self.last_informative,
            expected=np.where(adequate, trace.expected, np.nan),
            spread=np.where(adequate, trace.spread, np.nan),
            informative=trace.informative & adequate,
            season_max=np.where(adequate, np.max(fitted, axis=0, initial=-np.inf, where=np.isfinite(fitted)), np.nan),
            season_min=np.where(adequate, np.min(fitted, axis=0, initial=np.inf, where=np.isfinite(fitted)), np.nan),
        )


PRIOR_LOG_ODDS = float(np.log(0.01 / 0.99))
"""Before any hit: one change in a hundred series. Not calibrated yet (issue 4 does); stated in docs/methods.md."""


def _visible(expected: Floats, limit_down: Floats, limit_up: Floats, params: SeasonalParams) -> NDArray[np.bool_]:
    """Whether a full change would depart from the baseline by more than the limit on this day."""
    if params.changed_level is None:
        return np.ones(len(expected), bool)
    drop = expected - params.changed_level > limit_down
    rise = params.changed_level - expected > limit_up
    visible: NDArray[np.bool_] = (
        drop if params.direction == "down" else rise if params.direction == "up" else drop | rise
    )
    return visible


def _full_change(expected: Floats, params: SeasonalParams) -> Floats:
    """Departure of a full change on this day [unit]; 1 where the changed level is not known."""
    if params.changed_level is None:
        return np.ones(len(expected))
    full: Floats = np.maximum(np.abs(expected - params.changed_level), params.min_magnitude)
    return full


def _half_changed(residual: Floats, share: Floats, params: SeasonalParams) -> NDArray[np.bool_]:
    """Whether a look is nearer to the changed level than to the baseline: no hit, but it clears nothing either."""
    if params.changed_level is None or params.direction == "both":
        return np.zeros(len(share), bool)
    wanted = residual < 0 if params.direction == "down" else residual > 0
    with np.errstate(invalid="ignore"):
        half: NDArray[np.bool_] = wanted & (share > 0.5)
    return half


def _plainly_unchanged(value: Floats, sigma: Floats, params: SeasonalParams) -> NDArray[np.bool_]:
    """Whether a look is far from the changed level itself: leaves seen earlier than expected still show a stand."""
    if params.changed_level is None or params.direction == "both":
        return np.zeros(len(value), bool)
    distance = value - params.changed_level if params.direction == "down" else params.changed_level - value
    with np.errstate(invalid="ignore"):
        plain: NDArray[np.bool_] = distance > params.z_limit * sigma
    return plain


def _shows_unchanged(value: Floats, sigma: Floats, params: SeasonalParams) -> NDArray[np.bool_]:
    """Whether a look that agrees with the baseline also shows the thing itself, where a change's look is known.

    A baseline that already holds a change agrees with changed ground: such a look must not date a later break.
    """
    if params.changed_level is None or params.direction == "both":
        return np.isfinite(value)
    return _plainly_unchanged(value, sigma, params)


def _evidence(residual: Floats, spread: Floats, side: Floats, params: SeasonalParams) -> Floats:
    """Log-likelihood ratio of one look: changed against unchanged.

    Unchanged is a Student t with 3 degrees of freedom (missed clouds give heavy tails), changed is a normal about
    twice the minimum magnitude with a sd of as much. Bounded, so that no single look decides.
    """
    z = residual / spread
    unchanged = np.log(0.3675525969) - 2.0 * np.log1p(np.square(z) / 3.0)
    scale = np.sqrt(np.square(spread) + (2 * params.min_magnitude) ** 2)
    away = (residual - side * 2 * params.min_magnitude) / scale
    changed = -0.5 * np.square(away) - np.log(scale / spread) - 0.5 * np.log(2 * np.pi)
    bounded: Floats = np.clip(changed - unchanged, -3.0, 3.0)
    return bounded
