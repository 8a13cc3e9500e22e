"""Claims that are right and claims that are wrong, planted in a simulated world, and what the product says of them.

Each case is one claim of one parcel with what is true of it and the verdict. Cases of area, capacity, stage, living
stand and water change what is claimed and nothing else; cases of planted share are polygons drawn too large
(`planted_cases`), which have looks of their own; cloudy ones have most of their looks taken away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from geocollateral.assets import ASSETS, judge_area, settle
from geocollateral.block import BlockTask, evidence_of, pixel_changes
from geocollateral.change.intervals import Figure, share
from geocollateral.compute import Progress, run_blocks
from geocollateral.config import Settings
from geocollateral.kept_looks import looks_of
from geocollateral.observe import zonal
from geocollateral.observed import Observed, RadarLooks
from geocollateral.planted_cases import Ground, PlantedCase
from geocollateral.simulate.claims import STAGES, stage_on
from geocollateral.types import MU_M2, ClaimCheck, Judgement, ParcelEvidence

AREA_FACTORS: tuple[float, ...] = (1.0, 1.05, 0.95, 1.10, 1.15, 1.20, 1.5)
CAPACITY_FACTORS: tuple[float, ...] = (0.5, 0.8, 0.95, 1.0, 1.05, 1.1, 1.2, 1.5, 2.0)
HIDDEN: tuple[float, ...] = (0.7, 0.8, 0.9, 0.95)
"""Shares of optical looks taken away."""
EARLIER_DAYS: tuple[int, ...] = (0, 500)
"""How long before the last day stages are judged too [days]."""
NEEDS_IMAGERY = ("planted", "living", "water", "stage", "capacity")
STAND_LOSSES = ("clear_cut", "thinning", "fire", "storm", "beetle")
GREEN = 0.5
"""NDVI that the naive rule asks of a planted pixel at its best in the last year."""
COLUMNS = ("group", "claim", "parcel_id", "asset_class", "level", "truth", "over", "verdict", "observed", "low", "high")
VERDICTS = ("match", "mismatch", "cannot_tell")


@dataclass(frozen=True, kw_only=True)
class World:
    """A simulated world as the bench needs it."""

    tasks: Sequence[BlockTask]
    """Of its own portfolio."""
    planted: Sequence[BlockTask]
    """Of the polygons drawn too large."""
    cases: Mapping[str, PlantedCase]
    """By the id of such a polygon."""
    grounds: Mapping[str, Ground]
    truth: Mapping[str, pd.DataFrame]
    """Its tables ``parcels``, ``events`` and ``claims``."""


def run_bench(
    world: World, settings: Settings, kept: Path | None = None, seed: int = 0, progress: Progress | None = None
) -> pd.DataFrame:
    """All cases of a world with their verdicts.

    Parameters
    ----------
    kept
        Folder of looks kept from earlier runs and for later ones; None reads imagery and keeps nothing.
    seed
        Of the claims dealt and the looks taken away.

    Returns
    -------
    One row per case, columns `COLUMNS` and ``naive`` (verdict of a rule of thumb, None where there is none): ``level``
    is what was planted (a factor, a share, steps ahead), ``truth`` the true figure or word in the claim's unit,
    ``over`` the error of the claim [1].
    """
    sites = _true_stages(world)
    own = [(task, kept, world.truth, sites, seed + n) for n, task in enumerate(world.tasks)]
    drawn = [(task, kept, world.cases, seed + n) for n, task in enumerate(world.planted)]
    parts = run_blocks(_own_block, own, settings.compute, progress)
    parts += run_blocks(_planted_block, drawn, settings.compute, progress)
    rows = [row for part in parts for row in part]
    return pd.DataFrame(rows, columns=[*COLUMNS, "naive"])


# ---- the portfolio's own polygons, with other claims


def _own_block(
    given: tuple[
        BlockTask, Path | None, Mapping[str, pd.DataFrame], Mapping[str, Mapping[int, tuple[str, np.datetime64]]], int
    ],
) -> list[dict[str, Any]]:
    task, kept, truth, sites, seed = given
    rng = np.random.default_rng(seed)
    seen = looks_of(task, kept)
    claims = {i: _dealt(dict(row), rng) for i, row in task.attributes.items()}
    classes = {i: str(row["asset_class"]) for i, (row, _) in claims.items()}
    forests = "forestry" in classes.values()
    changes = pixel_changes(seen, classes, ASSETS["forestry"], task.settings) if forests else {}
    stated = truth["claims"][truth["claims"]["claim"] == "claim_use"].to_dict("records")
    uses = {str(claim["parcel_id"]): claim for claim in stated}
    rows = []
    for place, parcel_id in enumerate(seen.cover.parcel_ids):
        row, factor = claims[parcel_id]
        rows += _area_rows(parcel_id, row, factor)
        if row["asset_class"] in ("forestry", "aquaculture"):
            pixels = changes if row["asset_class"] == "forestry" else {}
            judgement = _judged(evidence_of(task, seen, place, pixels), task, row)
            rows += _share_rows(parcel_id, row, judgement, truth, "")
        if parcel_id in uses and row["asset_class"] == "agriculture":
            rows.append(_use_row(evidence_of(task, seen, place, {}), task, uses[parcel_id]))
    hidden = hide(seen, float(rng.choice(HIDDEN)), rng)
    for place, parcel_id in enumerate(hidden.cover.parcel_ids):
        row, _ = claims[parcel_id]
        if row["asset_class"] == "aquaculture":
            judgement = _judged(evidence_of(task, hidden, place, {}), task, row)
            rows += _share_rows(parcel_id, row, judgement, truth, " (cloudy)")
    return rows + _site_rows(task, seen, truth, sites, rng)


def _dealt(row: dict[str, Any], rng: np.random.Generator) -> tuple[dict[str, Any], float]:
    """Claims of a parcel: an area off by a factor, in mu as registers state it, and all of its stand or pond."""
    factor = float(rng.choice(AREA_FACTORS))
    row["claim_area_m2"] = round(factor * float(row["obs_area_m2"]) / MU_M2, 2) * MU_M2
    if row["asset_class"] == "forestry":
        row["claim_living_share_frac"] = 1.0
    if row["asset_class"] == "aquaculture":
        row["claim_water_share_frac"] = 1.0
    return row, factor


def _area_rows(parcel_id: str, row: Mapping[str, Any], factor: float) -> list[dict[str, Any]]:
    check = judge_area(row)
    return [
        {
            "group": "area",
            "claim": "area",
            "parcel_id": parcel_id,
            "asset_class": row["asset_class"],
            "level": f"{factor:.2f}",
            "truth": row["obs_area_m2"],
            "over": factor - 1,
            "verdict": "cannot_tell" if check is None else check.verdict,
        }
    ]


def _share_rows(
    parcel_id: str, row: Mapping[str, Any], judgement: Judgement, truth: Mapping[str, pd.DataFrame], suffix: str
) -> list[dict[str, Any]]:
    """Living stand and water, of which all is claimed: true shares are what events have left."""
    claim = {"forestry": "living", "aquaculture": "water"}.get(str(row["asset_class"]))
    if claim is None:
        return []
    events = truth["events"]
    own = events[(events["parcel_id"] == parcel_id) & events["kind"].isin((*STAND_LOSSES, "pond_drained"))]
    areas = dict(zip(truth["parcels"]["parcel_id"], truth["parcels"]["area_m2"], strict=True))
    area = float(areas[parcel_id])
    lost = float((own["area_m2"] * own["severity"].where(own["kind"] != "pond_drained", 1.0)).sum()) / area
    over = 1 / max(1 - lost, 1e-9) - 1
    return [
        {
            "group": claim + suffix,
            "claim": claim,
            "parcel_id": parcel_id,
            "asset_class": row["asset_class"],
            "level": _loss_class(over),
            "truth": 1 - lost,
            "over": over,
            **_said(judgement, claim),
        }
    ]


def _use_row(evidence: ParcelEvidence, task: BlockTask, stated: Mapping[Any, Any]) -> dict[str, Any]:
    """The use as the borrower states it in this world: one in eight is another crop than what grows there."""
    judgement = _judged(evidence, task, {"claim_use": stated["claimed"]})
    return {
        "group": "use",
        "claim": "use",
        "parcel_id": evidence.parcel_id,
        "asset_class": evidence.attributes["asset_class"],
        "level": "true" if stated["is_true"] else "false",
        "truth": str(stated["actual"]),
        "over": None,
        **_said(judgement, "use"),
    }


def _loss_class(over: float) -> str:
    for limit, name in ((1e-6, "true"), (0.05, "up to 5 %"), (0.10, "5 to 10 %"), (0.25, "10 to 25 %")):
        if over <= limit:
            return name
    return "over 25 %"


def _said(judgement: Judgement, claim: str) -> dict[str, Any]:
    """Verdict and observed interval of a claim, from the judgement's checks."""
    check: ClaimCheck | None = next((c for c in judgement.claims if c.claim == claim), None)
    if check is not None:
        return {"verdict": check.verdict, "observed": check.observed, "low": check.low, "high": check.high}
    return {"verdict": "cannot_tell", "observed": None, "low": None, "high": None}


# ---- sites: stage and capacity


def _true_stages(world: World) -> dict[str, dict[int, tuple[str, np.datetime64]]]:
    """By parcel and days before the end: the true stage, and the day."""
    found: dict[str, dict[int, tuple[str, np.datetime64]]] = {}
    for ground in world.grounds.values():
        for parcel in ground.scenario.pledged:
            if parcel.asset_class not in ("construction", "solar", "wind"):
                continue
            zones = [zone for zone in ground.zones if zone.parcel_id == parcel.parcel_id]
            days = {before: ground.day - before for before in EARLIER_DAYS if before < ground.day}
            found[parcel.parcel_id] = {
                before: (stage_on(zones, day), ground.scenario.weather.days[day]) for before, day in days.items()
            }
    return found


def _site_rows(
    task: BlockTask,
    seen: Observed,
    truth: Mapping[str, pd.DataFrame],
    sites: Mapping[str, Mapping[int, tuple[str, np.datetime64]]],
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    places = {i: n for n, i in enumerate(seen.cover.parcel_ids) if i in sites}
    if not places:
        return rows
    capacity = truth["claims"][truth["claims"]["claim"] == "claim_capacity_mw"].set_index("parcel_id")["actual"]
    for before in EARLIER_DAYS:
        if not any(before in sites[i] for i in places):
            continue
        day = next(sites[i][before][1] for i in places if before in sites[i])
        then = seen if before == 0 else until(seen, day)
        at = task if before == 0 else replace(task, as_of=day.astype("datetime64[D]").astype(object))
        for parcel_id, place in places.items():
            evidence = evidence_of(at, then, place, {})
            true = sites[parcel_id][before][0]
            rows.append(_stage_row(evidence, task, str(rng.choice(STAGES)), true, before))
            if before == 0 and parcel_id in capacity.index:
                mw = float(capacity[parcel_id])
                rows += [_capacity_row(evidence, task, mw, factor) for factor in CAPACITY_FACTORS]
    return rows


def _judged(evidence: ParcelEvidence, task: BlockTask, claims: Mapping[str, Any]) -> Judgement:
    name = str(evidence.attributes["asset_class"])
    others = {key: None for key in evidence.attributes if key.startswith("claim_")}
    own = replace(evidence, attributes={**evidence.attributes, **others, **claims})
    judgement = ASSETS[name].judge(own, getattr(task.settings, name))
    return settle(own.attributes, judgement, as_of=own.as_of)


def _stage_row(evidence: ParcelEvidence, task: BlockTask, stage: str, true: str, before: int) -> dict[str, Any]:
    ahead = STAGES.index(stage) - STAGES.index(true)
    level = "true" if ahead == 0 else f"{abs(ahead)} {'ahead' if ahead > 0 else 'behind'}"
    return {
        "group": f"stage, {evidence.attributes['asset_class']}",
        "claim": "stage",
        "parcel_id": f"{evidence.parcel_id} {before} days before",
        "asset_class": evidence.attributes["asset_class"],
        "level": level,
        "truth": true,
        "over": float(ahead),
        **_said(_judged(evidence, task, {"claim_stage": stage}), "stage"),
    }


def _capacity_row(evidence: ParcelEvidence, task: BlockTask, mw: float, factor: float) -> dict[str, Any]:
    return {
        "group": "capacity",
        "claim": "capacity",
        "parcel_id": evidence.parcel_id,
        "asset_class": evidence.attributes["asset_class"],
        "level": f"{factor:.2f}",
        "truth": mw,
        "over": factor - 1,
        **_said(_judged(evidence, task, {"claim_capacity_mw": round(factor * mw, 3)}), "capacity"),
    }


# ---- polygons drawn too large


def _planted_block(given: tuple[BlockTask, Path | None, Mapping[str, PlantedCase], int]) -> list[dict[str, Any]]:
    task, kept, cases, seed = given
    rng = np.random.default_rng(seed)
    seen = looks_of(task, kept)
    taken = float(rng.choice(HIDDEN))
    rows = _planted_rows(task, seen, cases, "planted")
    return rows + _planted_rows(task, hide(seen, taken, rng), cases, f"planted, {taken:.0%} of looks hidden")


def _planted_rows(
    task: BlockTask, seen: Observed, cases: Mapping[str, PlantedCase], group: str
) -> list[dict[str, Any]]:
    rows = []
    for place, case_id in enumerate(seen.cover.parcel_ids):
        case = cases[case_id]
        evidence = evidence_of(task, seen, place, {})
        judgement = ASSETS["agriculture"].judge(evidence, task.settings.agriculture)
        rows.append(
            {
                "group": group,
                "claim": "planted",
                "parcel_id": case_id,
                "asset_class": f"{case.cover}: {case.other}" if case.other else case.cover,
                "level": f"{case.share:.0%}",
                "truth": case.planted * float(evidence.attributes["obs_area_m2"]),
                "over": case.over,
                **_said(judgement, "planted"),
                "naive": naive_verdict(evidence),
            }
        )
    return rows


def naive_verdict(evidence: ParcelEvidence) -> str:
    """A rule of thumb: the share of pixels that were ever green in the last year, against the tolerance of 10 %."""
    if evidence.indices is None or not len(evidence.look_days):
        return "cannot_tell"
    late = evidence.look_days > evidence.look_days[-1] - np.timedelta64(365, "D")
    ndvi = evidence.indices["ndvi"].values[late]
    best = np.where(np.isfinite(ndvi), ndvi, -1.0).max(axis=0, initial=-1.0)
    green = float((evidence.area_m2 * (best > GREEN)).sum() / evidence.area_m2.sum())
    return "match" if round(1 / max(green, 1e-3) - 1, 2) < 0.10 else "mismatch"


# ---- looks taken away


def hide(seen: Observed, taken: float, rng: np.random.Generator) -> Observed:
    """The same looks without a share of the optical ones, drawn at random: cloud all over the block on those days."""
    if seen.optical is None or seen.found is None:
        return seen
    shown = xr.DataArray(rng.random(seen.optical.sizes["time"]) >= taken, dims="time")
    return _with_optical(seen, seen.optical.where(shown), seen.found.where(shown))


def until(seen: Observed, day: np.datetime64) -> Observed:
    """The same looks up to a day, this one included."""
    last = day.astype("datetime64[D]") + np.timedelta64(1, "D")

    def early(table: xr.Dataset) -> xr.Dataset:
        return table.isel(time=np.flatnonzero(table["time"].values < last))

    radar = {
        orbit: RadarLooks(power=early(looks.power), statistics=early(looks.statistics), around=early(looks.around))
        for orbit, looks in seen.radar.items()
    }
    around = None if seen.around is None else early(seen.around)
    beside = None if seen.beside is None else early(seen.beside)
    cut = replace(seen, radar=radar, around=around, beside=beside)
    if seen.optical is None or seen.found is None:
        return cut
    return _with_optical(cut, early(seen.optical), early(seen.found))


def _with_optical(seen: Observed, optical: xr.Dataset, found: xr.Dataset) -> Observed:
    visible: NDArray[np.bool_] = np.logical_or.reduce([np.isfinite(b.values) for b in optical.data_vars.values()])
    statistics = zonal.zonal_statistics(found, visible, seen.cover)
    return replace(seen, optical=optical, found=found, statistics=statistics)


# ---- figures


def flagged(rows: pd.DataFrame) -> Figure:
    """Share of decided cases (match or mismatch) that are a mismatch, with Wilson's 95 % interval."""
    decided = rows[rows["verdict"] != "cannot_tell"]
    return share(int((decided["verdict"] == "mismatch").sum()), len(decided))


def goals(rows: pd.DataFrame) -> list[dict[str, str]]:
    """The goals of the claims work for area and planted share, one row each."""
    out = []
    for claim in ("area", "planted"):
        own = rows[rows["group"] == claim]
        # A strip of 10 % of the polygon over-claims by 11 %; rounding must not move a case out of its class.
        wrong, near = own[own["over"] >= 0.0985], own[own["over"].abs().between(0.03, 0.06)]
        right = own[own["over"].abs() <= 1e-3]
        for name, cases, goal in (
            ("10 % and more: flagged, of those decided", wrong, ">= 0.95"),
            ("5 %: flagged, of all", near, "<= 0.02"),
            ("true: flagged, of all", right, "<= 0.02"),
        ):
            whole = share(int((cases["verdict"] == "mismatch").sum()), len(cases))
            figure = flagged(cases) if cases is wrong else whole
            told = share(int((cases["verdict"] != "cannot_tell").sum()), len(cases))
            out.append(
                {
                    "claim": claim,
                    "over-claim": name,
                    "n": str(len(cases)),
                    "figure": _text(figure),
                    "goal": goal,
                    "decided": _text(told),
                }
            )
    return out


def table_of(rows: pd.DataFrame, group: str, *, naive: bool = False) -> list[dict[str, str]]:
    """Verdicts by what was planted: one row per level, shares of all its cases, mismatches with their interval."""
    own = rows[rows["group"] == group]
    out = []
    for level in sorted(own["level"].unique(), key=_order):
        cases = own[own["level"] == level]
        count = cases["verdict"].value_counts()
        row = {"planted": str(level), "n": str(len(cases))}
        row |= {verdict: str(int(count.get(verdict, 0))) for verdict in VERDICTS}
        row["mismatch, of all"] = _text(share(int(count.get("mismatch", 0)), len(cases)))
        row["mismatch, of decided"] = _text(flagged(cases))
        if naive:
            row["naive: mismatch, of all"] = _text(share(int((cases["naive"] == "mismatch").sum()), len(cases)))
        out.append(row)
    return out


def holds(rows: pd.DataFrame, group: str) -> Figure:
    """How often the 90 % interval holds the truth, of cases that have one."""
    own = rows[(rows["group"] == group) & rows["low"].notna()]
    truth = pd.to_numeric(own["truth"])
    slack = 1e-6 * truth
    inside = (own["low"].astype(float) <= truth + slack) & (truth - slack <= own["high"].astype(float))
    return share(int(inside.sum()), len(own))


def cloudy(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Verdicts where looks were hidden: how many cannot tell, and what is said of claims that are true."""
    out = []
    groups = [str(name) for name in rows["group"].unique() if "hidden" in str(name) or "cloudy" in str(name)]
    for group in sorted(groups):
        cases = rows[rows["group"] == group]
        true = cases[cases["over"].abs() <= 1e-3]
        out.append(
            {
                "claim": group,
                "n": str(len(cases)),
                "cannot tell": _text(share(int((cases["verdict"] == "cannot_tell").sum()), len(cases))),
                "true claims: flagged, of all": _text(share(int((true["verdict"] == "mismatch").sum()), len(true))),
                "10 % and more: called a match, of all": _text(
                    share(
                        int((cases.loc[cases["over"] >= 0.0985, "verdict"] == "match").sum()),
                        int((cases["over"] >= 0.0985).sum()),
                    )
                ),
            }
        )
    return out


def confusion(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Claimed uses: by the true use, how often each use was seen as the likeliest; empty where none was claimed."""
    own = rows[rows["group"] == "use"]
    seen = own["observed"].map(lambda word: "not told" if word is None or word != word else str(word))
    counts = pd.crosstab(own["truth"].astype(str), seen)
    return [
        {"grows": str(use), **{str(word): str(int(n)) for word, n in line.items()}} for use, line in counts.iterrows()
    ]


def markdown(rows: pd.DataFrame, name: str) -> str:
    """All tables, as text."""
    parts = [f"# Claims planted in the world {name}: {len(rows):,} cases\n", _grid(goals(rows))]
    groups = [str(g) for g in rows["group"].unique() if "hidden" not in str(g) and "cloudy" not in str(g)]
    for group in sorted(groups):
        parts.append(f"\n## {group}\n\n{_grid(table_of(rows, group, naive=group == 'planted'))}")
        if group == "use":
            parts.append(f"\nWhat was seen (columns) by what grows there (rows):\n\n{_grid(confusion(rows))}\n")
        if group == "planted":
            parts.append(f"\nThe 90 % interval holds the truth in {_text(holds(rows, group))} of them.\n")
    if len(cloudy(rows)):
        parts.append(f"\n## Looks hidden\n\n{_grid(cloudy(rows))}")
    return "\n".join(parts) + "\n"


def values_of(rows: pd.DataFrame) -> str:
    """The cases as JSON."""
    return json.dumps(json.loads(rows.to_json(orient="records")), indent=0)


def _grid(table: Sequence[Mapping[str, str]]) -> str:
    if not table:
        return "No cases."
    names = list(table[0])
    lines = [f"| {' | '.join(names)} |", f"| {' | '.join('---' for _ in names)} |"]
    return "\n".join([*lines, *(f"| {' | '.join(row[name] for name in names)} |" for row in table)])


def _text(figure: Figure) -> str:
    if figure.value != figure.value:
        return "-"
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


ORDER = ("true", "false", "up to 5 %", "5 to 10 %", "10 to 25 %", "over 25 %")


def _order(level: object) -> tuple[float, str]:
    text = str(level)
    if text in ORDER:
        return float(ORDER.index(text)), text
    number = float(text.split()[0].rstrip("%"))
    return (-number if "behind" in text else number), text


__all__ = [
    "World",
    "cloudy",
    "confusion",
    "flagged",
    "goals",
    "hide",
    "holds",
    "markdown",
    "run_bench",
    "table_of",
    "until",
]
