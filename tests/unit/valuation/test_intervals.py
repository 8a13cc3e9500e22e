from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geocollateral.valuation.intervals import MIN_TO_LEARN, fifths, fit_interval, groups_of


def never(_: np.ndarray, __: np.ndarray) -> object:
    raise AssertionError("too few sales to learn a spread from")


def interval(error: np.ndarray, groups: list[np.ndarray]):
    fold = np.arange(len(error)) % 5
    return fit_interval(np.zeros((len(error), 1)), error, fold, groups, 0.9, never)  # type: ignore[arg-type]


def test_few_errors_of_one_spread_have_plain_conformal_bounds() -> None:
    error = np.random.default_rng(0).normal(0, 0.1, MIN_TO_LEARN - 1)
    found = interval(error, [])
    assert found.margin == 1.0
    inside = (error >= found.low * found.constant) & (error <= found.high * found.constant)
    assert 0.9 <= inside.mean() <= 0.91
    assert 0.08 < found.deviation * found.constant < 0.12


def test_intervals_widen_after_the_last_sale_as_the_level_walks_or_as_replays_say() -> None:
    found = replace(interval(np.random.default_rng(0).normal(0, 0.1, 300), []), forward=1.1, last_month=100.0)
    months, spread = np.array([90.0, 100.0, 101.0, 148.0, np.nan]), np.full(5, 0.1 / found.deviation)
    assert found.widening(months, spread).tolist() == [1.0, 1.0, 1.1, 1.1, 1.1]
    walked = replace(found, drift=4e-4).widening(months, spread)
    assert walked[:3].tolist() == [1.0, 1.0, 1.1]
    assert walked[3] == pytest.approx(np.sqrt(1 + 48 * 4e-4 / 0.01))
    assert found.widening(None, spread).tolist() == [1.1] * 5


def test_groups_that_err_more_widen_the_interval_but_no_more_than_the_level_bears() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], [249, 150])
    error = rng.normal(0, np.where(group == 0, 0.1, 0.16))
    plain, found = interval(error, []), interval(error, [group])
    assert found.margin > 1.0
    assert found.high > plain.high
    assert found.low < plain.low
    inside = (error >= found.low * found.constant) & (error <= found.high * found.constant)
    assert inside.mean() <= 0.93


def test_fifths_keep_equal_values_together_and_missing_ones_apart() -> None:
    found = fifths(np.array([1.0, 1, 1, 2, 3, np.nan]))
    assert len(set(found[:3].tolist())) == 1
    assert found[5] == 0
    assert (np.diff(found[2:5]) >= 0).all()
    features = pd.DataFrame({"kind": pd.Series(["a", None, "b"], dtype=object), "size": [1.0, 2.0, 3.0]})
    assert [len(group) for group in groups_of(features, np.zeros(3))] == [3, 3, 3]
