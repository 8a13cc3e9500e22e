"""`exports.report`: one file, honest, escaped, complete."""

from __future__ import annotations

import dataclasses
import html
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from shapely.affinity import translate

from geocollateral.exports import charts, maps, render
from geocollateral.exports.report import report_html
from geocollateral.exports.summary import STATES
from geocollateral.types import CHANGE_COLUMNS, SERIES_COLUMNS

VOID = {"meta", "link", "img", "br", "input", "hr"}


class Page(HTMLParser):
    """Tags with their attributes, the text of each parcel's section, and whether all tags close."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[tuple[str, str | None]] = []
        self.sections: dict[str, str] = {}
        self.ids: list[str] = []
        self.feed(content.decode())
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if "id" in dict(attrs):
            self.ids.append(dict(attrs)["id"])
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("id")))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for _, name in self.open:
            if name and name.startswith("parcel-"):
                self.sections[name] = self.sections.get(name, "") + data


@pytest.fixture(scope="module")
def content(assessment) -> bytes:
    return report_html(assessment)


@pytest.fixture(scope="module")
def page(content) -> Page:
    return Page(content)


def test_same_assessment_same_bytes(assessment, build_assessment):
    first, second = render(assessment), render(build_assessment())
    assert first == second


def test_nothing_is_fetched(content, page):
    for tag, attributes in page.tags:
        assert tag not in {"script", "iframe", "object", "embed", "audio", "video", "form"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "xlink:href", "srcset", "poster", "action", "data"}:
                assert value.startswith(("#", "data:")), (tag, name, value)
    text = content.decode()
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"https?://(?!www\.w3\.org)", text)


def test_links_and_ids_meet(page):
    assert len(page.ids) == len(set(page.ids))
    targets = {a["href"][1:] for _, a in page.tags if a.get("href", "").startswith("#")}
    assert targets <= set(page.ids)


def test_every_parcel_has_a_row_and_a_section(assessment, content, page):
    assert len(page.sections) == len(assessment.parcels)
    for number, parcel_id in enumerate(assessment.parcels.index, start=1):
        assert parcel_id in page.sections[f"parcel-{number}"]


def test_cannot_tell_has_no_value_and_no_share(assessment, page):
    for number, parcel_id in enumerate(assessment.parcels.index, start=1):
        section = page.sections[f"parcel-{number}"]
        if assessment.parcels.loc[parcel_id, "meta_status"] == "cannot_tell":
            assert "Cannot tell" in section
            assert "CNY" not in section
            assert "%" not in section.replace(assessment.parcels.loc[parcel_id, "meta_reason"], "")
            assert "No change was found" not in section
            assert assessment.parcels.loc[parcel_id, "meta_reason"] in section
        else:
            assert "CNY" in section


def test_status_is_said_in_words_and_signs(content):
    text = content.decode()
    for state, words in zip(STATES, ("Needs attention", "Cannot tell", "No confirmed change"), strict=True):
        assert re.search(rf'class="pill {state}"><i[^>]*>.</i>{words}', text)


def test_a_break_of_the_mean_alone_is_said_and_is_no_alert(build_assessment):
    changes = build_assessment().changes
    changes.loc[changes["parcel_id"] == "RO-004", "level"] = "parcel"
    page = Page(report_html(build_assessment(changes=changes, alerts=())))
    assert "no patch of its pixels changed for good" in page.sections["parcel-4"]
    assert "No confirmed change" in page.sections["parcel-4"]


def test_a_suspicion_is_said(page):
    assert "A change is suspected since 14\u00a0Oct\u00a02020. It is not confirmed yet" in page.sections["parcel-7"]


def test_the_verdict_counts_all_three_answers(content):
    assert "3 of 10 parcels need attention before lending; 2 could not be judged." in content.decode()


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", '"><img src=x onerror=alert(1)>', "地块 甲"]
)
def test_hostile_ids_are_text(build_assessment, hostile):
    assessment = build_assessment(rename={"RO-004": hostile})
    content = report_html(assessment)
    page = Page(content)
    assert hostile in page.sections["parcel-4"]
    assert "script" not in {tag for tag, _ in page.tags}
    assert all(a.get("src", "data:").startswith("data:") for _, a in page.tags)
    assert not any(name.startswith("on") for _, a in page.tags for name in a)
    assert html.escape(hostile) == hostile or hostile not in content.decode()


def test_hostile_text_of_the_stages_is_text(build_assessment):
    evil = "<img src=https://evil.example/x>"
    assessment = build_assessment()
    alerts = tuple(dataclasses.replace(a, reasons=(evil,), rule=evil) for a in assessment.alerts)
    assessment.parcels["meta_reason"] = evil
    page = Page(report_html(build_assessment(alerts=alerts, parcels=assessment.parcels)))
    assert all(a.get("src", "data:").startswith("data:") for _, a in page.tags)


def test_pictures_have_alternative_texts_and_the_page_a_language(page):
    assert ("html", {"lang": "en"}) in page.tags
    assert all(a.get("alt") for tag, a in page.tags if tag == "img")
    assert all(
        a.get("aria-label") or a.get("aria-hidden") for tag, a in page.tags if tag == "svg" and "viewbox" not in a
    )


def test_chinese_report(assessment):
    page = report_html(assessment, "zh").decode()
    assert '<html lang="zh-Hans">' in page
    assert "10 宗地块中有 3 宗须在放款前核实；2 宗无法判断。" in page
    assert "贷前尽调" in page
    assert "Needs attention" not in page


def test_the_file_stays_small(content):
    assert len(content) < 3_000_000


def test_nothing_seen_at_all_is_still_a_report(build_assessment):
    assessment = build_assessment()
    parcels = assessment.parcels.copy()
    for column in ("val_p05", "val_p50", "val_p95"):
        parcels[column] = np.nan
    parcels["meta_status"], parcels["meta_reason"], parcels["meta_n_obs"] = "cannot_tell", "no clear look", 0
    parcels["meta_last_clear"] = pd.NaT
    content = render(
        build_assessment(
            parcels=parcels,
            alerts=(),
            series=pd.DataFrame(columns=list(SERIES_COLUMNS)),
            changes=pd.DataFrame(columns=list(CHANGE_COLUMNS)),
            baselines=pd.DataFrame(columns=["parcel_id", "index", "time", "expected", "spread"]),
            yearly=pd.DataFrame(columns=["parcel_id", "year", "living_share", "disturbed_m2", "n_looks"]),
            chips=(),
            picture=None,
            scenes={},
            notes=(),
            run={},
        )
    )["report.html"].decode()
    assert "No parcel could be judged." in content
    assert "No map" in content
    assert "No alert." in content


def test_a_large_picture_is_reduced_and_keeps_disturbance(assessment):
    picture = assessment.picture
    large = dataclasses.replace(
        picture,
        rgb=np.kron(picture.rgb, np.ones((15, 15, 1), np.uint8)),
        disturbed_year=np.kron(picture.disturbed_year, np.ones((15, 15), np.int16)),
        transform=(10 / 15, 0, picture.transform[2], 0, -10 / 15, picture.transform[5]),
    )
    drawn, original = maps.draw_map(large, assessment.parcels), maps.draw_map(picture, assessment.parcels)
    assert max(drawn.image.shape) <= maps.LONGEST_SIDE
    assert drawn.years == original.years
    expected = [[b.x, b.y] for b in original.badges]
    np.testing.assert_allclose([[b.x, b.y] for b in drawn.badges], expected, atol=1)


def test_map_scale_and_north(assessment):
    drawn = maps.draw_map(assessment.picture, assessment.parcels)
    assert drawn.scale_bar.metres == 200
    assert drawn.scale_bar.width == pytest.approx(20, abs=0.2)  # of 1000 m; UTM's scale factor
    assert abs(drawn.north) < 2  # grid convergence in this place


def test_badges_do_not_touch(assessment):
    parcels = assessment.parcels.copy()
    parcels["geometry"] = parcels.geometry.iloc[0]
    places = [(b.x, b.y) for b in maps.draw_map(assessment.picture, parcels).badges]
    apart = [np.hypot(a[0] - b[0], a[1] - b[1]) for i, a in enumerate(places) for b in places[:i]]
    assert min(apart) > 4


def test_parcels_off_the_picture_are_named(build_assessment):
    away = build_assessment().parcels
    away.loc["RO-001", "geometry"] = translate(away.geometry.iloc[0], xoff=0.5)
    assert "Outside this picture: RO-001." in report_html(build_assessment(parcels=away)).decode()


def test_chart_places(assessment):
    axes = charts.share_axes(assessment.series, assessment.baselines, assessment.as_of)["ndvi"]
    assert axes.x(axes.start) == 0
    assert axes.x(axes.end) == 100
    assert axes.y(axes.high) == 0
    assert axes.y(axes.low) == 100


def test_breaks_close_together_get_two_lines(assessment, build_assessment):
    changes = assessment.changes
    felled = changes[changes["parcel_id"] == "RO-004"]
    later = felled.assign(
        last_clear_before=pd.Timestamp("2018-06-01"),
        first_clear_after=pd.Timestamp("2018-06-20"),
        break_date=pd.Timestamp("2018-06-20"),
    )
    page = report_html(build_assessment(changes=pd.concat([changes, later], ignore_index=True))).decode()
    assert 'class="marks two"' in page


def test_a_breach_of_the_loan_is_told_in_each_of_its_parcels(build_assessment):
    built = build_assessment()
    first, second = map(str, built.parcels.index[:2])
    parcels = built.parcels.assign(loan_id=["L-1"] + ["L-2"] * (len(built.parcels) - 1), risk_score_reason=None)
    asked = {"reason": "Loan to value is 167.4%; 60.0% is allowed.", "wording": "The loan stays within the limit."}
    rules = pd.DataFrame(
        [
            {"parcel_id": i, "rule": "r", "subject": "parcel", "key": i, "outcome": "ok", **asked}
            for i in (first, second)
        ]
        + [{"parcel_id": None, "rule": "ltv", "subject": "loan", "key": "L-1", "outcome": "breach", **asked}]
    )
    told = report_html(dataclasses.replace(built, parcels=parcels, tables={**built.tables, "risk_rules": rules}))
    assert told.decode().count("Loan to value is 167.4%") == 1


def test_what_is_over_is_told_beside_the_alert_and_by_name(build_assessment):
    built = build_assessment()
    over = {"operating_point": "confirmed", "recovered_on": "2020-06-10"}
    alerts = tuple(dataclasses.replace(a, rule="construction_stall", evidence=over) for a in built.alerts)
    section = Page(report_html(build_assessment(alerts=alerts))).sections["parcel-4"]
    assert "over by 10\u00a0Jun\u00a02020" in section
    assert (
        "Works at a standstill, 2\u00a0May\u00a02018 to 22\u00a0May\u00a02018: over by 10\u00a0Jun\u00a02020."
        in section
    )


def test_an_early_warning_is_nowhere_drawn_or_named_as_confirmed(build_assessment):
    built = build_assessment()
    early = {"operating_point": "early_warning"}
    alerts = tuple(dataclasses.replace(a, rule="stall_suspected", evidence=early) for a in built.alerts)
    page = report_html(build_assessment(alerts=alerts)).decode()
    section = Page(page.encode()).sections["parcel-4"]
    assert "2\u00a0May\u00a02018 to 22\u00a0May\u00a02018 (not confirmed)" in section
    assert 'class="detected"' not in page
