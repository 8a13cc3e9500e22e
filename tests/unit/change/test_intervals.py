"""Confidence intervals against published values."""

import numpy as np
import pytest

from geocollateral.change.intervals import over_clusters, rate, share
from geocollateral.errors import InvalidInput


@pytest.mark.parametrize(
    ("hits", "cases", "low", "high"),
    [  # Newcombe 1998, table I, method 3 (https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_share_has_wilsons_interval(hits: int, cases: int, low: float, high: float) -> None:
    figure = share(hits, cases)
    assert figure.value == hits / cases
    assert (round(figure.low, 4), round(figure.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (10, 4.795, 18.390), (100, 81.364, 121.627)],
)
def test_rate_has_garwoods_interval(count: int, low: float, high: float) -> None:
    """Tables of exact limits of a Poisson mean, such as Ulm 1990 (https://doi.org/10.1093/oxfordjournals.aje.a115507)."""
    figure = rate(count, 50.0, per=50.0)
    assert figure.value == count
    assert (figure.low, figure.high) == pytest.approx((low, high), abs=1e-3)


def test_nothing_counted_is_not_a_number() -> None:
    for figure in (share(0, 0), rate(0, 0.0), over_clusters([np.nan], ["p"])):
        assert np.isnan(figure.value)
        assert figure.n == 0


def test_values_of_one_parcel_are_one_witness() -> None:
    """A hundred copies of a parcel's value narrow nothing."""
    values = np.array([1.0, 5.0, 9.0])
    plain = over_clusters(values, ["a", "b", "c"], np.mean)
    copied = over_clusters(np.repeat(values, 100), np.repeat(["a", "b", "c"], 100), np.mean)
    assert (plain.low, plain.high) == pytest.approx((copied.low, copied.high))
    alone = over_clusters(values, ["a", "a", "a"])
    assert (alone.value, alone.low, alone.high) == (5.0, -np.inf, np.inf)


def test_faults_are_told() -> None:
    with pytest.raises(InvalidInput, match=r"within 0..3, got 4"):
        share(4, 3)
    with pytest.raises(InvalidInput, match="must not be negative"):
        rate(-1, 3.0)
