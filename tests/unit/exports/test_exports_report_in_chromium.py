"""The report as a browser shows it, cut off from any network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from geocollateral.exports.report import report_html

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.enable_socket,  # the driver speaks to the browser over a loopback socket
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_report_fits_and_asks_for_nothing(browser, assessment, tmp_path: Path, lang: str, width: int):
    file = tmp_path / "report.html"
    file.write_bytes(report_html(assessment, lang))
    context = browser.new_context(viewport={"width": width, "height": 844}, offline=True, java_script_enabled=True)
    page = context.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(file.as_uri())
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    context.close()


def test_badges_on_the_phone_map_can_be_told_apart(browser, assessment, tmp_path: Path):
    file = tmp_path / "report.html"
    file.write_bytes(report_html(assessment))
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(file.as_uri())
    boxes = page.evaluate(
        "[...document.querySelectorAll('.frame .badge')].map(b => b.getBoundingClientRect())"
        ".map(r => [r.x, r.y, r.width])"
    )
    assert len(boxes) == len(assessment.parcels)
    for i, (x, y, size) in enumerate(boxes):
        for other_x, other_y, _ in boxes[:i]:
            assert (x - other_x) ** 2 + (y - other_y) ** 2 >= (0.8 * size) ** 2
    page.close()
