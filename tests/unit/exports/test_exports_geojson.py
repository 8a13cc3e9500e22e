"""`exports.geojson` against RFC 7946."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import LinearRing, MultiPolygon, Polygon, shape

from geocollateral.errors import BrokenData
from geocollateral.exports.geojson import parcels_geojson
from geocollateral.types import NOT_A_VALUATION, PARCEL_COLUMNS, Assessment


@pytest.fixture(scope="module")
def collection(assessment: Assessment) -> dict:
    return json.loads(parcels_geojson(assessment.parcels))


def test_it_says_that_it_is_no_valuation(collection):
    assert collection["disclaimer"] == NOT_A_VALUATION


def test_features_keep_order_and_ids(assessment, collection):
    assert collection["type"] == "FeatureCollection"
    assert [f["id"] for f in collection["features"]] == list(assessment.parcels.index)
    assert all(f["properties"]["parcel_id"] == f["id"] for f in collection["features"])


def test_there_is_no_crs_member_and_the_box_is_in_degrees(collection):
    assert "crs" not in collection
    west, south, east, north = collection["bbox"]
    assert -180 <= west < east <= 180
    assert -90 <= south < north <= 90


def test_properties_come_in_the_contract_order(collection):
    for feature in collection["features"]:
        names = list(feature["properties"])
        assert names[: len(PARCEL_COLUMNS) + 1] == ["parcel_id", *PARCEL_COLUMNS]
        assert names[len(PARCEL_COLUMNS) + 1 :] == sorted(names[len(PARCEL_COLUMNS) + 1 :])


def test_what_is_missing_is_null(collection):
    small = next(f["properties"] for f in collection["features"] if f["id"] == "RO-010")
    assert small["meta_status"] == "cannot_tell"
    assert small["meta_reason"]
    for name in ("meta_last_clear", "val_p05", "val_p50", "val_p95", "val_currency", "risk_score", "risk_ltv"):
        assert small[name] is None
    assert small["alerts"] == []


def test_dates_are_iso_days_and_alerts_are_ids(assessment, collection):
    felled = next(f["properties"] for f in collection["features"] if f["id"] == "RO-004")
    assert felled["meta_last_clear"] == "2020-12-30"
    assert felled["alerts"] == [a.alert_id for a in assessment.alerts if a.parcel_id == "RO-004"]
    assert isinstance(felled["meta_n_obs"], int)


def _with_geometry(assessment: Assessment, geometry: object) -> gpd.GeoDataFrame:
    parcels = assessment.parcels.iloc[:1].copy()
    parcels["geometry"] = gpd.GeoSeries([geometry], index=parcels.index, crs=4326)
    return parcels


HOLED = Polygon(
    [(25, 46), (25, 46.01), (25.01, 46.01), (25.01, 46)],
    [[(25.002, 46.002), (25.004, 46.002), (25.004, 46.004), (25.002, 46.004)]],
)


@pytest.mark.parametrize(
    "geometry",
    [HOLED, HOLED.reverse(), MultiPolygon([HOLED, Polygon([(26, 46), (26, 46.1), (26.1, 46.1)])])],
    ids=["clockwise", "anticlockwise", "multi"],
)
def test_rings_follow_the_right_hand_rule_and_close(assessment, geometry):
    written = json.loads(parcels_geojson(_with_geometry(assessment, geometry)))["features"][0]["geometry"]
    polygons = [written["coordinates"]] if written["type"] == "Polygon" else written["coordinates"]
    for outer, *holes in polygons:
        assert LinearRing(outer).is_ccw
        assert not any(LinearRing(hole).is_ccw for hole in holes)
        for ring in (outer, *holes):
            assert ring[0] == ring[-1]
            assert len(ring) >= 4
    assert shape(written).equals(geometry)


def test_coordinates_are_two_rounded_numbers(assessment):
    rough = Polygon([(25.123456789, 46.123456789, 300.0), (25.2, 46.1, 300.0), (25.2, 46.2, 300.0)])
    ring = json.loads(parcels_geojson(_with_geometry(assessment, rough)))["features"][0]["geometry"]["coordinates"][0]
    assert [25.1234568, 46.1234568] in ring
    assert all(len(position) == 2 for position in ring)


def test_same_parcels_same_bytes(assessment):
    assert parcels_geojson(assessment.parcels) == parcels_geojson(assessment.parcels.copy(deep=True))


def test_noise_of_summing_order_does_not_show(assessment):
    noisy = assessment.parcels.copy()
    noisy["obs_area_m2"] = np.nextafter(noisy["obs_area_m2"].to_numpy(), np.inf)
    assert parcels_geojson(noisy) == parcels_geojson(assessment.parcels)


def test_a_number_beside_cannot_tell_is_refused(assessment):
    parcels = assessment.parcels.copy()
    parcels.loc["RO-010", "val_p50"] = 1.0
    with pytest.raises(BrokenData, match=r"RO-010.*val_p50"):
        parcels_geojson(parcels)


def test_a_lacking_column_is_refused(assessment):
    with pytest.raises(BrokenData, match="val_grade"):
        parcels_geojson(assessment.parcels.drop(columns="val_grade"))


@pytest.mark.parametrize("column", ["val_p50", "val_market_p50", "val_valuer_gap_frac", "risk_score"])
def test_a_parcel_that_cannot_be_judged_has_no_number_of_any_approach(assessment, column):
    parcels = assessment.parcels.copy()
    unknown = parcels.index[parcels["meta_status"] == "cannot_tell"][0]
    if column not in parcels:
        parcels[column] = None
    parcels[column] = parcels[column].astype(object)
    parcels.loc[unknown, column] = 1.5
    with pytest.raises(BrokenData, match=column):
        parcels_geojson(parcels)
