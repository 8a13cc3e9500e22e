"""From what each look says to a dated change: the run of looks that bear it out, its confirmation and its recovery.

The probability of change follows Shiryaev's recursion for the odds, ``odds = (odds + hazard x days) x ratio``, look by
look; a run is what Page's cumulative sum ``path = max(path + log ratio, 0)`` calls the looks since it last was nought.
A change is *confirmed* when it is probable enough **and** enough looks bear it out: one outlier, however large,
decides nothing.

Sources: Shiryaev 1963, doi:10.1137/1108002; Page 1954, doi:10.1093/biomet/41.1-2.100; Baron & Tartakovsky 2006,
doi:10.1080/07474940600609597 (optimality of the procedure); Reiche et al. 2018, doi:10.1016/j.rse.2017.10.034 (its
kind on forest loss with optical and radar looks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geocollateral.change.baseline import Floats, Mask
from geocollateral.change.evidence import HIT, OK, SequentialParams

NONE = -1
"""No day."""
Store = dict[str, NDArray[Any]]
"""Arrays by name, the series on the last axis: numbers only, so that a state can be written to any file."""

SETTLED = 4e-3
"""Odds below which nothing is going on in a series: a run that has come down to them is over at the next refit."""

MOST_ODDS = np.float32(1e6)
"""Enough is known: what comes later must be able to turn it."""


def empty_runs(n_hypotheses: int, n_streams: int, n_indices: int, ring: int, n: int) -> Store:
    """Nothing seen yet. Names and shapes of all that is remembered of the runs."""
    h = n_hypotheses
    return {
        "odds": np.zeros((h, n), np.float32),
        "path": np.zeros((h, n), np.float32),
        "witnesses": np.zeros((h, n), np.float32),
        "hits": np.zeros((h, n), np.int32),
        "ring_day": np.full((h, ring, n), NONE, np.int32),
        "ring_share": np.zeros((h, ring, n), np.float32),
        "before": np.full((h, n), NONE, np.int32),
        "last_hit": np.full((h, n), NONE, np.int32),
        "said": np.zeros((h, n_streams, n), np.float32),
        "total": np.zeros((h, n_indices, n), np.float32),
        "count": np.zeros((h, n_indices, n), np.int32),
        "fresh": np.zeros(n, bool),
        "last_ok": np.full(n, NONE, np.int32),
        "detected": np.full(n, NONE, np.int32),
        "broken": np.full(n, NONE, np.int32),
        "last_before": np.full(n, NONE, np.int32),
        "side": np.zeros(n, np.int32),
        "recover": np.zeros(n, np.int32),
        "recover_from": np.full(n, NONE, np.int32),
        "recovered": np.full(n, NONE, np.int32),
    }


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look of one sensor at some series."""

    day: int
    stream: int
    indices: slice
    """Places of its indices among those of all streams."""
    seen: Mask
    log_ratio: Floats
    """Shape (hypothesis, series)."""
    weight: Floats
    """Share of it that earlier looks have not said."""
    share: Floats
    """Departure as a share of a full change."""
    departure: Floats
    """Shape (index, series): from the baseline [unit]; NaN where the index was not seen."""


def follow(runs: Store, look: Look, hazard: Floats, params: SequentialParams) -> None:
    """Let one look bear on the runs of some series, in place. ``hazard``: odds of a change since the look before."""
    ratio, seen = look.log_ratio, look.seen
    # Looks are tempered for what they share; the first to bear a change out shares nothing with the one before it.
    tempered = ratio * np.where((ratio >= HIT) & (runs["hits"] == 0), 1, look.weight)
    runs["odds"] += hazard
    runs["odds"] = np.minimum(runs["odds"] * np.exp(tempered), MOST_ODDS)
    open_case = runs["detected"] < 0
    hit = seen & (ratio >= HIT)
    ok = seen & (ratio <= OK).all(axis=0)
    runs["path"] = np.maximum(runs["path"] + tempered, 0)
    _end(runs, seen & (runs["path"] <= 0) & open_case)
    np.copyto(runs["fresh"], hit.any(axis=0), where=seen)
    _extend(runs, look, hit & open_case, params)
    _recover(runs, look.day, ok & ~open_case, hit, params)
    runs["last_ok"][ok & open_case] = look.day
    probable = runs["odds"] > params.confirm_probability / (1 - params.confirm_probability)
    borne = runs["witnesses"] >= params.confirm_looks - 0.5
    sure = probable & borne & hit & open_case
    if sure.any():
        _confirm(runs, look.day, sure, params)


def _end(runs: Store, ended: Mask) -> None:
    for name in ("witnesses", "hits"):
        runs[name][ended] = 0
    for name in ("before", "last_hit"):
        runs[name][ended] = NONE
    row, col = np.nonzero(ended)
    runs["ring_day"][row, :, col] = NONE
    for name in ("said", "total", "count"):
        runs[name][row, :, col] = 0


def _extend(runs: Store, look: Look, hit: Mask, params: SequentialParams) -> None:
    row, col = np.nonzero(hit)
    if not len(row):
        return
    begins = runs["hits"][row, col] == 0
    apart = ~begins & (look.day - runs["last_hit"][row, col] > params.max_gap_days)
    runs["before"][row[begins], col[begins]] = runs["last_ok"][col[begins]]
    again = (row[apart], col[apart])
    runs["hits"][again] = 0
    runs["witnesses"][again] = 0
    runs["total"][row[apart], :, col[apart]] = 0
    runs["count"][row[apart], :, col[apart]] = 0
    place = runs["hits"][row, col]
    kept = place < runs["ring_day"].shape[1]
    runs["ring_day"][row[kept], place[kept], col[kept]] = look.day
    runs["ring_share"][row[kept], place[kept], col[kept]] = look.share[col[kept]]
    runs["witnesses"][row, col] += np.where(place == 0, 1, look.weight[col])
    runs["hits"][row, col] += 1
    runs["last_hit"][row, col] = look.day
    runs["said"][row, look.stream, col] += look.log_ratio[row, col] * look.weight[col]
    departure = look.departure[:, col].T
    there = np.isfinite(departure)
    runs["total"][row, look.indices, col] += np.where(there, departure, 0)
    runs["count"][row, look.indices, col] += there


def _confirm(runs: Store, day: int, sure: Mask, params: SequentialParams) -> None:
    col = np.flatnonzero(sure.any(axis=0))
    side = np.argmax(np.where(sure, runs["odds"], -1)[:, col], axis=0)
    runs["side"][col] = side
    runs["detected"][col] = day
    runs["broken"][col], runs["last_before"][col] = dated(runs, side, col, params)


def dated(
    runs: Store, side: NDArray[np.intp], col: NDArray[np.intp], params: SequentialParams
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First look after the change and last before it, of the runs of some series.

    Where the changed level is known, first looks that were slight against the later ones do not date the break: an
    early autumn is not a felling.
    """
    days, before = runs["ring_day"][side, :, col], runs["before"][side, col]
    place = np.zeros(len(col), np.intp)
    if params.changed_level is not None:
        share = np.where(days >= 0, runs["ring_share"][side, :, col], 0)
        place = np.argmax(share >= params.full_share * share.max(axis=1, initial=0)[:, None], axis=1)
    which = np.arange(len(col))
    return days[which, place], np.where(place > 0, days[which, np.maximum(place - 1, 0)], before)


def _recover(runs: Store, day: int, near: Mask, hit: Mask, params: SequentialParams) -> None:
    """Consecutive looks near the baseline end a change; the first of them dates its end."""
    broken = (runs["detected"] >= 0) & (runs["recovered"] < 0)
    near = near & broken
    runs["recover_from"][near & (runs["recover"] == 0)] = day
    runs["recover"][near] += 1
    again = hit[runs["side"], np.arange(hit.shape[1])] & broken
    runs["recover"][again] = 0
    done = near & (runs["recover"] >= params.recover_looks)
    runs["recovered"][done] = runs["recover_from"][done]


def settle(runs: Store) -> None:
    """End the runs of series in which nothing goes on any more, in place."""
    quiet = (runs["odds"].max(axis=0) <= SETTLED) & (runs["detected"] < 0) & ~runs["fresh"]
    runs["path"][:, quiet] = 0
    _end(runs, np.broadcast_to(quiet, runs["path"].shape))
