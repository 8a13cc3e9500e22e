"""A STAC API on loopback: stac-fastapi-pgstac under uvicorn, on a PostgreSQL cluster of its own with PostGIS.

The cluster lives in a folder of its own and listens on a free port of loopback. PostgreSQL refuses
to run as root, so as root everything of it runs as the user ``postgres``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from servers.nginx import free_port, wait_for_port

USER = "postgres"
START_SECONDS = 60
MEMORY = "/dev/shm"  # noqa: S108
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
        # Not in the folder given: the other user could not walk to it. In memory it is quicker besides.
        self._cluster = Path(tempfile.mkdtemp(prefix="pg", dir=MEMORY if Path(MEMORY).is_dir() else None))
        try:
            self._start_database()
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
            process.send_signal(2)  # PostgreSQL: fast shutdown; uvicorn: graceful
        for process in reversed(self._processes):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        # By a program: what Python removes by itself must lie below tmp_path (tests/conftest.py).
        subprocess.run(["rm", "-rf", str(self._cluster)], check=False)

    def _start_database(self) -> None:
        data = self._cluster / "data"
        if os.geteuid() == 0:
            shutil.chown(self._cluster, USER)
        init = [_program("initdb"), "-D", str(data), "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(_as_user([*init, "--locale=C"]), check=True, capture_output=True, cwd="/")
        self.port = free_port()
        off = [f"-c{name}=off" for name in ("fsync", "synchronous_commit", "full_page_writes")]
        command = [
            _program("postgres"),
            "-D",
            str(data),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-k",
            str(data),
            *off,
        ]
        self._spawn(_as_user(command), "postgres.log", {}, self.port)
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(
            _as_user([_program("pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]), capture_output=True, cwd="/"
        ).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL does not accept connections")
            time.sleep(0.05)

    def _load(self) -> None:
        """Schema, settings, collections and items."""
        import psycopg
        from pypgstac.db import PgstacDB
        from pypgstac.migrate import Migrate

        place = f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"
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


def _program(name: str) -> str:
    """Path of a program of the newest PostgreSQL, which Debian keeps off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3]))
    path = str(found[-1]) if found else shutil.which(name)
    assert path, f"{name} of PostgreSQL is not installed"
    return path


def _as_user(command: Sequence[str]) -> list[str]:
    return (
        ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", *command]
        if os.geteuid() == 0
        else list(command)
    )
