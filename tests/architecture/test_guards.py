"""The guards of conftest.py do guard."""

import os
import socket
import tempfile
import threading
import urllib.request
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest


def test_the_network_is_closed() -> None:
    with pytest.raises(RuntimeError, match=r"loopback only, this one asked for 'example\.org'"):
        socket.create_connection(("example.org", 80), timeout=1)
    with socket.socket() as sock, pytest.raises(RuntimeError, match="192"):
        sock.connect(("192.0.2.1", 80))


def test_libraries_that_go_through_a_proxy_find_none() -> None:
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen("http://example.org", timeout=1)


def test_loopback_is_open(tmp_path: Path) -> None:
    Path("hello.txt").write_text("hello")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/hello.txt", timeout=5) as answer:
            assert answer.read() == b"hello"
        server.shutdown()


def test_relative_paths_land_in_the_tests_own_folder(tmp_path: Path) -> None:
    Path("note.txt").write_text("x")
    assert (tmp_path / "note.txt").exists()
    with tempfile.TemporaryDirectory() as folder:
        assert Path(folder).is_relative_to(tmp_path.parent)


@pytest.mark.parametrize("where", ["repository", "home"])
def test_nothing_is_written_elsewhere(root: Path, where: str) -> None:
    folder = root if where == "repository" else Path.home()
    target = folder / "written-by-a-test"
    with pytest.raises(RuntimeError, match="tests write to tmp_path only"):
        target.write_text("x")
    with pytest.raises(RuntimeError, match="tests write to tmp_path only"):
        target.mkdir()
    with pytest.raises(RuntimeError, match="tests write to tmp_path only"):
        os.open(target, os.O_CREAT | os.O_WRONLY)
    assert not target.exists()


@pytest.mark.chromium
def test_the_browser_knows_only_this_machine(page, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    picture = tmp_path / "page.html"
    picture.write_text("<title>hello</title><img src='http://example.org/x.png'>")
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto(picture.as_uri())
    assert page.title() == "hello"
    assert failed == ["http://example.org/x.png"]
