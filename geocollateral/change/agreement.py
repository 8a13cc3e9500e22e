"""Days, shares and yes-or-no answers against the truth, with confidence intervals over parcels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.change.intervals import Figure, over_clusters, share
from geocollateral.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class DateScores:
    """How found days agree with true days."""

    recall: Figure
    """Share of true days that a found day is near [0-1]."""
    precision: Figure
    """Share of found days that a true day is near [0-1]."""
    f1: Figure
    """Harmonic mean of both, bootstrapped over parcels [0-1]."""
    mae: Figure
    """Mean distance of the pairs [days]."""
    bias: Figure
    """Mean of found less true [days]: positive is late."""
    rmse: Figure
    """Root of the mean square of the distances [days]."""


def match_dates(found: pd.DataFrame, true: pd.DataFrame, *, within_days: int) -> DateScores:
    """Pair found days with true days of the same parcel, the closest first, each once.

    Parameters
    ----------
    found, true
        Columns ``parcel_id, day``; NaT is left out.
    within_days
        Days further apart are no pair [days].
    """
    pairs, missed, invented = _pairs(found.dropna(subset=["day"]), true.dropna(subset=["day"]), within_days)
    error = pairs["error_days"].to_numpy(float)
    counts = pd.DataFrame(
        {
            "parcel_id": [*pairs["parcel_id"], *missed, *invented],
            "right": [1.0] * len(pairs) + [0.0] * (len(missed) + len(invented)),
        }
    )
    n_true, n_found = len(pairs) + len(missed), len(pairs) + len(invented)
    owner = pairs["parcel_id"].to_numpy()
    f1 = over_clusters(counts["right"].to_numpy(), counts["parcel_id"].to_numpy(), _f1)
    return DateScores(
        recall=share(len(pairs), n_true),
        precision=share(len(pairs), n_found),
        f1=f1,
        mae=over_clusters(np.abs(error), owner, np.mean),
        bias=over_clusters(error, owner, np.mean),
        rmse=over_clusters(error**2, owner, _root),
    )


def _pairs(found: pd.DataFrame, true: pd.DataFrame, within: int) -> tuple[pd.DataFrame, list[str], list[str]]:
    rows: list[tuple[str, float]] = []
    missed: list[str] = []
    invented: list[str] = []
    said, is_true = ({str(i): _sorted_days(own["day"]) for i, own in t.groupby("parcel_id")} for t in (found, true))
    none = np.zeros(0, np.int64)
    for parcel_id in sorted(said.keys() | is_true.keys()):
        a, b = said.get(parcel_id, none), is_true.get(parcel_id, none)
        error = a[:, None] - b[None, :]
        order = np.argsort(np.abs(error), axis=None, kind="stable").tolist()
        free_a, free_b = set(range(len(a))), set(range(len(b)))
        for place in order:
            i, j = divmod(place, len(b))
            if i in free_a and j in free_b and abs(int(error[i, j])) <= within:
                rows.append((parcel_id, float(error[i, j])))
                free_a.discard(i)
                free_b.discard(j)
        missed += [parcel_id] * len(free_b)
        invented += [parcel_id] * len(free_a)
    return pd.DataFrame(rows, columns=["parcel_id", "error_days"]), missed, invented


def _f1(right: NDArray[np.float64]) -> float:
    """2 TP / (2 TP + FP + FN), of what is right (1) or one-sided (0): what is right counts twice."""
    return float(2 * right.sum() / (right.sum() + len(right)))


def _sorted_days(values: pd.Series) -> NDArray[np.int64]:
    return np.sort(pd.to_datetime(values).to_numpy("datetime64[D]").astype(np.int64))


def share_errors(found: pd.DataFrame, true: pd.DataFrame, shares: Sequence[str]) -> dict[str, Figure]:
    """Root mean square error of shares over time, of each share and of ``all`` of them together.

    Found shares are drawn straight between their dates; true dates before the first or after the last found one, and
    those where a found share is NaN, are not compared.

    Parameters
    ----------
    found, true
        Columns ``parcel_id, date`` and the shares [0-1].
    shares
        Names of columns; what one table lacks is an error.

    Raises
    ------
    InvalidInput
        A share is lacking.
    """
    for what, table in (("found", found), ("true", true)):
        lacking = [name for name in ("parcel_id", "date", *shares) if name not in table]
        if lacking:
            raise InvalidInput(f"{what} shares lack the columns {', '.join(lacking)}")
    parts = [np.zeros((0, len(shares)))]
    owners: list[str] = []
    known = {str(i): own.sort_values("date") for i, own in found.groupby("parcel_id")}
    for parcel_id, own in true.groupby("parcel_id"):
        said = known.get(str(parcel_id))
        if said is None:
            continue
        at, days = _day_numbers(own["date"]), _day_numbers(said["date"])
        inside = (at >= days[0]) & (at <= days[-1])
        drawn = np.stack([np.interp(at[inside], days, said[name].to_numpy(float)) for name in shares], axis=1)
        parts.append(drawn - own.loc[inside, list(shares)].to_numpy(float))
        owners += [str(parcel_id)] * int(inside.sum())
    error = np.concatenate(parts) ** 2
    out = {name: over_clusters(error[:, n], owners, _root) for n, name in enumerate(shares)}
    return out | {"all": over_clusters(error.mean(axis=1), owners, _root)}


def _root(squares: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(squares)))


def _day_numbers(values: pd.Series) -> NDArray[np.float64]:
    return pd.to_datetime(values).to_numpy("datetime64[D]").astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class PresenceScores:
    """How yes-or-no answers agree with the truth, one per parcel."""

    recall: Figure
    precision: Figure
    f1: Figure
    """Bootstrapped over parcels [0-1]; NaN where nothing is there and nothing was said to be."""
    n_cannot_tell: int
    """Parcels without an answer: in none of the figures."""


def score_presence(found: pd.Series, true: pd.Series) -> PresenceScores:
    """Score whether a thing is there.

    Parameters
    ----------
    found, true
        By parcel: True, False; of ``found`` also None or NaN, cannot tell. Parcels that ``found`` lacks could not be
        told.
    """
    answer = found.reindex(true.index)
    told = answer.notna().to_numpy()
    said, there = answer[told].astype(bool).to_numpy(), true[told].astype(bool).to_numpy()
    both = said & there
    either = said | there
    weight = np.where(both, 1.0, 0.0)[either]
    f1 = over_clusters(weight, true.index.to_numpy()[told][either], _f1)
    return PresenceScores(
        recall=share(int(both.sum()), int(there.sum())),
        precision=share(int(both.sum()), int(said.sum())),
        f1=f1,
        n_cannot_tell=int((~told).sum()),
    )
