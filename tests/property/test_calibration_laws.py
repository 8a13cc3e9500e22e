"""Laws of thresholds and probabilities, for whatever was scored."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geocollateral.change.calibration import calibrate, shift_prior, thresholds_for_budget

scores = st.lists(st.integers(0, 20).map(lambda n: n / 20), max_size=30)
kinds = st.dictionaries(st.sampled_from("abcd"), scores, min_size=1)
cases = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=10, max_size=300)


@given(kinds, st.floats(10, 1000), st.floats(0, 10), st.floats(0, 10))
def test_a_budget_is_kept_and_more_of_it_never_says_less(
    false: dict[str, list[float]], years: float, one: float, other: float
) -> None:
    small, large = (thresholds_for_budget(false, years, budget) for budget in sorted((one, other)))
    assert all(large[kind].score <= small[kind].score for kind in false)
    assert sum(t.false_per_100.value for t in small.values()) <= min(one, other) * (1 + 1e-9) + 1e-9
    backwards = thresholds_for_budget({k: v[::-1] for k, v in reversed(false.items())}, years, min(one, other))
    assert {k: t.score for k, t in backwards.items()} == {k: t.score for k, t in small.items()}


@given(cases)
def test_probabilities_rise_with_the_score_and_do_not_depend_on_order(
    seen: list[tuple[float, bool]],
) -> None:
    values, right = (np.array(column) for column in zip(*seen, strict=True))
    curve = calibrate(values, right)
    assert curve is not None
    stated = curve.at(np.linspace(0, 1, 51))
    assert (np.diff(stated) >= -1e-12).all()
    assert ((stated > 0) & (stated < 1)).all()
    order = np.random.default_rng(len(seen)).permutation(len(seen))
    again = calibrate(values[order], right[order])
    assert again is not None
    assert np.allclose(again.at(np.linspace(0, 1, 51)), stated, atol=1e-7)


@given(st.floats(0.01, 0.99), st.floats(0.01, 50), st.floats(0.01, 50))
def test_a_base_rate_and_back_is_nothing(p: float, there: float, here: float) -> None:
    moved = shift_prior(np.array([p]), there, here)
    assert (moved >= p - 1e-12).all() == (here >= there) or np.isclose(moved, p).all()
    assert np.allclose(shift_prior(moved, here, there), p)
