"""Claims and the look-back in the report and on the terminal, in both languages."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from geocollateral import claim_tables
from geocollateral.assets.claims import AREA, SHARE, checked_number, checked_words, judge_area, untold
from geocollateral.assets.milestones import judge_plant, judge_works
from geocollateral.assets.settled import CLAIMS, ORDER
from geocollateral.exports.claims_told import claim_line, say_history
from geocollateral.exports.report import report_html
from geocollateral.exports.summary import Check, check_of
from geocollateral.exports.terminal import summary_rows
from geocollateral.exports.wording import Words
from geocollateral.types import ClaimCheck, Judgement

ZH, EN = Words("zh"), Words("en")


def told(*checks: ClaimCheck) -> pd.DataFrame:
    judgement = Judgement(
        status="ok", reason="", columns={}, quantity=None, quantity_unit="ha", events=(), yearly=(), claims=checks
    )
    return claim_tables.table_of({"RO-001": judgement})


def shown(check: ClaimCheck) -> Check:
    """As it comes back from the table."""
    return check_of({str(k): v for k, v in told(check).iloc[0].items()})


def over_claimed() -> ClaimCheck:
    check = judge_area({"claim_area_m2": 12_000.0, "obs_area_m2": 10_000.0})
    assert check is not None
    return check


WORKS = judge_works({"claim_stage": "complete", "claim_progress_frac": 0.9}, (0.3, 0.4, 0.5), "stalled", n_looks=9)
CASES = (
    over_claimed(),
    checked_number("living", 0.9, (0.85, 0.9, 0.92), unit="frac", rule=SHARE, n_looks=7, n_pixels=90),
    checked_number("living", 0.5, (0.85, 0.9, 0.92), unit="frac", rule=SHARE),
    checked_number("water", 0.5, (0.0, 0.0, 0.0), unit="frac", rule=SHARE),
    checked_number("capacity", 8.0, (2.0, 7.0, 12.0), unit="mw", rule=AREA),
    checked_words("use", "rice", observed="maize", chance=0.01, reason="Maize."),
    *WORKS,
    *judge_works({"claim_stage": "foundations"}, (0.2, 0.3, 0.4), "progressing"),
    *judge_works({"claim_stage": "complete"}, (0.5, 0.7, 0.9), "progressing"),
    *judge_plant({"claim_stage": "complete"}, "none", "No modules."),
    *judge_plant({"claim_stage": "complete"}, "settled", "Modules."),
    untold("volume", 800.0, "Plots.", unit="m3"),
    untold("plan", "2023-01-01..2025-01-01", "Clouds."),
    untold("planted_on", "2023-01-01", "Clouds."),
)


@pytest.mark.parametrize("check", CASES, ids=lambda check: f"{check.claim}-{check.verdict}")
def test_reasons_are_english_in_english_and_chinese_in_chinese(check: ClaimCheck) -> None:
    english, chinese = claim_line(shown(check), EN), claim_line(shown(check), ZH)
    assert english.reason == check.reason
    assert re.search(r"[\u4e00-\u9fff]", chinese.reason)
    assert chinese.reason.endswith("。")
    assert "{" not in chinese.reason
    assert not re.search(r"[a-z]{4}", chinese.reason.replace("rice", "").replace("maize", ""))
    assert chinese.verdict == english.verdict == check.verdict


def test_a_draw_that_is_supported_without_a_figure_does_not_ask_for_a_visit() -> None:
    reason = "Claimed stage planned. 0 new pads are seen; towers and blades are not seen at 10 m. It supports the draw."
    draw = shown(next(check for check in CASES if check.claim == "draw"))
    supported = replace(draw, verdict="match", claimed="planned", observed=None, reason=reason)
    told = claim_line(supported, ZH).reason
    assert "支持放款" in told
    assert "现场核实" not in told


def test_areas_are_told_in_mu_first_in_chinese() -> None:
    line = claim_line(shown(over_claimed()), ZH)
    assert line.claimed == "18.0\u00a0亩（1.20\u00a0公顷）"
    assert line.reason == (
        "申报18.0\u00a0亩（1.20\u00a0公顷），图斑实测15.0\u00a0亩（1.00\u00a0公顷），误差+20%，超出容差10%：申报偏高。"
    )
    assert claim_line(shown(over_claimed()), EN).claimed == "1.20\u00a0ha (18.0\u00a0mu)"


def test_a_draw_that_is_held() -> None:
    draw = next(check for check in WORKS if check.claim == "draw")
    line = claim_line(shown(draw), ZH)
    assert line.tolerance == "10 个百分点"
    assert (
        line.reason
        == "里程碑需完成90%及以上".replace("及以上", " 及以上")
        + "，观测进度40%（30%至50%），差50个百分点：建议暂缓放款。"
    )


@pytest.mark.parametrize("words", [EN, ZH])
def test_every_claim_has_a_name(words: Words) -> None:
    assert all(words.known("claim", name) for name in {*ORDER, *(claim for claim, _ in CLAIMS.values())})


def test_the_report_shows_every_claim_and_the_history(build_assessment: Any) -> None:
    history = pd.DataFrame(
        [
            {
                "parcel_id": "RO-001",
                "kind": "stand_loss",
                "from": "2019-05-01",
                "to": "2019-05-11",
                "detected_on": "2019-06-01",
                "recovered_on": None,
                "area_m2": 2_000.0,
                "area_mu": 3.0,
                "area_low_m2": 1_500.0,
                "area_high_m2": 2_500.0,
                "share_frac": 0.2,
                "cause": "fire",
                "certainty": "confirmed",
                "reason": "Lost.",
            }
        ]
    )
    assessment = build_assessment(tables={"claims": told(*CASES[:1], *WORKS), "history": history})
    for check in (*CASES[:1], *WORKS):
        assessment.parcels.loc["RO-001", f"claim_{check.claim}_verdict"] = check.verdict
    assessment.parcels["obs_lookback_years"] = 2.3
    assessment.parcels["obs_lookback_events_n"] = 0
    assessment.parcels.loc["RO-001", "obs_lookback_events_n"] = 1
    page = report_html(assessment).decode()
    for check in (*CASES[:1], *WORKS):
        assert check.reason in page
    assert "1 event was found; the looks cover 2.3 of the five years. What happened in the rest is not known." in page
    assert "No event was found; the looks cover 2.3 of the five years." in page
    assert "Loss of stand (fire)" in page
    chinese = report_html(assessment, "zh").decode()
    assert "近五年回溯" in chinese
    assert "林木损失（火灾）" in chinese
    assert "建议暂缓放款" in chinese
    found = next(row for row in summary_rows(assessment) if row["Parcel"] == "RO-001")["What to look into"]
    assert "claim does not match: Area (1.20\u00a0ha (18.0\u00a0mu) claimed" in found
    assert "hold the draw: 90\u00a0% or more claimed, 40\u00a0% seen" in found


def test_nothing_seen_is_told_apart_from_nothing_found() -> None:
    assert say_history(None, None, EN) == ""
    assert "cannot be told" in say_history(0.0, None, EN)
    assert say_history(5.0, 0, EN) == "No event was found; the looks cover 5 of the five years."
    assert say_history(5.0, 2, ZH) == "发现 2 项事件；观测覆盖五年中的 5 年。"
