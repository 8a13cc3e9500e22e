"""Landscape and events of every world, without drawing a pixel."""

import numpy as np
import pytest

from geocollateral.simulate import WORLDS
from geocollateral.simulate.happenings import EVENT_KINDS, TRAP_KINDS
from geocollateral.simulate.land import MAX_HA, MIN_HA
from geocollateral.simulate.randomness import Seeds
from geocollateral.simulate.scenario import Scenario, imagine
from geocollateral.simulate.truth import quiet_years
from geocollateral.simulate.weather import SPIN_UP_DAYS, WorldYears, simulate_weather


def scenarios(name: str) -> list[Scenario]:
    world = WORLDS[name]
    return [imagine(world, site, Seeds(family=world.family, seed=0)) for site in world.sites]


@pytest.mark.parametrize("name", ["dev", "heldout"])
def test_evaluation_worlds_are_large_enough(name: str) -> None:
    world, found = WORLDS[name], scenarios(name)
    facts = [fact for scenario in found for fact in scenario.facts]
    events = [fact for fact in facts if not fact.is_trap]
    assert len(events) >= 300
    assert sum(len(quiet_years(scenario)) for scenario in found) >= 3000
    assert {fact.kind for fact in facts} == {*EVENT_KINDS, *TRAP_KINDS}
    assert min(fact.start for fact in events) >= SPIN_UP_DAYS + world.history_days
    for scenario in found:
        ids = [fact.parcel_id for fact in scenario.facts if fact.kind != "stall"]
        assert len(ids) == len(set(ids)), "at most one happening to a parcel"
        own = {parcel.parcel_id: parcel for parcel in scenario.pledged}
        assert set(ids) <= set(own)
        assert all(MIN_HA * 1e4 <= parcel.area_m2 <= MAX_HA * 1e4 for parcel in scenario.pledged)
        for fact in scenario.facts:
            assert fact.start <= fact.end < scenario.weather.days.size
            assert own[fact.parcel_id].outline.buffer(2).contains(fact.outline)


@pytest.mark.parametrize("name", ["tiny", "demo"])
def test_small_worlds_hold_what_was_ordered(name: str) -> None:
    world, (scenario,) = WORLDS[name], scenarios(name)
    kinds = {fact.kind for fact in scenario.facts}
    assert set(world.events) <= kinds
    assert len(scenario.pledged) == world.pledged


def test_parcels_do_not_overlap() -> None:
    from shapely import STRtree

    (scenario,) = scenarios("demo")
    outlines = [parcel.outline for parcel in scenario.land.parcels]
    first, second = STRtree(outlines).query(outlines, predicate="overlaps")
    assert all(outlines[a].intersection(outlines[b]).area < 1.0 for a, b in zip(first, second, strict=True))


def test_dev_and_heldout_share_no_random_number() -> None:
    streams = [
        Seeds(family=WORLDS[name].family, seed=seed).stream("x") for name in ("dev", "heldout") for seed in range(4)
    ]
    assert len({float(stream.random()) for stream in streams}) == len(streams)


def test_weather_years_are_shared_and_out_of_the_ordinary() -> None:
    world = WORLDS["dev"]
    years = WorldYears(drought=world.drought, late_frost=world.late_frost)
    for site in world.sites[:2]:
        span = np.datetime64(world.start), np.datetime64(world.end)
        weather = simulate_weather(site.climate, *span, years, np.random.default_rng(0))
        season = np.isin(weather.month, (4, 5, 6, 7))
        rain = {year: weather.rain_mm[season & (weather.year == year)].sum() for year in range(2021, 2026)}
        assert rain[world.drought] < 0.6 * np.median(list(rain.values()))
        assert weather.frost_day is not None
        assert weather.temperature_c[weather.frost_day] < 0
        assert weather.year[weather.frost_day] == world.late_frost
