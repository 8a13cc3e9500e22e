"""Reliability goal R1 for imagery and tokens: whatever a server does, a read is bit-identical or says that it is
not.
"""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from servers.clock import FakeClock
from servers.faults import FAULTS, Asked, FaultServer, Reply, folder_upstream

from geocollateral.errors import QuotaExceeded
from geocollateral.sources.raster import Access, AccessParams, RasterRead, WindowRequest, read_windows, transport

CODECS = {
    "deflate": {"compress": "DEFLATE", "predictor": 2},
    "none": {},
    "lzw": {"compress": "LZW"},
    "zstd": {"compress": "ZSTD", "predictor": 2},
}
WINDOW = (slice(40, 150), slice(60, 140))
TOKEN = "sig=verysecret"  # noqa: S105
KINDS = ("header", "tile", "token")
SEEDS_PER_CELL = 18
LASTING = frozenset({"404", "403 quota", "429 milliseconds"})
"""What is not tried again. 1500 ms are 1500 s by RFC 9110: longer than may be waited."""


def kind_of(asked: Asked) -> str:
    """Which sort of request it is."""
    if asked.path.startswith("/token/"):
        return "token"
    return "header" if asked.span is not None and asked.span[0] == 0 else "tile"


def with_tokens(folder: Path) -> object:
    """Files under /data for who has a token, and the tokens."""
    files = folder_upstream(folder)

    def answer(asked: Asked) -> Reply:
        if asked.path.startswith("/token/"):
            body = f'{{"msft:expiry": "2099-01-01T00:00:00Z", "token": "{TOKEN}"}}'
            return Reply(200, body.encode(), {"Content-Type": "application/json"})
        if TOKEN not in asked.query:
            return Reply(403, b"AuthenticationFailed")
        return files(replace(asked, path=asked.path.removeprefix("/data")))

    return answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cogs")
    rng = np.random.default_rng(5)
    values = rng.integers(1, 4000, (192, 192)).astype(np.uint16)
    values[:60, :70] = 0
    for name, options in CODECS.items():
        with rasterio.open(
            folder / f"{name}.tif", "w", driver="GTiff", width=192, height=192, count=1, dtype="uint16",
            crs="EPSG:32633", transform=Affine(10, 0, 5e5, 0, -10, 5e6), nodata=0, tiled=True, blockxsize=64,
            blockysize=64, **options,
        ) as dataset:  # fmt: skip
            dataset.write(values, 1)
    return folder


@pytest.fixture(scope="module")
def clean(folder: Path) -> dict[str, RasterRead]:
    """What a read without faults gives."""
    access = Access(folders=(folder,))
    requests = [request_of(name, str(folder)) for name in CODECS]
    return dict(zip(CODECS, read_windows(requests, access), strict=True))


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[FaultServer]:
    with FaultServer(with_tokens(folder), seed=11) as server:  # type: ignore[arg-type]
        yield server


def request_of(name: str, where: str) -> WindowRequest:
    return WindowRequest(key=name, href=f"{where}/{name}.tif", version="1", window=WINDOW)


def access_to(server: FaultServer, **params: object) -> Access:
    chosen = {"concurrency": 4, "read_seconds": 0.4, "connect_seconds": 0.4, **params}
    return Access(
        origins=frozenset({server.url}), signer="planetary-computer", params=AccessParams.model_validate(chosen)
    )


@pytest.fixture(autouse=True)
def endpoint(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PC_SDK_SAS_URL", f"{server.url}/token")
    server.clear()


def outcome_of(read: RasterRead, clean: RasterRead) -> str:
    """What became of a read: as clean, explicitly not, or silently different."""
    same = np.array_equal(read.array, clean.array) and np.array_equal(read.mask, clean.mask)
    if read.status == "ok":
        return "identical" if same else "SILENT"
    return read.status if read.reason else "UNEXPLAINED"


def run_cell(server: FaultServer, clean: dict[str, RasterRead], fault: str, kind: str, seed: int) -> tuple[str, int]:
    """One seeded run: what became of the read, and how often the fault was ordered."""
    rng = random.Random(f"{fault} {kind} {seed}")  # noqa: S311
    name = rng.choice(sorted(CODECS))
    # A silence takes real time: it comes once. Others come once, a few times or for ever.
    times = 1 if fault == "read time-out" else (1, 1, 2, 3, 1000)[seed % 5]
    server.clear()
    server.order(fault, times, lambda asked: kind_of(asked) == kind)
    clock = FakeClock(on_sleep=lambda seconds: server.resume())
    try:
        [read] = read_windows([request_of(name, f"{server.url}/data")], access_to(server), clock=clock, rng=rng)
    except QuotaExceeded:
        return "quota", times
    assert TOKEN not in repr(read)
    assert sum(clock.slept) <= 4 * 300
    return outcome_of(read, clean[name]), times


@pytest.mark.parametrize("kind", KINDS)
def test_r1_no_fault_changes_a_pixel_in_silence(server: FaultServer, clean: dict[str, RasterRead], kind: str) -> None:
    """R1: 20 faults x 3 kinds of request, 1,077 runs in all."""
    counts: Counter[str] = Counter()
    for fault in FAULTS:
        seeds = 2 if fault == "read time-out" else SEEDS_PER_CELL + (1 if FAULTS.index(fault) < 16 else 0)
        for seed in range(seeds):
            outcome, times = run_cell(server, clean, fault, kind, seed)
            counts[outcome] += 1
            assert outcome in ("identical", "missing", "corrupt", "quota"), (fault, kind, seed, outcome)
            lasting = fault in LASTING or (fault, kind) == ("403 token", "token")
            if times == 1 and not lasting:
                assert outcome == "identical", (fault, kind, seed, outcome)  # one fault is got over
            if times == 1000 and fault != "flipped":  # of several tiles, each may come whole in some try
                assert outcome != "identical", (fault, kind, seed)  # the fault was there
    assert sum(counts.values()) >= 350


def test_r1_the_harness_sees_a_silent_difference(
    server: FaultServer, clean: dict[str, RasterRead], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sabotage: without the second question of plain http, flipped bytes of uncompressed tiles come through."""
    real = transport.Transport._try

    def trusting(self, address, start, stop, meter, *, twice):  # type: ignore[no-untyped-def]
        return real(self, address, start, stop, meter, twice=False)

    monkeypatch.setattr(transport.Transport, "_try", trusting)
    server.order("flipped", 1000, lambda asked: kind_of(asked) == "tile")
    outcomes = set()
    for _ in range(20):  # a flipped byte may lie outside the window
        [read] = read_windows([request_of("none", f"{server.url}/data")], access_to(server), clock=FakeClock())
        outcomes.add(outcome_of(read, clean["none"]))
    assert "SILENT" in outcomes


def test_a_wrong_token_is_renewed_once_and_shown_nowhere(
    server: FaultServer, clean: dict[str, RasterRead], caplog: pytest.LogCaptureFixture
) -> None:
    """T: signatures expire in the middle of a run; a refusal that stays is a missing band, not a loop."""
    caplog.set_level("DEBUG")
    requests = [request_of(name, f"{server.url}/data") for name in CODECS]
    server.order("403 token", 1, lambda asked: kind_of(asked) == "tile")
    reads = read_windows(requests, access_to(server), clock=FakeClock())
    assert [outcome_of(read, clean[str(read.key)]) for read in reads] == ["identical"] * 4
    assert sum(kind_of(asked) == "token" for asked in server.asked) == 2

    server.clear()
    server.order("403 token", 1000, lambda asked: kind_of(asked) == "tile")
    [read] = read_windows(requests[:1], access_to(server), clock=FakeClock())
    assert (read.status, read.transient) == ("missing", True)
    assert "403" in read.reason
    assert sum(kind_of(asked) == "tile" for asked in server.asked) == 2 * len(tile_runs(server))
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(reads)


def tile_runs(server: FaultServer) -> set[tuple[int, int] | None]:
    """Different ranges of tiles that were asked for."""
    return {asked.span for asked in server.asked if kind_of(asked) == "tile"}


def test_r2_the_waits_are_what_the_server_asks_for_and_no_more(server: FaultServer) -> None:
    """R2: Retry-After in seconds and as a date is honoured, five tries are the most, the waits are bounded."""
    request = request_of("deflate", f"{server.url}/data")
    for fault, least, most in (("429 seconds", 2.0, 2.5), ("429 date", 1.9, 3.6), ("503", 0.0, 0.5)):
        server.clear()
        server.order(fault, 1, lambda asked: kind_of(asked) == "tile")
        clock = FakeClock()
        [read] = read_windows([request], access_to(server), clock=clock)
        assert read.status == "ok"
        assert len(clock.slept) == 1
        assert least <= clock.slept[0] <= most
    server.clear()
    server.order("503", 1000, lambda asked: kind_of(asked) == "tile")
    [read] = read_windows([request], access_to(server), clock=FakeClock())
    assert (read.status, read.transient, read.provenance.attempts) == ("missing", True, 5)
    assert "HTTP 503, 5 times" in read.reason
    assert sum(kind_of(asked) == "tile" for asked in server.asked) == 5 * len(tile_runs(server))


def test_a_quota_stops_the_run(server: FaultServer) -> None:
    server.order("403 quota", 1, lambda asked: kind_of(asked) == "tile")
    requests = [request_of(name, f"{server.url}/data") for name in CODECS]
    with pytest.raises(QuotaExceeded, match="quota is used up") as caught:
        read_windows(requests, access_to(server), clock=FakeClock())
    assert TOKEN not in str(caught.value)


def test_no_connection_in_time_is_missing(server: FaultServer) -> None:
    """A host that drops what is sent to it: the queue of a listening socket is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listening.getsockname())
        origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        access = Access(
            origins=frozenset({origin}), params=AccessParams(attempts=2, connect_seconds=0.1, read_seconds=0.1)
        )
        [read] = read_windows([request_of("none", origin)], access, clock=FakeClock())
        for sock in waiting:
            sock.close()
    assert (read.status, read.transient) == ("missing", True)
    assert "in time" in read.reason


def test_a_file_replaced_in_the_middle_of_a_read_is_read_anew(
    folder: Path, clean: dict[str, RasterRead], server: FaultServer, tmp_path: Path
) -> None:
    """Header of one file, tiles of another: never a mixture."""
    names = iter(["deflate"] * 2)
    files = folder_upstream(folder)

    def flipping(asked: Asked) -> Reply:
        # The header's two twins come from one file, everything later from the other.
        return files(replace(asked, path=f"/{next(names, 'lzw')}.tif"))

    for upstream, wanted in ((flipping, "identical"), (alternating(files), "corrupt")):
        with FaultServer(upstream) as other:
            access = replace(access_to(other), signer=None)
            [read] = read_windows([request_of("lzw", other.url)], access, clock=FakeClock())
            assert outcome_of(read, clean["lzw"]) == wanted, read.reason
            assert read.transient == (wanted == "corrupt")


def alternating(files: object) -> object:
    """Every header from one file, every tile from another."""

    def answer(asked: Asked) -> Reply:
        name = "deflate" if kind_of(asked) == "header" else "lzw"
        return files(replace(asked, path=f"/{name}.tif"))  # type: ignore[operator, no-any-return]

    return answer
