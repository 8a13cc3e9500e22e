"""The report as a browser shows it, cut off from any network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from geocollateral.exports.report import report_html

pytestmark = pytest.mark.chromium


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_report_fits_and_asks_for_nothing(page, assessment, tmp_path: Path, lang: str):
    file = tmp_path / "report.html"
    file.write_bytes(report_html(assessment, lang))
    requests: list[str] = []
    complaints: list[str] = []
    page.context.set_offline(True)
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(file.as_uri())
    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert complaints == []


def test_looks_of_six_satellites_fit_on_a_phone(page, assessment, tmp_path: Path):
    names = [f"sentinel-{number}{unit}" for number in (1, 2) for unit in "abc"]
    scenes = [{**scene, "platform": names[n % 6]} for n, scene in enumerate(assessment.scenes["scenes"])]
    file = tmp_path / "report.html"
    file.write_bytes(report_html(replace(assessment, scenes={**assessment.scenes, "scenes": scenes}), "en"))
    page.goto(file.as_uri())
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.locator("text=Sentinel-2C").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_learned_value_fits_on_a_phone(page, build_assessment, tmp_path: Path, lang: str):
    plain = build_assessment()
    parcels = plain.parcels.copy()
    own = parcels.index[parcels["meta_status"] == "ok"][0]
    for name in ("p05", "p50", "p95", "currency", "grade"):
        parcels[f"val_learned_{name}"] = parcels[f"val_{name}"].where(parcels.index == own, None)
    parcels["val_learned_model"] = "M1"
    parcels["val_learned_reason"] = "M1 does not value this parcel: its place is far from every sale."
    parcels.loc[own, "val_learned_reason"] = None
    parcels["val_approach"] = ["learned" if name == own else None for name in parcels.index]
    long = "distance_to_the_nearest_county_road_in_kilometres"
    sale = {"date": "2021-05-17", "price": 5.9e8, "similarity": 0.64, "distance_m": 42e3, "adjusted_price": 9.8e8}
    tables = {
        "learned_parts": pd.DataFrame(
            [
                {"parcel_id": own, "feature": "(base)", "told": "", "part": 13.1, "factor": 5e5},
                {"parcel_id": own, "feature": long, "told": "0.123456", "part": 0.1, "factor": 1.105},
            ]
        ),
        "learned_comparables": pd.DataFrame([{"parcel_id": own, "currency": "CNY", "price_per": "mu", **sale}]),
    }
    file = tmp_path / "report.html"
    file.write_bytes(report_html(build_assessment(parcels=parcels, tables=tables), lang))
    page.goto(file.as_uri())
    for width in (320, 390, 1100):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    text = page.inner_text("body")
    assert long in text
    assert ("far from every sale" if lang == "en" else "位置远离所有成交") in text


def test_badges_on_the_phone_map_can_be_told_apart(page, assessment, tmp_path: Path):
    file = tmp_path / "report.html"
    file.write_bytes(report_html(assessment))
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(file.as_uri())
    boxes = page.evaluate(
        "[...document.querySelectorAll('.frame .badge')].map(b => b.getBoundingClientRect())"
        ".map(r => [r.x, r.y, r.width])"
    )
    assert len(boxes) == len(assessment.parcels)
    for i, (x, y, size) in enumerate(boxes):
        for other_x, other_y, _ in boxes[:i]:
            assert (x - other_x) ** 2 + (y - other_y) ** 2 >= (0.8 * size) ** 2
