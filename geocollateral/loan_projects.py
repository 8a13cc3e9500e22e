"""Loan projects: from a file to the registry and back, portfolios by what they cover, overlays of law and planning.

Returns records of JSON values: what the command line prints and other programs read.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geocollateral.errors import InvalidInput, MissingInput
from geocollateral.intake import COLUMNS, Layer, find_moved, find_shared, merge, union_area
from geocollateral.pledges import Asked, RegistryCheck, shared_time, stated_date, stated_text
from geocollateral.store import (
    LayerEntry,
    LiveQuery,
    LoanEntry,
    LoanRegistry,
    ParcelEntry,
    PledgedParcel,
    ProjectRow,
    RunRow,
    Submission,
    exact_money,
    read_run,
)
from geocollateral.store.artifacts import RUN_FILE
from geocollateral.types import MU_M2, AreaOfInterest

CLAIMS = tuple(column.name for column in COLUMNS if column.name.startswith("claim_"))
"""Columns of a file that the registry keeps with a parcel. The user's own columns may name people, and are not kept."""
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def submission(area: AreaOfInterest, *, branch: str, project: str, day: dt.date) -> Submission:
    """What a file says of a project, as the registry takes it."""
    rows = {str(parcel_id): row for parcel_id, row in area.parcels.to_dict("index").items()}
    return Submission(
        branch=branch,
        project=project,
        parcels=tuple(_parcel(parcel_id, row) for parcel_id, row in rows.items()),
        loans=_loans(rows.values()),
        source_sha256=area.source_sha256,
        day=day,
    )


def added_record(registry: LoanRegistry, given: Submission, at: dt.datetime) -> dict[str, Any]:
    """Enter a project; what was new."""
    done = registry.add_project(given, at)
    return {
        "project": f"P{done.project_id}",
        "name": given.project,
        "branch": given.branch,
        "is_new": done.is_new,
        "parcels": {
            "new": list(done.new),
            "revised": list(done.revised),
            "unchanged": list(done.unchanged),
            "absent": list(done.absent),
        },
        "pledges_changed": list(done.pledges),
        "loans_changed": list(done.loans),
    }


def check_record(found: RegistryCheck, parcels: gpd.GeoDataFrame) -> dict[str, Any]:
    """Verdict, overlaps and overlays of each parcel of a file."""
    columns = {
        str(parcel_id): found.columns(str(parcel_id), float(area_m2))
        for parcel_id, area_m2 in parcels["obs_area_m2"].items()
    }
    return {
        "day": found.day.isoformat(),
        "parcels": columns,
        "overlaps": [vars(finding) for finding in found.findings],
        "overlays": [vars(share) for share in found.overlays],
    }


def list_record(registry: LoanRegistry, day: dt.date, own: str, *, all_branches: bool) -> list[dict[str, Any]]:
    """Projects with the ground they cover, one row each; of other branches than the own one without their names."""
    branch = None if all_branches else own
    covered = {row["project"]: row for row in area_record(registry, day, "project", branch)}
    nothing = {"sum_mu": 0.0, "union_mu": 0.0}
    return [
        {
            "project": f"P{row.project_id}",
            "name": row.name if row.branch == own else None,
            "branch": row.branch,
            "recorded_at": row.recorded_at.isoformat(),
            "parcels": row.n_parcels,
            "live_pledges": row.n_live,
            **{name: covered.get(f"P{row.project_id}", nothing)[name] for name in nothing},
        }
        for row in registry.list_projects(day, branch)
    ]


def show_record(
    registry: LoanRegistry, project_id: int, day: dt.date, branch: str, *, with_names: bool
) -> dict[str, Any]:
    """One project of a branch: its loans, parcels, pledges and runs; names of borrowers only where asked for.

    Raises
    ------
    MissingInput
        The branch has no such project; that another one has is not told.
    """
    row = require_own(registry, project_id, branch)
    pledges = registry.pledges(LiveQuery(day=dt.date.min, project_id=project_id))
    live = [pledge for pledge in pledges if is_live(pledge, day)]
    loans = registry.loans_of(project_id)
    names = registry.borrower_names([loan.borrower for loan in loans if loan.borrower]) if with_names else {}
    return {
        "project": f"P{project_id}",
        "name": row.name,
        "branch": row.branch,
        "recorded_at": row.recorded_at.isoformat(),
        "day": day.isoformat(),
        **_covered(live),
        "loans": [
            {
                "loan": loan.key,
                "borrower": loan.borrower,
                **({"borrower_name": names.get(loan.borrower or "")} if with_names else {}),
                "amount": _money(loan.amount),
                "balance": _money(loan.balance),
                "currency": loan.currency,
                "from": _iso(loan.starts_on),
                "falls_due": _iso(loan.falls_due_on),
                "revision": loan.revision,
            }
            for loan in loans
        ],
        "pledges": [
            {
                "parcel": pledge.parcel,
                "asset_class": pledge.asset_class,
                "area_mu": pledge.area_m2 / MU_M2,
                "revision": pledge.revision,
                "loan": pledge.loan,
                "from": _iso(pledge.pledged_from),
                "to": _iso(pledge.pledged_to),
                "released_on": _iso(pledge.released_on),
                "is_live": is_live(pledge, day),
            }
            for pledge in pledges
        ],
        "runs": [
            {"run_id": run.run_id, "as_of": _iso(run.as_of), "folder": run.folder, "sha256": run.record_sha256}
            for run in registry.runs_of(project_id)
        ],
    }


def require_own(registry: LoanRegistry, project_id: int, branch: str) -> ProjectRow:
    """A project of a branch.

    Raises
    ------
    MissingInput
        The branch has no such project; that another one has is not told.
    """
    row = registry.require_project(project_id)
    if row.branch != branch:
        raise MissingInput(f"There is no project P{project_id}; `geocollateral project list` names those there are.")
    return row


def area_record(registry: LoanRegistry, day: dt.date, by: str, branch: str | None) -> list[dict[str, Any]]:
    """Ground that live pledges cover: the sum of the parcels, and their union, which counts each piece once.

    Parameters
    ----------
    by
        ``project``, ``borrower``, ``branch`` or ``all``.
    branch
        Only of this one; None for all.

    Raises
    ------
    InvalidInput
        ``by`` is another word, or borrowers of all branches are asked for: who borrows where stays in each of them.
    """
    keys: Mapping[str, Callable[[PledgedParcel], str]] = {
        "project": lambda pledge: f"P{pledge.project_id}",
        "borrower": lambda pledge: pledge.borrower or "",
        "branch": lambda pledge: pledge.branch,
        "all": lambda _: "all",
    }
    if by not in keys:
        raise InvalidInput(f"Expected areas by {', '.join(keys)}, got {by!r}.")
    if by == "borrower" and branch is None:
        raise InvalidInput("Borrowers are told within their branch only: ask for one branch, or by branch or project.")
    groups: dict[str, list[PledgedParcel]] = {}
    for pledge in registry.pledges(LiveQuery(day=day, branch=branch)):
        if is_live(pledge, day):
            groups.setdefault(keys[by](pledge), []).append(pledge)
    return [{by: name, **_covered(pledges)} for name, pledges in groups.items()]


def double_pledges(registry: LoanRegistry, asked: Asked) -> list[dict[str, Any]]:
    """Every two pledges of the whole registry that share ground at one time, the largest first.

    Names of parcels, loans and borrowers stay in the registry: projects and branches are told.
    """
    pledges = registry.pledges(LiveQuery(day=asked.day, known_at=asked.known_at))
    outlines = np.empty(len(pledges), dtype=object)
    outlines[:] = [pledge.geometry for pledge in pledges]
    found = []
    for pair in merge(
        find_shared(outlines, None, asked.params), find_moved(outlines, None, asked.shifts, asked.params)
    ):
        one, other = pledges[pair.first], pledges[pair.second]
        common = shared_time((one.pledged_from, one.ends_on), (other.pledged_from, other.ends_on))
        if common is None or _is_one_loan(one, other):
            continue
        east, north = pair.moved_m or (None, None)
        found.append(
            {
                "kind": pair.kind,
                "area_m2": pair.area_m2,
                "area_mu": pair.area_m2 / MU_M2,
                "first": _who(one),
                "second": _who(other),
                "first_frac": pair.first_frac,
                "second_frac": pair.second_frac,
                "width_m": pair.width_m,
                "shared_from": _iso(common[0]),
                "shared_to": _iso(common[1]),
                "moved_east_m": east,
                "moved_north_m": north,
                "datum": pair.datum,
            }
        )
    return sorted(found, key=lambda row: -float(row["area_m2"]))


def link_record(registry: LoanRegistry, project_id: int, folder: Path, at: dt.datetime) -> dict[str, Any]:
    """Note that a result folder is of a project, with the SHA-256 of its ``run.json``.

    Raises
    ------
    MissingInput
        It is no result folder.
    """
    run = read_run(folder)
    digest = hashlib.sha256((folder / RUN_FILE).read_bytes()).hexdigest()
    row = RunRow(
        run_id=str(run["run_id"]),
        as_of=dt.date.fromisoformat(run["as_of"]),
        folder=str(folder.resolve()),
        record_sha256=digest,
    )
    registry.link_run(project_id, row, at)
    return {"project": f"P{project_id}", "run_id": row.run_id, "as_of": run["as_of"], "sha256": digest}


def layer_record(registry: LoanRegistry, layer: Layer, at: dt.datetime, **named: str) -> dict[str, Any]:
    """Enter a layer of law or planning; ``named`` holds its name, source and month.

    Raises
    ------
    InvalidInput
        A name is empty, or the month is none.
    """
    for what in ("name", "source"):
        if not named[what].strip():
            raise InvalidInput(f"Expected a {what} of the layer, got none.")
    if not _MONTH.fullmatch(named["month"]):
        raise InvalidInput(f"Expected the month of the layer as YYYY-MM, got {named['month']!r}.")
    entry = LayerEntry(
        name=named["name"].strip(),
        source=named["source"].strip(),
        month=named["month"],
        source_sha256=layer.source_sha256,
        geometries=layer.polygons,
        attributes=layer.attributes,
    )
    layer_id, is_new = registry.add_layer(entry, at)
    return {"layer": layer_id, "is_new": is_new, "features": len(layer.polygons), "repairs": list(layer.repairs)}


def layers_record(registry: LoanRegistry) -> list[dict[str, Any]]:
    """Layers, one row each."""
    return [
        {
            "layer": row.layer_id,
            "name": row.name,
            "source": row.source,
            "month": row.month,
            "features": row.n_features,
            "recorded_at": row.recorded_at.isoformat(),
            "sha256": row.source_sha256,
        }
        for row in registry.list_layers()
    ]


def read_borrowers(path: Path) -> dict[str, str]:
    """Names of borrowers by the bank's key, from a CSV file with columns ``borrower_id`` and ``name``.

    Raises
    ------
    MissingInput
        There is no such file.
    InvalidInput
        It has other columns, an empty cell, or one key twice.
    """
    if not path.is_file():
        raise MissingInput(f"Table of borrowers {path} does not exist.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if table.fieldnames is None or sorted(table.fieldnames) != ["borrower_id", "name"]:
                raise InvalidInput(f"{path.name}: expected columns borrower_id and name, got {table.fieldnames}.")
            rows = [((row["borrower_id"] or "").strip(), (row["name"] or "").strip()) for row in table]
    except UnicodeDecodeError as exc:
        raise InvalidInput(f"Table of borrowers {path.name} is not UTF-8 text.") from exc
    if any(not key or not name or len(key) > 200 or len(name) > 200 for key, name in rows):
        raise InvalidInput(f"{path.name}: expected a borrower_id and a name in each row, at most 200 characters each.")
    if len(dict(rows)) != len(rows):
        raise InvalidInput(f"{path.name}: expected each borrower_id once.")
    return dict(rows)


def parse_project_id(text: str) -> int:
    """Number of a project id such as ``P12``.

    Raises
    ------
    InvalidInput
        It is none.
    """
    found = re.fullmatch(r"[Pp]?(\d{1,9})", text.strip())
    if found is None:
        raise InvalidInput(f"Expected the id of a project such as P12, got {text!r}.")
    return int(found[1])


def _parcel(parcel_id: str, row: Mapping[Any, Any]) -> ParcelEntry:
    claims = {name: _plain(row.get(name)) for name in CLAIMS}
    return ParcelEntry(
        name=parcel_id,
        geometry=row["geometry"],
        area_m2=float(row["obs_area_m2"]),
        asset_class=str(row["asset_class"]),
        claims={name: value for name, value in claims.items() if value is not None},
        loan=stated_text(row.get("loan_id")),
        pledged_from=stated_date(row.get("loan_pledged_from")) or stated_date(row.get("loan_start")),
        pledged_to=stated_date(row.get("loan_pledged_to")),
    )


def _plain(value: Any) -> str | float | None:
    if value is None or pd.isna(value):
        return None
    if isinstance(value, str):
        return value
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else float(value)


def _loans(rows: Any) -> tuple[LoanEntry, ...]:
    """One entry per loan; a parcel may leave out what another one of the loan states."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        key = stated_text(row.get("loan_id"))
        if key is None:
            continue
        stated = {
            "borrower": stated_text(row.get("loan_borrower_id")),
            "amount": _sum_of(row.get("loan_amount")),
            "balance": _sum_of(row.get("loan_outstanding")),
            "currency": stated_text(row.get("loan_currency")),
            "starts_on": stated_date(row.get("loan_start")),
            "falls_due_on": stated_date(row.get("loan_maturity")),
        }
        found.setdefault(key, dict.fromkeys(stated)).update({k: v for k, v in stated.items() if v is not None})
    return tuple(LoanEntry(key=key, **facts) for key, facts in found.items())


def _sum_of(value: Any) -> Any:
    return None if value is None or pd.isna(value) else exact_money(float(value))


def is_live(pledge: PledgedParcel, day: dt.date) -> bool:
    """Whether a pledge is in force on a day."""
    return pledge.pledged_from <= day and (pledge.ends_on is None or pledge.ends_on > day)


def _covered(pledges: Sequence[PledgedParcel]) -> dict[str, Any]:
    """Sum and union of the ground; a parcel that secures two loans is one parcel."""
    parcels = {(pledge.project_id, pledge.parcel): pledge for pledge in pledges}
    outlines = np.empty(len(parcels), dtype=object)
    outlines[:] = [pledge.geometry for pledge in parcels.values()]
    sum_m2, union_m2 = sum(pledge.area_m2 for pledge in parcels.values()), union_area(outlines)
    return {
        "live_parcels": len(parcels),
        "sum_m2": sum_m2,
        "sum_mu": sum_m2 / MU_M2,
        "union_m2": union_m2,
        "union_mu": union_m2 / MU_M2,
    }


def _who(pledge: PledgedParcel) -> dict[str, str]:
    return {"project": f"P{pledge.project_id}", "branch": pledge.branch}


def _is_one_loan(one: PledgedParcel, other: PledgedParcel) -> bool:
    """Parcels of one loan may lie on each other: that is told when the file is read."""
    return (
        one.branch == other.branch
        and one.loan == other.loan
        and (one.loan is not None or one.project_id == other.project_id)
    )


def _money(value: Any) -> str | None:
    return None if value is None else f"{value:.2f}" if value == round(value, 2) else str(value)


def _iso(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()
