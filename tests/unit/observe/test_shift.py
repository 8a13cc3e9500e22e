"""`observe.shift`: the place of a fine picture against a coarse one; where it cannot be told, and why."""

from __future__ import annotations

import numpy as np
import pytest

from geocollateral.errors import BrokenData
from geocollateral.observe.shift import STEPS, ShiftParams, combine_shifts, measure_shift, pad_cells
from geocollateral.types import Shift

PARAMS = ShiftParams()
PAD = pad_cells(10, PARAMS)
RNG = np.random.default_rng(5)


def ground(n: int = 30, patch: int = 25) -> np.ndarray:
    """Fields of a known pattern on the fine grid, wide enough to be moved."""
    side = n * STEPS + 4 * PAD
    fields = np.random.default_rng(7).uniform(0.05, 0.15, (side // patch + 1, side // patch + 1))
    return np.kron(fields, np.ones((patch, patch)))[:side, :side].astype(np.float32)


def pair(east_steps: int, south_steps: int, n: int = 30, **asked) -> tuple[np.ndarray, np.ndarray]:
    """Fine picture moved by whole cells, and the coarse one."""
    plane = ground(n, **asked)
    at = 2 * PAD
    coarse = plane[at : at + n * STEPS, at : at + n * STEPS].reshape(n, STEPS, n, STEPS).mean(axis=(1, 3))
    top, left = PAD - south_steps, PAD - east_steps
    size = n * STEPS + 2 * PAD
    return plane[top : top + size, left : left + size], coarse


def measure(fine: np.ndarray, coarse: np.ndarray, share: np.ndarray | None = None) -> Shift:
    return measure_shift({"red": fine}, np.ones_like(fine) if share is None else share, {"red": coarse}, 10.0, PARAMS)


@pytest.mark.parametrize(("east", "south"), [(0, 0), (3, -2), (-11, 7), (22, 21)])
def test_a_planted_shift_is_found(east, south):
    found = measure(*pair(east, south))
    assert (found.east_m, found.north_m) == pytest.approx((2.0 * east, -2.0 * south), abs=0.3)
    assert found.correlation > 0.95
    assert found.n_pixels == 900


@pytest.mark.parametrize(
    ("east", "verdict"), [(0, "agrees"), (0.9, "agrees"), (1.6, "reported"), (2.4, "reported"), (3, "corrected")]
)
def test_verdict_by_size(east, verdict):
    fine, coarse = pair(int(np.floor(east)), 0)
    ahead, _ = pair(int(np.floor(east)) + 1, 0)
    share = east - np.floor(east)
    assert measure((1 - share) * fine + share * ahead, coarse).verdict == verdict


def test_another_radiometry_and_missing_parts_change_nothing():
    fine, coarse = pair(5, 3)
    coarse = coarse.copy()
    coarse[4:9, 10:20] = np.nan
    share = np.ones_like(fine)
    share[:, :60] = 0
    found = measure(np.where(share > 0, 255 * fine**0.45 + 20, np.nan), coarse, share)
    assert (found.east_m, found.north_m) == pytest.approx((10, -6), abs=0.5)
    assert 400 < found.n_pixels < 850


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("flat", "too little texture"),
        ("noise", "do not resemble"),
        ("small", "share 100 pixels"),
        ("clouded", "share 60 pixels"),
        ("far", "larger than the 50 m"),
        ("rows", "two places fit"),
    ],
)
def test_cannot_tell_and_why(case, reason):
    fine, coarse = pair(2, 2, n=10 if case == "small" else 30)
    coarse = coarse.copy()
    if case == "flat":
        coarse[:] = 0.1 + RNG.normal(0, 1e-4, coarse.shape)
    elif case == "noise":
        coarse = RNG.normal(0.1, 0.02, coarse.shape).astype(np.float32)
    elif case == "clouded":
        coarse[2:] = np.nan
    elif case == "far":
        fine, coarse = pair(25, 0)
    elif case == "rows":
        # Stripes 30 m apart, as an orchard or a solar plant has: every third pixel fits.
        stripes = (np.arange(fine.shape[0]) // 7.5 % 2 + np.arange(fine.shape[1])[:, None] // 7.5 % 2).astype(
            np.float32
        )
        fine = 0.1 + 0.05 * stripes
        coarse = fine[PAD:-PAD, PAD:-PAD].reshape(30, STEPS, 30, STEPS).mean(axis=(1, 3))
    found = measure(fine, coarse)
    assert found.verdict == "cannot_tell"
    assert reason in found.reason
    assert np.isnan([found.east_m, found.north_m, found.sigma_m]).all()


def test_no_common_band():
    fine, coarse = pair(0, 0)
    found = measure_shift({"blue": fine}, np.ones_like(fine), {"red": coarse}, 10.0, PARAMS)
    assert found.reason == "the two pictures have no band in common"


def test_pictures_of_the_wrong_size_are_refused():
    fine, coarse = pair(0, 0)
    with pytest.raises(BrokenData, match="expected a fine picture"):
        measure(fine[1:], coarse)


def told(east: float, north: float, sigma: float = 0.3, against: str = "s") -> Shift:
    return Shift(
        verdict="agrees", east_m=east, north_m=north, sigma_m=sigma, correlation=0.8, n_pixels=900, against=against
    )


def test_of_three_looks_the_middle_one_counts_and_their_spread():
    untold = Shift(
        verdict="cannot_tell", east_m=np.nan, north_m=np.nan, sigma_m=np.nan, correlation=0.1, n_pixels=9, reason="why"
    )
    found = combine_shifts([told(6, 1, against="a"), untold, told(8, 0, against="b"), told(7, 5, against="c")], PARAMS)
    assert (found.east_m, found.north_m, found.against) == (7, 1, "a+b+c")
    assert found.sigma_m == pytest.approx(np.sqrt((1 + 7) / 2))
    assert found.verdict == "reported" if np.hypot(7, 1) <= 2 * found.sigma_m else "corrected"
    assert combine_shifts([untold, untold], PARAMS) == untold
    assert combine_shifts([untold, told(1, 1)], PARAMS) == told(1, 1)
