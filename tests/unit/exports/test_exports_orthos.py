"""Orthomosaics in the report: beside the satellite's pictures, named for what they are, in both languages."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geocollateral.exports.chips import chip_names
from geocollateral.exports.report import report_html
from geocollateral.exports.wording import Words
from geocollateral.types import Chip, OrthoRecord, Shift

NAN = float("nan")
TOLD = Shift(verdict="corrected", east_m=6.12, north_m=-2.0, sigma_m=0.43, correlation=0.8, n_pixels=900, against="s")
UNTOLD = Shift(
    verdict="cannot_tell", east_m=NAN, north_m=NAN, sigma_m=NAN, correlation=NAN, n_pixels=0, reason="too little <b>"
)


@pytest.fixture
def with_orthos(build_assessment):
    """Two flights over RO-004: one in its place, one that shows half and whose place is not known."""
    plain = build_assessment()
    last = next(c for c in reversed(plain.chips) if c.parcel_id == "RO-004")
    a, b, c, d, e, f = last.transform
    chips, rows, records = [], [], []
    for number, (shift, share, sensor) in enumerate(((TOLD, 1.0, "drone"), (UNTOLD, 0.5, "skysat"))):
        scene = f"flight <{number}>.tif-abcdef{number}0"
        chips.append(
            Chip(
                parcel_id="RO-004",
                role="ortho",
                rgb=np.repeat(np.repeat(last.rgb, 20, axis=0), 20, axis=1),
                acquired=dt.date(2020, 5 + number, 3),
                sensor=sensor,
                scene_id=scene,
                clear_fraction=share,
                transform=(a / 20, b, c, d, e / 20, f),
                crs=last.crs,
            )
        )
        rows.append(
            {
                **plain.series.iloc[0].to_dict(), "parcel_id": "RO-004", "time": pd.Timestamp("2020-05-03"),
                "sensor": sensor, "index": "ndvi", "mean": -0.004, "scene_id": scene,
            }
        )  # fmt: skip
        records.append(
            OrthoRecord(
                scene_id=scene,
                name=f"flight <{number}>.tif",
                sha256="ab" * 32,
                sensor=sensor,
                acquired=dt.date(2020, 5 + number, 3),
                date_from=("given", "tag")[number],
                crs="EPSG:32635",
                resolution_m=0.04871,
                bands=("red", "green", "blue"),
                units="digital numbers",
                shift=shift,
                coverage={"RO-004": share},
                faults=(),
            )
        )
    return dataclasses.replace(
        plain,
        chips=(*plain.chips, *chips),
        series=pd.concat([plain.series, pd.DataFrame(rows)], ignore_index=True),
        orthos=tuple(records),
    )


@pytest.mark.parametrize(
    ("lang", "sentences"),
    [
        ("en", ["Orthomosaic, 3\u00a0May\u00a02020",
                "Drone, 0.049 m resolution, here 0.5 m, shows 100\u00a0% of the parcel",
                "lay 6.1 m east, 2.0 m south of Sentinel-2, ±\u00a00.4\u00a0m; moved back by that",
                "its place against Sentinel-2 cannot be told", "Skysat",
                "The Skysat orthomosaic of 3\u00a0Jun\u00a02020 shows only 50\u00a0% of the parcel.",
                "by a tag in the file", "pixels of 10 m"]),
        ("zh", ["正射影像，2020年5月3日", "无人机，分辨率 0.049 米，此处 0.5 米，覆盖地块的 100%",
                "原相对 Sentinel-2 偏东 6.1 米、偏南 2.0 米", "无法判断其相对 Sentinel-2 的位置", "像元 10 米"]),
    ],
)  # fmt: skip
def test_date_resolution_and_place_are_told(with_orthos, lang, sentences):
    html = report_html(with_orthos, lang).decode()
    for sentence in sentences:
        assert sentence in html
    assert "flight &lt;0&gt;.tif" in html
    assert "too little &lt;b&gt;" in html
    assert "flight <0>" not in html


def test_an_orthomosaic_is_on_no_chart_and_in_no_count(with_orthos, build_assessment):
    """A mean of -0.004 would stretch every chart; the axes and looks are the satellite's."""
    html, plain = (report_html(a).decode() for a in (with_orthos, build_assessment()))
    charts = [text[text.index('<div class="chart') :].partition("</ul>")[0] for text in (html, plain)]
    assert charts[0] == charts[1]
    assert "NDVI 0.00" in html


def test_chip_names_say_what_they_are(with_orthos):
    names = chip_names(with_orthos.chips)
    assert "chips/RO-004_ortho_2020-05-03.png" in names


@pytest.mark.parametrize(("metres", "text"), [(0.02, "0.02"), (0.0487, "0.049"), (0.5, "0.5"), (3.0, "3"), (10, "10")])
def test_lengths(metres, text):
    assert Words("en").metres(metres) == text


@pytest.mark.chromium
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_it_fits_every_screen(page, with_orthos, tmp_path: Path, lang: str):
    file = tmp_path / "report.html"
    file.write_bytes(report_html(with_orthos, lang))
    page.goto(file.as_uri())
    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    tops = page.evaluate(
        "[...document.querySelectorAll('#parcel-4 .chips figure img')].map(i => i.getBoundingClientRect())"
        ".map(r => [r.top, r.width, r.height])"
    )
    assert len(tops) == 5
    assert len({round(width) for _, width, _ in tops}) == 1, "all of one size"
    assert len({round(height) for _, _, height in tops}) == 1, "and of one piece of ground"
