"""Speckle smoothed in time: less noise, the same mean, nothing from the future."""

from __future__ import annotations

import numpy as np

from geocollateral.observe.speckle import smooth_in_time


def speckled(ground: np.ndarray, looks: int, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return ground * rng.gamma(4, 0.25, (looks, *ground.shape))


def test_noise_falls_and_the_mean_stays() -> None:
    power = speckled(np.full((40, 40), 0.1), 24)
    calm = smooth_in_time(power)
    assert calm[-1].std() < 0.45 * power[-1].std()
    assert abs(calm[-1].mean() / power[-1].mean() - 1) < 0.03


def test_texture_of_the_ground_survives() -> None:
    ground = np.full((40, 40), 0.05)
    ground[::8] = 0.2  # a bright row every 80 m
    calm = smooth_in_time(speckled(ground, 24))[-1]
    assert calm[::8].mean() / calm[4::8].mean() > 3


def test_a_change_of_the_neighbourhood_shows_at_once() -> None:
    power = speckled(np.full((40, 40), 0.1), 24)
    power[20:] *= 0.25
    calm = smooth_in_time(power)
    assert 0.2 < calm[20].mean() / calm[19].mean() < 0.3


def test_later_looks_change_nothing_before() -> None:
    power = speckled(np.full((20, 20), 0.1), 30)
    assert np.array_equal(smooth_in_time(power)[:18], smooth_in_time(power[:18]))


def test_no_data_stays_no_data_and_does_not_spread() -> None:
    power = speckled(np.full((20, 20), 0.1), 5)
    power[2, 5, 5] = np.nan
    power[3] = np.nan
    calm = smooth_in_time(power)
    assert np.array_equal(np.isnan(calm), np.isnan(power))
