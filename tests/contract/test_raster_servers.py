"""Windows through real servers, nginx and moto's S3: the same pixels as from disk, and nothing asked twice."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import urllib3
from affine import Affine
from servers.clock import FakeClock
from servers.faults import Asked, FaultServer, Reply, folder_upstream
from servers.latency import Latency
from servers.moto import Moto
from servers.nginx import Nginx

from geocollateral.sources.raster import Access, AccessParams, RasterRead, WindowRequest, read_windows, s3, window_cost
from geocollateral.types import ReadCost

SIDE = 300
WINDOWS = [(slice(0, 70), slice(10, 90)), (slice(100, 300), slice(150, 151)), (slice(0, 300), slice(0, 300))]
FILES = {
    "cog.tif": {"driver": "COG", "compress": "DEFLATE", "predictor": "YES", "blocksize": 64},
    "plain.tif": {"driver": "GTiff", "tiled": True, "blockxsize": 64, "blockysize": 64},
    "late.tif": {"driver": "GTiff", "compress": "ZSTD", "blockysize": 16},
    "a.jp2": {"driver": "JP2OpenJPEG", "QUALITY": 100, "REVERSIBLE": "YES"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rasters")
    values = np.random.default_rng(3).integers(0, 5000, (1, SIDE, SIDE)).astype(np.uint16)
    for name, options in FILES.items():
        with rasterio.open(
            folder / name, "w", width=SIDE, height=SIDE, count=1, dtype="uint16", crs="EPSG:32650",
            transform=Affine(10, 0, 5e5, 0, -10, 4e6), **({} if name.endswith("jp2") else {"nodata": 0}), **options,
        ) as dataset:  # fmt: skip
            dataset.write(values)
    with rasterio.open(folder / "late.tif", "r+") as dataset:
        dataset.update_tags(long="x" * 40_000)  # the header moves to the end of the file
    return folder


@pytest.fixture(scope="module")
def nginx(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with Nginx(folder, tmp_path_factory.mktemp("nginx")) as server:
        yield server


def requests_of(where: str, version: str = "1") -> list[WindowRequest]:
    return [
        WindowRequest(key=(name, i), href=f"{where}/{name}", version=version, window=window)
        for name in FILES
        for i, window in enumerate(WINDOWS)
    ]


def require_same(reads: list[RasterRead], folder: Path) -> None:
    """All ok, and bit for bit what is on the disk."""
    wanted = read_windows(requests_of(str(folder)), Access(folders=(folder,)))
    for found, clean in zip(reads, wanted, strict=True):
        assert (found.status, found.key) == ("ok", clean.key), found.reason
        np.testing.assert_array_equal(found.array, clean.array)
        np.testing.assert_array_equal(found.mask, clean.mask)
        assert found.provenance.sha256 == clean.provenance.sha256
        assert found.provenance.driver == clean.provenance.driver


@pytest.mark.nginx
def test_same_pixels_by_ranges_and_a_second_run_asks_for_nothing(nginx: Nginx, folder: Path, tmp_path: Path) -> None:
    """Done when: a second run reads nothing it has."""
    access = Access(origins=frozenset({nginx.url}), params=AccessParams(cache_dir=tmp_path / "cache"))
    start = len(nginx.asked())
    reads = read_windows(requests_of(nginx.url), access)
    require_same(reads, folder)
    assert not any(found.provenance.from_cache for found in reads)
    before = len(nginx.asked()) - start
    again = read_windows([replace(r, href=f"{r.href}?sig=new") for r in requests_of(nginx.url)], access)
    require_same(again, folder)
    assert len(nginx.asked()) - start == before > 0
    assert all(found.provenance.from_cache and found.provenance.bytes == 0 for found in again)
    assert all(asked.status == 206 for asked in nginx.asked()[start:])

    for entry in (tmp_path / "cache").glob("??/*"):  # the disk loses a bit of every entry
        data = bytearray(entry.read_bytes())
        data[len(data) // 2] ^= 4
        entry.write_bytes(data)
    require_same(read_windows(requests_of(nginx.url), access), folder)
    assert len(nginx.asked()) - start == 2 * before
    require_same(read_windows(requests_of(nginx.url, version="2"), access), folder)  # a new version is read anew
    assert len(nginx.asked()) - start == 3 * before


@pytest.mark.nginx
def test_the_cost_told_before_is_what_is_transferred(nginx: Nginx, tmp_path: Path) -> None:
    access = Access(origins=frozenset({nginx.url}), params=AccessParams(cache_dir=tmp_path / "cache"))
    requests = [r for r in requests_of(nginx.url) if not r.href.endswith("jp2")]
    cost = window_cost(requests, access)
    before = len(nginx.asked())
    assert (cost.cached_bytes, cost.pixels) == (
        0,
        3 * sum((w[0].stop - w[0].start) * (w[1].stop - w[1].start) for w in WINDOWS),
    )
    reads = read_windows(requests, access)
    assert sum(found.provenance.bytes for found in reads) == cost.bytes
    assert len(nginx.asked()) - before == cost.requests
    after = window_cost(requests, access)
    assert (after.requests, after.bytes) == (0, 0)
    assert 0 < after.cached_bytes <= cost.bytes
    assert window_cost([replace(requests[0], href=f"{nginx.url}/none.tif")], access) == ReadCost()


@pytest.mark.nginx
def test_one_request_for_neighbouring_tiles(nginx: Nginx) -> None:
    """A header by two equal requests (plain http), and all tiles of the window by one, deflate being checked."""
    access = Access(origins=frozenset({nginx.url}))
    before = len(nginx.asked())
    request = WindowRequest(key=1, href=f"{nginx.url}/cog.tif", version="", window=WINDOWS[2])
    [found] = read_windows([request], access)
    asked = nginx.asked()[before:]
    assert found.status == "ok"
    assert [a.range.startswith("bytes=0-") for a in asked] == [True, True, False]
    assert sum(a.bytes_sent for a in asked) == found.provenance.bytes


@pytest.mark.nginx
def test_files_wait_for_the_network_together(nginx: Nginx, folder: Path) -> None:
    """Sixteen files at 60 ms a request: not one after the other."""
    requests = [replace(requests_of("")[0], key=i, version=str(i)) for i in range(16)]
    with Latency(nginx.port, 60) as proxy:
        access = Access(origins=frozenset({proxy.url}))
        start = time.perf_counter()
        reads = read_windows([replace(r, href=f"{proxy.url}/cog.tif") for r in requests], access)
        seconds = time.perf_counter() - start
    assert [found.status for found in reads] == ["ok"] * 16
    assert 0.12 < seconds < 16 * 0.12  # a header and a tile each


def put(server: Moto, bucket: str, folder: Path) -> None:
    """Make a bucket of the files of a folder, by our own signatures."""
    credentials = s3.find_credentials()
    assert credentials is not None
    for name in ("", *FILES):
        body = (folder / name).read_bytes() if name else b""
        url = f"{server.endpoint}/{bucket}{'/' if name else ''}{name}"
        headers = s3.sign(
            "PUT",
            url,
            {"Content-Type": "application/octet-stream"},
            credentials=credentials,
            region="us-east-1",
            now=FakeClock().now(),
            payload_sha256=hashlib.sha256(body).hexdigest(),
        )
        assert urllib3.request("PUT", url, body=body, headers=headers).status == 200


@pytest.mark.s3
def test_same_pixels_from_a_bucket(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A custom endpoint, path style, signed."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")
    with Moto(tmp_path / "moto.log") as server:
        put(server, "imagery", folder)
        params = AccessParams(s3_endpoint=server.endpoint)
        access = Access(origins=frozenset({"s3://imagery"}), params=params)
        reads = read_windows(requests_of("s3://imagery"), access)
        require_same(reads, folder)
        assert "hunter2" not in repr(reads)
        [lacking] = read_windows([replace(requests_of("s3://imagery")[0], href="s3://imagery/none.tif")], access)
    assert (lacking.status, lacking.transient) == ("missing", False)
    assert lacking.reason == "not there (HTTP 404)"


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_requests_in_flight_than_allowed(folder: Path, concurrency: int) -> None:
    files, lock, flying, most = folder_upstream(folder), threading.Lock(), 0, 0

    def slow(asked: Asked) -> Reply:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        time.sleep(0.005)
        with lock:
            flying -= 1
        return files(asked)

    with FaultServer(slow) as server:
        params = AccessParams(concurrency=concurrency)
        access = Access(origins=frozenset({server.url}), params=params)
        reads = read_windows(requests_of(server.url), access, clock=FakeClock())
    require_same(reads, folder)
    assert most == concurrency


def test_a_server_without_ranges_is_missing_unless_the_file_is_small(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "big.tif").write_bytes((folder / "cog.tif").read_bytes() + bytes(1 << 20))
    (tmp_path / "small.tif").write_bytes((folder / "cog.tif").read_bytes())
    files = folder_upstream(tmp_path)

    def whole(asked: Asked) -> Reply:
        return files(replace(asked, headers={}))

    with FaultServer(whole) as server:
        access = Access(origins=frozenset({server.url}))
        requests = [
            WindowRequest(key=name, href=f"{server.url}/{name}.tif", version="", window=WINDOWS[0])
            for name in ("small", "big")
        ]
        small, big = read_windows(requests, access, clock=FakeClock())
    assert small.status == "ok"
    assert (big.status, big.transient) == ("missing", True)
    assert "does not honour byte ranges" in big.reason
