"""Loan projects in the registry: added, listed, released; nothing is overwritten, and adding twice is adding once."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, Table, and_, func, or_, select, text

from geocollateral.errors import InvalidInput, MissingInput
from geocollateral.store import schema as s
from geocollateral.store.spatial import meets, write_boxes

_ONE_WRITER = 5_160_721
"""Key of the lock that lets one writer at a time add to a PostgreSQL registry, as SQLite does by itself."""


@dataclass(frozen=True, kw_only=True)
class LoanEntry:
    """A loan as a file states it."""

    key: str
    borrower: str | None
    """The bank's own key of the borrower."""
    amount: Decimal | None = None
    balance: Decimal | None = None
    currency: str | None = None
    starts_on: dt.date | None = None
    falls_due_on: dt.date | None = None


@dataclass(frozen=True, kw_only=True)
class ParcelEntry:
    """A parcel as a file states it."""

    name: str
    geometry: shapely.Geometry
    """Polygon in longitude and latitude, WGS 84."""
    area_m2: float
    """Geodesic."""
    asset_class: str
    claims: Mapping[str, Any]
    """JSON values by column of the parcel contract."""
    loan: str | None = None
    pledged_from: dt.date | None = None
    """First day of the pledge; None: as known before, else the day of adding."""
    pledged_to: dt.date | None = None
    """First day on which the pledge is over; None: until released."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What one file says of one project."""

    branch: str
    project: str
    parcels: tuple[ParcelEntry, ...]
    loans: tuple[LoanEntry, ...]
    source_sha256: str
    day: dt.date
    """First day of pledges for which no day is given."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """What adding a file did."""

    project_id: int
    is_new: bool
    new: tuple[str, ...] = ()
    revised: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    """Parcels of the project that the file does not name: they stay as they are."""
    pledges: tuple[str, ...] = ()
    """Parcels whose pledge is new or has new terms."""
    loans: tuple[str, ...] = ()
    """Loans that are new or have new terms."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PledgedParcel:
    """One pledge with the outline in force."""

    project_id: int
    project: str
    branch: str
    parcel: str
    number: int
    """Of the pledge, among those of the parcel."""
    loan: str | None
    borrower: str | None
    pledged_from: dt.date
    pledged_to: dt.date | None
    released_on: dt.date | None
    asset_class: str
    revision: int
    """Of the outline."""
    area_m2: float
    geometry: shapely.Geometry
    source_sha256: str

    @property
    def ends_on(self) -> dt.date | None:
        """First day on which the land is free again; None while that is open."""
        return min((day for day in (self.pledged_to, self.released_on) if day is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class ProjectRow:
    """One project in a list."""

    project_id: int
    branch: str
    name: str
    recorded_at: dt.datetime
    n_parcels: int
    n_live: int
    """Pledges in force on the day asked for."""


@dataclass(frozen=True, kw_only=True)
class LoanRow:
    """The terms of a loan in force."""

    key: str
    borrower: str | None
    amount: Decimal | None
    balance: Decimal | None
    currency: str | None
    starts_on: dt.date | None
    falls_due_on: dt.date | None
    revision: int


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A result folder that belongs to a project."""

    run_id: str
    as_of: dt.date
    folder: str
    record_sha256: str
    """Of its ``run.json``."""


@dataclass(frozen=True, kw_only=True)
class LiveQuery:
    """Which pledges are asked for."""

    day: dt.date
    """Pledges that are over before or on this day are left out; those that begin later are not."""
    known_at: dt.datetime | None = None
    """What was recorded later is not known; None for all that is recorded."""
    project_id: int | None = None
    branch: str | None = None
    boxes: NDArray[np.float64] | None = None
    """Shape (box, 4): those whose box meets one of them [degrees]."""
    like_boxes: NDArray[np.float64] | None = None
    """Shape (box, 4): and those whose box meets one of these, if their area is within ``like_area_m2``."""
    like_area_m2: tuple[float, float] = field(default=(0.0, np.inf))


# ------------------------------------------------------------------------------------------------------------ writing


def add_project(connection: Connection, given: Submission, at: dt.datetime) -> Added:
    """Enter what a file says. The same content again changes nothing; what differs becomes a new revision.

    Raises
    ------
    InvalidInput
        A pledge that was released is given new terms that begin before its release.
    """
    lock(connection)
    branch = _key_id(connection, s.BRANCH, given.branch)
    project, is_new = _project_id(connection, branch, given.project, at)
    loans, changed_loans = _write_loans(connection, branch, given, at)
    ids, fates = _write_parcels(connection, project, given, at)
    pledged = _write_pledges(connection, ids, loans, given, at)
    known = set(connection.execute(select(s.PARCEL.c.name).where(s.PARCEL.c.project_id == project)).scalars())
    return Added(
        project_id=project,
        is_new=is_new,
        new=tuple(name for name, fate in fates.items() if fate == "new"),
        revised=tuple(name for name, fate in fates.items() if fate == "revised"),
        unchanged=tuple(name for name, fate in fates.items() if fate == "unchanged"),
        absent=tuple(sorted(known - set(ids))),
        pledges=pledged,
        loans=changed_loans,
    )


def release(
    connection: Connection, project_id: int, parcel: str, *, loan: str | None, on: dt.date, at: dt.datetime
) -> int:
    """End the pledge of a parcel. Saying the same twice is saying it once.

    Parameters
    ----------
    loan
        Which pledge, where the parcel has several.
    on
        First day on which the land is free.

    Returns
    -------
    Number of the pledge.

    Raises
    ------
    MissingInput
        There is no such pledge.
    InvalidInput
        It is not clear which pledge, the day is before its beginning, or it was released on another day.
    """
    lock(connection)
    own = [
        row
        for row in find_pledges(connection, LiveQuery(day=dt.date.min, project_id=project_id))
        if row.parcel == parcel and (loan is None or row.loan == loan)
    ]
    what = f"parcel {parcel!r}" + (f" for loan {loan!r}" if loan else "")
    if not own:
        raise MissingInput(f"Project P{project_id} has no pledge of {what}.")
    live = [row for row in own if row.released_on is None] or own[-1:]
    if len(live) > 1:
        loans = ", ".join(str(row.loan) for row in live)
        raise InvalidInput(f"{what} is pledged for several loans ({loans}): say which one is released.")
    (pledge,) = live
    if pledge.released_on is not None and pledge.released_on != on:
        raise InvalidInput(f"The pledge of {what} was released on {pledge.released_on}; got {on}.")
    if on < pledge.pledged_from:
        raise InvalidInput(f"The pledge of {what} begins on {pledge.pledged_from}; it cannot be released on {on}.")
    if pledge.released_on is None:
        row = {"parcel_id": _parcel_id(connection, project_id, parcel), "number": pledge.number, "released_on": on}
        connection.execute(s.RELEASE.insert(), {**row, "recorded_at": at})
    return pledge.number


def name_borrowers(connection: Connection, names: Mapping[str, str], at: dt.datetime) -> int:
    """Enter names of borrowers by the bank's key; how many were new or different."""
    lock(connection)
    changed = 0
    for key, name in names.items():
        borrower = _key_id(connection, s.BORROWER, key)
        own = s.BORROWER_NAME.c
        last = connection.execute(
            select(own.revision, own.name).where(own.borrower_id == borrower).order_by(own.revision.desc()).limit(1)
        ).first()
        if last is None or last.name != name:
            revision = 1 if last is None else last.revision + 1
            row = {"borrower_id": borrower, "revision": revision, "name": name, "recorded_at": at}
            connection.execute(s.BORROWER_NAME.insert(), row)
            changed += 1
    return changed


def link_run(connection: Connection, project_id: int, run: RunRow, at: dt.datetime) -> None:
    """Note that a result folder belongs to a project; once, however often it is said."""
    lock(connection)
    own = s.RUN.c
    same = (own.run_id == run.run_id) & (own.project_id == project_id) & (own.record_sha256 == run.record_sha256)
    if connection.execute(select(own.id).where(same)).first() is None:
        row = {
            "run_id": run.run_id,
            "project_id": project_id,
            "as_of": run.as_of,
            "folder": run.folder,
            "record_sha256": run.record_sha256,
            "recorded_at": at,
        }
        connection.execute(s.RUN.insert(), row)


def lock(connection: Connection) -> None:
    """Wait until no other writer is at work."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_WRITER})


# ------------------------------------------------------------------------------------------------------------ reading


def list_projects(connection: Connection, day: dt.date, branch: str | None = None) -> list[ProjectRow]:
    """Projects in the order of their ids, with their pledges in force on a day."""
    n_parcels = (
        select(func.count()).where(s.PARCEL.c.project_id == s.PROJECT.c.id).correlate(s.PROJECT).scalar_subquery()
    )
    asked = (
        select(s.PROJECT.c.id, s.BRANCH.c.key, s.PROJECT.c.name, s.PROJECT.c.recorded_at, n_parcels.label("n"))
        .join(s.BRANCH, s.BRANCH.c.id == s.PROJECT.c.branch_id)
        .order_by(s.PROJECT.c.id)
    )
    if branch is not None:
        asked = asked.where(s.BRANCH.c.key == branch)
    live: dict[int, int] = {}
    for pledge in find_pledges(connection, LiveQuery(day=day, branch=branch)):
        if pledge.pledged_from <= day:
            live[pledge.project_id] = live.get(pledge.project_id, 0) + 1
    return [
        ProjectRow(
            project_id=row.id,
            branch=row.key,
            name=row.name,
            recorded_at=row.recorded_at,
            n_parcels=row.n,
            n_live=live.get(row.id, 0),
        )
        for row in connection.execute(asked)
    ]


def require_project(connection: Connection, project_id: int) -> ProjectRow:
    """One project.

    Raises
    ------
    MissingInput
        There is none of this id.
    """
    asked = (
        select(s.PROJECT.c.id, s.BRANCH.c.key, s.PROJECT.c.name, s.PROJECT.c.recorded_at)
        .join(s.BRANCH, s.BRANCH.c.id == s.PROJECT.c.branch_id)
        .where(s.PROJECT.c.id == project_id)
    )
    row = connection.execute(asked).first()
    if row is None:
        raise MissingInput(f"There is no project P{project_id}; `geocollateral project list` names those there are.")
    return ProjectRow(
        project_id=row.id, branch=row.key, name=row.name, recorded_at=row.recorded_at, n_parcels=0, n_live=0
    )


def find_pledges(connection: Connection, asked: LiveQuery) -> list[PledgedParcel]:
    """Pledges with the outline in force, ordered by project, parcel and number."""
    with _joining_in_bulk(connection, wanted=asked.boxes is None):
        return [PledgedParcel(**row) for row in connection.execute(_pledges(connection, asked)).mappings()]


def loans_of(connection: Connection, project_id: int) -> list[LoanRow]:
    """Loans that parcels of a project secure or secured, with their newest terms."""
    own = s.LOAN_REVISION.c
    asked = (
        select(
            s.LOAN.c.key,
            s.BORROWER.c.key.label("borrower"),
            *(own[name] for name in ("amount", "balance", "currency", "starts_on", "falls_due_on", "revision")),
        )
        .join(s.LOAN_REVISION, own.loan_id == s.LOAN.c.id)
        .outerjoin(s.BORROWER, s.BORROWER.c.id == own.borrower_id)
        .where(own.revision == _newest(s.LOAN_REVISION, None, "loan_id"))
        .where(
            s.LOAN.c.id.in_(
                select(s.PLEDGE.c.loan_id)
                .join(s.PARCEL, s.PARCEL.c.id == s.PLEDGE.c.parcel_id)
                .where(s.PARCEL.c.project_id == project_id)
            )
        )
        .order_by(s.LOAN.c.key)
    )
    return [LoanRow(**row) for row in connection.execute(asked).mappings()]


def runs_of(connection: Connection, project_id: int) -> list[RunRow]:
    """Result folders of a project, in the order they were linked."""
    own = s.RUN.c
    asked = select(own.run_id, own.as_of, own.folder, own.record_sha256).where(own.project_id == project_id)
    return [RunRow(**row) for row in connection.execute(asked.order_by(own.id)).mappings()]


def borrower_names(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    """Newest name of each borrower that has one, by the bank's key."""
    own = s.BORROWER_NAME.c
    asked = (
        select(s.BORROWER.c.key, own.name)
        .join(s.BORROWER_NAME, own.borrower_id == s.BORROWER.c.id)
        .where(own.revision == _newest(s.BORROWER_NAME, None, "borrower_id"), s.BORROWER.c.key.in_(keys))
    )
    return {row.key: row.name for row in connection.execute(asked)}


@contextlib.contextmanager
def _joining_in_bulk(connection: Connection, *, wanted: bool) -> Iterator[None]:
    """Keep PostgreSQL from joining whole tables row by row.

    It believes the newest revisions to be one row in 200, and tables it has not analysed yet to be nearly empty: the
    join took minutes in place of a second.
    """
    if not wanted or connection.dialect.name != "postgresql":
        yield
        return
    connection.execute(text("SET enable_nestloop = off"))
    try:
        yield
    finally:
        connection.execute(text("RESET enable_nestloop"))


def _pledges(connection: Connection, asked: LiveQuery) -> Select[Any]:
    parcel, outline, pledge, free = s.PARCEL.c, s.PARCEL_REVISION.c, s.PLEDGE.c, s.RELEASE.c
    terms, at = s.LOAN_REVISION.c, asked.known_at
    released = and_(free.parcel_id == pledge.parcel_id, free.number == pledge.number)
    in_force = and_(terms.loan_id == pledge.loan_id, terms.revision == _newest(s.LOAN_REVISION, at, "loan_id"))
    if at is not None:
        released = and_(released, free.recorded_at <= at)
    query = (
        select(
            s.PROJECT.c.id.label("project_id"),
            s.PROJECT.c.name.label("project"),
            s.BRANCH.c.key.label("branch"),
            parcel.name.label("parcel"),
            pledge.number,
            s.LOAN.c.key.label("loan"),
            s.BORROWER.c.key.label("borrower"),
            pledge.pledged_from,
            pledge.pledged_to,
            free.released_on,
            outline.asset_class,
            outline.revision,
            outline.area_m2,
            outline.geometry,
            outline.source_sha256,
        )
        .select_from(s.PARCEL_REVISION)
        .join(s.PARCEL, parcel.id == outline.parcel_id)
        .join(s.PROJECT, s.PROJECT.c.id == parcel.project_id)
        .join(s.BRANCH, s.BRANCH.c.id == s.PROJECT.c.branch_id)
        .join(s.PLEDGE, pledge.parcel_id == parcel.id)
        .outerjoin(s.RELEASE, released)
        .outerjoin(s.LOAN, s.LOAN.c.id == pledge.loan_id)
        .outerjoin(s.LOAN_REVISION, in_force)
        .outerjoin(s.BORROWER, s.BORROWER.c.id == terms.borrower_id)
        .where(
            outline.revision == _newest(s.PARCEL_REVISION, at, "parcel_id"),
            pledge.revision == _newest(s.PLEDGE, at, "parcel_id", "number"),
            or_(pledge.pledged_to.is_(None), pledge.pledged_to > asked.day),
            or_(free.released_on.is_(None), free.released_on > asked.day),
        )
        .order_by(s.PROJECT.c.id, parcel.name, pledge.number)
    )
    if asked.project_id is not None:
        query = query.where(s.PROJECT.c.id == asked.project_id)
    if asked.branch is not None:
        query = query.where(s.BRANCH.c.key == asked.branch)
    if asked.boxes is not None:
        near = meets(s.PARCEL_REVISION, asked.boxes, connection.dialect)
        if asked.like_boxes is not None:
            low, high = asked.like_area_m2
            alike = and_(
                outline.area_m2.between(low, high), meets(s.PARCEL_REVISION, asked.like_boxes, connection.dialect)
            )
            near = or_(near, alike)
        query = query.where(near)
    return query


def _newest(table: Table, known_at: dt.datetime | None, *keys: str) -> Any:
    """Number of the newest revision of what a row is a revision of."""
    other = table.alias()
    query = select(func.max(other.c.revision)).where(*(other.c[key] == table.c[key] for key in keys))
    if known_at is not None:
        query = query.where(other.c.recorded_at <= known_at)
    return query.correlate(table).scalar_subquery()


# ------------------------------------------------------------------------------------------------------ parts of adding


def _key_id(connection: Connection, table: Table, key: str) -> int:
    found = connection.execute(select(table.c.id).where(table.c.key == key)).scalar()
    if found is None:
        found = connection.execute(table.insert().values(key=key).returning(table.c.id)).scalar_one()
    return int(found)


def _project_id(connection: Connection, branch: int, name: str, at: dt.datetime) -> tuple[int, bool]:
    own = s.PROJECT.c
    found = connection.execute(select(own.id).where(own.branch_id == branch, own.name == name)).scalar()
    if found is not None:
        return int(found), False
    row = {"branch_id": branch, "name": name, "recorded_at": at}
    return int(connection.execute(s.PROJECT.insert().values(row).returning(own.id)).scalar_one()), True


def _parcel_id(connection: Connection, project_id: int, name: str) -> int:
    own = s.PARCEL.c
    return int(connection.execute(select(own.id).where(own.project_id == project_id, own.name == name)).scalar_one())


def _write_loans(
    connection: Connection, branch: int, given: Submission, at: dt.datetime
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Ids of the loans by key, and the keys of those that are new or have new terms."""
    own = s.LOAN.c
    ids = {row.key: int(row.id) for row in connection.execute(select(own.key, own.id).where(own.branch_id == branch))}
    last = _newest_rows(connection, s.LOAN_REVISION, "loan_id", list(ids.values()))
    changed, rows = [], []
    for loan in given.loans:
        if loan.key not in ids:
            row = {"branch_id": branch, "key": loan.key}
            ids[loan.key] = int(connection.execute(s.LOAN.insert().values(row).returning(own.id)).scalar_one())
        before = last.get(ids[loan.key])
        terms = _terms(connection, loan)
        if before is not None:  # what a file does not state stays as it was
            terms = {name: getattr(before, name) if value is None else value for name, value in terms.items()}
        if before is None or any(getattr(before, name) != value for name, value in terms.items()):
            revision = 1 if before is None else before.revision + 1
            source = {"source_sha256": given.source_sha256, "recorded_at": at}
            rows.append({"loan_id": ids[loan.key], "revision": revision, **terms, **source})
            changed.append(loan.key)
    if rows:
        connection.execute(s.LOAN_REVISION.insert(), rows)
    return ids, tuple(changed)


def _terms(connection: Connection, loan: LoanEntry) -> dict[str, Any]:
    return {
        "borrower_id": None if loan.borrower is None else _key_id(connection, s.BORROWER, loan.borrower),
        "amount": loan.amount,
        "balance": loan.balance,
        "currency": loan.currency,
        "starts_on": loan.starts_on,
        "falls_due_on": loan.falls_due_on,
    }


def _newest_rows(connection: Connection, table: Table, key: str, ids: Sequence[int]) -> dict[int, Any]:
    """Newest revision of each id, by id."""
    found: dict[int, Any] = {}
    for some in _batches(ids):
        asked = select(table).where(table.c[key].in_(some), table.c.revision == _newest(table, None, key))
        found.update((int(getattr(row, key)), row) for row in connection.execute(asked))
    return found


def _batches(ids: Sequence[int], size: int = 500) -> Iterator[Sequence[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _write_parcels(
    connection: Connection, project: int, given: Submission, at: dt.datetime
) -> tuple[dict[str, int], dict[str, str]]:
    """Ids of the file's parcels by name, and what became of each: ``new``, ``revised`` or ``unchanged``."""
    own = s.PARCEL.c
    known = {
        row.name: int(row.id) for row in connection.execute(select(own.name, own.id).where(own.project_id == project))
    }
    fresh = [entry.name for entry in given.parcels if entry.name not in known]
    if fresh:
        added = connection.execute(
            s.PARCEL.insert().returning(own.id, sort_by_parameter_order=True),
            [{"project_id": project, "name": name} for name in fresh],
        )
        known.update(zip(fresh, map(int, added.scalars()), strict=True))
    ids = {entry.name: known[entry.name] for entry in given.parcels}
    revisions = s.PARCEL_REVISION.c
    asked = (
        select(revisions.parcel_id, revisions.revision, revisions.content_sha256)
        .join(s.PARCEL, own.id == revisions.parcel_id)
        .where(own.project_id == project, revisions.revision == _newest(s.PARCEL_REVISION, None, "parcel_id"))
    )
    last = {int(row.parcel_id): row for row in connection.execute(asked)}
    fates, rows = {}, []
    for entry in given.parcels:
        before, content = last.get(ids[entry.name]), _content_sha256(entry)
        if before is not None and before.content_sha256 == content:
            fates[entry.name] = "unchanged"
            continue
        fates[entry.name] = "new" if before is None else "revised"
        rows.append(
            {
                "parcel_id": ids[entry.name],
                "revision": 1 if before is None else before.revision + 1,
                "geometry": entry.geometry,
                "area_m2": entry.area_m2,
                "asset_class": entry.asset_class,
                "claims": dict(entry.claims),
                "content_sha256": content,
                "source_sha256": given.source_sha256,
                "recorded_at": at,
            }
        )
    if rows:
        written = connection.execute(
            s.PARCEL_REVISION.insert().returning(revisions.id, sort_by_parameter_order=True), rows
        )
        numbers = list(map(int, written.scalars()))
        write_boxes(connection, s.PARCEL_REVISION, numbers, [row["geometry"] for row in rows])  # type: ignore[misc]
    return ids, fates


def _content_sha256(entry: ParcelEntry) -> str:
    """Of what a parcel is: the same outline drawn from another corner, or columns in another order, are the same."""
    outline = shapely.to_wkb(shapely.normalize(entry.geometry), byte_order=1)
    claims = json.dumps(dict(entry.claims), sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(b"\0".join([outline, entry.asset_class.encode(), claims.encode()])).hexdigest()


def _write_pledges(
    connection: Connection, ids: Mapping[str, int], loans: Mapping[str, int], given: Submission, at: dt.datetime
) -> tuple[str, ...]:
    """Enter what is new of the pledges; names of their parcels."""
    own = s.PLEDGE.c
    before: dict[int, list[Any]] = {}
    for some in _batches(list(ids.values())):
        asked = (
            select(s.PLEDGE, s.RELEASE.c.released_on)
            .outerjoin(s.RELEASE, and_(s.RELEASE.c.parcel_id == own.parcel_id, s.RELEASE.c.number == own.number))
            .where(own.parcel_id.in_(some), own.revision == _newest(s.PLEDGE, None, "parcel_id", "number"))
            .order_by(own.parcel_id, own.number)
        )
        for row in connection.execute(asked):
            before.setdefault(int(row.parcel_id), []).append(row)
    rows, names = [], []
    for entry in given.parcels:
        loan = None if entry.loan is None else loans[entry.loan]
        told = _pledge_row(entry, loan, before.get(ids[entry.name], []), given.day)
        if told is not None:
            rows.append({"parcel_id": ids[entry.name], "recorded_at": at, **told})
            names.append(entry.name)
    if rows:
        connection.execute(s.PLEDGE.insert(), rows)
    return tuple(names)


def _pledge_row(entry: ParcelEntry, loan: int | None, before: Sequence[Any], day: dt.date) -> dict[str, Any] | None:
    """The row to enter for a parcel's pledge; None where all of it is known."""
    # 1. A pledge for the same loan is that pledge; one for no loan yet becomes the one for the loan now named.
    same = [row for row in before if row.loan_id == loan] or [row for row in before if row.loan_id is None]
    if loan is None:  # a file that names no loan says nothing against the loan that is known
        same = same or list(before)
    if not same:
        number = 1 + max((row.number for row in before), default=0)
        start = entry.pledged_from or day
        return {**_first(number, loan), "pledged_from": start, "pledged_to": entry.pledged_to}
    last = same[-1]
    terms = {
        "loan_id": last.loan_id if loan is None else loan,
        "pledged_from": entry.pledged_from or last.pledged_from,
        "pledged_to": entry.pledged_to or last.pledged_to,
    }
    if all(getattr(last, name) == value for name, value in terms.items()):
        return None
    # 2. After its release a pledge is history: other terms are those of another pledge, which begins later.
    if last.released_on is not None:
        start = entry.pledged_from or day
        if start < last.released_on:
            raise InvalidInput(
                f"The pledge of parcel {entry.name!r} was released on {last.released_on}. A new one begins on or after "
                f"that day, got {start}: give loan_pledged_from, or leave the pledge as it is."
            )
        number = 1 + max(row.number for row in before)
        return {**_first(number, loan), "pledged_from": start, "pledged_to": entry.pledged_to}
    return {"number": last.number, "revision": last.revision + 1, **terms}


def _first(number: int, loan: int | None) -> dict[str, Any]:
    return {"number": number, "revision": 1, "loan_id": loan}
