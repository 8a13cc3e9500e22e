"""A small catalogue and a loopback service over it, for the tests of the Sentinel Hub source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pystac
import pytest
from servers.clock import FakeClock
from servers.hub_blocks import EVER, QUICK, Opener
from servers.sentinelhub import SentinelHubServer
from servers.small_catalogue import bounds_of_tiles, build_catalogue

from geocollateral.sources import open_source
from geocollateral.sources.raster.access import AccessParams
from geocollateral.sources.sentinelhub import SentinelHubSource


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Folder of the catalogue, and what its files hold."""
    folder = tmp_path_factory.mktemp("small")
    return folder, build_catalogue(folder)


@pytest.fixture
def hub(small: tuple[Path, dict[str, Any]]) -> Iterator[SentinelHubServer]:
    """A service that has seen nothing yet."""
    with SentinelHubServer(small[0], stall_seconds=0.5) as server:
        yield server


@pytest.fixture
def opened(hub: SentinelHubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Opener:
    """Opens the source on the service, with a clock that waits no time."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SH_CLIENT_ID", hub.client_id)
    monkeypatch.setenv("SH_CLIENT_SECRET", hub.client_secret)

    def opener(access: AccessParams = QUICK, **options: Any) -> SentinelHubSource:
        source = open_source(f"sentinelhub:{hub.base_url}", access, **options)
        assert isinstance(source, SentinelHubSource)
        return replace(source, clock=FakeClock())

    return opener


@pytest.fixture
def items(hub: SentinelHubServer, opened: Opener) -> list[pystac.Item]:
    """All scenes of the catalogue, the search forgotten by the service."""
    found = opened().search(bounds_of_tiles(), EVER)
    hub.log.clear()
    return found
