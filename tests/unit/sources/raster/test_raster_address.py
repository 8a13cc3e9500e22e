"""S15: what an address from a catalogue may not do."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers.clock import FakeClock
from servers.faults import Asked, FaultServer, Reply

from geocollateral.errors import InvalidInput
from geocollateral.sources.raster import Access, AccessParams, WindowRequest, read_profile, read_windows
from geocollateral.sources.raster.address import RefusedAddress, origin_of, redact, resolve

ACCESS = Access(
    origins=frozenset({"https://data.example", "s3://bucket"}), params=AccessParams(origins=("http://10.0.0.7:8080/",))
)
REFUSED = {
    "another host": "https://evil.example/a.tif",
    "a host that ends alike": "https://data.example.evil.example/a.tif",
    "a host that begins alike": "https://evil-data.example/a.tif",
    "another port": "https://data.example:8443/a.tif",
    "plain http of a listed host": "http://data.example/a.tif",
    "metadata address": "http://169.254.169.254/latest/meta-data/iam",
    "metadata address as a number": "http://2852039166/latest",
    "private address": "http://10.0.0.8:8080/a.tif",
    "loopback": "http://127.0.0.1/a.tif",
    "loopback v6": "http://[::1]/a.tif",
    "credentials": "https://user:hunter2@data.example/a.tif",
    "host as credentials": "https://data.example@evil.example/a.tif",
    "dots": "https://data.example/a/../../b.tif",
    "encoded dots": "https://data.example/a/%2e%2e/b.tif",
    "twice encoded dots": "https://data.example/a/%252e%252e/b.tif",
    "backslashes": "https://data.example\\@evil.example/a.tif",
    "a line end": "https://data.example/a.tif\r\nHost: evil.example",
    "blank": "https://data.example/a .tif",
    "vsi path": "/vsicurl/https://data.example/a.tif",
    "vsi path of an archive": "/vsizip//etc/a.zip/a.tif",
    "file outside": "file:///etc/passwd",
    "plain file outside": "/etc/passwd",
    "file of another machine": "file://server/share/a.tif",
    "relative path": "a.tif",
    "scheme": "ftp://data.example/a.tif",
    "gdal subdataset": "GTIFF_DIR:1:/etc/passwd",
    "gdal wms": "<GDAL_WMS></GDAL_WMS>",
    "data": "data:image/tiff;base64,AAAA",
    "another bucket": "s3://other/a.tif",
    "no host": "https:///a.tif",
    "port that is none": "https://data.example:port/a.tif",
    "empty": "",
}


@pytest.mark.parametrize("href", REFUSED.values(), ids=REFUSED.keys())
def test_refused_before_any_request(href: str) -> None:
    with pytest.raises(RefusedAddress, match=r"^refused: "):
        resolve(href, ACCESS)
    [read] = read_windows([request(href)], ACCESS)
    assert (read.status, read.transient, read.provenance.bytes) == ("missing", False, 0)
    assert read.reason.startswith("refused: ")
    assert not read.mask.any()
    assert "hunter2" not in read.reason + repr(read.provenance)


def request(href: str) -> WindowRequest:
    return WindowRequest(key=href, href=href, version="", window=(slice(0, 4), slice(0, 4)))


@pytest.mark.parametrize(
    ("href", "public", "origin"),
    [
        ("https://data.example/a.tif?sig=x", "https://data.example/a.tif", "https://data.example"),
        ("https://DATA.example:443/a.tif", "https://DATA.example:443/a.tif", "https://data.example"),
        ("http://10.0.0.7:8080/b..c.tif", "http://10.0.0.7:8080/b..c.tif", "http://10.0.0.7:8080"),
        ("s3://bucket/k/a.tif", "s3://bucket/k/a.tif", "s3://bucket"),
    ],
)
def test_allowed(href: str, public: str, origin: str) -> None:
    address = resolve(href, ACCESS)
    assert (address.public, address.origin) == (public, origin)


def test_files_lie_in_the_folders_allowed_links_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "a.tif").write_bytes(b"x")
    (inside / "link.tif").symlink_to(outside / "a.tif")
    (tmp_path / "entry").symlink_to(inside)
    access = Access(folders=(tmp_path / "entry",))
    for good in (str(inside / "a.tif"), f"file://{inside}/a.tif", f"file://localhost{inside}/a.tif"):
        assert resolve(good, access).url == str(inside / "a.tif")
    for bad in (outside / "a.tif", inside / "link.tif", f"{inside}/../out/a.tif", f"file://{inside}/%2e%2e/out/a.tif"):
        with pytest.raises(RefusedAddress):
            resolve(str(bad), access)


def test_redirects_stay_on_the_list() -> None:
    hits: list[str] = []

    def answer(asked: Asked) -> Reply:
        hits.append(asked.path)
        return Reply(302, b"", {"Location": targets[asked.path]})

    with FaultServer(answer) as listed, FaultServer(answer) as unlisted:
        targets = {
            "/off": f"{unlisted.url}/never",
            "/file": "file:///etc/passwd",
            "/metadata": "http://169.254.169.254/latest",
            "/round": "/round",
        }
        access = Access(origins=frozenset({listed.url}))
        reads = read_windows([request(f"{listed.url}{path}") for path in targets], access, clock=FakeClock())
        assert not unlisted.asked
    assert [read.status for read in reads] == ["missing"] * 4
    assert all("redirect" in read.reason for read in reads)
    assert hits.count("/off") == 2  # the twins of a header over plain http; nothing was tried again


def test_a_profile_says_why_it_refuses() -> None:
    with pytest.raises(InvalidInput, match="not among the origins allowed"):
        read_profile("https://evil.example/a.tif?sig=secret", "", ACCESS)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h.example/a?sig=1#f", "https://h.example/a"),
        ("s3://b/k", "s3://b/k"),
        ("/a/b.tif", "/a/b.tif"),
        ("https://h.example", "https://h.example"),
    ],
)
def test_messages_hold_no_secrets(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_origins_are_told_by_scheme_host_and_port() -> None:
    assert origin_of("HTTPS://Example.org:443/x") == "https://example.org"
    assert origin_of("http://[::1]:8080/x") == "http://[::1]:8080"
