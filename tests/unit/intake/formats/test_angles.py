"""Angles as people write them."""

from __future__ import annotations

import pytest

from geocollateral.intake.formats.angles import Angle, AngleFault, parse_angle, parse_angles

LON, LAT = 116 + 23 / 60 + 29.5 / 3600, 39 + 54 / 60 + 20 / 3600


@pytest.mark.parametrize(
    "text",
    [
        "116°23'29.5\"E, 39°54'20\"N",
        "39°54'20\"N 116°23'29.5\"E",
        "东经116度23分29.5秒，北纬39度54分20秒",
        "北纬39度54分20秒 东经116度23分29.5秒",
        "N39 54 20 E116 23 29.5",
        "39 54 20 N 116 23 29.5 E",
        "E116°23′29.5″,N39°54′20″",
        "116°23’29.5”E；39°54’20”N",
        "39°54'20''N 116°23'29.5''E",
        "经度：东经116°23′29.5″ 纬度：北纬39°54′20″",
        "lon: 116°23'29.5\", lat: 39°54'20\"",
        "116º23'29.5\"e 39º54'20\"n",
        "39:54:20N 116:23:29.5E",
        "39d54m20sN 116d23m29.5sE",
        "１１６°２３′２９.５″Ｅ ３９°５４′２０″Ｎ",
    ],
)
def test_degrees_minutes_and_seconds(text: str) -> None:
    found = {angle.axis: angle.value for angle in parse_angles(text)}
    assert found == {"lon": pytest.approx(LON, abs=1e-12), "lat": pytest.approx(LAT, abs=1e-12)}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("116.3915 39.9056", [116.3915, 39.9056]),
        ("116.3915,39.9056", [116.3915, 39.9056]),
        ("(116.3915, 39.9056)", [116.3915, 39.9056]),
        ("-70.5；-33.25", [-70.5, -33.25]),
        ("116°23'30\" 39°54'", [116 + 23.5 / 60, 39.9]),
        ("116°23.5' 39°54'", [116 + 23.5 / 60, 39.9]),
        ("116° 39°", [116.0, 39.0]),
        ("39448000.5 4400000.25", [39448000.5, 4400000.25]),
    ],
)
def test_pairs_that_name_no_hemisphere(text: str, values: list[float]) -> None:
    angles = parse_angles(text)
    assert [angle.axis for angle in angles] == [None, None]
    assert [angle.value for angle in angles] == pytest.approx(values, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "value"), [("33°52'10\"S", -33.86944444), ("W70°30'", -70.5), ("西经70度30分", -70.5)]
)
def test_south_and_west_are_negative(text: str, value: float) -> None:
    assert parse_angle(text).value == pytest.approx(value, abs=1e-8)


def test_one_angle_with_its_axis() -> None:
    assert parse_angle("北纬39.5度") == Angle(value=39.5, axis="lat")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("116°75'E", "0 to below 60"),
        ("116°23'75\"E", "0 to below 60"),
        ("116.5°23'E", "decimal point"),
        ("-39°54'N", "one sign or one hemisphere"),
        ("91N", "-90..90"),
        ("181°", "-180..180"),
        ("181E", "-180..180"),
        ("1e2 3", "expected coordinates"),
        ("here", "expected coordinates"),
        ("", "expected coordinates"),
        ("E N", "in order"),
        ("116'23°E", "in order"),
        ("116,39 N", "in order"),
        ("经度116 纬度39 40", "one angle after every name"),
        ("116.39 纬度39", "a name before every coordinate"),
        ("经度 北纬39", "one angle after every name"),
    ],
)
def test_what_is_no_angle_is_refused(text: str, part: str) -> None:
    with pytest.raises(AngleFault, match=part):
        parse_angles(text)


def test_two_angles_are_not_one() -> None:
    with pytest.raises(AngleFault, match="expected one angle"):
        parse_angle("116 39")
