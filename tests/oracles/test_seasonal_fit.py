"""The robust seasonal fit against statsmodels, on random series with gaps."""

from typing import Any

import numpy as np
import pytest
from statsmodels.api import OLS, RLM
from statsmodels.robust.norms import HuberT

from geocollateral.change.baseline import SPREAD_BOUND, Fit, consistency, design, fit_seasons


def fit(values: np.ndarray, x: np.ndarray, **chosen: Any) -> Fit:
    """All series, on all looks. The arithmetic is of single precision."""
    days, n = np.arange(len(values), dtype=np.int32), values.shape[1]
    ends = np.full(n, len(values), np.int32)
    return fit_seasons(values.astype(np.float32), days, np.arange(n), ends, x.astype(np.float32), **chosen)


def gappy(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    days = np.sort(rng.choice(1500, 120, replace=False)).astype(float)
    values = design(days, 2) @ rng.normal(0, 0.3, 5) + rng.standard_t(3, 120) * 0.05
    values[rng.random(120) < 0.4] = np.nan
    return days, values


@pytest.mark.parametrize("seed", range(8))
def test_huber_fit_equals_rlm_at_the_same_spread(seed: int) -> None:
    """The spread is Huber's second proposal with a bound of its own, not statsmodels' MAD: it is checked apart.

    Residuals are weighed in their own standard error, by the leverage of the plain fit (Schweppe's weights).
    """
    days, values = gappy(seed)
    x, seen = design(days, 2), np.isfinite(values)
    ours = fit(values[:, None], x, precision=np.zeros(5), rounds=400)
    own = np.full(len(seen), np.nan)
    own[seen] = np.sqrt(1 - OLS(values[seen], x[seen]).fit().get_influence().hat_matrix_diag)
    bent = np.flatnonzero(seen & (ours.weights[:, 0] < 1))
    spread = float(np.abs(ours.residual[bent, 0] * ours.weights[bent, 0] / own[bent])[0]) / 1.345
    norm = HuberT(1.345 * spread)
    theirs = RLM(values[seen], x[seen], M=norm)
    weights, coefficients = np.ones(seen.sum()), np.zeros(5)
    for _ in range(400):
        root = np.sqrt(weights)
        coefficients = np.linalg.lstsq(x[seen] * root[:, None], values[seen] * root, rcond=None)[0]
        weights = theirs.M.weights((values[seen] - x[seen] @ coefficients) / own[seen])
    np.testing.assert_allclose(ours.coefficients[:, 0], coefficients, atol=2e-6)
    np.testing.assert_allclose(ours.weights[seen, 0], weights, atol=2e-5)
    bounded = np.minimum((ours.residual[seen, 0] / spread) ** 2, SPREAD_BOUND**2).sum()
    assert bounded == pytest.approx(consistency(SPREAD_BOUND) * (seen.sum() - 2.5), rel=1e-3)


@pytest.mark.parametrize("seed", range(8))
def test_default_rounds_are_enough(seed: int) -> None:
    days, values = gappy(seed)
    x = design(days, 2)
    few, many = (fit(values[:, None], x, precision=np.zeros(5), rounds=n) for n in (5, 400))
    np.testing.assert_allclose(few.coefficients, many.coefficients, atol=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_without_huber_it_is_least_squares(seed: int) -> None:
    days, values = gappy(seed)
    x, seen = design(days, 2), np.isfinite(values)
    ours = fit(values[:, None], x, precision=np.zeros(5), huber=1e9)
    np.testing.assert_allclose(ours.coefficients[:, 0], OLS(values[seen], x[seen]).fit().params, atol=1e-6)


def test_normal_prior_in_closed_form() -> None:
    """Posterior mean of an amplitude seen only at its peak, level known: precision-weighted data and prior."""
    days = np.zeros(10)
    x = design(days, 1)  # 1, 1, 0
    precision = np.array([1e12, 100.0, 100.0])  # the level is held at nought
    ours = fit(np.full((10, 1), 0.2), x, precision=precision, noise_floor=0.5, huber=1e9)
    expected = (10 * 0.2 / 0.25) / (10 / 0.25 + 100)
    assert ours.coefficients[1, 0] == pytest.approx(expected, rel=1e-5)
