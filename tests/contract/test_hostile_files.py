"""S1: hostile files reach nothing. Each is refused with a reason, in time; no request, no secret, no stray file."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hostile_files import PAYLOADS, Canary, vrt

from geocollateral.errors import InvalidInput
from geocollateral.intake.formats import choose_format
from geocollateral.intake.reading import read_content
from geocollateral.intake.sandbox import child

CANARY_WORD = "canary-7f3a91"
IN_PROCESS_LIMIT = 3_000_000
"""Larger payloads are read by the bounded process only."""


class Trap(ThreadingHTTPServer):
    """A server on loopback that remembers what was asked of it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        trap = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                trap.requests.append(self.path)
                content = f'WKT,secret\n"POINT (1 2)",{CANARY_WORD}\n'.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    server = Trap()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def canary(trap: Trap, tmp_path: Path) -> Canary:
    trap.requests.clear()
    file = tmp_path / "canary.csv"
    file.write_text(f'WKT,secret\n"POINT (1 2)",{CANARY_WORD}\n', encoding="utf-8")
    return Canary(url=f"http://127.0.0.1:{trap.server_port}", file=file, target=tmp_path / "written")


def files_around(canary: Canary, tmp_path_factory: pytest.TempPathFactory) -> set[Path]:
    folders = (canary.file.parent, tmp_path_factory.getbasetemp())
    return {path for folder in folders for path in folder.rglob("*")}


def test_the_corpus_is_large_enough() -> None:
    assert len(PAYLOADS) >= 60
    assert len({name for name, _ in PAYLOADS.values()}) >= 60


@pytest.mark.parametrize("case", PAYLOADS)
def test_s1_hostile_file_is_refused_and_reaches_nothing(
    canary: Canary, trap: Trap, case: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name, make = PAYLOADS[case]
    content = make(canary)
    before = files_around(canary, tmp_path_factory)
    started = time.monotonic()
    with pytest.raises(InvalidInput) as caught:
        read_content(content, name=name)
    assert time.monotonic() - started < 20
    message = str(caught.value)
    assert message.startswith(name), message
    assert len(message) > len(name) + 20, message
    assert len(message) < 5000, message
    assert CANARY_WORD not in message
    assert trap.requests == []
    assert files_around(canary, tmp_path_factory) == before


@pytest.mark.parametrize("case", PAYLOADS)
def test_readers_reach_nothing_even_without_the_process_around_them(canary: Canary, trap: Trap, case: str) -> None:
    """The second wall alone: the same files read in this process, which may open what it likes."""
    name, make = PAYLOADS[case]
    content = make(canary)
    if len(content) > IN_PROCESS_LIMIT or any(word in case for word in ("bomb", "300 MB", "without end")):
        return
    before = set(canary.file.parent.rglob("*"))
    try:
        answer = json.dumps(child.answer(choose_format(content, name), content, name))
    except InvalidInput as exc:
        answer = str(exc)
    assert '"failed"' not in answer, answer
    assert CANARY_WORD not in answer
    assert trap.requests == []
    assert set(canary.file.parent.rglob("*")) == before


@pytest.mark.parametrize("by_http", [False, True])
def test_the_canary_would_be_caught_by_a_reader_without_walls(canary: Canary, trap: Trap, by_http: bool) -> None:
    """What GDAL does with the first payloads when nothing stops it: the corpus is live."""
    path = canary.file.with_name("parcels.geojson")
    path.write_bytes(vrt(f"/vsicurl/{canary.url}/canary.csv" if by_http else str(canary.file)))
    code = "import sys, pyogrio; print(pyogrio.read_dataframe(sys.argv[1]).to_string())"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert CANARY_WORD in done.stdout, done.stderr
    assert bool(trap.requests) == by_http
