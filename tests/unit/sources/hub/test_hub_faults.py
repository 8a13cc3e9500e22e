"""Every fault at every kind of request: the answer is the clean one, or says that it is not."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import Any

import numpy as np
import pystac
import pytest
import xarray as xr
from servers.hub_blocks import EVER, QUICK, Opener, block, optical, parcels_of, window
from servers.sentinelhub import FAULTS, SentinelHubServer
from servers.small_catalogue import bounds_of_tiles

from geocollateral.errors import IncompleteSearch, InvalidInput, QuotaExceeded, ServiceUnavailable
from geocollateral.sources.hub.client import HubFault
from geocollateral.sources.hub.reading import fetch_part, plan_reads
from geocollateral.sources.hub.statistics import parcel_series

HASTY = QUICK.model_copy(update={"read_seconds": 0.25})
"""For stalls that take real time."""
JSON_ONLY = ("search", "statistics")
"""Answers without a checksum: a flipped bit is TLS's to find, and plain http is refused but on loopback."""
CELLS = [
    (endpoint, fault)
    for endpoint, fault in itertools.product(("token", "search", "process", "statistics"), FAULTS)
    if fault != "timeout" and not (fault == "flipped" and endpoint in JSON_ONLY)
]
FORMULAS = {"ndvi": "(nir - red) / (nir + red)"}


def same(got: xr.Dataset, clean: xr.Dataset) -> Counter[str]:
    """Check a cube band by band and scene by scene; how many were clean and how many said that they are not."""
    count: Counter[str] = Counter()
    for n, b in np.ndindex(got["status"].shape):
        status, band = str(got["status"].values[n, b]), str(got["band"].values[b])
        count[status] += 1
        nodata = got[band].attrs["nodata"]
        if status == str(clean["status"].values[n, b]):
            assert np.array_equal(got[band].values[n], clean[band].values[n])
        else:
            assert status in ("missing", "corrupt")
            assert got["reason"].values[n, b]
            assert (got[band].values[n] == nodata).all()
    return count


@pytest.fixture
def one(items: list[pystac.Item]) -> Any:
    """A block of two scenes and a few pixels."""
    return block(optical(items)[2:4], window((10, 14), (10, 15)))


def test_r1_flipped_bits_are_seen(hub: SentinelHubServer, opened: Opener, one: Any) -> None:
    """300 seeded flips anywhere in a picture, header and pixels: found, or without effect."""
    rng = random.Random(5)  # noqa: S311
    source = opened(QUICK.model_copy(update={"attempts": 1}))
    part = plan_reads(source.deployment, one, ["red", "scl"])[0].parts[0]
    client = source.client()
    clean = fetch_part(client, None, part)
    assert clean.planes is not None
    seen: Counter[str] = Counter()
    for _ in range(300):
        hub.order("process", "flipped", bit=rng.randrange(1 << 20))
        got = fetch_part(client, None, part)
        seen[got.status] += 1
        if got.status == "ok":
            assert got.planes is not None
            assert all(np.array_equal(got.planes[band], clean.planes[band]) for band in ("red", "scl"))
            assert np.array_equal(got.mask, clean.mask)
        else:
            assert got.status == "corrupt"
            assert got.transient
    assert seen["corrupt"] > 150


def test_r1_no_silent_difference(hub: SentinelHubServer, opened: Opener, one: Any) -> None:
    """With the flips 1,000 seeded runs: every fault, every kind of request, once to more often than anyone tries."""
    rng = random.Random(3)  # noqa: S311
    parcels = parcels_of((20, 30, 24, 34))
    one = block(one.items[:1], one.geobox)
    clean = opened().read(one, ["red", "scl"])
    found = opened().search(bounds_of_tiles(), EVER)
    scenes = [item.id for item in found]
    dates = optical(found)[2:4]
    series = parcel_series(opened().client(), None, parcels, FORMULAS, dates)
    assert len(series) > 0
    outcomes: Counter[str] = Counter()
    runs = [(endpoint, fault, times) for endpoint, fault in CELLS for times in (1, 2, 7)]
    runs += [(*rng.choice(CELLS), rng.randint(1, 3)) for _ in range(700 - len(runs))]
    assert len(runs) >= 700  # and 300 flips below
    for number, (endpoint, fault, times) in enumerate(runs):
        hub.heal()
        hub.order(endpoint, fault, times, bit=rng.randrange(1 << 20))
        source = opened()
        try:
            if endpoint == "search" or (endpoint == "token" and number % 3 == 0):
                assert [item.id for item in source.search(bounds_of_tiles(), EVER)] == scenes
            elif endpoint == "statistics":
                got = parcel_series(source.client(), None, parcels, FORMULAS, dates)
                assert got.equals(series)
            else:
                outcomes.update(same(source.read(one, ["red", "scl"]), clean))
            outcomes["answered"] += 1
        except QuotaExceeded:
            assert fault == "403quota"
            outcomes["quota"] += 1
        except InvalidInput:
            assert endpoint == "token"
            outcomes["credentials"] += 1
        except (IncompleteSearch, ServiceUnavailable):
            outcomes["unavailable"] += 1
    assert min(outcomes[k] for k in ("answered", "quota", "credentials", "unavailable", "ok", "missing", "corrupt")) > 0


@pytest.mark.parametrize("endpoint", ["token", "search", "process"])
@pytest.mark.parametrize("times", [1, 7])
def test_r1_stalls_end(
    hub: SentinelHubServer, opened: Opener, one: Any, endpoint: str, times: int, items: list[pystac.Item]
) -> None:
    clean = opened().read(one, ["red"])
    hub.order(endpoint, "timeout", times)
    try:
        got = opened(HASTY).read(one, ["red"]) if endpoint != "search" else None
        if got is None:
            assert len(opened(HASTY).search(bounds_of_tiles(), EVER)) == len(items)
        else:
            same(got, clean)
    except IncompleteSearch:
        assert times == 7


def test_r2_tries_and_waits_are_bounded(hub: SentinelHubServer, opened: Opener, one: Any) -> None:
    for fault in ("503", "429none", "429ms", "reset", "truncated", "zero"):
        hub.heal()
        hub.log.clear()
        hub.order("process", fault, 100)
        access = QUICK.model_copy(update={"attempts": 5, "concurrency": 1})
        source = opened(access)
        got = source.read(one, ["red"])
        assert (got["status"] != "ok").all()
        assert got["transient"].all()
        assert len(hub.requests("process")) == 2 * 5, fault
        assert source.clock.monotonic() < 300


def test_r2_wait_longer_than_allowed_is_not_waited(hub: SentinelHubServer, opened: Opener, one: Any) -> None:
    hub.order("process", "429ms", 100)  # asks for 1.5 s
    source = opened(QUICK.model_copy(update={"wait_seconds": 1.0, "concurrency": 1}))
    got = source.read(one, ["red"])
    assert (got["status"] == "missing").all()
    assert len(hub.requests("process")) == 2
    assert source.clock.monotonic() < 1.0


def test_r2_other_refusals_are_not_repeated(hub: SentinelHubServer, opened: Opener, one: Any) -> None:
    for fault, asked in (("400", 1), ("404", 1), ("401", 2), ("403token", 2), ("redirect", 1)):
        hub.heal()
        hub.log.clear()
        hub.order("process", fault, 100)
        opened(QUICK.model_copy(update={"concurrency": 1})).read(block(one.items[:1], one.geobox), ["red"])
        assert len(hub.requests("process")) == asked, fault


def test_budget_is_given_back_by_what_fails(hub: SentinelHubServer, opened: Opener, one: Any) -> None:
    source = opened(budget_pu=1.0)
    hub.order("process", "503", 100)
    source.read(one, ["red"])
    assert source.budget is not None
    assert source.budget.spent() == 0.0
    hub.heal()
    source.read(one, ["red"])
    assert source.budget.spent() == pytest.approx(2 * 0.005)


def test_token_service_that_fails_is_told_in_the_check(hub: SentinelHubServer, opened: Opener) -> None:
    from geocollateral.sources import check_source

    opened()
    hub.order("token", "404", 100)
    check = check_source(f"sentinelhub:{hub.base_url}")[0]
    assert (check.name, check.ok) == ("reachable", False)
    assert "HTTP 404" in check.detail
    assert issubclass(HubFault, Exception)
