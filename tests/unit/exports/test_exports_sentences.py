"""Sentences of the stages in Chinese."""

# ruff: noqa: E501

from __future__ import annotations

import re

import pytest

from geocollateral.exports.sentences import CHINESE, in_chinese, lacking
from geocollateral.exports.wording import Words

CASES = [
    ("No lasting loss of stand found.", "未发现持续的林木损失。"),
    (
        "2 losses of stand confirmed, 1.20 ha in all. A further loss of 0.30 ha is suspected and not yet confirmed.",
        "已确认2处林木损失，共18.0亩（1.20公顷）。另有4.5亩（0.30公顷）疑似损失，尚未确认。",
    ),
    ("The last clear look is 40 days old (2024-05-01): what grows there is not known.", "最近一次无云观测在40天前（2024年5月1日）：现状作物不明。"),
    (
        ("Cause: most likely clear-cut (80%), else insects or gradual decline (15%): about 70% of the crown cover gone on the "
        "pixels of the event; it fell within 12 days."),
        "原因：最可能为皆伐（80%），其次为虫害或逐渐衰退（15%）：事件像元上约70%的树冠消失；在12天内下降。",
    ),
    (
        ("Told by radar alone: backscatter VH fell by 3.1 dB and VV rose by 1.0 dB against the same season and the forests "
        "around on 5 looks of 2 orbits up to 2024-06-01, beginning between 2024-05-01 and 2024-05-13."),
        ("仅由雷达发现：后向散射较往年同季及周边森林VH下降3.1 dB、VV上升1.0 dB，见于2条轨道截至2024年6月1日的5次观测，"
        "始于2024年5月1日至2024年5月13日之间。"),
    ),
    (
        ("Buildings were pulled down: 0.20 ha of built surface that had looked the same for more than a year looks "
        "different since 2024-05-01, against the rest of the parcel on the same looks."),
        "建筑已被拆除：一年多来外观不变的3.0亩（0.20公顷）建筑表面自2024年5月1日起发生变化，而同期地块其余部分未变。",
    ),
    ("Claimed stage structure; observed progress 40% (30% to 50%), stalled: behind the claim.", "申报阶段为“主体施工”；观测进度40%（30%至50%），停工：落后于申报。"),
    ("Claimed 15.0 mu; the polygon measures 12.0 mu, a difference of -20% (tolerance 5%).", "申报15.0亩；地块图形实测12.0亩，相差-20%（允许误差5%）。"),
]  # fmt: skip


@pytest.mark.parametrize(("english", "chinese"), CASES)
def test_sentences(english: str, chinese: str) -> None:
    assert in_chinese(english) == chinese
    assert lacking(english) == []
    assert Words("zh").reason(english) == chinese
    assert Words("en").reason(english) == english


def test_what_is_not_known_stays_whole() -> None:
    text = "No lasting loss of stand found. The moon was made of cheese on 2024-05-01."
    assert in_chinese(text).endswith("The moon was made of cheese on 2024-05-01.")
    assert lacking(text) == ["The moon was made of cheese on 2024-05-01."]
    assert (
        in_chinese("A crop failed between cheese and moon (0.2 ha).")
        == "A crop failed between cheese and moon (0.2 ha)."
    )


def test_every_counterpart_uses_every_gap_once() -> None:
    for english, chinese in CHINESE.items():
        gaps = len(re.findall(r"\{[*;]?\}", english))
        assert sorted(map(int, re.findall(r"\{(\d+)", chinese))) == list(range(gaps)), english
