"""The start of works against ground alike: series built by hand, twelve pieces of ground and looks each 10 days."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from geocollateral.assets import site_start
from geocollateral.assets.site_start import StartParams
from geocollateral.types import ParcelEvidence, RadarEvidence
from tests.unit.assets.test_sites import DAYS, evidence, field

NAMES = list(site_start.OPTICAL)
GREEN = np.array([0.8, 0.35, -0.5, 0.6])
BARE = np.array([0.2, -0.08, -0.38, 0.02])
WORKED = np.array([site_start.OPTICAL[name][0] for name in NAMES])


def season() -> np.ndarray:
    """Green from May to September, bare else; shape (index, look)."""
    doy = (DAYS - DAYS.astype("datetime64[Y]")).astype(int)
    green = np.clip(np.minimum((doy - 120) / 30, (275 - doy) / 20), 0, 1)
    return green * GREEN[:, None] + (1 - green) * BARE[:, None]


def series(own: np.ndarray, names: list[str]) -> xr.Dataset:
    coords = {"index": names, "time": DAYS.astype("datetime64[ns]")}
    return xr.Dataset({"mean": (("index", "time"), own)}, coords=coords)


def around(usual: np.ndarray, names: list[str], noise: float) -> xr.Dataset:
    rng = np.random.default_rng(3)
    mean = usual[:, :, None] + rng.normal(0, noise, (*usual.shape, 12))
    coords = {"index": names, "time": DAYS.astype("datetime64[ns]")}
    dims = ("index", "time", "peer")
    return xr.Dataset({"mean": (dims, mean), "valid_fraction": (dims, np.ones(mean.shape))}, coords=coords)


def parcel(own: np.ndarray, radar: np.ndarray | None = None) -> ParcelEvidence:
    noise = np.random.default_rng(5).normal(0, 0.01, own.shape)
    given = replace(evidence(field()), series=series(own + noise, NAMES), peers=around(season(), NAMES, 0.01))
    if radar is None:
        return given
    usual = np.repeat([[-10.0], [-17.0]], len(DAYS), axis=1)
    own_db = usual + radar + np.random.default_rng(6).normal(0, 0.4, usual.shape)
    looks = RadarEvidence(
        power=xr.Dataset(), series=series(own_db, ["vv", "vh"]), peers=around(usual, ["vv", "vh"], 0.4)
    )
    return replace(given, radar={"ascending-15": looks})


def told(given: ParcelEvidence) -> np.datetime64 | None:
    odds = site_start.weigh(given, StartParams(), 0.3)
    assert odds is not None
    n = site_start.first_from(odds, 0.99)
    return None if n is None else np.datetime64(int(odds.days[n]), "D")


def test_a_field_like_its_neighbours_is_no_site() -> None:
    assert told(parcel(season())) is None


def test_a_field_sown_late_and_thin_is_no_site() -> None:
    late = season()
    at = (np.datetime64("2022-05-05") <= DAYS) & (np.datetime64("2022-06-15") > DAYS)
    late[:, at] = 0.75 * late[:, at] + 0.25 * BARE[:, None]
    assert told(parcel(late)) is None


def test_works_in_a_green_season_are_told_within_two_looks() -> None:
    site = season()
    since = np.datetime64("2022-06-10")
    site[:, since <= DAYS] = WORKED[:, None]
    said = told(parcel(site))
    assert said is not None
    assert since <= said <= DAYS[since <= DAYS][2]


def test_radar_tells_works_on_a_bare_field_that_optical_looks_cannot() -> None:
    since = np.datetime64("2022-11-10")
    rough = np.where(since <= DAYS, np.array([[1.5], [2.0]]), 0.0)
    blind = replace(parcel(season(), rough), peers=None)  # no optical look is compared
    said = told(blind)
    assert said is not None
    assert since <= said <= since + np.timedelta64(90, "D")


def test_a_smoother_field_that_greens_up_is_no_site() -> None:
    smooth = np.where(np.datetime64("2022-11-10") <= DAYS, np.array([[-1.2], [-1.2]]), 0.0)
    assert told(parcel(season(), smooth)) is None


def test_the_start_is_dated_and_sized() -> None:
    site = season()
    since = np.datetime64("2022-06-10")
    site[:, since <= DAYS] = WORKED[:, None]
    odds = site_start.weigh(parcel(site), StartParams(), 0.3)
    assert odds is not None
    n = site_start.first_from(odds, 0.99)
    assert n is not None
    before, after = (np.datetime64(day, "D") for day in site_start.onset(odds, n))
    assert before < since <= after + np.timedelta64(10, "D")
    assert site_start.share_of(odds, n) == 1.0


def test_nothing_is_known_before_its_day() -> None:
    site = season()
    site[:, np.datetime64("2022-06-10") <= DAYS] = WORKED[:, None]
    whole = parcel(site, np.zeros((2, len(DAYS))))
    odds = site_start.weigh(whole, StartParams(), 0.3)
    keep = whole.look_days <= np.datetime64("2022-06-25")
    cut = replace(whole, look_days=whole.look_days[keep], look_fraction=whole.look_fraction[keep])
    assert whole.series is not None
    cut = replace(cut, series=whole.series.isel(time=keep))
    cut = replace(
        cut,
        radar={name: replace(looks, series=looks.series.isel(time=keep)) for name, looks in whole.radar.items()},
    )
    then = site_start.weigh(cut, StartParams(), 0.3)
    assert odds is not None
    assert then is not None
    assert then.probability == pytest.approx(odds.probability[: len(then.days)])


def test_without_ground_alike_nothing_is_said() -> None:
    assert site_start.weigh(evidence(field()), StartParams(), 0.3) is None
