"""A STAC API on loopback: stac-fastapi-pgstac under uvicorn, on a PostgreSQL cluster of its own with PostGIS.

The cluster is `servers.postgres`'s.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from servers.nginx import free_port, wait_for_port
from servers.postgres import START_SECONDS, USER, Postgres

COUNT = {"context": "on"}
"""Settings of pgstac: every search says how many items it has in all."""


class PgStac:
    """``with PgStac(folder, collections, items) as api: api.url``."""

    def __init__(
        self, folder: Path, collections: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]]
    ) -> None:
        self._folder = folder
        self._collections = collections
        self._items = items
        self._processes: list[subprocess.Popen[bytes]] = []
        self.url = ""

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._database = Postgres(self._folder).__enter__()
        self.port = self._database.port
        try:
            self._load()
            self._start_api()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop both servers and remove the cluster."""
        for process in reversed(self._processes):
            process.send_signal(2)  # uvicorn: graceful
        for process in reversed(self._processes):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        self._database.close()

    def _load(self) -> None:
        """Schema, settings, collections and items."""
        import psycopg
        from pypgstac.db import PgstacDB
        from pypgstac.migrate import Migrate

        place = self._database.dsn()
        with psycopg.connect(place, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION postgis")
        with PgstacDB(dsn=place) as database:
            Migrate(database).run_migration()
        with psycopg.connect(place, autocommit=True, options="-c search_path=pgstac,public") as connection:
            for collection in self._collections:
                connection.execute("SELECT create_collection(%s::jsonb)", (json.dumps(collection),))
            for item in self._items:
                connection.execute("SELECT create_item(%s::jsonb)", (json.dumps(item),))
            for name, value in COUNT.items():
                connection.execute(
                    "INSERT INTO pgstac_settings (name, value) VALUES (%s, %s) "
                    "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (name, value),
                )

    def _start_api(self) -> None:
        port = free_port()
        environment = {
            "PGUSER": USER,
            "PGPASSWORD": "none",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGDATABASE": "postgres",
        }
        application = "stac_fastapi.pgstac.app:create_app"
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "--factory",
            application,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        self._spawn([*command, "--log-level", "warning"], "api.log", environment, port)
        self.url = f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(self.url, timeout=30) as answer:  # noqa: S310 - loopback
            answer.read()

    def _spawn(self, command: Sequence[str], log: str, environment: Mapping[str, str], port: int) -> None:
        with (self._folder / log).open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **environment}, cwd="/")
        self._processes.append(process)
        wait_for_port(port, process, START_SECONDS)
