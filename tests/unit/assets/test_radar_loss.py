"""Loss of a stand by radar alone, on arrays with speckle: 30 x 30 pixels, two orbits of 12 days, three years."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from geocollateral.assets.forest_radar import with_radar
from geocollateral.assets.radar_departures import Departures, departures
from geocollateral.assets.radar_loss import RadarLossParams, radar_losses
from geocollateral.assets.radar_odds import step_odds
from geocollateral.types import Event, ParcelEvidence, RadarEvidence
from tests.evidence_by_hand import days_between, known_on, loss, parcel, picture

SIDE = (30, 30)
N = SIDE[0] * SIDE[1]
FELLED = np.arange(N) < N // 3
DAY = np.datetime64("2022-06-01")
PARAMS = RadarLossParams()
LOOKS = 4.4


def orbit(rng: np.random.Generator, first: str, fall_db: float, pixels: int = N, bias: float = 0.0) -> RadarEvidence:
    """A stand with a season of 1.5 dB that its peers share, rain on some looks, and a fall on a third from `DAY` on."""
    days = days_between(first, "2022-12-01", 12)
    angle = 2 * np.pi * days.astype(int) / 365.25
    common = -14 + bias + 0.75 * np.cos(angle) + rng.choice([0.0, 1.5], len(days), p=[0.8, 0.2])
    own = common + rng.normal(0, 0.4, len(days))
    level = own[:, None] + np.where(FELLED[:pixels][None] & (days >= DAY)[:, None], -fall_db, 0.0)
    power = 10 ** (level / 10) * rng.gamma(LOOKS, 1 / LOOKS, level.shape)
    time = days.astype("datetime64[ns]")
    peers = common[:, None] + rng.normal(0, 0.4, (len(days), 8))
    return RadarEvidence(
        power=xr.Dataset({"vh": (("time", "pixel"), power)}, coords={"time": time}),
        series=xr.Dataset(),
        peers=xr.Dataset({"mean": (("index", "time", "peer"), peers[None])}, coords={"index": ["vh"], "time": time}),
    )


def forest(seed: int, fall_db: float, side: tuple[int, int] = SIDE, bias: float = 0.0) -> ParcelEvidence:
    """Its optical looks end on the day of the fall."""
    rng = np.random.default_rng(seed)
    days = days_between("2020-01-01", str(DAY), 20)
    n = side[0] * side[1]
    seen = parcel(side, days, picture(side, {"red": 0.03}, len(days)), as_of="2022-12-01")
    green = {k: (("time", "pixel"), np.full((len(days), n), v)) for k, v in {"ndvi": 0.8, "ndmi": 0.3}.items()}
    return replace(
        seen,
        indices=xr.Dataset(green, coords={"time": days.astype("datetime64[ns]")}),
        radar={
            "ascending-1": orbit(rng, "2020-01-03", fall_db, n),
            "descending-2": orbit(rng, "2020-01-09", fall_db, n, bias),
        },
    )


def with_vv(evidence: ParcelEvidence, felled: NDArray[np.bool_], change_db: float) -> ParcelEvidence:
    """The same stand with VV 6 dB above: what is common to both polarisations, and speckle of its own."""
    rng = np.random.default_rng(1)
    radar = {}
    for name, one in evidence.radar.items():
        days = one.power["time"].values
        own = 10 * np.log10(one.power["vh"].values[:, ~felled].mean(axis=1))
        level = (own + 6)[:, None] + np.where(felled[None] & (days >= DAY)[:, None], change_db, 0.0)
        power = 10 ** (level / 10) * rng.gamma(LOOKS, 1 / LOOKS, level.shape)
        peers = one.peers["mean"].sel(index="vh") + 6
        radar[name] = replace(
            one,
            power=one.power.assign(vv=(("time", "pixel"), power)),
            peers=xr.Dataset({"mean": xr.concat([one.peers["mean"], peers.expand_dims(index=["vv"])], dim="index")}),
        )
    return replace(evidence, radar=radar)


def told(evidence: ParcelEvidence, *events: Event) -> tuple[Event, ...]:
    return with_radar(evidence, np.ones(len(evidence.area_m2), bool), events, (0.65, 0.1), 0.5, PARAMS)


@pytest.mark.parametrize("seed", range(5))
def test_a_fall_of_2_db_on_a_third_is_found_within_60_days_where_and_when_it_was(seed: int) -> None:
    (event,) = told(forest(seed, 2.0))
    assert event.sensors == ("sentinel-1",)
    assert dt.date(2022, 6, 1) < event.detected_on <= dt.date(2022, 7, 31)
    assert abs(event.first_clear_after - dt.date(2022, 6, 1)) <= dt.timedelta(18)
    assert event.area_low_m2 <= 30_000 <= event.area_high_m2
    assert FELLED[list(event.pixels)].mean() > 0.8
    assert "VH fell by" in event.reasons[0]


def test_a_small_fall_of_vh_tells_more_where_vv_rises_than_where_it_falls_too() -> None:
    apart = told(with_vv(forest(9, 0.8), FELLED, 1.0))
    alike = told(with_vv(forest(9, 0.8), FELLED, -0.8))
    assert len(apart) == 1
    assert apart[0].detected_on <= dt.date(2022, 7, 31)
    assert "VV rose by" in apart[0].reasons[0]
    assert all(event.detected_on > apart[0].detected_on for event in alike)


def test_quiet_stands_with_vv_are_quiet() -> None:
    side = (6, 6)
    none = np.zeros(36, bool)
    assert not any(told(with_vv(forest(seed, 0.0, side), none, 0.0)) for seed in range(400, 420))


def test_ground_at_the_edge_of_a_swath_is_judged_on_the_looks_it_was_seen_on() -> None:
    """The edge lies across the parcel and moves from look to look: no look sees all of it."""
    evidence, radar = forest(10, 3.0), {}
    col = evidence.col - evidence.col.min()
    for name, one in evidence.radar.items():
        edge = 4 + (np.arange(len(one.power["time"])) * 7) % 20
        power = one.power.where(xr.DataArray(col[None] >= edge[:, None], dims=("time", "pixel")))
        radar[name] = replace(one, power=power)
    (event, *_) = told(replace(evidence, radar=radar))
    assert dt.date(2022, 6, 1) < event.detected_on <= dt.date(2022, 8, 31)
    assert FELLED[list(event.pixels)].mean() > 0.8


def test_the_order_of_orbits_changes_nothing() -> None:
    evidence = forest(12, 2.0)
    turned = replace(evidence, radar=dict(reversed(evidence.radar.items())))
    assert told(turned) == told(evidence)


def test_a_history_without_the_season_leaves_doubt() -> None:
    given = departures(forest(11, 0.0, (6, 6)), np.ones(36, bool), PARAMS)
    assert given is not None
    doubt = np.sqrt(given.doubt.max(axis=1))[(given.precision[0] > 0).any(axis=1)]
    assert doubt[0] > 0.3  # summer and half of autumn were never seen, and a season may have 0.7 dB
    assert doubt[-1] < 0.2


def test_no_single_look_decides() -> None:
    days = np.arange(5) * 6
    value = np.array([[0.0, 0.0, -30.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])[:, :, None]
    precision = np.tile(np.array([4.0, 0.0, 4.0])[:, None, None], (1, 5, 1))
    given = Departures(days=days, value=value, precision=precision, doubt=np.zeros((5, 1)))
    odds = step_odds(given, np.zeros((5, 1), bool), PARAMS)
    assert odds.log_odds[2, 0] < 0.0
    assert odds.log_odds[4, 0] < odds.log_odds[2, 0]


def test_a_rise_is_no_loss() -> None:
    days = np.arange(10) * 6
    value = np.full((2, 10, 1), 2.0)
    precision = np.tile(np.array([4.0, 0.0, 4.0])[:, None, None], (1, 10, 1))
    given = Departures(days=days, value=value, precision=precision, doubt=np.zeros((10, 1)))
    assert (step_odds(given, np.zeros((10, 1), bool), PARAMS).log_odds < -50).all()


def test_quiet_stands_are_quiet() -> None:
    side = (6, 6)
    alarms = sum(bool(told(forest(seed, 0.0, side))) for seed in range(100, 300))
    assert alarms == 0


def test_a_bias_between_orbits_is_no_loss() -> None:
    assert told(forest(1, 0.0, bias=1.5)) == ()


def test_orbits_that_take_turns_are_no_loss() -> None:
    """One orbit stops, the other, 1.5 dB darker, goes on."""
    whole = forest(2, 0.0, bias=-1.5)
    first = whole.radar["ascending-1"]
    short = first.power["time"].values < np.datetime64("2022-01-01")
    stopped = replace(first, power=first.power.isel(time=short), peers=first.peers.isel(time=short))
    assert told(replace(whole, radar={**whole.radar, "ascending-1": stopped})) == ()


def test_a_small_loss_is_not_told() -> None:
    evidence = forest(3, 0.0)
    spot = np.isin(evidence.row, (40, 41)) & np.isin(evidence.col, (10, 11))
    radar = {}
    for name, one in evidence.radar.items():
        late = (one.power["time"].values >= DAY)[:, None] & spot[None]
        radar[name] = replace(one, power=one.power * np.where(late, 0.5, 1.0))
    assert told(replace(evidence, radar=radar)) == ()


def test_nothing_looks_ahead_and_a_later_run_keeps_the_event() -> None:
    evidence = forest(4, 2.0)
    (last,) = told(evidence)
    for day in ("2022-05-30", "2022-06-15", "2022-06-30", "2022-07-30", "2022-09-30"):
        then = told(known_on(evidence, day))
        known = last.detected_on <= dt.date.fromisoformat(day)
        assert (then == (last,)) is known
        assert known or then == ()


def test_optical_looks_that_show_the_stand_speak_against_it() -> None:
    """A look in each 10 days leaves no time for three of radar."""
    evidence = forest(5, 2.0)
    days = days_between("2020-01-01", "2022-12-01", 10)
    green = {k: (("time", "pixel"), np.full((len(days), N), v)) for k, v in {"ndvi": 0.8, "ndmi": 0.3}.items()}
    shown = replace(evidence, look_days=days, indices=xr.Dataset(green, coords={"time": days.astype("datetime64[ns]")}))
    assert told(shown) == ()


def test_looks_of_both_sensors_are_one_event_known_since_the_earlier_day() -> None:
    evidence = forest(6, 2.0)
    (alone,) = told(evidence)
    later = loss("2022-05-28", "2022-09-10", np.flatnonzero(FELLED).tolist(), "2022-09-20")
    (event,) = told(evidence, later)
    assert event.sensors == ("sentinel-2", "sentinel-1")
    assert event.detected_on == alone.detected_on
    assert event.last_clear_before == later.last_clear_before
    assert event.first_clear_after <= event.detected_on


def test_ground_told_lost_before_is_not_lost_again() -> None:
    evidence = forest(7, 2.0)
    earlier = loss("2021-05-28", "2021-06-10", range(N), "2021-06-20")
    assert told(evidence, earlier) == (earlier,)


def test_no_radar_tells_nothing() -> None:
    evidence = replace(forest(8, 2.0), radar={})
    assert radar_losses(evidence, np.ones(N, bool), PARAMS) == []
