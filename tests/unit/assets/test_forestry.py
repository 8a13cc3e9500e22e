"""The judgement of a forest, on evidence built by hand: 10 x 10 pixels of 100 m2 and three years of looks."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from geocollateral.assets import ASSETS, FORESTRY, ForestryParams
from geocollateral.types import (
    CANNOT_TELL,
    CONFIRMED,
    STABLE,
    SUSPECTED,
    UNSTABLE_HISTORY,
    Judgement,
    ParcelEvidence,
    PixelChange,
)

SIDE = 10
AS_OF = dt.date(2019, 9, 30)
NONE = np.datetime64("NaT", "D")
PARAMS = ForestryParams()


def block(rows: slice, cols: slice) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[rows, cols] = True
    return mask.ravel()


def intact(season_max: float) -> PixelChange:
    """No pixel changed; the last look that would have shown it was in September 2019."""
    n = SIDE * SIDE
    return PixelChange(
        status=np.full(n, STABLE, np.int8),
        last_clear_before=np.full(n, NONE),
        first_clear_after=np.full(n, NONE),
        detected_on=np.full(n, NONE),
        recovered_on=np.full(n, NONE),
        magnitude=np.full(n, np.nan),
        probability=np.full(n, 0.01),
        season_max=np.full(n, season_max),
        first_informative=np.full(n, np.datetime64("2017-05-20")),
        last_informative=np.full(n, np.datetime64("2019-09-20")),
    )


def evidence(**changes: Any) -> ParcelEvidence:
    row, col = np.divmod(np.arange(SIDE * SIDE), SIDE)
    days = np.arange(np.datetime64("2017-04-01"), np.datetime64("2019-09-30"), 15)
    whole = ParcelEvidence(
        parcel_id="P1",
        attributes={"asset_class": "forestry", "obs_area_m2": 10_000.0},
        as_of=AS_OF,
        area_m2=np.full(SIDE * SIDE, 100.0),
        row=row + 40,
        col=col + 7,
        n_full_pixels=SIDE * SIDE,
        visible_fraction=1.0,
        look_days=days,
        look_fraction=np.ones(len(days)),
        pixels={"ndvi": intact(0.9), "ndmi": intact(0.4)},
    )
    return replace(whole, **changes)


def broken(
    before: ParcelEvidence,
    mask: np.ndarray,
    interval: tuple[str, str] = ("2018-05-02", "2018-05-22"),
    *,
    indices: tuple[str, ...] = ("ndvi", "ndmi"),
    status: int = CONFIRMED,
    recovered: str | None = None,
) -> ParcelEvidence:
    """The evidence after some pixels lost their stand."""
    pixels = dict(before.pixels)
    for index in indices:
        old = pixels[index]
        day = np.datetime64(interval[1])
        found = np.where(mask, day + 30, old.detected_on) if status == CONFIRMED else old.detected_on
        pixels[index] = replace(
            old,
            status=np.where(mask, status, old.status).astype(np.int8),
            last_clear_before=np.where(mask, np.datetime64(interval[0]), old.last_clear_before),
            first_clear_after=np.where(mask, day, old.first_clear_after),
            detected_on=found,
            recovered_on=np.where(
                mask & (recovered is not None), np.datetime64(recovered or "NaT", "D"), old.recovered_on
            ),
            magnitude=np.where(mask, -0.4, old.magnitude),
            probability=np.where(mask, 0.95, old.probability),
        )
    return replace(before, pixels=pixels)


def with_status(before: ParcelEvidence, mask: np.ndarray, status: int) -> ParcelEvidence:
    pixels: Mapping[str, PixelChange] = {
        name: replace(change, status=np.where(mask, status, change.status).astype(np.int8))
        for name, change in before.pixels.items()
    }
    return replace(before, pixels=pixels)


def judge(given: ParcelEvidence, **params: Any) -> Judgement:
    return FORESTRY.judge(given, ForestryParams(**params))


QUARTER = block(slice(0, 5), slice(0, 5))
OTHER = block(slice(6, 10), slice(5, 10))


def test_the_class_is_registered() -> None:
    assert ASSETS["forestry"] is FORESTRY


def test_stable_stand() -> None:
    found = judge(evidence())
    assert found.status == "ok"
    assert found.events == ()
    assert found.columns["obs_living_share_frac"] == 1
    assert found.columns["chg_disturbed_m2"] == 0
    assert found.quantity == (1.0, 1.0, 1.0)
    assert [row["year"] for row in found.yearly] == [2017, 2018, 2019]
    assert {row["living_share"] for row in found.yearly} == {1.0}
    assert "No lasting loss" in found.reason
    assert FORESTRY.hits(evidence(), found, PARAMS) == []


def test_one_felling() -> None:
    given = broken(evidence(), QUARTER)
    found = judge(given)
    (event,) = found.events
    assert (event.last_clear_before, event.first_clear_after) == (dt.date(2018, 5, 2), dt.date(2018, 5, 22))
    assert event.detected_on == dt.date(2018, 6, 21)
    assert event.recovered_on is None
    assert event.area_m2 == pytest.approx(2500)
    assert event.area_low_m2 <= event.area_m2 <= event.area_high_m2
    assert event.pixels == tuple(np.flatnonzero(QUARTER).tolist())
    assert found.columns["obs_living_share_frac"] == pytest.approx(0.75)
    assert [row["living_share"] for row in found.yearly] == pytest.approx([1, 0.75, 0.75])
    assert [row["disturbed_m2"] for row in found.yearly] == pytest.approx([0, 2500, 0])
    (hit,) = FORESTRY.hits(given, found, PARAMS)
    assert (hit.rule, hit.severity) == ("stand_loss", "high")
    assert hit.evidence["share_of_parcel"] == 0.25


def test_two_fellings_are_two_events_in_order_of_time() -> None:
    later = broken(evidence(), OTHER, ("2018-09-19", "2019-06-16"))
    found = judge(broken(later, QUARTER))
    assert [event.first_clear_after for event in found.events] == [dt.date(2018, 5, 22), dt.date(2019, 6, 16)]
    assert [event.area_m2 for event in found.events] == pytest.approx([2500, 2000])
    assert found.columns["chg_disturbed_m2"] == pytest.approx(4500)


def test_the_next_winters_felling_stays_apart() -> None:
    one = broken(evidence(), QUARTER, ("2018-10-14", "2019-06-16"))
    found = judge(broken(one, OTHER, ("2019-07-20", "2020-05-11")))
    assert len(found.events) == 2


@pytest.mark.parametrize("lead", [0, 1, 2])
def test_one_felling_dated_by_different_looks_is_one_event(lead: int) -> None:
    """Each part alone is below the minimum mapping unit."""
    dates = [("2019-10-19", "2020-05-11"), ("2020-05-11", "2020-05-16"), ("2020-05-16", "2020-06-25")]
    widths = [2, 2, 2]
    widths[lead] = 3
    given, col = evidence(as_of=dt.date(2020, 9, 30)), 0
    given = replace(given, look_days=given.look_days + 365)
    for interval, width in zip(dates, widths, strict=True):
        given = broken(given, block(slice(0, 3), slice(col, col + width)), interval)
        col += width
    found = judge(given)
    (event,) = found.events
    assert event.area_m2 == pytest.approx(2100)
    # The last part's days hold less than half of the ground: more of it was last seen whole on the part's before.
    before = min(dates[lead][0], dates[1][0])
    assert (str(event.last_clear_before), str(event.first_clear_after)) == (before, dates[lead][1])


def test_a_pixel_on_the_edge_of_two_intervals_counts_once() -> None:
    given = broken(evidence(), QUARTER, ("2018-05-02", "2018-05-22"))
    given = broken(given, block(slice(0, 5), slice(5, 6)), ("2018-05-02", "2018-06-06"))
    (event,) = judge(given).events
    assert event.area_m2 == pytest.approx(3000)
    assert event.first_clear_after == dt.date(2018, 5, 22)


@pytest.mark.parametrize(
    ("mask", "indices", "why"),
    [
        pytest.param(block(slice(0, 2), slice(0, 2)), ("ndvi", "ndmi"), "speck", id="four pixels"),
        pytest.param(block(slice(0, 10, 2), slice(0, 10, 2)), ("ndvi", "ndmi"), "scattered", id="no two touch"),
        pytest.param(block(slice(0, 3), slice(0, 3)), ("ndvi", "ndmi"), "below the mapping unit", id="900 m2"),
        pytest.param(QUARTER, ("ndvi",), "haze", id="greenness alone"),
        pytest.param(QUARTER, ("ndmi",), "shadow", id="canopy water alone"),
    ],
)
def test_what_is_no_loss(mask: np.ndarray, indices: tuple[str, ...], why: str) -> None:
    found = judge(broken(evidence(), mask, indices=indices))
    assert found.events == (), why
    assert found.columns["obs_living_share_frac"] == 1


def test_canopy_water_beside_confirms_a_narrow_clearing() -> None:
    given = broken(evidence(), block(slice(4, 6), slice(0, 10)), indices=("ndvi",))
    (event,) = judge(broken(given, block(slice(4, 5), slice(0, 10)), indices=("ndmi",))).events
    assert event.area_m2 == pytest.approx(2000)


@pytest.mark.parametrize(
    ("water", "before", "after"),
    [
        (("2018-05-12", "2018-06-06"), "2018-05-12", "2018-05-22"),
        (("2018-06-06", "2018-07-01"), "2018-05-02", "2018-07-01"),
    ],
)
def test_intervals_of_both_indices_are_cut_or_joined(water: tuple[str, str], before: str, after: str) -> None:
    given = broken(evidence(), QUARTER, ("2018-05-02", "2018-05-22"), indices=("ndvi",))
    (event,) = judge(broken(given, QUARTER, water, indices=("ndmi",))).events
    assert (str(event.last_clear_before), str(event.first_clear_after)) == (before, after)


def test_a_suspicion_is_counted_but_no_event() -> None:
    found = judge(broken(evidence(), QUARTER, status=SUSPECTED))
    assert found.events == ()
    assert found.columns["chg_suspected_m2"] == pytest.approx(2500)
    assert found.columns["obs_living_share_frac"] == 1


def test_loss_outside_the_stand_is_no_loss_of_stand() -> None:
    given = broken(evidence(), QUARTER)
    meadow = replace(given.pixels["ndvi"], season_max=np.where(QUARTER, 0.5, 0.9))
    found = judge(replace(given, pixels={**given.pixels, "ndvi": meadow}))
    assert found.events == ()
    assert found.columns["obs_stand_m2"] == pytest.approx(7500)


def test_regrowth_is_dated_where_half_of_the_area_is_green() -> None:
    half = block(slice(0, 5), slice(0, 3))
    rest = QUARTER & ~half
    given = broken(broken(evidence(), half, recovered="2019-06-01"), rest)
    (event,) = judge(given).events
    assert event.recovered_on == dt.date(2019, 6, 1)
    (never,) = judge(broken(broken(evidence(), rest, recovered="2019-06-01"), half)).events
    assert never.recovered_on is None


def test_areas_scale_to_the_sliver_outside_the_imagery() -> None:
    given = broken(evidence(visible_fraction=0.95), QUARTER)
    found = judge(replace(given, attributes={"asset_class": "forestry", "obs_area_m2": 10_500.0}))
    assert found.columns["obs_stand_m2"] == pytest.approx(10_500)
    assert found.columns["obs_living_share_frac"] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"visible_fraction": 0.5}, "50% of the parcel lies outside the imagery", id="half outside"),
        pytest.param({"visible_fraction": 0.0}, "100% of the parcel lies outside", id="outside"),
        pytest.param({"n_full_pixels": 7}, "Too small to judge: 7 whole pixels lie", id="small"),
        pytest.param({"n_full_pixels": 1}, "Too small to judge: 1 whole pixel lies", id="one pixel"),
        pytest.param({"look_fraction": np.full(61, 0.2)}, "No look with at least 50%", id="never clear"),
        pytest.param(
            {"look_days": np.zeros(0, "datetime64[D]"), "look_fraction": np.zeros(0)}, "No look", id="no looks"
        ),
        pytest.param({"as_of": dt.date(2021, 3, 1)}, "The last look that would show a loss is", id="stale"),
    ],
)
def test_what_cannot_be_told(changes: dict[str, Any], reason: str) -> None:
    found = judge(evidence(**changes))
    assert found.status == "cannot_tell"
    assert reason in found.reason
    assert found.quantity is None
    assert found.events == ()
    assert found.columns["obs_living_share_frac"] is None
    assert FORESTRY.hits(evidence(**changes), found, PARAMS) == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [(UNSTABLE_HISTORY, "already changing in the history"), (CANNOT_TELL, "Too few clear looks")],
)
def test_pixels_without_a_baseline(status: int, reason: str) -> None:
    some, most = block(slice(0, 1), slice(0, 10)), block(slice(0, 6), slice(0, 10))
    assert judge(with_status(evidence(), some, status)).status == "ok"
    found = judge(with_status(evidence(), most, status))
    assert found.status == "cannot_tell"
    assert reason in found.reason


def test_what_never_was_a_forest_cannot_be_judged_by_losses() -> None:
    bare = {"ndvi": intact(0.4), "ndmi": intact(0.05)}
    found = judge(evidence(pixels=bare))
    assert found.status == "cannot_tell"
    assert "Only 0% of the parcel looked like closed forest" in found.reason


def test_leafless_looks_are_named() -> None:
    days = np.append(evidence().look_days, np.datetime64("2019-12-01"))
    found = judge(evidence(look_days=days, look_fraction=np.ones(len(days)), as_of=dt.date(2019, 12, 5)))
    assert found.status == "ok"
    assert "Looks after 2019-09-20 were leafless" in found.reason
    assert found.columns["chg_last_informative"] == dt.date(2019, 9, 20)


@pytest.mark.parametrize(
    ("share", "area", "severity"),
    [(0.01, 1000, "low"), (0.05, 1000, "medium"), (0.2, 1000, "high"), (0.01, 10_000, "high")],
)
def test_severity_by_share_and_area(share: float, area: float, severity: str) -> None:
    given = broken(evidence(), QUARTER)
    (event,) = judge(given).events
    whole = replace(given, area_m2=np.full(SIDE * SIDE, area / share / SIDE**2))
    judged = replace(judge(given), events=(replace(event, area_m2=float(area)),))
    assert FORESTRY.hits(whole, judged, PARAMS)[0].severity == severity


# ------------------------------------------------------------------------------------- what must not be told otherwise


def test_winter_looks_do_not_keep_a_stand_alive() -> None:
    """Looks go on, but none of the last 400 days would have shown a felling: nobody knows what stands there."""
    given = evidence(as_of=dt.date(2021, 2, 11))
    winters = np.append(given.look_days, np.datetime64("2021-02-05"))
    found = judge(replace(given, look_days=winters, look_fraction=np.ones(len(winters))))
    assert found.status == "cannot_tell"
    assert "would show a loss" in found.reason
    assert found.quantity is None


def test_a_suspected_loss_is_said_and_lowers_the_low_bound() -> None:
    found = judge(broken(evidence(), QUARTER, status=SUSPECTED))
    assert found.columns["chg_suspected_m2"] == 2500
    assert found.columns["chg_disturbed_m2"] == 0
    assert "suspected and not yet confirmed" in found.reason
    assert found.quantity is not None
    assert found.quantity == pytest.approx((0.75, 1.0, 1.0))


def test_a_suspicion_of_one_index_or_of_a_few_pixels_is_not_said() -> None:
    few = judge(broken(evidence(), block(slice(0, 3), slice(0, 3)), status=SUSPECTED))
    haze = judge(broken(evidence(), QUARTER, indices=("ndvi",), status=SUSPECTED))
    assert few.columns["chg_suspected_m2"] == haze.columns["chg_suspected_m2"] == 0


def test_a_loss_below_the_mapping_unit_widens_the_range() -> None:
    found = judge(broken(evidence(), block(slice(0, 3), slice(0, 3))))
    assert found.events == ()
    assert found.columns["chg_disturbed_m2"] == 0
    assert found.columns["chg_disturbed_high_m2"] == 900
    assert found.quantity is not None
    assert found.quantity == pytest.approx((0.91, 1.0, 1.0))


def test_two_patches_of_different_dates_are_two_events_each_with_its_own() -> None:
    first = broken(evidence(), QUARTER, ("2018-03-02", "2018-04-22"))
    found = judge(broken(first, OTHER, ("2018-05-02", "2018-05-22")))
    assert [event.first_clear_after for event in found.events] == [dt.date(2018, 4, 22), dt.date(2018, 5, 22)]
    assert [event.area_m2 for event in found.events] == pytest.approx([2500, 2000])


def test_years_of_the_baseline_and_after_the_last_telling_look_have_no_share() -> None:
    given = evidence()
    pixels = {
        name: replace(change, first_informative=np.full(SIDE * SIDE, np.datetime64("2018-05-20")))
        for name, change in given.pixels.items()
    }
    found = judge(replace(given, pixels=pixels))
    assert {row["year"]: row["living_share"] for row in found.yearly} == {2017: None, 2018: 1.0, 2019: 1.0}
