"""A search is listed to its end or says that it was not, whatever a service does in between."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

import pytest
from servers.clock import FakeClock
from servers.faults import FAULTS, FaultServer
from servers.pages import Pages

from geocollateral.errors import IncompleteSearch, InvalidInput, MissingInput, ServiceUnavailable
from geocollateral.sources import check_source, open_source
from geocollateral.sources.catalogue.api import ApiCatalogue
from geocollateral.sources.catalogue.documents import DocumentClient
from geocollateral.sources.raster.access import Access, AccessParams
from geocollateral.types import Period

BOX = ((10.0, 50.0, 11.0, 51.0),)
PERIOD = Period(start=dt.date(2023, 5, 1), end=dt.date(2023, 5, 31))
N_ITEMS = 13
N_PAGES = 5


def item(n: int) -> dict[str, Any]:
    grid = {"proj:transform": [10, 0, 600000, 0, -10, 5600000], "proj:shape": [100, 100]}
    return {
        "type": "Feature",
        "id": f"S2A_32UPB_{n:02d}",
        "collection": "sentinel-2-l2a",
        "geometry": None,
        "bbox": [10.0, 50.0, 11.0, 51.0],
        "properties": {
            "datetime": f"2023-05-{n + 1:02d}T10:30:00Z",
            "platform": "sentinel-2a",
            "proj:code": "EPSG:32632",
            "s2:processing_baseline": "05.10",
        },
        "assets": {"red": {"href": f"https://a.example/{n}.tif", **grid}},
    }


ITEMS = [item(n) for n in range(N_ITEMS)]
IDS = [str(i["id"]) for i in ITEMS]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(Pages(ITEMS)) as running:
        yield running


def client_of(server: FaultServer, clock: FakeClock | None = None, **params: Any) -> DocumentClient:
    chosen = AccessParams(**{"read_seconds": 0.3, **params})
    access = Access(origins=frozenset({server.url}), params=chosen)
    return DocumentClient(access, clock or FakeClock(lambda _: server.resume()), random.Random(7))  # noqa: S311


def listed(server: FaultServer, client: DocumentClient | None = None) -> list[str]:
    catalogue = ApiCatalogue(url=server.url)
    found = catalogue.features(BOX, PERIOD, ["sentinel-2-l2a"], client or client_of(server))
    return sorted({str(f["id"]) for f in found})


def on_page(number: int) -> Any:
    """Requests for one page, counted from 0."""
    token = f'"token": {3 * number}'

    def where(asked: Any) -> bool:
        text = asked.body.decode()
        return asked.path == "/search" and (token in text if number else '"token"' not in text)

    return where


def test_all_pages_are_listed(server: FaultServer) -> None:
    assert listed(server) == IDS
    bodies = {asked.body for asked in server.asked if asked.path == "/search"}
    assert len(bodies) == N_PAGES


@pytest.mark.parametrize("page", range(N_PAGES))
@pytest.mark.parametrize(
    "fault", ["503", "404", "500", "429 bare", "truncated", "empty", "reset", "zeros", "403 token"]
)
def test_r16_a_cut_at_any_page_is_an_incomplete_search(server: FaultServer, page: int, fault: str) -> None:
    server.order(fault, times=1000, where=on_page(page))
    refused_at_once = page == 0 and fault in ("404", "403 token")
    with pytest.raises(InvalidInput if refused_at_once else IncompleteSearch):
        listed(server)


@pytest.mark.parametrize("page", [0, 2, 4])
def test_r16_a_service_that_stops_answering_is_an_incomplete_search(server: FaultServer, page: int) -> None:
    server.order("502", times=1000, where=on_page(page))
    clock = FakeClock()
    with pytest.raises(IncompleteSearch, match=f"after {page} pages"):
        listed(server, client_of(server, clock))
    assert sum(clock.slept) <= 300


@pytest.mark.parametrize("page", range(N_PAGES))
def test_r16_a_page_that_comes_at_the_second_try_makes_no_difference(server: FaultServer, page: int) -> None:
    server.order("503", times=1, where=on_page(page))
    assert listed(server) == IDS


def test_r1_no_fault_on_any_page_changes_the_listing_in_silence(server: FaultServer) -> None:
    """Every fault on every page, once or twice: the same listing, or an error."""
    failed: set[str] = set()
    n_same = 0
    server.silence_seconds = 0.1
    for fault in FAULTS:
        for page in range(N_PAGES):
            server.clear()
            server.order(fault, times=1 + page % 2, where=on_page(page))
            try:
                assert listed(server, client_of(server, read_seconds=0.05)) == IDS
                n_same += 1
            except (IncompleteSearch, InvalidInput):
                failed.add(fault)
    # Only what trying again does not change, and a wait of 1,500 seconds (STAC services count in seconds).
    assert failed == {"403 token", "403 quota", "404", "429 milliseconds"}
    assert n_same == (len(FAULTS) - len(failed)) * N_PAGES


def test_r16_fewer_items_than_counted_is_an_incomplete_search(server: FaultServer) -> None:
    server.upstream = Pages(ITEMS, loses=frozenset({IDS[7]}))
    with pytest.raises(IncompleteSearch, match="listed 12 of the 13 items"):
        listed(server)
    # Where a service does not count, a loss cannot be seen: this is the limit of the check.
    server.upstream = Pages(ITEMS, loses=frozenset({IDS[7]}), counted=False)
    assert len(listed(server)) == N_ITEMS - 1


def test_r16_twins_do_not_make_up_for_lost_items(server: FaultServer) -> None:
    server.upstream = Pages(ITEMS, twins=True)
    assert listed(server) == IDS
    server.upstream = Pages(ITEMS, twins=True, loses=frozenset({IDS[7]}))
    with pytest.raises(IncompleteSearch, match="listed 12 of the 13"):
        listed(server)


def test_a_page_too_large_is_asked_for_in_smaller_pages(server: FaultServer) -> None:
    server.upstream = Pages(ITEMS, most=60)
    assert listed(server) == IDS
    server.upstream = Pages(ITEMS, most=5)
    with pytest.raises(IncompleteSearch, match="502"):
        listed(server)


def test_pages_in_a_circle_are_seen(server: FaultServer) -> None:
    server.upstream = Pages(ITEMS, circle=True)
    with pytest.raises(IncompleteSearch, match="circle"):
        listed(server)


def test_a_next_link_off_the_list_is_not_followed(server: FaultServer) -> None:
    def elsewhere(asked: Any) -> Any:
        reply = Pages(ITEMS)(asked)
        other = f"http://127.0.0.1:{server.port}/search".replace("127.0.0.1", "localhost").encode()
        return type(reply)(reply.status, reply.body.replace(f"{server.url}/search".encode(), other), reply.headers)

    server.upstream = elsewhere
    with pytest.raises(IncompleteSearch, match="not among the origins allowed"):
        listed(server)
    assert not [asked for asked in server.asked if asked.headers["Host"].startswith("localhost")]


def test_r2_waits_as_asked_and_gives_up_in_time(server: FaultServer) -> None:
    clock = FakeClock()
    server.order("429 seconds", times=2, where=on_page(1))
    assert listed(server, client_of(server, clock)) == IDS
    assert sum(2 <= wait <= 3.5 for wait in clock.slept) == 2


def test_bounds_of_half_the_globe_are_refused_before_anything_is_asked(server: FaultServer) -> None:
    with pytest.raises(InvalidInput, match="whole archive"):
        ApiCatalogue(url=server.url).features(((-180, -90, 180, 90),), PERIOD, [], client_of(server))
    assert not server.asked


def test_t21_an_area_across_180_degrees_is_asked_for_in_two_boxes(server: FaultServer) -> None:
    source = open_source(f"stac:{server.url}#sentinel-2-l2a")
    server.asked.clear()
    source.search((179.9, -17.0, -179.8, -16.0), PERIOD)
    asked = {a.body.decode().partition('"bbox": ')[2].partition("]")[0] for a in server.asked if a.path == "/search"}
    assert asked == {"[179.9, -17.0, 180.0, -16.0", "[-180.0, -17.0, -179.8, -16.0"}


# ---- the source as a whole


def test_only_the_period_counts_though_more_is_asked_for(server: FaultServer) -> None:
    source = open_source(f"stac:{server.url}#sentinel-2-l2a")
    found = source.search(BOX[0], Period(start=dt.date(2023, 5, 3), end=dt.date(2023, 5, 4)))
    assert [i.id for i in found] == IDS[2:4]
    assert b"2023-05-02T00:00:00Z/2023-05-05T23:59:59Z" in server.asked[-1].body


def test_a_wrong_collection_is_told_when_the_source_is_opened(server: FaultServer) -> None:
    with pytest.raises(MissingInput, match=r"no collection 'landsat'. It has sentinel-2-l2a"):
        open_source(f"stac:{server.url}#landsat")


def test_collections_are_picked_where_none_are_named_or_must_be_named(server: FaultServer) -> None:
    other = [{**item(n), "collection": "landsat-c2-l2"} for n in range(3)]
    server.upstream = Pages([*ITEMS, *other])
    source = open_source(f"stac:{server.url}")
    assert [i.id for i in source.search(BOX[0], PERIOD)] == IDS
    assert b'"collections": ["sentinel-2-l2a"]' in server.asked[-1].body
    server.upstream = Pages(other)
    with pytest.raises(InvalidInput, match=r"after a #: it has none of .* but landsat-c2-l2"):
        open_source(f"stac:{server.url}")


def test_a_service_that_is_down_is_told_when_the_source_is_opened(server: FaultServer) -> None:
    server.pause()
    with pytest.raises(ServiceUnavailable):
        open_source(f"stac:{server.url}#sentinel-2-l2a", AccessParams(attempts=1))


def test_no_service_is_checked_by_raising(server: FaultServer) -> None:
    def verdicts(spec: str) -> dict[str, bool]:
        return {check.name: check.ok for check in check_source(spec, AccessParams(attempts=1))}

    good = f"stac:{server.url}#sentinel-2-l2a"
    assert verdicts(good) == {"reachable": True, "conforms": True, "collection sentinel-2-l2a": True}
    assert verdicts(f"stac:{server.url}#landsat") == {"reachable": True, "conforms": True, "collection landsat": False}
    advice = check_source(f"stac:{server.url}#landsat")[-1].detail
    assert "the service has sentinel-2-l2a" in advice
    server.pause()
    assert verdicts(good) == {"reachable": False}
    assert verdicts("stac:nowhere") == {"reachable": False}


@pytest.mark.parametrize("key", ["", "K"])
def test_credentials_are_looked_at_where_a_service_needs_them(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, key)
    found = {c.name: c for c in check_source("cdse", AccessParams(attempts=1, connect_seconds=0.2))}
    assert found["credentials"].ok == bool(key)
    assert not found["reachable"].ok
    assert "AWS_ACCESS_KEY_ID" in found["credentials"].detail
