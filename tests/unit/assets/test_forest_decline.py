"""Thinning and gradual decline of a stand of 8 x 8 pixels among six others, a look every ten days for four years."""

import datetime as dt

import numpy as np
import pytest
from evidence_by_hand import STAND, days_between, known_on, loss, painted, parcel, picture

from geocollateral.assets.forest_aftermath import AftermathParams, aftermath, decline_hit
from geocollateral.assets.forest_decline import DeclineParams, find_decline
from geocollateral.types import ParcelEvidence

SIDE = (8, 8)
DAYS = days_between("2019-01-05", "2022-12-31", 10)
ALL = np.ones(64, bool)
GROUND = {"green": 0.09, "red": 0.10, "nir": 0.20, "nir08": 0.22, "swir16": 0.24, "swir22": 0.20}
LATE = np.datetime64("2021-06-01") < DAYS
PARAMS = DeclineParams()


def stand(share: float, *, where: np.ndarray = ALL, peers_fall: float = 0.0, slow_days: int = 1) -> ParcelEvidence:
    rng = np.random.default_rng(4)
    bands = picture(SIDE, STAND, len(DAYS))
    age = (DAYS - np.datetime64("2021-06-01")).astype(int)
    grown = share * np.clip(age / slow_days, 0, 1)[:, None] * where[None, :]
    bands = {band: old * (1 - grown) + GROUND[band] * grown for band, old in bands.items()}
    bands = {band: values + rng.normal(0, 0.002, values.shape) for band, values in bands.items()}
    usual = (STAND["nir08"] - STAND["swir22"]) / (STAND["nir08"] + STAND["swir22"])
    peers = usual * (1 - peers_fall * LATE)[:, None] + rng.normal(0, 0.01, (len(DAYS), 6))
    return parcel(SIDE, DAYS, bands, peers=peers)


def test_a_thinning_is_found_with_its_share_and_its_days() -> None:
    found = find_decline(stand(0.3), ALL, (), PARAMS)
    assert found is not None
    assert found.kind == "stand_decline"
    assert -found.magnitude == pytest.approx(0.3, abs=0.08)
    assert found.last_clear_before <= dt.date(2021, 6, 1) <= found.first_clear_after <= dt.date(2021, 6, 20)
    assert found.detected_on <= dt.date(2021, 8, 15)
    assert found.recovered_on is None
    assert len(found.pixels) > 55


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(stand(0.0), id="nothing happened"),
        pytest.param(stand(0.05), id="too little to matter"),
        pytest.param(stand(0.25, peers_fall=0.3), id="a drought for all"),
    ],
)
def test_what_is_no_decline(evidence: ParcelEvidence) -> None:
    assert find_decline(evidence, ALL, (), PARAMS) is None


def test_it_lies_where_it_lies() -> None:
    left = np.arange(64) % 8 < 4
    found = find_decline(stand(0.6, where=left, slow_days=200), ALL, (), PARAMS)
    assert found is not None
    assert set(found.pixels) == set(np.flatnonzero(left).tolist())
    assert "50% of the stand" in found.reasons[0]


def test_pixels_lost_before_are_left_out_and_later_ones_are_not() -> None:
    left = np.arange(64) % 8 < 4
    evidence = stand(0.6, where=left)
    early = loss("2021-05-24", "2021-06-03", np.flatnonzero(left), "2021-06-13")
    assert find_decline(evidence, ALL, (early,), PARAMS) is None
    late = loss("2021-05-24", "2021-06-03", np.flatnonzero(left), "2022-06-13")
    assert find_decline(evidence, ALL, (late,), PARAMS) is not None
    both = aftermath(evidence, ALL, (late,), AftermathParams())
    assert both.decline is not None
    assert both.became is not None
    assert both.columns["chg_decline_m2"] == 0
    assert "2022-06-13" in both.decline.reasons[-1]


def test_what_the_fringe_lost_in_the_same_days_is_a_part_of_the_loss() -> None:
    left = np.arange(64) % 8 < 2
    early = loss("2021-05-24", "2021-06-03", np.flatnonzero(left), "2021-06-13")
    assert find_decline(stand(0.3), ALL, (early,), PARAMS) is None
    other = loss("2020-05-24", "2020-06-03", np.flatnonzero(left), "2020-06-13")
    assert find_decline(stand(0.3), ALL, (other,), PARAMS) is not None


@pytest.mark.parametrize("as_of", ["2021-05-30", "2021-07-01", "2021-09-01", "2022-03-01"])
def test_nothing_is_known_before_its_day(as_of: str) -> None:
    whole = find_decline(stand(0.3, slow_days=90), ALL, (), PARAMS)
    then = find_decline(known_on(stand(0.3, slow_days=90), as_of), ALL, (), PARAMS)
    assert whole is not None
    if whole.detected_on <= dt.date.fromisoformat(as_of):
        assert then is not None
        assert then.detected_on == whole.detected_on
        assert (then.last_clear_before, then.first_clear_after) == (whole.last_clear_before, whole.first_clear_after)
    else:
        assert then is None


def test_without_the_index_nothing_is_said() -> None:
    bare = parcel(SIDE, DAYS, {"red": np.full((len(DAYS), 64), 0.03)})
    assert find_decline(bare, ALL, (), PARAMS) is None
    told = aftermath(bare, ALL, (loss("2021-05-24", "2021-06-03", [1, 2]),), AftermathParams())
    assert told.events[0].causes == {}
    assert told.decline is None


def test_aftermath_tells_cause_decline_and_regrowth_together() -> None:
    left = np.arange(64) % 8 < 3
    bands = painted(picture(SIDE, STAND, len(DAYS)), LATE, left, GROUND)
    back = np.datetime64("2022-06-05") < DAYS
    bands = painted(bands, back, left, STAND, 0.9)
    peers = np.full((len(DAYS), 6), 0.64)
    evidence = parcel(SIDE, DAYS, bands, peers=peers)
    event = loss("2021-05-24", "2021-06-03", np.flatnonzero(left), "2021-06-13")
    found = aftermath(evidence, ALL, (event,), AftermathParams())
    assert found.decline is None
    assert found.columns["chg_main_cause"] == "clear_cut"
    first, second = found.tables["regrowth"]
    assert (first["year"], first["recovery"], first["regrown_share"]) == (1, 0.0, 0.0)
    assert second["recovery"] == pytest.approx(0.9, abs=0.1)
    assert second["regrown_share"] == 1.0
    assert found.columns["chg_regrown_share_frac"] == 1.0
    assert found.tables["causes"][0]["cause"] == "clear_cut"


def test_a_decline_is_an_alert_with_reasons() -> None:
    evidence = stand(0.3)
    found = aftermath(evidence, ALL, (), AftermathParams())
    assert found.decline is not None
    assert "lost" in found.sentence
    hit = decline_hit(evidence, found.decline)
    assert (hit.rule, hit.severity) == ("stand_decline", "medium")
    assert "thinned or declined" in hit.reasons[0]
