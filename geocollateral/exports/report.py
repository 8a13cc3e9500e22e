"""The due-diligence report: one HTML file that needs no script, no network and no other file."""

from __future__ import annotations

import base64
import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.exports import charts, maps
from geocollateral.exports.chips import encode_png
from geocollateral.exports.claims_told import ClaimLine, HistoryLine, claim_line, history_lines, say_history
from geocollateral.exports.json_values import json_value
from geocollateral.exports.learned_told import LearnedRows
from geocollateral.exports.progress import ProgressChart, StageLine, draw_progress, stage_lines
from geocollateral.exports.stages import StageChart, draw_stages
from geocollateral.exports.summary import STATES, Interval, ParcelFacts, State, ended_on, is_early, is_green, summarise
from geocollateral.exports.tables import sort_alerts
from geocollateral.exports.values_told import ValueTold, tell_value
from geocollateral.exports.wording import Words
from geocollateral.types import Assessment, Chip, OrthoRecord

FEW_LOOKS = 15
LONG_SINCE_DAYS = 120
LONG_GAP_DAYS = 150
WELL_COVERED = 0.8
"""Share of a parcel that an orthomosaic must show to need no word of caution [0-1]."""
SMALL_M2 = 5000.0
"""Half a hectare: 50 whole pixels at best, a third of them on the edge."""

SHOWN_SEASONS = 8
"""Most crop seasons listed for a parcel; the table in the result folder has all."""
SEASON_KEYS: tuple[str, ...] = ("crop", "emerged", "peak", "harvested", "peak_ndvi", "vigour_z", "status", "note")
"""Columns of the table ``seasons`` that are shown, in this order, where they are given."""

_NOT_INPUTS = frozenset(
    {"run_id", "project", "settings", "versions", "timings", "model_id", "n_blocks", "source_sha256"}
)
"""Parts of ``run.json`` that have a place of their own, or that differ from run to run."""

ICONS: Mapping[State, str] = {"fine": "✓", "attention": "!", "cannot_tell": "?"}
"""A second sign beside the colour, and beside the words."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A chip as the report shows it."""

    uri: str
    width: int
    height: int
    outline: str
    chip: Chip
    across_m: float
    pixel_m: float
    ortho: OrthoRecord | None
    """Of a picture that is not the satellite's."""
    indices: tuple[str, ...]
    """Name and mean over the parcel of each index, of a picture that is not the satellite's."""


@dataclass(frozen=True, kw_only=True)
class ParcelSection:
    """One parcel's part of the report."""

    facts: ParcelFacts
    says: tuple[str, ...]
    """The status in plain words, a sentence each."""
    chart: charts.SeriesChart | None
    stages: StageChart | None
    progress: ProgressChart | None
    """Of a building site its progress, of a solar plant the share under modules."""
    stage_lines: tuple[StageLine, ...]
    """Shares of the stages of a building site by date, the newest first."""
    seasons: tuple[Mapping[str, Any], ...]
    """Rows of the table ``seasons``, the newest first."""
    pledges: tuple[Mapping[str, Any], ...]
    """Rows of the table ``pledges``: other pledges of the same land."""
    values: ValueTold | None
    """How the value is made; None where no tables of the bank were given."""
    overlays: tuple[Mapping[str, Any], ...]
    """Rows of the table ``overlays``: what of the parcel lies in a layer of law or planning."""
    claims: tuple[ClaimLine, ...]
    """Every claim with its verdict."""
    history: tuple[HistoryLine, ...]
    """Events of the last five years, the newest first."""
    history_says: str
    """What the look-back found and how much of it was seen."""
    season_keys: tuple[str, ...]
    """Columns of theirs that are shown."""
    pictures: tuple[Picture, ...]
    limits: tuple[str, ...]
    risk: tuple[str, ...]
    """The risk score or why there is none, and the rules broken, a sentence each."""


def report_html(assessment: Assessment, lang: str = "en") -> bytes:
    """The report of a run.

    Parameters
    ----------
    assessment
        The result.
    lang
        A language of `wording.CATALOGUES`.

    Returns
    -------
    UTF-8 HTML with all styles and pictures inside. The same assessment gives the same bytes.
    """
    words = Words(lang)
    facts = summarise(assessment)
    picture = assessment.picture
    page = _environment(words).get_template("report.html.j2")
    html = page.render(
        t=words,
        a=assessment,
        title=_title(assessment, words),
        facts=facts,
        verdict=say_verdict(facts, words),
        states=_tally(facts),
        totals=_totals(assessment, facts),
        tells_loss=any(f.asset_class == "forestry" or f.disturbed_m2 is not None for f in facts),
        alerts=sort_alerts(assessment.alerts),
        numbers={f.parcel_id: f.number for f in facts},
        map=maps.draw_map(picture, assessment.parcels) if picture else None,
        sections=list(_sections(assessment, facts, words)),
        scenes=_scene_counts(assessment.scenes),
        record=_record(assessment.run),
        icons=ICONS,
    )
    return html.encode()


def say_verdict(facts: Sequence[ParcelFacts], words: Words) -> str:
    """The whole result in one line."""
    n = Counter(f.state for f in facts)
    fine, attention, unknown = n["fine"], n["attention"], n["cannot_tell"]
    if attention:
        key = "verdict.attention_rest" if unknown else "verdict.attention"
        return words.count(key, attention, m=unknown, total=len(facts))
    if fine:
        return words.count("verdict.fine_rest" if unknown else "verdict.fine", fine, m=unknown)
    return words("verdict.none")


# ------------------------------------------------------------------------------------------------------ whole-run parts


def _environment(words: Words) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("geocollateral.exports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["png_uri"] = png_uri
    environment.filters["sensor"] = words.sensor
    environment.filters["asset_word"] = lambda name: words.named("asset", name)
    environment.filters["is_early"] = is_early
    environment.filters["ended_on"] = ended_on
    environment.filters["is_green"] = lambda alert: is_green(alert.rule)
    environment.globals["interval"] = lambda value: words.money_range(value.low, value.high, value.currency)
    return environment


def png_uri(image: NDArray[np.uint8]) -> str:
    """An image as a data URI."""
    return "data:image/png;base64," + base64.b64encode(encode_png(image)).decode()


def _title(assessment: Assessment, words: Words) -> str:
    """Name of the project or of the parcel file, as far as the run's record says."""
    project = assessment.run.get("project")
    if isinstance(project, Mapping):
        project = project.get("name")
    if project:
        return str(project)
    inputs = assessment.run.get("inputs")
    if isinstance(inputs, Mapping) and inputs:
        return str(next(iter(inputs)))
    return words("title")


def _tally(facts: Sequence[ParcelFacts]) -> list[tuple[State, int]]:
    counts = Counter(f.state for f in facts)
    return [(state, counts[state]) for state in STATES]


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over the parcels."""

    area_m2: float
    disturbed_m2: float | None
    """None where no parcel could be judged."""
    values: tuple[tuple[Interval, int], ...]
    """Per currency, the summed interval and the number of parcels in it."""
    n_looks: int
    first: dt.date | None
    last: dt.date | None


def _totals(assessment: Assessment, facts: Sequence[ParcelFacts]) -> Totals:
    disturbed = [f.disturbed_m2 for f in facts if f.disturbed_m2 is not None]
    by_currency: dict[str, list[Interval]] = {}
    for fact in facts:
        if fact.value:
            by_currency.setdefault(fact.value.currency or "", []).append(fact.value)
    looks = satellite_series(assessment)
    times = pd.to_datetime(looks["time"])
    return Totals(
        area_m2=sum(f.area_m2 for f in facts),
        disturbed_m2=sum(disturbed) if disturbed else None,
        values=tuple((_sum_of(items), len(items)) for _, items in sorted(by_currency.items())),
        n_looks=int(looks["scene_id"].nunique()),
        first=times.min().date() if len(times) else None,
        last=times.max().date() if len(times) else None,
    )


def _sum_of(intervals: Sequence[Interval]) -> Interval:
    return Interval(
        low=sum(i.low for i in intervals),
        middle=sum(i.middle for i in intervals),
        high=sum(i.high for i in intervals),
        currency=intervals[0].currency,
    )


@dataclass(frozen=True, kw_only=True)
class SceneCounts:
    """What was found and read, as far as ``scenes.json`` says."""

    total: int
    by_platform: Mapping[str, Mapping[str, int]]
    """Platform, then year, then number of scenes."""
    by_status: Mapping[str, int]
    """Status, then number of scene x band."""

    @property
    def years(self) -> list[str]:
        """All years with a scene."""
        return sorted({year for years in self.by_platform.values() for year in years})


def _scene_counts(scenes: Mapping[str, Any]) -> SceneCounts:
    found = [s for s in scenes.get("scenes", ()) if isinstance(s, Mapping)]
    by_platform: dict[str, Counter[str]] = {}
    by_status: Counter[str] = Counter()
    for scene in found:
        time = json_value(scene.get("time", scene.get("datetime", scene.get("acquired"))))
        platform = str(scene.get("platform") or scene.get("sensor") or "")
        by_platform.setdefault(platform, Counter())[str(time)[:4] if time else "–"] += 1
        bands = scene.get("bands", scene.get("status"))
        if isinstance(bands, Mapping):
            by_status.update(str(status) for status in bands.values())
    return SceneCounts(total=len(found), by_platform=dict(sorted(by_platform.items())), by_status=dict(by_status))


def _record(run: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """The parts of the run's record that a reader can use, as pairs of name and text."""
    inputs = {name: value for name, value in run.items() if name not in _NOT_INPUTS}
    parts = {"inputs": inputs, "settings": run.get("settings"), "versions": run.get("versions")}
    return {name: list(_flatten(value)) for name, value in parts.items() if value}


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested records as dotted names with their texts."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield prefix, ", ".join(str(json_value(item)) for item in value) or "–"
    else:
        plain = json_value(value)
        yield prefix, "–" if plain is None else str(plain)


# ---------------------------------------------------------------------------------------------------------- per parcel


def _sections(assessment: Assessment, facts: Sequence[ParcelFacts], words: Words) -> Iterator[ParcelSection]:
    orthos = {record.scene_id: record for record in assessment.orthos}
    of_satellite = satellite_series(assessment)
    series, own = _by_parcel(of_satellite), _by_parcel(assessment.series)
    baselines = _by_parcel(assessment.baselines)
    axes = charts.share_axes(of_satellite, assessment.baselines, assessment.as_of)
    for row, fact in enumerate(facts):
        looks = series.get(fact.parcel_id, assessment.series.iloc[:0])
        expected = baselines.get(fact.parcel_id, assessment.baselines.iloc[:0])
        chart = _chart(looks, expected, fact, axes)
        outline = assessment.parcels.geometry.iloc[[row]]
        chips = [chip for chip in assessment.chips if chip.parcel_id == fact.parcel_id]
        every = own.get(fact.parcel_id, assessment.series.iloc[:0])
        seasons = _rows(assessment, "seasons", fact.parcel_id)[-SHOWN_SEASONS:]
        stages = _rows(assessment, "stages", fact.parcel_id) if fact.state != "cannot_tell" else []
        parcel = assessment.parcels.loc[fact.parcel_id].to_dict()
        limits = [
            *_say_limits(fact, chart, assessment.as_of, words),
            *_say_ortho_limits(fact.parcel_id, assessment.orthos, words),
        ]
        yield ParcelSection(
            facts=fact,
            says=tuple(_say_state(fact, chart, words)),
            chart=chart,
            stages=draw_stages(stages),
            progress=draw_progress(stages, parcel),
            stage_lines=stage_lines(stages, parcel),
            seasons=tuple(reversed(seasons)),
            pledges=tuple(_rows(assessment, "pledges", fact.parcel_id)),
            values=tell_value(
                _rows(assessment, "values", fact.parcel_id), parcel, words, _learned_rows(assessment, fact.parcel_id)
            ),
            overlays=tuple(_rows(assessment, "overlays", fact.parcel_id)),
            claims=tuple(claim_line(check, words) for check in fact.checks),
            history=tuple(history_lines(_rows(assessment, "history", fact.parcel_id), words)),
            history_says=say_history(fact.lookback_years, fact.lookback_events, words),
            season_keys=tuple(key for key in SEASON_KEYS if any(key in row for row in seasons)),
            pictures=tuple(_picture(chip, outline, orthos.get(chip.scene_id), every) for chip in chips),
            limits=tuple(limits),
            risk=tuple(_say_risk(assessment, fact.parcel_id, words)),
        )


def _learned_rows(assessment: Assessment, parcel_id: str) -> LearnedRows:
    """Rows of the parcel in the tables of learned values, and that of its model."""
    name = assessment.parcels.loc[parcel_id].get("val_learned_model")
    models = assessment.tables.get("value_models")
    own = None if models is None else models[models["model"] == name]
    model = None if own is None or own.empty else {str(k): v for k, v in own.iloc[0].to_dict().items()}
    return LearnedRows(
        model=model,
        parts=_rows(assessment, "learned_parts", parcel_id),
        reasons=_rows(assessment, "learned_reasons", parcel_id),
        sales=_rows(assessment, "learned_comparables", parcel_id),
    )


def _say_risk(assessment: Assessment, parcel_id: str, words: Words) -> Iterator[str]:
    """Nothing where no rule was asked."""
    rules = _rows(assessment, "risk_rules", parcel_id)
    if not rules:
        return
    own = assessment.parcels.loc[parcel_id]
    score, why = own.get("risk_score"), own.get("risk_score_reason")
    if score is not None and not pd.isna(score):
        yield words("risk.score", percent=words.percent(float(score)))
        codes = own.get("risk_codes")
        for code in codes if isinstance(codes, list) else ():
            yield words("risk.raised" if code[0] == "+" else "risk.lowered", what=words.named("risk_code", code[1:]))
    else:
        yield words("risk.none")
        if isinstance(why, str):
            yield words.reason(why)
    for row in (*rules, *_rules_of_loan(assessment, own.get("loan_id"))):
        if row["outcome"] == "breach":
            yield words("risk.breach", rule=words.reason(row["wording"]), reason=words.reason(row["reason"]))


def _rules_of_loan(assessment: Assessment, loan_id: object) -> list[dict[str, Any]]:
    """Answers of the rules on the parcel's loan, such as its loan to value: they concern each of its parcels."""
    rules = assessment.tables.get("risk_rules")
    if rules is None or not isinstance(loan_id, str):
        return []
    own = rules[(rules["subject"] == "loan") & (rules["key"] == loan_id)]
    return [{str(key): value for key, value in row.items()} for row in own.to_dict("records")]


def _rows(assessment: Assessment, table: str, parcel_id: str) -> list[dict[str, Any]]:
    """Rows of a parcel in a table that asset classes give; none where nobody gave it."""
    rows = assessment.tables.get(table)
    if rows is None or rows.empty:
        return []
    own = rows[rows["parcel_id"] == parcel_id]
    return [{str(key): value for key, value in row.items()} for row in own.to_dict("records")]


def satellite_series(assessment: Assessment) -> pd.DataFrame:
    """Rows of the series that are not of the user's orthomosaics."""
    strangers = [record.scene_id for record in assessment.orthos]
    return assessment.series[~assessment.series["scene_id"].isin(strangers)]


def _by_parcel(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(parcel_id): rows for parcel_id, rows in table.groupby("parcel_id", sort=False)}


def _chart(
    looks: pd.DataFrame, expected: pd.DataFrame, fact: ParcelFacts, axes: Mapping[str, charts.Axes]
) -> charts.SeriesChart | None:
    index = charts.choose_index(looks, expected, fact.breaks)
    if index is None:
        return None
    return charts.draw_series(
        looks[looks["index"] == index], expected[expected["index"] == index], fact.breaks, axes[index]
    )


def _picture(chip: Chip, outline: Any, ortho: OrthoRecord | None, looks: pd.DataFrame) -> Picture:
    height, width = chip.rgb.shape[:2]
    own = looks[looks["scene_id"] == chip.scene_id].sort_values("index")
    across_m = maps.ground_width(chip.crs, chip.transform, width, height)
    return Picture(
        uri=png_uri(chip.rgb),
        width=width,
        height=height,
        outline=maps.outline_path(maps.to_pixels(outline, chip.crs, chip.transform)[0]),
        chip=chip,
        across_m=across_m,
        pixel_m=abs(chip.transform[0]),
        ortho=ortho,
        indices=tuple(
            f"{index.upper()} {round(mean, 2) + 0.0:.2f}".replace("-", "\u2212")
            for index, mean in zip(own["index"], own["mean"].astype(float), strict=True)
            if ortho
        ),
    )


def _say_state(fact: ParcelFacts, chart: charts.SeriesChart | None, words: Words) -> Iterator[str]:
    """The status of a parcel, a sentence each."""
    if fact.state == "cannot_tell":
        yield words("say.cannot_tell")
        yield words.reason(fact.reason) if fact.reason else words("say.no_reason")
        if fact.open_alerts:
            yield words("say.cannot_tell.alerts")
        yield from _say_mismatches(fact, words)
        return
    if fact.open_alerts:
        yield words.count("say.attention", len(fact.open_alerts))
    if fact.reason:
        yield words.reason(fact.reason)
    yield from _say_mismatches(fact, words)
    yield from _say_breaks(fact, words)
    if fact.state == "fine" and not fact.breaks:
        if chart:
            first, last = words.date(chart.first), words.date(fact.last_telling or fact.last_clear or chart.last)
            yield words.count("say.fine", fact.n_obs, first=first, last=last)
        else:
            yield words("say.fine.plain")
    if fact.alerts and not fact.open_alerts:
        yield words("say.closed_alerts")


def _say_mismatches(fact: ParcelFacts, words: Words) -> Iterator[str]:
    if fact.mismatches:
        claims = words("list_separator").join(words.named("claim", c).lower() for c in fact.mismatches)
        yield words("say.mismatch", claims=claims)


def _say_breaks(fact: ParcelFacts, words: Words) -> Iterator[str]:
    """What the alerts do not say of a parcel's breaks, a sentence each."""
    for found in fact.breaks:
        span = {"before": words.date(found.last_clear_before), "after": words.date(found.first_clear_after)}
        if not found.confirmed and not found.has_alert:
            yield words("say.suspected", date=words.date(found.first_clear_after))
        elif found.of_mean:
            yield words("say.mean", **span)
        elif found.recovered_on:
            what = words.named("rule", found.kind) if found.kind else words("chart.change")
            key = "say.recovered" if is_green(found.kind, found.index) else "say.ended"
            yield words(key, date=words.date(found.recovered_on), what=what, **span)


def _say_limits(fact: ParcelFacts, chart: charts.SeriesChart | None, as_of: dt.date, words: Words) -> Iterator[str]:
    """What a reader must keep in mind of this parcel, a sentence each."""
    if chart and fact.n_obs < FEW_LOOKS:
        yield words("limit.few_looks", n=fact.n_obs)
    if fact.last_clear and (as_of - fact.last_clear).days > LONG_SINCE_DAYS:
        yield words("limit.last_clear", date=words.date(fact.last_clear), days=(as_of - fact.last_clear).days)
    if fact.area_m2 < SMALL_M2:
        yield words("limit.small", area=words.hectares(fact.area_m2))
    if chart and (gap := _longest_gap(chart)) and gap[0] > LONG_GAP_DAYS:
        yield words("limit.gap", days=gap[0], first=words.date(gap[1]), last=words.date(gap[2]))
    dated = [b for b in fact.breaks if (b.first_clear_after - b.last_clear_before).days > 1]
    if len(dated) > 1:
        yield words("limit.intervals", n=len(dated))
    elif dated:
        before, after = words.date(dated[0].last_clear_before), words.date(dated[0].first_clear_after)
        yield words("limit.interval", before=before, after=after)
    if fact.unstable_indices:
        yield words("limit.unstable", index=words("list_separator").join(i.upper() for i in fact.unstable_indices))
    if chart and chart.uninformative:
        yield words("limit.winter")


def _say_ortho_limits(parcel_id: str, orthos: Sequence[OrthoRecord], words: Words) -> Iterator[str]:
    """What to keep in mind of the orthomosaics that show a parcel."""
    for record in (record for record in orthos if parcel_id in record.coverage):
        of = {"sensor": words.sensor(record.sensor), "date": words.date(record.acquired)}
        if record.coverage[parcel_id] < WELL_COVERED:
            yield words("limit.ortho_part", percent=words.percent(record.coverage[parcel_id]), **of)
        if record.shift.verdict == "cannot_tell":
            yield words("limit.ortho_place", **of)


def _longest_gap(chart: charts.SeriesChart) -> tuple[int, dt.date, dt.date] | None:
    """Days, first and last day of the longest time between two looks."""
    days = [dot.day for dot in chart.dots]
    return max((((b - a).days, a, b) for a, b in pairwise(days)), default=None)
