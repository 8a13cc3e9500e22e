from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geocollateral.valuation.nearby import Kriging, Nearby, Sizes, area_of, kriging_of
from geocollateral.valuation.value_model import LEARNERS, Effort, ValueModelParams, fit_value_model

QUICK = ValueModelParams(effort=0.1)


def places(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1000, (n, 2))


def test_kriging_by_hand() -> None:
    xy, left = np.array([[0.0, 0], [100, 0]]), np.array([0.2, -0.1])
    one = Kriging(nugget=0.5, reach=100.0)
    near = 0.5 * np.exp(-1)
    weights = np.linalg.solve([[1, near], [near, 1]], [0.5, near])
    found = one.predict(xy, left, np.array([[0.0, 0], [1e6, 0]]))
    np.testing.assert_allclose(found, [weights @ left, 0.0], atol=1e-12)


def test_what_is_alike_nearby_is_told_from_what_is_each_sales_own() -> None:
    rng, xy = np.random.default_rng(1), places(600)
    fold = np.arange(600) % 5
    smooth = kriging_of(xy, 0.3 * np.sin(xy[:, 0] / 150) + rng.normal(0, 0.05, 600), fold, 1)
    own = kriging_of(xy, rng.normal(0, 0.3, 600), fold, 1)
    assert smooth.nugget < own.nugget
    far = np.array([[1e7, 1e7]])
    assert smooth.predict(xy, np.ones(600), far)[0] == pytest.approx(0.0, abs=1e-9)


def test_the_nearest_sales_are_medians_per_area() -> None:
    features = pd.DataFrame({"area_m2": [50.0, 100, 200, np.nan, 0], "rooms": [1.0, 2, 3, 4, 5]})
    price = np.array([100.0, 200, 400, 300, 300])
    assert area_of(features, price) is None  # known of three in five
    sizes = Sizes.of(features[:3], price[:3])
    assert sizes.name == "area_m2"
    np.testing.assert_allclose(np.exp(sizes.logs(features)), [50, 100, 200, 100, 100])
    xy = np.vstack([places(15), places(15) + 5000])
    paid = np.log(np.r_[np.linspace(1, 3, 15), np.linspace(7, 9, 15)])
    sales = Nearby(xy=xy, residual=np.zeros(30), paid=paid, sizes=sizes, kriging=Kriging(nugget=0.5, reach=10.0))
    found = np.exp(sales.around(np.array([[500.0, 500], [5500, 5500], [np.nan, np.nan]])))
    np.testing.assert_allclose(found, [2, 8, np.exp(np.median(paid))])
    assert sales.left(np.array([[500.0, 500], [np.nan, 0]])).tolist() == [0, 0]


def market(n: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Prices per area that fall from the west to the middle, and no further."""
    rng, xy = np.random.default_rng(seed), places(n, seed)
    area = rng.lognormal(4.5, 0.4, n)
    log_price = 5 + np.log(area) - 2 * np.minimum(xy[:, 0], 500) / 500 + rng.normal(0, 0.1, n)
    return pd.DataFrame({"area_m2": area}), xy, np.exp(log_price)


def test_the_nearest_sales_are_learners_among_others() -> None:
    features, xy, price = market(600)
    model = fit_value_model(features, xy, None, None, price, QUICK, where=xy + 1.0)
    assert model.folds.kind == "random"
    assert model.members.linear.design.place is not None
    asked, where, paid = market(300, 9)
    off = dict(zip(LEARNERS, np.abs(model.members.predict(asked, where) - np.log(paid)[:, None]).mean(0), strict=True))
    assert off["nearest sales"] < 0.15
    assert off["linear and what it left nearby"] < off["linear"]
    assert model.weights[4:].sum() > 0.2


@pytest.mark.parametrize("bent", [True, False])
def test_a_surface_is_kept_in_blocks_of_places_only_if_it_helps_clearly_and_harms_in_none(bent: bool) -> None:
    rng, xy = np.random.default_rng(3), places(500, 3)
    area = rng.lognormal(4.5, 0.4, 500)
    trend = 2 * np.square((xy[:, 0] - 500) / 500) if bent else np.sin(xy[:, 0] / 60)
    price = np.exp(5 + np.log(area) + trend + rng.normal(0, 0.1, 500))
    inside = (np.abs(xy - 500) > 150).any(axis=1)
    features = pd.DataFrame({"area_m2": area})
    model = fit_value_model(features[inside], xy[inside], None, None, price[inside], QUICK, where=xy[~inside])
    assert model.folds.kind != "random"
    assert (model.members.linear.design.place is not None) == bent


def test_few_sales_choose_no_learner_and_none_is_told_of_places_that_are_not_there() -> None:
    features, xy, price = market(150)
    few = fit_value_model(features, xy, None, None, price, QUICK)
    features, xy, price = market(3000)
    many = fit_value_model(features, xy, None, None, price, QUICK)
    assert few.weights.sum() == pytest.approx(1.0)
    assert few.weights.std() < many.weights.std()
    nowhere = fit_value_model(features[:300], None, None, None, price[:300], QUICK)
    assert nowhere.weights[4:].tolist() == [0, 0]
    assert nowhere.members.nearby is None


def test_few_sales_have_small_trees() -> None:
    assert replace(Effort.of(700, 1.0), rate=0.0) == Effort(rounds=300, rate=0.0, leaves=7, in_leaf=7)
    assert Effort.of(1800, 1.0).leaves == 18
    assert Effort.of(17_000, 1.0) == Effort(rounds=700, rate=0.05, leaves=31, in_leaf=20)
