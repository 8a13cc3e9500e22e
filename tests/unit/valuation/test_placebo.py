import numpy as np
import pandas as pd
from market import sales

from geocollateral.valuation.placebo import BOUND, correlation_range, placebo_test


def asked(n: int = 1500, seed: int = 0):
    table = sales(n, seed)
    xy = table[["lon_m", "lat_m"]].to_numpy()
    return table[["area_mu", "quality", "slope"]].astype(float), xy, table["price"].to_numpy()


def test_smooth_fields_explain_nothing_in_blocks_with_a_buffer_and_much_at_random() -> None:
    features, xy, price = asked()
    surface = np.sin(xy[:, 0] / 2500) + np.cos(xy[:, 1] / 2500)
    found = placebo_test(features, xy, None, price * np.exp(2 * surface))
    assert found.smooth_fields is not None
    assert found.smooth_fields_at_random is not None
    assert found.smooth_fields <= BOUND < 0.3 < found.smooth_fields_at_random
    assert found.shuffled_prices <= BOUND
    assert found.passed
    assert found.buffer is not None
    assert found.buffer > 500


def test_prices_dealt_out_anew_within_months_teach_nothing_though_prices_rise() -> None:
    features, _, price = asked()
    months = np.linspace(0, 36, len(price))
    found = placebo_test(features.assign(age=months), None, months, price * np.exp(0.02 * months))
    assert found.shuffled_prices <= BOUND
    assert found.smooth_fields is None


def test_prices_are_dealt_out_where_every_sale_has_a_period_of_its_own() -> None:
    features, _, price = asked(400)
    found = placebo_test(features, None, np.arange(400) * 7.0, price)
    assert found.shuffled_prices <= BOUND


def test_the_range_of_correlation_follows_the_field() -> None:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 100_000, (3000, 2))
    short, long = (np.sin(xy[:, 0] / w) + np.cos(xy[:, 1] / w) for w in (400, 4000))
    assert correlation_range(xy, short, rng) < correlation_range(xy, long, rng)


def test_the_same_sales_give_the_same_figures() -> None:
    features, xy, price = asked(400)
    args = (pd.DataFrame(features), xy, None, price)
    assert placebo_test(*args) == placebo_test(*args)
