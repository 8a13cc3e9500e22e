"""Other methods on the same looks: how much they find at the rate of false alarms that ours has.

Each method is a program that reads IN.npz and writes OUT.npz.

IN: ``days`` (time,) days since 1970, ``values`` (time, series, band) reflectance with NaN, ``bands`` their names and
``history_end``, the last day of the time that is known to be quiet.

OUT: one entry per break: ``series`` (position), ``before`` and ``after`` (its interval) and ``detected`` (days since
1970), ``score`` (positive for less green, larger for surer) and ``setting`` (number of the sensitivity it was found
at); ``version``, what was run.

A break of a parcel's mean is an alarm of the parcel. On stands, whose losses are smaller than the parcel, methods see
squares of 0.09 ha, and an alarm is `SQUARES` of them broken within `JOIN_DAYS`. Of every setting, size of patch and
threshold of the score, the one is taken that finds most events at no more false alarms than allowed: more than a user
could do, who knows no truth.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.change.evaluation import Evaluation, Scores, Truth, evaluate, scores_by_kind, threshold_for_budget
from geocollateral.errors import InvalidInput
from geocollateral.world_truth import MIN_AREA_M2, read_truth
from peers.series import PeerSeries, joined, of_kept_block

HERE = Path(__file__).resolve().parent
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "two_dates": ("two_dates.py",),
    "ewma": ("nrt_monitor.py", "ewma"),
    "cusum": ("nrt_monitor.py", "cusum"),
    "cold": ("pyxccd_breaks.py", "cold"),
    "sccd": ("pyxccd_breaks.py", "sccd"),
}
"""By name of the method: its program and what follows the names of the files."""
KINDS: Mapping[str, str] = {
    "clear_cut": "squares",
    "construction": "parcels",
    "crop_failure": "parcels",
    "abandonment": "parcels",
}
"""Kinds of events compared, and the series that methods see of them."""
SQUARES = (1, 2, 4, 8)
"""Broken squares that make an alarm of a stand: 0.09 to 0.7 ha."""
JOIN_DAYS = 90
QUIET_DAYS = 365
"""An alarm within so many days of the last one of its parcel is the same case."""
HISTORY_DAYS = 395
"""Days from the start in which nothing happens in any world, for methods that learn from a quiet time."""
ANY = "change"
"""Kind of every alarm: these methods name none."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One way to run a method, and what it finds."""

    method: str
    setting: int
    squares: int
    threshold: float
    scores: Scores


def run(program: Sequence[str], python: str, given: Path, wanted: Path) -> str:
    """Run a program; returns what it says of its version, or why it did not run."""
    if not Path(python).is_file():
        return f"NOT RUN: there is no {python}"
    command = [python, str(HERE / program[0]), str(given), str(wanted), *program[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own programs
    if done.returncode:
        return f"NOT RUN: {done.stderr.strip().splitlines()[-1:]}"
    with np.load(wanted) as data:
        return str(data["version"])


def breaks_of(path: Path, owners: NDArray[np.str_]) -> pd.DataFrame:
    """Breaks that mean less green, with their parcel and dates."""
    with np.load(path) as data:
        table = pd.DataFrame(
            {name: data[name] for name in ("series", "before", "after", "detected", "score", "setting")}
        )
    table = table[table["score"] > 0].astype(dict.fromkeys(("series", "before", "after", "detected"), "int64"))
    return table.assign(parcel_id=owners[table["series"]]).sort_values("detected", kind="stable")


def alarms(breaks: pd.DataFrame, n_squares: int = 1) -> pd.DataFrame:
    """Alarms of parcels: a break, or the break that makes a patch; further ones within a year are the same case."""
    rows: list[tuple[object, ...]] = []
    for parcel_id, own in breaks.groupby("parcel_id", sort=False):
        recent: dict[int, tuple[int, int, int]] = {}
        last = -QUIET_DAYS
        columns = (own[name].tolist() for name in ("series", "before", "after", "detected"))
        for series, before, after, detected in zip(*columns, strict=True):
            recent = {s: r for s, r in recent.items() if r[2] >= detected - JOIN_DAYS}
            recent[series] = (before, after, detected)
            if len(recent) < n_squares or detected - last < QUIET_DAYS:
                continue
            middle = sorted(recent.values(), key=lambda r: r[1])[len(recent) // 2]
            rows.append((parcel_id, ANY, middle[0], middle[1], detected))
            last, recent = detected, {}
    names = ["parcel_id", "kind", "last_clear_before", "first_clear_after", "detected_on"]
    found = pd.DataFrame(rows, columns=names)
    return found.assign(**{name: pd.to_datetime(found[name].astype("int64"), unit="D") for name in names[2:]})


def curve(
    method: str,
    breaks: pd.DataFrame,
    truth: Truth,
    status: Mapping[str, str],
    looks: pd.DataFrame,
    kind: str,
    budgets: Iterable[float],
    min_area_m2: Mapping[str, float],
) -> Iterator[tuple[float, Point]]:
    """For each budget of false alarms, the point of a method that finds most events of a kind within it."""
    squares = SQUARES if KINDS[kind] == "squares" else (1,)
    quiet = truth.quiet_years[truth.quiet_years["parcel_id"].isin(list(status))]
    years = float(((quiet["end"] - quiet["start"]).dt.days + 1).sum() / 365)
    best: dict[float, tuple[int, Any]] = {}
    for setting, own in breaks.groupby("setting"):
        for n in squares:
            # Thresholds are applied before breaks become alarms: a weak break must not hide a strong one.
            for threshold in _thresholds(own, quiet, years, list(budgets), n):
                said = alarms(own[own["score"] >= threshold], n)
                evaluation = evaluate(said, truth, status, looks, dict.fromkeys([kind], (ANY,)))
                wanted = evaluation.events["area_m2"] >= min_area_m2.get(kind, 0.0)
                hits = int((evaluation.events["found"] & wanted).sum())
                wolves = 100 * int(evaluation.alerts["in_quiet_year"].sum()) / years
                for budget in budgets:
                    if wolves <= budget + 1e-9 and hits > best.get(budget, (-1, None))[0]:
                        best[budget] = (hits, (int(setting), n, threshold, evaluation))
    for budget, (_, (setting, n, threshold, evaluation)) in sorted(best.items()):
        (found,) = scores_by_kind(evaluation, min_area_m2)
        yield budget, Point(method=method, setting=setting, squares=n, threshold=threshold, scores=found)


def _thresholds(
    breaks: pd.DataFrame, quiet: pd.DataFrame, years: float, budgets: Sequence[float], n: int
) -> list[float]:
    """Thresholds that leave about as many false alarms as the budgets allow."""
    spans = quiet.groupby("parcel_id").agg(start=("start", "min"), end=("end", "max"))
    known = breaks.join(spans, on="parcel_id", how="inner")
    day = pd.to_datetime(known["detected"], unit="D")
    calm = known[(day >= known["start"]) & (day <= known["end"])]
    # The n-th best score of each parcel's year stands for the score of its alarm.
    year = calm["detected"] // QUIET_DAYS
    ranked = calm.assign(year=year).sort_values("score", ascending=False).groupby(["parcel_id", "year"])["score"]
    scores = ranked.nth(n - 1).to_numpy(float)
    found = {threshold_for_budget(scores, years, budget * factor) for budget in budgets for factor in (1.0, 0.7, 1.5)}
    return sorted({-np.inf} | (found - {np.inf}))


def rows(
    folder: Path, kept: Path | None, out: Path, pythons: Mapping[str, str], ours: Evaluation
) -> Iterator[dict[str, object]]:
    """Rows for the card: what each method finds at our rate of false alarms, and at one per 100 parcel-years.

    Parameters
    ----------
    folder
        Of the simulated world.
    kept
        Of the looks kept.
    out
        For the files handed over.
    pythons
        By name of the method, the Python to run it with.
    ours
        What our own methods found on the same looks.
    """
    if kept is None:
        raise InvalidInput("other methods need the looks that --kept keeps")
    out.mkdir(parents=True, exist_ok=True)
    truth = read_truth(folder)
    classes = truth.parcels.set_index("parcel_id")["asset_class"]
    stands = set(classes.index[classes == "forestry"])
    homes = sorted(path.parent for path in kept.glob("*/whole.json"))
    parts = [part for home in homes if set((part := of_kept_block(home, stands)).parcels) <= set(classes.index)]
    series = joined(parts)
    looks = _looks(series)
    owners = {"parcels": series.parcels, "squares": series.squares}
    for what, values in (("parcels", series.parcel_values), ("squares", series.square_values)):
        hand_over(out / f"in-{what}.npz", series.days, values, series.bands)
    for method, python in pythons.items():
        for what in owners if method in PROGRAMS else ():
            said = run(PROGRAMS[method], python, out / f"in-{what}.npz", out / f"{method}-{what}.npz")
            say(f"{method} on {what}: {said}")
        if method not in PROGRAMS:
            raise InvalidInput(f"unknown method {method!r}; known: {', '.join(PROGRAMS)}")
        for kind, what in KINDS.items():
            own = {s.stratum["kind"]: s for s in scores_by_kind(ours, MIN_AREA_M2)}.get(kind)
            found = out / f"{method}-{what}.npz"
            if own is None or not found.is_file():
                continue
            here = set(ours.events.loc[ours.events["kind"] == kind, "asset_class"])
            some = truth.parcels[truth.parcels["asset_class"].isin(here)]
            status = dict.fromkeys(set(some["parcel_id"]) & set(series.parcels.tolist()), "ok")
            breaks = breaks_of(found, owners[what])
            breaks = breaks[breaks["parcel_id"].isin(list(status))]
            asked = {own.false_per_100.value, 1.0}
            for _, point in curve(method, breaks, truth, status, looks, kind, asked, MIN_AREA_M2):
                yield _row(kind, point, own)


def hand_over(path: Path, days: NDArray[np.datetime64], values: NDArray[np.float32], bands: Sequence[str]) -> None:
    """Write the file that programs read."""
    numbers = days.astype("datetime64[D]").astype(np.int64)
    np.savez(path, days=numbers, values=values, bands=np.array(bands), history_end=numbers[0] + HISTORY_DAYS)


def _looks(series: PeerSeries) -> pd.DataFrame:
    time, parcel = np.nonzero(np.isfinite(series.parcel_values[..., 0]))
    return pd.DataFrame({"parcel_id": series.parcels[parcel], "day": series.days[time].astype("datetime64[s]")})


def _row(kind: str, point: Point, own: Scores) -> dict[str, object]:
    found = point.scores
    return {
        "kind": kind,
        "method": point.method,
        "recall": found.recall_strict.value,
        "recall_low": found.recall_strict.low,
        "recall_high": found.recall_strict.high,
        "recall_n": found.recall_strict.n,
        "false_per_100": found.false_per_100.value,
        "lag_due_days": found.lag_due_days.value,
        "lag_looks": found.lag_looks.value,
        "setting": point.setting,
        "squares": point.squares,
        "threshold": point.threshold,
        "ours": own.recall_strict.value,
    }


def say(text: str) -> None:
    """Tell what was run, and loudly what was not."""
    sys.stderr.write(f"peers: {text}\n")


__all__ = ["KINDS", "PROGRAMS", "Point", "alarms", "breaks_of", "curve", "hand_over", "rows", "run", "say"]
