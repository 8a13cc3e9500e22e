"""Zeros at the border of a radar scene never come out as backscatter."""

from __future__ import annotations

import numpy as np
import pytest

from geocollateral.sources.borders import NOISE_PIXELS, REACH_PIXELS, usable_backscatter

SHAPE = (60, 60)
ALL = np.ones(SHAPE, bool)


@pytest.mark.parametrize("fill", [0.0, 1e-5, -1e-3], ids=["zero", "1e-5", "negative"])
def test_t33_a_strip_of_fill_goes_with_the_noise_beside_it(fill: float) -> None:
    power = np.full(SHAPE, 0.05, np.float32)
    power[:, :10] = fill
    power[:, 10:12] = 2e-4  # noise of the processor
    usable = usable_backscatter(power, ALL)
    assert not usable[:, : 10 + NOISE_PIXELS].any()
    assert usable[:, 10 + NOISE_PIXELS :].all()
    assert np.isfinite(10 * np.log10(power[usable])).all()


def test_t33_a_lone_zero_is_masked_alone() -> None:
    power = np.full(SHAPE, 0.05, np.float32)
    power[30, 30] = 0
    usable = usable_backscatter(power, ALL)
    assert not usable[30, 30]
    assert usable.sum() == usable.size - 1


def test_declared_no_data_is_a_clean_edge() -> None:
    power = np.full(SHAPE, 0.05, np.float32)
    valid = ALL.copy()
    valid[:20] = False
    power[:20] = -32768
    assert np.array_equal(usable_backscatter(power, valid), valid)


def test_nan_is_no_backscatter() -> None:
    power = np.full(SHAPE, 0.05, np.float32)
    power[5, 5] = np.nan
    assert not usable_backscatter(power, ALL)[5, 5]


def test_what_is_removed_does_not_depend_on_where_the_window_ends() -> None:
    rng = np.random.default_rng(5)
    power = rng.gamma(4.4, 0.02, SHAPE).astype(np.float32)
    power[np.tri(*SHAPE, k=-25, dtype=bool)] = 0
    whole = usable_backscatter(power, ALL)
    for row, col in ((10, 0), (20, 17), (33, 21)):
        top, left = max(row - REACH_PIXELS, 0), max(col - REACH_PIXELS, 0)
        part = power[top : row + 12 + REACH_PIXELS, left : col + 12 + REACH_PIXELS]
        found = usable_backscatter(part, np.ones(part.shape, bool))[row - top :, col - left :][:12, :12]
        assert np.array_equal(found, whole[row : row + 12, col : col + 12])
