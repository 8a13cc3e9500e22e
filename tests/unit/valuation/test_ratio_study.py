import math

import numpy as np
import pytest

from geocollateral.errors import InvalidInput
from geocollateral.valuation import ratio_study

ESTIMATES = [90.0, 110.0, 210.0, 180.0, 310.0, 420.0]
PRICES = [100.0, 100.0, 200.0, 200.0, 300.0, 400.0]


def test_measures_by_hand() -> None:
    study = ratio_study(ESTIMATES, PRICES)
    ratios = [0.9, 1.1, 1.05, 0.9, 310 / 300, 1.05]
    middle = (310 / 300 + 1.05) / 2
    assert study.median_ratio.value == pytest.approx(middle, abs=1e-12)
    assert study.cod.value == pytest.approx(100 * sum(abs(r - middle) for r in ratios) / 6 / middle, abs=1e-10)
    assert study.prd.value == pytest.approx(sum(ratios) / 6 / (1320 / 1300), abs=1e-12)
    assert study.mdape == pytest.approx((0.05 + 0.1) / 2, abs=1e-12)
    assert study.within_10 == pytest.approx(6 / 6)


def test_few_sales_are_held_against_no_standard() -> None:
    assert {ratio_study(ESTIMATES, PRICES).cod.met, ratio_study(ESTIMATES, PRICES).prd.met} == {"too few"}


def test_estimates_equal_to_prices_have_no_dispersion() -> None:
    study = ratio_study(PRICES, PRICES)
    assert (study.cod.value, study.prd.value, study.median_ratio.value) == (0.0, 1.0, 1.0)
    assert study.mki.value == pytest.approx(1.0)
    assert math.isnan(study.rank_correlation)


def test_a_standard_missed_with_the_whole_interval() -> None:
    rng = np.random.default_rng(0)
    price = rng.lognormal(12, 0.5, 500)
    study = ratio_study(price * 1.3 * np.exp(rng.normal(0, 0.05, 500)), price)
    assert study.median_ratio.met == "not met"
    assert study.median_ratio.low < study.median_ratio.value < study.median_ratio.high
    regressive = ratio_study(price**0.8 * np.median(price) ** 0.2, price)
    assert regressive.prb.met == "not met"
    assert regressive.prb.value < -0.05
    assert regressive.prd.value > 1.03
    assert regressive.mki.value < 0.95


def test_trimming_leaves_out_what_is_far_outside_and_says_how_many() -> None:
    price = np.full(100, 100.0)
    estimate = np.append(np.linspace(95, 105, 99), 5000.0)
    assert ratio_study(estimate, price).n_trimmed == 0
    trimmed = ratio_study(estimate, price, trim=True)
    assert (trimmed.n, trimmed.n_trimmed) == (99, 1)


def test_strata_and_the_same_figures_twice() -> None:
    price = np.linspace(100, 300, 60)
    by = ["a"] * 30 + ["b"] * 30
    first = ratio_study(price * 1.05, price, by=by)
    assert first.as_dict() == ratio_study(price * 1.05, price, by=by).as_dict()
    assert set(first.strata) == {"a", "b"}
    assert first.strata["a"].n == 30
    assert first.as_dict()["strata"]["b"]["cod"]["value"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("estimates", "prices", "said"),
    [
        ([1.0, 2.0], [1.0], "one length"),
        ([1.0], [1.0], "at least two"),
        ([1.0, float("nan")], [1.0, 2.0], "Every estimate must be a positive number"),
        ([1.0, 2.0], [1.0, 0.0], "Every price must be a positive number"),
    ],
)
def test_bad_input_is_explained(estimates: list[float], prices: list[float], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        ratio_study(estimates, prices)


def test_strata_of_another_length() -> None:
    with pytest.raises(InvalidInput, match="one stratum for each"):
        ratio_study(ESTIMATES, PRICES, by=["a"])
