"""A server of this machine with faults to order, before anything that answers requests.

What stands behind it is an `Upstream`: a function from `Asked` to `Reply`. `folder_upstream` serves files by byte
ranges, `forward_upstream` passes requests on to another server. `FaultServer.order` says which of the coming requests
go wrong, and how; the faults are named in `FAULTS`.
"""

from __future__ import annotations

import datetime as dt
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    """Without query."""
    query: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last byte of the range asked for."""
        value = self.headers.get("Range", "")
        if not value.startswith("bytes="):
            return None
        first, _, last = value.removeprefix("bytes=").partition("-")
        return int(first), int(last)


@dataclass(frozen=True)
class Reply:
    """One answer, before a fault changes it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Upstream = Callable[[Asked], Reply]
Where = Callable[[Asked], bool]

FAULTS = (
    "429 seconds", "429 milliseconds", "429 date", "429 bare", "500", "502", "503", "504", "403 token", "403 quota",
    "404", "refused", "read time-out", "reset", "truncated", "wrong length", "empty", "zeros", "flipped", "wrong range",
)  # fmt: skip


def folder_upstream(folder: Path) -> Upstream:
    """Files of a folder, by ranges as nginx serves them."""

    def answer(asked: Asked) -> Reply:
        path = folder / unquote(asked.path).lstrip("/")
        if not path.is_file():
            return Reply(404, b"not found")
        data = path.read_bytes()
        headers = {"ETag": f'"{path.stat().st_mtime_ns:x}"'}
        if asked.span is None:
            return Reply(200, data, headers)
        first, last = asked.span
        if first >= len(data):
            return Reply(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        last = min(last, len(data) - 1)
        return Reply(206, data[first : last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"})

    return answer


def forward_upstream(origin: str) -> Upstream:
    """What another server of this machine answers."""
    import urllib3

    pool = urllib3.PoolManager()

    def answer(asked: Asked) -> Reply:
        url = f"{origin}{asked.path}{'?' if asked.query else ''}{asked.query}"
        headers = {k: v for k, v in asked.headers.items() if k.lower() not in ("content-length", "connection")}
        got = pool.request(asked.method, url, body=asked.body or None, headers=headers, retries=False, redirect=False)
        dropped = ("content-length", "connection", "transfer-encoding", "date", "server")
        return Reply(got.status, got.data, {k: v for k, v in got.headers.items() if k.lower() not in dropped})

    return answer


@dataclass
class _Order:
    fault: str
    times: int
    where: Where


class FaultServer:
    """A server for as long as the ``with`` block lasts.

    Parameters
    ----------
    upstream
        What answers where nothing goes wrong.
    seed
        Of the bytes that are flipped and the places where answers are cut.
    """

    def __init__(self, upstream: Upstream, seed: int = 0) -> None:
        self.upstream = upstream
        self.asked: list[Asked] = []
        self.silence_seconds = 0.6
        """How long a ``read time-out`` says nothing."""
        self.rng = random.Random(seed)  # noqa: S311
        self._orders: list[_Order] = []
        self._lock = threading.Lock()
        self._switch = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._open: set[socket.socket] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """Origin of the server."""
        return f"http://127.0.0.1:{self.port}"

    def order(self, fault: str, times: int = 1, where: Where = lambda asked: True) -> None:
        """Let the next `times` requests that `where` picks go wrong. Orders are served in turn."""
        assert fault in FAULTS
        with self._lock:
            self._orders.append(_Order(fault, times, where))

    def clear(self) -> None:
        """Forget orders and what was asked, and listen again."""
        with self._lock:
            self._orders.clear()
            self.asked.clear()
        self.resume()

    def __enter__(self) -> Self:
        self.resume()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.pause()

    def resume(self) -> None:
        """Listen, on the same port as before."""
        with self._switch:
            if self._server is not None:
                return
            self._server = _Server(self)
            self.port = self._server.server_port
            threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()

    def pause(self) -> None:
        """Stop listening and break all connections: whoever connects is refused."""
        with self._switch:
            server, self._server = self._server, None
            if server is not None:
                server.shutdown()
                server.server_close()
            for connection in list(self._open):
                _break(connection)

    def _next_fault(self, asked: Asked) -> str | None:
        with self._lock:
            self.asked.append(asked)
            for order in self._orders:
                if order.times > 0 and order.where(asked):
                    order.times -= 1
                    return order.fault
        return None


class _Server(ThreadingHTTPServer):
    def __init__(self, faults: FaultServer) -> None:
        self.faults = faults
        super().__init__(("127.0.0.1", faults.port), _Handler)

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what is tested."""


def _break(connection: socket.socket) -> None:
    """Reset a connection."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.server.faults._open.add(self.connection)

    def finish(self) -> None:
        self.server.faults._open.discard(self.connection)
        super().finish()

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, parts.path, parts.query, dict(self.headers), body)
        fault = self.server.faults._next_fault(asked)
        if fault is None:
            self._send(self.server.faults.upstream(asked))
        else:
            self._go_wrong(fault, asked)

    do_POST = do_GET  # noqa: N815  names of the standard library
    do_PUT = do_GET  # noqa: N815

    def _send(self, reply: Reply, *, announced: int | None = None, sent: int | None = None) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) if announced is None else announced))
        self.end_headers()
        self.wfile.write(reply.body[:sent])
        if announced is not None or sent is not None:
            self.close_connection = True

    def _go_wrong(self, fault: str, asked: Asked) -> None:
        kind, _, detail = fault.partition(" ")
        self.close_connection = fault in ("refused", "reset", "read time-out")
        if kind.isdigit():
            self._send(self._refusal(int(kind), detail))
        elif fault == "refused":
            self.server.faults.pause()
        elif fault == "reset":
            self.wfile.write(b"HTTP/1.1 206 Partial Content\r\nContent-Le")
            self.wfile.flush()
            _break(self.connection)
        elif fault == "read time-out":
            time.sleep(self.server.faults.silence_seconds)
        else:
            self._spoil(fault, self.server.faults.upstream(asked))

    def _refusal(self, status: int, detail: str) -> Reply:
        if status == 429:
            moment = dt.datetime.fromtimestamp(time.time() + 3, dt.UTC)  # noqa: TID251  the server's own clock
            after = {"seconds": "2", "milliseconds": "1500", "date": format_datetime(moment, usegmt=True)}
            return Reply(429, b"too many requests", {"Retry-After": after[detail]} if detail in after else {})
        if detail == "quota":
            return Reply(403, b'{"error": {"message": "Insufficient processing units or requests available"}}')
        return Reply(status, b"AuthenticationFailed" if detail else b"out of order")

    def _spoil(self, fault: str, reply: Reply) -> None:
        size = len(reply.body)
        with self.server.faults._lock:
            place, bit = self.server.faults.rng.randrange(max(size, 1)), self.server.faults.rng.randrange(1, 256)
        if fault == "truncated":
            self._send(reply, announced=size, sent=place)
        elif fault == "wrong length":
            self._send(reply, announced=size + 1 + place if bit % 2 else place)
        elif fault == "empty":
            self._send(Reply(reply.status, b"", reply.headers))
        elif fault == "zeros":
            self._send(Reply(reply.status, bytes(size), reply.headers))
        elif fault == "flipped":
            body = bytearray(reply.body)
            if body:
                body[place] ^= bit
            self._send(Reply(reply.status, bytes(body), reply.headers))
        elif fault == "wrong range":
            kept = {k: v for k, v in reply.headers.items() if k != "Content-Range"}
            turn = max(place, 1)  # turned by nothing it would be no fault
            self._send(Reply(200, reply.body[turn:] + reply.body[:turn], kept))
