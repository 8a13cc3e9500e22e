"""The radiometric offset: every way the metadata can say it, and what the pixels say to that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from geocollateral.sources.catalogue.offsets import (
    MIN_PIXELS,
    OFFSET,
    SCALE,
    OffsetVerdict,
    candidate_offset,
    judge_offset,
    parse_baseline,
)

MEADOW = {"blue": 0.03, "red": 0.05}
SIDE = 40


def numbers(reflectance: float, added: int) -> NDArray[np.uint16]:
    """Digital numbers of vegetation around a reflectance, with what is added to them on disk."""
    pattern = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 40
    return np.asarray(np.round(reflectance * 1e4) + pattern + added, np.uint16)


def judge(
    stated: Mapping[str, float | None], added: int, scl: int = 4, reflectance: Mapping[str, float] = MEADOW
) -> OffsetVerdict:
    dn = {band: numbers(value, added) for band, value in reflectance.items()}
    valid = {band: values > 0 for band, values in dn.items()}
    return judge_offset(stated, dn, valid, np.full((SIDE, SIDE), scl, np.uint8))


# Baseline, how the metadata carry the offset, and what is added to the numbers on disk.
CASES = [
    ("02.14", "absent", 0),
    ("02.14", "present", 0),
    ("03.01", "absent", 0),
    ("03.01", "present", 0),
    ("04.00", "absent", 1000),
    ("04.00", "present", 1000),
    ("05.00", "absent", 1000),
    ("05.00", "present", 1000),
    ("05.10", "absent", 1000),
    ("05.10", "present", 1000),
    ("99.99", "absent", 0),
    ("99.99", "present", 0),
    ("99.99", "absent", 1000),
    ("99.99", "present", 1000),
]


@pytest.mark.parametrize(("baseline", "metadata", "added"), CASES)
def test_t1_every_baseline_with_and_without_product_metadata_gives_the_true_reflectance(
    baseline: str, metadata: str, added: int
) -> None:
    product = -float(added) if metadata == "present" else None
    choice = candidate_offset({"s2:processing_baseline": baseline}, product_offset=product)
    verdict = judge(dict.fromkeys(MEADOW, choice.offset), added)
    assert verdict.verdict == "agrees"
    used = verdict.offset if choice.offset is None else choice.offset
    assert used is not None
    for value in MEADOW.values():
        pattern = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 40
        truth = value + pattern * 1e-4
        assert np.abs(numbers(value, added) * SCALE + used - truth).max() <= 1e-4


def test_t1_what_the_metadata_do_not_tell_is_not_guessed() -> None:
    for properties in ({"s2:processing_baseline": "99.99"}, {}):
        assert candidate_offset(properties).offset is None


@pytest.mark.parametrize(
    ("properties", "product", "catalogue", "offset", "word"),
    [
        # The catalogue changed the numbers: nothing that describes the product holds.
        ({"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.10"}, None, -0.1, 0.0, "applied"),
        ({"earthsearch:boa_offset_applied": True}, -1000.0, -0.1, 0.0, "applied"),
        (
            {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.10"},
            None,
            -0.1,
            -0.1,
            "raster:bands",
        ),
        ({"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.10"}, None, None, -0.1, "05.10"),
        # One statement for all items of a catalogue does not make an old product carry an offset.
        ({"s2:processing_baseline": "02.12"}, None, -0.1, 0.0, "against"),
        ({"s2:processing_baseline": "05.00"}, -1000.0, None, -0.1, "BOA_ADD_OFFSET"),
        # Reprocessed products of early scenes carry it: the sensing date is no guide.
        ({"s2:processing_baseline": "05.00", "datetime": "2017-05-01T00:00:00Z"}, None, None, -0.1, "05.00"),
        ({"s2:processing_baseline": "99.99"}, None, -0.1, -0.1, "raster:bands"),
        ({"s2:product_uri": "S2A_MSIL2A_20230701T103631_N0509_R008_T31UFU_X.SAFE"}, None, None, -0.1, "05.09"),
    ],
)
def test_candidate(
    properties: Mapping[str, Any], product: float | None, catalogue: float | None, offset: float, word: str
) -> None:
    choice = candidate_offset(properties, product_offset=product, catalogue_offset=catalogue)
    assert choice.offset == pytest.approx(offset, abs=1e-12)
    assert word in choice.evidence


@pytest.mark.parametrize(
    ("properties", "baseline"),
    [
        ({"s2:processing_baseline": "05.10"}, (5, 10)),
        ({"s2:processing_baseline": 5.1}, (5, 10)),
        ({"s2:processing_baseline": "N0510"}, (5, 10)),
        ({"processing:version": "05.11"}, (5, 11)),
        ({"s2:processing_baseline": "99.99"}, (99, 99)),
        ({"s2:processing_baseline": "unknown"}, None),
        ({}, None),
    ],
)
def test_parse_baseline(properties: Mapping[str, Any], baseline: tuple[int, int] | None) -> None:
    assert parse_baseline(properties) == baseline


@pytest.mark.parametrize(
    ("stated", "added", "verdict", "borne_out"),
    [
        (0.0, 0, "agrees", 0.0),
        (OFFSET, 1000, "agrees", OFFSET),
        # The flag lies: the offset was said to be gone and is there, or is subtracted a second time.
        (0.0, 1000, "disagrees", OFFSET),
        (OFFSET, 0, "disagrees", 0.0),
        (None, 0, "agrees", 0.0),
        (None, 1000, "agrees", OFFSET),
    ],
)
def test_t2_a_lying_flag_is_seen_on_vegetation(
    stated: float | None, added: int, verdict: str, borne_out: float
) -> None:
    found = judge(dict.fromkeys(MEADOW, stated), added)
    assert (found.verdict, found.offset) == (verdict, borne_out)


@pytest.mark.parametrize(
    ("soil", "stated", "added", "verdict"),
    [
        # Winter fields, dark and redder than blue: all four cases are told.
        ((0.04, 0.06), 0.0, 0, "agrees"),
        ((0.04, 0.06), OFFSET, 1000, "agrees"),
        ((0.04, 0.06), OFFSET, 0, "disagrees"),
        ((0.04, 0.06), 0.0, 1000, "disagrees"),
        # Gravel and sand are as bright as soil with an offset left in: that cannot be told, and is not claimed.
        ((0.13, 0.22), 0.0, 0, "untested"),
        ((0.16, 0.28), 0.0, 0, "untested"),
        ((0.08, 0.16), 0.0, 1000, "untested"),
        ((0.30, 0.34), 0.0, 0, "untested"),
        ((0.08, 0.16), OFFSET, 0, "disagrees"),
    ],
)
def test_t2_bare_land(soil: tuple[float, float], stated: float, added: int, verdict: str) -> None:
    ground = dict(zip(("blue", "red"), soil, strict=True))
    assert judge(dict.fromkeys(ground, stated), added, scl=5, reflectance=ground).verdict == verdict


def test_t2_haze_that_lightens_blue_is_no_offset() -> None:
    hazy = {"blue": 0.11, "red": 0.07}
    assert judge(dict.fromkeys(hazy, 0.0), 0, reflectance=hazy).verdict == "agrees"


@pytest.mark.parametrize("scl", [0, 3, 6, 8, 9, 10, 11])
def test_no_clear_land_is_no_verdict(scl: int) -> None:
    for stated in (0.0, OFFSET, None):
        found = judge(dict.fromkeys(MEADOW, stated), 0, scl=scl)
        assert (found.verdict, found.offset) == ("untested", None)


def test_land_is_counted_inside_the_edges_of_its_class() -> None:
    side = int(np.sqrt(MIN_PIXELS)) + 3  # eroded by two pixels from below and right only: the window is no edge
    classes = np.full((SIDE, SIDE), 9, np.uint8)
    classes[:side, :side] = 4
    dn = {band: numbers(value, 1000) for band, value in MEADOW.items()}
    valid = {band: values > 0 for band, values in dn.items()}
    stated = dict.fromkeys(MEADOW, 0.0)
    assert judge_offset(stated, dn, valid, classes).verdict == "disagrees"
    classes[:, side - 2 :] = 9
    assert judge_offset(stated, dn, valid, classes).verdict == "untested"


def test_without_classification_or_dark_bands_there_is_no_verdict() -> None:
    dn = {"red": numbers(0.05, 0)}
    valid = {"red": dn["red"] > 0}
    assert judge_offset({"red": 0.0}, dn, valid, None).verdict == "untested"
    assert judge_offset({"nir": 0.0}, {}, {}, np.full((SIDE, SIDE), 4)).verdict == "untested"
    assert judge_offset({"red": OFFSET}, dn, valid, np.full((SIDE, SIDE), 4)).verdict == "disagrees"


@pytest.mark.parametrize("stated", [0.0, -0.1])
def test_t2_haze_over_all_is_no_verdict(stated: float) -> None:
    """Cloud that the classification took for vegetation is too bright for every offset, and says nothing of any."""
    haze = {"blue": 0.24, "red": 0.25}
    assert judge(dict.fromkeys(haze, stated), 0, reflectance=haze).verdict == "untested"
