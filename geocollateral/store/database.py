"""Open a database of the registry: SQLite in a file, or PostgreSQL with PostGIS by URL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, StatementError

from geocollateral.errors import BrokenData, GeocollateralError, InvalidInput, MissingInput, ServiceUnavailable
from geocollateral.store.migrations import HEAD
from geocollateral.types import Params

WAIT_SECONDS = 30.0
"""How long a writer waits for another one on SQLite."""


class StoreParams(Params):
    """Where the registry is."""

    url: str | None = Field(
        None,
        description="Database of the registry: `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`; the command "
        "line takes `registry.sqlite` in the user's data folder where none is named. Give a password by PGPASSWORD or "
        "a password file, not here.",
    )
    branch: str = Field(
        "main", description="Branch of the bank that this installation works for.", min_length=1, max_length=64
    )


def open_database(url: str, *, create: bool) -> Engine:
    """Engine of a database whose tables are those of this version.

    A SQLite file is made (with ``create``) and migrated by itself. A PostgreSQL database is shared and belongs to
    somebody: it is migrated by `upgrade` only.

    Raises
    ------
    InvalidInput
        The URL is not one, or the tables are of another version.
    MissingInput
        There is no such file, and it is not to be made.
    ServiceUnavailable
        The database does not answer.
    """
    place = parse_url(url)
    if place.get_backend_name() == "sqlite":
        _require_file(place, create=create)
    engine = _engine(place)
    try:
        with translated(engine):
            _bring_up_to_date(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def upgrade(url: str, *, to: str = HEAD) -> None:
    """Make the tables of a database, or bring them to a revision.

    Raises
    ------
    InvalidInput, MissingInput, ServiceUnavailable
        As `open_database`.
    """
    place = parse_url(url)
    if place.get_backend_name() == "sqlite":
        _require_file(place, create=True)
    engine = _engine(place)
    try:
        with translated(engine):
            if _revision(engine) not in (None, *_known()):
                raise InvalidInput(_newer(engine))
            _migrate(engine, to)
    finally:
        engine.dispose()


def parse_url(url: str) -> URL:
    """The URL of a database of a kind we know.

    Raises
    ------
    InvalidInput
        It is not one.
    """
    try:
        place = make_url(url)
    except ArgumentError as exc:
        raise InvalidInput(
            f"Expected store.url like sqlite:///FILE or postgresql+psycopg://HOST/NAME: {_TELL}"
        ) from exc
    if place.drivername in ("sqlite", "sqlite+pysqlite") and place.database and place.database != ":memory:":
        return place
    if place.drivername in ("postgresql", "postgresql+psycopg"):
        return place.set(drivername="postgresql+psycopg")
    raise InvalidInput(
        f"Expected store.url like sqlite:///FILE or postgresql+psycopg://HOST/NAME, got "
        f"{place.render_as_string(hide_password=True)!r}."
    )


_TELL = "what was given could not be read, and is not repeated here, since it may hold a password."


@contextlib.contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Errors of the database as ours."""
    where = engine.url.render_as_string(hide_password=True)
    try:
        yield
    except StatementError as exc:
        raise _translate(exc, where) from exc


def _translate(exc: StatementError, where: str) -> GeocollateralError:
    if isinstance(exc.orig, GeocollateralError):  # a value refused on its way into a column
        return exc.orig
    if isinstance(exc, IntegrityError):
        return BrokenData(f"The registry {where} refused a row: {_first_line(exc)}.")
    if isinstance(exc, OperationalError):
        return ServiceUnavailable(f"The registry {where} did not answer: {_first_line(exc)}.")
    return BrokenData(f"The registry {where} is not as expected: {_first_line(exc)}.")


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection to ask with.

    On SQLite all questions see one state. On PostgreSQL each one does, as by its default; it is spared BEGIN and
    COMMIT, which take as long as the question itself.
    """
    with translated(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            yield connection.execution_options(isolation_level="AUTOCOMMIT")
            return
        with connection.begin():
            yield connection


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction: all of it is kept, or nothing."""
    with translated(engine), engine.connect().execution_options(write=True) as connection, connection.begin():
        yield connection


def _first_line(exc: StatementError) -> str:
    return str(exc.orig).strip().splitlines()[0].rstrip(".") if str(exc.orig).strip() else type(exc.orig).__name__


def _require_file(place: URL, *, create: bool) -> None:
    path = Path(str(place.database))
    if path.is_file():
        return
    if path.exists():
        raise InvalidInput(f"Expected the registry in a file, got {path}, which is not a file.")
    if not create:
        raise MissingInput(f"There is no registry {path}: `geocollateral project add FILE` makes it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # loans of borrowers: nobody else's to read
    except OSError as exc:
        raise ServiceUnavailable(f"Could not make the registry {path}: {exc.strerror or exc}.") from exc


def _engine(place: URL) -> Engine:
    if place.get_backend_name() == "postgresql":
        try:
            return sa.create_engine(place)
        except ModuleNotFoundError as exc:
            raise MissingInput("PostgreSQL needs the package psycopg: pip install 'geocollateral[postgres]'.") from exc
    engine = sa.create_engine(place, connect_args={"timeout": WAIT_SECONDS})

    @event.listens_for(engine, "connect")
    def _set_up(raw: Any, _: object) -> None:
        raw.isolation_level = None  # we begin transactions ourselves, else Python leaves changes of tables out of them
        for pragma in ("foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer that began as a reader would be refused where another one was quicker; this one waits its turn.
        write = connection.get_execution_options().get("write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _bring_up_to_date(engine: Engine) -> None:
    found = _revision(engine)
    if found == HEAD:
        return
    if found not in (None, *_known()):
        raise InvalidInput(_newer(engine))
    if engine.dialect.name == "postgresql":
        stand = "has no tables of the registry" if found is None else f"is of revision {found}, expected {HEAD}"
        raise InvalidInput(
            f"The database {engine.url.render_as_string(hide_password=True)} {stand}: run `geocollateral registry "
            "upgrade` with a role that may make tables."
        )
    _migrate(engine, HEAD)


def _newer(engine: Engine) -> str:
    return (
        f"The registry {engine.url.render_as_string(hide_password=True)} is of revision {_revision(engine)}, which "
        f"this version does not know (it knows up to {HEAD}): use a newer geocollateral."
    )


def _known() -> tuple[str, ...]:
    return tuple(f"{n:04d}" for n in range(1, int(HEAD) + 1))


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(engine: Engine, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "geocollateral.store:migrations")
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)
