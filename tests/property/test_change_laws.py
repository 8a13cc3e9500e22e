"""Laws of the change monitor, for every series."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from geocollateral.change import monitor
from geocollateral.change.evidence import SequentialParams
from geocollateral.change.state import load, outcome, save, start, update
from geocollateral.change.streams import Looks, Plan, Stream
from geocollateral.errors import InvalidInput
from geocollateral.observe.looks import fuse_days
from geocollateral.types import CONFIRMED

FAST = settings(max_examples=25)
FOREST = SequentialParams(direction="down", changed_level=0.55, min_magnitude=0.12)
PARAMS = st.sampled_from([SequentialParams(), FOREST])
SEEDS = st.integers(0, 2**32 - 1)
SCALARS = ("status", "break_date", "last_clear_before", "detected_on", "recovered_on", "n_looks", "n_informative")


def as_series(values: np.ndarray, dates: np.ndarray, units: str = "1") -> xr.DataArray:
    dims = ("time", "pixel")[: values.ndim]
    return xr.DataArray(values, dims=dims, coords={"time": dates}, name="ndvi", attrs={"units": units})


def irregular(rng: np.random.Generator, n: int = 110, years: int = 4) -> np.ndarray:
    days = np.sort(rng.choice(365 * years, n, replace=False))
    return (np.datetime64("2017-01-01") + days).astype("datetime64[ns]")


def season(dates: np.ndarray, rng: np.random.Generator, n_series: int = 1, gaps: float = 0.3) -> np.ndarray:
    """Random seasons with noise and gaps, shape (time, series)."""
    turn = 2 * np.pi * (dates - dates[0]) / np.timedelta64(1, "D") / 365.25
    level, swing, phase = rng.uniform(0.5, 0.8, n_series), rng.uniform(0, 0.2, n_series), rng.uniform(0, 6, n_series)
    values = level + swing * np.cos(turn[:, None] - phase) + rng.normal(0, 0.02, (len(dates), n_series))
    values[rng.random(values.shape) < gaps] = np.nan
    return values


def with_steps(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some of the series lose 0.2 to 0.6 for good, or for a while."""
    out = values.copy()
    for i in range(out.shape[1]):
        first = int(rng.integers(len(out) // 3, len(out)))
        last = int(rng.integers(first, len(out) + 1)) if rng.random() < 0.3 else len(out)
        out[first:last, i] -= rng.choice([0.0, 0.2, 0.4, 0.6])
    return out


def assert_same(one: xr.Dataset, other: xr.Dataset, rounding: float = 1e-4) -> None:
    for name in SCALARS:
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=name)
    for name in ("magnitude", "probability"):
        np.testing.assert_allclose(one[name].values, other[name].values, rtol=0, atol=rounding, err_msg=name)


@FAST
@given(
    level=st.floats(-1, 1),
    seed=SEEDS,
    params=PARAMS,
    end=st.sampled_from([None, "2018-06-30", "2019-06-30"]),
    gaps=st.floats(0, 0.95),
)
def test_constant_series_has_no_break(
    level: float, seed: int, params: SequentialParams, end: str | None, gaps: float
) -> None:
    rng = np.random.default_rng(seed)
    dates = irregular(rng)
    values = np.where(rng.random(len(dates)) < gaps, np.nan, level)
    found = monitor(as_series(values, dates), end, params=params)
    assert np.isnat(found["break_date"].values)
    assert int(found["status"]) != CONFIRMED


@FAST
@given(seed=SEEDS, share=st.floats(0.4, 0.85), drop=st.floats(0.35, 0.7), params=PARAMS)
def test_planted_step_is_found_and_never_before_it_happens(
    seed: int, share: float, drop: float, params: SequentialParams
) -> None:
    rng = np.random.default_rng(seed)
    dates = irregular(rng)
    values = 0.85 + rng.normal(0, 0.02, len(dates))
    values[rng.random(len(dates)) < 0.3] = np.nan
    first = int(share * len(dates))
    values[first:] -= drop
    for until in (first, first + 1, first + 2, len(dates)):
        found = monitor(as_series(values[:until], dates[:until]), None, params=params)
        if until <= first:
            assert int(found["status"]) != CONFIRMED
        if int(found["status"]) == CONFIRMED:
            assert found["break_date"].values >= dates[first]
            assert found["last_clear_before"].values < found["break_date"].values <= found["detected_on"].values
    after = np.flatnonzero(np.isfinite(values[first:]))
    if len(after) > 4:
        assert int(found["status"]) == CONFIRMED
        assert found["detected_on"].values <= dates[first + after[3]]
        gap = dates[first + after[1]] - dates[first + after[0]]
        if gap <= np.timedelta64(int(params.max_gap_days), "D"):  # beyond, the later look dates it, by its own rule
            assert found["break_date"].values == dates[first + after[0]]
        assert found["last_clear_before"].values <= dates[first + after[0]]


@FAST
@given(seed=SEEDS, params=PARAMS, end=st.sampled_from([None, "2018-12-31"]))
def test_order_of_time_changes_nothing(seed: int, params: SequentialParams, end: str | None) -> None:
    rng = np.random.default_rng(seed)
    dates = irregular(rng)
    values = with_steps(season(dates, rng, 3), rng)
    mixed = rng.permutation(len(dates))
    assert_same(
        monitor(as_series(values, dates), end, params=params),
        monitor(as_series(values[mixed], dates[mixed]), end, params=params),
    )


@FAST
@given(seed=SEEDS, params=PARAMS, end=st.sampled_from([None, "2018-12-31"]))
def test_days_without_a_look_change_nothing(seed: int, params: SequentialParams, end: str | None) -> None:
    rng = np.random.default_rng(seed)
    dates = irregular(rng)
    values = with_steps(season(dates, rng, 3), rng)
    keep = np.isfinite(values[:, 0])
    whole = monitor(as_series(values[:, :1], dates), end, params=params)
    assert_same(whole, monitor(as_series(values[keep, :1], dates[keep]), end, params=params))


@FAST
@given(seed=SEEDS, params=PARAMS, end=st.sampled_from([None, "2018-12-31"]))
def test_neighbours_do_not_matter(seed: int, params: SequentialParams, end: str | None) -> None:
    rng = np.random.default_rng(seed)
    dates = irregular(rng)
    values = with_steps(season(dates, rng, 6), rng)
    values[:, 2] = np.nan
    together = monitor(as_series(values, dates), end, params=params, curves=True)
    for i in (0, 3, 5):
        alone = monitor(as_series(values[:, [i]], dates), end, params=params, curves=True)
        assert_same(together.isel(pixel=[i]), alone)
        for name in ("expected", "spread"):
            np.testing.assert_allclose(alone[name].values[:, 0], together[name].values[:, i], rtol=0, atol=1e-4)


@FAST
@given(seed=SEEDS, params=PARAMS, end=st.sampled_from([None, "2018-12-31"]), share=st.floats(0.4, 1))
def test_later_looks_never_change_what_was_known(
    seed: int, params: SequentialParams, end: str | None, share: float
) -> None:
    rng = np.random.default_rng(seed)
    dates = irregular(rng)
    values = with_steps(season(dates, rng, 6), rng)
    until = int(share * len(dates))
    then = monitor(as_series(values[:until], dates[:until]), end, params=params, curves=True)
    now = monitor(as_series(values, dates), end, params=params, curves=True)
    known = now["detected_on"].values <= dates[until - 1]  # NaT is never known
    np.testing.assert_array_equal(then["status"].values == CONFIRMED, known & (now["status"].values == CONFIRMED))
    for name in ("detected_on", "break_date", "last_clear_before"):
        np.testing.assert_array_equal(then[name].values[known], now[name].values[known], err_msg=name)
    settled = then["recovered_on"].values[~np.isnat(then["recovered_on"].values)]
    np.testing.assert_array_equal(settled, now["recovered_on"].values[~np.isnat(then["recovered_on"].values)])
    if end is None or np.datetime64(end) < dates[until - 1]:
        same = np.isfinite(then["expected"].values)
        np.testing.assert_allclose(
            then["expected"].values[same], now["expected"].values[:until][same], rtol=0, atol=1e-5
        )


@FAST
@given(seed=SEEDS, params=PARAMS, size=st.floats(-2, 2), data=st.data())
def test_one_outlier_confirms_nothing(seed: int, params: SequentialParams, size: float, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    dates = irregular(rng)
    values = season(dates, rng, 8, gaps=0.2)
    before = monitor(as_series(values, dates), "2018-12-31", params=params)["status"].values == CONFIRMED
    values[data.draw(st.integers(0, len(dates) - 1))] += size
    after = monitor(as_series(values, dates), "2018-12-31", params=params)["status"].values == CONFIRMED
    assert not (after & ~before).any()


def phenology(dates: np.ndarray, spring: np.ndarray, autumn: np.ndarray, low: float, high: float) -> np.ndarray:
    year = dates.astype("datetime64[Y]")
    doy = (dates.astype("datetime64[D]") - year).astype(int) + 1
    which = year.astype(int) - year.astype(int).min()
    rise = 1 / (1 + np.exp(-(doy - spring[which]) / 8))
    return low + (high - low) * (rise - 1 / (1 + np.exp(-(doy - autumn[which]) / 5)))


@pytest.mark.parametrize(
    ("low", "high", "spring", "autumn"),
    [pytest.param(0.2, 0.8, 110, 200, id="crop"), pytest.param(0.5, 0.9, 118, 285, id="deciduous")],
)
def test_t27_seasons_that_shift_by_15_days_confirm_nothing(low: float, high: float, spring: int, autumn: int) -> None:
    """Trap T27: two years of history, three more with leaf-out and harvest moved by up to 15 days."""
    rng = np.random.default_rng(27)
    dates = np.arange(np.datetime64("2017-01-03"), np.datetime64("2022-01-01"), 5).astype("datetime64[ns]")
    columns = []
    for _ in range(100):
        shift = rng.uniform(-15, 15, 5)
        one = phenology(dates, spring + shift, autumn + shift, low, high) + rng.normal(0, 0.03, len(dates))
        columns.append(np.where(rng.random(len(dates)) < 0.5, np.nan, one))
    found = monitor(as_series(np.stack(columns, axis=1), dates), "2018-12-31")
    assert (found["status"].values == CONFIRMED).sum() <= 1


def test_t43_r13_change_of_platform_by_half_a_decibel_is_no_break() -> None:
    """Trap T43."""
    rng = np.random.default_rng(43)
    dates = np.arange(np.datetime64("2017-01-03"), np.datetime64("2021-01-01"), 12).astype("datetime64[ns]")
    values = -14 + rng.normal(0, 0.8, (len(dates), 100))
    values[dates >= np.datetime64("2019-06-01")] += np.where(np.arange(100) % 2, 0.5, -0.5)
    found = monitor(as_series(values, dates, "dB"), "2018-12-31")
    assert not (found["status"].values == CONFIRMED).any()


def test_r11_500_orders_of_arrival_end_in_one_state() -> None:
    """Thirty scenes, some of one day, in any order: the same looks and the same verdicts."""
    rng = np.random.default_rng(11)
    days = np.sort(rng.choice(3 * 365, 30))
    dates = (np.datetime64("2019-01-01") + days).astype("datetime64[ns]") + np.arange(30) * np.timedelta64(1, "s")
    values = with_steps(season(dates, rng, 6, gaps=0.1), rng).astype(np.float32)
    names = [f"s{n:02d}" for n in range(30)]

    def state(order: np.ndarray) -> tuple[object, ...]:
        cube = xr.Dataset({"ndvi": (("time", "pixel"), values[order])}, coords={"time": dates[order]})
        looks = fuse_days(cube, np.isfinite(values[order]), [names[n] for n in order])
        found = monitor(looks.values["ndvi"], "2019-12-31")
        return looks.scene_ids, tuple(found[name].values.tobytes() for name in SCALARS)

    expected = state(np.arange(30))
    assert all(state(rng.permutation(30)) == expected for _ in range(500))


def a_plan(params: SequentialParams, end: int | None, streams: int = 1) -> Plan:
    named = [Stream(name=f"s{n}", indices=("ndvi",), params=(params,)) for n in range(streams)]
    return Plan(streams=tuple(named), history_end=end)


def assert_identical(one: xr.Dataset, other: xr.Dataset) -> None:
    xr.testing.assert_identical(one, other)
    for name in one.data_vars:
        assert one[name].values.tobytes() == other[name].values.tobytes(), name


@FAST
@given(
    seed=SEEDS,
    params=PARAMS,
    end=st.sampled_from([None, 17897]),
    streams=st.integers(1, 2),
    cuts=st.sets(st.integers(0, 110)),
)
def test_any_split_of_the_looks_is_one_batch_bit_for_bit(
    seed: int, params: SequentialParams, end: int | None, streams: int, cuts: set[int]
) -> None:
    rng = np.random.default_rng(seed)
    looks = []
    for _ in range(streams):
        dates = irregular(rng)
        values = with_steps(season(dates, rng, 5), rng).astype(np.float32)
        looks.append(Looks(days=dates.astype("datetime64[D]").astype(np.int32), values=values[None]))
    plan = a_plan(params, end, streams)
    batch = update(start(plan, 5), looks)
    state = start(plan, 5)
    last = 0
    for cut in sorted({int(looks[0].days[min(c, 109)]) for c in cuts} | {10**6}):
        inside = [np.flatnonzero((one.days >= last) & (one.days < cut)) for one in looks]
        part = [one.rows(rng.permutation(rows)) for one, rows in zip(looks, inside, strict=True)]
        saved = save(state)
        state, last = update(load(saved), part), cut
        outcome(state)  # asking changes nothing
    assert_identical(save(state), save(batch))
    found, wanted = vars(outcome(state)), vars(outcome(batch))
    assert all(found[name].tobytes() == wanted[name].tobytes() for name in wanted)


def test_a_look_of_a_closed_half_year_is_refused() -> None:
    days = np.arange(0, 1000, 20, dtype=np.int32)
    values = np.full((1, len(days), 3), 0.7, np.float32)
    state = update(start(a_plan(SequentialParams(), None), 3), [Looks(days=days, values=values)])
    late = Looks(days=np.array([111], np.int32), values=values[:, :1])
    with pytest.raises(InvalidInput, match="1970-04-22"):
        update(state, [late])
    with pytest.raises(InvalidInput, match="more than one look"):
        update(state, [Looks(days=days[-1:], values=values[:, :1])])
