"""The seasonal curve and its robust fit, on arrays that can be checked by hand."""

import numpy as np
import pytest

from geocollateral.change.harmonic import YEAR_DAYS, design, design_slope, fit_harmonics, nanmedian

NO_PRIOR = np.full(3, np.inf)


@pytest.mark.parametrize(
    ("share_of_year", "cosine", "sine"),
    [(0.0, 1, 0), (0.25, 0, 1), (0.5, -1, 0), (0.75, 0, -1), (1.0, 1, 0), (7.25, 0, 1)],
)
def test_regressors_of_a_day(share_of_year: float, cosine: float, sine: float) -> None:
    found = design(np.array([share_of_year * YEAR_DAYS]), 1)
    np.testing.assert_allclose(found, [[1, cosine, sine]], atol=1e-12)


@pytest.mark.parametrize("harmonics", [0, 1, 2, 4])
def test_one_constant_and_two_columns_per_harmonic(harmonics: int) -> None:
    days = np.arange(5.0)
    assert design(days, harmonics).shape == (5, 1 + 2 * harmonics)
    assert design(days[:0], harmonics).shape == (0, 1 + 2 * harmonics)


@pytest.mark.parametrize("harmonics", [0, 1, 3])
def test_slope_is_the_derivative(harmonics: int) -> None:
    days, step = np.linspace(0, 800, 57), 1e-3
    slope = (design(days + step, harmonics) - design(days - step, harmonics)) / (2 * step)
    np.testing.assert_allclose(design_slope(days, harmonics), slope, atol=1e-9)


@pytest.mark.parametrize(
    ("column", "median"),
    [
        ([3, 1, 2], 2),
        ([3, 1, 2, 10], 2.5),
        ([np.nan, 1, np.nan], 1),
        ([np.nan, 4, 2], 3),
        ([np.nan, np.nan, np.nan], np.nan),
    ],
)
def test_median_without_the_missing(column: list[float], median: float) -> None:
    np.testing.assert_array_equal(nanmedian(np.array(column, float)[:, None]), [median])


def test_median_of_no_time_is_missing() -> None:
    np.testing.assert_array_equal(nanmedian(np.zeros((0, 2))), [np.nan, np.nan])


def test_a_pure_season_is_found_exactly() -> None:
    days = np.arange(0, 1000, 10.0)
    x = design(days, 1)
    fit = fit_harmonics((x @ [0.5, 0.2, -0.1])[:, None], x, prior_sd=NO_PRIOR)
    np.testing.assert_allclose(fit.coefficients, [[0.5, 0.2, -0.1]], atol=1e-10)
    assert fit.sigma[0] < 1e-9


def test_the_spread_has_a_floor() -> None:
    days = np.arange(0, 1000, 10.0)
    fit = fit_harmonics(np.full((100, 1), 0.5), design(days, 1), prior_sd=NO_PRIOR, sigma_floor=0.03)
    assert fit.sigma[0] == 0.03


def test_without_looks_the_prior_stands() -> None:
    x = design(np.arange(0, 100, 10.0), 1)
    fit = fit_harmonics(
        np.full((10, 1), np.nan), x, prior_sd=np.ones(3), prior_mean=np.array([0.4, 0.1, 0.0]), sigma_floor=0.03
    )
    np.testing.assert_allclose(fit.coefficients, [[0.4, 0.1, 0.0]], atol=1e-12)
    assert not fit.weights.any()


def test_a_missed_cloud_loses_its_weight() -> None:
    rng = np.random.default_rng(1)
    days = np.arange(0, 1000, 10.0)
    x = design(days, 1)
    values = x @ [0.7, 0.1, 0.0] + rng.normal(0, 0.02, 100)
    clean = fit_harmonics(values[:, None], x, prior_sd=NO_PRIOR)
    values[[20, 40, 60]] -= 0.5
    fit = fit_harmonics(values[:, None], x, prior_sd=NO_PRIOR)
    assert fit.weights[[20, 40, 60], 0].max() < 0.1
    np.testing.assert_allclose(fit.coefficients, clean.coefficients, atol=0.005)


def test_a_strong_prior_keeps_an_unseen_season_flat() -> None:
    summer = np.array([150.0, 180, 200, 515, 545, 560])
    x = design(summer, 1)
    fit = fit_harmonics(np.full((6, 1), 0.8), x, prior_sd=np.array([np.inf, 0.01, 0.01]), sigma_floor=0.03)
    np.testing.assert_allclose(fit.coefficients @ design(np.array([15.0]), 1).T, [[0.8]], atol=0.01)
