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
    (
        ("Claimed 16.5 mu; the polygon measures 15.0 mu; an error of +10% where less than 10% is tolerated: over-claimed. "
        "Measured on the ellipsoid; no imagery is needed."),
        "申报16.5亩；地块图形实测15.0亩；误差+10%，须小于10%：申报偏高。在椭球面上量算，无需影像。",
    ),
    (
        ("Claimed 60% progress; observed 40% (30% to 45%); an error of +20 points (+15 points to +30 points), too "
        "uncertain to say whether it reaches the 10 points that count. The works: stalled."),
        "申报进度60%；观测为40%（30%至45%）；误差+20个百分点（+15至+30个百分点），区间过宽，无法判断是否达到10个百分点的容差。工程状态：停工。",
    ),
    (
        ("Claimed 9.0 mu planted; on 31 looks from 2023-01-01 to 2023-12-27 there follow the crop (last complete season "
        "2023-04-11 to 2023-09-28) 0.0 mu; none of it is there where less than 10% is tolerated: over-claimed. It lies "
        "idle: the same season was missed twice."),
        ("申报种植9.0亩；2023年1月1日至2023年12月27日的31次观测中，与作物长势（最近一个完整生长季为2023年4月11日至2023年9月28日）"
        "一致的有0.0亩；实际没有，须小于10%：申报偏高。土地闲置：同一季节连续两次缺种。"),
    ),
    (
        ("Claimed 'maize', expected a summer crop without flooding; which one cannot be told; the latest 3.0 years show "
        "one flooded summer crop a year (rice) with a probability of 93% (1.0 harvests a year, water under the young "
        "plants; 60 clear looks). That the claim holds all the same has a probability of 2%."),
        ("申报'maize'，应表现为旱作夏季作物（无法区分种类）；最近3.0年显示为一年一季淹水夏季作物（水稻），概率93%"
        "（每年1.0次收获、幼苗期田面有水；60次无云观测）。申报仍属实的概率为2%。"),
    ),
    (
        ("Hold the draw: the milestone claimed, structure, needs 15% of the works; progress seen is 2% (0% to 5%), "
        "progressing, short by 13 points (10 to 15)."),
        "建议暂缓放款：申报的里程碑“主体施工”需完成工程的15%；观测进度2%（0%至5%），在建，差13个百分点（10至15）。",
    ),
    (
        "Claimed to be planted on 2020-03-01; most of the stand was lost between 2022-05-01 and 2022-05-11, after that day.",
        "申报种植日期为2020年3月1日；林分大部在此之后即2022年5月1日至2022年5月11日之间损失。",
    ),
    (
        "This claim says nothing about the asset class forestry; it is not checked.",
        "该申报项不适用于资产类别“林地”，未予核对。",
    ),
    (
        "Bands of scenes that could not be used: 3 missing, 14 quarantined. scenes.json gives the reasons.",
        "无法使用的影像波段：3个缺失、14个已隔离。原因见 scenes.json。",
    ),
    (
        "Works started by 2022-10-26 and go on: progress 60% (25% to 100%). On 2025-08-09: cleared 35%, building 14%, built 48%.",
        "至2022年10月26日已开工，仍在施工：进度60%（25%至100%）。2025年8月9日：已平整35%、施工中14%、已建成48%。",
    ),
    ("Claims contradicted: plan, floor area.", "被否定的申报项：计划工期、建筑面积。"),
    ("Warned of on 2023-10-16.", "2023年10月16日已预警。"),
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
        gaps = len(re.findall(r"\{[*;,]?\}", english))
        assert sorted(map(int, re.findall(r"\{(\d+)", chinese))) == list(range(gaps)), english
