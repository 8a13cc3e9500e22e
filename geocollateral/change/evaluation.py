"""How often found events are right, how late they are and how often they cry wolf, each with a 95 % interval.

Matches found events to true ones (`match_events`), then counts them by any strata. Knows neither what found the events
nor where the truth comes from: tables in, figures out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.change.agreement import (
    DateScores,
    PresenceScores,
    match_dates,
    score_presence,
    share_errors,
)
from geocollateral.change.intervals import NOTHING, Figure, over_clusters, rate, share, upper_count
from geocollateral.change.matching import FALSE, OTHER_KIND, REPEAT, RIGHT, Answers, Matches, match_events
from geocollateral.errors import InvalidInput

YEAR_DAYS = 365.0
SIZES_HA = (0.3, 0.5, 1.0, 3.0)
"""Bounds of the classes of size [ha]: the smallest clear-cut and building start promised, then steps of about three."""
LOOKS_PER_YEAR = (15.0, 30.0, 45.0)
"""Bounds of the classes of cloudiness: clear looks at a parcel per year."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is true of a set of parcels."""

    parcels: pd.DataFrame
    """Columns ``parcel_id``, ``asset_class`` and any strata, such as ``site``."""
    events: pd.DataFrame
    """Columns `matching.TRUE_COLUMNS`."""
    quiet_years: pd.DataFrame
    """Columns ``parcel_id, start, end``: years in which nothing happened to the parcel."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Found events against the truth, row by row; every table carries the columns of `Truth.parcels`."""

    events: pd.DataFrame
    """As `Matches.events`, with ``told`` (bool: the parcel could be judged, and a clear look came after the event or it
    was found without one)."""
    alerts: pd.DataFrame
    """As `Matches.alerts`, with ``in_quiet_year`` (bool: ``false``, and said within a quiet year)."""
    exposure: pd.DataFrame
    """One row per parcel: ``parcel_years`` of quiet years, ``judged`` (bool)."""
    answers: Answers


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Figures of one stratum."""

    stratum: Mapping[str, str]
    n_events: int
    n_untold: int
    """Events of which nothing could be said: the parcel was judged ``cannot_tell``, or no clear look came after."""
    recall: Figure
    """Share found of the events that could be told [0-1]."""
    recall_strict: Figure
    """Share found of all events: what could not be told is missed [0-1]."""
    n_alerts: int
    n_repeats: int
    """Further alerts about an event that has its answer: in none of the figures."""
    precision: Figure
    """Share of alerts that answer a true event; a wrong kind is wrong [0-1]."""
    alarm_precision: Figure
    """Share of alerts during a true event of any kind [0-1]."""
    false_per_100: Figure
    """False alerts per 100 quiet parcel-years of parcels that could be judged."""
    lag_due_days: Figure
    """Median days from the day on which it could be said first."""
    lag_half_days: Figure
    """Median days from the day on which half of the change was done; negative: before."""
    lag_looks: Figure
    """Median of clear looks after the first one that could show it; 0 = said on the first."""
    late_looks: float
    """The same, as 90th percentile."""
    date_mae: Figure
    """Mean distance of the middle of the interval from the day half was done [days]."""
    date_bias: Figure
    """Mean of the same with its sign [days]: positive is late."""
    holds: Figure
    """Share of date intervals that share a day with the change [0-1]."""

    def row(self) -> dict[str, object]:
        """Flat form: ``recall``, ``recall_low``, ``recall_high``, ``recall_n`` and so on."""
        out: dict[str, object] = dict(self.stratum)
        for name, value in vars(self).items():
            if isinstance(value, Figure):
                out |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high, f"{name}_n": value.n}
            elif name != "stratum":
                out[name] = value
        return out


def evaluate(
    found: pd.DataFrame, truth: Truth, status: Mapping[str, str], looks: pd.DataFrame, answers: Answers
) -> Evaluation:
    """Hold found events against the truth.

    Parameters
    ----------
    found
        Columns `matching.FOUND_COLUMNS`: ``parcel_id, kind, last_clear_before, first_clear_after, detected_on``, of one
        operating point; others are kept.
    status
        By parcel: ``ok`` or ``cannot_tell``. A parcel without status was not asked: its truth is left out.
    looks
        Clear looks: columns ``parcel_id, day``.
    answers
        Of each kind of true event, the kinds of found events that answer it. True kinds without an entry count as
        something that happens, and need not be found.

    Raises
    ------
    InvalidInput
        A column is lacking, or a found event is of a parcel unknown to the truth.
    """
    asked = truth.parcels[truth.parcels["parcel_id"].isin(list(status))]
    strange = set(found["parcel_id"]) - set(asked["parcel_id"])
    if strange:
        raise InvalidInput(f"found events of parcels that the truth does not know: {sorted(strange)[:3]}")
    matches = match_events(found, truth.events[truth.events["parcel_id"].isin(list(status))], looks, answers)
    judged = {parcel_id: verdict == "ok" for parcel_id, verdict in status.items()}
    return Evaluation(
        events=_events(matches, asked, judged, answers),
        alerts=_alerts(matches, asked, truth.quiet_years),
        exposure=_exposure(asked, truth.quiet_years, judged),
        answers=answers,
    )


def _events(matches: Matches, parcels: pd.DataFrame, judged: Mapping[str, bool], answers: Answers) -> pd.DataFrame:
    events = matches.events[matches.events["kind"].isin([kind for kind, found in answers.items() if len(found)])]
    told = events["parcel_id"].map(judged).astype(bool) & (events["first_look"].notna() | events["found"])
    return _with_strata(events.assign(told=told), parcels)


def _alerts(matches: Matches, parcels: pd.DataFrame, quiet_years: pd.DataFrame) -> pd.DataFrame:
    alerts = matches.alerts
    years = alerts[["parcel_id", "detected_on"]].reset_index().merge(quiet_years, on="parcel_id")
    within = (years["detected_on"] >= years["start"]) & (years["detected_on"] < years["end"] + pd.Timedelta(days=1))
    quiet = alerts.index.isin(years.loc[within, "index"]) & (alerts["outcome"] == FALSE)
    return _with_strata(alerts.assign(in_quiet_year=quiet), parcels)


def _exposure(parcels: pd.DataFrame, quiet_years: pd.DataFrame, judged: Mapping[str, bool]) -> pd.DataFrame:
    days = (quiet_years["end"] - quiet_years["start"]).dt.days + 1
    years = days.groupby(quiet_years["parcel_id"]).sum() / YEAR_DAYS
    return parcels.assign(
        parcel_years=parcels["parcel_id"].map(years).fillna(0.0), judged=parcels["parcel_id"].map(judged).astype(bool)
    )


def _with_strata(table: pd.DataFrame, parcels: pd.DataFrame) -> pd.DataFrame:
    new = [name for name in parcels if name == "parcel_id" or name not in table]
    return table.merge(parcels[new], on="parcel_id", how="left")


def scores(evaluation: Evaluation, by: Sequence[str] = ()) -> list[Scores]:
    """Figures of every stratum, in order; of everything if ``by`` is empty.

    Parameters
    ----------
    by
        Columns of the parcels. A column that one table alone has, such as the size of the event, leaves the figures of
        the others empty.
    """
    events, alerts, exposure = tables = evaluation.events, evaluation.alerts, evaluation.exposure
    keys = {
        tuple(map(str, row))
        for table in tables
        if set(by) <= set(table)
        for row in table[list(by)].drop_duplicates().itertuples(index=False)
    }
    return [
        _score(_of(events, by, key), _of(alerts, by, key), _of(exposure, by, key), dict(zip(by, key, strict=True)))
        for key in sorted(keys)
    ]


def _of(table: pd.DataFrame, by: Sequence[str], key: Sequence[str]) -> pd.DataFrame:
    if not set(by) <= set(table):
        return table.iloc[:0]
    kept = np.ones(len(table), bool)
    for name, value in zip(by, key, strict=True):
        kept &= (table[name].astype(str) == value).to_numpy()
    return table[kept]


def scores_by_kind(evaluation: Evaluation, min_area_m2: Mapping[str, float] | None = None) -> list[Scores]:
    """Figures of each kind of true event, against alerts of the kinds that answer it.

    An alert that answers several kinds counts in the precision of each of them; false alerts are counted per quiet
    parcel-year of the asset classes in which the kind happens.

    Parameters
    ----------
    min_area_m2
        By true kind: smaller true events are left out, with what answers them, and so are smaller false alerts [m2].
    """
    found = []
    for kind, answering in evaluation.answers.items():
        least = (min_area_m2 or {}).get(kind, 0.0)
        events = evaluation.events[evaluation.events["kind"] == kind]
        classes = set(events["asset_class"])
        alerts = evaluation.alerts[
            evaluation.alerts["kind"].isin(list(answering)) & evaluation.alerts["asset_class"].isin(classes)
        ]
        if least:
            small = set(events.loc[events["area_m2"] < least, "event_id"])
            events = events[~events["event_id"].isin(small)]
            slight = (alerts["outcome"] == FALSE) & (_area(alerts) < least)
            alerts = alerts[~alerts["event_id"].isin(small) & ~slight]
        exposure = evaluation.exposure[evaluation.exposure["asset_class"].isin(classes)]
        if len(events):
            found.append(_score(events, alerts, exposure, {"kind": kind}))
    return found


def _area(alerts: pd.DataFrame) -> pd.Series:
    return alerts["area_m2"].astype(float) if "area_m2" in alerts else pd.Series(np.nan, index=alerts.index)


def _score(events: pd.DataFrame, alerts: pd.DataFrame, exposure: pd.DataFrame, stratum: Mapping[str, str]) -> Scores:
    told = events[events["told"]]
    hit = told[told["found"]]
    count = alerts["outcome"].value_counts()
    right, repeats, other, false = (int(count.get(name, 0)) for name in (RIGHT, REPEAT, OTHER_KIND, FALSE))
    judged = exposure[exposure["judged"]] if len(exposure) else exposure
    parcel_years = float(judged["parcel_years"].sum()) if len(judged) else 0.0
    wolf = int(alerts.loc[alerts["parcel_id"].isin(judged["parcel_id"]), "in_quiet_year"].sum()) if len(judged) else 0
    late = hit["lag_looks"].dropna()

    def of_hits(column: str, statistic: Callable[[NDArray[np.float64]], float] = np.median) -> Figure:
        return over_clusters(hit[column].to_numpy(float), hit["parcel_id"].to_numpy(), statistic)

    return Scores(
        stratum=stratum,
        n_events=len(events),
        n_untold=len(events) - len(told),
        recall=share(len(hit), len(told)),
        recall_strict=share(int(events["found"].sum()), len(events)),
        n_alerts=len(alerts),
        n_repeats=repeats,
        precision=share(right, right + other + false),
        alarm_precision=share(right + other, right + other + false),
        false_per_100=rate(wolf, parcel_years, per=100),
        lag_due_days=of_hits("lag_due_days"),
        lag_half_days=of_hits("lag_half_days"),
        lag_looks=of_hits("lag_looks"),
        late_looks=float(late.quantile(0.9)) if len(late) else np.nan,
        date_mae=of_hits("date_error_days", _mean_distance),
        date_bias=of_hits("date_error_days", np.mean),
        holds=share(int(hit["holds"].sum()), len(hit)),
    )


def _mean_distance(errors: NDArray[np.float64]) -> float:
    return float(np.abs(errors).mean())


def classes_of(values: pd.Series, bounds: Sequence[float], unit: str) -> pd.Series:
    """Names of the classes that values fall into, such as ``0.5-1 ha``; lower bounds belong to the class.

    NaN is ``unknown``.
    """
    edges = [f"{bound:g}" for bound in bounds]
    between = [f"{a}-{b} {unit}" for a, b in pairwise(edges)]
    names = np.array([f"< {edges[0]} {unit}", *between, f">= {edges[-1]} {unit}", "unknown"], object)
    place = np.digitize(values.to_numpy(float), bounds)
    return pd.Series(names[np.where(values.isna(), len(names) - 1, place)], index=values.index)


def threshold_for_budget(
    scores: Sequence[float] | NDArray[np.float64],
    parcel_years: float,
    budget: float,
    confidence: float | None = None,
) -> float:
    """Smallest threshold that keeps false alarms within a budget; an alarm is a score at or above it.

    Parameters
    ----------
    scores
        Of every alarm there could be on quiet parcel-years: one each, the highest of what would be one alarm. NaN is
        none.
    parcel_years
        Quiet parcel-years looked at.
    budget
        False alarms allowed per 100 parcel-years.
    confidence
        None: the rate seen is within the budget. Else its one-sided upper Poisson bound at this confidence is, such as
        0.9.

    Returns
    -------
    ``-inf`` where every score may pass, ``inf`` where none may: too few parcel-years to promise the budget.

    Raises
    ------
    InvalidInput
        No parcel-years, a negative budget, or a confidence outside 0..1.
    """
    if parcel_years <= 0 or budget < 0 or not (confidence is None or 0 < confidence < 1):
        raise InvalidInput(
            "parcel_years must be positive, budget not negative and confidence within 0..1; "
            f"got {parcel_years}, {budget}, {confidence}"
        )
    known = np.sort(np.asarray(scores, np.float64))[::-1]
    known = known[~np.isnan(known)]
    counts = np.arange(len(known) + 1)
    expected = counts if confidence is None else np.array([upper_count(int(n), confidence) for n in counts])
    # A hair of slack: 3 alarms in 300 parcel-years are 1 per 100, whatever floating point makes of it.
    within = np.flatnonzero(expected * 100.0 <= budget * parcel_years * (1 + 1e-12))
    if not len(within):
        return float(np.inf)
    allowed = int(within[-1])
    return float(-np.inf) if allowed == len(known) else float(np.nextafter(known[allowed], np.inf))


__all__ = [
    "LOOKS_PER_YEAR",
    "NOTHING",
    "SIZES_HA",
    "Answers",
    "DateScores",
    "Evaluation",
    "Figure",
    "Matches",
    "PresenceScores",
    "Scores",
    "Truth",
    "classes_of",
    "evaluate",
    "match_dates",
    "match_events",
    "over_clusters",
    "rate",
    "score_presence",
    "scores",
    "scores_by_kind",
    "share",
    "share_errors",
    "threshold_for_budget",
]
