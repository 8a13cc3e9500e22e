"""The Sentinel Hub source against a service on loopback that runs its evalscripts over COGs."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import logging
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from servers.clock import FakeClock
from servers.hub_blocks import EVER, QUICK, Opener, block, optical, parcels_of, window
from servers.sentinelhub import SentinelHubServer
from servers.small_catalogue import bounds_of_tiles

from geocollateral.errors import BrokenData, IncompleteSearch, InvalidInput, QuotaExceeded
from geocollateral.observe.cube import to_physical
from geocollateral.observe.plan import PlanParams, grid_of, plan_blocks
from geocollateral.sources import check_source
from geocollateral.sources.borders import usable_backscatter
from geocollateral.sources.raster.access import AccessParams
from geocollateral.types import READ_STATUSES, CostedSource, ParcelStatistics, Period, Source

BANDS = ["blue", "red", "nir", "swir16", "scl"]
Small = tuple[Path, dict[str, Any]]
"""Folder of the catalogue, and the numbers in its files by item and asset."""


class TestSearch:
    def test_is_a_source(self, opened: Opener) -> None:
        source = opened()
        assert isinstance(source, Source)
        assert isinstance(source, CostedSource)
        assert isinstance(source, ParcelStatistics)
        assert source.info.revisit_days == 5

    def test_overpasses_of_both_missions(self, items: list[pystac.Item]) -> None:
        assert [(item.datetime, item.id) for item in items] == sorted((item.datetime, item.id) for item in items)
        assert len(items) == 8
        assert sum(item.properties["constellation"] == "sentinel-1" for item in items) == 3
        assert {item.properties["proj:code"] for item in items} == {"EPSG:32650"}
        assert len({grid_of(item) for item in items}) == 1
        for item in items:
            pystac.Item.from_dict(item.to_dict())

    def test_period_has_both_its_ends(self, opened: Opener) -> None:
        for start, end, count in (
            (None, dt.date(2021, 6, 1), 1),
            (dt.date(2021, 6, 1), dt.date(2021, 6, 11), 2),
            (dt.date(2021, 6, 2), dt.date(2021, 6, 10), 0),
            (None, dt.date(2020, 1, 1), 0),
        ):
            assert len(opened().search(bounds_of_tiles(), Period(start=start, end=end))) == count

    def test_bounds_elsewhere(self, opened: Opener) -> None:
        _, south, east, north = bounds_of_tiles()
        assert opened().search((east + 1, south, east + 2, north), EVER) == []

    @pytest.mark.parametrize("page_limit", [1, 3])
    def test_r16_pages_to_the_end(
        self, small: Small, opened: Opener, hub: SentinelHubServer, items: list[pystac.Item], page_limit: int
    ) -> None:
        hub.page_limit, hub.matched = page_limit, True
        found = opened().search(bounds_of_tiles(), EVER)
        assert [item.to_dict() for item in found] == [item.to_dict() for item in items]
        assert len(hub.requests("search")) > 2

    def test_r16_cut_at_any_page_is_told(
        self, opened: Opener, hub: SentinelHubServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hub.page_limit = 3
        opened().search(bounds_of_tiles(), EVER)
        pages = len(hub.requests("search"))
        assert pages > 3
        whole = hub.search
        for page in range(pages):
            answered = itertools.count()

            def search(body: Any, page: int = page, answered: Iterator[int] = answered) -> Any:
                if next(answered) >= page:
                    raise ValueError("cut off")
                return whole(body)

            monkeypatch.setattr(hub, "search", search)
            with pytest.raises(IncompleteSearch, match="and then no more"):
                opened().search(bounds_of_tiles(), EVER)

    def test_r16_count_that_does_not_match_is_told(self, opened: Opener, hub: SentinelHubServer) -> None:
        original = hub.search

        def search(body: Any) -> Any:
            page = original(body)
            page["context"]["matched"] = len(page["features"]) + 1
            return page

        hub.search = search  # type: ignore[method-assign]
        with pytest.raises(IncompleteSearch, match="match and gave"):
            opened().search(bounds_of_tiles(), EVER)

    def test_pages_in_a_circle_are_told(self, opened: Opener, hub: SentinelHubServer) -> None:
        original = hub.search

        def search(body: Any) -> Any:
            page = original(body)
            page["context"]["next"] = 0
            return page

        hub.search = search  # type: ignore[method-assign]
        with pytest.raises(IncompleteSearch, match="circle"):
            opened().search(bounds_of_tiles(), EVER)


def expected_dn(truth: dict[str, Any], names: list[str], band: str) -> tuple[np.ndarray, np.ndarray]:
    """Harmonised numbers of an overpass on the whole window by hand: the first tile with data wins."""
    values, seen = np.zeros((80, 140), np.int64), np.zeros((80, 140), bool)
    for name in names:
        first = 0 if "50TMK" in name else 60
        carried = any(part in name for part in ("_20220601_", "_20230601_", "_1_L2A"))
        plane = truth[name][band]
        if band in ("swir16", "scl"):
            plane = plane.repeat(2, axis=0).repeat(2, axis=1)
        data = plane != 0
        if band != "scl":
            plane = np.maximum(plane - (1000 if carried else 0), 0)
        target, mask = values[:, first : first + 80], seen[:, first : first + 80]
        put = data & ~mask
        target[put] = plane[put]
        mask |= data
    return values, seen


class TestRead:
    def test_numbers_are_those_of_the_files(self, small: Small, opened: Opener, items: list[pystac.Item]) -> None:
        """Raw-band path: exactly the harmonised numbers of the COGs, coarse bands replicated, twins once."""
        truth = small[1]
        scenes = optical(items)
        got = opened().read(block(scenes), BANDS)
        assert (got["status"] == "ok").all()
        for n, item in enumerate(scenes):
            day, sensor = item.datetime.strftime("%Y%m%d"), f"S{item.properties['platform'][-2:].upper()}"
            names = [f"{sensor}_{tile}_{day}_0_L2A" for tile in ("50TMK", "50TNK")]
            if day == "20210601":
                # The reprocessed twin replaced one; of equal age the first by its product's name wins the overlap.
                names = [names[1], f"{sensor}_50TMK_{day}_1_L2A"]
            names = [name for name in names if name in truth]
            for band in BANDS:
                values, seen = expected_dn(truth, names, band)
                nodata = got[band].attrs["nodata"]
                assert np.array_equal(got[band].values[n], np.where(seen, values, nodata)), (item.id, band)
        assert str(got["red"].dtype) == "uint16"
        assert str(got["scl"].dtype) == "uint8"
        assert (got["scale"].sel(band=BANDS[:4]) == 1e-4).all()
        assert (got["offset"] == 0).all()

    def test_dark_pixels_clamped_by_the_service_are_data(self, opened: Opener, items: list[pystac.Item]) -> None:
        got = opened().read(block([i for i in items if i.datetime.year == 2023]), ["red"])
        assert (got["red"].values == 0).any()
        assert np.isfinite(to_physical(got)["red"].values[got["red"].values == 0]).all()

    def test_radar_is_linear_and_keeps_its_orbit(self, small: Small, opened: Opener, items: list[pystac.Item]) -> None:
        scenes = [item for item in items if item.properties["constellation"] == "sentinel-1"]
        got = opened().read(block(scenes), ["vv", "vh"])
        assert got["vv"].attrs["units"] == "1"
        assert list(got["orbit"].values) == ["ascending-142", "descending-47", "ascending-142"]
        assert list(got["platform"].values) == ["sentinel-1a", "sentinel-1a", "sentinel-1c"]
        for n, name in enumerate(name for name in small[1] if "_IW_" in name):
            power = np.where(small[1][name]["vv"] == -32768, np.nan, small[1][name]["vv"])
            expected = np.where(usable_backscatter(power, np.isfinite(power)), power, np.nan)  # without the border
            assert np.isfinite(expected).mean() > 0.5 * np.isfinite(power).mean()
            assert np.array_equal(got["vv"].values[n], expected, equal_nan=True)
        physical = to_physical(got)["vv"].values
        assert np.isnan(physical[:, :, -3:]).all()  # T33: the zeros of the border are no water

    def test_radar_and_optical_in_one_block(self, opened: Opener, items: list[pystac.Item]) -> None:
        got = opened().read(block(items, window((10, 20), (10, 20))), ["red", "vv"])
        radar = np.array([item.properties["constellation"] == "sentinel-1" for item in items])
        assert (got["status"].sel(band="vv").values == np.where(radar, "ok", "missing")).all()
        assert (got["status"].sel(band="red").values == np.where(radar, "missing", "ok")).all()
        assert not got["transient"].any()
        assert set(got["reason"].values.ravel()) == {"", "the scene has no such band"}

    @pytest.mark.parametrize(("rows", "columns"), [((0, 1), (0, 1)), ((3, 8), (55, 92)), ((41, 80), (1, 140))])
    def test_window_is_a_slice_of_the_whole(
        self, opened: Opener, items: list[pystac.Item], rows: tuple[int, int], columns: tuple[int, int]
    ) -> None:
        scenes = optical(items)[:3]
        full = opened().read(block(scenes), BANDS)
        got = opened().read(block(scenes, window(rows, columns)), BANDS)
        for band in BANDS:
            assert np.array_equal(got[band], full[band][:, slice(*rows), slice(*columns)])
        assert np.array_equal(got["x"], full["x"][slice(*columns)])
        assert np.array_equal(got["y"], full["y"][slice(*rows)])

    def test_window_split_at_the_limit_gives_the_same(
        self, opened: Opener, items: list[pystac.Item], monkeypatch: pytest.MonkeyPatch, hub: SentinelHubServer
    ) -> None:
        full = opened().read(block(items), ["red", "vv"])
        monkeypatch.setattr("geocollateral.sources.hub.requests.split_window.__defaults__", (50,))
        hub.log.clear()
        parts = opened().read(block(items), ["red", "vv"])
        assert parts.drop_vars("sha256").equals(full.drop_vars("sha256"))
        assert len(hub.requests("process")) == 8 * 2 * 3

    def test_scene_that_does_not_reach_the_window(self, opened: Opener, items: list[pystac.Item]) -> None:
        got = opened().read(block(optical(items), window((10, 20), (100, 120))), ["red", "scl"])
        assert list(got["status"].sel(band="red").values) == ["ok", "outside", "ok", "ok", "ok"]
        assert (got["red"].values[1] == 65535).all()
        assert (got["scl"].values[1] == 0).all()

    def test_window_beyond_all_scenes(self, opened: Opener, items: list[pystac.Item]) -> None:
        got = opened().read(block(items, window((-40, -30), (-90, -80))), ["red", "vv"])
        asked = np.isin(got["status"].values, ("outside", "missing"))
        assert asked.all()

    def test_order_of_scenes_absent_band_and_none(self, opened: Opener, items: list[pystac.Item]) -> None:
        scenes = optical(items)
        got = opened().read(block([scenes[2], scenes[0]], window((10, 20), (10, 20))), ["vv", "red"])
        assert list(got["scene_id"].values) == [scenes[0].id, scenes[2].id]
        assert "vv" not in got
        assert (got["status"].sel(band="vv") == "missing").all()
        assert np.isnan(got["scale"].sel(band="vv")).all()
        none = opened().read(block([]), ["red"])
        assert none.sizes["time"] == 0
        assert set(np.unique(got["status"])) <= set(READ_STATUSES)

    def test_block_off_the_lattice_is_refused(self, opened: Opener, items: list[pystac.Item]) -> None:
        a = window().affine
        for wrong in (
            GeoBox((4, 4), a @ Affine.translation(0.5, 0), "EPSG:32650"),
            GeoBox((4, 4), a @ Affine.scale(2), "EPSG:32650"),
            GeoBox((4, 4), a, "EPSG:32651"),
        ):
            with pytest.raises(BrokenData, match="A block must lie"):
                opened().read(block(items, wrong), ["red"])

    def test_pickles(self, opened: Opener, items: list[pystac.Item]) -> None:
        source = opened()
        copy = pickle.loads(pickle.dumps(replace(source, clock=FakeClock.__new__(FakeClock))))  # noqa: S301, TID251
        assert copy == source

    def test_blocks_planned_on_the_lattice_are_read(self, opened: Opener, items: list[pystac.Item]) -> None:
        parcels = parcels_of((5, 10, 25, 30), (70, 20, 90, 50))
        plan = plan_blocks(parcels, items, PlanParams(), reach_m=30)
        assert set(plan.visible_fraction.values()) == {1.0}
        for planned in plan.blocks:
            got = opened().read(planned, ["red"])
            assert set(np.unique(got["status"])) <= {"ok", "missing"}


class TestCosts:
    def test_estimate_is_what_the_service_counts(
        self, opened: Opener, hub: SentinelHubServer, items: list[pystac.Item]
    ) -> None:
        hub.spent = 0.0
        source = opened()
        cost = source.estimate(block(items), [*BANDS, "vv", "vh"])
        assert hub.log == []
        source.read(block(items), [*BANDS, "vv", "vh"])
        assert cost.processing_units == pytest.approx(hub.spent)
        assert cost.requests == len(hub.requests("process")) == 8
        assert cost.scenes == 8

    def test_second_run_asks_nothing(
        self, opened: Opener, hub: SentinelHubServer, items: list[pystac.Item], tmp_path: Path
    ) -> None:
        access = QUICK.model_copy(update={"cache_dir": tmp_path / "cache"})
        first = opened(access).read(block(items), BANDS)
        hub.log.clear()
        cost = opened(access).estimate(block(items), BANDS)
        assert (cost.requests, cost.processing_units, cost.bytes) == (0, 0.0, 0)
        assert cost.cached_bytes > 0
        assert opened(access).read(block(items), BANDS).equals(first)
        assert hub.log == []

    def test_broken_run_asks_only_for_what_it_lacks(
        self, opened: Opener, hub: SentinelHubServer, items: list[pystac.Item], tmp_path: Path
    ) -> None:
        access = QUICK.model_copy(update={"cache_dir": tmp_path / "cache", "attempts": 1, "concurrency": 1})
        hub.order("process", "503", 2)
        broken = opened(access).read(block(items), BANDS)
        assert (broken["status"] == "missing").sum() > 0
        lost = broken["transient"].any("band").sum().item()
        assert lost == 2
        hub.log.clear()
        healed = opened(access).read(block(items), BANDS)
        assert len(hub.requests("process")) == 2
        assert healed.equals(opened().read(block(items), BANDS))

    def test_budget_stops_before_it_is_passed(
        self, opened: Opener, hub: SentinelHubServer, items: list[pystac.Item]
    ) -> None:
        hub.spent = 0.0
        source = opened(budget_pu=0.15)
        with pytest.raises(QuotaExceeded, match="budget"):
            source.read(block(optical(items)), BANDS)
        assert 0 < hub.spent <= 0.15

    def test_quota_of_the_account_stops_the_run(
        self, opened: Opener, hub: SentinelHubServer, items: list[pystac.Item]
    ) -> None:
        hub.quota = hub.spent + 0.1
        with pytest.raises(QuotaExceeded, match="Insufficient processing units"):
            opened().read(block(optical(items)), BANDS)
        assert not any(entry.status == 200 for entry in hub.log[-1:])

    def test_r2_shared_rate_keeps_within_the_plan(
        self, opened: Opener, hub: SentinelHubServer, items: list[pystac.Item]
    ) -> None:
        source = opened(requests_per_minute=60)
        clock = source.clock
        assert isinstance(clock, FakeClock)
        start = clock.monotonic()
        for _ in range(6):
            source.read(block(optical(items), window((10, 12), (10, 12))), ["red"])
        # 30 requests at one a second, ten of them at once from the full bucket.
        assert clock.monotonic() - start == pytest.approx(20, abs=1.5)
        assert {entry.status for entry in hub.requests("process")} == {200}


class TestRefusals:
    def test_wrong_secret_is_told_without_it(
        self, opened: Opener, hub: SentinelHubServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        monkeypatch.setenv("SH_CLIENT_SECRET", "canary-secret-9")
        with pytest.raises(InvalidInput, match="refuses the credentials") as caught:
            opened().search(bounds_of_tiles(), EVER)
        shown = [str(caught.value), repr(caught.value), repr(caught.value.__cause__), caplog.text]
        checked = check_source(f"sentinelhub:{hub.base_url}")
        shown += [str(checked), repr(opened())]
        assert not any("canary" in text for text in shown)
        assert [check.ok for check in checked] == [False]
        assert len(hub.requests("token")) == 2  # never repeated

    def test_tokens_are_shared_and_renewed(
        self, opened: Opener, hub: SentinelHubServer, items: list[pystac.Item]
    ) -> None:
        source = opened()
        one = block(optical(items)[:1], window((10, 12), (10, 12)))
        source.read(one, ["red"])
        source.read(one, ["red"])
        assert len(hub.requests("token")) == 1
        hub.expire_tokens()  # taken back before their time
        assert (source.read(one, ["red"])["status"] == "ok").all()
        assert len(hub.requests("token")) == 2
        assert isinstance(source.clock, FakeClock)
        source.clock.sleep(3600)
        assert (source.read(one, ["red"])["status"] == "ok").all()
        assert len(hub.requests("token")) == 3

    def test_refusal_that_stays_is_missing_not_zero(
        self, opened: Opener, hub: SentinelHubServer, items: list[pystac.Item]
    ) -> None:
        one = block(optical(items)[:1], window((10, 12), (10, 12)))
        for fault, transient in (
            ("404", False),
            ("400", False),
            ("403token", False),
            ("redirect", False),
            ("503", True),
        ):
            hub.heal()
            hub.order("process", fault, 10)
            got = opened().read(one, ["red", "scl"])
            assert (got["status"] == "missing").all(), fault
            assert (got["transient"] == transient).all(), fault
            assert (got["red"] == 65535).all()
            assert all(got["reason"].values.ravel())
            assert np.isfinite(got["scale"]).all()

    def test_retry_after_counts_milliseconds(
        self, opened: Opener, hub: SentinelHubServer, items: list[pystac.Item]
    ) -> None:
        source = opened()
        hub.order("process", "429ms")
        assert isinstance(source.clock, FakeClock)
        before = source.clock.monotonic()
        source.read(block(optical(items)[:1], window((10, 12), (10, 12))), ["red"])
        assert 1.5 <= source.clock.monotonic() - before <= 5

    def test_checks(self, opened: Opener, hub: SentinelHubServer) -> None:
        opened()
        checks = check_source(f"sentinelhub:{hub.base_url}")
        assert all(check.ok for check in checks)
        assert [check.name for check in checks][:2] == ["reachable", "credentials"]
        hub.order("search", "403token", 10)
        assert [check.ok for check in check_source(f"sentinelhub:{hub.base_url}")] == [True, True, False, False]
        assert [check.ok for check in check_source("sentinelhub:nowhere")] == [False]


class TestPrivacy:
    def test_only_places_times_and_scripts_go_out(
        self, opened: Opener, hub: SentinelHubServer, items: list[pystac.Item]
    ) -> None:
        parcels = parcels_of((5, 10, 25, 30))
        parcels["loan_id"], parcels["borrower"] = "loan-77", "canary-borrower"
        source = opened()
        source.search(bounds_of_tiles(), EVER)
        source.read(block(items, window((10, 20), (10, 20))), BANDS)
        source.parcel_series(parcels, {"ndvi": "(nir - red) / (nir + red)"}, EVER)
        bodies = [entry for entry in hub.log if entry.endpoint != "token"]
        assert {entry.endpoint for entry in bodies} == {"search", "process", "statistics"}
        for entry in bodies:
            text = entry.body.decode() + json.dumps({k: v for k, v in entry.headers.items() if k != "Authorization"})
            for word in ("loan", "borrower", "canary", "p-1", "parcel", "geocollateral", hub.client_secret):
                assert word not in text, (word, entry.endpoint)
            told = json.loads(entry.body)
            allowed = {"collections", "bbox", "datetime", "limit", "filter", "filter-lang", "next"}
            allowed |= {"input", "output", "evalscript", "aggregation", "calculations"}
            assert set(told) <= allowed


class TestBridge:
    def test_t42_same_scene_as_from_disk(self, small: Small, opened: Opener, items: list[pystac.Item]) -> None:
        """Reflectance by the service and from the file with its own offset: at most 0.002 apart on land."""
        scenes = [item for item in optical(items) if item.datetime.year >= 2022]
        got = to_physical(opened().read(block(scenes, window((10, 80), (0, 60))), ["red", "nir"]))
        for n, item in enumerate(scenes):
            name = f"S{item.properties['platform'][-2:].upper()}_50TMK_{item.datetime:%Y%m%d}_0_L2A"
            about = json.loads((small[0] / "sentinel-2-l2a" / name / f"{name}.json").read_text())
            for band in ("red", "nir"):
                offset = about["assets"][band]["raster:bands"][0]["offset"]
                disk = small[1][name][band][10:, :60] * 1e-4 + offset
                assert np.nanmax(np.abs(got[band].values[n] - disk)) <= 0.002


def test_statuses_are_the_same_whatever_the_number_of_threads(opened: Opener, items: list[pystac.Item]) -> None:
    one = AccessParams(concurrency=1)
    alone: xr.Dataset = opened(one).read(block(items, window((0, 20), (0, 140))), BANDS)
    assert opened().read(block(items, window((0, 20), (0, 140))), BANDS).equals(alone)
