"""`exports.chips`: PNG bytes judged by GDAL, and file names."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import rasterio

from geocollateral.errors import BrokenData
from geocollateral.exports.chips import chip_files, chip_names, encode_png, safe_name


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("shape", [(1, 1, 3), (31, 17, 3), (5, 40, 4)])
def test_another_library_reads_the_same_pixels(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with rasterio.MemoryFile(encode_png(image)) as file, file.open(driver="PNG") as read:
        np.testing.assert_array_equal(np.moveaxis(read.read(), 0, -1), image)


def test_a_smooth_picture_gets_smaller():
    y, x = np.mgrid[:200, :200]
    image = np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint8)
    assert len(encode_png(image)) < image.nbytes / 20


@pytest.mark.parametrize("image", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3)), np.zeros((0, 2, 3), np.uint8)])
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(BrokenData, match="uint8"):
        encode_png(image)


def test_names_say_parcel_role_and_date(assessment):
    names = chip_names(assessment.chips)
    assert "chips/RO-004_before_2018-05-02.png" in names
    assert len(set(names)) == len(names)
    assert set(chip_files(assessment.chips)) == set(names)


HOSTILE = ["../../etc/passwd", "a/b", "a\\b", "<script>", "=cmd|' /C calc'!A0", "地块 1", "..", ""]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_ids_give_harmless_names(hostile):
    name = safe_name(hostile)
    assert name
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    assert not name.startswith((".", "-"))


def test_two_ids_never_share_a_name():
    ids = ["a b", "a_b", "a/b", "地块1", "地块2", "x" * 90 + "1", "x" * 90 + "2"]
    assert len({safe_name(i) for i in ids}) == len(ids)


def test_ids_that_differ_in_case_only_are_kept_apart(assessment):
    chip = assessment.chips[0]
    names = chip_names([dataclasses.replace(chip, parcel_id=i) for i in ("A1", "a1")])
    assert len({name.casefold() for name in names}) == 2


def test_two_chips_of_one_day_are_kept_apart(assessment):
    chip = assessment.chips[0]
    names = chip_names([chip, chip, chip])
    assert len(set(names)) == 3
