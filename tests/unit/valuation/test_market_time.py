import numpy as np
import pytest

from geocollateral.valuation.market_time import price_level


def test_the_level_follows_prices_and_stays_after_the_last_month() -> None:
    rng = np.random.default_rng(0)
    months = rng.uniform(0, 36, 4000)
    level = price_level(months, 0.01 * months + rng.normal(0, 0.15, 4000))
    assert level.level[-1] == 0
    assert level.at(np.array([0.5]), 1)[0] == pytest.approx(-0.355, abs=0.04)
    assert level.at(np.array([60.0, np.nan]), 2).tolist() == [0.0, 0.0]


def test_noise_alone_moves_no_level() -> None:
    rng = np.random.default_rng(1)
    months = rng.uniform(0, 36, 2000)
    assert np.abs(price_level(months, rng.normal(0, 0.2, 2000)).level).max() < 0.02


def test_a_level_that_walked_is_unsure_after_the_last_month() -> None:
    rng = np.random.default_rng(2)
    months = np.repeat(np.arange(60), 60) + 0.5
    walk = np.cumsum(rng.normal(0, 0.02, 60))[months.astype(int)]
    found = price_level(months, walk + rng.normal(0, 0.1, len(months)))
    assert 1e-4 <= found.drift <= 1e-3  # 4e-4 is meant; the rates tried are a factor of two and a half apart
    still = price_level(months, rng.normal(0, 0.1, len(months)))
    assert still.drift <= 1e-5


def test_one_month_has_no_level() -> None:
    assert not len(price_level(np.full(50, 3.2), np.zeros(50)).months)
