"""The judgement of farm land, on evidence built by hand: 8 x 8 pixels, ten neighbours and four years of looks."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from geocollateral.assets.agriculture import AGRICULTURE, COLUMNS, AgricultureParams
from geocollateral.types import Event, Judgement, ParcelEvidence, RadarEvidence

SIDE, PEERS = 8, 10
START = np.datetime64("2019-01-01", "D")
DAYS = np.arange(0, 4 * 365, 6)
RADAR_DAYS = np.arange(3, 4 * 365, 12)
PARAMS = AgricultureParams()
Green = Callable[[np.ndarray], np.ndarray]


def crop(days: np.ndarray, *, lag: float = 0.0) -> np.ndarray:
    """Share of the ground under a crop that is up in May and harvested in September."""
    of_year = days % 365 - lag
    return 1 / (1 + np.exp(-(of_year - 130) / 6)) - 1 / (1 + np.exp(-(of_year - 255) / 4))


def failed(days: np.ndarray) -> np.ndarray:
    """The crop of the third year withers in July."""
    gone = (days >= 2 * 365 + 190) & (days < 3 * 365)
    return np.where(gone, crop(days) * np.exp(-(days - 2 * 365 - 190) / 4.0), crop(days))


def idle(first: int, last: int) -> Green:
    """Weeds instead of crops from one year to another, both counted from 0."""

    def green(days: np.ndarray) -> np.ndarray:
        away = (days // 365 >= first) & (days // 365 <= last)
        return np.where(away, 0.35 + 0.1 * np.sin(2 * np.pi * days / 365), crop(days))

    return green


def ndvi(share: np.ndarray, noise: np.random.Generator) -> np.ndarray:
    return 0.15 + 0.65 * share + noise.normal(0, 0.015, share.shape)


def evidence(
    own: Green = crop, *, everyone: Green = crop, lost: slice | None = None, lost_from: int = 600, peers: int = PEERS
) -> ParcelEvidence:
    """A parcel that grows `own` among neighbours that grow `everyone`, each some days sooner or later."""
    rng = np.random.default_rng(7)
    shift = [lambda d, lag=lag: everyone(d - lag) for lag in np.linspace(-6, 6, peers)]
    days = START + DAYS
    plane = np.repeat(ndvi(own(DAYS), rng)[:, None], SIDE * SIDE, axis=1) + rng.normal(0, 0.02, (len(DAYS), SIDE**2))
    if lost is not None:
        mask = np.zeros((SIDE, SIDE), bool)
        mask[lost, lost] = True
        plane[np.ix_(lost_from <= DAYS, mask.ravel())] = 0.15
    mean = plane.mean(axis=1)

    def series(values: np.ndarray, index: list[str], on: np.ndarray, extra: tuple[str, ...] = ()) -> xr.Dataset:
        dims = ("index", "time", *extra)
        return xr.Dataset(
            {"mean": (dims, values), "valid_fraction": (dims, np.ones(values.shape))},
            coords={"index": index, "time": on.astype("datetime64[ns]")},
        )

    around = np.stack([ndvi(other(DAYS), rng) for other in shift], axis=1) if peers else np.zeros((len(DAYS), 0))

    def radar(share: np.ndarray) -> np.ndarray:
        """VH rises with the crop; VV hardly."""
        noise = rng.normal(0, 0.3, (2, *share.shape))
        return np.stack([-20 + 5 * share, -12 + 0.5 * share]) + noise

    on = START + RADAR_DAYS
    heard = series(radar(own(RADAR_DAYS)), ["vh", "vv"], on)
    heard_around = (
        np.stack([radar(other(RADAR_DAYS)) for other in shift], axis=-1) if peers else np.zeros((2, len(on), 0))
    )
    row, col = np.divmod(np.arange(SIDE * SIDE), SIDE)
    return ParcelEvidence(
        parcel_id="P1",
        attributes={"asset_class": "agriculture", "obs_area_m2": 100.0 * SIDE**2},
        as_of=(days[-1]).astype(dt.date),
        area_m2=np.full(SIDE * SIDE, 100.0),
        row=row,
        col=col,
        n_full_pixels=SIDE * SIDE,
        visible_fraction=1.0,
        look_days=days,
        look_fraction=np.ones(len(days)),
        pixels={},
        indices=xr.Dataset({"ndvi": (("time", "pixel"), plane.astype(np.float32))}),
        series=series(np.stack([mean]), ["ndvi"], days),
        peers=series(np.stack([around]), ["ndvi"], days, ("peer",)),
        radar={
            "ascending-1": RadarEvidence(
                power=xr.Dataset(), series=heard, peers=series(heard_around, ["vh", "vv"], on, ("peer",))
            )
        },
    )


def until(whole: ParcelEvidence, day: np.datetime64) -> ParcelEvidence:
    """What was known at a day."""
    n = int((whole.look_days <= day).sum())
    assert whole.series is not None
    assert whole.peers is not None
    assert whole.indices is not None
    m = int((whole.radar["ascending-1"].series["time"].values <= day).sum())
    heard = whole.radar["ascending-1"]
    return replace(
        whole,
        as_of=day.astype(dt.date),
        look_days=whole.look_days[:n],
        look_fraction=whole.look_fraction[:n],
        indices=whole.indices.isel(time=slice(n)),
        series=whole.series.isel(time=slice(n)),
        peers=whole.peers.isel(time=slice(n)),
        radar={
            "ascending-1": replace(
                heard, series=heard.series.isel(time=slice(m)), peers=heard.peers.isel(time=slice(m))
            )
        },
    )


def judge(own: ParcelEvidence) -> Judgement:
    return AGRICULTURE.judge(own, PARAMS)


def kinds(judgement: Judgement) -> list[str]:
    return [event.kind for event in judgement.events]


def one(judgement: Judgement, kind: str) -> Event:
    (event,) = [event for event in judgement.events if event.kind == kind]
    return event


def test_a_field_with_a_crop_a_year() -> None:
    found = judge(evidence())
    assert found.status == "ok"
    assert found.events == ()
    assert found.columns["obs_use"] == "field"
    assert found.columns["obs_crops_per_year_n"] == pytest.approx(1.0, abs=0.1)
    harvest = found.columns["obs_last_harvest"]
    assert abs((harvest - dt.date(2022, 9, 15)).days) <= 8
    assert found.quantity == pytest.approx((0.64, 0.64, 0.64))
    assert [row["harvested"][:4] for row in found.tables["seasons"]] == ["2019", "2020", "2021", "2022"]
    assert set(COLUMNS) == set(found.columns)


def test_a_crop_that_withers_alone_has_failed() -> None:
    own = evidence(failed)
    found = judge(own)
    assert kinds(found) == ["crop_failure"]
    event = one(found, "crop_failure")
    assert dt.date(2021, 6, 25) <= event.last_clear_before <= event.first_clear_after <= dt.date(2021, 8, 5)
    assert event.first_clear_after < event.detected_on < dt.date(2021, 9, 10)
    assert event.area_m2 == pytest.approx(6400, rel=0.2)
    (hit,) = AGRICULTURE.hits(own, found, PARAMS)
    assert (hit.rule, hit.severity, hit.operating_point) == ("crop_failure", "high", "confirmed")
    assert "NDVI was" in hit.reasons[0]


def test_a_crop_that_withers_after_water_stood_on_it_was_flooded() -> None:
    own = evidence(failed)
    assert own.indices is not None
    wet = np.full((len(DAYS), SIDE**2), -0.4, np.float32)
    wet[int(np.searchsorted(DAYS, 2 * 365 + 191))] = 0.3
    found = judge(replace(own, indices=own.indices.assign(mndwi=(("time", "pixel"), wet))))
    assert "water stood on 100%" in one(found, "flood").reasons[-1]


def drowned(days: np.ndarray) -> np.ndarray:
    """The crop of the third year does not come up."""
    return np.where(days // 365 == 2, 0.0, crop(days))


def wet(own: ParcelEvidence, *days: int) -> ParcelEvidence:
    """Water stands on the whole parcel on the looks of some days; its mean is in the series too."""
    assert own.indices is not None
    assert own.series is not None
    plane = np.full((len(DAYS), SIDE**2), -0.4, np.float32)
    for day in days:
        plane[int(np.searchsorted(DAYS, day))] = 0.3
    mean = plane.mean(axis=1)
    water = own.series.assign_coords(index=["mndwi"]).copy(
        data={"mean": mean[None], "valid_fraction": np.ones((1, len(DAYS)))}
    )
    return replace(
        own,
        indices=own.indices.assign(mndwi=(("time", "pixel"), plane)),
        series=xr.concat([own.series, water], dim="index"),
    )


def test_seedlings_that_water_stood_on_and_that_never_came_up_drowned() -> None:
    found = judge(wet(evidence(drowned), 2 * 365 + 118))
    event = one(found, "flood")
    assert event.last_clear_before <= dt.date(2021, 4, 30) <= event.first_clear_after
    assert "had not come up" in event.reasons[0]
    assert "water stood on 100%" in event.reasons[-1]


def test_a_crop_that_did_not_come_up_without_water_is_neither_flood_nor_failure() -> None:
    assert {"flood", "crop_failure"}.isdisjoint(kinds(judge(evidence(drowned))))


def test_on_a_paddy_water_over_seedlings_is_husbandry() -> None:
    assert "flood" not in kinds(judge(wet(evidence(drowned), 118, 365 + 118, 2 * 365 + 118)))


def test_what_befalls_everyone_is_weather() -> None:
    assert judge(evidence(failed, everyone=failed)).events == ()


def test_a_late_crop_has_not_failed() -> None:
    def late(days: np.ndarray) -> np.ndarray:
        return np.where(days // 365 == 2, crop(days, lag=15), crop(days))

    assert judge(evidence(late)).events == ()


def test_a_failure_that_something_speaks_against_is_an_early_warning() -> None:
    own = evidence(failed)
    found = judge(own)
    sure = one(found, "crop_failure")
    assert sure.doubts == ()
    strict = PARAMS.model_copy(
        update={
            "cropping": PARAMS.cropping.model_copy(
                update={"doubts": PARAMS.cropping.doubts.model_copy(update={"most_unlike": 1e-6})}
            )
        }
    )
    found = AGRICULTURE.judge(own, strict)
    doubted = one(found, "crop_failure")
    assert len(doubted.doubts) == 1
    assert doubted.doubts[0] in doubted.reasons
    assert doubted.probability < sure.probability
    (hit,) = AGRICULTURE.hits(own, found, strict)
    assert (hit.rule, hit.severity, hit.operating_point) == ("crop_failure", "low", "early_warning")


def test_a_fallow_year_is_an_early_warning_at_most() -> None:
    found = judge(evidence(idle(2, 2)))
    assert set(kinds(found)) <= {"missed_season"}
    assert all(hit.operating_point == "early_warning" for hit in AGRICULTURE.hits(evidence(), found, PARAMS))


def test_two_seasons_without_a_crop_are_abandonment() -> None:
    found = judge(evidence(idle(2, 3)))
    assert "crop_failure" not in kinds(found)
    event = one(found, "abandonment")
    assert event.detected_on.year == 2022
    assert event.first_clear_after.year == 2021
    assert found.quantity is not None
    assert found.quantity[1] == 0


def test_ground_left_untilled_is_told_before_the_second_season_is_over() -> None:
    own = evidence(idle(2, 3))
    event = one(judge(own), "abandonment")
    assert any("was not tilled" in reason for reason in event.reasons)
    assert event.last_clear_before < event.first_clear_after
    assert dt.date(2022, 2, 1) <= event.detected_on <= dt.date(2022, 5, 31)
    fallow = evidence(lambda days: np.where(days < 3 * 365 + 40, idle(2, 3)(days), crop(days)))
    assert "abandonment" not in kinds(judge(fallow))
    before = judge(until(own, np.datetime64(event.detected_on, "D") - 1))
    assert "abandonment" not in kinds(before)


def out_of_step(whole: ParcelEvidence, share: float) -> ParcelEvidence:
    """Peers that each show no crop on a share of the looks on which the others have one."""
    assert whole.peers is not None
    mean = whole.peers["mean"].values.copy()
    away = np.random.default_rng(3).random(mean.shape) < share
    return replace(whole, peers=whole.peers.assign(mean=(whole.peers["mean"].dims, np.where(away, 0.15, mean))))


def test_of_land_whose_peers_go_out_of_step_neither_abandonment_nor_failure_is_told() -> None:
    assert "abandonment" in kinds(judge(out_of_step(evidence(idle(2, 3)), 0.03)))
    assert "abandonment" not in kinds(judge(out_of_step(evidence(idle(2, 3)), 0.2)))
    assert "crop_failure" in kinds(judge(out_of_step(evidence(failed), 0.03)))
    assert "crop_failure" not in kinds(judge(out_of_step(evidence(failed), 0.2)))


def test_idle_land_without_weeds_was_cleared() -> None:
    def bare(days: np.ndarray) -> np.ndarray:
        return np.where(days // 365 >= 2, 0.02, crop(days))

    own = evidence(bare)
    found = judge(own)
    assert "abandonment" not in kinds(found)
    known_on = one(found, "land_preparation").detected_on
    before = judge(until(own, np.datetime64(known_on, "D") - 1))
    assert "land_preparation" not in kinds(before)
    assert one(found, "land_preparation").area_m2 == pytest.approx(evidence().area_m2.sum(), rel=0.1)


def test_a_patch_that_stays_bare_is_lost_ground() -> None:
    found = judge(evidence(lost=slice(0, 4)))
    event = one(found, "encroachment")
    assert event.area_m2 == pytest.approx(1600, rel=0.15)
    assert event.area_low_m2 <= event.area_m2 <= event.area_high_m2
    assert found.columns["chg_cleared_m2"] == pytest.approx(event.area_m2)


def test_below_the_minimum_mapping_unit_nothing_is_said() -> None:
    assert judge(evidence(lost=slice(0, 2))).events == ()


def test_a_greenhouse_is_no_field() -> None:
    found = judge(evidence(lambda days: np.full(len(days), 0.1)))
    assert found.columns["obs_use"] == "covered_or_sparse"
    assert found.columns["obs_crops_per_year_n"] is None
    assert found.tables["seasons"] == ()
    assert found.events == ()


def test_grass_has_no_harvest() -> None:
    found = judge(evidence(lambda days: 0.55 + 0.25 * np.sin(2 * np.pi * (days - 100) / 365)))
    assert found.columns["obs_use"] == "grass_or_trees"
    assert found.columns["obs_last_harvest"] is None


def test_without_peers_a_field_is_still_judged() -> None:
    found = judge(evidence(peers=0))
    assert found.status == "ok"
    assert found.events == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"n_full_pixels": 5}, "Too small", id="small"),
        pytest.param({"visible_fraction": 0.5}, "outside", id="outside"),
        pytest.param({"look_fraction": np.zeros(len(DAYS))}, "Too few clear looks", id="clouds"),
        pytest.param({"as_of": dt.date(2024, 1, 1)}, "days old", id="stale"),
        pytest.param({"series": None}, "no optical", id="radar only"),
    ],
)
def test_cannot_tell(change: dict[str, object], words: str) -> None:
    found = judge(replace(evidence(), **change))
    assert found.status == "cannot_tell"
    assert words in found.reason
    assert found.quantity is None
    assert set(found.columns.values()) == {None}


@pytest.mark.parametrize(
    "own",
    [
        pytest.param(evidence(failed), id="failed"),
        pytest.param(evidence(idle(2, 3)), id="idle"),
        pytest.param(evidence(lost=slice(0, 4)), id="lost"),
    ],
)
def test_no_event_is_known_before_its_day_and_none_is_taken_back(own: ParcelEvidence) -> None:
    final = judge(own)
    assert final.events
    for event in final.events:
        day = np.datetime64(event.detected_on, "D")
        before, then = judge(until(own, day - 1)), judge(until(own, day + 40))
        assert event.kind not in kinds(before)
        again = one(then, event.kind)
        assert again.detected_on == event.detected_on
        assert again.last_clear_before == event.last_clear_before
        assert again.first_clear_after == event.first_clear_after
