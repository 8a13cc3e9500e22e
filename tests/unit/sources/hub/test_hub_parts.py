"""What needs no server: deployments, credentials, evalscripts, costs, grouping, grids, budgets."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import pickle
import random
from pathlib import Path
from typing import Any

import pyproj
import pytest
import quickjs
from affine import Affine
from odc.geo.geobox import GeoBox

from geocollateral.errors import BrokenData, InvalidInput, QuotaExceeded
from geocollateral.sources import open_source
from geocollateral.sources.hub import evalscripts, scenes, units
from geocollateral.sources.hub.budget import Budget
from geocollateral.sources.hub.credentials import Credentials, read_credentials
from geocollateral.sources.hub.deployments import DEPLOYMENTS, SentinelHubOptions, resolve_deployment
from geocollateral.sources.hub.requests import process_request, split_window

GRID = GeoBox((100, 100), Affine(10, 0, 500_000, 0, -10, 4_400_000), "EPSG:32650")
SQUARE = {"type": "Polygon", "coordinates": [[[117, 39], [118, 39], [118, 40], [117, 40], [117, 39]]]}


def feature(product: str, time: str, *, collection: str = "sentinel-2-l2a", **facts: Any) -> dict[str, Any]:
    platform = f"sentinel-{product[1:3].lower()}"
    properties = {"datetime": time, "platform": platform, **facts}
    return {"id": product, "collection": collection, "geometry": SQUARE, "properties": properties}


def optical(sensor: str, time: str, tile: str, *, orbit: int = 75, baseline: str = "0509") -> dict[str, Any]:
    seconds = time.replace("-", "").replace(":", "")[:15]
    return feature(f"{sensor}_MSIL2A_{seconds}_N{baseline}_R{orbit:03d}_T{tile}_{seconds}", time)


def radar(sensor: str, time: str, absolute: int, state: str = "ascending") -> dict[str, Any]:
    seconds = time.replace("-", "").replace(":", "")[:15]
    product = f"{sensor}_IW_GRDH_1SDV_{seconds}_{seconds}_{absolute:06d}_05A1B2_C3D4"
    return feature(product, time, collection="sentinel-1-grd", **{"sat:orbit_state": state})


def build(*features: dict[str, Any]) -> list[Any]:
    return scenes.build_items(list(features), GRID, DEPLOYMENTS["commercial"], cloud_probability=False)


# --------------------------------------------------------------------------------------------------------- deployments


class TestDeployments:
    def test_the_two_services(self) -> None:
        options = SentinelHubOptions()
        assert resolve_deployment("", options) == resolve_deployment("commercial", options) == DEPLOYMENTS["commercial"]
        cdse = resolve_deployment("cdse", options)
        assert cdse.base_url == "https://sh.dataspace.copernicus.eu"
        assert cdse.token_url.endswith("/auth/realms/CDSE/protocol/openid-connect/token")
        assert not cdse.has_cloud_probability

    def test_one_of_ones_own(self) -> None:
        own = resolve_deployment("https://sh.example/", SentinelHubOptions(requests_per_minute=7))
        assert (own.name, own.base_url) == ("sh.example", "https://sh.example")
        assert own.token_url == "https://sh.example/auth/realms/main/protocol/openid-connect/token"  # noqa: S105
        assert own.requests_per_minute == 7
        options = SentinelHubOptions(base_url="https://sh.example", token_url="https://id.example/token")  # noqa: S106
        assert resolve_deployment("", options).token_url == "https://id.example/token"  # noqa: S105

    @pytest.mark.parametrize(
        "what",
        [
            "elsewhere",
            "http://sh.example",
            "ftp://sh.example",
            "https://user:secret@sh.example",
            "https://sh.example?a=1",
        ],
    )
    def test_what_credentials_must_not_go_to(self, what: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            resolve_deployment(what, SentinelHubOptions())
        assert "secret" not in str(caught.value)

    def test_every_request_goes_to_the_deployment_asked_for(self) -> None:
        """The stock collections of sentinelhub-py carry an address of their own that wins over the configuration."""
        item = build(optical("S2A", "2024-01-05T03:00:00Z", "50SMJ"))[0]
        for name, deployment in DEPLOYMENTS.items():
            request = process_request(deployment, scenes.acquisition_of(item), GRID, ["B04"])
            assert request.url == f"{deployment.base_url}/api/v1/process", name
        own = resolve_deployment("http://127.0.0.1:9", SentinelHubOptions())
        for item in build(radar("S1A", "2024-01-05T10:00:00Z", 52036)):
            assert process_request(own, scenes.acquisition_of(item), GRID, ["VV"]).url.startswith(own.base_url + "/")


# --------------------------------------------------------------------------------------------------------- credentials


class TestCredentials:
    @pytest.fixture(autouse=True)
    def no_credentials(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in ("SH_CLIENT_ID", "SH_CLIENT_SECRET", "SH_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))

    def test_none_is_told_and_nothing_is_written(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="SH_CLIENT_ID and SH_CLIENT_SECRET"):
            open_source("sentinelhub")
        assert list(tmp_path.rglob("*")) == []

    def test_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SH_CLIENT_ID", "id-7")
        monkeypatch.setenv("SH_CLIENT_SECRET", "canary-7")
        assert read_credentials(None).client_secret == "canary-7"  # noqa: S105

    def test_profile_of_the_library(self, tmp_path: Path) -> None:
        folder = tmp_path / ".config" / "sentinelhub"
        folder.mkdir(parents=True)
        text = '[default-profile]\nsh_client_id = "a"\nsh_client_secret = "b"\n'
        (folder / "config.toml").write_text(text + '[bank]\nsh_client_id = "c"\nsh_client_secret = "d"\n')
        assert read_credentials(None).client_id == "a"
        assert read_credentials("bank").client_secret == "d"  # noqa: S105
        with pytest.raises(InvalidInput, match="no profile 'other'"):
            read_credentials("other")

    def test_s14_they_show_nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SH_CLIENT_ID", "canary-id")
        monkeypatch.setenv("SH_CLIENT_SECRET", "canary-secret")
        source = open_source("sentinelhub:cdse", budget_pu=5)
        pickled = pickle.dumps(source)
        assert pickle.loads(pickled) == source  # noqa: S301, TID251 - our own bytes
        credentials = read_credentials(None)
        for text in (repr(source), str(pickled), repr(credentials), str(credentials), str(source.info)):
            assert "canary" not in text
        assert credentials.scrub("bad canary-secret of canary-id") == "bad *** of ***"
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(credentials)

    def test_options_of_ours_hold_none(self) -> None:
        assert not {name for name in SentinelHubOptions.model_fields if "secret" in name or "client" in name}
        with pytest.raises(InvalidInput, match="no option client_secret"):
            open_source("sentinelhub", client_secret="x")  # noqa: S106


# --------------------------------------------------------------------------------------------------------- evalscripts


def run(script: str, sample: dict[str, float]) -> Any:
    engine = quickjs.Context()
    engine.eval(script)
    return json.loads(engine.eval(f"JSON.stringify(evaluatePixel({json.dumps(sample)}))"))


class TestEvalscripts:
    def test_bands_as_they_are(self) -> None:
        script = evalscripts.bands_script(["B04", "SCL"], sample_type="UINT16", units="DN")
        assert script.startswith("//VERSION=3\n")
        assert run(script, {"B04": 1234, "SCL": 4, "dataMask": 1}) == [1234, 4, 1, 1 + 1234 + 2 * 4 + 3]
        assert run(script, {"B04": -5.2, "SCL": 4, "dataMask": 1})[0] == 0
        assert run(script, {"B04": 70000, "SCL": 4, "dataMask": 1})[0] == 65535
        assert run(script, {"B04": 1234, "SCL": 4, "dataMask": 0}) == [0, 0, 0, 1]
        setup = json.loads(engine_setup(script))
        assert setup["output"] == {"id": "default", "bands": 4, "sampleType": "UINT16"}
        assert setup["input"] == [{"bands": ["B04", "SCL", "dataMask"], "units": "DN"}]

    def test_statistics_of_what_is_seen(self) -> None:
        formulas = {"ndvi": "(nir - red) / (nir + red)", "evi2": "2.5 * (nir - red) / (nir + 2.4 * red + 1.0)"}
        script = evalscripts.statistics_script(formulas, {"nir": "B08", "red": "B04"}, (4, 5, 6))
        seen = run(script, {"B08": 0.3, "B04": 0.1, "SCL": 4, "dataMask": 1})
        assert seen["ndvi"] == [pytest.approx(0.5)]
        assert seen["evi2"] == [pytest.approx(2.5 * 0.2 / 1.54)]
        assert seen["dataMask"] == [1]
        for hidden in ({"SCL": 9}, {"dataMask": 0}, {"B08": 0.0, "B04": 0.0}):
            sample = {"B08": 0.3, "B04": 0.1, "SCL": 4, "dataMask": 1} | hidden
            assert run(script, sample)["dataMask"] == [0]

    def test_powers_and_signs(self) -> None:
        script = evalscripts.statistics_script({"x": "-red ** 2 - -nir"}, {"nir": "B08", "red": "B04"}, None)
        assert run(script, {"B08": 0.3, "B04": 0.5, "dataMask": 1})["x"] == [pytest.approx(-0.25 + 0.3)]

    @pytest.mark.parametrize(
        "formula",
        ["nir; fetch('x')", "__import__('os')", "nir.x", "[nir]", "nir if red else 0", "'nir'", "nir + True", "nir +"],
    )
    def test_only_arithmetic_goes_in(self, formula: str) -> None:
        with pytest.raises(InvalidInput, match="Formula"):
            evalscripts.statistics_script({"x": formula}, {"nir": "B08", "red": "B04"}, None)

    def test_unknown_band(self) -> None:
        with pytest.raises(InvalidInput, match="no band thermal"):
            evalscripts.statistics_script({"x": "thermal"}, {"nir": "B08"}, None)


def engine_setup(script: str) -> str:
    engine = quickjs.Context()
    engine.eval(script)
    return str(engine.eval("JSON.stringify(setup())"))


# ---------------------------------------------------------------------------------------------------------------- units


class TestUnits:
    """Worked examples of the service's own pages."""

    @pytest.mark.parametrize(
        ("got", "expected"),
        [
            (units.process_units(512, 512, ["B02", "B03", "B04"]), 1.0),
            (units.process_units(512, 512, ["B02", "B03", "B04", "dataMask"]), 1.0),
            (units.process_units(20, 20, ["B04", "B08"]), 0.01 * 2 / 3),
            (units.process_units(20, 20, ["B04"]), 0.005),
            (units.process_units(2000, 2000, ["VV", "VH"]) * 2, 20.345),
            (units.process_units(512, 512, ["VV", "VH"], float32=True, terrain=True), 2 / 3 * 2 * 2.5),
            (units.statistical_units(20, 20, ["B04", "B08"], 1), 0.01),
            (units.statistical_units(20, 20, ["B04", "B08"], 73), 0.01 * 2 / 3 * 73),
        ],
    )
    def test_published_rules(self, got: float, expected: float) -> None:
        assert got == pytest.approx(expected, rel=1e-4)


# --------------------------------------------------------------------------------------------------------------- scenes


class TestScenes:
    def test_tiles_of_one_overpass_are_one_scene(self) -> None:
        found = build(
            optical("S2A", "2024-01-05T03:05:31.024Z", "50SMJ"),
            optical("S2A", "2024-01-05T03:05:45Z", "50SNJ"),
            optical("S2A", "2024-01-05T03:05:45Z", "50SNJ"),
            optical("S2A", "2024-01-15T03:05:31Z", "50SMJ"),
            optical("S2B", "2024-01-05T03:05:33Z", "50SMJ"),
            optical("S2A", "2024-01-05T03:05:33Z", "50SMJ", orbit=32),
        )
        assert [len(item.properties["geocollateral:tiles"]) for item in found] == [2, 1, 1, 1]
        first = scenes.acquisition_of(found[0])
        assert first.start <= dt.datetime(2024, 1, 5, 3, 5, 31, 24000, tzinfo=dt.UTC)
        assert first.end >= dt.datetime(2024, 1, 5, 3, 5, 45, tzinfo=dt.UTC)
        assert (first.end - first.start) < dt.timedelta(seconds=30)

    def test_order_of_features_does_not_matter(self) -> None:
        features = [
            optical("S2A", "2024-01-05T03:05:31Z", "50SMJ"),
            optical("S2A", "2024-01-05T03:05:45Z", "50SNJ"),
            optical("S2C", "2024-01-07T03:05:45Z", "50SNJ", orbit=32),
            radar("S1A", "2024-01-05T10:00:00Z", 52036),
        ]
        expected = [item.to_dict() for item in build(*features)]
        for shuffled in itertools.permutations(features):
            assert [item.to_dict() for item in build(*shuffled)] == expected
        random.Random(1).shuffle(features)  # noqa: S311

    def test_t31_orbit_and_direction_part_radar(self) -> None:
        found = build(
            radar("S1A", "2024-01-05T10:00:00Z", 52036),
            radar("S1A", "2024-01-05T10:00:25Z", 52036),
            radar("S1A", "2024-01-05T22:00:00Z", 52043, "descending"),
        )
        assert [item.id.rsplit("_", 1)[1] for item in found] == ["ascending-164", "descending-171"]
        assert [scenes.acquisition_of(item).orbit_state for item in found] == ["ascending", "descending"]

    @pytest.mark.parametrize(
        ("sensor", "time", "absolute", "relative"),
        [
            ("S1A", "2024-01-05T10:00:00Z", 73, 1),
            ("S1B", "2021-01-05T10:00:00Z", 25000, (25000 - 27) % 175 + 1),
            ("S1C", "2025-05-05T10:00:00Z", 1000, (1000 - 172) % 175 + 1),
            ("S1C", "2026-08-01T10:00:00Z", 9000, None),
            ("S1D", "2026-02-01T10:00:00Z", 3000, (3000 - 42) % 175 + 1),
            ("S1E", "2030-02-01T10:00:00Z", 3000, None),
        ],
    )
    def test_relative_orbit_of_radar(self, sensor: str, time: str, absolute: int, relative: int | None) -> None:
        assert build(radar(sensor, time, absolute))[0].properties.get("sat:relative_orbit") == relative

    def test_r13_every_platform_is_taken(self) -> None:
        found = build(*(optical(f"S2{c}", f"2024-01-0{n + 1}T03:05:31Z", "50SMJ") for n, c in enumerate("ABCDX")))
        assert [item.properties["platform"] for item in found] == [f"sentinel-2{c}" for c in "abcdx"]

    def test_reprocessed_tiles_are_another_version(self) -> None:
        old, new = (
            scenes.acquisition_of(build(optical("S2A", "2021-01-05T03:05:31Z", "50SMJ", baseline=b))[0])
            for b in ("0214", "0500")
        )
        assert old.version != new.version
        request = [process_request(DEPLOYMENTS["cdse"], a, GRID, ["B04"]) for a in (old, new)]
        assert request[0].payload == request[1].payload
        assert request[0].key(old.version) != request[1].key(new.version)

    def test_cloud_probability_where_the_deployment_has_it(self) -> None:
        features = [optical("S2A", "2021-01-05T03:05:31Z", "50SMJ")]
        for name, has in (("commercial", True), ("cdse", False)):
            item = scenes.build_items(features, GRID, DEPLOYMENTS[name], cloud_probability=True)[0]
            assert ("clp" in item.assets) is has

    def test_item_of_another_source_is_refused(self) -> None:
        item = build(optical("S2A", "2021-01-05T03:05:31Z", "50SMJ"))[0]
        del item.properties["geocollateral:version"]
        with pytest.raises(BrokenData, match="not found by this source"):
            scenes.acquisition_of(item)


class TestGrid:
    @pytest.mark.parametrize(
        ("lon", "lat", "code"),
        [
            (117.0, 39.0, "EPSG:32650"),
            (-58.4, -34.6, "EPSG:32721"),
            (5.3, 60.4, "EPSG:32632"),
            (15.6, 78.2, "EPSG:32633"),
            (179.99, 10, "EPSG:32660"),
            (180.0, 10, "EPSG:32601"),
            (-180.0, 10, "EPSG:32601"),
        ],
    )
    def test_zone(self, lon: float, lat: float, code: str) -> None:
        assert scenes.utm_code(lon, lat) == code

    @pytest.mark.parametrize(
        "bounds", [(116.9, 39.7, 117.0, 39.75), (119.98, 30.0, 120.02, 30.01), (-58.4, -34.6, -58.39, -34.59)]
    )
    def test_lattice_covers_the_area_on_even_corners(self, bounds: tuple[float, float, float, float]) -> None:
        grid = scenes.lattice(bounds)
        a = grid.affine
        assert (a.a, a.e) == (10, -10)
        assert a.c % 20 == 0
        assert a.f % 20 == 0
        assert all(n % 2 == 0 for n in grid.shape)
        project = pyproj.Transformer.from_crs(4326, str(grid.crs), always_xy=True)
        left, bottom, right, top = grid.boundingbox.bbox
        for lon, lat in itertools.product(bounds[::2], bounds[1::2]):
            x, y = project.transform(lon, lat)
            assert left + 500 < x < right - 500
            assert bottom + 500 < y < top - 500

    def test_t21_area_across_180_degrees(self) -> None:
        grid = scenes.lattice((179.95, -17.0, -179.95, -16.9))
        assert grid.shape.x * 10 < 20_000

    @pytest.mark.parametrize("shape", [(1, 1), (2500, 2500), (2501, 100), (100, 7777)])
    def test_windows_are_split_at_the_limit(self, shape: tuple[int, int]) -> None:
        parts = split_window(GeoBox(shape, GRID.affine, GRID.crs))
        assert all(max(r.stop - r.start, c.stop - c.start) <= 2500 for r, c in parts)
        assert sum((r.stop - r.start) * (c.stop - c.start) for r, c in parts) == shape[0] * shape[1]
        assert len(parts) == -(-shape[0] // 2500) * -(-shape[1] // 2500)


# --------------------------------------------------------------------------------------------------------------- budget


class TestBudget:
    def test_stops_before_it_is_passed(self) -> None:
        budget = Budget(limit=1.0)
        budget.reserve(0.6)
        with pytest.raises(QuotaExceeded, match="budget of 1"):
            budget.reserve(0.5)
        budget.reserve(0.4)
        budget.release(0.6)
        assert budget.spent() == pytest.approx(0.4)

    def test_copies_in_other_tasks_count_together(self) -> None:
        budget = Budget(limit=1.0)
        copy = pickle.loads(pickle.dumps(budget))  # noqa: S301, TID251 - our own bytes
        budget.reserve(0.7)
        with pytest.raises(QuotaExceeded):
            copy.reserve(0.7)
        assert Budget(limit=1.0).spent() == 0.0


def test_client_credentials_are_read_anew() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Credentials(client_id="a", client_secret="b"))  # noqa: S106
