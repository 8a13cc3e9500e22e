"""Sums of values with errors in common, and numbers of events."""

from __future__ import annotations

import numpy as np
import pytest

from geocollateral.errors import InvalidInput
from geocollateral.risk.sums import NORMAL_90, OWN, Term, count_of, sum_of

SPREAD = 10.0 * NORMAL_90


def term(**shares: float) -> Term:
    return Term(low=100 - SPREAD, middle=100.0, high=100 + SPREAD, shares=shares)


def test_errors_of_their_own_average_out_and_those_in_common_add_up() -> None:
    low, middle, high = sum_of([term(**{OWN: 1.0})] * 100)
    assert (middle, high - middle) == (10_000, pytest.approx(10 * SPREAD))
    low, _, high = sum_of([term(price=1.0)] * 100)
    assert (middle - low, high - middle) == (pytest.approx(100 * SPREAD), pytest.approx(100 * SPREAD))
    assert sum_of([term(price=1.0), term(cost=1.0)])[2] == pytest.approx(200 + SPREAD * 2**0.5)


def test_what_no_source_is_named_for_is_a_terms_own() -> None:
    assert sum_of([term()] * 4) == sum_of([term(**{OWN: 1.0})] * 4)
    assert sum_of([]) == (0.0, 0.0, 0.0)
    assert sum_of([term(price=0.4)])[2] == pytest.approx(100 + SPREAD)


def test_a_sum_is_no_wider_than_all_errors_in_common() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        terms = [
            Term(low=m * a, middle=m, high=m * b, shares={"price": s, "yield": (1 - s) * t})
            for m, a, b, s, t in zip(
                rng.uniform(1, 9, 7),
                rng.uniform(0, 1, 7),
                rng.uniform(1, 3, 7),
                *rng.uniform(0, 1, (2, 7)),
                strict=True,
            )
        ]
        low, middle, high = sum_of(terms)
        assert sum(t.low for t in terms) - 1e-9 <= low <= middle <= high <= sum(t.high for t in terms) + 1e-9


def test_coverage_of_sums_with_a_price_in_common() -> None:
    """Normal errors, half of the variance the same for all: counted as independent the interval holds a third."""
    rng = np.random.default_rng(5)
    shared, own = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 30))
    sums = (100 + 10 * (shared * 0.5**0.5 + own * 0.5**0.5)).sum(axis=1)
    low, _, high = sum_of([term(price=0.5)] * 30)
    assert np.mean((sums >= low) & (sums <= high)) == pytest.approx(0.9, abs=0.015)
    low, _, high = sum_of([term()] * 30)
    assert np.mean((sums >= low) & (sums <= high)) < 0.4


def test_numbers_of_events() -> None:
    assert count_of([0.1] * 100, 0.0) == (
        pytest.approx(10 - NORMAL_90 * 3),
        pytest.approx(10),
        pytest.approx(10 + NORMAL_90 * 3),
    )
    assert count_of([0.1] * 100, 0.5)[2] == pytest.approx(10 + NORMAL_90 * 34**0.5)
    assert count_of([0.9], 0.0)[::2] == (pytest.approx(0.9 - NORMAL_90 * 0.3), 1.0)
    assert count_of([], 0.3) == (0.0, 0.0, 0.0)


def test_bounds_out_of_order_are_refused() -> None:
    with pytest.raises(InvalidInput, match="low <= middle"):
        Term(low=2.0, middle=1.0, high=3.0, shares={})
