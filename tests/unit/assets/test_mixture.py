"""One use or two: frames of 14 x 14 pixels, 40 looks in three years, noise as of real pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from evidence_by_hand import MUD, STAND, days_between, loss, parcel
from hypothesis import given, settings
from hypothesis import strategies as st

from geocollateral.assets.mixture import MixtureParams, judge_mixture
from geocollateral.types import ParcelEvidence

SIDE = (14, 14)
DAYS = days_between("2019-07-01", "2022-06-30", 27)
ROW, COL = np.divmod(np.arange(196), 14)
PARAMS = MixtureParams()
WAVE = (1 + np.sin(2 * np.pi * DAYS.astype(int) / 365.25)) / 2
OTHER = (1 + np.sin(2 * np.pi * DAYS.astype(int) / 365.25 + 1.2)) / 2


def field(green: np.ndarray, noise: float = 0.03, seed: int = 3) -> ParcelEvidence:
    """Reflectance from the share of plants of each look and pixel; noise as a share of reflectance."""
    rng = np.random.default_rng(seed)
    bands = {
        band: (MUD[band] + green * (STAND[band] - MUD[band])) * rng.normal(1, noise, green.shape)
        for band in ("red", "nir", "nir08", "swir16")
    }
    return parcel(SIDE, DAYS, bands)


def uses(where: np.ndarray) -> np.ndarray:
    """One crop, and another one where asked for."""
    return np.where(where[None, :], OTHER[:, None], WAVE[:, None])


ONE = np.repeat(WAVE[:, None], 196, axis=1)


@pytest.mark.parametrize(
    "green",
    [
        pytest.param(ONE, id="even"),
        pytest.param(ONE * (0.7 + 0.3 * COL / 13), id="a gradient of soil"),
        pytest.param(ONE * (0.85 + 0.15 * np.sin(ROW / 3) * np.cos(COL / 2.5)), id="patches"),
        pytest.param(uses((ROW > 5) & (ROW < 8) & (COL > 5) & (COL < 8)), id="a few odd pixels"),
    ],
)
def test_one_use(green: np.ndarray) -> None:
    found = judge_mixture(field(green), PARAMS)
    assert found.verdict == "match", found.parting
    assert found.reason.startswith("One use")
    assert not found.alien.any()
    assert found.columns["obs_alien_share_frac"] == 0.0


def test_two_fields_in_one_polygon() -> None:
    found = judge_mixture(field(uses(COL >= 8)), PARAMS)
    assert (found.verdict, found.place) == ("mismatch", "inside")
    assert found.columns["obs_alien_share_frac"] == pytest.approx(5 / 12, abs=0.03)
    assert found.alien.sum() == 60  # 12 rows and 5 columns clear of the border
    assert found.confidence > 0.9
    assert "More than one use" in found.reason


def test_a_strip_of_the_neighbour() -> None:
    found = judge_mixture(field(uses(COL < 4)), PARAMS)
    assert (found.verdict, found.place) == ("mismatch", "edge")
    assert "boundary is shifted or lies over a neighbour" in found.reason


def test_what_changed_lately_is_a_change_and_no_mixture() -> None:
    late = (np.datetime64("2021-09-01") < DAYS)[:, None] & (COL >= 8)[None, :]
    found = judge_mixture(field(np.where(late, 0.0, ONE)), PARAMS)
    assert found.verdict == "match"
    assert "change" in found.reason


def test_where_an_event_has_changed_the_ground_it_is_not_tested() -> None:
    corner = (COL >= 10) & (ROW >= 8)
    evidence = field(uses(corner))
    assert judge_mixture(evidence, PARAMS).verdict == "mismatch"
    event = loss("2019-06-01", "2019-06-20", np.flatnonzero(corner))
    assert judge_mixture(evidence, PARAMS, (event,)).verdict == "match"
    everywhere = loss("2019-06-01", "2019-06-20", range(196))
    assert judge_mixture(evidence, PARAMS, (everywhere,)).verdict == "mismatch"


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        pytest.param(replace(field(ONE), n_full_pixels=39), "39 whole pixels", id="small"),
        pytest.param(replace(field(ONE), area_m2=np.where(COL > 3, 40.0, 100.0)), "clear of its border", id="narrow"),
    ],
)
def test_cannot_tell(evidence: ParcelEvidence, reason: str) -> None:
    found = judge_mixture(evidence, PARAMS)
    assert (found.verdict, found.columns["obs_alien_share_frac"]) == ("cannot_tell", None)
    assert reason in found.reason


def test_too_few_looks_cannot_tell() -> None:
    few = replace(field(ONE), look_days=DAYS.astype("datetime64[D]") - np.timedelta64(900, "D"))
    assert judge_mixture(few, PARAMS).verdict == "cannot_tell"


@settings(max_examples=10)
@given(st.permutations(range(196)))
def test_the_order_of_pixels_does_not_matter(order: list[int]) -> None:
    evidence = field(uses(COL >= 8))
    assert evidence.optical is not None
    turned = replace(
        evidence, row=evidence.row[order], col=evidence.col[order], optical=evidence.optical.isel(pixel=order)
    )
    one, two = judge_mixture(evidence, PARAMS), judge_mixture(turned, PARAMS)
    np.testing.assert_array_equal(two.alien, one.alien[order])
    assert two.confidence == pytest.approx(one.confidence)


# ---------------------------------------------------------------------------------------------------------- real pixels


def window(folder: Path, row: int, col: int, side: int = 12) -> ParcelEvidence:
    """A square of fields in Belgium, monthly; which lie in one field was told by eye."""
    names = {"red": "B04", "nir": "B08", "nir08": "B08", "swir16": "B11"}
    with xr.open_dataset(folder / "worldcereal_preprocessed_inputs.nc") as cube:
        table = {band: cube[f"S2-L2A-{name}"].load() for band, name in names.items()}
        days = cube["t"].values.astype("datetime64[D]")
    clear = (table["red"].values != 65535).mean(axis=(1, 2)) > 0.9
    place = (slice(None), slice(row, row + side), slice(col, col + side))
    bands = {band: values.values[place][clear].reshape(clear.sum(), -1) * 1e-4 for band, values in table.items()}
    return parcel((side, side), days[clear], bands)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("row", "col", "verdict"),
    [
        pytest.param(12, 72, "match", id="in a field of grain"),
        pytest.param(36, 84, "match", id="in a bare field"),
        pytest.param(60, 84, "match", id="in a blue-green field"),
        pytest.param(84, 12, "match", id="in a field by the border of another"),
        pytest.param(0, 84, "mismatch", id="two fields, north-east"),
        pytest.param(0, 72, "mismatch", id="two fields, north"),
        pytest.param(72, 0, "mismatch", id="two fields, west"),
        pytest.param(24, 84, "mismatch", id="grain and bare"),
    ],
)
def test_real_fields(realdata: Path, row: int, col: int, verdict: str) -> None:
    found = judge_mixture(window(realdata / "s1s2_worldcereal_belgium", row, col), MixtureParams(min_looks=8))
    assert found.verdict == verdict, found.parting


@pytest.mark.realdata
def test_ten_monthly_looks_are_too_few_by_default(realdata: Path) -> None:
    assert judge_mixture(window(realdata / "s1s2_worldcereal_belgium", 12, 72), PARAMS).verdict == "cannot_tell"
