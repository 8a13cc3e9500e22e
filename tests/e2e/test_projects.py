"""Loan projects from file to registry, and what an assessment then says: commands on a small world."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from parcel_files import geojson, kml, placemark

from geocollateral import service
from geocollateral.config import load_settings
from geocollateral.intake import gcj02
from geocollateral.types import MU_M2

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a registry of its own in the user's data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "geocollateral" / "registry.sqlite"


def project(run: Run, *arguments: object) -> Any:
    code, out, err = run("project", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def assessed(run: Run, world: Any, parcels: Path, *options: object) -> tuple[dict[str, Any], str, Path]:
    out = world.folder / f"out-{len(list(world.folder.iterdir()))}"
    code, _, err = run("assess", parcels, "--source", world.write_cube(), "--out", out, *options)
    assert code == 0, err
    features = json.loads((out / "parcels.geojson").read_text())["features"]
    return {f["properties"]["parcel_id"]: f["properties"] for f in features}, (out / "report.html").read_text(), out


def test_a_project_is_added_listed_shown_and_released(world: Any, run: Run, own_data: Path) -> None:
    parcels = world.write_parcels(loan_id="L-1", loan_borrower_id="B-1", loan_outstanding=1234.56, loan_currency="CNY")
    added = project(run, "add", parcels, "--project", "firs", "--on", "2024-01-01")
    assert added["project"] == "P1"
    assert sorted(added["parcels"]["new"]) == sorted(world.outlines)
    assert {row["claim_pledge_verdict"] for row in added["check"]["parcels"].values()} == {"match"}
    assert own_data.is_file()

    again = project(run, "add", parcels, "--project", "firs")
    assert (again["project"], again["is_new"], again["pledges_changed"], again["loans_changed"]) == (
        "P1",
        False,
        [],
        [],
    )
    assert sorted(again["parcels"]["unchanged"]) == sorted(world.outlines)

    (listed,) = project(run, "list")
    assert (listed["project"], listed["name"], listed["parcels"], listed["live_pledges"]) == ("P1", "firs", 5, 5)
    shown = project(run, "show", "P1")
    assert shown["loans"][0]["balance"] == "1234.56"
    assert {row["from"] for row in shown["pledges"]} == {"2024-01-01"}
    assert shown["sum_mu"] == pytest.approx(shown["union_mu"])

    project(run, "release", "P1", "--parcel", "stable", "--on", "2024-06-01")
    after = project(run, "show", "p1")
    assert {row["parcel"]: row["released_on"] for row in after["pledges"]}["stable"] == "2024-06-01"
    assert after["live_parcels"] == 4
    for command in (("list",), ("show", "P1"), ("overlaps",), ("area", "--by", "borrower")):
        code, out, err = run("project", *command)
        assert code == 0, err
        assert out.strip()


def test_another_branch_sees_the_land_and_no_name(world: Any, run: Run) -> None:
    parcels = world.write_parcels("secret-file.geojson", loan_id="L-secret", loan_borrower_id="B-secret")
    project(run, "add", parcels, "--branch", "north")
    added = project(run, "add", world.write_parcels("south.geojson", loan_id="L-2"), "--branch", "south")
    text = json.dumps(added)
    assert "secret" not in text
    row = added["check"]["parcels"]["stable"]
    assert row["claim_pledge_verdict"] == "mismatch"
    assert row["meta_pledged_with"] == ["P1"]
    assert row["obs_pledged_frac"] == pytest.approx(1, abs=1e-6)
    assert "branch north" in row["claim_pledge_reason"]
    code, _, err = run("project", "show", "P1", "--branch", "south")
    assert code == 4
    assert err == run("project", "show", "P1", "--branch", "east")[2]
    assert "secret" not in json.dumps(project(run, "overlaps"))
    assert [r["branch"] for r in project(run, "list", "--branch", "south")] == ["south"]


def test_the_own_branch_is_told_parcel_and_loan(world: Any, run: Run) -> None:
    project(run, "add", world.write_parcels("a.geojson", loan_id="L-1"))
    added = project(run, "add", world.write_parcels("b.geojson", loan_id="L-2"))
    reason = added["check"]["parcels"]["felled"]["claim_pledge_reason"]
    assert "parcel 'felled'" in reason
    assert "'L-1'" in reason


def test_pledges_that_never_meet_in_time_are_no_overlap(world: Any, run: Run) -> None:
    project(run, "add", world.write_parcels("a.geojson", loan_id="L-1", loan_pledged_to="2030-01-01"))
    added = project(run, "add", world.write_parcels("b.geojson", loan_id="L-2", loan_pledged_from="2030-01-01"))
    assert {row["claim_pledge_verdict"] for row in added["check"]["parcels"].values()} == {"match"}
    assert project(run, "overlaps") == []


def test_a_pledge_entered_late_meets_what_is_known_today(world: Any, run: Run) -> None:
    project(run, "add", world.write_parcels("a.geojson", loan_id="L-1"), "--on", "2023-01-01")
    late = project(run, "add", world.write_parcels("b.geojson", loan_id="L-2"), "--on", "2022-06-01")
    assert {row["claim_pledge_verdict"] for row in late["check"]["parcels"].values()} == {"mismatch"}
    assert {row["shared_from"] for row in late["check"]["overlaps"]} == {"2023-01-01"}


def test_portfolio_counts_ground_once(world: Any, run: Run) -> None:
    for loan in ("L-1", "L-2"):
        project(run, "add", world.write_parcels(f"{loan}.geojson", loan_id=loan, loan_borrower_id=f"B-{loan}"))
    (row,) = project(run, "area", "--by", "all")
    assert row["sum_m2"] == pytest.approx(2 * row["union_m2"], rel=1e-6)
    assert [r["live_parcels"] for r in project(run, "area", "--by", "borrower")] == [5, 5]


def test_an_assessment_tells_of_other_pledges_and_overlays(world: Any, run: Run) -> None:
    other = world.write_parcels("other.geojson", order=["felled"], loan_id="L-9", loan_borrower_id="B-9")
    project(run, "add", other, "--branch", "north")
    code, _, err = run(
        "overlay", "add", world.write_parcels("line.geojson", order=["stable"]),
        "--name", "red line", "--source", "county", "--month", "2019-03",
    )  # fmt: skip
    assert code == 0, err
    assert "not a legal opinion" in run("overlay", "add", "--help")[1].replace("\n", " ")
    assert "red line" in run("overlay", "list")[1]

    found, report, folder = assessed(run, world, world.write_parcels(loan_id="L-1"))
    assert found["felled"]["claim_pledge_verdict"] == "mismatch"
    assert found["felled"]["meta_pledged_with"] == ["P1"]
    assert found["felled"]["obs_pledged_mu"] == pytest.approx(found["felled"]["obs_area_m2"] / MU_M2, rel=1e-6)
    assert found["stable"]["claim_pledge_verdict"] == "match"
    assert found["stable"]["obs_pledged_m2"] == 0
    assert found["stable"]["obs_overlay_mu"]["red line"] == pytest.approx(found["stable"]["obs_area_mu"], rel=1e-3)
    assert found["felled"]["obs_overlay_mu"] == {}
    pledges = pd.read_parquet(folder / "tables" / "pledges.parquet")
    assert pledges[["parcel_id", "kind", "project"]].to_numpy().tolist() == [["felled", "redrawn", "P1"]]
    assert pd.read_parquet(folder / "tables" / "overlays.parquet")["caveat"].tolist() == ["not a legal opinion"]
    for words in ("Other pledges of the same land", "project P1, branch north", "not a legal opinion", "red line"):
        assert words in report
    assert "B-9" not in report
    assert "L-9" not in report


def test_without_a_registry_an_assessment_is_as_it_was(world: Any, run: Run, own_data: Path) -> None:
    parcels = world.write_parcels(loan_id="L-1")
    before, _, first = assessed(run, world, parcels)
    assert not own_data.exists(), "an assessment makes no registry"
    assert not any("pledge_" in name or "overlay" in name for name in before["stable"])
    project(run, "add", world.write_parcels("other.geojson", loan_id="L-2"))
    after, _, second = assessed(run, world, parcels, "--no-registry")
    assert after == before
    runs = [json.loads((folder / "run.json").read_text()) for folder in (first, second)]
    assert runs[0]["run_id"] == runs[1]["run_id"]
    with_it, _, third = assessed(run, world, parcels)
    assert with_it["stable"]["claim_pledge_verdict"] == "mismatch"
    assert json.loads((third / "run.json").read_text())["run_id"] != runs[0]["run_id"]


def test_own_pledges_do_not_count_against_a_file(world: Any, run: Run) -> None:
    for loan in ({"loan_id": "L-1"}, {}):
        parcels = world.write_parcels("own.geojson", **loan)
        project(run, "add", parcels, "--project", f"own {len(loan)}", "--branch", f"b{len(loan)}")
    settings = service.with_registry(load_settings(), _data(), branch="b1")
    settings = settings.model_copy(update={"pledges": settings.pledges})
    result = service.assess(
        world.write_parcels("own.geojson", loan_id="L-1"), source=world.write_cube(), settings=settings
    )
    partners = {name for names in result.parcels["meta_pledged_with"] for name in names}
    assert partners == {"P2"}
    assert any("registered as project P1" in note.message for note in result.notes)


def test_a_file_without_loans_is_not_held_against_itself_but_against_a_second_project(world: Any, run: Run) -> None:
    parcels = world.write_parcels("own.geojson")
    assert _verdicts(project(run, "add", parcels, "--project", "firs")) == {"match"}
    found, _, _ = assessed(run, world, parcels)
    assert {row["claim_pledge_verdict"] for row in found.values()} == {"match"}, "known by its content"
    assert _verdicts(project(run, "add", parcels, "--project", "firs")) == {"match"}
    second = project(run, "add", parcels, "--project", "second")
    assert _verdicts(second) == {"mismatch"}
    reasons = {row["claim_pledge_reason"] for row in second["check"]["parcels"].values()}
    assert all("P1" in reason and "enter both as one project" in reason for reason in reasons)


def _verdicts(added: Any) -> set[str]:
    return {row["claim_pledge_verdict"] for row in added["check"]["parcels"].values()}


def _data() -> Path:
    from geocollateral.cli_projects import data_folder

    return data_folder()


def test_what_was_not_known_at_a_day_is_not_told(world: Any, run: Run) -> None:
    project(run, "add", world.write_parcels("other.geojson", loan_id="L-9"), "--on", "2015-01-01")
    then, _, _ = assessed(run, world, world.write_parcels(loan_id="L-1"), "--as-of", "2019-12-31")
    assert then["stable"]["claim_pledge_verdict"] == "match", "the pledge of 2015 was recorded today"


def test_names_of_borrowers_come_from_a_table_of_their_own(world: Any, run: Run, own_data: Path) -> None:
    names = world.folder / "names.csv"
    names.write_text("borrower_id,name\nB-1,李伟\n", encoding="utf-8")
    parcels = world.write_parcels(loan_id="L-1", loan_borrower_id="B-1", borrower="also here")
    assert project(run, "add", parcels, "--borrowers", names)["borrowers_named"] == 1
    assert project(run, "show", "P1", "--names")["loans"][0]["borrower_name"] == "李伟"
    assert "李伟" not in json.dumps(project(run, "show", "P1"), ensure_ascii=False)
    assert "also here" not in own_data.read_bytes().decode("utf-8", "ignore"), "columns of the user are not kept"
    names.write_text("id,name\nB-1,x\n", encoding="utf-8")
    code, _, err = run("project", "add", parcels, "--borrowers", names)
    assert (code, "expected columns" in err) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("show", "P9"), 4, "no project P9"),
        (("show", "nine"), 3, "such as P12"),
        (("release", "P1", "--parcel", "stable", "--on", "soon"), 3, "must be a date"),
        (("release", "P9", "--parcel", "stable", "--on", "2024-01-01"), 4, "no project P9"),
        (("release", "P1", "--parcel", "none", "--on", "2024-01-01"), 4, "no pledge of parcel 'none'"),
        (("add", "nothing.geojson"), 4, "no file"),
    ],
)
def test_faults_have_a_message_and_a_code(
    world: Any, run: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    project(run, "add", world.write_parcels(loan_id="L-1"))
    got, out, err = run("project", *arguments)
    assert (got, out) == (code, "")
    assert words in err


@pytest.mark.parametrize("month", ["2019", "2019-13", "03-2019"])
def test_a_month_is_a_month(world: Any, run: Run, month: str) -> None:
    code, _, err = run("overlay", "add", world.write_parcels(), "--name", "x", "--source", "y", "--month", month)
    assert code == 3
    assert "YYYY-MM" in err


def test_a_registry_that_is_named_must_be_there(world: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOCOLLATERAL_STORE__URL", f"sqlite:///{world.folder / 'bank.sqlite'}")
    code, _, err = run("assess", world.write_parcels(), "--source", world.write_cube(), "--out", world.folder / "o")
    assert code == 4
    assert "no registry" in err
    assert run("registry", "upgrade")[0] == 0
    assert (world.folder / "bank.sqlite").is_file()


def test_two_loans_of_one_file_are_shown(world: Any, run: Run) -> None:
    document = json.loads(world.write_parcels(loan_id="L-1").read_text())
    twin = json.loads(json.dumps(document["features"][0]))
    twin["properties"] |= {"parcel_id": "twin", "loan_id": "L-2"}
    path = world.folder / "two.geojson"
    path.write_text(json.dumps({**document, "features": [*document["features"], twin]}))
    project(run, "add", world.write_parcels("other.geojson", order=["small"], loan_id="L-9"))
    found, report, _ = assessed(run, world, path)
    assert found["twin"]["meta_pledged_with"] == ["same file"]
    assert "another loan of this file, parcel stable" in report


def test_where_the_registry_is_does_not_go_to_the_workers(
    world: Any, run: Run, own_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcels = world.write_parcels(loan_id="L-1")
    project(run, "add", parcels)
    sent: list[bytes] = []
    real = service.run_blocks

    def spy(function: Any, tasks: Any, *rest: Any) -> Any:
        sent.append(pickle.dumps(list(tasks)))
        return real(function, tasks, *rest)

    monkeypatch.setattr(service, "run_blocks", spy)
    assessed(run, world, parcels)
    assert sent
    assert own_data.name.encode() not in sent[0]


def test_a_result_folder_is_linked_to_its_project(world: Any, run: Run) -> None:
    parcels = world.write_parcels(loan_id="L-1")
    project(run, "add", parcels)
    _, _, folder = assessed(run, world, parcels)
    linked = project(run, "link", "P1", folder)
    assert linked == project(run, "link", "P1", folder)
    (row,) = project(run, "show", "P1")["runs"]
    assert row["sha256"] == linked["sha256"] == hashlib.sha256((folder / "run.json").read_bytes()).hexdigest()
    code, _, err = run("project", "link", "P1", world.folder)
    assert (code, "not a geocollateral result folder" in err) == (4, True)


def test_risk_of_the_registry_is_that_of_the_newest_runs(world: Any, run: Run, root: Path) -> None:
    """Loans are those of the registry, values and alerts those of the run; what no run tells cannot be told."""
    facts = {"loan_currency": "EUR", "loan_outstanding": 50_000, "loan_borrower_id": "B-1"}
    parcels = world.write_parcels("one.geojson", order=["stable", "felled"], loan_id="L-1", **facts)
    project(run, "add", parcels)
    tables = root / "aoi" / "demo" / "value_tables.csv"
    told, _, folder = assessed(run, world, parcels, "--value-tables", tables)
    project(run, "link", "P1", folder)
    other = world.write_parcels("two.geojson", order=["edge"], loan_id="L-2", **facts)
    project(run, "add", other)

    risk = project(run, "risk")
    rows = {(row["scenario"], row["by"], row["group"]): row for row in risk["rows"]}
    own = rows["as_is", "branch", "main"]
    whole = sum(parcel["val_p50"] or 0 for parcel in told.values())
    assert all(parcel["val_p50"] is not None for parcel in told.values())
    assert (own["exposure"], own["exposure_told"], own["exposure_cannot_tell"]) == (100_000, 50_000, 50_000)
    assert own["value"] == pytest.approx(whole)
    assert own["value_low"] < own["value"] < own["value_high"]
    assert own["ltv_low"] < own["ltv"] < own["ltv_high"]
    assert rows["price_down", "borrower", "B-1"]["ltv"] == pytest.approx(own["ltv"] / 0.8)
    assert rows["price_down", "borrower", "B-1"]["ltv_as_is"] == pytest.approx(own["ltv"])
    assert own["exposure_alert"] == (50_000 if any(parcel["alerts"] for parcel in told.values()) else 0)
    assert own["exposure_alert_cannot_tell"] >= 50_000
    assert risk["cannot_tell"] == ["Project P2 has no run linked: `geocollateral project link`."]
    assert {row["project"] for row in risk["runs"]} == {"P1"}
    every = project(run, "risk", "--all-branches")
    assert not [row for row in every["rows"] if row["by"] == "borrower"]
    assert "B-1" not in json.dumps(every)
    code, out, _ = run("project", "risk", "--by", "branch", "--scenario", "price_down")
    assert (code, "main" in out, "no run linked" in out) == (0, True, True)

    (folder / "alerts.json").write_text("[]")
    changed = project(run, "risk")
    assert "missing, or is not what run.json says it was" in changed["cannot_tell"][0]
    assert {row["exposure_told"] for row in changed["rows"]} == {0}


def test_the_record_of_a_run_holds_no_address_of_the_registry(world: Any, run: Run) -> None:
    project(run, "add", world.write_parcels(loan_id="L-1"))
    _, report, folder = assessed(run, world, world.write_parcels(loan_id="L-1"))
    assert "registry.sqlite" not in (folder / "run.json").read_text() + report
    assert re.search(r'"registry_sha256": "[0-9a-f]{64}"', (folder / "run.json").read_text())
    assert dt.date.today().isoformat() in (folder / "parcels.geojson").read_text()  # noqa: DTZ011, TID251


def in_china(path: Path, ring: list[tuple[float, float]]) -> Path:
    """A parcel of its own loan, named after the file."""
    document = json.loads(geojson(ring))
    document["features"][0]["properties"]["loan_id"] = path.stem
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_land_drawn_on_a_web_map_meets_itself(world: Any, run: Run) -> None:
    """One field in WGS 84; the same field in GCJ-02, taken for WGS 84 and then as what it is."""
    meant = [(118.1, 26.7), (118.103, 26.7), (118.103, 26.702), (118.1, 26.7015), (118.1, 26.7)]
    lon, lat = gcj02.wgs84_to_gcj02(*np.array(meant).T)
    first = in_china(world.folder / "first.geojson", meant)
    drawn = in_china(world.folder / "drawn.geojson", list(zip(lon.tolist(), lat.tolist(), strict=True)))
    code, _, err = run("project", "add", first)
    assert code == 3
    assert "must be stated (--datum)" in err
    project(run, "add", first, "--datum", "wgs84")
    wrong = project(run, "add", drawn, "--datum", "wgs84", "--project", "taken for wgs84")
    row = wrong["check"]["parcels"]["p0"]
    assert row["claim_pledge_verdict"] == "cannot_tell"
    assert "GCJ-02" in row["claim_pledge_reason"]
    again = in_china(world.folder / "again.geojson", list(zip(lon.tolist(), lat.tolist(), strict=True)))
    right = project(run, "add", again, "--datum", "gcj02")
    row = right["check"]["parcels"]["p0"]
    assert row["claim_pledge_verdict"] == "mismatch"
    assert row["obs_pledged_frac"] == pytest.approx(1, abs=1e-3)


def test_an_overlay_is_read_as_a_file_of_parcels_is(world: Any, run: Run) -> None:
    """Any format, by the process that can do nothing else, with the datum asked for in China."""
    meant = [(118.1, 26.7), (118.103, 26.7), (118.103, 26.702), (118.1, 26.7015), (118.1, 26.7)]
    lon, lat = gcj02.wgs84_to_gcj02(*np.array(meant).T)
    line = world.folder / "line.kml"
    line.write_bytes(kml(placemark("line", list(zip(lon.tolist(), lat.tolist(), strict=True)))))
    options = ("--name", "red line", "--source", "x", "--month", "2025-01")
    code, _, err = run("overlay", "add", line, *options)
    assert code == 3
    assert "must be stated (--datum)" in err
    code, _, err = run("overlay", "add", line, *options, "--datum", "gcj02")
    assert code == 0, err
    added = project(run, "add", in_china(world.folder / "first.geojson", meant), "--datum", "cgcs2000")
    (share,) = added["check"]["overlays"]
    assert share["layer"] == "red line"
    assert share["share_frac"] == pytest.approx(1, abs=1e-3)
    trap = world.folder / "trap.geojson"
    trap.write_text("<OGRVRTDataSource/>", encoding="utf-8")
    code, _, err = run("overlay", "add", trap, *options)
    assert code == 3
    assert "got XML" in err
