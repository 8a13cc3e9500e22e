"""A small world through the backtest: kept looks say what imagery says, and nothing looks ahead."""

import datetime as dt
import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from geocollateral import kept_looks, service
from geocollateral.config import Settings, load_decision_table
from geocollateral.simulate import WorldSpec, build, find_world

SETTINGS = Settings(compute={"scheduler": "synchronous"})  # type: ignore[arg-type]  # pydantic takes mappings


def spec() -> WorldSpec:
    """Two years of forest with clear-cuts."""
    tiny = find_world("tiny")
    return replace(
        tiny,
        name="cuts",
        family=78,
        start=dt.date(2021, 3, 1),
        end=dt.date(2023, 4, 30),
        sites=(replace(tiny.sites[0], size=48, land={"needle": 1.0}),),
        optical_days=6,
        radar_days=120,
        events={"clear_cut": 2},
        history_days=400,
        pledged=3,
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("world") / "cuts", spec(), seed=1)


def test_kept_looks_say_what_imagery_says_and_nothing_looks_ahead(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = service.backtest(world, settings=SETTINGS, replays=1)
    assert [fault for replay in plain.replays for fault in replay.faults] == []
    assert len(plain.confirmed.events) == 2
    kept = service.backtest(world, settings=SETTINGS, kept=tmp_path / "kept")
    monkeypatch.setattr(kept_looks, "observe_block", None)  # no imagery is read from here on
    again = service.backtest(world, settings=SETTINGS, kept=tmp_path / "kept")
    columns = ["parcel_id", "kind", "last_clear_before", "first_clear_after", "detected_on", "outcome"]
    for other in (kept, again):
        pd.testing.assert_frame_equal(other.confirmed.alerts[columns], plain.confirmed.alerts[columns])
    pd.testing.assert_frame_equal(kept.confirmed.alerts, again.confirmed.alerts)


def test_pipeline_writes_its_tables(
    world: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    asked = ["backtest.py", str(world), "--kept", str(tmp_path / "kept"), "--out", str(out)]
    asked += ["--calibrate", str(tmp_path / "table.yaml"), "--also", f"{world}={tmp_path / 'kept'}", "--stress", "haze"]
    monkeypatch.setattr(sys, "argv", [*asked, "--peer", f"two_dates={sys.executable}"])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(root / "pipelines" / "backtest.py"), run_name="__main__")
    assert left.value.code == 0
    assert "# Backtest on `cuts`" in capsys.readouterr().out
    assert "two_dates" in (out / "backtest.md").read_text(encoding="utf-8")
    assert json.loads((out / "backtest.json").read_text(encoding="utf-8"))["classes"] == ["forestry"]
    assert "False alerts under disturbances" in (out / "backtest.md").read_text(encoding="utf-8")
    table = load_decision_table(tmp_path / "table.yaml")
    assert table.made_on == ("cuts", "cuts")
    assert {row.asset_class for row in table.rows} == {"forestry"}
