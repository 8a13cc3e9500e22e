"""The seasonal curve and its robust fit, on arrays that can be checked by hand."""

from typing import Any

import numpy as np
import pytest

from geocollateral.change.baseline import (
    YEAR_DAYS,
    Fit,
    consistency,
    design,
    fit_seasons,
    prior_precision,
    waves,
)
from geocollateral.change.kernels import fold, leverage_form, solve, unfold


def fit(values: np.ndarray, x: np.ndarray, **chosen: Any) -> Fit:
    """All series, on all looks. The arithmetic is of single precision."""
    days, n = np.arange(len(values), dtype=np.int32), values.shape[1]
    ends = np.full(n, len(values), np.int32)
    return fit_seasons(values.astype(np.float32), days, np.arange(n), ends, x.astype(np.float32), **chosen)


def products(x: np.ndarray) -> np.ndarray:
    """Of each pair of regressors, the lower triangle row by row."""
    row, col = np.tril_indices(x.shape[1])
    return x[:, row] * x[:, col]


def form_of(
    normal: np.ndarray, moment: np.ndarray, variance: np.ndarray, precision: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Coefficients, and the form on `products` that is the variance of the curve in units of the look's variance."""
    square, moment, variance, precision = (one.astype(np.float32) for one in (normal, moment, variance, precision))
    inverse, form, coefficients = np.empty_like(square), np.empty_like(square), np.empty_like(moment)
    solve(square, moment, variance, precision, len(moment), coefficients)
    leverage_form(square, len(moment), inverse, form)
    return coefficients, form


@pytest.mark.parametrize("harmonics", [0, 1, 2, 4])
def test_weighted_sums_of_waves_are_the_normal_matrix(harmonics: int) -> None:
    rng = np.random.default_rng(harmonics)
    x = design(np.sort(rng.choice(1500, 40, replace=False)), harmonics).astype(np.float32)
    k, weights = x.shape[1], rng.uniform(0, 1, (40, 3)).astype(np.float32)
    square = np.empty((k * (k + 1) // 2, 3), np.float32)
    unfold(waves(x).T @ weights, k, square)
    np.testing.assert_allclose(square, products(x).T @ weights, atol=1e-5)
    folded = np.empty((2 * k - 1, 3), np.float32)
    form = rng.normal(size=square.shape).astype(np.float32)
    fold(form, k, folded)
    np.testing.assert_allclose(waves(x) @ folded, products(x) @ form, atol=1e-4)


NO_PRIOR = np.zeros(3)


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


def test_the_prior_is_on_amplitudes_only_and_tighter_on_higher_ones() -> None:
    np.testing.assert_allclose(prior_precision(2, 0.5), [0, 4, 4, 32, 32])


@pytest.mark.parametrize("k", [1, 3, 7])
def test_solution_and_uncertainty_are_those_of_linear_algebra(k: int) -> None:
    rng = np.random.default_rng(k)
    x, weights = rng.normal(size=(30, k)), rng.uniform(0, 1, (30, 4))
    values, precision = rng.normal(size=(30, 4)), rng.uniform(0, 2, k)
    normal, moment = products(x).T @ weights, x.T @ (weights * values)
    variance = rng.uniform(0.5, 2, 4)
    found, form = form_of(normal, moment, variance, precision)
    for n in range(4):
        matrix = x.T @ (weights[:, n, None] * x) + np.diag(variance[n] * precision)
        np.testing.assert_allclose(found[:, n], np.linalg.solve(matrix, moment[:, n]), atol=1e-4)
        inverse = np.linalg.inv(matrix)
        np.testing.assert_allclose(products(x) @ form[:, n], np.einsum("ti,ij,tj->t", x, inverse, x), rtol=1e-4)


def test_the_bounded_square_of_a_normal_variable() -> None:
    z = np.random.default_rng(0).normal(size=1_000_000)
    for bound in (1.0, 1.345, 3.0):
        assert consistency(bound) == pytest.approx(np.minimum(z**2, bound**2).mean(), abs=3e-3)


def test_a_pure_season_is_found_exactly() -> None:
    days = np.arange(0, 1000, 10.0)
    x = design(days, 1)
    found = fit((x @ [0.5, 0.2, -0.1])[:, None], x, precision=NO_PRIOR)
    np.testing.assert_allclose(found.coefficients[:, 0], [0.5, 0.2, -0.1], atol=1e-6)
    assert found.variance[0] < 1e-9


def test_the_spread_has_a_floor() -> None:
    days = np.arange(0, 1000, 10.0)
    found = fit(np.full((100, 1), 0.5), design(days, 1), precision=NO_PRIOR, noise_floor=0.03)
    assert np.sqrt(found.variance[0]) == pytest.approx(0.03)


def test_the_spread_of_many_looks_is_that_of_their_noise() -> None:
    rng = np.random.default_rng(2)
    x = design(np.arange(0, 4000, 5.0), 1)
    values = (x @ [0.7, 0.1, 0.0])[:, None] + rng.normal(0, 0.05, (len(x), 20))
    found = fit(values, x, precision=NO_PRIOR, noise_floor=0.01)
    assert np.sqrt(found.variance).mean() == pytest.approx(0.05, rel=0.03)


def test_without_looks_nothing_is_known() -> None:
    x = design(np.arange(0, 100, 10.0), 1)
    found = fit(np.full((10, 1), np.nan), x, precision=np.ones(3), noise_floor=0.03)
    assert not found.coefficients.any()
    assert not found.weights.any()


def test_a_missed_cloud_loses_its_weight() -> None:
    rng = np.random.default_rng(1)
    days = np.arange(0, 1000, 10.0)
    x = design(days, 1)
    values = x @ [0.7, 0.1, 0.0] + rng.normal(0, 0.02, 100)
    clean = fit(values[:, None], x, precision=NO_PRIOR)
    values[[20, 40, 60]] -= 0.5
    found = fit(values[:, None], x, precision=NO_PRIOR)
    assert found.weights[[20, 40, 60], 0].max() < 0.1
    np.testing.assert_allclose(found.coefficients, clean.coefficients, atol=0.005)
    assert found.variance[0] < 1.5 * clean.variance[0]


def test_a_strong_prior_keeps_an_unseen_season_flat() -> None:
    summer = np.array([150.0, 180, 200, 515, 545, 560])
    x = design(summer, 1)
    found = fit(np.full((6, 1), 0.8), x, precision=prior_precision(1, 0.01), noise_floor=0.03)
    np.testing.assert_allclose(design(np.array([15.0]), 1) @ found.coefficients, [[0.8]], atol=0.01)


def test_doubt_grows_where_nothing_was_seen() -> None:
    summer = np.arange(150.0, 250.0, 5)
    x = design(summer, 2)
    precision = prior_precision(2, 0.25)
    found = fit(np.full((20, 1), 0.8), x, precision=precision, noise_floor=0.03)
    normal = np.empty((15, 1), np.float32)
    unfold(found.normal, 5, normal)
    form = form_of(normal, found.moment, found.variance, precision)[1]
    seen, unseen = products(design(np.array([200.0, 15.0]), 2)) @ form[:, 0]
    assert unseen > 10 * seen
