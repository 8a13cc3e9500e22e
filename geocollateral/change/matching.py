"""Which found event answers which true event, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from geocollateral.errors import InvalidInput

FOUND_COLUMNS = ("parcel_id", "kind", "last_clear_before", "first_clear_after", "detected_on")
"""Of a table of found events; ``score`` and ``area_m2`` are used where they are there."""
TRUE_COLUMNS = ("event_id", "parcel_id", "kind", "start", "end")
"""Of a table of true events. Where they are there: ``due`` (day from which it could be said, else ``start``; lags count
from it), ``half`` (day on which half of the change was done, else the middle of ``start`` and ``done``), ``done`` (last
day of the change that is judged, else ``end``; a site is cleared in a month and built in two years), ``area_m2``."""
RIGHT, REPEAT, OTHER_KIND, FALSE = "right", "repeat", "other_kind", "false"
OUTCOMES = (RIGHT, REPEAT, OTHER_KIND, FALSE)
"""What a found event can be.

``right``: the first to answer a true event. ``repeat``: answers one that has its answer; neither right nor wrong.
``other_kind``: overlaps a true event of the parcel that it does not answer: a wrong name for a right alarm.
``false``: overlaps no true event.
"""
Answers = Mapping[str, Collection[str]]
"""Of each kind of true event, the kinds of found events that answer it."""


@dataclass(frozen=True, kw_only=True)
class Matches:
    """Two tables: every true event, and every found one."""

    events: pd.DataFrame
    """`TRUE_COLUMNS` with ``due``, ``half``, ``done``, ``first_look`` (first clear look from ``due`` on, or NaT),
    ``found`` (bool), ``found_kind``, ``last_clear_before``, ``first_clear_after``, ``detected_on`` (NaT where not
    found), ``lag_due_days``, ``lag_half_days``, ``lag_looks`` (0 = said on the first clear look; NaN where not found),
    ``date_error_days`` (middle of the interval less ``half``) and ``holds`` (interval and change share a day)."""
    alerts: pd.DataFrame
    """`FOUND_COLUMNS` with ``outcome`` (one of `OUTCOMES`) and ``event_id`` (None where ``false``)."""


def match_events(found: pd.DataFrame, true: pd.DataFrame, looks: pd.DataFrame, answers: Answers) -> Matches:
    """Match found events to true events of the same parcel.

    A found interval ``[last_clear_before, first_clear_after]`` must share a day with the true event's ``[start, end]``
    widened to the first clear look after it. Found events are taken by the day they were said; each answers the true
    event with no answer yet that it shares most days with.

    Parameters
    ----------
    found
        Columns `FOUND_COLUMNS` and any others.
    true
        Columns `TRUE_COLUMNS` and any others.
    looks
        Clear looks: columns ``parcel_id, day``.
    answers
        Kinds that no true event has need no entry; a true kind without entry is never answered.

    Raises
    ------
    InvalidInput
        A column is lacking, or an event id is there twice.
    """
    _require(found, FOUND_COLUMNS, "found events")
    _require(true, TRUE_COLUMNS, "true events")
    if true["event_id"].duplicated().any():
        raise InvalidInput(f"event_id {true.loc[true['event_id'].duplicated(), 'event_id'].iloc[0]!r} is there twice")
    days = {str(i): np.sort(_days(own["day"])) for i, own in looks.groupby("parcel_id")}
    events = _with_defaults(true)
    events["first_look"] = _next_looks(events, "due", days)
    events["seen_by"] = _next_looks(events, "end", days)
    alerts = _dated(found, FOUND_COLUMNS[2:]).sort_values(["detected_on", "first_clear_after"], kind="stable")
    outcome, whose, taken = _assign(alerts, events, answers)
    alerts = alerts.assign(outcome=outcome, event_id=pd.Series(whose, index=alerts.index, dtype=object))
    events = _measure(events, alerts.loc[list(taken.values())].set_index(pd.Index(list(taken))), days)
    return Matches(events=events.drop(columns="seen_by"), alerts=alerts.sort_index())


def _require(table: pd.DataFrame, columns: Collection[str], what: str) -> None:
    lacking = [name for name in columns if name not in table]
    if lacking:
        raise InvalidInput(f"{what} must have the columns {', '.join(columns)}; lacking: {', '.join(lacking)}")


def _days(values: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return pd.to_datetime(values).to_numpy("datetime64[D]")


def _dated(table: pd.DataFrame, columns: Collection[str]) -> pd.DataFrame:
    dates = {name: pd.to_datetime(table[name]).astype("datetime64[s]") for name in columns}
    return table.assign(**dates).reset_index(drop=True)


def _with_defaults(true: pd.DataFrame) -> pd.DataFrame:
    given = [name for name in ("due", "half", "done") if name in true]
    events = _dated(true, ("start", "end", *given))
    for name, default in (("due", events["start"]), ("done", events["end"])):
        events[name] = events[name].fillna(default) if name in given else default
    middle = (events["start"] + (events["done"] - events["start"]) / 2).dt.floor("D")
    events["half"] = events["half"].fillna(middle) if "half" in given else middle
    return events


def _next_looks(
    events: pd.DataFrame, column: str, days: Mapping[str, np.ndarray[tuple[int], np.dtype[np.datetime64]]]
) -> pd.Series:
    """First clear look of the parcel on or after the day in a column; NaT if none came."""
    found = []
    for parcel_id, day in zip(events["parcel_id"], _days(events[column]), strict=True):
        own = days.get(str(parcel_id), np.zeros(0, "datetime64[D]"))
        at = int(np.searchsorted(own, day))
        found.append(own[at] if at < len(own) else np.datetime64("NaT", "D"))
    return pd.Series(np.array(found, "datetime64[s]"), index=events.index)


def _assign(
    alerts: pd.DataFrame, events: pd.DataFrame, answers: Answers
) -> tuple[list[str], list[str | None], dict[int, int]]:
    """Outcome and true event of each alert, and of each answered event its alert, by position."""
    of_parcel = {i: own.index.to_numpy() for i, own in events.groupby("parcel_id")}
    first = _days(events["start"])
    last = _days(events["seen_by"].fillna(events["end"]))
    kinds = events["kind"].tolist()
    outcome: list[str] = []
    whose: list[str | None] = []
    taken: dict[int, int] = {}
    rows = zip(
        alerts.index,
        alerts["parcel_id"],
        alerts["kind"],
        _days(alerts["last_clear_before"]),
        _days(alerts["first_clear_after"]),
        strict=True,
    )
    for row, parcel_id, kind, before, after in rows:
        own = of_parcel.get(parcel_id, np.zeros(0, np.intp))
        shared = (np.minimum(after, last[own]) - np.maximum(before, first[own])).astype(np.int64)
        met = [int(i) for i in own[shared >= 0][np.argsort(-shared[shared >= 0], kind="stable")]]
        right = [i for i in met if kind in answers.get(kinds[i], ())]
        free = [i for i in right if i not in taken]
        if free:
            taken[free[0]] = row
        outcome.append(RIGHT if free else REPEAT if right else OTHER_KIND if met else FALSE)
        whose.append(str(events["event_id"].iloc[(free or right or met)[0]]) if met else None)
    return outcome, whose, taken


def _measure(
    events: pd.DataFrame,
    answer: pd.DataFrame,
    days: Mapping[str, np.ndarray[tuple[int], np.dtype[np.datetime64]]],
) -> pd.DataFrame:
    """Lags and errors of the date of each true event that has an answer."""
    own = answer.reindex(events.index)
    before, after, said = (own[name] for name in FOUND_COLUMNS[2:])
    middle = before + (after - before) / 2
    return events.assign(
        found=events.index.isin(answer.index),
        found_kind=own["kind"].to_numpy(),
        last_clear_before=before,
        first_clear_after=after,
        detected_on=said,
        lag_due_days=(said - events["due"]).dt.days,
        lag_half_days=(said - events["half"]).dt.days,
        lag_looks=_looks_between(events, said, days),
        date_error_days=(middle - events["half"]).dt.total_seconds() / 86_400,
        holds=(before <= events["done"]) & (after >= events["start"]),
    )


def _looks_between(
    events: pd.DataFrame,
    said: pd.Series,
    days: Mapping[str, np.ndarray[tuple[int], np.dtype[np.datetime64]]],
) -> list[float]:
    """Clear looks after the first one from ``due`` on, up to the day it was said."""
    counts = []
    for parcel_id, first, last in zip(events["parcel_id"], _days(events["first_look"]), _days(said), strict=True):
        own = days.get(str(parcel_id), np.zeros(0, "datetime64[D]"))
        told = not (np.isnat(first) or np.isnat(last))
        counts.append(max(int(((own > first) & (own <= last)).sum()), 0) if told else np.nan)
    return counts
