"""One simulated world through every way in: the same figures, to the last digit that is shown.

Real servers on loopback: files on disk, a STAC API over files behind nginx, an S3 store, and a service that runs our
evalscripts.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from servers.moto import Moto
from servers.nginx import Nginx
from servers.pgstac import PgStac
from servers.sentinelhub import SentinelHubServer

from geocollateral import service
from geocollateral.config import Settings
from geocollateral.errors import MissingInput
from geocollateral.simulate import WorldSpec, build, find_world
from geocollateral.simulate.worlds import FlawRates
from geocollateral.sources import open_source
from geocollateral.types import Assessment, Period

TOLERANCE = 1e-6
STATISTICAL_TOLERANCE = 0.03
AS_OF = "2023-04-30"
READ = frozenset({"B02", "B03", "B04", "B08", "B8A", "B11", "B12", "SCL", "vv", "vh"})
"""Files that the assessment reads."""
COLLECTIONS = "sentinel-2-l2a,sentinel-1-rtc"


def spec() -> WorldSpec:
    """Two years of forest and fields with clear-cuts. Its scenes have every flaw but lying offset flags and missing
    files: a service that keeps the products itself knows their offset and has all their bands.
    """
    tiny = find_world("tiny")
    site = replace(tiny.sites[0], size=96, land={"poplar": 0.6, "wheat_maize": 0.4})
    return replace(
        tiny,
        name="same",
        family=77,
        start=dt.date(2021, 3, 1),
        end=dt.date(2023, 4, 30),
        sites=(site,),
        optical_days=6,
        radar_days=90,
        events={"clear_cut": 3},
        history_days=400,
        pledged=6,
        flaws=FlawRates(flag_lies_applied=0, flag_lies_not_applied=0, missing_band=0),
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("world") / "same", spec(), seed=4)


def knobs(**access: Any) -> Settings:
    # The check of the datum reads a few looks more, which are neither announced nor part of what is compared here.
    never = {"where": "never"}
    return Settings(compute={"scheduler": "synchronous"}, access=access, datum_fit=never)  # type: ignore[arg-type]  # pydantic takes mappings


def assess(world: Path, source: str, settings: Settings, **asked: Any) -> Assessment:
    return service.assess(
        world / "parcels.geojson",
        source=source,
        settings=settings,
        as_of=AS_OF,
        datum="wgs84",
        with_pictures=False,
        **asked,
    )


@pytest.fixture(scope="module")
def expected(world: Path) -> Assessment:
    return assess(world, str(world), knobs())


def items_at(world: Path, root: str) -> list[dict[str, Any]]:
    """Items of the world with the addresses of their files below ``root``."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in sorted(world.glob("sentinel-*/*/*.json")):
        item = json.loads(path.read_text(encoding="utf-8"))
        place = path.parent.relative_to(world).as_posix()
        for asset in item["assets"].values():
            asset["href"] = f"{root}/{place}/{asset['href'].removeprefix('./')}"
        item["links"] = []
        found.setdefault((item["collection"], item["id"]), item)
    return list(found.values())


def collections(world: Path) -> list[dict[str, Any]]:
    read = [json.loads((world / name / "collection.json").read_text()) for name in COLLECTIONS.split(",")]
    return [{**collection, "links": []} for collection in read]


def require_same(found: Assessment, expected: Assessment) -> None:
    """``parcels.geojson`` equal, numbers to `TOLERANCE`; the alerts and the series too."""
    from geocollateral.exports.geojson import parcels_geojson

    one, other = (json.loads(parcels_geojson(a.parcels)) for a in (expected, found))
    assert_close(one, other, "parcels")
    assert_close(
        json.loads(json.dumps([vars(a) for a in expected.alerts], default=str)),
        json.loads(json.dumps([vars(a) for a in found.alerts], default=str)),
        "alerts",
        skip="evidence",
    )
    key = ["parcel_id", "sensor", "index", "time"]
    tables = [a.series.drop(columns="scene_id").sort_values(key, ignore_index=True) for a in (expected, found)]
    pd.testing.assert_frame_equal(*tables, rtol=0, atol=TOLERANCE)


def assert_close(one: Any, other: Any, where: str, skip: str = "") -> None:
    if isinstance(one, Mapping):
        assert one.keys() == other.keys(), where
        for name in one:
            if name != skip:
                assert_close(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for n, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_close(a, b, f"{where}[{n}]")
    elif isinstance(one, float) and isinstance(other, float):
        assert other == pytest.approx(one, rel=0, abs=TOLERANCE), where
    else:
        assert one == other, where


def test_the_world_says_something(expected: Assessment) -> None:
    """Only then do the comparisons below."""
    assert len(expected.alerts) >= 2
    assert (expected.parcels["meta_status"] == "ok").sum() >= 4
    assert set(expected.series["sensor"]) == {"sentinel-2", "sentinel-1 ascending-142", "sentinel-1 descending-47"}
    assert sum(expected.scenes["observations"].values()) == expected.scenes["expected_observations"]


@pytest.fixture(scope="module")
def files(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with Nginx(folder=world, prefix=tmp_path_factory.mktemp("nginx")) as server:
        yield server


@pytest.mark.nginx
@pytest.mark.postgis
def test_stac_api_and_files_behind_nginx(
    world: Path, files: Nginx, expected: Assessment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("pgstac")
    settings = knobs(origins=[files.url], cache_dir=str(tmp_path_factory.mktemp("cache")))
    with PgStac(folder, collections(world), items_at(world, files.url)) as api:
        source = f"stac:{api.url}#{COLLECTIONS}"
        found = assess(world, source, settings)
        require_same(found, expected)
        before = len(files.asked())
        assert before > 0
        again = assess(world, source, settings)
        require_same(again, expected)
        assert len(files.asked()) == before, "a second run reads nothing that it has"
        require_search_of_pystac_client(api.url, source, settings)
        cost = service.estimate(
            world / "parcels.geojson", datum="wgs84", source=source, settings=settings, as_of=AS_OF
        ).cost
        assert (cost.bytes, cost.requests) == (0, 0)
        assert cost.cached_bytes > 0


def require_search_of_pystac_client(url: str, source: str, settings: Settings) -> None:
    """An outside judge: what pystac-client lists is what we list, but for the duplicates that ours drops and names."""
    import pystac_client

    bounds, period = (113.0, 34.0, 116.0, 37.0), Period(start=dt.date(2021, 6, 1), end=dt.date(2022, 5, 31))
    search = pystac_client.Client.open(url).search(
        collections=COLLECTIONS.split(","), bbox=bounds, datetime=(str(period.start), str(period.end))
    )
    listed = {item.id for item in search.items()}
    ours = open_source(source, settings.access).search(bounds, period)
    stood_for = {entry["id"] for item in ours for entry in item.properties.get("geocollateral:supersedes", [])}
    assert len(ours) > 60
    assert {item.id for item in ours} | stood_for == listed


@pytest.mark.nginx
def test_what_is_announced_is_what_is_read(world: Path, files: Nginx, tmp_path: Path) -> None:
    """Requests and bytes of the estimate against the server's own log."""
    catalogue = tmp_path / "catalogue"
    write_static(world, catalogue, files.url)
    settings = knobs(origins=[files.url])
    cost = service.estimate(
        world / "parcels.geojson", source=str(catalogue / "items.json"), settings=settings, as_of=AS_OF, datum="wgs84"
    ).cost
    before = len(files.asked())
    assess(world, str(catalogue / "items.json"), settings)
    asked = [a for a in files.asked()[before:] if a.path.endswith(".tif")]
    assert len(asked) == pytest.approx(cost.requests, rel=0.1)
    assert sum(a.bytes_sent for a in asked) == pytest.approx(cost.bytes, rel=0.2)


def write_static(world: Path, folder: Path, root: str) -> None:
    """A static catalogue whose files lie elsewhere."""
    folder.mkdir()
    collection = {"type": "FeatureCollection", "features": items_at(world, root)}
    (folder / "items.json").write_text(json.dumps(collection), encoding="utf-8")


@pytest.mark.s3
def test_an_s3_store(
    world: Path, expected: Assessment, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    folder = tmp_path_factory.mktemp("s3")
    write_static(world, folder / "catalogue", "s3://imagery")
    for path in world.glob("sentinel-*/*/*.tif"):
        if path.stem in READ:
            copy = folder / "objects" / path.relative_to(world)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    with Moto(folder / "moto.log") as store:
        store.put_folder("imagery", folder / "objects")
        settings = knobs(origins=["s3://imagery"], s3_endpoint=store.endpoint)
        require_same(assess(world, str(folder / "catalogue" / "items.json"), settings), expected)


def test_sentinel_hub(world: Path, expected: Assessment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its raw bands, read scene by scene."""
    with SentinelHubServer(world) as hub:
        monkeypatch.setenv("SH_CLIENT_ID", hub.client_id)
        monkeypatch.setenv("SH_CLIENT_SECRET", hub.client_secret)
        found = assess(world, f"sentinelhub:{hub.base_url}", knobs())
    require_same(found, expected)


def test_statistical_mode_gives_series_and_no_judgement(
    world: Path, expected: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Series of parcels computed by the service, within the tolerance that docs/sources-sentinelhub.md states."""
    with SentinelHubServer(world) as hub:
        monkeypatch.setenv("SH_CLIENT_ID", hub.client_id)
        monkeypatch.setenv("SH_CLIENT_SECRET", hub.client_secret)
        options = {"mode": "statistical", "collections": ["sentinel-2-l2a"]}
        found = assess(world, f"sentinelhub:{hub.base_url}", knobs(), source_options=options)
        assert not hub.requests("process")
    assert (found.parcels["meta_status"] == "cannot_tell").all()
    assert found.parcels["meta_reason"].str.contains("statistical").all()
    assert found.alerts == ()
    key = ["parcel_id", "index", "time"]
    optical = expected.series[expected.series["sensor"] == "sentinel-2"]
    both = optical.merge(found.series, on=key, suffixes=("", "_told"))
    clear = both[(both["valid_fraction"] > 0.9) & (both["valid_fraction_told"] > 0.9)]
    assert len(clear) > 100
    assert (clear["mean"] - clear["mean_told"]).abs().quantile(0.99) <= STATISTICAL_TOLERANCE
    assert not found.changes.empty


def test_nothing_that_can_be_read_is_no_cloud(world: Path, tmp_path: Path) -> None:
    """Files on a host that is not allowed: the run says so, and asks no one."""
    write_static(world, tmp_path / "catalogue", "https://elsewhere.example")
    with pytest.raises(MissingInput, match=r"Not one band of \d+ scenes could be read.*refused"):
        assess(world, str(tmp_path / "catalogue" / "items.json"), knobs())
