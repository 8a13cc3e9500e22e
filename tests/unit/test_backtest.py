"""The truth of a world as days to judge by, and the product's words held against it, on tables made by hand."""

import datetime as dt
import json
from pathlib import Path

import pandas as pd
import pytest

from geocollateral import backtest, world_truth
from geocollateral.backtest import ALERT_COLUMNS, Told
from geocollateral.errors import MissingInput
from geocollateral.scorecard import Backtest, markdown, values_of
from geocollateral.what_if import Replay, score_blind


def days(start: str, values: list[float], step: int = 10) -> tuple[pd.DatetimeIndex, list[float]]:
    return pd.date_range(start, periods=len(values), freq=f"{step}D"), values


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Five parcels, one event each."""
    home = tmp_path / "small" / "truth"
    home.mkdir(parents=True)
    events = pd.DataFrame(
        [
            ("e1", "site", "construction", "2022-03-01", "2023-09-01", 8000.0, 1.0),
            ("e2", "field", "crop_failure", "2022-06-01", "2022-08-01", 9000.0, 0.8),
            ("e3", "left", "abandonment", "2022-05-01", "2024-12-31", 9000.0, 1.0),
            ("e4", "site", "stall", "2022-10-01", "2023-03-01", 8000.0, 1.0),
            ("e5", "other", "stall", "2022-10-01", "2022-11-01", 8000.0, 1.0),
            ("e6", "wet", "flood", "2022-07-10", "2022-07-20", 4000.0, 0.95),
        ],
        columns=["event_id", "parcel_id", "kind", "start", "end", "area_m2", "severity"],
    ).assign(site="north", note="")
    parcels = pd.DataFrame(
        [
            ("site", "construction", "building_site", 8000.0),
            ("other", "construction", "building_site", 40_000.0),
            ("field", "agriculture", "maize", 9000.0),
            ("left", "agriculture", "maize", 2000.0),
            ("wet", "agriculture", "rice", 4000.0),
        ],
        columns=["parcel_id", "asset_class", "cover_at_start", "area_m2"],
    ).assign(site="north", kind="", vigour=1.0)
    dates, vegetated = days("2022-02-19", [1.0, 1.0, 0.7, 0.4, 0.05, 0.0])
    stages = pd.DataFrame({"parcel_id": "site", "date": dates, "vegetated": vegetated})
    stages = stages.assign(water=0.0, cleared=1 - stages["vegetated"], building=0.0, built=0.0)
    dates, green = days("2022-06-01", [0.8, 0.8, 0.7, 0.4, 0.2, 0.16], step=3)
    phenology = pd.DataFrame({"parcel_id": "field", "date": dates, "green_cover": green})
    seasons = pd.DataFrame(
        {
            "parcel_id": ["field", "field", "left", "left"],
            "harvested": pd.to_datetime(["2021-09-20", "2022-08-01", "2021-09-25", "2023-09-25"]),
            "emerged": pd.to_datetime(["2021-06-01", "2022-06-01", "2021-06-01", "2023-06-01"]),
            "failed": [False, True, False, False],
        }
    )
    quiet = pd.DataFrame(
        {"parcel_id": ["site"], "start": pd.to_datetime(["2021-01-01"]), "end": pd.to_datetime(["2021-12-31"])}
    )
    for table in (events, quiet):
        table[["start", "end"]] = table[["start", "end"]].apply(pd.to_datetime)
    tables = {
        "events": events,
        "parcels": parcels,
        "stages": stages,
        "phenology": phenology,
        "seasons": seasons,
        "quiet_years": quiet,
    }
    for name, table in tables.items():
        table.to_parquet(home / f"{name}.parquet")
    return home.parent


def test_each_kind_has_the_days_it_can_be_judged_by(world: Path) -> None:
    found = world_truth.read_truth(world).events.set_index("event_id")
    told = found[["due", "half", "done"]].astype(str).fillna("-")
    assert told.loc["e1"].tolist() == ["-", "2022-03-21", "2022-03-31"]  # the site is cleared, not built
    assert told.loc["e2"].tolist() == ["-", "2022-06-10", "2022-06-13"]  # to 0.48, and to 0.224 of 0.16
    assert told.loc["e3"].tolist() == ["2023-05-01", "2022-05-01", "2022-05-01"]
    assert told.loc["e4"].tolist() == ["2022-12-30", "2022-10-01", "2022-10-01"]
    assert told.loc["e6"].tolist() == ["-", "2022-07-11", "2022-07-12"]
    assert found.loc["e5", "kind"] == "short_stall"
    assert found.loc["e1", "event_size"] == "0.5-1 ha"


def said(*rows: dict[str, object], **more: pd.DataFrame) -> Told:
    """What the product says of the five parcels, with a look every ten days of four years."""
    parcels = pd.DataFrame(
        {
            "parcel_id": ["site", "other", "field", "left", "wet"],
            "asset_class": ["construction"] * 2 + ["agriculture"] * 3,
        }
    )
    plain = {
        "rule": "r",
        "operating_point": "confirmed",
        "area_m2": 1000.0,
        "probability": 0.9,
        "sensors": "sentinel-2",
    }
    alerts = pd.DataFrame([plain | row for row in rows], columns=list(ALERT_COLUMNS))
    for name in ("last_clear_before", "first_clear_after", "detected_on"):
        alerts[name] = pd.to_datetime(alerts[name])
    looks = pd.date_range("2021-01-05", "2024-12-30", freq="10D")
    return Told(
        alerts=alerts,
        parcels=parcels.assign(status="ok", reason=""),
        looks=pd.concat([pd.DataFrame({"parcel_id": i, "day": looks}) for i in parcels["parcel_id"]]),
        tables=more,
    )


STARTED = {
    "parcel_id": "site",
    "kind": "construction_start",
    "last_clear_before": "2022-03-01",
    "first_clear_after": "2022-03-11",
    "detected_on": "2022-04-01",
}
STALLED = STARTED | {
    "kind": "stall",
    "last_clear_before": "2022-09-27",
    "first_clear_after": "2022-10-07",
    "detected_on": "2023-01-15",
}


def test_alerts_are_held_against_the_truth(world: Path) -> None:
    told = said(
        STARTED,
        STALLED,
        STARTED | {"rule": "twice"},
        STARTED | {"operating_point": "early_warning", "parcel_id": "wet"},
    )
    evaluation = backtest.hold_against(told, world_truth.read_truth(world))
    events = evaluation.events.set_index("event_id")
    assert set(events.index) == {"e1", "e2", "e3", "e4", "e6"}  # a short stall need not be found
    assert events["found"].to_dict() == {"e1": True, "e2": False, "e3": False, "e4": True, "e6": False}
    assert len(evaluation.alerts) == 2
    assert events.loc["e4", "lag_due_days"] == 16
    early = backtest.hold_against(told, world_truth.read_truth(world), "early_warning")
    assert early.alerts["outcome"].tolist().count("false") == 1


def test_seasons_before_the_first_event_are_compared(world: Path) -> None:
    rows = pd.DataFrame(
        {
            "parcel_id": ["field", "left", "left", "site"],
            "harvested": ["2021-09-24", "2021-09-23", "2023-09-01", "2021-09-01"],
        }
    )
    (harvest,) = backtest.season_dates(said(seasons=rows), world_truth.read_truth(world), world).values()
    assert harvest.mae.value == 3.0
    assert harvest.bias.value == 1.0
    assert harvest.recall.n == 2


def test_stages_of_building_sites_are_compared(world: Path) -> None:
    rows = pd.DataFrame({"parcel_id": ["site"] * 2, "date": ["2022-02-19", "2022-04-10"], "vegetated": [1.0, 0.0]})
    errors = backtest.stage_errors(said(stages=rows), world)
    assert list(errors) == ["vegetated", "all"]
    assert 0 < errors["vegetated"].value < 0.3
    assert backtest.stage_errors(said(), world) == {}


def test_the_card_says_it_all_and_stays_json(world: Path) -> None:
    truth = world_truth.read_truth(world)
    told = said(
        STARTED,
        STALLED,
        STARTED
        | {
            "parcel_id": "site",
            "last_clear_before": "2021-02-01",
            "first_clear_after": "2021-02-11",
            "detected_on": "2021-02-11",
        },
    )
    card = Backtest(
        world="small",
        classes=("agriculture", "construction"),
        confirmed=backtest.hold_against(told, truth),
        early=None,
        stages={},
        dates={},
        presence={},
        replays=(Replay(day=dt.date(2023, 1, 1), n_parcels=5, n_alerts=1, faults=("site stall: known too soon",)),),
        rivals=(
            {
                "kind": "construction",
                "method": "cold",
                "recall": 0.5,
                "recall_low": 0.1,
                "recall_high": 0.9,
                "recall_n": 2,
                "false_per_100": 0.5,
                "lag_due_days": float("nan"),
                "ours": 1.0,
            },
        ),
    )
    text = markdown(card)
    for words in (
        "| construction | 1 | 0 | 1.00 [",
        "| cold | 0.50 | 0.50 [0.10, 0.90] | 1.00 | - |",
        "known too soon",
    ):
        assert words in text
    assert "| construction | building_site | construction_start | 1 |" in text  # the false alert
    values = json.loads(json.dumps(values_of(card), allow_nan=False))
    assert values["operating_points"]["confirmed"]["all"][0]["n_alerts"] == 3


def test_a_folder_without_truth_is_no_world(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="holds no simulated world"):
        world_truth.read_truth(tmp_path)


def test_every_kind_of_event_of_the_simulator_has_its_answer() -> None:
    from geocollateral.simulate.happenings import EVENT_KINDS

    assert set(EVENT_KINDS) == set(world_truth.ANSWERS)


def test_radar_alone_is_scored_within_its_windows(world: Path) -> None:
    truth = world_truth.read_truth(world)
    told = said(STARTED, STARTED | {"parcel_id": "field", "kind": "flood"})
    windows = {
        "site": (dt.date(2022, 3, 1), dt.date(2022, 4, 30)),
        "field": (dt.date(2022, 6, 1), dt.date(2022, 7, 31)),
        "wet": (dt.date(2022, 7, 10), dt.date(2022, 9, 8)),
    }
    found = {(s.kind, s.point): s.recall.value for s in score_blind(told, truth, windows)}
    both = ("confirmed", "early_warning")
    assert found == {
        (kind, p): float(kind == "construction") for kind in ("construction", "crop_failure", "flood") for p in both
    }


def test_a_warning_by_radar_alone_is_found_as_a_warning_only(world: Path) -> None:
    truth = world_truth.read_truth(world)
    told = said(STARTED | {"operating_point": "early_warning"})
    windows = {"site": (dt.date(2022, 3, 1), dt.date(2022, 4, 30))}
    assert {s.point: s.recall.value for s in score_blind(told, truth, windows)} == {
        "confirmed": 0.0,
        "early_warning": 1.0,
    }
