"""Clear mask: True = clear."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from geocollateral.errors import BrokenData
from geocollateral.observe.masks import (
    SCL_CLASSES,
    MaskParams,
    classification_mask,
    haze_screen,
    shadow_screen,
    snow_screen,
)


def scene(scl: np.ndarray, pixel_m: float = 10.0) -> xr.Dataset:
    """Cube of scene classes; shape (time, y, x)."""
    return xr.Dataset(
        {"scl": (("time", "y", "x"), scl.astype(np.uint8))},
        coords={"time": np.datetime64("2020-01-01", "ns") + np.arange(len(scl)) * np.timedelta64(5, "D")},
        attrs={"crs": "EPSG:32633", "transform": (pixel_m, 0.0, 0.0, 0.0, -pixel_m, 0.0)},
    )


def looks(blue: np.ndarray, red: np.ndarray | float = 0.04) -> xr.Dataset:
    """Reflectance on dims (time, pixel)."""
    dims = ("time", "pixel")
    return xr.Dataset(
        {"blue": (dims, blue.astype(np.float32)), "red": (dims, np.broadcast_to(red, blue.shape).astype(np.float32))}
    )


# ------------------------------------------------------------------------------------------------------- classification


@pytest.mark.parametrize("value", SCL_CLASSES)
def test_each_class_is_clear_or_not(value: int) -> None:
    """Vegetation, bare ground and water are looks at the ground; snow and dark areas are not, nor is "unclassified"."""
    got = classification_mask(scene(np.full((1, 3, 3), value)), MaskParams())
    assert got.dtype == bool
    assert got.dims == ("time", "y", "x")
    assert bool(got.all()) == (value in (4, 5, 6))
    assert bool(got.any()) == (value in (4, 5, 6))


@pytest.mark.parametrize(
    ("metres", "pixel_m", "reach"), [(0, 10, 0), (30, 10, 3), (25, 10, 3), (30, 20, 2), (100, 10, 10)]
)
@pytest.mark.parametrize("value", [3, 8, 9, 10])
def test_clouds_and_shadows_are_widened_by_metres(metres: float, pixel_m: float, reach: int, value: int) -> None:
    plane = np.full((1, 31, 31), 4)
    plane[0, 15, 15] = value
    clear = classification_mask(scene(plane, pixel_m), MaskParams(dilate_m=metres)).values[0]
    y, x = np.mgrid[:31, :31]
    assert np.array_equal(~clear, (y - 15) ** 2 + (x - 15) ** 2 <= reach**2)


@pytest.mark.parametrize("value", [0, 1, 2, 7, 11])
def test_other_classes_are_not_widened(value: int) -> None:
    plane = np.full((1, 9, 9), 4)
    plane[0, 4, 4] = value
    assert (~classification_mask(scene(plane), MaskParams()).values).sum() == 1


def test_a_cloud_stays_in_its_scene() -> None:
    planes = np.full((3, 9, 9), 4)
    planes[1, 4, 4] = 9
    clear = classification_mask(scene(planes), MaskParams()).values
    assert clear[0].all()
    assert clear[2].all()
    assert not clear[1].all()


def test_no_scenes_is_no_mask() -> None:
    assert classification_mask(scene(np.zeros((0, 4, 4))), MaskParams()).shape == (0, 4, 4)


def test_the_classes_asked_for_are_the_clear_ones() -> None:
    plane = np.array([[[2, 4, 5, 11]]])
    got = classification_mask(scene(plane), MaskParams(clear_classes=(2, 11)))
    assert got.values.tolist() == [[[True, False, False, True]]]


def test_t8_classes_replicated_from_20_m_stay_classes() -> None:
    """No class is invented between two others, and blocks of four have one answer (T8)."""
    coarse = np.random.default_rng(8).choice([4, 5, 9], (1, 8, 8))
    fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
    got = classification_mask(scene(fine), MaskParams(dilate_m=0)).values
    expected = classification_mask(scene(coarse, 20), MaskParams(dilate_m=0)).values
    assert np.array_equal(got, expected.repeat(2, axis=1).repeat(2, axis=2))


def test_lacking_classes_are_told() -> None:
    with pytest.raises(BrokenData, match="scl"):
        classification_mask(scene(np.zeros((1, 2, 2))).drop_vars("scl"), MaskParams())


# ----------------------------------------------------------------------------------------------------------------- haze


def days(n_time: int = 30, n_pixel: int = 4, seed: int = 0) -> np.ndarray:
    """Blue of a quiet forest."""
    return 0.03 + np.random.default_rng(seed).normal(0, 0.002, (n_time, n_pixel))


@pytest.mark.parametrize("at", [0, 1, 14, 28, 29])
def test_a_single_hazy_day_is_found_wherever_it_lies(at: int) -> None:
    blue = days()
    blue[at] += 0.08
    hazy = haze_screen(looks(blue), np.ones(blue.shape, bool), MaskParams())
    assert np.flatnonzero(hazy.any(axis=1)).tolist() == [at]
    assert hazy[at].all()


def test_five_missed_clouds_are_found() -> None:
    """As many as the sample has, two of them one after the other."""
    blue = days(60)
    at = [10, 22, 23, 40, 59]
    blue[at] += 0.06
    hazy = haze_screen(looks(blue), np.ones(blue.shape, bool), MaskParams())
    assert np.flatnonzero(hazy.all(axis=1)).tolist() == at


def test_a_lasting_bright_roof_is_kept() -> None:
    blue = days()
    blue[12:] += 0.10
    hazy = haze_screen(looks(blue), np.ones(blue.shape, bool), MaskParams())
    assert not hazy[12 + MaskParams().haze_neighbours :].any()
    assert hazy.mean() < 0.15


def test_cleared_ground_is_not_haze() -> None:
    """Bare soil lifts red more than blue: the haze index does not rise."""
    blue, red = days(), np.full((30, 4), 0.03)
    blue[15] += 0.03
    red[15] += 0.09
    assert not haze_screen(looks(blue, red), np.ones(blue.shape, bool), MaskParams()).any()


@pytest.mark.parametrize("n_time", [0, 1, 2, 3])
def test_with_few_neighbours_nothing_is_called_hazy(n_time: int) -> None:
    blue = days(n_time)
    if n_time:
        blue[0] += 0.5
    assert not haze_screen(looks(blue), np.ones(blue.shape, bool), MaskParams()).any()


def test_unclear_looks_are_neither_judged_nor_neighbours() -> None:
    blue = days()
    clear = np.ones(blue.shape, bool)
    clear[5:20] = False
    blue[5:20] = 0.6
    blue[21] += 0.08
    hazy = haze_screen(looks(blue), clear, MaskParams())
    assert np.flatnonzero(hazy.any(axis=1)).tolist() == [21]


def test_missing_values_are_never_hazy() -> None:
    blue = days()
    blue[7] = np.nan
    assert not haze_screen(looks(blue), np.ones(blue.shape, bool), MaskParams()).any()


def test_pixels_do_not_know_each_other() -> None:
    """More pixels than one portion holds: each has the verdict it has alone."""
    rng = np.random.default_rng(9)
    blue = 0.03 + rng.gamma(0.3, 0.03, (12, 8200))
    clear = rng.random(blue.shape) > 0.3
    together = haze_screen(looks(blue), clear, MaskParams())
    for column in (0, 1, 8190, 8191, 8192, 8199):
        alone = haze_screen(looks(blue[:, [column]]), clear[:, [column]], MaskParams())
        assert np.array_equal(together[:, [column]], alone)


def test_later_looks_confirm_but_earlier_verdicts_rest_on_neighbours_only() -> None:
    """A look far away changes nothing: the screen is local in time."""
    blue = days(40)
    blue[5] += 0.08
    one = haze_screen(looks(blue[:20]), np.ones((20, 4), bool), MaskParams())
    other = haze_screen(looks(blue), np.ones((40, 4), bool), MaskParams())
    assert np.array_equal(one[:16], other[:16])


def test_t9_a_planted_cloud_with_a_halo_leaves_next_to_nothing() -> None:
    """A classified core, a haze halo of 40 m around it that the classification misses (T9): at most 0.5 % is left."""
    size, n_time, at = 60, 21, 10
    y, x = np.mgrid[:size, :size]
    metres = 10 * np.hypot(y - 30, x - 30)
    core, contaminated = metres <= 120, metres <= 160
    rng = np.random.default_rng(10)
    blue = 0.03 + rng.normal(0, 0.002, (n_time, size, size))
    red = 0.04 + rng.normal(0, 0.002, (n_time, size, size))
    veil = np.clip((170 - metres) / 50, 0, 1) * 0.4
    blue[at] += veil
    red[at] += veil
    scl = np.full((n_time, size, size), 4)
    scl[at, core] = 9
    clear = classification_mask(scene(scl), MaskParams()).values.reshape(n_time, -1)
    clear &= ~haze_screen(looks(blue.reshape(n_time, -1), red.reshape(n_time, -1)), clear, MaskParams())
    left = clear[at] & contaminated.ravel()
    assert left.sum() <= 0.005 * contaminated.sum()
    lost = ~clear[at] & (metres > 200).ravel()
    assert lost.sum() <= 0.005 * (metres > 200).sum()


@pytest.mark.parametrize(
    ("field", "value"), [("dilate_m", -1), ("dilate_m", 501), ("haze_limit", 0), ("haze_neighbours", 0), ("haze", 1)]
)
def test_bounds(field: str, value: float) -> None:
    with pytest.raises(ValidationError):
        MaskParams.model_validate({field: value})


# --------------------------------------------------------------------------------------------------------------- shadow


def forest(n_time: int = 30, n_pixel: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Red and near infrared of a quiet forest in summer."""
    noise = np.random.default_rng(seed)
    return 0.02 + noise.normal(0, 0.001, (n_time, n_pixel)), 0.32 + noise.normal(0, 0.01, (n_time, n_pixel))


def shadows(red: np.ndarray, nir: np.ndarray) -> np.ndarray:
    """What the screen says, everything being clear so far."""
    bands = xr.Dataset({"red": (("time", "pixel"), red), "nir": (("time", "pixel"), nir)})
    return shadow_screen(bands, np.ones(red.shape, bool), MaskParams())


@pytest.mark.parametrize("at", [0, 1, 14, 28, 29])
def test_a_passing_shadow_is_found_wherever_it_lies(at: int) -> None:
    red, nir = forest()
    red[at] *= 0.5
    nir[at] *= 0.4
    found = shadows(red, nir)
    assert np.flatnonzero(found.any(axis=1)).tolist() == [at]
    assert found[at].all()


def test_a_burnt_or_flooded_parcel_stays_in_sight() -> None:
    """What lasts is no shadow: the first dark look is known for ground as soon as a second one has come."""
    red, nir = forest()
    red[12:] *= 0.7
    nir[12:] *= 0.4
    assert not shadows(red, nir).any()
    newest = shadows(red[:13], nir[:13])
    assert newest[12].all(), "with nothing after it, it may be a shadow"
    assert not shadows(red[:14], nir[:14])[12].any()


def test_cleared_ground_is_not_shadow() -> None:
    red, nir = forest()
    red[12] = 0.14
    nir[12] *= 0.5
    assert not shadows(red, nir).any()


def test_autumn_is_not_shadow() -> None:
    """Leaves fall within two looks; the near infrared of the bare stand is above half of the summer's."""
    red, nir = forest()
    nir[20:] *= 0.62
    assert not shadows(red, nir).any()


@pytest.mark.parametrize(
    ("name", "red", "swir", "snow"),
    [
        ("fresh snow", 0.85, 0.10, True),
        ("old snow", 0.55, 0.15, True),
        ("just above the limit", 0.50, 0.21, True),
        ("just below the limit", 0.50, 0.22, False),
        ("cloud", 0.60, 0.45, False),
        ("water", 0.06, 0.01, False),
        ("vegetation", 0.04, 0.18, False),
        ("bare soil", 0.20, 0.32, False),
        ("bright roof", 0.45, 0.40, False),
        ("no data", float("nan"), 0.1, False),
    ],
)
def test_t28_snow_is_told_by_one_look(name: str, red: float, swir: float, snow: bool) -> None:
    bands = xr.Dataset({"red": (("time", "pixel"), [[red]]), "swir16": (("time", "pixel"), [[swir]])})
    assert snow_screen(bands, MaskParams()).tolist() == [[snow]], name
