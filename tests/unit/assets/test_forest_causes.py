"""Causes of a loss, on a stand of 12 x 12 pixels of which the left half changes in the middle of four years."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from evidence_by_hand import STAND, days_between, known_on, loss, painted, parcel, picture
from hypothesis import given
from hypothesis import strategies as st

from geocollateral.assets.forest_causes import CAUSES, CauseParams, attribute_cause, probabilities, with_cause
from geocollateral.assets.forest_signature import Signature, signature
from geocollateral.types import ParcelEvidence

SIDE = (12, 12)
DAYS = days_between("2019-01-05", "2022-12-31", 10)
LEFT = np.arange(144) % 12 < 6
ALL = np.ones(144, bool)
FELLED = np.datetime64("2021-06-01") < DAYS
EVENT = loss("2021-05-24", "2021-06-03", np.flatnonzero(LEFT))
PARAMS = CauseParams()
SLASH = {"green": 0.10, "red": 0.11, "nir": 0.22, "nir08": 0.24, "swir16": 0.25, "swir22": 0.18}
CHAR = {"green": 0.045, "red": 0.05, "nir": 0.11, "nir08": 0.12, "swir16": 0.13, "swir22": 0.14}
DEAD = {"green": 0.07, "red": 0.075, "nir": 0.22, "nir08": 0.24, "swir16": 0.20, "swir22": 0.13}
BUILT = {"green": 0.19, "red": 0.22, "nir": 0.25, "nir08": 0.26, "swir16": 0.33, "swir22": 0.29}


def stand(where: np.ndarray, cover: dict[str, float], share: float = 1.0) -> ParcelEvidence:
    return parcel(SIDE, DAYS, painted(picture(SIDE, STAND, len(DAYS)), FELLED, where, cover, share))


@pytest.mark.parametrize(
    ("where", "cover", "share", "cause"),
    [
        pytest.param(LEFT, SLASH, 1.0, "clear_cut", id="bare ground and slash"),
        pytest.param(LEFT, CHAR, 1.0, "fire", id="char"),
        pytest.param(ALL, SLASH, 0.3, "thinning", id="a third of the crowns, everywhere"),
        pytest.param(LEFT, DEAD, 1.0, "storm", id="wood without leaves, at once"),
        pytest.param(LEFT, BUILT, 1.0, "building", id="bright subsoil"),
    ],
)
def test_a_loss_at_once(where: np.ndarray, cover: dict[str, float], share: float, cause: str) -> None:
    event = replace(EVENT, pixels=tuple(np.flatnonzero(where).tolist()))
    found = attribute_cause(stand(where, cover, share), event, PARAMS)
    assert max(found.causes, key=lambda name: found.causes[name]) == cause
    assert sum(found.causes.values()) == pytest.approx(1)


def test_the_same_wood_over_a_year_is_decline() -> None:
    bands = picture(SIDE, STAND, len(DAYS))
    grown = np.clip((DAYS - np.datetime64("2020-10-01")).astype(int) / 365, 0, 1)[:, None] * LEFT[None, :]
    bands = {band: old * (1 - grown) + DEAD[band] * grown for band, old in bands.items()}
    found = attribute_cause(parcel(SIDE, DAYS, bands), EVENT, PARAMS)
    assert found.named == "decline"
    assert "took at least" in found.reason


def test_drought_of_the_whole_parcel_is_not_the_loss_of_a_part() -> None:
    dry = painted(picture(SIDE, STAND, len(DAYS)), FELLED, ALL, DEAD, 0.3)
    both = painted(dry, FELLED, LEFT, SLASH)
    alone = signature(stand(LEFT, SLASH), EVENT)
    assert signature(parcel(SIDE, DAYS, dry), EVENT).dnbr == pytest.approx(0, abs=0.02)
    assert 0 < signature(parcel(SIDE, DAYS, both), EVENT).dnbr < alone.dnbr


def test_pixels_of_another_event_are_no_ground_to_compare_with() -> None:
    right = loss("2021-05-24", "2021-06-03", np.flatnonzero(~LEFT))
    whole = stand(ALL, SLASH)
    assert signature(whole, EVENT, (right,)).dnbr > 0.4
    assert signature(whole, EVENT).dnbr < 0.2


def test_too_few_looks_cannot_tell() -> None:
    found = attribute_cause(known_on(stand(LEFT, SLASH), "2021-06-05"), EVENT, PARAMS)
    assert (found.causes, found.named) == ({}, None)
    assert "cannot tell" in found.reason


def test_an_event_says_its_cause_and_keeps_its_dates() -> None:
    told = with_cause(stand(LEFT, CHAR), EVENT, PARAMS)
    assert told.reasons[:-1] == EVENT.reasons
    assert told.reasons[-1].startswith("Cause: most likely fire")
    assert (told.first_clear_after, told.pixels) == (EVENT.first_clear_after, EVENT.pixels)
    assert set(told.causes) == set(CAUSES)


maybe = st.one_of(st.just(float("nan")), st.floats(-3, 3))


@given(
    figures=st.fixed_dictionaries(
        dict.fromkeys(
            ("nbr_before", "nbr_after", "loss", "dnbr", "red_rise", "swir_rise", "nir_ratio", "char", "visible"), maybe
        )
    ),
    speed=st.one_of(st.just((float("nan"), float("nan"))), st.tuples(st.floats(0, 200), st.floats(200, 900))),
    decibel=maybe,
    company=st.tuples(st.integers(0, 5), st.integers(5, 15)),
)
def test_probabilities_are_such_whatever_was_measured(
    figures: dict[str, float], speed: tuple[float, float], decibel: float, company: tuple[int, int]
) -> None:
    measured = Signature(
        n_looks=5,
        n_leaf_looks=5,
        fall_low_days=speed[0],
        fall_high_days=speed[1],
        share_of_parcel=0.5,
        peers_hit=company[0],
        peers_seen=company[1],
        vh_change_db=decibel,
        vv_change_db=decibel,
        month=6,
        **figures,
    )
    found = probabilities(measured, PARAMS)
    assert set(found) == set(CAUSES)
    assert all(0 <= p <= 1 for p in found.values())
    assert sum(found.values()) == pytest.approx(1)


# ---------------------------------------------------------------------------------------------------------- real pixels


def pixel(folder: Path, names: list[str]) -> ParcelEvidence:
    table = pd.concat([pd.read_csv(folder / name).rename(columns=str.lower) for name in names])
    table["day"] = [np.datetime64(dt.date.fromordinal(int(n))) for n in table["dates"]]
    table = table[table["qa"].isin([0, 1])].drop_duplicates("day").sort_values("day")
    columns = {"green": "green", "red": "red", "nir": "nir", "nir08": "nir", "swir16": "swir1", "swir22": "swir2"}
    bands = {band: table[name].to_numpy(float)[:, None] * 1e-4 for band, name in columns.items()}
    return parcel((1, 1), table["day"].to_numpy("datetime64[D]"), bands)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("names", "before", "after", "cause"),
    [
        pytest.param(["1_hls_sc.csv"], "2024-03-15", "2024-03-23", "fire", id="forest fire, Sichuan"),
        pytest.param(
            [f"7_logging_hls_w{w}.csv" for w in ("0", "12", "34", "56", "78", "910")],
            "2024-03-29",
            "2024-04-08",
            "clear_cut",
            id="logging",
        ),
        pytest.param(["2_mpb_co_landsat.csv"], "2008-06-15", "2008-07-01", "decline", id="pine beetle, Colorado"),
    ],
)
def test_causes_of_real_breaks(realdata: Path, names: list[str], before: str, after: str, cause: str) -> None:
    found = attribute_cause(pixel(realdata / "px_hls_breaks", names), loss(before, after, [0]), PARAMS)
    assert found.named == cause
