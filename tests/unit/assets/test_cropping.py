"""A failed crop against its peers, on looks built by hand; rhythm and peers too."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geocollateral.assets.came_up import CameUpParams, fallen
from geocollateral.assets.cropping import CroppingParams, Witness, find_failures, habit_of, strangeness
from geocollateral.assets.neighbours import Channel, NeighbourParams, choose, depart, middle_of
from geocollateral.assets.rhythm import RhythmParams, share_of_rhythm

PARAMS = CroppingParams()


def witness(values: list[tuple[int, float, float]]) -> Witness:
    """Optical looks (day, own, peers' level); ratio by how near own is to the peers or to bare ground."""
    days = np.array([v[0] for v in values])
    own, level = np.array([v[1] for v in values]), np.array([v[2] for v in values])
    gap = np.maximum(level - 0.15, 0)
    share = np.where(gap > 0.05, (level - own) / np.maximum(gap, 0.05), 0)
    ratio = np.clip(np.where(gap > 0.05, 10 * (share - 0.35), 0), -4, 4)
    return Witness(
        days=days,
        sensor=np.zeros(len(days), np.int64),
        ratio=ratio,
        up=ratio,
        value=own,
        level=level,
        gap=gap,
        unlike=np.zeros(len(days)),
        usual=np.full(len(days), 0.03),
        peer_days=days,
        alike=np.where(gap > 0.15, 12, 0),
        odd=np.zeros(len(days), np.int64),
        own_days=days,
        own_green=own,
    )


def year(own_falls: int | None, peers_fall: int = 270) -> list[tuple[int, float, float]]:
    """A season of looks every ten days: bare to 110, green to a day, bare again; a year before it without trouble."""
    out = []
    for start, falls in ((0, peers_fall), (365, own_falls or peers_fall)):
        for day in range(5, 365, 10):
            level = 0.8 if 110 <= day < peers_fall else 0.15
            own = 0.8 if 110 <= day < falls else 0.15
            out.append((start + day, own, level))
    return out


def test_a_crop_gone_long_before_the_peers() -> None:
    (found,) = find_failures(witness(year(200)), PARAMS)
    looks = witness(year(200)).days
    assert looks[found.first] == 365 + 205
    assert looks[found.before] == 365 + 195
    assert looks[found.alarm] == 365 + 215
    assert len(found.looks) == 2


def test_a_usual_year_is_quiet() -> None:
    assert find_failures(witness(year(None)), PARAMS) == ()


def test_a_crop_that_never_came_up_is_marked() -> None:
    found = find_failures(witness(year(110)), PARAMS)
    assert found
    assert not any(one.came_up for one in found)


def test_one_odd_look_decides_nothing() -> None:
    values = year(None)
    at = next(n for n, value in enumerate(values) if value[0] == 365 + 205)
    values[at] = (365 + 205, 0.15, 0.8)
    assert find_failures(witness(values), PARAMS) == ()


def test_where_it_has_always_been_so_it_is_no_news() -> None:
    values = [(d, o if d >= 365 or d % 40 else 0.15, lev) for d, o, lev in year(200)]
    odd = [(d, 0.15 if d < 365 and (d // 10) % 4 == 0 else o, lev) for d, o, lev in values]
    assert find_failures(witness(odd), PARAMS) == ()


def test_habit_is_a_beta_mean_of_looks_in_season() -> None:
    looks = witness(year(None))
    in_season = int(((looks.level > 0.5) & (looks.days < 365 + 205 - 50)).sum())
    at = int(np.searchsorted(looks.days, 365 + 205))
    assert habit_of(looks, at, PARAMS) == pytest.approx(0.5 / (10 + in_season))


def oddly(every: int) -> list[tuple[int, float, float]]:
    """The crop fails in the second year; in the first every so manyth look in season shows none."""
    return [(d, 0.15 if d < 365 and (d // 10) % every == 0 else o, lev) for d, o, lev in year(200)]


def test_one_odd_look_in_many_vetoes_nothing_but_lowers_the_score() -> None:
    (clean,) = find_failures(witness(year(200)), PARAMS)
    (once,) = find_failures(witness(oddly(14)), PARAMS)
    assert PARAMS.threshold <= once.score < clean.score


def test_more_looks_outweigh_a_habit_only_up_to_what_the_habit_explains() -> None:
    looks = witness(oddly(3))
    assert habit_of(looks, int(np.searchsorted(looks.days, 365 + 205)), PARAMS) > 0.15
    assert find_failures(looks, PARAMS) == ()


def test_nothing_is_told_of_crops_whose_peers_come_and_go_out_of_step() -> None:
    looks = witness(year(200))
    assert find_failures(replace(looks, odd=looks.alike // 12), PARAMS)  # 8 % of their looks in season
    assert find_failures(replace(looks, odd=looks.alike // 6), PARAMS) == ()  # 16 %


def test_a_crop_that_came_up_late_and_never_fell_is_marked() -> None:
    values = [(d, min(o, 0.42) if d >= 365 else o, lev) for d, o, lev in year(None)]
    found = find_failures(witness(values), PARAMS)
    assert found
    assert not any(one.came_up for one in found)


@pytest.mark.parametrize(
    ("unseen", "came_up"), [(range(365 + 105, 365 + 200), True), (range(365 + 105, 365 + 200, 30), True)]
)
def test_a_crop_hidden_by_clouds_came_up_if_radar_bears_it_out(unseen: range, came_up: bool) -> None:
    looks = witness(year(200))
    hidden = np.isin(looks.days, unseen)
    radar = replace(
        looks,
        sensor=np.where(hidden, 1, looks.sensor),
        own_days=looks.days[~hidden],
        own_green=looks.own_green[~hidden],
    )
    (found,) = find_failures(radar, PARAMS)
    assert found.came_up == came_up


def test_missed_while_the_peers_season_is_young_is_not_known_to_have_come_up() -> None:
    found = find_failures(witness(year(130)), PARAMS)
    assert not any(one.came_up for one in found)


def test_a_fall_needs_own_green_in_the_same_season() -> None:
    days = np.arange(0, 300, 10)
    green = np.where((days >= 100) & (days < 200), 0.7, 0.15)
    knobs = CameUpParams()

    def fell(own: np.ndarray, today: int = 290) -> bool | None:
        return fallen(days, own, 200, today, 0.1, 0.3, knobs)

    assert fell(green) is True
    assert fell(np.where(days >= 200, 0.65, green)) is False
    assert fell(np.where(days < 200, 0.2, 0.15)) is None
    assert fell(green, today=195) is None
    assert fell(np.where((days >= 180) & (days < 200), 0.15, green)) is None  # that season had ended before


def test_strangeness_counts_departures_either_way_and_less_with_a_habit() -> None:
    regular, irregular = witness(year(None)), witness(oddly(3))
    greener = replace(regular, unlike=np.where(regular.days > 365, 2.0, 0.0))
    assert strangeness(greener, 365, 730, PARAMS) > strangeness(regular, 365, 730, PARAMS) + 3
    odd = replace(irregular, unlike=greener.unlike)
    assert strangeness(odd, 365, 730, PARAMS) < strangeness(greener, 365, 730, PARAMS) - 0.5


@settings(max_examples=25)
@given(end=st.integers(40, 72))
def test_later_looks_take_nothing_back(end: int) -> None:
    whole, part = witness(year(200)), witness(year(200)[:end])
    known = [f for f in find_failures(whole, PARAMS) if f.alarm < end]
    assert list(find_failures(part, PARAMS)) == known


# ---- peers


NEIGHBOURS = NeighbourParams()
DAYS = np.arange(0, 800, 8)


def channel(own: np.ndarray, peers: np.ndarray) -> Channel:
    return Channel(name="ndvi", sensor="sentinel-2", days=DAYS, own=own, peers=peers, noise=0.08)


def wave(shift: float) -> np.ndarray:
    return 0.45 + 0.3 * np.sin(2 * np.pi * (DAYS - shift) / 365)


def test_peers_are_those_with_the_same_curve() -> None:
    peers = np.stack([wave(0)] * 6 + [wave(180)] * 6, axis=1)
    choice = choose([channel(wave(0), peers)], 2, NEIGHBOURS)
    assert choice.member[-1].tolist() == [True] * 6 + [False] * 8
    assert not choice.own_years[-1]


def test_with_too_few_alike_earlier_years_stand_in() -> None:
    peers = np.stack([wave(0)] * 3 + [wave(180)] * 6, axis=1)
    own = channel(wave(0), peers)
    choice = choose([own], 1, NEIGHBOURS)
    assert choice.own_years.all()
    found = depart(own, choice, 1, NEIGHBOURS)
    late = DAYS > 500
    assert found.value[late] == pytest.approx(0, abs=0.02)
    assert found.own_years[late].all()


def test_departure_is_own_less_the_median() -> None:
    own = wave(0).copy()
    own[-3:] -= 0.3
    found = depart(
        channel(own, np.stack([wave(0)] * 6, axis=1)),
        choose([channel(own, np.stack([wave(0)] * 6, axis=1))], 0, NEIGHBOURS),
        0,
        NEIGHBOURS,
    )
    assert found.value[-3:] == pytest.approx(-0.3)
    assert np.isnan(found.value[DAYS < 150]).all()


def test_middle_of_too_few_is_nan() -> None:
    assert np.isnan(middle_of(np.array([[1.0, 2.0, np.nan, np.nan, np.nan]]))).all()
    assert middle_of(np.array([[1.0, 2.0, 3.0, 4.0, 9.0]])) == pytest.approx([3.0])


# ---- rhythm


def share(own: np.ndarray) -> float:
    peers = np.stack([wave(s) for s in np.linspace(-5, 5, 6)], axis=1)
    return share_of_rhythm([channel(own, peers)], np.arange(6), 300, 665, RhythmParams()).value


def test_share_of_rhythm() -> None:
    assert share(wave(0)) == pytest.approx(1.0, abs=0.03)
    assert share(0.45 + 0.3 * (wave(0) - 0.45)) == pytest.approx(0.3, abs=0.03)
    assert share(np.full(len(DAYS), 0.4)) == pytest.approx(0.0, abs=0.01)
    assert np.isnan(share(np.full(len(DAYS), np.nan)))


def test_one_look_makes_no_rhythm_lost() -> None:
    own = wave(0).copy()
    own[60] = 5.0
    assert share(own) > 0.9
