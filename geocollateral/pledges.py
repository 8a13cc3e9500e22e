"""Pledges of a file against the registry: is the same land pledged twice, and what does law or planning say of it.

Of a pledge of another branch only the project's id, the branch and the ground in common are told: no name, loan,
borrower or outline crosses from one branch to another.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geocollateral.intake import (
    WEB_MAPS,
    DatumShift,
    PledgeParams,
    SharedGround,
    alike_areas,
    common_area,
    find_moved,
    find_shared,
    merge,
    reach_boxes,
)
from geocollateral.store import LiveQuery, LoanRegistry, PledgedParcel
from geocollateral.types import MU_M2, IntakeNote, Verdict

FEW_PARCELS = 200
"""Up to so many parcels are asked for one by one; of more, all pledges around are loaded at once."""
REACH_DEG = 0.05
"""How far around a file's parcels pledges are loaded, where all are: beyond the vector of any datum [degrees]."""
LISTED = 3
"""Partners named in a sentence; the table has all."""
NO_LEGAL_OPINION = "not a legal opinion"
SAME_FILE = "same file"
SAME_IOU = 0.999
"""Common over joint area above which two outlines of one parcel id are one, but for the rounding of coordinates."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One parcel and one pledge that cover the same ground, or seem to."""

    parcel_id: str
    kind: str
    """As `SharedGround.kind`."""
    area_m2: float
    area_mu: float
    share_frac: float
    """Of this parcel [0-1]."""
    other_frac: float
    """Of the other one [0-1]."""
    width_m: float
    project: str
    """Id of the other project, or ``same file``."""
    branch: str
    """Of the other project."""
    other_parcel: str | None
    other_loan: str | None
    """Of the other pledge; None where it belongs to another branch."""
    same_borrower: bool | None
    """Whether the bank's keys of the borrowers agree; None where one is not known."""
    maybe_own: bool
    """Whether it is the same parcel, by id and outline, in another project of the branch, and a loan is missing: one
    pledge entered twice, or two."""
    shared_from: str
    shared_to: str | None
    """First day on which both pledges hold, and first day on which one no longer does; None while that is open."""
    moved_east_m: float | None
    moved_north_m: float | None
    """Where one outline lies of the other, if they are one outline displaced [m]."""
    datum: str | None
    """Datum that explains the displacement."""


@dataclass(frozen=True, kw_only=True)
class OverlayShare:
    """Part of a parcel that lies in a legal overlay."""

    parcel_id: str
    layer: str
    source: str
    month: str
    area_m2: float
    area_mu: float
    share_frac: float
    caveat: str = NO_LEGAL_OPINION


@dataclass(frozen=True, kw_only=True)
class RegistryCheck:
    """What the registry says of the parcels of a file."""

    findings: tuple[Finding, ...]
    """The largest first."""
    overlays: tuple[OverlayShare, ...]
    known_projects: tuple[str, ...]
    """Projects as which the file's parcels are registered: their own pledges do not count against them."""
    shared_m2: Mapping[str, float]
    """By parcel: geodesic area that other live pledges cover together [m2]."""
    layers: tuple[str, ...]
    """Overlays asked, each with its source and month."""
    day: dt.date

    def columns(self, parcel_id: str, area_m2: float) -> dict[str, Any]:
        """Columns of ``parcels.geojson``."""
        own = [finding for finding in self.findings if finding.parcel_id == parcel_id]
        verdict, reason = judge(own, self.day)
        shared_m2 = self.shared_m2.get(parcel_id, 0.0)
        return {
            "claim_pledge_verdict": verdict,
            "claim_pledge_reason": reason,
            "obs_pledged_m2": shared_m2,
            "obs_pledged_mu": shared_m2 / MU_M2,
            "obs_pledged_frac": min(shared_m2 / area_m2, 1.0),
            "meta_pledged_with": list(dict.fromkeys(finding.project for finding in own)),
            "obs_overlay_mu": {
                share.layer: round(share.area_mu, 4) for share in self.overlays if share.parcel_id == parcel_id
            },
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """Further tables of the result folder; only those with a row."""
        rows: dict[str, tuple[Sequence[Any], type]] = {
            "pledges": (self.findings, Finding),
            "overlays": (self.overlays, OverlayShare),
        }
        return {
            name: pd.DataFrame([vars(row) for row in found], columns=[f.name for f in fields(kind)])
            for name, (found, kind) in rows.items()
            if found
        }

    def notes(self) -> list[IntakeNote]:
        """What a reader of the report must know."""
        notes = []
        if self.known_projects:
            names = ", ".join(self.known_projects)
            message = f"Parcels of this file are registered as project {names}; that does not count against them."
            notes.append(IntakeNote(kind="warning", parcel_id=None, message=message))
        for share in self.overlays:
            message = (
                f"{share.area_mu:,.2f} mu ({share.share_frac:.1%}) lie in {share.layer} ({share.source}, "
                f"{share.month}); {share.caveat}."
            )
            notes.append(IntakeNote(kind="warning", parcel_id=share.parcel_id, message=message))
        if self.layers:
            message = f"Overlays asked: {'; '.join(self.layers)}. What they say is {NO_LEGAL_OPINION}."
            notes.append(IntakeNote(kind="warning", parcel_id=None, message=message))
        return notes

    def record(self) -> dict[str, Any]:
        """JSON values for the record of the run: what the figures depend on."""
        return {
            "day": self.day.isoformat(),
            "known_projects": list(self.known_projects),
            "findings": [vars(finding) for finding in self.findings],
            "overlays": [vars(share) for share in self.overlays],
            "layers": list(self.layers),
        }


def judge(findings: Sequence[Finding], day: dt.date) -> tuple[Verdict, str]:
    """Whether a parcel is free of other pledges, and why."""
    if not findings:
        return "match", f"No other pledge in the registry that is in force on {day} or later covers this land."
    told = "; ".join(map(_say, findings[:LISTED]))
    more = f"; and {len(findings) - LISTED} more" if len(findings) > LISTED else ""
    certain = any(finding.kind in ("overlap", "redrawn") for finding in findings)
    return ("mismatch" if certain else "cannot_tell"), f"{told}{more}."


def _say(finding: Finding) -> str:
    other = finding.project if finding.project == SAME_FILE else f"project {finding.project} of branch {finding.branch}"
    if finding.other_parcel is not None:
        loan = "" if finding.other_loan is None else f", loan {finding.other_loan!r}"
        other += f" (parcel {finding.other_parcel!r}{loan})"
    span = f"from {finding.shared_from} " + ("on" if finding.shared_to is None else f"until {finding.shared_to}")
    if finding.kind == "moved":
        return f"{_say_moved(finding)} pledged in {other} {span}: maybe the same land, which needs a look at both deeds"
    text = f"{finding.area_mu:,.2f} mu ({finding.share_frac:.1%}) are also pledged in {other} {span}"
    if finding.maybe_own:
        text += (
            ", which is this very parcel, and of one of the two no loan is named: if it is one pledge, "
            "name its loan in both or enter both as one project"
        )
    elif finding.kind == "redrawn":
        text += f", where {finding.other_frac:.1%} of the parcel is this land: one piece of land, drawn twice"
    if finding.kind == "border_strip":
        text += f", a strip of {finding.width_m:.1f} m mean width: a crooked border or a real overlap"
    if finding.moved_east_m is not None:
        text += f"; {_say_moved(finding)} there"
    return text


def _say_moved(finding: Finding) -> str:
    east, north = finding.moved_east_m or 0.0, finding.moved_north_m or 0.0
    why = ""
    if finding.datum == WEB_MAPS:
        why = ", as GCJ-02 in the one and BD-09 in the other do if both are taken for WGS 84"
    elif finding.datum:
        why = f", as {finding.datum} taken for WGS 84 does"
    across, along = "east" if east >= 0 else "west", "north" if north >= 0 else "south"
    return f"the same outline, moved {abs(east):,.0f} m {across}, {abs(north):,.0f} m {along}{why}, is"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the registry is asked with."""

    branch: str
    day: dt.date
    """Pledges in force on it or later count."""
    known_at: dt.datetime | None
    """What was recorded later is not known; None for all."""
    params: PledgeParams
    shifts: Mapping[str, DatumShift]
    pledged_from: dt.date | None = None
    """First day of the pledges for which the file gives none; None: ``day``."""
    project: str | None = None
    """Name of the branch's project as which the file is entered, or would be; None: of none."""
    source_sha256: str | None = None
    """Digest of the file: where one project has parcels of this very file, it is that project; None: by name only."""


def check(registry: LoanRegistry, parcels: gpd.GeoDataFrame, asked: Asked) -> RegistryCheck:
    """Parcels of a file against all pledges in force.

    Parameters
    ----------
    parcels
        As of an area of interest.
    """
    start = asked.pledged_from or asked.day
    rows = [_Own.of(parcel_id, row, start) for parcel_id, row in parcels.to_dict("index").items()]
    outlines = _outlines([row.geometry for row in rows])
    findings, known, pieces = [], set(), _Pieces()
    partners = _partners(registry, rows, outlines, asked)
    home = _home([pledge for _, pledge, _ in partners], asked)
    for row, pledge, pair in partners:
        if _is_own(row, pledge, pair, asked.branch, home):
            known.add(pledge.project_id)
            continue
        finding = _finding(row, pledge, pair, asked.branch)
        if finding is not None:
            findings.append(finding)
            if pair.area_m2:
                pieces.add(row, pledge.geometry)
    for row, other, pair in _within(rows, outlines, asked.params):
        for one, two, seen in ((row, other, pair), (other, row, _turned(pair))):
            finding = _finding_within(one, two, seen, asked.branch)
            if finding is not None:
                findings.append(finding)
                pieces.add(one, two.geometry)
    order = {row.parcel_id: n for n, row in enumerate(rows)}
    findings.sort(key=lambda f: (order[f.parcel_id], -f.area_m2, f.project, f.other_parcel or ""))
    overlays, layers = _overlays(registry, rows, outlines, asked)
    return RegistryCheck(
        findings=tuple(findings),
        overlays=overlays,
        known_projects=tuple(f"P{n}" for n in sorted(known)),
        shared_m2=pieces.areas(),
        layers=layers,
        day=asked.day,
    )


@dataclass(frozen=True, kw_only=True)
class _Own:
    """A parcel of the file as a pledge to be."""

    parcel_id: str
    geometry: shapely.Geometry
    area_m2: float
    loan: str | None
    borrower: str | None
    pledged_from: dt.date
    ends_on: dt.date | None

    @classmethod
    def of(cls, parcel_id: object, row: Mapping[Any, Any], day: dt.date) -> _Own:
        start = stated_date(row.get("loan_pledged_from")) or stated_date(row.get("loan_start")) or day
        return cls(
            parcel_id=str(parcel_id),
            geometry=row["geometry"],
            area_m2=float(row["obs_area_m2"]),
            loan=stated_text(row.get("loan_id")),
            borrower=stated_text(row.get("loan_borrower_id")),
            pledged_from=start,
            ends_on=stated_date(row.get("loan_pledged_to")),
        )


def stated_text(value: Any) -> str | None:
    """A cell of text; None where the file states nothing."""
    return None if value is None or value != value or value == "" else str(value)


def stated_date(value: Any) -> dt.date | None:
    """A cell of days; None where the file states nothing."""
    return None if value is None or pd.isna(value) else pd.Timestamp(value).date()


class _Pieces:
    """What others cover of each parcel."""

    def __init__(self) -> None:
        self._rows: dict[str, _Own] = {}
        self._others: dict[str, list[shapely.Geometry]] = {}

    def add(self, row: _Own, other: shapely.Geometry) -> None:
        self._rows[row.parcel_id] = row
        self._others.setdefault(row.parcel_id, []).append(other)

    def areas(self) -> dict[str, float]:
        return {
            parcel_id: common_area(self._rows[parcel_id].geometry, _outlines(others))
            for parcel_id, others in self._others.items()
        }


def _outlines(geometries: Sequence[shapely.Geometry]) -> Any:
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


def _partners(
    registry: LoanRegistry, rows: Sequence[_Own], outlines: Any, asked: Asked
) -> list[tuple[_Own, PledgedParcel, SharedGround]]:
    """Parcels of the file with the pledges that share or seem to share their ground."""
    if len(rows) > FEW_PARCELS:
        west, south, east, north = shapely.total_bounds(outlines)
        box = np.array([[west - REACH_DEG, south - REACH_DEG, east + REACH_DEG, north + REACH_DEG]])
        around = registry.pledges(LiveQuery(day=asked.day, known_at=asked.known_at, boxes=box))
        return [(rows[pair.first], around[pair.second], pair) for pair in _compare(outlines, around, asked)]
    out = []
    for n, row in enumerate(rows):
        boxes = reach_boxes(row.geometry, asked.shifts, asked.params)
        area = alike_areas(row.area_m2, asked.params)
        query = LiveQuery(
            day=asked.day, known_at=asked.known_at, boxes=boxes[:1], like_boxes=boxes[1:], like_area_m2=area
        )
        around = registry.pledges(query)
        out += [(row, around[pair.second], pair) for pair in _compare(outlines[n : n + 1], around, asked)]
    return out


def _compare(outlines: Any, around: Sequence[PledgedParcel], asked: Asked) -> list[SharedGround]:
    others = _outlines([pledge.geometry for pledge in around])
    return merge(find_shared(outlines, others, asked.params), find_moved(outlines, others, asked.shifts, asked.params))


def _within(rows: Sequence[_Own], outlines: Any, params: PledgeParams) -> list[tuple[_Own, _Own, SharedGround]]:
    """Parcels of one file that secure different loans and share ground."""
    return [
        (rows[pair.first], rows[pair.second], pair)
        for pair in find_shared(outlines, None, params)
        if rows[pair.first].loan != rows[pair.second].loan
    ]


def _turned(pair: SharedGround) -> SharedGround:
    return replace(pair, first_frac=pair.second_frac, second_frac=pair.first_frac)


def _home(pledges: Sequence[PledgedParcel], asked: Asked) -> int | None:
    """The one project of the branch that the file is: by its content first, then by its name.

    One only: the same file entered as two projects is land pledged twice.
    """
    pledges = [pledge for pledge in pledges if pledge.branch == asked.branch]
    named = {pledge.project_id for pledge in pledges if pledge.project == asked.project}
    same = {pledge.project_id for pledge in pledges if pledge.source_sha256 == asked.source_sha256}
    return min(same & named or same or named, default=None)


def _is_own(row: _Own, pledge: PledgedParcel, pair: SharedGround, branch: str, home: int | None) -> bool:
    """Whether a pledge is of the loan that the parcel asked about secures, or of this parcel in its own project.

    Never across branches: a file handed in at two of them is what is looked for. Nor across projects unless the loan
    says so: a parcel handed in twice by one branch is looked for as well.
    """
    if pledge.branch != branch:
        return False
    if row.loan is not None and pledge.loan is not None:
        return row.loan == pledge.loan
    return pledge.project_id == home and _is_same_parcel(row, pledge, pair)


def _is_same_parcel(row: _Own, pledge: PledgedParcel, pair: SharedGround) -> bool:
    return pledge.parcel == row.parcel_id and pair.iou > SAME_IOU and pair.kind == "redrawn"


def _finding(row: _Own, pledge: PledgedParcel, pair: SharedGround, branch: str) -> Finding | None:
    at_home = pledge.branch == branch
    return _timed(
        row,
        (pledge.pledged_from, pledge.ends_on),
        pair,
        project=f"P{pledge.project_id}",
        branch=pledge.branch,
        other_parcel=pledge.parcel if at_home else None,
        other_loan=pledge.loan if at_home else None,
        same_borrower=_is_same(row.borrower, pledge.borrower),
        maybe_own=at_home and None in (row.loan, pledge.loan) and _is_same_parcel(row, pledge, pair),
    )


def _finding_within(row: _Own, other: _Own, pair: SharedGround, branch: str) -> Finding | None:
    return _timed(
        row,
        (other.pledged_from, other.ends_on),
        pair,
        project=SAME_FILE,
        branch=branch,
        other_parcel=other.parcel_id,
        other_loan=other.loan,
        same_borrower=_is_same(row.borrower, other.borrower),
        maybe_own=False,
    )


def _is_same(one: str | None, other: str | None) -> bool | None:
    return None if one is None or other is None else one == other


def _timed(row: _Own, span: tuple[dt.date, dt.date | None], pair: SharedGround, **who: Any) -> Finding | None:
    """The finding; None where the two pledges are never in force at once."""
    common = shared_time((row.pledged_from, row.ends_on), span)
    if common is None:
        return None
    start, end = common
    east, north = pair.moved_m or (None, None)
    return Finding(
        parcel_id=row.parcel_id,
        kind=pair.kind,
        area_m2=pair.area_m2,
        area_mu=pair.area_m2 / MU_M2,
        share_frac=pair.first_frac,
        other_frac=pair.second_frac,
        width_m=pair.width_m,
        moved_east_m=east,
        moved_north_m=north,
        datum=pair.datum,
        shared_from=start.isoformat(),
        shared_to=None if end is None else end.isoformat(),
        **who,
    )


def shared_time(
    one: tuple[dt.date, dt.date | None], other: tuple[dt.date, dt.date | None]
) -> tuple[dt.date, dt.date | None] | None:
    """First day on which two pledges both hold, and the first on which one no longer does; None where there is none.

    A pledge holds from its first day on, and no longer on its last: one that begins when another ends meets it never.
    """
    start = max(one[0], other[0])
    end = min((day for day in (one[1], other[1]) if day is not None), default=None)
    return None if end is not None and end <= start else (start, end)


def _overlays(
    registry: LoanRegistry, rows: Sequence[_Own], outlines: Any, asked: Asked
) -> tuple[tuple[OverlayShare, ...], tuple[str, ...]]:
    """Shares of the parcels in the layers in force, and the layers asked."""
    boxes = shapely.bounds(outlines) if len(rows) <= FEW_PARCELS else shapely.total_bounds(outlines)[None, :]
    shares, layers = [], []
    for layer, geometries in registry.layers_near(f"{asked.day:%Y-%m}", boxes):
        layers.append(f"{layer.name} ({layer.source}, {layer.month})")
        polygons = _outlines(geometries)
        tree = shapely.STRtree(polygons)
        for row in rows:
            met = polygons[np.sort(tree.query(row.geometry, predicate="intersects"))]
            area_m2 = common_area(row.geometry, met) if len(met) else 0.0
            if area_m2 < asked.params.min_overlap_mu * MU_M2:
                continue
            shares.append(
                OverlayShare(
                    parcel_id=row.parcel_id,
                    layer=layer.name,
                    source=layer.source,
                    month=layer.month,
                    area_m2=area_m2,
                    area_mu=area_m2 / MU_M2,
                    share_frac=min(area_m2 / row.area_m2, 1.0),
                )
            )
    return tuple(shares), tuple(layers)
