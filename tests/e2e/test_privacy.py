"""Who the borrower is stays in the house: every request that leaves during an assessment is read for canaries.

The file names people in every way it can: borrower and loan ids, parcel ids, columns of the user, its own name; the
registry holds the same and more. Loopback servers write down all that arrives.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import geopandas as gpd
import pytest
from dask.callbacks import Callback
from servers.faults import Asked, FaultServer, Reply, folder_upstream
from servers.pages import Pages
from servers.sentinelhub import SentinelHubServer

from geocollateral import service
from geocollateral.config import Settings
from geocollateral.simulate import build
from geocollateral.store import LoanEntry, ParcelEntry, Submission, open_registry

CANARIES = {
    "borrower id": "QBORROWER7",
    "borrower name": "欧阳金丝雀",
    "loan id": "QLOAN7",
    "parcel id": "QPARCEL7",
    "own column": "QOWNCOLUMN7",
    "project": "QPROJECT7",
    "sum": "7654321.17",
}
AS_OF = "2021-12-31"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "tiny"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        build(folder, "tiny", seed=1)
    return folder


@pytest.fixture
def parcels(world: Path, tmp_path: Path) -> Path:
    """The world's parcels, with canaries in all that a file may say."""
    document = json.loads((world / "parcels.geojson").read_text(encoding="utf-8"))
    for number, feature in enumerate(document["features"]):
        feature["id"] = f"{CANARIES['parcel id']}-{number}"
        feature["properties"] |= {
            "parcel_id": f"{CANARIES['parcel id']}-{number}",
            "loan_id": f"{CANARIES['loan id']}-{number}",
            "loan_borrower_id": CANARIES["borrower id"],
            "loan_outstanding": float(CANARIES["sum"]),
            "loan_currency": "CNY",
            "borrower": CANARIES["borrower name"],
            "note": CANARIES["own column"],
        }
    path = tmp_path / f"{CANARIES['project']}.geojson"
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.fixture
def registry_url(parcels: Path, tmp_path: Path) -> str:
    """A registry in which another branch pledged the same land, under names that are canaries too."""
    url, now = f"sqlite:///{tmp_path / 'registry.sqlite'}", dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    entries = tuple(
        ParcelEntry(
            name=f"{CANARIES['parcel id']}-r{n}",
            geometry=g,
            area_m2=1000.0,
            asset_class="forestry",
            claims={},
            loan="x",
        )
        for n, g in enumerate(gpd.read_file(parcels).geometry)
    )
    loan = LoanEntry(key="x", borrower=CANARIES["borrower id"])
    with open_registry(url, create=True) as registry:
        given = Submission(
            branch="north", project=CANARIES["project"], parcels=entries, loans=(loan,), source_sha256="0" * 64,
            day=now.date(),
        )  # fmt: skip
        registry.add_project(given, now)
        registry.name_borrowers({CANARIES["borrower id"]: CANARIES["borrower name"]}, now)
    return url


class Keys(Callback):
    """Names of all Dask tasks."""

    def __init__(self) -> None:
        super().__init__(pretask=lambda key, *_: self.seen.append(str(key)))
        self.seen: list[str] = []


def assess(parcels: Path, source: str, registry_url: str, cache: Path, **access: Any) -> Keys:
    settings = Settings(
        compute={"scheduler": "threads", "workers": 1},  # type: ignore[arg-type]  # pydantic takes mappings
        access={"cache_dir": str(cache), **access},  # type: ignore[arg-type]
        store={"url": registry_url},  # type: ignore[arg-type]
    )
    with Keys() as keys:
        result = service.assess(
            parcels, source=source, settings=settings, as_of=AS_OF, period=("2021-11-01", None), datum="wgs84"
        )
    assert (result.parcels["claim_pledge_verdict"] == "mismatch").all(), "the registry was asked"
    assert len(result.series) > 0, "imagery was read"
    return keys


def spellings(canary: str) -> set[bytes]:
    """A text as it may travel: as it is, escaped, in hexadecimal digits or Base64."""
    raw = canary.encode()
    found = {
        raw,
        quote(canary).encode(),
        json.dumps(canary)[1:-1].encode(),
        raw.hex().encode(),
        canary.lower().encode(),
    }
    # In Base64 a text looks in three ways, by where it begins; its first and last sign depend on what is beside it.
    for before in range(3):
        code = base64.b64encode(b"x" * before + raw)
        found.add(code[(0, 2, 3)[before] : len(code) - (0, 3, 2)[(before + len(raw)) % 3]])
    return {text for text in found if len(text) > 5}


def require_no_canary(where: str, texts: Iterable[bytes]) -> None:
    everything = b"\n".join(texts)
    everything += b"\n" + unquote(everything.decode("latin-1")).encode("utf-8")
    for what, canary in CANARIES.items():
        for text in spellings(canary):
            assert text not in everything, f"{what} in {where}"


def of_request(asked: Asked) -> bytes:
    return b"\n".join([f"{asked.method} {asked.path}?{asked.query} {dict(asked.headers)}".encode(), asked.body])


def require_quiet_cache(cache: Path) -> None:
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert files, "something was kept"
    require_no_canary("names of the cache", [str(path.relative_to(cache)).encode() for path in files])
    require_no_canary("the cache", [path.read_bytes() for path in files])


def items_of(world: Path, root: str) -> list[dict[str, Any]]:
    items = []
    for path in sorted(world.glob("sentinel-2-l2a/*/*.json")):
        item = json.loads(path.read_text(encoding="utf-8"))
        place = path.parent.relative_to(world).as_posix()
        for asset in item["assets"].values():
            asset["href"] = f"{root}/files/{place}/{asset['href'].removeprefix('./')}"
        item["links"] = []
        items.append(item)
    return items


def test_the_test_can_see(parcels: Path) -> None:
    body = parcels.read_bytes()
    for what, canary in CANARIES.items():
        if what != "project":
            with pytest.raises(AssertionError, match="in here"):
                require_no_canary("here", [b"...", body.replace(b'"', b"'")])
        with pytest.raises(AssertionError, match="in here"):
            require_no_canary("here", [b"/search?q=" + quote(f"of {canary}, the").encode()])
        with pytest.raises(AssertionError, match="in here"):
            require_no_canary("here", [base64.b64encode(f"ab {canary} cd".encode())])


def test_a_stac_service_learns_places_and_days_only(
    world: Path, parcels: Path, registry_url: str, tmp_path: Path
) -> None:
    files, pages = folder_upstream(world), Pages([], page=50)

    def upstream(asked: Asked) -> Reply:
        if asked.path.startswith("/files/"):
            path = asked.path.removeprefix("/files")
            return files(Asked(asked.method, path, asked.query, asked.headers, asked.body))
        return pages(asked)

    with FaultServer(upstream) as server:
        pages.items = items_of(world, server.url)
        source = f"stac:{server.url}#sentinel-2-l2a"
        keys = assess(parcels, source, registry_url, tmp_path / "cache", origins=[server.url])
        asked = list(server.asked)
    assert {entry.path.split("/")[1] for entry in asked} >= {"search", "files"}
    require_no_canary("a request", map(of_request, asked))
    require_no_canary("the names of tasks", [key.encode() for key in keys.seen])
    require_quiet_cache(tmp_path / "cache")


@pytest.mark.parametrize("mode", ["process", "statistical"])
def test_sentinel_hub_learns_places_and_days_only(
    world: Path, parcels: Path, registry_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    with SentinelHubServer(world) as hub:
        monkeypatch.setenv("SH_CLIENT_ID", hub.client_id)
        monkeypatch.setenv("SH_CLIENT_SECRET", hub.client_secret)
        settings = Settings(
            compute={"scheduler": "threads", "workers": 1},  # type: ignore[arg-type]
            access={"cache_dir": str(tmp_path / "cache")},  # type: ignore[arg-type]
            store={"url": registry_url},  # type: ignore[arg-type]
        )
        options = {"mode": mode, "collections": ["sentinel-2-l2a"]}
        with Keys() as keys:
            service.assess(
                parcels, source=f"sentinelhub:{hub.base_url}", settings=settings, as_of=AS_OF,
                period=("2021-11-01", None), source_options=options, datum="wgs84",
            )  # fmt: skip
        log = list(hub.log)
    wanted = "process" if mode == "process" else "statistics"
    assert {entry.endpoint for entry in log} >= {"token", "search", wanted}
    require_no_canary("a request", [b"\n".join([json.dumps(dict(e.headers)).encode(), e.body]) for e in log])
    require_no_canary("the names of tasks", [key.encode() for key in keys.seen])
    require_quiet_cache(tmp_path / "cache")
