"""The report as a browser shows it, cut off from any network."""

from __future__ import annotations

from pathlib import Path

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
