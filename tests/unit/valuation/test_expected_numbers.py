import lightgbm as lgb
import numpy as np
import pytest
from numpy.typing import NDArray

from geocollateral.valuation.expected_numbers import Expectation, expectations_of

Floats = NDArray[np.float64]


def boost(matrix: Floats, target: Floats) -> lgb.Booster:
    settings = {"objective": "l2", "num_leaves": 15, "seed": 1, "deterministic": True, "force_row_wise": True}
    data = lgb.Dataset(matrix, target, params={"verbose": -1})
    return lgb.train({**settings, "num_threads": 1, "learning_rate": 0.1, "verbose": -1}, data, 60)


def lots(n: int, seed: int) -> tuple[Floats, Floats]:
    """Log areas that span two orders of magnitude between places, and hardly differ within one; and the place."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 10, (2, n))
    return np.column_stack([np.floor(x) - 4.5 + rng.normal(0, 0.2, n), rng.normal(size=n)]), np.column_stack([x, y])


@pytest.fixture(scope="module")
def learned() -> tuple[Expectation, ...]:
    numbers, xy = lots(3000, 0)
    matrix = np.column_stack([numbers, xy])
    return expectations_of(matrix, numbers, [0, 1], [0.9, 0.1], np.arange(3000) % 5, boost, rate=0.01, seed=0)


def share(found: tuple[Expectation, ...], numbers: Floats, xy: Floats) -> float:
    matrix = np.column_stack([numbers, xy])
    return float(np.mean([one.departures(matrix, numbers[:, one.column]) > 1 for one in found if one.column == 0]))


def test_a_number_usual_elsewhere_is_refused_where_it_is_not(learned: tuple[Expectation, ...]) -> None:
    numbers, xy = lots(1000, 1)
    good = share(learned, numbers, xy)
    # 1 % of 1,000 rows, of two numbers half each: 99 % of samples as large hold less than 1.5 %.
    assert good <= 0.015
    wrong = numbers.copy()
    wrong[:, 0] = np.clip(-wrong[:, 0], -4.5, 4.5)  # never outside of what was sold
    middle = np.abs(numbers[:, 0]) > 1
    assert share(learned, wrong[middle], xy[middle]) >= 0.99


def test_what_is_missing_is_not_refused(learned: tuple[Expectation, ...]) -> None:
    numbers, xy = lots(50, 2)
    numbers[:, 0] = np.nan
    assert share(learned, numbers, xy) == 0.0


def test_few_sales_teach_no_expectation() -> None:
    numbers, xy = lots(100, 0)
    matrix = np.column_stack([numbers, xy])
    assert expectations_of(matrix, numbers, [0], [1.0], np.arange(100) % 5, boost, rate=0.01, seed=0) == ()
