"""The registry on SQLite and on PostgreSQL with PostGIS: one class of tests for both."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import numpy as np
import psycopg
import pytest
import shapely
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from registry_cases import DAY, LATER, NOW, WEST, pairs_of, parcel, plant, rectangle, submission
from servers.postgres import Postgres
from sqlalchemy.dialects.postgresql.base import ischema_names

from geocollateral.errors import BrokenData, InvalidInput, MissingInput, ServiceUnavailable
from geocollateral.intake import PledgeParams, find_shared
from geocollateral.store import (
    LayerEntry,
    LiveQuery,
    LoanEntry,
    LoanRegistry,
    RunRow,
    exact_money,
    open_registry,
    projects,
    upgrade,
)
from geocollateral.store.migrations import HEAD
from geocollateral.store.schema import METADATA
from geocollateral.store.spatial import BOXES
from geocollateral.store.values import PostGis

SQUARE = rectangle(0, 0, 100, 100)
ALL = LiveQuery(day=dt.date.min)


# What SQLAlchemy makes of a column's type when it looks at a database: it knows none of PostGIS.
ischema_names["geometry"] = lambda *_, **__: PostGis()


def count(registry: LoanRegistry, *tables: str) -> list[int]:
    with registry.reading() as connection:
        return [connection.execute(sa.text(f"SELECT count(*) FROM {t}")).scalar_one() for t in tables]  # noqa: S608


ROWS = ("project", "loan", "loan_revision", "parcel", "parcel_revision", "pledge", "borrower")


class TestRegistry:
    def test_the_same_file_twice_is_once(self, registry: LoanRegistry) -> None:
        given = submission(parcel("a", SQUARE), parcel("b", rectangle(200, 0, 50, 50)))
        first = registry.add_project(given, NOW)
        before = count(registry, *ROWS)
        again = registry.add_project(given, LATER)
        assert first.new == ("a", "b")
        assert first.is_new
        assert again == dataclasses.replace(first, is_new=False, new=(), unchanged=("a", "b"), pledges=(), loans=())
        assert count(registry, *ROWS) == before == [1, 1, 1, 2, 2, 2, 1]

    def test_an_outline_begun_at_another_corner_is_the_same(self, registry: LoanRegistry) -> None:
        registry.add_project(submission(parcel("a", SQUARE)), NOW)
        ring = list(SQUARE.exterior.coords)[:-1]
        turned = shapely.Polygon(ring[2:] + ring[:2])
        assert registry.add_project(submission(parcel("a", turned)), LATER).unchanged == ("a",)

    def test_a_changed_parcel_is_a_new_revision_and_the_old_one_stays(self, registry: LoanRegistry) -> None:
        registry.add_project(submission(parcel("a", SQUARE, claims={"claim_use": "fir"})), NOW)
        wider = rectangle(0, 0, 130, 100)
        done = registry.add_project(submission(parcel("a", wider, claims={"claim_use": "fir"})), LATER)
        assert done.revised == ("a",)
        assert done.pledges == ()
        (now,) = registry.pledges(ALL)
        (then,) = registry.pledges(LiveQuery(day=DAY, known_at=NOW))
        assert (then.revision, now.revision) == (1, 2)
        assert shapely.equals(then.geometry, SQUARE)
        assert shapely.equals(now.geometry, wider)
        assert count(registry, "parcel_revision") == [2]

    def test_back_to_the_first_outline_is_a_third_revision(self, registry: LoanRegistry) -> None:
        for outline in (SQUARE, rectangle(0, 0, 130, 100), SQUARE):
            registry.add_project(submission(parcel("a", outline)), NOW)
        (pledge,) = registry.pledges(ALL)
        assert pledge.revision == 3

    def test_parcels_a_file_leaves_out_stay_and_are_named(self, registry: LoanRegistry) -> None:
        registry.add_project(submission(parcel("a", SQUARE), parcel("b", rectangle(200, 0, 50, 50))), NOW)
        assert registry.add_project(submission(parcel("a", SQUARE)), LATER).absent == ("b",)
        assert {pledge.parcel for pledge in registry.pledges(ALL)} == {"a", "b"}

    def test_names_are_those_of_a_branch(self, registry: LoanRegistry) -> None:
        ids = [registry.add_project(submission(parcel("a", SQUARE), branch=b), NOW).project_id for b in ("n", "s", "n")]
        assert ids[0] == ids[2] != ids[1]
        assert [row.branch for row in registry.list_projects(DAY)] == ["n", "s"]
        assert [row.project_id for row in registry.list_projects(DAY, "s")] == [ids[1]]

    # ---- loans

    @pytest.mark.parametrize("text", ["0.01", "9999999999999.99", "123456789.125", "0.1"])
    def test_money_is_kept_to_the_last_decimal(self, registry: LoanRegistry, text: str) -> None:
        loan = LoanEntry(key="L1", borrower="B", balance=exact_money(float(text)), currency="CNY")
        done = registry.add_project(submission(parcel("a", SQUARE), loans=(loan,)), NOW)
        (row,) = registry.loans_of(done.project_id)
        assert row.balance == Decimal(text)
        assert (row.borrower, row.currency, row.amount) == ("B", "CNY", None)

    def test_a_smaller_balance_is_a_new_revision_of_the_loan(self, registry: LoanRegistry) -> None:
        for balance in ("100.00", "90.50", "90.50"):
            loan = LoanEntry(key="L1", borrower="B", balance=Decimal(balance), currency="CNY", falls_due_on=DAY)
            done = registry.add_project(submission(parcel("a", SQUARE), loans=(loan,)), NOW)
        (row,) = registry.loans_of(done.project_id)
        assert (row.balance, row.revision) == (Decimal("90.50"), 2)
        silent = LoanEntry(key="L1", borrower=None)
        assert registry.add_project(submission(parcel("a", SQUARE), loans=(silent,)), NOW).loans == ()
        assert registry.loans_of(done.project_id) == [row]

    def test_a_sum_without_a_currency_is_refused_whole(self, registry: LoanRegistry) -> None:
        loan = LoanEntry(key="L1", borrower="B", balance=Decimal(1))
        with pytest.raises(BrokenData, match="refused"):
            registry.add_project(submission(parcel("a", SQUARE), loans=(loan,)), NOW)
        assert count(registry, *ROWS) == [0] * len(ROWS)

    def test_a_time_without_a_zone_is_refused(self, registry: LoanRegistry) -> None:
        with pytest.raises(BrokenData, match="time zone"):
            registry.add_project(submission(parcel("a", SQUARE)), NOW.replace(tzinfo=None))

    def test_times_come_back_in_utc(self, registry: LoanRegistry) -> None:
        beijing = dt.timezone(dt.timedelta(hours=8))
        registry.add_project(submission(parcel("a", SQUARE)), NOW.astimezone(beijing))
        (row,) = registry.list_projects(DAY)
        assert row.recorded_at == NOW
        assert row.recorded_at.utcoffset() == dt.timedelta()

    def test_a_borrowers_name_is_apart_and_the_newest_holds(self, registry: LoanRegistry) -> None:
        registry.add_project(submission(parcel("a", SQUARE)), NOW)
        assert registry.name_borrowers({"B-1": "Li Wei"}, NOW) == 1
        assert registry.name_borrowers({"B-1": "Li Wei"}, LATER) == 0
        assert registry.name_borrowers({"B-1": "Li Wei & Sons"}, LATER) == 1
        assert registry.borrower_names(["B-1", "B-2"]) == {"B-1": "Li Wei & Sons"}
        assert "Li Wei" not in repr(registry.pledges(ALL))

    # ---- pledges in time

    def test_a_pledge_begins_on_its_day_or_that_of_adding(self, registry: LoanRegistry) -> None:
        start = dt.date(2024, 5, 1)
        registry.add_project(
            submission(parcel("a", SQUARE, pledged_from=start), parcel("b", rectangle(200, 0, 50, 50))), NOW
        )
        assert [pledge.pledged_from for pledge in registry.pledges(ALL)] == [start, DAY]

    def test_a_pledge_is_over_on_its_last_day(self, registry: LoanRegistry) -> None:
        end = dt.date(2027, 1, 1)
        registry.add_project(submission(parcel("a", SQUARE, pledged_to=end)), NOW)
        assert registry.pledges(LiveQuery(day=end)) == []
        assert len(registry.pledges(LiveQuery(day=end - dt.timedelta(1)))) == 1

    def test_a_released_pledge_is_over_and_still_on_record(self, registry: LoanRegistry) -> None:
        done = registry.add_project(submission(parcel("a", SQUARE)), NOW)
        free = DAY + dt.timedelta(10)
        for _ in range(2):
            assert registry.release(done.project_id, "a", loan=None, on=free, at=LATER) == 1
        assert registry.pledges(LiveQuery(day=free)) == []
        assert len(registry.pledges(LiveQuery(day=free, known_at=NOW))) == 1, "what was not known then"
        assert [row.n_live for row in registry.list_projects(free)] == [0]
        assert registry.add_project(submission(parcel("a", SQUARE)), LATER).pledges == ()
        assert registry.pledges(LiveQuery(day=free)) == [], "the same file does not pledge anew"

    def test_what_cannot_be_released(self, registry: LoanRegistry) -> None:
        project = registry.add_project(submission(parcel("a", SQUARE)), NOW).project_id
        with pytest.raises(MissingInput, match="no project P77"):
            registry.release(77, "a", loan=None, on=DAY, at=NOW)
        with pytest.raises(MissingInput, match="no pledge of parcel 'z'"):
            registry.release(project, "z", loan=None, on=DAY, at=NOW)
        with pytest.raises(InvalidInput, match="begins on"):
            registry.release(project, "a", loan=None, on=DAY - dt.timedelta(1), at=NOW)
        registry.release(project, "a", loan=None, on=DAY, at=NOW)
        with pytest.raises(InvalidInput, match="was released on"):
            registry.release(project, "a", loan=None, on=DAY + dt.timedelta(1), at=NOW)

    def test_after_a_release_the_land_can_be_pledged_again(self, registry: LoanRegistry) -> None:
        project = registry.add_project(submission(parcel("a", SQUARE)), NOW).project_id
        free = DAY + dt.timedelta(10)
        registry.release(project, "a", loan=None, on=free, at=NOW)
        with pytest.raises(InvalidInput, match="give loan_pledged_from"):
            registry.add_project(submission(parcel("a", SQUARE, pledged_to=dt.date(2030, 1, 1))), LATER)
        registry.add_project(submission(parcel("a", SQUARE, pledged_from=free)), LATER)
        assert [(p.number, p.pledged_from) for p in registry.pledges(LiveQuery(day=free))] == [(2, free)]

    def test_two_loans_on_one_parcel_are_two_pledges(self, registry: LoanRegistry) -> None:
        project = registry.add_project(submission(parcel("a", SQUARE)), NOW).project_id
        registry.add_project(submission(parcel("a", SQUARE, loan="L2")), LATER)
        assert [(p.number, p.loan) for p in registry.pledges(ALL)] == [(1, "L1"), (2, "L2")]
        with pytest.raises(InvalidInput, match="several loans"):
            registry.release(project, "a", loan=None, on=DAY, at=LATER)
        assert registry.release(project, "a", loan="L2", on=LATER.date(), at=LATER) == 2

    def test_a_loan_named_later_is_that_of_the_pledge(self, registry: LoanRegistry) -> None:
        registry.add_project(submission(parcel("a", SQUARE, loan=None)), NOW)
        registry.add_project(submission(parcel("a", SQUARE, loan="L1")), LATER)
        registry.add_project(submission(parcel("a", SQUARE, loan=None)), LATER)
        assert [(p.number, p.loan) for p in registry.pledges(ALL)] == [(1, "L1")]

    # ---- space

    def test_boxes_find_what_brute_force_finds(self, registry: LoanRegistry) -> None:
        outlines = plant(150, 20, 20, seed=5).outlines
        registry.add_project(submission(*(parcel(f"{n:04d}", o) for n, o in enumerate(outlines))), NOW)
        for n in range(0, len(outlines), 7):
            bounds = np.array([outlines[n].bounds])
            found = {int(p.parcel) for p in registry.pledges(LiveQuery(day=DAY, boxes=bounds))}
            meeting = {m for m, other in enumerate(outlines) if shapely.intersects(shapely.box(*bounds[0]), other)}
            assert meeting <= found, "an index may give more, never less"
            assert len(found) <= len(meeting) + 4

    def test_outlines_come_back_to_the_last_bit(self, registry: LoanRegistry) -> None:
        ring = shapely.MultiPolygon([SQUARE.difference(rectangle(20, 20, 10, 10)), rectangle(300, 0, 1 / 3, 1 / 7)])
        registry.add_project(submission(parcel("a", ring), parcel("b", SQUARE)), NOW)
        back = registry.pledges(ALL)
        assert shapely.to_wkb(back[0].geometry) == shapely.to_wkb(ring)
        assert back[1].geometry.geom_type == "Polygon"

    def test_planted_overlaps_are_all_found_and_slivers_are_left(self, registry: LoanRegistry) -> None:
        planted = plant(300, 60, 60, seed=11)
        for branch, some in enumerate(np.array_split(np.arange(len(planted.outlines)), 3)):
            entries = (parcel(f"{n:04d}", planted.outlines[n], loan=None) for n in some.tolist())
            registry.add_project(submission(*entries, branch=f"b{branch}"), NOW)
        pledges = registry.pledges(LiveQuery(day=DAY))
        position = [int(p.parcel) for p in pledges]
        outlines = np.empty(len(pledges), dtype=object)
        outlines[:] = [p.geometry for p in pledges]
        found = pairs_of(
            [
                dataclasses.replace(pair, first=position[pair.first], second=position[pair.second])
                for pair in find_shared(outlines, None, PledgeParams())
                if pair.kind != "border_strip"
            ]
        )
        assert planted.overlaps <= found
        assert not planted.slivers & found

    # ---- overlays and runs

    def test_layers_are_added_once_and_the_newest_month_is_in_force(self, registry: LoanRegistry) -> None:
        def layer(month: str, outline: shapely.Geometry, name: str = "red line") -> LayerEntry:
            return LayerEntry(
                name=name,
                source="county",
                month=month,
                source_sha256=month.replace("-", "0") * 8,
                geometries=(outline, rectangle(9000, 0, 10, 10)),
                attributes=({"grade": 1}, {}),
            )

        old, new = layer("2025-01", SQUARE), layer("2026-01", rectangle(50, 0, 100, 100))
        assert [registry.add_layer(given, NOW)[1] for given in (old, new, old)] == [True, True, False]
        registry.add_layer(layer("2026-09", SQUARE, "planned road"), NOW)
        assert [(row.name, row.month, row.n_features) for row in registry.list_layers()] == [
            ("planned road", "2026-09", 2),
            ("red line", "2025-01", 2),
            ("red line", "2026-01", 2),
        ]
        bounds = np.array([SQUARE.bounds])
        for month, expected in (("2024-12", []), ("2025-06", [("2025-01", SQUARE)])):
            found = registry.layers_near(month, bounds)
            assert [(row.month, *outlines) for row, outlines in found] == expected
        ((row, outlines),) = registry.layers_near("2026-03", bounds)
        assert (row.month, len(outlines)) == ("2026-01", 1)

    def test_a_run_is_linked_once(self, registry: LoanRegistry) -> None:
        project = registry.add_project(submission(parcel("a", SQUARE)), NOW).project_id
        run = RunRow(run_id="r1", as_of=DAY, folder="results/r1", record_sha256="b" * 64)
        for _ in range(2):
            registry.link_run(project, run, NOW)
        assert registry.runs_of(project) == [run]
        with pytest.raises(MissingInput):
            registry.link_run(99, run, NOW)

    # ---- faults

    def test_a_fault_half_way_leaves_nothing(self, registry: LoanRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        registry.add_project(submission(parcel("a", SQUARE)), NOW)
        before = count(registry, *ROWS)

        def fail(*_: object) -> None:
            raise RuntimeError("pulled plug")

        monkeypatch.setattr(projects, "_write_pledges", fail)
        with pytest.raises(RuntimeError, match="plug"):
            registry.add_project(submission(parcel("b", SQUARE), project="other"), NOW)
        assert count(registry, *ROWS) == before
        found = registry.pledges(LiveQuery(day=DAY, boxes=np.array([SQUARE.bounds])))
        assert [p.parcel for p in found] == ["a"]

    def test_many_at_once_add_one_file_once(self, registry: LoanRegistry, url: str) -> None:
        given = submission(*(parcel(f"p{n}", rectangle(200 * n, 0, 100, 100)) for n in range(20)))

        def add(_: int) -> int:
            with open_registry(url) as own:
                return own.add_project(given, NOW).project_id

        with ThreadPoolExecutor(6) as pool:
            assert len(set(pool.map(add, range(12)))) == 1
        assert count(registry, *ROWS) == [1, 1, 1, 20, 20, 20, 1]

    # ---- migrations

    def test_migrations_make_the_tables_of_the_models(self, registry: LoanRegistry) -> None:
        with registry.reading() as connection:
            assert differences(connection) == []

    def test_an_older_registry_is_brought_up_with_its_rows(self, url: str, tmp_path: Path) -> None:
        if url.startswith("postgresql"):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        upgrade(url, to="0001")
        engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            assert not sa.inspect(connection).has_table("overlay_layer")
            connection.execute(sa.text("INSERT INTO branch (key) VALUES ('old')"))
        engine.dispose()
        if url.startswith("postgresql"):
            with pytest.raises(InvalidInput, match="registry upgrade"):
                open_registry(url)
            upgrade(url)
        with open_registry(url) as registry:
            assert count(registry, "branch", "overlay_layer") == [1, 0]
            with registry.reading() as connection:
                assert differences(connection) == []

    def test_tables_of_a_newer_version_are_left_alone(self, registry: LoanRegistry, url: str) -> None:
        engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        engine.dispose()
        for attempt in (open_registry, upgrade):
            with pytest.raises(InvalidInput, match="newer geocollateral"):
                attempt(url)


def differences(connection: sa.Connection) -> list[object]:
    """What alembic would change to make the tables those of the models; what PostGIS and R*Tree bring is theirs."""
    own = {f"{name}_box{part}" for name in BOXES for part in ("", "_node", "_rowid", "_parent")}
    own |= {"spatial_ref_sys", *(f"ix_{name}_geometry" for name in BOXES)}

    def is_ours(name: str | None, kind: str, _: object) -> bool:
        return kind not in ("table", "index") or name not in own

    context = MigrationContext.configure(connection, opts={"include_name": is_ours, "compare_type": True})
    return compare_metadata(context, METADATA)


def test_the_revision_named_is_the_newest() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "geocollateral.store:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


@pytest.mark.postgis
def test_the_index_of_postgis_is_used(server: Postgres) -> None:
    with psycopg.connect(server.dsn("made"), autocommit=True) as connection:
        (kind,) = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_parcel_revision_geometry'"
        ).fetchone()
        connection.execute("SET enable_seqscan = off")  # an empty table is read whole else
        box = "geometry && ST_MakeEnvelope(118, 26, 118.001, 26.001, 4326)"
        plan = connection.execute(f"EXPLAIN SELECT id FROM parcel_revision WHERE {box}").fetchall()  # noqa: S608
    assert "USING gist (geometry)" in kind
    assert "ix_parcel_revision_geometry" in str(plan)


class TestPlaces:
    """What a URL may be, and what is said of one that does not work."""

    @pytest.mark.parametrize(
        "url", ["mysql://h/d", "sqlite://", "sqlite:///:memory:", "not a url", "postgresql+asyncpg://h/d"]
    )
    def test_other_urls_are_refused(self, url: str) -> None:
        with pytest.raises(InvalidInput, match=r"Expected store\.url"):
            open_registry(url)

    @pytest.mark.parametrize(
        "url", ["mysql://u:hush-hush@h/d", "postgresql://u:hush-hush@127.0.0.1:1/d", "x u:hush-hush@"]
    )
    def test_a_password_is_never_repeated(self, url: str) -> None:
        with pytest.raises((InvalidInput, ServiceUnavailable)) as caught:
            open_registry(url)
        assert "hush-hush" not in str(caught.value)

    def test_a_database_that_does_not_answer(self) -> None:
        with pytest.raises(ServiceUnavailable, match="did not answer"):
            open_registry("postgresql://u@127.0.0.1:1/d")

    def test_a_file_that_is_not_there_is_not_made_unasked(self, tmp_path: Path) -> None:
        with pytest.raises(MissingInput, match="project add"):
            open_registry(f"sqlite:///{tmp_path / 'none.sqlite'}")
        assert list(tmp_path.iterdir()) == []

    def test_a_file_of_something_else(self, tmp_path: Path) -> None:
        path = tmp_path / "text.sqlite"
        path.write_text("not a database, and long enough to be read as one " * 100)
        with pytest.raises(BrokenData, match="not as expected"):
            open_registry(f"sqlite:///{path}")
        assert path.read_text().startswith("not a database")

    @pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
    def test_the_file_is_the_users_alone(self, tmp_path: Path) -> None:
        open_registry(f"sqlite:///{tmp_path / 'new' / 'registry.sqlite'}", create=True).close()
        assert (tmp_path / "new" / "registry.sqlite").stat().st_mode & 0o077 == 0


ADD_FOR_EVER = """
import sys
sys.path.insert(0, sys.argv[2])
from registry_cases import NOW, parcel, rectangle, submission
from geocollateral.store import open_registry
with open_registry(sys.argv[1], create=True) as registry:
    n = 0
    while True:
        entries = [parcel(f"p{k}", rectangle(200 * k, 0, 100, 100)) for k in range(30)]
        registry.add_project(submission(*entries, project=f"q{n}", branch=sys.argv[3]), NOW)
        print(n, flush=True)
        n += 1
"""


def test_killed_at_any_instant_the_registry_is_whole(tmp_path: Path, root: Path) -> None:
    """Evidence R5: what was told as done is there; of what was not, all or nothing; row and box always together."""
    path, instants = tmp_path / "registry.sqlite", random.Random(5)  # noqa: S311
    open_registry(f"sqlite:///{path}", create=True).close()
    told: dict[str, int] = {}
    for attempt in range(4):
        command = [sys.executable, "-c", ADD_FOR_EVER, f"sqlite:///{path}", str(root / "tests"), f"b{attempt}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(instants.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            told[f"b{attempt}"] = 1 + len(process.stdout.readlines())
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
            assert database.execute("SELECT rtreecheck('parcel_revision_box')").fetchone() == ("ok",)
            sizes = database.execute(
                "SELECT count(*), count(r.id), count(b.id), count(p.id) FROM parcel c "
                "LEFT JOIN parcel_revision r ON r.parcel_id = c.id LEFT JOIN parcel_revision_box b ON b.id = r.id "
                "LEFT JOIN pledge p ON p.parcel_id = c.id"
            ).fetchone()
            assert len(set(sizes)) == 1
            whole = "SELECT count(*) FROM parcel GROUP BY project_id"
            assert {size for (size,) in database.execute(whole)} == {30}
        with open_registry(f"sqlite:///{path}") as registry:
            for branch, least in told.items():
                assert len(registry.list_projects(DAY, branch)) in (least, least + 1)


def test_boxes_are_never_smaller_than_outlines(tmp_path: Path) -> None:
    """R*Tree keeps 32 bits: about a metre at this longitude, rounded outwards."""
    with open_registry(f"sqlite:///{tmp_path / 'r.sqlite'}", create=True) as registry:
        outlines = [rectangle(n * 31.7, n * 17.3, 0.5, 0.5) for n in range(50)]
        registry.add_project(submission(*(parcel(f"{n}", o) for n, o in enumerate(outlines))), NOW)
        with registry.reading() as connection:
            boxes = connection.execute(sa.text("SELECT west, south, east, north FROM parcel_revision_box ORDER BY id"))
            rows = np.array([tuple(row) for row in boxes])
    bounds = shapely.bounds(np.array(outlines, dtype=object))
    assert (rows[:, :2] <= bounds[:, :2]).all()
    assert (rows[:, 2:] >= bounds[:, 2:]).all()
    assert rows[0, 0] > WEST - 0.001
