"""Whether this month's sales are still like those a model was judged on: a test that knows its sample size.

The population stability index over-reacts on few rows and sleeps on many (Yurdakul 2018), so it is shown beside what
chance makes of it and decides nothing. What decides is one permutation test over all series together: each number by
its rank and by how far from the middle its rank is, each kind by its share. Rows change sides whole, so that series
that go together are not counted twice, and the largest departure of each permutation bounds the chance of any false
alarm (max-T: Westfall & Young 1993, ISBN 978-0-471-55761-6).

A slip is not a market: swapped columns, changed units and another platform are named as such.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Cause = Literal["drift", "unit", "swapped", "platform", "market"]

ALPHA = 0.05
"""Chance of any false alarm in one monthly run, over all its series."""
PERMUTATIONS = 1999
MIN_ROWS = 20
MAX_REFERENCE = 4000
BINS = 10
MAX_KINDS = 12
"""Kinds of a category told apart; the rarer ones are one."""
UNITS: Mapping[str, float] = {
    "mu for ha": 15.0,
    "acres for ha": 2.47105,
    "m2 for mu": 2000 / 3,
    "m2 for ha": 1e4,
    "square feet for m2": 10.7639,
    "feet for m": 3.28084,
    "km for miles": 1.609344,
    "10,000 for 1": 1e4,
    "1,000 for 1": 1e3,
    "100 for 1 (percent for a share)": 100.0,
    "10 for 1": 10.0,
}


@dataclass(frozen=True, kw_only=True)
class SeriesDrift:
    """One series in one month."""

    name: str
    n_reference: int
    n: int
    p: float
    """Chance of so large a departure in any series, were nothing changed."""
    psi: float
    psi_by_chance: float
    """95 % quantile of the index where nothing changed, for these numbers of rows."""
    is_drift: bool
    cause: Cause | None
    told: str
    """What it looks like, in a sentence; empty where nothing departed."""


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """One monthly run."""

    series: tuple[SeriesDrift, ...]
    notes: tuple[str, ...]

    @property
    def is_alarm(self) -> bool:
        """Whether any series departed."""
        return any(series.is_drift for series in self.series)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        rows = [{k: None if v != v else v for k, v in asdict(s).items()} for s in self.series]
        return {"alarm": self.is_alarm, "series": rows, "notes": list(self.notes)}


def find_drift(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    errors: Sequence[str] = (),
    provenance: str | None = None,
    alpha: float = ALPHA,
    seed: int = 1,
) -> DriftReport:
    """Compare a month with the rows a model was judged on.

    Parameters
    ----------
    reference, current
        The same columns: features, predictions and errors; numbers with NaN, kinds as text with None.
    errors
        Columns that hold errors: where they alone departed, prices did, not property.
    provenance
        A column that says what the features were made from (platform, processing baseline); not itself a series.
    alpha
        Chance of any false alarm.
    """
    names = [str(name) for name in current.columns if name != provenance]
    few = min(len(reference), len(current))
    if few < MIN_ROWS:
        return DriftReport(series=(), notes=(f"{few} rows on one side; at least {MIN_ROWS} are needed to tell.",))
    rng = np.random.default_rng(seed)
    kept = reference
    if len(reference) > MAX_REFERENCE:
        kept = reference.iloc[np.sort(rng.choice(len(reference), MAX_REFERENCE, replace=False))]
    chances = _chances(kept[names], current[names], rng)
    notes, strangers = _strangers(kept, current, provenance)
    departed = [name for name in names if chances[name] <= alpha]
    is_platform = bool(strangers.any()) and _only_strangers(kept, current, names, strangers, alpha, rng)
    slips = _slips(kept, current, [n for n in departed if n not in errors])
    only_errors = bool(departed) and set(departed) <= set(errors)
    series = []
    for name in names:
        psi, by_chance = stability(kept[name], current[name])
        cause, told = None, ""
        if name in departed:
            if name in slips:
                cause, told = slips[name]
            elif is_platform:
                cause, told = "platform", f"{name} departed on rows of another {provenance} only: not the market"
            elif only_errors:
                cause, told = "market", f"{name} departed and no feature did: prices moved, or the model aged"
            else:
                cause, told = "drift", f"{name} departed from what the model was judged on"
        series.append(
            SeriesDrift(
                name=name,
                n_reference=len(kept),
                n=len(current),
                p=chances[name],
                psi=psi,
                psi_by_chance=by_chance,
                is_drift=name in departed,
                cause=cause,
                told=told,
            )
        )
    return DriftReport(series=tuple(series), notes=tuple(notes))


def drift_by_month(
    reference: pd.DataFrame,
    months: Sequence[tuple[str, pd.DataFrame]],
    *,
    errors: Sequence[str] = (),
    provenance: str | None = None,
    alpha: float = ALPHA,
    seed: int = 1,
) -> list[tuple[str, DriftReport]]:
    """One run per month, in order: the month alone, and with the month before it, each at half the chance.

    The pair finds what a small month cannot; a change is told in the run in which either finds it.
    """
    runs, before = [], None
    for name, current in months:
        options: dict[str, Any] = {"errors": errors, "provenance": provenance, "alpha": alpha / 2, "seed": seed}
        alone = find_drift(reference, current, **options)
        if before is not None:
            pair = find_drift(reference, pd.concat([before, current], ignore_index=True), **options)
            alone = _either(alone, pair)
        runs.append((name, alone))
        before = current
    return runs


def _either(alone: DriftReport, pair: DriftReport) -> DriftReport:
    """Of each series what departed, alone before the pair."""
    first = {series.name: series for series in alone.series}
    series = tuple(first[s.name] if s.name in first and first[s.name].is_drift else s for s in pair.series)
    return DriftReport(series=series or alone.series, notes=tuple(dict.fromkeys((*alone.notes, *pair.notes))))


def stability(reference: pd.Series, current: pd.Series) -> tuple[float, float]:
    """Population stability index over tenths of the reference (or kinds), and its 95 % quantile by chance.

    Where nothing changed, the index is about chi-squared with one degree of freedom less than there are bins, times
    (1 / n + 1 / m) (Yurdakul 2018).
    """
    if _is_number(reference):
        known = reference.to_numpy(np.float64)
        known = known[np.isfinite(known)]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.zeros(0)
        codes = [np.searchsorted(edges, s.to_numpy(np.float64), side="right") for s in (reference, current)]
        n_bins = len(edges) + 1
    else:
        kinds = _kinds(reference)
        codes = [
            s.map({k: i for i, k in enumerate(kinds)}).fillna(len(kinds)).to_numpy(int) for s in (reference, current)
        ]
        n_bins = len(kinds) + 1
    # Half a row in every bin: an empty one would make the index infinite.
    shares = [(np.bincount(c, minlength=n_bins) + 0.5) / (len(c) + 0.5 * n_bins) for c in codes]
    psi = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    by_chance = float(stats.chi2.ppf(0.95, max(n_bins - 1, 1))) * (1 / len(reference) + 1 / len(current))
    return psi, by_chance


def _is_number(column: pd.Series) -> bool:
    return column.dtype != object


def _kinds(column: pd.Series) -> list[Any]:
    return list(column.value_counts().index[:MAX_KINDS])


def _scores(both: pd.DataFrame) -> tuple[Floats, list[str]]:
    """Columns of scores with mean 0 and spread 1, shape (row, score), and the series of each."""
    columns, owners = [], []
    for name in both.columns:
        column = both[name]
        if _is_number(column):
            values = column.to_numpy(np.float64)
            known = np.isfinite(values)
            rank = np.full(len(values), 0.5)
            if known.any():
                rank[known] = (stats.rankdata(values[known]) - 0.5) / known.sum()
            found = [rank - 0.5, np.where(known, (rank - 0.5) ** 2 - 1 / 12, 0.0), (~known).astype(np.float64)]
        else:
            kinds = _kinds(column)
            found = [(column == kind).to_numpy(np.float64) for kind in kinds]
            found.append((~column.isin(kinds)).to_numpy(np.float64))
        for score in found:
            spread = float(score.std())
            if spread > 1e-9:
                columns.append((score - score.mean()) / spread)
                owners.append(str(name))
    return np.column_stack(columns) if columns else np.zeros((len(both), 0)), owners


def _chances(reference: pd.DataFrame, current: pd.DataFrame, rng: np.random.Generator) -> dict[str, float]:
    """Chance of each series' largest departure, over all series (max-T)."""
    scores, owners = _scores(pd.concat([reference, current], ignore_index=True))
    n, m = len(scores), len(current)
    found = np.abs(scores[n - m :].mean(axis=0))
    largest = np.empty(PERMUTATIONS)
    for i in range(PERMUTATIONS):
        largest[i] = np.abs(scores[rng.choice(n, m, replace=False)].mean(axis=0)).max() if scores.shape[1] else 0.0
    chances = {str(name): 1.0 for name in current.columns}
    for owner, departure in zip(owners, found, strict=True):
        chance = (1 + int((largest >= departure - 1e-12).sum())) / (1 + PERMUTATIONS)
        chances[owner] = min(chances[owner], chance)
    return chances


# --------------------------------------------------------------------------------------------------------------- slips


def _slips(reference: pd.DataFrame, current: pd.DataFrame, departed: Sequence[str]) -> dict[str, tuple[Cause, str]]:
    """Departures that another unit or another column explains."""
    numbers = [name for name in departed if _is_number(current[name]) and _is_number(reference[name])]
    found: dict[str, tuple[Cause, str]] = {}
    for name in numbers:
        for other in numbers:
            if name != other and _are_swapped(reference, current, name, other):
                found[name] = ("swapped", f"{name} holds what {other} held, and the reverse: the columns look swapped")
    for name in numbers:
        if name not in found and (unit := _unit(reference[name], current[name])) is not None:
            found[name] = ("unit", f"{name} looks like another unit: {unit}")
    return found


_SHARES = np.linspace(0.05, 0.95, 19)


def _quantiles(column: pd.Series) -> Floats | None:
    values = column.to_numpy(np.float64)
    values = values[np.isfinite(values)]
    return np.quantile(values, _SHARES) if len(values) >= MIN_ROWS else None


def _unit(reference: pd.Series, current: pd.Series) -> str | None:
    """The unit that explains a departure: every quantile moved by one known factor."""
    before, now = _quantiles(reference), _quantiles(current)
    if before is None or now is None or min(before.min(), now.min()) <= 0:
        return None
    moved = np.log(now / before)
    # Quantiles of a sample scatter: by the spread of the logarithms over the root of the number of rows.
    scatter = 4 * float(np.std(np.log(before))) / math.sqrt(min(len(reference), len(current))) + 0.02
    middle = float(np.median(moved))
    if abs(middle) < max(math.log(1.5), scatter) or float(np.median(np.abs(moved - middle))) > scatter:
        return None
    for name, factor in UNITS.items():
        if abs(abs(middle) - math.log(factor)) <= scatter:
            return f"{name}, {'times' if middle > 0 else 'divided by'} {factor:g}"
    return None


def _are_swapped(reference: pd.DataFrame, current: pd.DataFrame, one: str, other: str) -> bool:
    """Each of two columns is more like what the other was than like what itself was, and like it."""
    before, now = ([_quantiles(frame[name]) for name in (one, other)] for frame in (reference, current))
    if any(q is None for q in (*before, *now)):
        return False
    crossed = [_distance(now[i], before[1 - i]) for i in (0, 1)]
    straight = [_distance(now[i], before[i]) for i in (0, 1)]
    like = 0.25 + 2.5 / math.sqrt(min(len(reference), len(current)))  # quantiles of few rows scatter
    return all(c < like and c < 0.5 * s for c, s in zip(crossed, straight, strict=True))


def _distance(one: Floats | None, other: Floats | None) -> float:
    """Mean distance of quantiles, in spreads of the second."""
    if one is None or other is None:
        return math.inf
    return float(np.abs(one - other).mean() / (other.std() + 1e-12))


def _strangers(
    reference: pd.DataFrame, current: pd.DataFrame, provenance: str | None
) -> tuple[list[str], NDArray[np.bool_]]:
    """Rows of the month whose provenance the reference does not have."""
    if provenance is None:
        return [], np.zeros(len(current), bool)
    known = set(reference[provenance].dropna())
    strange = ~current[provenance].isin(known).to_numpy()
    kinds = sorted({str(kind) for kind in current[provenance][strange]})
    notes = (
        [f"{provenance}: {int(strange.sum())} rows of {', '.join(kinds)}, which the reference lacks"] if kinds else []
    )
    return notes, np.asarray(strange, bool)


def _only_strangers(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    names: list[str],
    strangers: NDArray[np.bool_],
    alpha: float,
    rng: np.random.Generator,
) -> bool:
    """Whether nothing departed among rows of known provenance, or there are too few to ask."""
    rest = current[~strangers]
    if len(rest) < MIN_ROWS:
        return True
    return min(_chances(reference[names], rest[names], rng).values()) > alpha


__all__ = ["ALPHA", "UNITS", "DriftReport", "SeriesDrift", "drift_by_month", "find_drift", "stability"]
