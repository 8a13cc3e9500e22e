"""nginx serving a folder by byte ranges on a free port of this machine, with a log of what was asked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

CONFIG = """
daemon off;
{user}
worker_processes 1;
pid {prefix}/nginx.pid;
error_log {prefix}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  types {{ image/tiff tif; image/jp2 jp2; application/json json; }}
  default_type application/octet-stream;
  log_format asked '$status $body_bytes_sent $http_range $request_method $uri';
  access_log {prefix}/access.log asked;
  client_body_temp_path {prefix}/body; proxy_temp_path {prefix}/proxy; fastcgi_temp_path {prefix}/fastcgi;
  uwsgi_temp_path {prefix}/uwsgi; scgi_temp_path {prefix}/scgi;
  sendfile on; tcp_nodelay on; keepalive_timeout 60; keepalive_requests 100000;
  server {{ listen 127.0.0.1:{port} backlog=511; root {folder}; autoindex off; }}
}}
"""


@dataclass(frozen=True)
class Asked:
    """One line of the log."""

    status: int
    bytes_sent: int
    range: str
    """As sent, ``-`` where there was none."""
    method: str
    path: str


@dataclass
class Nginx:
    """A server for as long as the ``with`` block lasts. Needs no root and works as root.

    Parameters
    ----------
    folder
        What is served, at ``/``.
    prefix
        Folder of the server's own for its files, below ``tmp_path`` in a test.
    """

    folder: Path
    prefix: Path
    port: int = field(init=False, default=0)
    _process: subprocess.Popen[bytes] | None = field(init=False, default=None, repr=False)

    @property
    def url(self) -> str:
        """Origin of the server."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.prefix.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        text = CONFIG.format(
            prefix=self.prefix.resolve(),
            folder=self.folder.resolve(),
            port=self.port,
            user="user root;" if os.geteuid() == 0 else "",
        )
        config = self.prefix / "nginx.conf"
        config.write_text(text)
        nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert nginx, "nginx is not installed"
        command = [nginx, "-p", str(self.prefix), "-e", str(self.prefix / "error.log"), "-c", str(config.resolve())]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self._process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10)

    def asked(self) -> list[Asked]:
        """Requests so far, in the order they ended."""
        time.sleep(0.02)  # the line is written after the answer
        lines = (self.prefix / "access.log").read_text().splitlines()
        parts = (line.split(" ", 4) for line in lines)
        return [Asked(int(status), int(sent), span, method, path) for status, sent, span, method, path in parts]


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 10.0) -> None:
    """Wait until a process listens, or fail if it ends before it does."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with {process.returncode} before it listened") from None
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing listens on {port} after {seconds} s") from None
            time.sleep(0.01)
        else:
            return
