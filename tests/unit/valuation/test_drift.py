"""Drift: power and false alarms on simulated months, and slips that are named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from geocollateral.valuation import drift
from geocollateral.valuation.drift import drift_by_month, find_drift, stability


def month(rng: np.random.Generator, n: int, shift: float = 0.0) -> pd.DataFrame:
    """Six numbers that go together, a kind, a prediction and an error; the first number moved by some spreads."""
    both = 0.6 * rng.normal(size=(n, 1)) + 0.8 * rng.normal(size=(n, 6))
    frame = pd.DataFrame(both, columns=[f"f{i}" for i in range(6)])
    frame["f0"] += shift
    frame["kind"] = pd.Series(rng.choice(list("abc"), n, p=[0.5, 0.3, 0.2]), dtype=object)
    frame["prediction"], frame["error"] = both.mean(axis=1), rng.normal(size=n)
    return frame


def test_half_a_spread_is_found_within_two_runs_and_false_alarms_are_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """The full simulation is in docs/models.md; here fewer permutations and repeats, so bounds of 99 %."""
    monkeypatch.setattr(drift, "PERMUTATIONS", 199)
    alarms = found = 0
    repeats = 60
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        reference = month(rng, 300)
        quiet = drift_by_month(reference, [("1", month(rng, 100)), ("2", month(rng, 100))])
        moved = drift_by_month(reference, [("1", month(rng, 100, 0.5)), ("2", month(rng, 100, 0.5))])
        alarms += sum(report.is_alarm for _, report in quiet)
        found += any(s.is_drift for _, report in moved for s in report.series if s.name == "f0")
    assert alarms <= 13  # of 120; 99 % quantile of 5 %
    assert found >= 0.9 * repeats


def positive(rng: np.random.Generator, n: int) -> pd.DataFrame:
    return pd.DataFrame({"area": rng.lognormal(4, 0.5, n), "slope": rng.gamma(2, 3, n), "error": rng.normal(size=n)})


def causes(reference: pd.DataFrame, current: pd.DataFrame, **options: str) -> dict[str, str | None]:
    report = find_drift(reference, current, errors=("error",), **options)
    return {series.name: series.cause for series in report.series if series.is_drift}


def test_slips_are_told_from_the_market() -> None:
    rng = np.random.default_rng(7)
    reference, current = positive(rng, 400), positive(rng, 80)
    assert causes(reference, current) == {}
    assert causes(reference, current.assign(area=current["area"] * 15)) == {"area": "unit"}
    assert causes(reference, current.assign(area=current["area"] / 666.7)) == {"area": "unit"}
    swapped = current.assign(area=current["slope"], slope=current["area"])
    assert causes(reference, swapped) == {"area": "swapped", "slope": "swapped"}
    assert causes(reference, current.assign(error=current["error"] + 1)) == {"error": "market"}
    assert causes(reference, current.assign(area=current["area"] ** 1.5)) == {"area": "drift"}


def test_another_platform_cannot_pass_as_the_market() -> None:
    rng = np.random.default_rng(3)
    reference, current = positive(rng, 400).assign(_from="S2A"), positive(rng, 160).assign(_from="S2A")
    new = np.arange(160) % 2 == 0
    current.loc[new, "_from"] = "S2C"
    current.loc[new, "error"] += 1.0
    reference["_from"], current["_from"] = reference["_from"].astype(object), current["_from"].astype(object)
    assert causes(reference, current, provenance="_from") == {"error": "platform"}
    notes = find_drift(reference, current, provenance="_from").notes
    assert notes == ("_from: 80 rows of S2C, which the reference lacks",)
    current["error"] += np.where(new, 0.0, 1.0)  # the rows of the old platform moved as well
    assert causes(reference, current, provenance="_from") == {"error": "market"}


def test_few_rows_tell_nothing_and_empty_columns_do_no_harm() -> None:
    rng = np.random.default_rng(4)
    reference = positive(rng, 100)
    report = find_drift(reference, positive(rng, 10))
    assert not report.series
    assert "at least 20" in report.notes[0]
    gone = positive(rng, 60).assign(slope=np.nan)
    assert causes(reference, gone) == {"slope": "drift"}
    assert causes(reference.assign(slope=np.nan), gone) == {}


def test_the_index_by_chance_is_what_chance_makes_of_it() -> None:
    rng = np.random.default_rng(5)
    told = [stability(pd.Series(rng.normal(size=400)), pd.Series(rng.normal(size=100))) for _ in range(400)]
    above = np.mean([psi > by_chance for psi, by_chance in told])
    assert 0.02 < above < 0.09
    assert told[0][1] > 0.1  # 0.10 is "moderate" by the usual convention: here chance alone passes it
