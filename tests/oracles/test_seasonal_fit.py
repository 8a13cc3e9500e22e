"""The robust seasonal fit against statsmodels, on random series with gaps."""

import numpy as np
import pytest
from statsmodels.api import OLS, RLM
from statsmodels.robust.norms import HuberT

from geocollateral.change.harmonic import design, fit_harmonics


def gappy(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    days = np.sort(rng.choice(1500, 120, replace=False)).astype(float)
    values = design(days, 2) @ rng.normal(0, 0.3, 5) + rng.standard_t(3, 120) * 0.05
    values[rng.random(120) < 0.4] = np.nan
    return days, values


@pytest.mark.parametrize("seed", range(8))
def test_huber_fit_equals_rlm(seed: int) -> None:
    days, values = gappy(seed)
    x, seen = design(days, 2), np.isfinite(values)
    ours = fit_harmonics(values[:, None], x, prior_sd=np.full(5, np.inf), iterations=400)
    theirs = RLM(values[seen], x[seen], M=HuberT(1.345)).fit(scale_est="mad", maxiter=400, tol=1e-12)
    np.testing.assert_allclose(ours.coefficients[0], theirs.params, atol=1e-7)
    assert ours.sigma[0] == pytest.approx(theirs.scale, rel=1e-5)
    np.testing.assert_allclose(ours.weights[seen, 0], theirs.weights, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_default_rounds_are_enough(seed: int) -> None:
    days, values = gappy(seed)
    x = design(days, 2)
    few, many = (fit_harmonics(values[:, None], x, prior_sd=np.full(5, np.inf), iterations=n) for n in (15, 400))
    np.testing.assert_allclose(few.coefficients, many.coefficients, atol=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_without_huber_it_is_least_squares(seed: int) -> None:
    days, values = gappy(seed)
    x, seen = design(days, 2), np.isfinite(values)
    ours = fit_harmonics(values[:, None], x, prior_sd=np.full(5, np.inf), huber=1e9)
    np.testing.assert_allclose(ours.coefficients[0], OLS(values[seen], x[seen]).fit().params, atol=1e-9)


def test_normal_prior_in_closed_form() -> None:
    """Posterior mean of a constant: precision-weighted mean of data and prior; the spread is at its floor."""
    values = np.full((10, 1), 0.9)
    sigma, sd, mean = 0.2, 0.1, 0.5
    fit = fit_harmonics(
        values,
        design(np.arange(10.0), 0),
        prior_sd=np.array([sd]),
        prior_mean=np.array([mean]),
        sigma_floor=sigma,
        huber=1e9,
    )
    spread = fit.sigma[0]
    expected = (10 * 0.9 / spread**2 + mean / sd**2) / (10 / spread**2 + 1 / sd**2)
    assert fit.coefficients[0, 0] == pytest.approx(expected, abs=1e-9)
