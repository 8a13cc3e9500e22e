"""The laws of the whole line, on a small world with known truth."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pandas.testing import assert_frame_equal

from geocollateral import service
from geocollateral.config import Settings, load_settings
from geocollateral.store import find_damage
from geocollateral.types import OBSERVATION_STATUSES, Alert, Assessment

SYNCHRONOUS = {"compute": {"scheduler": "synchronous"}}


def knobs(**asked: Any) -> Settings:
    return Settings(**{**SYNCHRONOUS, **asked})


def assess(parcels: Path, source: str, **asked: Any) -> Assessment:
    return service.assess(parcels, source=source, settings=asked.pop("settings", knobs()), **asked)


@pytest.fixture(scope="module")
def forest(make_world: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The world as it was written once for this module; do not write to it."""
    return make_world(tmp_path_factory.mktemp("forest"))


@pytest.fixture(scope="module")
def source(forest: Any) -> str:
    return str(forest.write_cube())


@pytest.fixture(scope="module")
def parcels(forest: Any) -> Path:
    return Path(forest.write_parcels())


@pytest.fixture(scope="module")
def expected(source: str, parcels: Path) -> Assessment:
    """The result that every other way to the same figures is compared with."""
    return service.assess(parcels, source=source, settings=knobs())


def require_same(one: Assessment, other: Assessment, *, identity: bool = True, peers: bool = True) -> None:
    """Every figure equal to the last bit; with ``identity`` the run id too.

    Without ``peers`` the ground around that a stand is compared with may differ (decision 0005): days, ids, words and
    verdicts are the same all the same, and figures of change to half a percent.
    """
    near: dict[str, Any] = {} if peers else {"rtol": 5e-3}
    order = list(one.parcels.index)
    assert_frame_equal(one.parcels.drop(columns="geometry"), other.parcels.loc[order].drop(columns="geometry"), **near)
    assert_frame_equal(one.series, other.series)
    for name in ("changes", "baselines"):
        assert_frame_equal(getattr(one, name), getattr(other, name), **near)
    key = ["parcel_id", "year"]
    years = [run.yearly.sort_values(key, ignore_index=True) for run in (one, other)]
    assert_frame_equal(*years, **near)
    if peers:
        assert one.alerts == other.alerts
    else:
        require_near(one.alerts, other.alerts)
    assert one.scenes == other.scenes
    assert {(c.parcel_id, c.role, c.acquired, c.rgb.tobytes()) for c in one.chips} == {
        (c.parcel_id, c.role, c.acquired, c.rgb.tobytes()) for c in other.chips
    }
    if identity:
        assert one.run_id == other.run_id


def require_near(alerts: Sequence[Alert], others: Sequence[Alert]) -> None:
    """Alerts that are the same but for areas to half a percent and scores to one in a hundred."""
    numbers: dict[str, Any] = {"area_m2": 0.0, "probability": 0.0, "evidence": {}}
    assert [replace(a, **numbers) for a in alerts] == [replace(a, **numbers) for a in others]
    for one, other in zip(alerts, others, strict=True):
        assert one.area_m2 == pytest.approx(other.area_m2, rel=5e-3)
        assert one.probability == pytest.approx(other.probability, abs=0.01)
        assert one.evidence.keys() == other.evidence.keys()
        for name, value in one.evidence.items():
            given = other.evidence[name]
            assert value == (pytest.approx(given, rel=5e-3, abs=0.01) if isinstance(given, float) else given), name


def test_truth_is_found(world: Any, expected: Assessment, clearing: tuple[int, slice, slice]) -> None:
    """Only then do the laws below say something."""
    first, rows, columns = clearing
    [alert] = expected.alerts
    assert alert.parcel_id == "felled"
    days = world.cube["time"].values.astype("datetime64[D]").astype(object)
    assert (alert.last_clear_before, alert.first_clear_after) == (days[first - 1], days[first])
    area = (rows.stop - rows.start) * (columns.stop - columns.start) * 100
    assert alert.area_m2 == pytest.approx(area, rel=0.05)
    assert alert.evidence["area_low_m2"] <= area * 1.002
    assert alert.evidence["area_high_m2"] >= area * 0.998
    assert expected.parcels["meta_status"].to_dict() == {
        "stable": "ok",
        "felled": "ok",
        "small": "cannot_tell",
        "edge": "cannot_tell",
        "roofs": "cannot_tell",
    }


# --------------------------------------------------------------------------------------- blocks, workers, order, twice


@pytest.mark.parametrize("block_pixels", [16, 64])
def test_size_of_blocks_changes_nothing(expected: Assessment, block_pixels: int, source: str, parcels: Path) -> None:
    got = assess(parcels, source, settings=knobs(plan={"block_pixels": block_pixels}))
    assert got.run["n_blocks"] > expected.run["n_blocks"] or block_pixels > 16
    require_same(expected, got, identity=False, peers=False)


def test_widened_clouds_reach_across_the_edge_of_a_block(source: str, parcels: Path) -> None:
    """A cloud outside the window read may still cover the parcel once it is widened."""
    masks = {"dilate_m": 120.0}
    one = assess(parcels, source, settings=knobs(masks=masks, plan={"block_pixels": 256}))
    many = assess(parcels, source, settings=knobs(masks=masks, plan={"block_pixels": 16, "margin_pixels": 0}))
    require_same(one, many, identity=False, peers=False)


@pytest.mark.parametrize("compute", [{"scheduler": "threads", "workers": 1}, {"scheduler": "threads", "workers": 4}])
def test_workers_change_nothing(expected: Assessment, compute: dict[str, Any], source: str, parcels: Path) -> None:
    got = assess(parcels, source, settings=knobs(compute=compute))
    require_same(expected, got)


def test_processes_change_nothing(expected: Assessment, source: str, parcels: Path) -> None:
    settings = knobs(compute={"scheduler": "processes", "workers": 1})
    require_same(expected, assess(parcels, source, settings=settings))


@pytest.fixture
def scheduler_address() -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        host="127.0.0.1",
        protocol="tcp",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster.scheduler_address


def test_cluster_by_address_changes_nothing(
    expected: Assessment, scheduler_address: str, source: str, parcels: Path
) -> None:
    assert scheduler_address.startswith("tcp://127.0.0.1")
    seen: list[tuple[int, int]] = []
    settings = knobs(compute={"scheduler": scheduler_address}, plan={"block_pixels": 16})
    got = assess(parcels, source, settings=settings, progress=lambda done, of: seen.append((done, of)))
    require_same(expected, got, identity=False, peers=False)
    assert seen == [(n, got.run["n_blocks"]) for n in range(1, got.run["n_blocks"] + 1)]


def test_order_of_scenes_in_the_file_changes_nothing(world: Any, expected: Assessment, parcels: Path) -> None:
    shuffled = world.cube.isel(time=np.random.default_rng(3).permutation(world.cube.sizes["time"]))
    got = assess(parcels, world.write_cube("cube.nc", shuffled))
    require_same(expected, got, identity=False)


def test_order_of_parcels_changes_nothing(world: Any, expected: Assessment, source: str) -> None:
    order = ["roofs", "small", "edge", "felled", "stable"]
    got = assess(world.write_parcels(order=order), source)
    assert list(got.parcels.index) == order
    require_same(expected, got, identity=False)


def test_a_parcel_alone_gets_the_same_answer(world: Any, expected: Assessment, source: str) -> None:
    got = assess(world.write_parcels(order=["felled"]), source)
    # Which indices are given depends on the asset classes of the project; what each says does not.
    own = expected.series[
        (expected.series["parcel_id"] == "felled") & expected.series["index"].isin(got.series["index"])
    ]
    assert_frame_equal(got.series, own.reset_index(drop=True))
    require_near(got.alerts, expected.alerts)


def test_zarr_gives_what_netcdf_gives(world: Any, expected: Assessment, parcels: Path) -> None:
    got = assess(parcels, world.write_cube("cube.zarr"))
    require_same(expected, got, identity=False)


def test_twice_equals_once(tmp_path: Path, source: str, parcels: Path) -> None:
    runs = []
    for name in ("one", "two"):
        done = assess(parcels, source, out=tmp_path / name)
        assert find_damage(tmp_path / name) == []
        runs.append(json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8")))
        assert runs[-1]["run_id"] == done.run_id
    one, two = runs
    assert one.pop("timings").keys() == two.pop("timings").keys()
    assert one == two
    names = {p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file()}
    assert names == {p.relative_to(tmp_path / "two") for p in (tmp_path / "two").rglob("*") if p.is_file()}
    for name in names - {Path("run.json")}:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_what_changes_figures_changes_the_run_id(world: Any, source: str) -> None:
    """Two runs under one id with different figures could not be told apart."""
    silent = world.cube.copy()
    for name in ("B02", "B03", "B04", "B08", "B8A", "B11"):
        silent[name].attrs = {k: v for k, v in silent[name].attrs.items() if k not in ("scale_factor", "add_offset")}
    source, parcels = world.write_cube("silent.nc", silent), world.write_parcels(order=["stable"])
    ids = [assess(parcels, source, source_options={"scale": 1e-4, "offset": offset}).run_id for offset in (-0.1, 0.0)]
    assert ids[0] != ids[1]


# -------------------------------------------------------------------------------------------------------------- as_of


def test_nothing_acquired_after_as_of_is_read(world: Any) -> None:
    """Nonsense in later scenes, and no later scenes at all, give what the true later scenes give."""
    cut = 33
    day = pd.Timestamp(world.cube["time"].values[cut]).date()
    poisoned = world.cube.copy(deep=True)
    for name in ("B02", "B03", "B04", "B08", "B8A", "B11"):
        poisoned[name].values[cut + 1 :] = np.random.default_rng(5).integers(1, 65535, poisoned[name].shape[1:])
    poisoned["SCL"].values[cut + 1 :] = 4
    parcels = world.write_parcels()
    results = [
        assess(parcels, world.write_cube("cube.nc", cube), as_of=day)
        for cube in (world.cube, poisoned, world.cube.isel(time=slice(cut + 1)))
    ]
    assert results[0].as_of == day
    assert results[0].series["time"].max() <= pd.Timestamp(day)
    for other in results[1:]:
        require_same(results[0], other, identity=False)


def test_a_break_is_never_known_before_it_happened(world: Any, clearing: tuple[int, slice, slice], source: str) -> None:
    first = clearing[0]
    parcels = world.write_parcels(order=["felled", "stable"])
    days = world.cube["time"].values.astype("datetime64[D]").astype(object)
    for position, found in ((first - 1, False), (first, False), (first + 3, True)):
        got = assess(parcels, source, as_of=days[position])
        assert bool(got.alerts) == found, days[position]
        assert all(alert.detected_on <= got.as_of for alert in got.alerts)


def test_period_bounds_what_is_read(source: str, parcels: Path) -> None:
    got = assess(parcels, source, period=("2018-06-01", "2020-06-01"))
    assert got.series["time"].min() >= pd.Timestamp("2018-06-01")
    assert got.as_of <= dt.date(2020, 6, 1)
    days = [scene["datetime"][:10] for scene in got.scenes["scenes"]]
    assert min(days) >= "2018-06-01"
    assert max(days) <= "2020-06-01"


def test_moments_are_taken_as_their_day(world: Any, source: str) -> None:
    parcels = world.write_parcels(order=["stable"])
    moment = dt.datetime(2020, 6, 1, 12, tzinfo=dt.UTC)
    assert assess(parcels, source, as_of=moment).as_of == dt.date(2020, 6, 1)


# ----------------------------------------------------------------------------------------------------------- accounting


def require_complete_account(got: Assessment) -> None:
    scenes = got.scenes
    assert set(scenes["observations"]) == set(OBSERVATION_STATUSES)
    n_parcels = len(got.parcels)
    for scene in scenes["scenes"]:
        assert sum(scene["observations"].values()) == len(scene["bands"]) * n_parcels, scene["scene_id"]
    assert scenes["expected_observations"] == sum(len(s["bands"]) for s in scenes["scenes"]) * n_parcels
    assert scenes["expected_observations"] == sum(scenes["observations"].values())
    assert scenes["n_scenes"] == len(scenes["scenes"])


def test_every_observation_is_accounted_for(world: Any, expected: Assessment, source: str, parcels: Path) -> None:
    require_complete_account(expected)
    assert expected.scenes["n_scenes"] == world.cube.sizes["time"]
    assert expected.scenes["observations"]["masked"] >= 7 * 6 * len(expected.parcels)
    split = assess(parcels, source, settings=knobs(plan={"block_pixels": 16}))
    assert split.scenes == expected.scenes


def test_absent_and_corrupt_bands_are_told_apart_and_hide_no_other(world: Any, parcels: Path) -> None:
    """One band of a scene that was not written takes nothing from the others, and is never counted as cloud."""
    source = world.write_cube("cube.zarr")
    before = assess(parcels, source)
    for position, fault in ((0, "absent"), (1, "corrupt")):
        for chunk in (world.folder / "cube.zarr" / "B11" / "c" / str(position)).rglob("*"):
            if chunk.is_file():
                chunk.unlink() if fault == "absent" else chunk.write_bytes(b"\xff" * 40)
    got = assess(parcels, source)
    require_complete_account(got)
    statuses = [scene["bands"]["swir16"] for scene in got.scenes["scenes"]]
    assert statuses == ["outside"] * 10 + ["corrupt"] * 10 + ["ok"] * 40
    assert got.scenes["observations"]["masked"] <= before.scenes["observations"]["masked"]
    assert got.scenes["observations"]["outside"] == 10 * len(got.parcels)
    ndvi, before_ndvi = (s[s["index"] == "ndvi"].reset_index(drop=True) for s in (got.series, before.series))
    assert_frame_equal(ndvi, before_ndvi)
    ndmi = got.series[got.series["index"] == "ndmi"]
    assert ndmi["time"].min() >= pd.Timestamp(world.cube["time"].values[20]).floor("D")


# ------------------------------------------------------------------------------------------- other sensors, other bands


def test_ten_metre_bands_alone_give_series_and_say_what_is_lacking(world: Any, tmp_path: Path, parcels: Path) -> None:
    got = assess(parcels, world.write_cube("ten.nc", world.cube[["B04", "B08", "spatial_ref"]]), out=tmp_path / "out")
    assert set(got.series["index"]) == {"ndvi"}
    assert set(got.series["parcel_id"]) == set(got.parcels.index)
    assert (got.parcels["meta_status"] == "cannot_tell").all()
    for name in ("stable", "felled"):
        reason = got.parcels.loc[name, "meta_reason"]
        assert "ndmi" in reason
        assert "swir16" in reason
    assert got.parcels[["val_p50", "risk_ltv"]].isna().all(axis=None)
    assert got.alerts == ()
    require_complete_account(got)


@pytest.mark.parametrize("asset_class", ["agriculture", "solar", "wind", "construction", "aquaculture"])
def test_every_asset_class_answers_or_says_why_not(world: Any, asset_class: str, source: str) -> None:
    """A felled forest pledged as something else: no class may fall over it, nor give a number it cannot stand for."""
    parcels = world.write_parcels(order=["felled"], asset_class=asset_class)
    got = assess(parcels, source)
    [parcel] = got.parcels.to_dict("records")
    assert parcel["meta_status"] in {"ok", "cannot_tell"}
    assert len(parcel["meta_reason"]) > 20
    assert {"ndvi", "ndmi"} <= set(got.series["index"])
    if parcel["meta_status"] == "cannot_tell":
        assert parcel["val_p50"] is None
    for alert in got.alerts:
        assert alert.last_clear_before < alert.first_clear_after <= alert.detected_on


def test_backscatter_is_averaged_as_power_and_shown_in_decibel(radar_world: Any, tmp_path: Path, parcels: Path) -> None:
    got = assess(parcels, radar_world.write_cube("radar.nc"), out=tmp_path / "out")
    assert set(got.series["index"]) == {"vv", "vh"}
    assert set(got.series["sensor"]) == {"sentinel-1"}
    assert (got.parcels["meta_status"] == "cannot_tell").all()
    require_complete_account(got)
    assert got.scenes["observations"]["ok"] == got.scenes["expected_observations"]
    # A parcel of whole pixels: the mean by hand, over rows 3..5 and columns 21..23 weighted by what is covered.
    rows = np.array([0.7, 1.0, 0.6])
    columns = np.array([0.7, 1.0, 0.6])
    weight = np.outer(rows, columns)
    part = {"y": slice(3, 6), "x": slice(21, 24)}
    for name, power in (
        ("vv", radar_world.cube["VV"].isel(part).values.astype(np.float64)),
        ("vh", 10 ** (radar_world.cube["VH"].isel(part).values.astype(np.float64) / 10)),
    ):
        by_hand = 10 * np.log10((power * weight).sum(axis=(1, 2)) / weight.sum())
        series = got.series[(got.series["index"] == name) & (got.series["parcel_id"] == "small")]
        assert np.allclose(series["mean"], by_hand, rtol=0, atol=2e-3)


def test_radar_is_not_masked_by_clouds(world: Any, radar_world: Any, parcels: Path) -> None:
    both = xr.merge([world.cube, radar_world.cube], combine_attrs="drop_conflicts", compat="override", join="exact")
    got = assess(parcels, world.write_cube("both.nc", both))
    require_complete_account(got)
    vv = got.series[(got.series["index"] == "vv") & (got.series["parcel_id"] == "stable")]
    assert len(vv) == world.cube.sizes["time"]
    assert set(vv["sensor"]) == {"sentinel-1"}
    cloudy = got.scenes["scenes"][3]
    assert cloudy["bands"]["vv"] == "ok"
    assert cloudy["observations"]["ok"] == 2 * len(got.parcels)


def test_holes_in_the_imagery_are_no_trouble(world: Any, tmp_path: Path, parcels: Path) -> None:
    """A strip without data in every scene: told as less coverage, never as a value."""
    holed = world.cube.copy(deep=True)
    for name in ("B02", "B03", "B04", "B08", "B8A", "B11", "SCL"):
        holed[name].values[:, :, 8:10] = 0
    got = assess(parcels, world.write_cube("holed.nc", holed), out=tmp_path / "out")
    share = got.series[got.series["parcel_id"] == "stable"].groupby("index")["valid_fraction"].max()
    assert (share < 0.9).all()
    assert np.isfinite(got.series[["mean", "p10", "p50", "p90"]]).all(axis=None)
    require_complete_account(got)


def test_python_and_command_give_the_same(
    world: Any, tmp_path: Path, run: Callable[..., tuple[int, str, str]], parcels: Path, source: str
) -> None:
    code, out, err = run("assess", parcels, "--source", source, "--out", tmp_path / "by-command")
    assert code == 0, err
    import geocollateral

    done = geocollateral.assess(parcels, source=source, settings=load_settings(), out=tmp_path / "by-python")
    assert done.run_id in out
    assert err.splitlines() == ["blocks: 1 of 1"]
    for name in ("parcels.geojson", "alerts.json", "series.parquet", "changes.parquet", "report.html"):
        assert (tmp_path / "by-command" / name).read_bytes() == (tmp_path / "by-python" / name).read_bytes()


def test_tables_of_values_give_approaches_and_no_claim_or_loan_moves_them(
    world: Any, source: str, tmp_path: Path
) -> None:
    head = "kind,asset_class,region,unit,currency,p05,p50,p95,dated,stale_after,source\n"
    tables = tmp_path / "values.csv"
    tables.write_text(head + "comparable,forestry,*,per ha,EUR,4000,6500,10000,2000-01-01,,x\n", encoding="utf-8")
    got = assess(world.write_parcels(order=["stable"]), source, value_tables=tables, out=tmp_path / "out")
    [row] = got.parcels.to_dict("records")
    assert row["val_approach"] == "market"
    assert 0 < row["val_p05"] < row["val_p50"] < row["val_p95"]
    assert "income approach lacks" in row["val_reason"]
    assert set(got.tables["values"]["name"]) == {"area", "comparable"}
    parcels = world.write_parcels(
        order=["stable"],
        claim_area_mu=9000,
        list_price=1e9,
        loan_id="L",
        loan_amount=1e9,
        loan_outstanding=5e5,
        loan_currency="EUR",
        valuer_value=2 * row["val_p50"],
        valuer_currency="eur",
    )
    again = assess(parcels, source, value_tables=tables)
    [moved] = again.parcels.to_dict("records")
    assert moved["val_p50"] == pytest.approx(row["val_p50"], abs=1e-12)
    assert moved["risk_ltv"] == pytest.approx(5e5 / row["val_p50"])
    assert moved["val_valuer_gap_frac"] == pytest.approx(1)
    assert moved["user_valuer_value"] == pytest.approx(2 * row["val_p50"])  # beside, never changed
    assert np.isnan(row["risk_ltv"])  # no loan is named
