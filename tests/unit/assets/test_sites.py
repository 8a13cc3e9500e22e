"""Building sites, solar plants and wind farms on evidence built by hand: 14 x 14 pixels, a look each 10 days."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from geocollateral.assets import (
    CONSTRUCTION,
    SOLAR,
    WIND,
    ConstructionParams,
    SolarParams,
    WindParams,
    ground,
    pv_presence,
    stages,
)
from geocollateral.assets.plant_capacity import capacity
from geocollateral.types import Judgement, ParcelEvidence, RadarEvidence

SIDE = 14
BANDS = ("blue", "green", "red", "nir", "nir08", "swir16", "swir22")
CROP = (0.03, 0.06, 0.03, 0.42, 0.44, 0.18, 0.08)
SOIL = (0.09, 0.125, 0.165, 0.23, 0.25, 0.31, 0.265)
SUBSOIL = (0.13, 0.18, 0.24, 0.31, 0.33, 0.40, 0.36)
CONCRETE = (0.21, 0.24, 0.265, 0.29, 0.30, 0.32, 0.29)
WHITE = (0.42, 0.44, 0.45, 0.46, 0.46, 0.42, 0.37)
MODULES = (0.060, 0.066, 0.064, 0.14, 0.145, 0.130, 0.100)
POND = (0.06, 0.08, 0.07, 0.035, 0.03, 0.01, 0.007)
PLASTIC = (0.19, 0.21, 0.22, 0.36, 0.37, 0.28, 0.21)
ASPHALT = (0.085, 0.095, 0.105, 0.125, 0.13, 0.15, 0.14)
DAYS = np.arange(np.datetime64("2020-01-05"), np.datetime64("2024-01-01"), 10)


def field(shift: int = 0) -> np.ndarray:
    """A summer crop: green from May to September, bare soil else. Shape (look, 1, band)."""
    doy = (DAYS - DAYS.astype("datetime64[Y]")).astype(int) + shift
    green = np.clip(np.minimum((doy - 120) / 30, (275 - doy) / 20), 0, 1)[:, None, None]
    return green * np.array(CROP) + (1 - green) * np.array(SOIL)


def evidence(look: np.ndarray, *, kind: str = "construction", radar_db: np.ndarray | None = None) -> ParcelEvidence:
    """Evidence of reflectance of shape (look, pixel or 1, band), with noise as of a real look."""
    rng = np.random.default_rng(7)
    n = SIDE * SIDE
    values = np.broadcast_to(look, (len(DAYS), n, len(BANDS))) * rng.normal(1, 0.05, (len(DAYS), 1, 1))
    values = values + rng.normal(0, 0.004, values.shape)
    row, col = np.divmod(np.arange(n), SIDE)
    time = {"time": DAYS.astype("datetime64[ns]")}
    optical = xr.Dataset(
        {b: (("time", "pixel"), values[..., k].astype(np.float32)) for k, b in enumerate(BANDS)}, coords=time
    )
    radar = {}
    if radar_db is not None:
        speckle = rng.gamma(4.4, 1 / 4.4, (len(DAYS), n))
        power = (10 ** (np.broadcast_to(radar_db, (len(DAYS), n)) / 10) * speckle).astype(np.float32)
        cube = xr.Dataset({"vv": (("time", "pixel"), power), "vh": (("time", "pixel"), power / 5)}, coords=time)
        radar = {"ascending-15": RadarEvidence(power=cube, series=xr.Dataset(), peers=xr.Dataset())}
    return ParcelEvidence(
        parcel_id="P1",
        attributes={"asset_class": kind, "obs_area_m2": 100.0 * n},
        as_of=dt.date(2023, 12, 31),
        area_m2=np.full(n, 100.0),
        row=row,
        col=col,
        n_full_pixels=n,
        visible_fraction=1.0,
        look_days=DAYS.astype("datetime64[D]"),
        look_fraction=np.ones(len(DAYS)),
        pixels={},
        optical=optical,
        radar=radar,
    )


def until(whole: ParcelEvidence, as_of: str) -> ParcelEvidence:
    """The evidence as it was on a day."""
    keep = whole.look_days <= np.datetime64(as_of)
    assert whole.optical is not None
    return replace(
        whole,
        as_of=dt.date.fromisoformat(as_of),
        look_days=whole.look_days[keep],
        look_fraction=whole.look_fraction[keep],
        optical=whole.optical.isel(time=keep),
    )


def part(rows: slice, cols: slice) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[rows, cols] = True
    return mask.ravel()


def turned(look: np.ndarray, since: str, spectrum: tuple[float, ...], where: np.ndarray | None = None) -> np.ndarray:
    """The looks with other ground on some pixels from a day on."""
    found = np.array(np.broadcast_to(look, (len(DAYS), SIDE * SIDE, len(BANDS))))
    mask = np.ones(SIDE * SIDE, bool) if where is None else where
    found[np.ix_(np.datetime64(since) <= DAYS, mask)] = spectrum
    return found


def site() -> np.ndarray:
    """Cleared in June 2022, a third under concrete from September, roofed in May 2023, paved in September."""
    house = part(slice(3, 11), slice(3, 11))
    look = turned(field(), "2022-06-10", SUBSOIL)
    look = turned(look, "2022-09-10", CONCRETE, house)
    look = turned(look, "2023-05-10", WHITE, house)
    return turned(look, "2023-09-10", CONCRETE, ~house)


def judge(look: np.ndarray, until_day: str | None = None) -> Judgement:
    given = evidence(look)
    return CONSTRUCTION.judge(given if until_day is None else until(given, until_day), ConstructionParams())


def kinds(found: Judgement) -> list[str]:
    return [event.kind for event in found.events]


@pytest.mark.parametrize(
    ("spectrum", "expected"),
    [(SOIL, "bare"), (SUBSOIL, "bare"), (CONCRETE, "grey"), (ASPHALT, "grey"), (WHITE, "roof")],
)
@pytest.mark.parametrize("light", [0.85, 1.0, 1.15])
def test_ground_is_known_in_any_light(spectrum: tuple[float, ...], expected: str, light: float) -> None:
    one = xr.Dataset({b: ("pixel", np.array([v * light], np.float32)) for b, v in zip(BANDS, spectrum, strict=True)})
    found = ground.likeness(ground.stacked(ground.features(one)))
    assert max(found, key=lambda name: found[name][0]) == expected


def test_features_do_without_the_bands_that_may_lack() -> None:
    one = xr.Dataset({b: ("pixel", np.array([0.2], np.float32)) for b in ("blue", "green", "red", "nir", "swir16")})
    seen = ground.features(one)
    assert np.isnan(seen.residue).all()
    assert seen.bare[0] == 0
    assert np.isfinite(ground.likeness(ground.stacked(seen))["bare"]).all()


def test_a_farmed_field_is_no_site_whenever_it_is_harvested() -> None:
    late = field()
    late[110:] = field(shift=-15)[110:]
    found = judge(late)
    assert kinds(found) == []
    assert found.columns["obs_status"] == "not_started"
    assert found.columns["obs_vegetated_share_frac"] > 0.8


def test_a_site_from_start_to_end() -> None:
    found = judge(site())
    start = next(event for event in found.events if event.kind == "construction_start")
    assert start.last_clear_before < dt.date(2022, 6, 15) <= start.first_clear_after + dt.timedelta(days=10)
    assert start.detected_on <= dt.date(2022, 7, 20)
    assert start.area_m2 == pytest.approx(SIDE**2 * 100, rel=0.1)
    rows = {row["date"]: row for row in found.tables["stages"]}
    before, cleared, after = (
        next(row for day, row in rows.items() if day >= d) for d in ("2022-05-20", "2022-08-01", "2023-12-01")
    )
    assert before["vegetated"] > 0.9
    assert cleared["cleared"] > 0.8
    assert after["built"] > 0.7
    assert cleared["progress"] < 0.3 < after["progress"]
    assert sum(after[name] for name in stages.STAGES) == pytest.approx(1, abs=1e-3)
    assert found.quantity is not None
    low, middle, high = found.quantity
    assert low <= middle <= high <= 1.97


def test_nothing_is_said_sooner_by_a_later_run() -> None:
    whole = judge(site())
    for as_of in ("2022-06-20", "2022-08-01", "2022-12-31", "2023-07-01"):
        then = judge(site(), as_of)
        told = [(e.kind, e.detected_on) for e in whole.events if e.detected_on <= dt.date.fromisoformat(as_of)]
        assert [(e.kind, e.detected_on) for e in then.events] == told


def test_a_cleared_site_left_alone_stands_still_and_goes_on() -> None:
    house = part(slice(2, 12), slice(2, 9))
    look = turned(field(), "2021-06-10", SUBSOIL)
    found = judge(look, "2022-03-01")
    assert kinds(found) == ["construction_start", "stall_suspected", "stall"]
    assert found.columns["obs_status"] == "stalled"
    assert "rest of up to 90 days is normal" in found.events[2].reasons[0]
    resumed = judge(turned(look, "2022-06-10", CONCRETE, house), "2022-10-01")
    stall = next(event for event in resumed.events if event.kind == "stall")
    assert stall.recovered_on is not None
    assert stall.detected_on == found.events[2].detected_on


def test_buildings_pulled_down() -> None:
    house = part(slice(1, 6), slice(1, 12))
    standing = turned(np.array(CONCRETE)[None, None, :], "2020-01-01", WHITE, house)
    assert kinds(judge(standing)) == []
    found = judge(turned(standing, "2022-06-10", SUBSOIL, house))
    assert kinds(found) == ["demolition"]
    event = found.events[0]
    assert event.area_m2 == pytest.approx(house.sum() * 100, rel=0.2)
    assert dt.date(2022, 6, 10) <= event.detected_on <= dt.date(2022, 7, 20)


def test_radar_tells_walls_from_open_ground() -> None:
    house = part(slice(3, 11), slice(3, 11))
    db = np.where(house[None, :] & (np.datetime64("2022-09-10") <= DAYS)[:, None], -5.0, -12.0)
    given = evidence(site(), radar_db=db)
    path = stages.follow(given, ConstructionParams().stages)
    assert not path.optical.all()
    now = path.later[np.searchsorted(path.days, np.datetime64("2022-12-30"))]
    tall = now[:, [stages.STRUCTURE, stages.ROOF]].sum(axis=1)
    assert tall[house].mean() > 0.7 > 0.2 > tall[~house].mean()


def test_holes_in_looks_are_harmless() -> None:
    given = evidence(site())
    assert given.optical is not None
    rng = np.random.default_rng(3)
    holes = rng.random((len(DAYS), SIDE * SIDE)) < 0.4
    holes[20:24] = True
    given = replace(
        given,
        optical=given.optical.where(~xr.DataArray(holes, dims=("time", "pixel"))),
        look_fraction=1 - holes.mean(axis=1),
    )
    path = stages.follow(given, ConstructionParams().stages)
    for probability in (path.known, path.later):
        assert np.isfinite(probability).all()
        np.testing.assert_allclose(probability.sum(axis=2), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"n_full_pixels": 5}, "Too small"),
        ({"visible_fraction": 0.4}, "outside the imagery"),
        ({"as_of": dt.date(2024, 12, 31)}, "days old"),
        ({"look_fraction": np.full(len(DAYS), 0.1)}, "No look"),
        ({"optical": None}, "no optical looks"),
    ],
)
@pytest.mark.parametrize(
    ("asset", "params"), [(CONSTRUCTION, ConstructionParams()), (SOLAR, SolarParams()), (WIND, WindParams())]
)
def test_cannot_tell_says_why(asset, params, changes, word) -> None:  # type: ignore[no-untyped-def]
    found = asset.judge(replace(evidence(field()), **changes), params)
    assert found.status == "cannot_tell"
    assert word in found.reason
    assert found.quantity is None
    assert all(check.verdict == "cannot_tell" for check in found.claims)


def test_modules_are_told_from_what_resembles_them() -> None:
    assert pv_presence(evidence(np.array(MODULES)[None, None, :])).share[-1] > 0.9
    for spectrum, word in ((POND, "water"), (PLASTIC, "greenhouses"), (ASPHALT, "asphalt"), (WHITE, "roofs")):
        cover = pv_presence(evidence(np.array(spectrum)[None, None, :]))
        assert np.nanmax(cover.share) < 0.05
        assert word in cover.refused
    assert np.nanmax(pv_presence(evidence(field())).share) < 0.05


def test_a_plant_is_built() -> None:
    rows = part(slice(0, 14), slice(0, 7))
    look = turned(turned(field(), "2022-06-10", MODULES, rows), "2022-09-10", MODULES)
    given = evidence(look, kind="solar")
    found = SOLAR.judge(given, SolarParams())
    assert kinds(found) == ["pv_build"]
    event = found.events[0]
    assert dt.date(2022, 6, 10) <= event.first_clear_after <= dt.date(2022, 7, 10)
    assert event.detected_on <= dt.date(2022, 8, 20)
    assert found.columns["obs_pv_share_frac"] > 0.9
    assert found.quantity == pytest.approx(
        capacity(found.columns["obs_pv_share_frac"], pv_presence(given).error[-1], 0.0196), rel=0.1
    )
    for as_of in ("2022-07-01", "2022-12-31"):
        then = SOLAR.judge(until(given, as_of), SolarParams())
        assert [e.detected_on for e in then.events] == [
            e.detected_on for e in found.events if str(e.detected_on) <= as_of
        ]
    assert kinds(SOLAR.judge(evidence(np.array(MODULES)[None, None, :], kind="solar"), SolarParams())) == []


def test_capacity_is_checked() -> None:
    plant = evidence(np.array(MODULES)[None, None, :], kind="solar")
    for given, claimed, verdict in ((plant, 5.0, "mismatch"), (plant, 2.0, "cannot_tell"), (plant, 0.9, "match")):
        known = replace(given, attributes={**given.attributes, "claim_capacity_mw": claimed})
        (check,) = SOLAR.judge(known, SolarParams()).claims
        assert check.verdict == verdict
        assert check.n_pixels > 0.9 * SIDE**2
    bare = replace(evidence(field()), attributes={"obs_area_m2": 19600.0, "claim_capacity_mw": 1.5})
    assert SOLAR.judge(bare, SolarParams()).claims[0].verdict == "mismatch"
    unseen = replace(bare, optical=None)
    assert SOLAR.judge(unseen, SolarParams()).claims[0].verdict == "cannot_tell"
    assert SOLAR.judge(plant, SolarParams()).claims == ()


def test_modules_that_just_came_are_not_surely_none() -> None:
    look = turned(field(), "2023-12-10", MODULES)
    given = replace(evidence(look), attributes={"obs_area_m2": 19600.0, "claim_capacity_mw": 1.5})
    found = SOLAR.judge(given, SolarParams())
    assert found.columns["obs_pv_present"] is False
    assert found.claims[0].verdict == "cannot_tell"


def test_speckles_and_rims_are_no_modules() -> None:
    every_other = np.indices((SIDE, SIDE)).sum(axis=0).ravel() % 3 == 0
    assert np.nanmax(pv_presence(evidence(turned(field(), "2022-01-01", MODULES, every_other))).share) < 0.05
    rim = ~part(slice(1, 13), slice(1, 13))
    assert np.nanmax(pv_presence(evidence(turned(field(), "2022-01-01", MODULES, rim))).share) < 0.1
    block = part(slice(4, 9), slice(4, 9))
    assert pv_presence(evidence(turned(field(), "2022-01-01", MODULES, block))).share[-1] == pytest.approx(
        25 / 196, rel=0.25
    )


def test_what_greens_up_is_no_module() -> None:
    dates = [str(day) for day in DAYS]
    look = turned(field(), "2023-08-01", MODULES)
    since = next(n for n, day in enumerate(dates) if day >= "2023-08-01")
    before = pv_presence(evidence(look))
    for n in range(since + 2, len(dates), 3):
        look[n] = CROP
    after = pv_presence(evidence(look))
    assert np.nan_to_num(before.share[-1]) > 0.9
    assert np.nanmax(after.share[since:]) < 0.05


def test_a_share_has_an_error() -> None:
    look = np.array(np.broadcast_to(np.array(MODULES), (len(DAYS), SIDE * SIDE, len(BANDS))))
    keep = np.r_[0:40, 64:70]  # two thirds of a year without a look: the medians are too old at first
    given = evidence(look)
    assert given.optical is not None
    cover = pv_presence(
        replace(
            given,
            optical=given.optical.isel(time=keep),
            look_days=given.look_days[keep],
            look_fraction=given.look_fraction[keep],
        )
    )
    assert np.isfinite(cover.share[40])
    assert (np.isfinite(cover.error) == np.isfinite(cover.share)).all()
    assert np.nanmax(cover.share) <= 1


def test_a_plant_outlasts_looks_that_hide_it() -> None:
    look = np.array(np.broadcast_to(np.array(MODULES), (len(DAYS), SIDE * SIDE, len(BANDS))))
    look[100:105] = SOIL
    assert np.nanmin(pv_presence(evidence(look)).share[20:]) > 0.9
    look[105:] = SOIL
    assert pv_presence(evidence(look)).share[-1] < 0.05


def test_a_pad_is_counted_once() -> None:
    pad = part(slice(4, 9), slice(5, 10))
    found = WIND.judge(evidence(turned(field(), "2022-06-10", CONCRETE, pad), kind="wind"), WindParams())
    assert kinds(found) == ["wind_build"]
    assert found.events[0].area_m2 == pytest.approx(2500, rel=0.25)
    assert found.columns["obs_new_pads"] == 1
    none = WIND.judge(evidence(field(), kind="wind"), WindParams())
    assert none.events == ()
    assert "finer pictures" in none.reason


def test_rules_fire_on_events() -> None:
    given = evidence(site())
    found = CONSTRUCTION.judge(given, ConstructionParams())
    hits = CONSTRUCTION.hits(given, found, ConstructionParams())
    assert "construction_start" in {hit.rule for hit in hits}
    assert all(hit.reasons for hit in hits)
