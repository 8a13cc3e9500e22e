"""A PostgreSQL cluster of its own with PostGIS, on a free port of loopback.

PostgreSQL refuses to run as root, so as root everything of it runs as the user ``postgres``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from servers.nginx import free_port, wait_for_port

USER = "postgres"
START_SECONDS = 60
MEMORY = "/dev/shm"  # noqa: S108


class Postgres:
    """``with Postgres(folder) as server: server.dsn()``; the log goes to the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Not in the folder given: the other user could not walk to it. In memory it is quicker besides.
        self._cluster = Path(tempfile.mkdtemp(prefix="pg", dir=MEMORY if Path(MEMORY).is_dir() else None))
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def dsn(self, database: str = "postgres", driver: str = "postgresql") -> str:
        """Address of a database of the cluster."""
        return f"{driver}://{USER}@127.0.0.1:{self.port}/{database}"

    def close(self) -> None:
        """Stop the server and remove the cluster."""
        if self._process is not None:
            self._process.send_signal(2)  # fast shutdown
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        # By a program: what Python removes by itself must lie below tmp_path (tests/conftest.py).
        subprocess.run(["rm", "-rf", str(self._cluster)], check=False)

    def _start(self) -> None:
        data = self._cluster / "data"
        if os.geteuid() == 0:
            shutil.chown(self._cluster, USER)
        init = [program("initdb"), "-D", str(data), "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(as_user([*init, "--locale=C"]), check=True, capture_output=True, cwd="/")
        self.port = free_port()
        off = [f"-c{name}=off" for name in ("fsync", "synchronous_commit", "full_page_writes")]
        place = ["-D", str(data), "-h", "127.0.0.1", "-p", str(self.port), "-k", str(data)]
        with (self._folder / "postgres.log").open("wb") as file:
            self._process = subprocess.Popen(
                as_user([program("postgres"), *place, *off]), stdout=file, stderr=file, cwd="/"
            )
        wait_for_port(self.port, self._process, START_SECONDS)
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(
            as_user([program("pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]), capture_output=True, cwd="/"
        ).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL does not accept connections")
            time.sleep(0.05)


def program(name: str) -> str:
    """Path of a program of the newest PostgreSQL, which Debian keeps off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3]))
    path = str(found[-1]) if found else shutil.which(name)
    assert path, f"{name} of PostgreSQL is not installed"
    return path


def as_user(command: Sequence[str]) -> list[str]:
    """The command as a user that PostgreSQL agrees to run as."""
    return (
        ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", *command]
        if os.geteuid() == 0
        else list(command)
    )
