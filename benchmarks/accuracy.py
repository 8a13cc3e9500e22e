"""How often the monitor is right, on real imagery and real series. Run by hand; prints Markdown.

    python benchmarks/accuracy.py sweep --parcels aoi/demo/parcels.geojson
    python benchmarks/accuracy.py scene
    python benchmarks/accuracy.py series --data ../shared/data

``sweep`` replays the Romania sample month by month (and look by look around each felling) and checks every alert
against the facts below. ``scene`` cuts the whole sample scene into parcels of one hectare, judges all of them and
counts events found, missed and false against an independent reference, beside a two-date difference. ``series`` judges
real series whose days are known (`real_series`).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import real_series
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.geom import polygon

from geocollateral import service
from geocollateral.compute import ComputeParams
from geocollateral.config import Settings
from geocollateral.intake import read_parcels
from geocollateral.sources import open_source
from geocollateral.types import CHANGE_STATUSES, Alert, AreaOfInterest, Assessment, Block, Period, Source

SETTINGS = Settings(compute=ComputeParams(scheduler="synchronous"))
GROWING = (dt.date(2000, 4, 20), dt.date(2000, 10, 10))
"""Growing season of the sample's oak and beech (day and month)."""


@dataclass(frozen=True)
class Fact:
    """A change known to have happened after ``start`` and not later than ``end``."""

    name: str
    row: int
    col: int
    start: dt.date
    end: dt.date


FACTS = (
    Fact("felling 2018-05", 62, 8, dt.date(2018, 5, 2), dt.date(2018, 5, 22)),
    Fact("felling 2018/19", 70, 47, dt.date(2018, 9, 19), dt.date(2019, 6, 16)),
    Fact("felling 2019/20", 64, 82, dt.date(2019, 9, 29), dt.date(2020, 5, 11)),
)
ROAD = Fact("road 2016/17", 19, 30, dt.date(2016, 9, 24), dt.date(2017, 6, 6))


def say(*lines: str) -> None:
    """Write lines as they come."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a Markdown table."""
    say("", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head))
    say(*("| " + " | ".join(map(str, row)) + " |" for row in rows), "")


# -------------------------------------------------------------------------------------------------------------- parcels


def square(grid: GeoBox, row: int, col: int, height: int, width: int) -> dict[str, object]:
    """GeoJSON geometry of whole pixels of a grid."""
    corners = [(0, 0), (width, 0), (width, height), (0, height), (0, 0)]
    ring = [grid.affine * (col + x, row + y) for x, y in corners]
    return dict(polygon(ring, crs=grid.crs).to_crs("EPSG:4326").__geo_interface__)


def area_of(features: Sequence[dict[str, object]]) -> AreaOfInterest:
    """Features through the intake, as a user's file would come."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parcels.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}), encoding="utf-8")
        return read_parcels(path, datum="wgs84")


def forest(parcel_id: str, geometry: dict[str, object]) -> dict[str, object]:
    """A feature of the asset class forestry."""
    return {
        "type": "Feature",
        "properties": {"parcel_id": parcel_id, "asset_class": "forestry"},
        "geometry": geometry,
    }


def grid_of(imagery: Source) -> GeoBox:
    """Finest grid of a source with one footprint."""
    properties = imagery.search((-180, -90, 180, 90), _period())[0].properties
    return GeoBox(properties["proj:shape"], Affine(*properties["proj:transform"][:6]), properties["proj:code"])


def _period() -> Period:
    return Period(start=None, end=dt.date.max)


def assess(area: AreaOfInterest, imagery: Source, as_of: dt.date | None) -> Assessment:
    """The use case itself, without its pictures."""
    return service.assess(area, source=imagery, as_of=as_of, settings=SETTINGS, with_pictures=False)


# ---------------------------------------------------------------------------------------------------------------- sweep


def months(first: dt.date, last: dt.date, step: int = 1) -> list[dt.date]:
    """Last days of months."""
    return [stamp.date() for stamp in pd.date_range(first, last, freq=f"{step}ME")]


def is_growing(day: dt.date) -> bool:
    """Whether a day lies in the growing season."""
    return GROWING[0] <= day.replace(year=2000) <= GROWING[1]


def sweep(parcels: Path, first: dt.date, last: dt.date) -> None:
    """Replay of the sample, alerts against the facts."""
    imagery = open_source("sample:romania")
    grid = grid_of(imagery)
    features = json.loads(parcels.read_text(encoding="utf-8"))["features"]
    points = [forest(f"@{f.row},{f.col}", square(grid, f.row - 2, f.col - 2, 5, 5)) for f in FACTS]
    area = area_of([*features, *points])
    newest = assess(area, imagery, None)
    looks = clear_looks(newest)
    days = set(months(first, last))
    for fact in FACTS:
        after = sorted({d for own in looks.values() for d in own if d > fact.start})
        days |= set(after[: 3 + sum(d <= fact.end for d in after) + 12])
    runs = {day: assess(area, imagery, day) for day in sorted(days)}
    month_ends = set(months(first, last))
    say(f"## Replay of {len(runs)} as-of days ({len(month_ends)} month ends), {len(area.parcels)} parcels", "")
    rows = []
    for parcel_id in area.parcels.index:
        own = {day: [a for a in run.alerts if a.parcel_id == parcel_id] for day, run in runs.items()}
        rows += [describe(parcel_id, trail, looks[parcel_id], sorted(runs)) for trail in trails(own)]
    table(
        (
            "parcel",
            "truth",
            "first reported",
            "first interval",
            "last interval",
            "area ha first..last",
            "growing-season looks to confirm",
            "overlaps truth always",
            "break before truth",
            "ids",
            "gaps",
        ),
        rows,
    )
    quiet = [i for i in area.parcels.index if not any(a.parcel_id == i for run in runs.values() for a in run.alerts)]
    say(f"Never an alert: {', '.join(quiet)}", "")
    statuses = []
    for parcel_id in area.parcels.index:
        said = [str(run.parcels.loc[parcel_id, "meta_status"]) for day, run in runs.items() if day in month_ends]
        statuses.append((parcel_id, said.count("ok"), said.count("cannot_tell")))
    table(("parcel", "months ok", "months cannot_tell"), statuses)


def clear_looks(newest: Assessment) -> dict[str, list[dt.date]]:
    """Days on which at least half of each parcel was clear."""
    own = newest.series[(newest.series["index"] == "ndvi") & (newest.series["valid_fraction"] >= 0.5)]
    return {
        parcel_id: sorted(t.date() for t in own.loc[own["parcel_id"] == parcel_id, "time"])
        for parcel_id in newest.parcels.index
    }


Trail = dict[dt.date, Alert]


def trails(alerts: dict[dt.date, list[Alert]]) -> list[Trail]:
    """Alerts of one parcel on successive days that are the same case: largest overlap of their break intervals."""
    found: list[Trail] = []
    for day in sorted(alerts):
        for alert in alerts[day]:
            best = [t for t in found if day not in t and _overlap(list(t.values())[-1], alert)]
            if best:
                best[0][day] = alert
            else:
                found.append({day: alert})
    return found


def _overlap(a: Alert, b: Alert) -> bool:
    return a.last_clear_before < b.first_clear_after and b.last_clear_before < a.first_clear_after


def describe(parcel_id: str, trail: Trail, looks: list[dt.date], days: list[dt.date]) -> tuple[object, ...]:
    """One row: what was said of one case over time, against the facts."""
    seen = sorted(trail)
    first, last = trail[seen[0]], trail[seen[-1]]
    facts = [f for f in (*FACTS, ROAD) if f.start < last.first_clear_after and last.last_clear_before < f.end]
    if not facts:
        return (parcel_id, "**none: false alarm**", seen[0], _interval(first), _interval(last), "", "", "", "", "", "")
    fact = facts[0]
    count = sum(is_growing(d) and fact.end <= d <= min(a.detected_on for a in trail.values()) for d in looks)
    reported = sum(is_growing(d) and fact.end <= d <= seen[0] for d in looks)
    always = all(a.last_clear_before < fact.end and fact.start < a.first_clear_after for a in trail.values())
    early = [d for d, a in trail.items() if a.first_clear_after <= fact.start or d <= fact.start]
    missing = [d for d in days if d > seen[0] and d not in trail]
    return (
        parcel_id,
        fact.name,
        seen[0],
        _interval(first),
        _interval(last),
        f"{first.area_m2 / 1e4:.2f}..{last.area_m2 / 1e4:.2f}",
        f"{count} (reported at {reported})",
        "yes" if always else "**NO**",
        "**" + ", ".join(map(str, early[:3])) + "**" if early else "never",
        len({a.alert_id for a in trail.values()}),
        f"**{len(missing)}**, from {missing[0]}" if missing else 0,
    )


def _interval(alert: Alert) -> str:
    return f"{alert.last_clear_before}..{alert.first_clear_after}"


# ---------------------------------------------------------------------------------------------------------------- scene


def scene(size: int, step_months: int) -> None:
    """Every parcel of a grid over the scene, against summer medians and beside a two-date difference."""
    imagery = open_source("sample:romania")
    grid = grid_of(imagery)
    cells = [(r, c) for r in range(0, grid.shape.y - size + 1, size) for c in range(0, grid.shape.x - size + 1, size)]
    area = area_of([forest(f"r{r:02}c{c:02}", square(grid, r, c, size, size)) for r, c in cells])
    ndvi, days = raw_ndvi(imagery)
    drops = summer_drops(ndvi, days)
    truth = {f"r{r:02}c{c:02}": _cell(drops, r, c, size) for r, c in cells}
    newest = assess(area, imagery, None)
    say(f"## Whole scene: {len(cells)} parcels of {size} x {size} pixels", "")
    judged = set(newest.parcels.index[newest.parcels["meta_status"] == "ok"])
    say(f"Judged: {len(judged)} of {len(cells)}; years 2017 to 2020; parcel-years judged: {4 * len(judged)}.")
    ours = {i: [a for a in newest.alerts if a.parcel_id == i] for i in judged}
    rows = [
        ("geocollateral", *compare({i: [_year(a) for a in own] for i, own in ours.items()}, truth, judged)),
    ]
    for limit in (0.08, 0.10, 0.12, 0.15, 0.20, 0.25, 0.30):
        said = {f"r{r:02}c{c:02}": two_dates(ndvi, days, r, c, size, limit) for r, c in cells}
        rows.append((f"two dates, drop > {limit:.2f}", *compare(said, truth, judged)))
    table(
        ("method", "found", "missed", "false", "grey, not counted", "precision", "recall", "false / 100 parcel-years"),
        rows,
    )
    for i in sorted(judged):
        said = [_year(a) for a in ours[i]]
        for year, (sure, _) in truth[i].items():
            if sure >= 10 and not _near(year, said):
                say(f"missed: {i} {year}, {sure} pixels")
        for a in ours[i]:
            if not _near(_year(a), [y for y, (_, grey) in truth[i].items() if grey >= 4]):
                say(f"false: {i} {_interval(a)} {a.area_m2:.0f} m2, confirmed {a.detected_on}")
    if step_months:
        seen: dict[str, set[str]] = {}
        stable = [i for i in judged if all(grey < 4 for _, grey in truth[i].values())]
        for day in months(dt.date(2016, 12, 31), dt.date(2021, 1, 31), step_months):
            for a in assess(area, imagery, day).alerts:
                if a.parcel_id in stable:
                    seen.setdefault(a.parcel_id, set()).add(f"{day}: {_interval(a)}")
        say(f"{len(stable)} stable parcels, as-of every {step_months} months: {len(seen)} ever had an alert.")
        say(*(f"* {i}: {sorted(said)}" for i, said in sorted(seen.items())))


def raw_ndvi(imagery: Source) -> tuple[NDArray[np.float64], NDArray[np.datetime64]]:
    """NDVI of the whole scene (time, y, x), clear by the scene classification alone, as a simple user would take it."""
    items = imagery.search((-180, -90, 180, 90), _period())
    block = Block(block_id="all", geobox=grid_of(imagery), parcel_ids=("all",), items=tuple(items))
    cube = imagery.read(block, ["nir", "red", "scl"])
    red, nir = cube["red"].values.astype(float), cube["nir"].values.astype(float)
    clear = np.isin(cube["scl"].values, (4, 5)) & (red > 0) & (nir > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(clear, (nir - red) / (nir + red), np.nan), cube["time"].values.astype("datetime64[D]")


def summer_drops(ndvi: NDArray[np.float64], days: NDArray[np.datetime64]) -> dict[int, NDArray[np.float64]]:
    """By year, how far each pixel's upper quartile of NDVI of June to mid-September fell below that of the year before.

    The upper quartile and not the median: clouds that the classification misses lower the median of a summer of few
    looks enough to call stands felled that are green a year later.
    """
    upper = {}
    for year in range(2016, 2021):
        part = (days >= np.datetime64(f"{year}-06-01")) & (days <= np.datetime64(f"{year}-09-15"))
        ordered = np.sort(ndvi[part], axis=0)  # NaN sorts last
        count = np.isfinite(ndvi[part]).sum(axis=0)
        place = np.maximum((3 * (count - 1)) // 4, 0)[None]
        upper[year] = np.where(count >= 3, np.take_along_axis(ordered, place, axis=0)[0], np.nan)
    return {year: upper[year - 1] - upper[year] for year in range(2017, 2021)}


def _cell(drops: dict[int, NDArray[np.float64]], r: int, c: int, size: int) -> dict[int, tuple[int, int]]:
    """By year, pixels with a sure drop (> 0.15) and with a possible one (> 0.10)."""
    parts = {year: drop[r : r + size, c : c + size] for year, drop in drops.items()}
    return {year: (int((part > 0.15).sum()), int((part > 0.10).sum())) for year, part in parts.items()}


def _year(alert: Alert) -> int:
    """Year whose summer first shows the loss."""
    day = alert.first_clear_after
    return day.year + (day >= dt.date(day.year, 8, 10))


def _near(year: int, years: Iterable[int]) -> bool:
    return year in set(years)


def two_dates(
    ndvi: NDArray[np.float64], days: NDArray[np.datetime64], r: int, c: int, size: int, limit: float
) -> list[int]:
    """Years in which 8 pixels fell by more than the limit between the clear looks nearest to 1 August."""
    part = ndvi[:, r : r + size, c : c + size].reshape(len(days), -1)
    usable = np.isfinite(part).mean(axis=1) >= 0.9
    best = {}
    for year in range(2016, 2021):
        away = np.abs((days - np.datetime64(f"{year}-08-01")).astype(int)).astype(float)
        away[~usable] = np.inf
        if away.min() <= 60:
            best[year] = part[int(np.argmin(away))]
    with np.errstate(invalid="ignore"):
        return [
            y for y in range(2017, 2021) if y in best and y - 1 in best and (best[y - 1] - best[y] > limit).sum() >= 8
        ]


def compare(
    said: dict[str, list[int]], truth: dict[str, dict[int, tuple[int, int]]], judged: set[str]
) -> tuple[object, ...]:
    """Events found, missed and false. A drop below the minimum mapping unit (4 to 9 pixels) or a slight one is grey."""
    found = missed = false = grey = 0
    for i in judged:
        own = said[i]
        for year, (sure, possible) in truth[i].items():
            if sure >= 10:
                found, missed = found + (year in own), missed + (year not in own)
            elif year in own:
                grey, false = grey + (possible >= 4), false + (possible < 4)
    precision, recall = found / max(found + false, 1), found / max(found + missed, 1)
    return found, missed, false, grey, f"{precision:.3f}", f"{recall:.3f}", f"{100 * false / (4 * len(judged)):.2f}"


# --------------------------------------------------------------------------------------------------------------- series


def series(data: Path, pyxccd: Path | None) -> None:
    """Real series with known days; see `real_series`."""
    say("## Real series, default parameters", "")
    head = ("series", "label", "method", "status", "last before", "break", "confirmed")
    table(head, real_series.breaks(data / "px_hls_breaks", pyxccd))
    say("A field of two crops a year, one pixel, nothing known to have happened:")
    head = ("index", "history until", "looks", "status", "last before", "break", "confirmed")
    table(head, real_series.seasons_only(data))
    field = real_series.monitored(real_series.irrigated_field(data / "farm_fusets_spain"), None)
    say(f"Irrigated field, one year, NDVI: {field['status']} (must be: cannot_tell)", "")
    say("Stable Sentinel-1 backscatter, California, five bursts, VV and VH (any `confirmed` is false):")
    rows = []
    for side in (1, 5):
        for history in (None, "2023-12-31"):
            shares = real_series.stable_radar(data / "s1_opera_dist" / "rtc_california", side, history)
            rows.append((f"{side} x {side}", history or "shortest", *(f"{share:.2%}" for share in shares.values())))
    table(("pixels", "history until", *CHANGE_STATUSES), rows)
    say("Fire in Chile, metric of the alert product as a series:")
    told = real_series.chile_fire(data / "s1_opera_dist" / "chile_fire_2024")
    table(("figure", "value"), [(n, v if isinstance(v, str) else f"{v:.1%}") for n, v in told.items()])
    say("Mowings of 10 meadows, 17 dated ones (found within 10 days):")
    methods = {"plain drop of NDVI": real_series.plain_drops, **real_series.our_mowings()}
    rows = []
    for name, method in methods.items():
        scores = real_series.score_mowings(data / "farm_salms_mowing", method)
        shown = (scores.f1, scores.recall, scores.precision, scores.mae, scores.bias)
        rows.append((name, *(f"{f.value:.2f} [{f.low:.2f}, {f.high:.2f}]" for f in shown)))
    table(("method", "F1", "recall", "precision", "MAE [days]", "bias [days]"), rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("sweep", "scene", "series"))
    parser.add_argument("--parcels", type=Path, default=Path("aoi/demo/parcels.geojson"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--first", type=dt.date.fromisoformat, default=dt.date(2017, 1, 1))
    parser.add_argument("--last", type=dt.date.fromisoformat, default=dt.date(2021, 1, 31))
    parser.add_argument("--size", type=int, default=10, help="side of a parcel of the scene [pixels]")
    parser.add_argument("--step-months", type=int, default=0, help="replay the scene too, every so many months")
    parser.add_argument("--pyxccd", type=Path, help="Python with pyxccd, to run COLD and S-CCD beside ours")
    given = parser.parse_args()
    if given.what == "sweep":
        sweep(given.parcels, given.first, given.last)
    elif given.what == "scene":
        scene(given.size, given.step_months)
    else:
        series(given.data, given.pyxccd)


if __name__ == "__main__":
    main()
