"""`sources.ortho_bands`: which band is which."""

from __future__ import annotations

import pytest

from geocollateral.errors import InvalidInput
from geocollateral.sources.orthos.bands import find_bands, parse_bands


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("red+green+blue", 3, {"red": 1, "green": 2, "blue": 3}),
        ("red+green+blue", 4, {"red": 1, "green": 2, "blue": 3}),
        ("B + G + R + rededge + NIR", 5, {"blue": 1, "green": 2, "red": 3, "rededge071": 4, "nir": 5}),
        ("_+_+nir", 3, {"nir": 3}),
    ],
)
def test_names_in_the_order_of_the_file(text, count, expected):
    assert parse_bands(text, count) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("red+green+blue+nir", "4 bands are named"),
        ("red+purple", "'purple' is not known"),
        ("red+r", "named twice"),
        ("_+_", "No band is named"),
        ("", "not known"),
    ],
)
def test_what_cannot_be_meant_is_refused(text, message):
    with pytest.raises(InvalidInput, match=message):
        parse_bands(text, 3)


@pytest.mark.parametrize(
    ("descriptions", "colours", "expected"),
    [
        ([None, None, None], ["red", "green", "blue"], {"red": 1, "green": 2, "blue": 3}),
        ([None] * 4, ["red", "green", "blue", "alpha"], {"red": 1, "green": 2, "blue": 3}),
        (["Blue", "Green", "Red", "Red edge", "NIR"], ["gray"] + ["undefined"] * 4,
         {"blue": 1, "green": 2, "red": 3, "rededge071": 4, "nir": 5}),
        # What is described wins over the colours that software leaves on whatever comes first.
        (["Green (560 nm)", "Red (650 nm)", "Near-infrared"], ["red", "green", "blue"],
         {"green": 1, "red": 2, "nir": 3}),
        (["Band 1: Blue", "band 2 - green"], ["gray", "undefined"], {"blue": 1, "green": 2}),
        (["elevation"], ["gray"], {}),
        ([None, None], ["gray", "undefined"], {}),
    ],
)  # fmt: skip
def test_what_the_file_says(descriptions, colours, expected):
    assert find_bands(descriptions, colours) == expected
