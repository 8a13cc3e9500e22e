"""A registry without a row, on each database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from servers.postgres import Postgres

from geocollateral.store import LoanRegistry, open_registry, upgrade


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres(tmp_path_factory.mktemp("postgres")) as running:
        with psycopg.connect(running.dsn(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE made")
        upgrade(running.dsn("made"))
        yield running


NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgis)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a new registry without a row."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry.sqlite'}"
    running: Postgres = request.getfixturevalue("server")
    name = f"registry_{next(NUMBERS)}"
    with psycopg.connect(running.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE made")
    return running.dsn(name)


@pytest.fixture
def registry(url: str) -> Iterator[LoanRegistry]:
    with open_registry(url, create=True) as opened:
        yield opened
