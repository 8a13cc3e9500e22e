"""What the verdict of a claimed number promises, whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocollateral.assets.claims import AREA, DRAW, PROGRESS, SHARE, Rule, verdict_of

SHARES = st.floats(0.0, 1.0)
WIDTHS = st.floats(0.0, 0.4)
RULES = st.sampled_from([AREA, SHARE, PROGRESS, DRAW])


@given(SHARES, SHARES, WIDTHS, WIDTHS, WIDTHS, RULES)
def test_a_wider_interval_never_turns_one_answer_into_another(
    claimed: float, middle: float, below: float, above: float, wider: float, rule: Rule
) -> None:
    narrow = verdict_of(claimed, (middle - below, middle, middle + above), rule, "frac")
    wide = verdict_of(claimed, (middle - below - wider, middle, middle + above + wider), rule, "frac")
    # Only where both may be said, between half the tolerance and all of it, a wider look no longer says match.
    between = {("match", "mismatch")} if rule.tolerance / 2 < abs(_error(claimed, middle, rule)) else set()
    assert wide in (narrow, "cannot_tell") or (narrow, wide) in between


def _error(claimed: float, observed: float, rule: Rule) -> float:
    if rule.measure == "difference":
        return claimed - observed
    return claimed / observed - 1 if observed > 0 else np.inf


@given(st.floats(0.05, 1e4), st.floats(0.05, 1e4), st.floats(0.0, 0.5), st.floats(0.01, 100.0))
def test_a_relative_verdict_does_not_depend_on_the_unit(
    claimed: float, observed: float, width: float, unit: float
) -> None:
    interval = (observed * (1 - width), observed, observed * (1 + width))
    scaled = (interval[0] * unit, interval[1] * unit, interval[2] * unit)
    assert verdict_of(claimed, interval, AREA, "m2") == verdict_of(claimed * unit, scaled, AREA, "m2")


@pytest.mark.parametrize("sigma", [0.001, 0.005, 0.012, 0.03, 0.08])
def test_the_shares_of_errors_that_the_rule_promises(sigma: float) -> None:
    """Claims on observations with normal errors: 5 % over is a mismatch in 2 % at most, 10 % a match in 5 %."""
    draws = np.random.default_rng(7).normal(1.0, sigma, 4000)
    told = {}
    for error in (0.05, 0.10, 0.15):
        verdicts = [
            verdict_of(1 + error, (seen - 1.645 * sigma, seen, seen + 1.645 * sigma), AREA, "m2")
            for seen in draws.tolist()
        ]
        told[error] = {name: verdicts.count(name) / len(verdicts) for name in ("match", "mismatch", "cannot_tell")}
    assert told[0.05]["mismatch"] <= 0.025
    assert told[0.10]["match"] <= 0.055
    assert told[0.15]["match"] <= 0.055
    if sigma <= 0.012:  # good enough: over-claims are found, and nearly nothing is left open
        assert told[0.10]["mismatch"] >= 0.945
        assert told[0.05]["cannot_tell"] + told[0.10]["cannot_tell"] <= 0.03
    if sigma >= 0.08:  # too wide for one answer or the other
        assert told[0.05]["cannot_tell"] >= 0.9
