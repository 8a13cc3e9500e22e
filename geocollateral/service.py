"""The use cases. The order of the stages is written here and in `block`, nowhere else.

``cli``, the web application and the pipelines call this module and nothing below it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
from numpy.typing import NDArray
from pydantic import ValidationError

from geocollateral import (
    __version__,
    claim_tables,
    collateral_risk,
    datum_check,
    exports,
    ledger,
    loan_portfolio,
    loan_projects,
    lookback,
    operating_points,
    orthomosaics,
    pictures,
    risk_history,
    series_mode,
    value_columns,
    what_if,
)
from geocollateral import backtest as backtests
from geocollateral.assets import ASSETS, DecisionTable, settle, withdraw
from geocollateral.blind_times import blind_windows
from geocollateral.block import BlockResult, BlockTask, assess_block, wanted_indices
from geocollateral.compute import ComputeParams, Progress, run_blocks
from geocollateral.config import Settings, load_settings
from geocollateral.errors import InvalidInput, MissingInput, ServiceUnavailable
from geocollateral.intake import DATUM_SHIFTS, read_layer, read_parcels
from geocollateral.observe import speckle
from geocollateral.observe.plan import Plan, is_radar, plan_blocks
from geocollateral.observed import Part
from geocollateral.pledges import Asked, RegistryCheck, check
from geocollateral.risk import loan_to_value, raise_alerts
from geocollateral.risk.score import ScoreModel, can_boost, load_score_model, save_score_model
from geocollateral.scorecard import Backtest
from geocollateral.sources import SOURCE_TITLES, SOURCES, check_source, open_source
from geocollateral.store import (
    LoanRegistry,
    StoreParams,
    open_registry,
    require_writable,
    upgrade,
    write_result_folder,
)
from geocollateral.stress import STRESSES
from geocollateral.types import (
    MU_M2,
    NOT_A_VALUATION,
    OPTICAL_BANDS,
    PARCEL_COLUMNS,
    RADAR_BANDS,
    Alert,
    AreaOfInterest,
    Assessment,
    Block,
    CandidSource,
    CostedSource,
    Estimate,
    Found,
    IntakeNote,
    Judgement,
    ParcelEvidence,
    ParcelStatistics,
    Period,
    ReadCost,
    Source,
    SourceInfo,
    bounds_of,
)
from geocollateral.valuation import ParcelValue, UnitValue, ValueRow, parse_unit_values, parse_value_tables, value_of
from geocollateral.world_truth import read_truth

if TYPE_CHECKING:
    from geocollateral.approved_models import ModelsInUse
    from geocollateral.learned_values import LearnedValues
    from geocollateral.simulate import WorldSpec

VERSIONS_OF = (
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "geopandas",
    "shapely",
    "pyproj",
    "spyndex",
    "exactextract",
)


def assess(
    parcels: str | Path | AreaOfInterest,
    *,
    source: str | Source,
    period: tuple[dt.date | str | None, dt.date | str | None] | None = None,
    as_of: dt.date | str | None = None,
    settings: Settings | None = None,
    datum: str | None = None,
    unit_values: str | Path | Mapping[str, UnitValue] | None = None,
    value_tables: str | Path | None = None,
    value_model: str = "auto",
    source_options: Mapping[str, Any] | None = None,
    orthos: Sequence[str] = (),
    out: str | Path | None = None,
    overwrite: bool = False,
    with_pictures: bool = True,
    lang: str = "en",
    progress: Progress | None = None,
) -> Assessment:
    """Pre-lending due diligence of the parcels of one file.

    Parameters
    ----------
    parcels
        A file of parcels, or an area of interest already read.
    source
        Where imagery comes from, such as ``sample:romania`` or ``cube:FILE``.
    period
        First and last day of acquisition; None for all there is.
    as_of
        Day the result speaks for: nothing acquired later is read. None: today for a living feed, the day of the newest
        scene found for an archive.
    settings
        Knobs of the stages.
    datum
        What the file's coordinates are measured in (docs/datums.md). Parcels in China need it stated.
    unit_values
        CSV file, or table, of what a unit of each asset class is worth; without it no value is given.
    value_tables
        CSV file of dated yields, prices, costs, rates and comparables (docs/valuation.md) for values by income, cost
        and market; not together with `unit_values`.
    source_options
        Options of the source, such as ``scale``, ``offset`` and ``crs`` of ``cube``.
    orthos
        Orthomosaics to show beside the satellite's imagery, each as ``FILE@YYYY-MM-DD`` with options; see
        docs/orthomosaics.md.
    out
        Folder to write the result to; None writes nothing.
    overwrite
        Replace an existing result folder of ours.
    with_pictures
        Read the chips and the map of the report too.
    lang
        Language of the report: ``en`` or ``zh``. Files hold the stages' own sentences (reasons) in English.
    progress
        Called with blocks done and blocks in all.

    Raises
    ------
    InvalidInput, MissingInput, ServiceUnavailable, BrokenData
        By what went wrong; nothing is left half-written.
    """
    started = time.perf_counter()
    settings = settings or load_settings()
    if out is not None:
        require_writable(out, overwrite=overwrite)
    area = _read(parcels, datum, settings)
    name = None if isinstance(parcels, AreaOfInterest) else Path(parcels).stem.strip()
    asked_for = _check_registry(area, name, settings, _date(as_of, "as_of"))
    mosaics = orthomosaics.open_all(orthos)
    units = _unit_values(unit_values)
    figures = _value_tables(value_tables, unit_values)
    models = _value_models(value_model, area, settings, _date(as_of, "as_of"))
    imagery = open_source(source, settings.access, **(source_options or {})) if isinstance(source, str) else source
    info = imagery.info  # once: a source may hash its files for it
    span = _period(period, as_of)
    items, refused = _search(imagery, info, area, span)
    day = _day_of(span, as_of, items, alive=info.revisit_days is not None)
    plan = plan_blocks(area.parcels, items, settings.plan, reach_m=_reach_m(settings))
    _require_overlap(plan, info.name)
    tasks = _tasks(area, plan, imagery, settings, day)
    _require_indices(tasks, items, info.name)
    if isinstance(imagery, ParcelStatistics) and series_mode.chosen(imagery, tasks, area.parcels):
        period_asked = Period(start=span.start, end=day)
        tasks, results = [], [series_mode.assess_series(imagery, tasks, area.parcels, period_asked, settings)]
        with_pictures = False  # pictures are pixels
    else:
        results = run_blocks(assess_block, tasks, settings.compute, progress)
    _require_looks(results, items)

    feed = ledger.feed_state(info, results, area.parcels.index, day)
    judgements = _all_judgements(area, results, feed, settings, day)
    alerts = raise_alerts([hit for result in results for hit in result.hits])
    series = _join([r.series for r in results], ["parcel_id", "sensor", "index", "time"])
    changes = _join([r.changes for r in results], ["parcel_id", "level", "index", "break_date"])
    placed = datum_check.check_datum(imagery, plan, area, series, settings, day) if tasks else None
    values = value_columns.value_all(judgements, area.parcels, figures, day, settings.valuation)
    learned = None if models is None else _learned_values(models, judgements, area, day, settings)
    clear = _clear_looks(series, settings.masks.min_look_fraction)
    table = _parcel_table(area, judgements, alerts, clear, units, values, learned, asked_for, day, settings)
    table = table if placed is None or placed.columns.empty else _join_columns(table, placed.columns)
    score_model = load_score_model(settings.risk_score.model) if can_boost() else None
    risk = collateral_risk.judge_risk(
        table.drop(columns="geometry"),
        alerts,
        series,
        score_model,
        settings,
        day,
        values=value_columns.table_of(values.values()) if figures else None,
        branch=settings.store.branch if asked_for is not None and asked_for.known_projects else None,
    )
    table["risk_score"] = risk.columns["risk_score"]
    table = _join_columns(table, risk.columns.drop(columns="risk_score"))
    scenes = ledger.scenes_found(results, len(area.parcels), len(items)) | {"feed": feed}
    looked = orthomosaics.look(mosaics, imagery, plan, area.parcels, series, settings, day)
    if mosaics:
        scenes |= {"orthomosaics": orthomosaics.scene_rows(looked.records)}
    asset_classes = {str(parcel_id): str(name) for parcel_id, name in area.parcels["asset_class"].items()}
    lost = {task.block.block_id: result.lost_pixels for task, result in zip(tasks, results, strict=False)}
    identity = _identity(
        area,
        info,
        source_options,
        span,
        day,
        settings,
        units,
    ) | ({"orthomosaics": orthomosaics.identify(mosaics)} if mosaics else {})
    if value_tables is not None:
        identity["value_tables_sha256"] = hashlib.sha256(Path(value_tables).read_bytes()).hexdigest()
    if models is not None:
        identity["value_models"] = [
            {name: getattr(model, name) for name in ("name", "asset_class", "currency", "price_per", "key", "sha256")}
            for model in models.models
        ]
    identity["risk_model_sha256"] = None if score_model is None else score_model.sha256
    if asked_for is not None:
        identity["registry_sha256"] = _digest(asked_for.record())
    assessment = Assessment(
        run_id=_digest(identity)[:16],
        as_of=day,
        parcels=table,
        alerts=alerts,
        series=_join([series, looked.series], ["parcel_id", "sensor", "index", "time"]),
        changes=changes,
        baselines=_join([r.baselines for r in results], ["parcel_id", "index", "time"]),
        yearly=_yearly(judgements),
        tables=_tables(judgements)
        | {"claims": claim_tables.table_of(judgements), "history": _history(area, judgements, results, day)}
        | ({"values": value_columns.table_of(values.values())} if figures else {})
        | (dict(learned.tables) if learned is not None else {})
        | risk.tables
        | ({} if asked_for is None else asked_for.tables()),
        scenes=scenes,
        chips=(*pictures.take_chips(imagery, plan, judgements, series, asset_classes, settings.compute), *looked.chips)
        if with_pictures
        else (),
        picture=pictures.take_map(imagery, plan, series, lost, asset_classes) if with_pictures else None,
        sources=(info,),
        notes=(
            *area.notes,
            *(() if asked_for is None else asked_for.notes()),
            *_cautions(items),
            *_refusals(refused),
            *ledger.gaps(scenes),
            *looked.notes,
            *(placed.notes if placed else ()),
        ),
        orthos=looked.records,
        run=_run(identity, _name_of(parcels), value_tables, results, scenes, started),
    )
    if out is not None:
        write_result_folder(exports.render(assessment, lang), out, run=assessment.run, overwrite=overwrite)
    return assessment


def estimate(
    parcels: str | Path | AreaOfInterest,
    *,
    source: str | Source,
    period: tuple[dt.date | str | None, dt.date | str | None] | None = None,
    as_of: dt.date | str | None = None,
    settings: Settings | None = None,
    datum: str | None = None,
    source_options: Mapping[str, Any] | None = None,
) -> Estimate:
    """What an assessment of the same would take. Catalogues are searched, headers of files may be read, no imagery is.

    Parameters
    ----------
    parcels, source, period, as_of, settings, datum, source_options
        As for `assess`.

    Raises
    ------
    InvalidInput, MissingInput, ServiceUnavailable, BrokenData
        As `assess` would before it reads imagery.
    """
    settings = settings or load_settings()
    area = _read(parcels, datum, settings)
    imagery = open_source(source, settings.access, **(source_options or {})) if isinstance(source, str) else source
    info = imagery.info
    name = info.name
    items, _ = _search(imagery, info, area, _period(period, as_of))
    plan = plan_blocks(area.parcels, items, settings.plan, reach_m=_reach_m(settings))
    _require_overlap(plan, name)
    tasks = _tasks(area, plan, imagery, settings, dt.date.max)
    _require_indices(tasks, items, name)
    cost = ReadCost()
    for task in tasks:
        for part in task.parts:
            bands = task.bands(part)
            cost += (
                imagery.estimate(part.block, bands)
                if isinstance(imagery, CostedSource)
                else _local_cost(part.block, bands)
            )
    return Estimate(
        source=name,
        n_parcels=len(area.parcels),
        n_blocks=len(tasks),
        first=items[0].datetime.date() if items[0].datetime else None,
        last=items[-1].datetime.date() if items[-1].datetime else None,
        cost=replace(cost, scenes=len({item.id for task in tasks for part in task.parts for item in part.block.items})),
        minutes=_minutes(cost, settings),
    )


LINK_BYTES_PER_SECOND = 5e6
"""What a line to a public store is taken to carry: 40 Mbit/s."""
REQUEST_SECONDS = 0.15
"""What one request is taken to wait for."""
PIXELS_PER_SECOND = 2e6
"""Scene x band x pixel read and monitored per core: the order of what one block of the simulated world `dev` showed."""


def _minutes(cost: ReadCost, settings: Settings) -> float:
    """A rough figure: transfer, waiting and computing one after the other."""
    waiting = cost.requests * REQUEST_SECONDS / settings.access.concurrency
    working = cost.pixels / PIXELS_PER_SECOND / (settings.compute.workers or os.cpu_count() or 1)
    return (cost.bytes / LINK_BYTES_PER_SECOND + waiting + working) / 60


def _local_cost(block: Block, bands: Sequence[str]) -> ReadCost:
    height, width = block.geobox.shape
    return ReadCost(pixels=len(block.items) * len(bands) * int(height) * int(width))


def train_risk(
    folders: Sequence[str | Path],
    judged_on: Sequence[str | Path],
    *,
    kept: str | Path | None = None,
    out: str | Path | None = None,
    rows_to: str | Path | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> tuple[ScoreModel, dict[str, Any]]:
    """A risk score trained on simulated worlds and judged on others; the model and its figures.

    Parameters
    ----------
    folders, judged_on
        Simulated worlds, or tables of outcomes (``.parquet`` or ``.csv``: the table ``risk_features`` of earlier runs
        with the column ``adverse``, 0 or 1, added half a year later).
    kept
        Folder of looks kept of each world, in folders named after them.
    out
        Folder to write the model and its card to.
    rows_to
        Folder to write the rows of each world to, as tables of outcomes for a later call.

    Raises
    ------
    InvalidInput, MissingInput
        A table lacks columns or events; a folder holds no world; what is trained on is judged on too.
    """
    settings = settings or load_settings()
    twice = {Path(f).resolve() for f in folders} & {Path(f).resolve() for f in judged_on}
    if twice:
        raise InvalidInput(f"Expected other data to judge on than those trained on, got {min(twice)} for both.")
    read = {Path(f): _outcomes(Path(f), kept, settings, progress) for f in (*folders, *judged_on)}
    if rows_to is not None:
        Path(rows_to).mkdir(parents=True, exist_ok=True)
        for path, rows in read.items():
            rows.to_parquet(Path(rows_to) / f"{path.stem}.parquet")
    train, held = (pd.concat([read[Path(f)] for f in part], ignore_index=True) for part in (folders, judged_on))
    if "adverse" not in held:
        raise InvalidInput("Expected the column adverse in the tables to judge on.")
    made_on, judged = ([_title_of(Path(f)) for f in part] for part in (folders, judged_on))
    model, figures = risk_history.fit_and_judge(train, held, tuple(made_on))
    model = replace(model, card={**model.card, "judged_on": judged, "figures": figures})
    if out is not None:
        save_score_model(model, Path(out))
    return model, figures


def _title_of(path: Path) -> str:
    """What a folder or table of outcomes is of, for the card."""
    about = path / "simulated-world.json"
    if not about.is_file():
        return path.name
    world = json.loads(about.read_text(encoding="utf-8"))
    return f"simulated world {world['world']}, seed {world['seed']}"


def _outcomes(path: Path, kept: str | Path | None, settings: Settings, progress: Progress | None) -> pd.DataFrame:
    """Rows of a table, or of a world; parcels of two of them are never one."""
    if path.is_dir():
        area = read_parcels(path / "parcels.geojson", datum="wgs84")
        imagery, span = open_source(f"stac:{path}", settings.access), _period(None, None)
        items, _ = _search(imagery, imagery.info, area, span)
        plan = plan_blocks(area.parcels, items, settings.plan, reach_m=_reach_m(settings))
        tasks = _tasks(area, plan, imagery, settings, _day_of(span, None, items, alive=False))
        home = None if kept is None else Path(kept) / path.name
        rows = risk_history.rows_of_world(tasks, read_truth(path), settings, home, progress)
    elif path.is_file():
        rows = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    else:
        raise MissingInput(f"{path} is neither a folder of a simulated world nor a table of outcomes.")
    return rows.assign(parcel_id=f"{path.stem}/" + rows["parcel_id"].astype(str).str.removeprefix(f"{path.stem}/"))


def source_table(check: str | None = None, settings: Settings | None = None) -> list[dict[str, str]]:
    """Known sources, or what a check of one of them found, one row each.

    Parameters
    ----------
    check
        Source to look at, as for `assess`; None lists the known ones and asks no service.

    Raises
    ------
    InvalidInput
        There is no such source.
    """
    if check is None:
        return [{"source": name, "what": SOURCE_TITLES.get(name, "")} for name in SOURCES]
    access = (settings or load_settings()).access
    return [
        {"check": found.name, "result": "ok" if found.ok else "NOT OK", "detail": found.detail}
        for found in check_source(check, access)
    ]


def simulate(
    folder: str | Path,
    *,
    world: str,
    seed: int = 0,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Build a simulated world with known truth into a folder; see `geocollateral.simulate.build`."""
    from geocollateral.simulate import build

    return build(folder, world, seed=seed, workers=workers, overwrite=overwrite, progress=progress)


def backtest(
    folder: str | Path,
    *,
    world: str | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    kept: str | Path | None = None,
    replays: int = 0,
    blind: bool = False,
    stress: Sequence[str] = (),
    stress_blocks: int | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Judge a simulated world, and hold what is said against its truth.

    Parameters
    ----------
    folder
        Of the world. One that does not exist yet is filled with the world named.
    world, seed
        Name of the world to simulate, and its random numbers; not used where the folder is there.
    kept
        Folder that keeps the looks of each block, so that a later run need not read imagery; None keeps nothing.
    replays
        How many pairs of a block and an earlier day to judge anew, from the scenes of up to that day, to see that
        nothing looks ahead.
    blind
        Also judge the world without the optical looks of two months from each event on, and of as long a time of
        parcels without events: what radar finds alone.
    stress
        Names of disturbances (`stress.STRESSES`) under which to count false alerts, one at a time.
    stress_blocks
        How many blocks, drawn at random, to disturb; None: all.

    Raises
    ------
    MissingInput
        There is neither the folder nor a world to simulate.
    InvalidInput
        There is no disturbance of that name.
    """
    for name in stress:
        STRESSES[name]  # refused before an hour of judging, not after it
    home, settings = Path(folder), settings or load_settings()
    if not home.is_dir():
        if world is None:
            raise MissingInput(f"{home} does not exist: name a world to simulate into it.")
        simulate(home, world=world, seed=seed, workers=settings.compute.workers or os.cpu_count() or 1)
    truth = read_truth(home)
    area = read_parcels(home / "parcels.geojson", datum="wgs84")
    imagery = open_source(f"stac:{home}", settings.access)
    span = _period(None, None)
    items, _ = _search(imagery, imagery.info, area, span)
    day = _day_of(span, None, items, alive=False)
    plan = plan_blocks(area.parcels, items, settings.plan, reach_m=_reach_m(settings))
    tasks = _tasks(area, plan, imagery, settings, day)
    told = backtests.judge_world(tasks, settings, None if kept is None else Path(kept), progress)
    early = (told.alerts["operating_point"] == "early_warning").any()
    windows = blind_windows(truth, told.looks, seed=seed) if blind else {}
    unlit = (
        backtests.judge_world(tasks, settings, None if kept is None else Path(kept), progress, windows)
        if blind
        else told
    )
    folder_of_looks = None if kept is None else Path(kept)
    drawn = random.Random(seed).sample(tasks, min(stress_blocks or len(tasks), len(tasks)))  # noqa: S311 - no secret
    return Backtest(
        world=home.name,
        cases=operating_points.cases_of(told, truth, home.name),
        decision=settings.decision,
        stale_table=bool(settings.decision.table.rows)
        and settings.decision.table.methods != operating_points.methods_digest(),
        stress=tuple(what_if.stress(drawn, stress, truth, settings, folder_of_looks, seed, progress)) if stress else (),
        classes=tuple(sorted(set(ASSETS) & set(area.parcels["asset_class"]))),
        confirmed=backtests.hold_against(told, truth),
        early=backtests.hold_against(told, truth, "early_warning") if early else None,
        stages=backtests.stage_errors(told, home),
        dates=backtests.season_dates(told, truth, home),
        presence=backtests.presence_scores(told, truth),
        blind=tuple(what_if.score_blind(unlit, truth, windows)) if blind else (),
        replays=tuple(what_if.replay(task, then, told) for task, then in what_if.sample_days(tasks, replays, seed)),
    )


def claim_bench(
    folder: str | Path,
    *,
    world: str | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    kept: str | Path | None = None,
    spec: WorldSpec | None = None,
    blocks: int | None = None,
    turn: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Plant right and wrong claims in a simulated world, and say what becomes of each: one row per case.

    Parameters
    ----------
    folder
        Of the world. One that does not exist yet is filled with the world named.
    world, seed
        Name of the world to simulate, and its random numbers; the latter are those of the claims too.
    kept
        Folder that keeps the looks of each block, of the portfolio and of the polygons drawn too large, so that a
        later run need not read imagery; None keeps nothing.
    spec
        Record of a world that has no name among those known.
    blocks
        How many blocks of either kind, drawn at random; None: all.
    turn
        Another one plants other shares on the same parcels.

    Raises
    ------
    MissingInput
        There is neither the folder nor a world to simulate.
    BrokenData
        The world was drawn by another version of the program.
    """
    from geocollateral import claim_bench as bench
    from geocollateral import planted_cases

    home, settings = Path(folder), settings or load_settings()
    if not home.is_dir():
        if world is None:
            raise MissingInput(f"{home} does not exist: name a world to simulate into it.")
        simulate(home, world=world, seed=seed, workers=settings.compute.workers or os.cpu_count() or 1)
    grounds = planted_cases.grounds_of(home, spec)
    cases = planted_cases.plant(home, grounds, turn=turn)
    imagery = open_source(f"stac:{home}", settings.access)
    own = read_parcels(home / "parcels.geojson", datum="wgs84")
    with tempfile.TemporaryDirectory() as room:
        file = Path(room) / "planted.geojson"
        file.write_text(json.dumps(planted_cases.features_of(cases, grounds)), encoding="utf-8")
        drawn = read_parcels(file, datum="wgs84")
    rng = random.Random(seed)  # noqa: S311 - no secret

    def tasks_of(area: AreaOfInterest) -> list[BlockTask]:
        span = _period(None, None)
        items, _ = _search(imagery, imagery.info, area, span)
        plan = plan_blocks(area.parcels, items, settings.plan, reach_m=_reach_m(settings))
        tasks = _tasks(area, plan, imagery, settings, _day_of(span, None, items, alive=False))
        return tasks if blocks is None else rng.sample(tasks, min(blocks, len(tasks)))

    return bench.run_bench(
        bench.World(
            tasks=tasks_of(own),
            planted=tasks_of(drawn) if cases else [],
            cases={case.case_id: case for case in cases},
            grounds=grounds,
            truth={n: pd.read_parquet(home / "truth" / f"{n}.parquet") for n in ("parcels", "events", "claims")},
        ),
        settings,
        None if kept is None else Path(kept),
        seed,
        progress,
    )


def calibrate(cases: Sequence[operating_points.Cases], settings: Settings | None = None) -> DecisionTable:
    """Thresholds from the budgets of the settings, and probabilities, from the alerts of one or several backtests."""
    budgets = (settings or load_settings()).decision
    return operating_points.make_table(cases, budgets.budget_confirmed, budgets.budget_early_warning)


def world_table() -> list[dict[str, str]]:
    """The simulated worlds there are: name, size and what they are for."""
    from geocollateral.simulate import WORLDS

    return [
        {
            "world": world.name,
            "sites": str(len(world.sites)),
            "from": world.start.isoformat(),
            "to": world.end.isoformat(),
            "what": world.title,
        }
        for world in WORLDS.values()
    ]


def with_compute(settings: Settings, asked: Mapping[str, Any]) -> Settings:
    """Settings with some fields of ``compute`` replaced.

    Raises
    ------
    InvalidInput
        A value is out of bounds.
    """
    try:
        compute = ComputeParams.model_validate({**settings.compute.model_dump(), **asked})
    except ValidationError as error:
        raise InvalidInput(
            "; ".join(f"{e['loc'][0]}: {e['msg']}, got {e['input']!r}" for e in error.errors())
        ) from error
    return settings.model_copy(update={"compute": compute})


def with_cache(settings: Settings, folder: Path | None) -> Settings:
    """Settings with the block cache in a folder, unless they name one; None: with no cache at all."""
    chosen = None if folder is None else settings.access.cache_dir or folder
    return settings.model_copy(update={"access": settings.access.model_copy(update={"cache_dir": chosen})})


def with_registry(settings: Settings, folder: Path | None, *, branch: str | None = None) -> Settings:
    """Settings with the registry in a folder, unless they name one; None: with no registry at all.

    Parameters
    ----------
    branch
        Branch to work for; None keeps that of the settings.
    """
    store = settings.store
    url = None if folder is None else store.url or f"sqlite:///{folder / 'registry.sqlite'}"
    return settings.model_copy(
        update={"store": store.model_copy(update={"url": url, "branch": branch or store.branch})}
    )


def summary_rows(assessment: Assessment, lang: str = "en") -> list[dict[str, str]]:
    """One row of words per parcel, for a terminal."""
    return exports.summary_rows(assessment, lang)


# ---- loan projects


def add_project(
    parcels: str | Path,
    *,
    project: str | None = None,
    datum: str | None = None,
    on: dt.date | str | None = None,
    borrowers: str | Path | None = None,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Register the parcels, loans and pledges of a file, and look whether others pledged the same land.

    Parameters
    ----------
    parcels
        File of parcels, as for `assess`.
    project
        Name of the project, one of its branch; None: the file's name.
    datum
        What the file's coordinates are measured in (docs/datums.md). Parcels in China need it stated.
    on
        First day of pledges for which the file gives none; None: today.
    borrowers
        CSV file with columns ``borrower_id`` and ``name``: names are kept apart from all outlines.
    settings
        ``store`` says where the registry is and for which branch.

    Returns
    -------
    JSON values: what was new, and the check.

    Raises
    ------
    InvalidInput, MissingInput, ServiceUnavailable, BrokenData
        By what went wrong; nothing of the file is registered then.
    """
    settings, now = settings or load_settings(), dt.datetime.now(dt.UTC)
    name = (project or Path(parcels).stem).strip()
    if not 0 < len(name) <= 200:
        raise InvalidInput(f"Expected a name of the project with 1 to 200 characters, got {name!r:.220}.")
    area = _read(parcels, datum, settings)
    names = {} if borrowers is None else loan_projects.read_borrowers(Path(borrowers))
    day = _date(on, "on") or now.date()
    given = loan_projects.submission(area, branch=settings.store.branch, project=name, day=day)
    with _registry(settings, create=True) as registry:
        done = loan_projects.added_record(registry, given, now)
        if names:
            done["borrowers_named"] = registry.name_borrowers(names, now)
        found = check(registry, area.parcels, replace(_asked(settings, None), pledged_from=day, project=name))
    return done | {
        "check": loan_projects.check_record(found, area.parcels),
        "notes": [vars(note) for note in area.notes],
    }


def list_projects(*, settings: Settings | None = None, all_branches: bool = False) -> list[dict[str, Any]]:
    """Projects with the land they pledge today: JSON values, one row each."""
    settings = settings or load_settings()
    with _registry(settings) as registry:
        return loan_projects.list_record(registry, _today(), settings.store.branch, all_branches=all_branches)


def show_project(project: str, *, with_names: bool = False, settings: Settings | None = None) -> dict[str, Any]:
    """One project of the branch: JSON values; names of borrowers only where asked for.

    Raises
    ------
    MissingInput
        The branch has no such project.
    """
    settings = settings or load_settings()
    number = loan_projects.parse_project_id(project)
    with _registry(settings) as registry:
        return loan_projects.show_record(registry, number, _today(), settings.store.branch, with_names=with_names)


def link_run(project: str, folder: str | Path, *, settings: Settings | None = None) -> dict[str, Any]:
    """Note that a result folder is of a project of the branch; once, however often it is said.

    Raises
    ------
    MissingInput
        The branch has no such project, or the folder holds no result.
    """
    settings = settings or load_settings()
    number = loan_projects.parse_project_id(project)
    with _registry(settings) as registry:
        loan_projects.require_own(registry, number, settings.store.branch)
        return loan_projects.link_record(registry, number, Path(folder), dt.datetime.now(dt.UTC))


def release_pledge(
    project: str, parcel: str, *, on: dt.date | str, loan: str | None = None, settings: Settings | None = None
) -> dict[str, Any]:
    """End the pledge of a parcel from a day on; the record of it stays.

    Raises
    ------
    MissingInput, InvalidInput
        There is no such pledge, it is not clear which, or the day cannot be.
    """
    settings = settings or load_settings()
    number, day = loan_projects.parse_project_id(project), _date(on, "on")
    if day is None:
        raise InvalidInput("Expected the first day on which the land is free, got none.")
    with _registry(settings) as registry:
        loan_projects.require_own(registry, number, settings.store.branch)
        registry.release(number, parcel, loan=loan, on=day, at=dt.datetime.now(dt.UTC))
    return {"project": f"P{number}", "parcel": parcel, "loan": loan, "released_on": day.isoformat()}


def double_pledges(*, as_of: dt.date | str | None = None, settings: Settings | None = None) -> list[dict[str, Any]]:
    """Every two pledges of the registry that share ground at one time: JSON values, the largest first."""
    settings = settings or load_settings()
    with _registry(settings) as registry:
        return loan_projects.double_pledges(registry, _asked(settings, _date(as_of, "as_of")))


def pledged_area(
    by: str = "project", *, settings: Settings | None = None, all_branches: bool = False
) -> list[dict[str, Any]]:
    """Land that pledges in force cover by ``project``, ``borrower``, ``branch`` or ``all``: sum and union."""
    settings = settings or load_settings()
    branch = None if all_branches else settings.store.branch
    with _registry(settings) as registry:
        return loan_projects.area_record(registry, _today(), by, branch)


def portfolio_risk(*, settings: Settings | None = None, all_branches: bool = False) -> dict[str, Any]:
    """Exposure, loan to value, alerts, expected events and scenarios over the loans of the registry: JSON values.

    Values, scores and alerts are of the newest run linked to each project; of loans without one it cannot be told.

    Raises
    ------
    MissingInput
        There is no registry.
    """
    settings = settings or load_settings()
    model = load_score_model(settings.risk_score.model) if can_boost() else None
    branch = None if all_branches else settings.store.branch
    with _registry(settings) as registry:
        return loan_portfolio.portfolio_record(registry, _today(), branch, settings, model)


def add_overlay(
    file: str | Path, *, name: str, source: str, month: str, datum: str | None = None, settings: Settings | None = None
) -> dict[str, Any]:
    """Register a layer of law or planning, such as permanent basic farmland, an ecological red line or a permit.

    Parameters
    ----------
    file
        Polygons, in any format that files of parcels may have (docs/intake.md).
    name, source, month
        What it is, who made it, and of which month (``YYYY-MM``) it is. The newest month of a name is in force.
    datum
        As for `add_project`.
    """
    settings = settings or load_settings()
    layer = read_layer(Path(file), datum=datum)
    with _registry(settings, create=True) as registry:
        return loan_projects.layer_record(
            registry, layer, dt.datetime.now(dt.UTC), name=name, source=source, month=month
        )


def list_overlays(*, settings: Settings | None = None) -> list[dict[str, Any]]:
    """Layers of law and planning: JSON values, one row each."""
    with _registry(settings or load_settings()) as registry:
        return loan_projects.layers_record(registry)


def upgrade_registry(*, settings: Settings | None = None) -> str:
    """Make the tables of the registry, or bring them to this version; where it is."""
    settings = settings or load_settings()
    if settings.store.url is None:
        raise MissingInput(_NO_REGISTRY)
    upgrade(settings.store.url)
    with _registry(settings) as registry:
        return registry.title


_NO_REGISTRY = "No registry is named: give store.url in the settings or GEOCOLLATERAL_STORE__URL (docs/registry.md)."


def _registry(settings: Settings, *, create: bool = False) -> LoanRegistry:
    if settings.store.url is None:
        raise MissingInput(_NO_REGISTRY)
    return open_registry(settings.store.url, create=create)


def _asked(settings: Settings, day: dt.date | None) -> Asked:
    """What the registry is asked with. Where a day is given, only what was recorded by its end counts."""
    known_at = None if day is None or day >= _today() else dt.datetime.combine(day, dt.time.max, dt.UTC)
    return Asked(
        branch=settings.store.branch,
        day=day or _today(),
        known_at=known_at,
        params=settings.pledges,
        shifts=DATUM_SHIFTS,
    )


def _check_registry(
    area: AreaOfInterest, project: str | None, settings: Settings, day: dt.date | None
) -> RegistryCheck | None:
    """What the registry says of the parcels; None where none is named.

    Parameters
    ----------
    project
        Name under which `add_project` would enter the file if told none; None: there is no file.
    """
    if settings.store.url is None:
        return None
    with _registry(settings) as registry:
        asked = replace(_asked(settings, day), project=project, source_sha256=area.source_sha256)
        return check(registry, area.parcels, asked)


def _value_models(asked: str, area: AreaOfInterest, settings: Settings, day: dt.date | None) -> ModelsInUse | None:
    """The approved models to ask; None where none is, or no registry is named."""
    if asked == "none" or (asked == "auto" and settings.store.url is None):
        return None
    with _registry(settings) as registry:
        if asked == "auto" and not registry.models.list_all():
            return None
        if not can_boost():
            raise MissingInput(
                "Value models need LightGBM, which could not be loaded: OpenMP of the operating system is missing. "
                "--value-model none goes on without them."
            )
        from geocollateral import approved_models  # LightGBM is loaded only where there is a model

        known_at = _asked(settings, day).known_at
        classes = sorted(set(area.parcels["asset_class"]))
        return approved_models.find_models(registry, asked, classes, settings.models, known_at)


def _learned_values(
    models: ModelsInUse, judgements: Mapping[str, Judgement], area: AreaOfInterest, day: dt.date, settings: Settings
) -> LearnedValues:
    from geocollateral import learned_values

    return learned_values.value_all(models, judgements, area.parcels, day, settings.models)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


# ---- the input


def _read(parcels: str | Path | AreaOfInterest, datum: str | None, settings: Settings) -> AreaOfInterest:
    if isinstance(parcels, AreaOfInterest):
        return parcels
    return read_parcels(Path(parcels), datum=datum, params=settings.intake)


def _unit_values(given: str | Path | Mapping[str, UnitValue] | None) -> Mapping[str, UnitValue]:
    if given is None or isinstance(given, Mapping):
        return given or {}
    path = Path(given)
    if not path.is_file():
        raise MissingInput(f"Table of unit values {path} does not exist.")
    try:
        return parse_unit_values(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"Table of unit values {path} is not UTF-8 text: {error}") from error


def _value_tables(path: str | Path | None, unit_values: object) -> tuple[ValueRow, ...]:
    if path is None:
        return ()
    if unit_values is not None:
        raise InvalidInput(
            "Expected unit values or tables of values, got both; put unit values into the tables as rows of the kind "
            "'comparable' (docs/valuation.md)."
        )
    file = Path(path)
    if not file.is_file():
        raise MissingInput(f"Tables of values {file} do not exist.")
    try:
        return parse_value_tables(file.read_text(encoding="utf-8"), file.name)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"Tables of values {file} are not UTF-8 text: {error}") from error


def _period(period: tuple[dt.date | str | None, dt.date | str | None] | None, as_of: dt.date | str | None) -> Period:
    first, last = period or (None, None)
    start = _date(first, "period start")
    ends = [d for d in (_date(last, "period end"), _date(as_of, "as_of")) if d is not None]
    end = min(ends) if ends else dt.date.max
    if start is not None and start > end:
        raise InvalidInput(f"The period starts on {start}, after its end or as-of day {end}.")
    return Period(start=start, end=end)


def _date(given: dt.date | str | None, name: str) -> dt.date | None:
    if isinstance(given, dt.datetime):
        return (given.astimezone(dt.UTC) if given.tzinfo else given).date()
    if given is None or isinstance(given, dt.date):
        return given
    try:
        return dt.date.fromisoformat(given)
    except ValueError:
        raise InvalidInput(f"{name} must be a date such as 2020-06-30, got {given!r}.") from None


def _search(
    imagery: Source, info: SourceInfo, area: AreaOfInterest, span: Period
) -> tuple[list[pystac.Item], tuple[str, ...]]:
    """Scenes over the parcels, and why others that were found cannot be read."""
    bounds = bounds_of(area.parcels)
    found = (
        imagery.find(bounds, span)
        if isinstance(imagery, CandidSource)
        else Found(items=tuple(imagery.search(bounds, span)), refused=())
    )
    if found.items:
        return list(found.items), found.refused
    if found.refused:
        raise MissingInput(
            f"{info.name} lists {len(found.refused)} scenes here, and none can be read. The first: {found.refused[0]}"
        )
    west, south, east, north = bounds
    here = f"{west:.4f}..{east:.4f} E, {south:.4f}..{north:.4f} N"
    when = f"from {span.start or 'its beginning'} to {span.end}"
    if info.revisit_days is not None:  # a service holds the whole earth: that cannot be listed to see what it has
        raise MissingInput(
            f"{info.name} has no scene within {here} {when}: check the coordinates, widen the period or choose a later "
            "as-of day."
        )
    anywhere = imagery.search((-180.0, -90.0, 180.0, 90.0), span)
    if anywhere:
        raise MissingInput(
            f"No parcel meets the imagery of {info.name}: the parcels lie within {here}, the imagery within "
            f"{_extent(anywhere)}. Check the coordinates and the source."
        )
    raise MissingInput(f"{info.name} has no scene {when}: widen the period or choose a later as-of day.")


def _refusals(refused: Sequence[str]) -> list[IntakeNote]:
    if not refused:
        return []
    message = f"{len(refused)} scenes that were found cannot be read. The first: {refused[0]}"
    return [IntakeNote(kind="warning", parcel_id=None, message=message)]


def _day_of(span: Period, as_of: dt.date | str | None, items: Sequence[pystac.Item], *, alive: bool) -> dt.date:
    if as_of is not None:
        return span.end
    newest = max(item.datetime for item in items if item.datetime).date()
    return max(newest, min(span.end, dt.datetime.now(dt.UTC).date())) if alive else newest


def _extent(items: Sequence[pystac.Item]) -> str:
    boxes = np.array([item.bbox for item in items if item.bbox])
    west, south = boxes[:, :2].min(axis=0)
    east, north = boxes[:, 2:].max(axis=0)
    return f"{west:.4f}..{east:.4f} E, {south:.4f}..{north:.4f} N"


def _reach_m(settings: Settings) -> float:
    """How far stages look beyond a parcel [m]."""
    return max(settings.masks.dilate_m, 10.0 * speckle.REACH_PIXELS)


def _require_overlap(plan: Plan, name: str) -> None:
    if not plan.blocks:
        raise MissingInput(
            f"No parcel meets the imagery of {name}: its bounding box does, the parcels themselves do not."
        )


OFFSET_DAY = dt.date(2022, 1, 25)
"""From this day's products on, Sentinel-2 L2A carries an offset of -1000 DN (processing baseline 04.00)."""


def _cautions(items: Sequence[pystac.Item]) -> list[IntakeNote]:
    """What a reader must know of the imagery before trusting a change in it."""
    cautions = []
    optical = [item for item in items if {"red", "nir"} & set(item.assets)]
    days = [item.datetime.date() for item in optical if item.datetime]
    if days and not any("scl" in item.assets for item in optical):
        cautions.append(
            "The imagery has no scene classification (SCL): clouds and shadows were removed only where they stand out "
            "from the looks before and after."
        )
    declared = {
        (asset.extra_fields.get("raster:scale"), asset.extra_fields.get("raster:offset"))
        for item in optical
        for band, asset in item.assets.items()
        if band in OPTICAL_BANDS
    }
    if days and min(days) < OFFSET_DAY <= max(days) and len(declared) == 1:
        cautions.append(
            f"The imagery spans {OFFSET_DAY}, when Sentinel-2 products got an offset of -1000, and declares one scale "
            "and offset for all its dates. If its maker did not harmonise it, every parcel shows a false change then."
        )
    return [IntakeNote(kind="warning", parcel_id=None, message=text) for text in cautions]


def _require_indices(tasks: Sequence[BlockTask], items: Sequence[pystac.Item], name: str) -> None:
    if not tasks:
        bands = ", ".join(sorted({band for item in items for band in item.assets}))
        raise MissingInput(
            f"No index can be computed from the bands of {name} ({bands}): at least red and nir, for ndvi, or vv or vh "
            "are needed. Add them, or use another source."
        )


def _require_reads(results: Sequence[BlockResult]) -> None:
    """That something was read at all: what no service gave is no cloud."""
    scenes = [scene for result in results for scene in result.scenes]
    if any(status in {"ok", "outside"} for scene in scenes for status in scene["bands"].values()):
        return
    reasons = [str(reason) for scene in scenes for reason in scene.get("reasons", {}).values()]
    transient = any(scene.get("transient") for scene in scenes)
    kind = ServiceUnavailable if transient else MissingInput
    first = reasons[0] if reasons else "no reason given"
    raise kind(
        f"Not one band of {len(scenes)} scenes could be read. The first: {first}."
        + (" Run the same command again later." if transient else " Check the source and what it may reach.")
    )


def _require_looks(results: Sequence[BlockResult], items: Sequence[pystac.Item]) -> None:
    if all(result.series.empty for result in results):
        _require_reads(results)
        first, last = items[0].datetime, items[-1].datetime
        raise MissingInput(
            f"No clear look: {len(items)} scenes from {first:%Y-%m-%d} to {last:%Y-%m-%d} were read, and every parcel "
            "was under cloud, shadow, snow or without data on each. Widen the period or use another source."
        )


def _tasks(area: AreaOfInterest, plan: Plan, imagery: Source, settings: Settings, day: dt.date) -> list[BlockTask]:
    """One task per group of parcels: their optical block, if they have one, and the radar blocks around them."""
    attributes = area.parcels.drop(columns="geometry").to_dict("index")
    offered, classes = plan.offered, frozenset(area.parcels["asset_class"])
    # Blocks may run on other machines: where the registry is, and a password that may stand there, is not their affair.
    settings = settings.model_copy(update={"store": StoreParams()})
    useful = {radar for radar, bands in offered.items() if wanted_indices(classes, bands)}
    members: dict[str, list[Part]] = {}
    for block in plan.blocks:
        radar = is_radar(block.items[0])
        if radar not in useful:
            continue
        home = plan.optical_home(block.parcel_ids[0]) if False in useful else None
        group = block.block_id if home is None else home.block_id
        members.setdefault(group, []).extend(_parts(plan, block, offered[radar]))
    return [
        BlockTask(
            optical=next((part for part in parts if not part.offered & set(RADAR_BANDS)), None),
            radar=tuple(part for part in parts if part.offered & set(RADAR_BANDS)),
            attributes={i: attributes[i] for part in parts for i in part.block.parcel_ids},
            asset_classes=classes,
            visible_fraction={i: plan.visible_fraction[i] for part in parts for i in part.block.parcel_ids},
            source=imagery,
            settings=settings,
            as_of=day,
        )
        for parts in members.values()
    ]


def _parts(plan: Plan, block: Block, offered: frozenset[str]) -> list[Part]:
    """A block's parts by sensor: scenes of a cube may hold reflectance and backscatter at once."""
    sensors = (offered - set(RADAR_BANDS), offered & set(RADAR_BANDS))
    grid, geometries = plan.grids[block.block_id], plan.geometries[block.block_id]
    return [Part(block=block, grid=grid, geometries=geometries, offered=frozenset(own)) for own in sensors if own]


# ---- the tables


def _stale(judgement: Judgement, newest: str | None, revisit: float, day: dt.date) -> Judgement:
    """What was found before stays; that nothing was found since cannot be said."""
    reason = (
        f"The feed is stale: the newest acquisition of this parcel is of {newest or 'never'}, although one is due "
        f"every {revisit:g} days and the result is to speak for {day}."
    )
    return replace(
        judgement,
        status="cannot_tell",
        reason=reason,
        columns=dict.fromkeys(judgement.columns),
        quantity=None,
        claims=withdraw(judgement.claims, reason),
    )


def _all_judgements(
    area: AreaOfInterest,
    results: Sequence[BlockResult],
    feed: Mapping[str, Any],
    settings: Settings,
    day: dt.date,
) -> dict[str, Judgement]:
    """Judgements by parcel in the order of the input; parcels outside the imagery are judged on no pixels."""
    found: dict[str, Judgement] = {}
    for result in results:  # optical blocks first: what they say of a parcel stands
        found = {**result.judgements, **found}
    for parcel_id in set(feed["stale"]) & set(found):
        newest = feed["newest_by_parcel"].get(parcel_id)
        found[parcel_id] = _stale(found[parcel_id], newest, feed["revisit_days"], day)
    rows = area.parcels.drop(columns="geometry").to_dict("index")
    found |= {i: _judge_unseen(area, i, settings, day) for i in rows.keys() - found.keys()}
    return {i: settle(row, found[i], as_of=day) for i, row in rows.items()}


def _judge_unseen(area: AreaOfInterest, parcel_id: str, settings: Settings, day: dt.date) -> Judgement:
    attributes = area.parcels.drop(columns="geometry").loc[parcel_id].to_dict()
    nothing = ParcelEvidence(
        parcel_id=parcel_id,
        attributes=attributes,
        as_of=day,
        area_m2=np.zeros(0),
        row=np.zeros(0, np.int64),
        col=np.zeros(0, np.int64),
        n_full_pixels=0,
        visible_fraction=0.0,
        look_days=np.zeros(0, "datetime64[D]"),
        look_fraction=np.zeros(0),
        pixels={},
    )
    asset_class = str(attributes["asset_class"])
    if asset_class in ASSETS:
        return ASSETS[asset_class].judge(nothing, getattr(settings, asset_class))
    return Judgement(
        status="cannot_tell",
        reason="The parcel lies outside the imagery.",
        columns={},
        quantity=None,
        quantity_unit="ha",
        events=(),
        yearly=(),
    )


def _parcel_table(
    area: AreaOfInterest,
    judgements: Mapping[str, Judgement],
    alerts: Sequence[Alert],
    clear: Mapping[str, NDArray[np.datetime64]],
    units: Mapping[str, UnitValue],
    values: Mapping[str, ParcelValue],
    learned: LearnedValues | None,
    asked_for: RegistryCheck | None,
    day: dt.date,
    settings: Settings,
) -> gpd.GeoDataFrame:
    seen = lookback.columns_of(judgements, clear, day)
    rows = []
    for parcel_id, judgement in judgements.items():
        own = area.parcels.loc[parcel_id]
        row: dict[str, Any] = dict.fromkeys(PARCEL_COLUMNS)
        row |= {
            "asset_class": own["asset_class"],
            "obs_area_m2": own["obs_area_m2"],
            "obs_area_mu": own["obs_area_m2"] / MU_M2,
            "meta_status": judgement.status,
            "meta_reason": judgement.reason,
            "meta_n_obs": len(clear.get(parcel_id, ())),
            "meta_last_clear": pd.Timestamp(clear[parcel_id][-1]) if parcel_id in clear else pd.NaT,
            "alerts": [alert.alert_id for alert in alerts if alert.parcel_id == parcel_id],
        }
        row |= _value_columns(judgement, units.get(own["asset_class"]))
        if parcel_id in values:
            row |= value_columns.columns_of(values[parcel_id])
        if learned is not None:
            row |= learned.by_parcel[parcel_id].columns()
            row |= learned.by_parcel[parcel_id].headline() if settings.models.leads else {}
        if parcel_id in values or learned is not None:
            row |= value_columns.held_against(row, own.to_dict())
        row |= {**judgement.columns, **seen[parcel_id], **claim_tables.columns_of(judgement.claims)}
        if asked_for is not None:
            row |= asked_for.columns(parcel_id, float(own["obs_area_m2"]))
        rows.append(row)
    table = pd.DataFrame(rows, index=area.parcels.index)
    table = table[[*PARCEL_COLUMNS, *sorted(set(table.columns) - set(PARCEL_COLUMNS))]]
    given = area.parcels.drop(columns=["geometry", "asset_class", "obs_area_m2"])
    table["risk_ltv"] = _loan_to_value(table, given)
    return gpd.GeoDataFrame(table.join(given), geometry=area.parcels.geometry, crs=area.parcels.crs)


def _clear_looks(series: pd.DataFrame, min_look_fraction: float) -> dict[str, NDArray[np.datetime64]]:
    """Times of the satellite's clear looks at each parcel, rising; a parcel without one is left out."""
    counted = (series["sensor"] == "sentinel-2") & (series["valid_fraction"] >= min_look_fraction)
    return {str(i): np.sort(own.unique()) for i, own in series[counted].groupby("parcel_id")["time"]}


def _join_columns(table: gpd.GeoDataFrame, columns: pd.DataFrame) -> gpd.GeoDataFrame:
    """The table with further columns before its geometry; missing text is None."""
    joined = columns.reindex(table.index)
    for name in joined:
        if not pd.api.types.is_numeric_dtype(joined[name]):
            joined[name] = joined[name].astype(object).where(joined[name].notna(), None)
    frame = table.drop(columns="geometry").join(joined)
    return gpd.GeoDataFrame(frame, geometry=table.geometry, crs=table.crs)


def _value_columns(judgement: Judgement, unit: UnitValue | None) -> dict[str, Any]:
    if judgement.quantity is None or judgement.quantity_unit != "ha" or unit is None:
        return {}
    value = value_of(judgement.quantity, unit)
    return {
        "val_p05": value.p05,
        "val_p50": value.p50,
        "val_p95": value.p95,
        "val_currency": value.currency,
        "val_grade": value.grade,
    }


def _loan_to_value(table: pd.DataFrame, given: pd.DataFrame) -> pd.Series[Any]:
    """Of each parcel's loan: the whole loan against the value of all the parcels that secure it.

    A loan one of whose parcels has no value has none either: what cannot be told must not look like nothing pledged.
    """
    out = pd.Series(None, index=table.index, dtype=object)
    if "loan_id" not in given or "loan_outstanding" not in given:
        return out
    for _, loan in given.dropna(subset=["loan_id"]).groupby("loan_id"):
        values, currencies = table.loc[loan.index, "val_p50"], set(table.loc[loan.index, "val_currency"])
        outstanding = loan["loan_outstanding"].iloc[0]
        if values.isna().any() or pd.isna(outstanding) or len(currencies) > 1:
            continue
        out[loan.index] = loan_to_value(
            float(outstanding), loan["loan_currency"].iloc[0], float(values.sum()), currencies.pop()
        )
    return out


def _yearly(judgements: Mapping[str, Judgement]) -> pd.DataFrame:
    rows = [{"parcel_id": parcel_id, **row} for parcel_id, judgement in judgements.items() for row in judgement.yearly]
    return pd.DataFrame(rows, columns=["parcel_id", "year", "living_share", "disturbed_m2", "n_looks"])


def _history(
    area: AreaOfInterest, judgements: Mapping[str, Judgement], results: Sequence[BlockResult], day: dt.date
) -> pd.DataFrame:
    return lookback.history(judgements, results, area.parcels["obs_area_m2"].to_dict(), day)


def _tables(judgements: Mapping[str, Judgement]) -> dict[str, pd.DataFrame]:
    names = sorted({name for judgement in judgements.values() for name in judgement.tables})
    return {
        name: pd.DataFrame(
            [{"parcel_id": i, **row} for i, judgement in judgements.items() for row in judgement.tables.get(name, ())]
        )
        for name in names
    }


def _join(tables: Sequence[pd.DataFrame], order: list[str]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    if not filled:
        return tables[0]
    return pd.concat(filled, ignore_index=True).sort_values(order, kind="stable", ignore_index=True)


# ---- the run


def _identity(
    area: AreaOfInterest,
    info: SourceInfo,
    options: Mapping[str, Any] | None,
    span: Period,
    day: dt.date,
    settings: Settings,
    units: Mapping[str, UnitValue],
) -> dict[str, Any]:
    """All that the figures depend on; its hash is the run id, so the same inputs give the same id."""
    return {
        "geocollateral": __version__,
        "parcels_sha256": area.source_sha256,
        "datum": area.datum,
        "source": info.name,
        "source_options": {name: value for name, value in sorted((options or {}).items()) if value is not None},
        "source_sha256": dict(info.sha256),
        "period": [None if span.start is None else span.start.isoformat(), day.isoformat()],
        "as_of": day.isoformat(),
        "settings": settings.model_dump(mode="json", exclude={"compute", "access", "store"}),
        "unit_values": {name: vars(unit) for name, unit in sorted(units.items())},
    }


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _name_of(parcels: str | Path | AreaOfInterest) -> str:
    return "parcels" if isinstance(parcels, AreaOfInterest) else Path(parcels).name


def _run(
    identity: Mapping[str, Any],
    name: str,
    tables: str | Path | None,
    results: Sequence[BlockResult],
    scenes: Mapping[str, Any],
    started: float,
) -> dict[str, Any]:
    return {
        "run_id": _digest(identity)[:16],
        "state": scenes["state"],
        "inputs": {
            name: identity["parcels_sha256"],
            **({} if tables is None else {Path(tables).name: identity["value_tables_sha256"]}),
            **orthomosaics.input_digests(identity.get("orthomosaics", ())),
        },
        **identity,
        "model_id": ", ".join(model["name"] for model in identity.get("value_models", ())) or None,
        "disclaimer": NOT_A_VALUATION,
        "n_blocks": len(results),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in VERSIONS_OF}},
        "timings": {"seconds": round(time.perf_counter() - started, 3)},
    }
