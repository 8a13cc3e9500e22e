"""Parcels of a file against the registry, on SQLite and on PostgreSQL: what is told, and to whom."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from registry_cases import DAY, KX, KY, LATER, NOW, pairs_of, parcel, plant, rectangle, submission

from geocollateral import loan_projects, pledges
from geocollateral.errors import InvalidInput
from geocollateral.exports.sentences import in_chinese, lacking
from geocollateral.intake import DATUM_SHIFTS, PledgeParams, find_shared, gcj02
from geocollateral.intake.geometry import geodesic_area
from geocollateral.pledges import Asked, RegistryCheck, check
from geocollateral.store import LayerEntry, LoanEntry, LoanRegistry
from geocollateral.types import MU_M2

LAND = shapely.Polygon([(118 + x / KX, 26 + y / KY) for x, y in [(0, 0), (90, 10), (120, 70), (60, 110), (5, 80)]])


def table(*outlines: shapely.Geometry, **columns: Any) -> gpd.GeoDataFrame:
    """Parcels as the intake gives them."""
    rows = {
        "parcel_id": [f"own{n}" for n in range(len(outlines))],
        "obs_area_m2": [geodesic_area(outline) for outline in outlines],
        "loan_id": ["L-own"] * len(outlines),
        **columns,
    }
    return gpd.GeoDataFrame(rows, geometry=list(outlines), crs=4326).set_index("parcel_id")


def vector(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 530 / KX + 0 * lon, -260 / KY + 0 * lat


def asked(branch: str = "new", day: dt.date = DAY, known_at: dt.datetime | None = None) -> Asked:
    return Asked(branch=branch, day=day, known_at=known_at, params=PledgeParams(), shifts={"GCJ-02": vector})


def told(found: RegistryCheck, parcel_id: str = "own0") -> tuple[str, str]:
    columns = found.columns(parcel_id, 1e4)
    return columns["claim_pledge_verdict"], columns["claim_pledge_reason"]


class TestCheck:
    def test_one_by_one_and_all_at_once_find_what_the_join_finds(
        self, registry: LoanRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        planted = plant(120, 24, 24, seed=2)
        entries = [parcel(f"{n}", outline, loan=None) for n, outline in enumerate(planted.outlines)]
        registry.add_project(submission(*entries), NOW)
        expected = pairs_of(find_shared(planted.outlines, None, PledgeParams()))
        one_by_one = {}
        for n, outline in enumerate(planted.outlines):
            found = check(registry, table(outline), asked("main"))
            one_by_one[n] = {int(f.other_parcel or -1) for f in found.findings if f.kind != "moved"} - {n}
        partners: dict[int, set[int]] = {n: set() for n in range(len(entries))}
        for a, b in expected:
            partners[a].add(b)
            partners[b].add(a)
        assert one_by_one == partners
        few = table(*planted.outlines[-12:])
        separately = check(registry, few, asked("main"))
        monkeypatch.setattr(pledges, "FEW_PARCELS", 0)
        assert check(registry, few, asked("main")) == separately

    def test_land_that_is_free_matches(self, registry: LoanRegistry) -> None:
        registry.add_project(submission(parcel("a", rectangle(500, 0, 100, 80))), NOW)
        verdict, reason = told(check(registry, table(LAND), asked()))
        assert verdict == "match"
        assert f"in force on {DAY} or later" in reason

    def test_an_overlap_is_a_mismatch_with_its_size(self, registry: LoanRegistry) -> None:
        registry.add_project(submission(parcel("a", rectangle(60, 0, 100, 100)), branch="north"), NOW)
        found = check(registry, table(rectangle(0, 0, 100, 100)), asked())
        verdict, reason = told(found)
        assert verdict == "mismatch"
        assert f"{4000 / MU_M2:,.2f} mu (40.0%)" in reason
        assert "project P1 of branch north" in reason
        assert found.shared_m2["own0"] == pytest.approx(4000, rel=1e-4)

    def test_what_two_others_cover_counts_once(self, registry: LoanRegistry) -> None:
        for branch in ("n", "s"):
            registry.add_project(submission(parcel("a", rectangle(60, 0, 100, 100)), branch=branch), NOW)
        found = check(registry, table(rectangle(0, 0, 100, 100)), asked())
        assert len(found.findings) == 2
        assert found.shared_m2["own0"] == pytest.approx(4000, rel=1e-4)

    def test_a_thin_strip_of_a_mu_cannot_be_told(self, registry: LoanRegistry) -> None:
        registry.add_project(submission(parcel("a", rectangle(98, 0, 100, 400))), NOW)
        verdict, reason = told(check(registry, table(rectangle(0, 0, 100, 400)), asked()))
        assert verdict == "cannot_tell"
        assert "a strip of 2.0 m mean width" in reason

    def test_the_same_land_in_another_datum_cannot_be_told(self, registry: LoanRegistry) -> None:
        there = shapely.transform(LAND, lambda xy: xy + np.array([530 / KX, -260 / KY]))
        registry.add_project(submission(parcel("a", there)), NOW)
        found = check(registry, table(LAND), asked())
        verdict, reason = told(found)
        assert verdict == "cannot_tell"
        assert "moved 530 m east, 260 m south, as GCJ-02 taken for WGS 84 does" in reason
        assert found.shared_m2 == {}

    def test_a_released_pledge_is_no_overlap(self, registry: LoanRegistry) -> None:
        project = registry.add_project(submission(parcel("a", LAND)), NOW).project_id
        assert told(check(registry, table(LAND), asked()))[0] == "mismatch"
        free = DAY + dt.timedelta(5)
        registry.release(project, "a", loan=None, on=free, at=LATER)
        assert told(check(registry, table(LAND), asked()))[0] == "mismatch", "until it is free"
        assert told(check(registry, table(LAND), asked(day=free)))[0] == "match"
        assert told(check(registry, table(LAND), asked(day=free, known_at=NOW)))[0] == "mismatch", "as known then"

    def test_a_pledge_that_begins_when_another_ends_never_meets_it(self, registry: LoanRegistry) -> None:
        change = dt.date(2030, 1, 1)
        registry.add_project(submission(parcel("a", LAND, pledged_to=change)), NOW)
        for start, verdict in ((change, "match"), (change - dt.timedelta(1), "mismatch")):
            found = check(registry, table(LAND, loan_pledged_from=[start]), asked())
            assert told(found)[0] == verdict
        assert found.findings[0].shared_from == "2029-12-31"
        assert found.findings[0].shared_to == "2030-01-01"

    def test_two_loans_in_one_file_are_told(self, registry: LoanRegistry) -> None:
        outlines = (rectangle(0, 0, 100, 100), rectangle(60, 0, 100, 100))
        found = check(registry, table(*outlines, loan_id=["L-1", "L-2"]), asked())
        assert [(f.parcel_id, f.project, f.other_parcel) for f in found.findings] == [
            ("own0", "same file", "own1"),
            ("own1", "same file", "own0"),
        ]
        assert found.shared_m2["own1"] == pytest.approx(4000, rel=1e-4)
        assert check(registry, table(*outlines, loan_id=["L-1", "L-1"]), asked()).findings == ()

    def test_own_pledges_are_known_by_loan_or_project_in_the_own_branch_only(self, registry: LoanRegistry) -> None:
        registry.add_project(submission(parcel("own0", LAND, loan="L-own"), source_sha256="d" * 64), NOW)
        assert check(registry, table(LAND), asked("main")).known_projects == ("P1",)
        unnamed = table(LAND, loan_id=[None])
        for own in ({"project": "firs"}, {"source_sha256": "d" * 64}, {"project": "x", "source_sha256": "d" * 64}):
            found = check(registry, unnamed, dataclasses.replace(asked("main"), **own))
            assert (found.findings, found.known_projects) == ((), ("P1",))
            assert len(check(registry, unnamed, dataclasses.replace(asked("north"), **own)).findings) == 1
            assert len(check(registry, table(LAND, loan_id=["L-x"]), asked("main")).findings) == 1
        assert len(check(registry, table(LAND, loan_id=["L-x"]), asked("main")).findings) == 1
        assert len(check(registry, table(LAND), asked("north")).findings) == 1

    @pytest.mark.parametrize("loans", [(None, None), ("L-1", None), (None, "L-1")])
    def test_a_parcel_handed_in_twice_by_one_branch_is_told_where_a_loan_is_missing(
        self, registry: LoanRegistry, loans: tuple[str | None, str | None]
    ) -> None:
        registry.add_project(submission(parcel("own0", LAND, loan=loans[0])), NOW)
        other = dataclasses.replace(asked("main"), project="second", source_sha256="e" * 64)
        found = check(registry, table(LAND, loan_id=[loans[1]]), other)
        verdict, reason = told(found)
        assert verdict == "mismatch"
        assert "project P1 of branch main (parcel 'own0'" in reason
        assert "no loan is named: if it is one pledge, name its loan in both or enter both as one project" in reason
        assert [finding.maybe_own for finding in found.findings] == [True]
        assert lacking(reason) == []
        assert "若为同一笔抵押" in in_chinese(reason)
        assert found.known_projects == ()
        assert found.shared_m2["own0"] == pytest.approx(geodesic_area(LAND))
        abroad = check(registry, table(LAND, loan_id=[loans[1]]), asked("north"))
        assert "no loan is named" not in told(abroad)[1], "whether a loan is named stays in its branch"

    def test_one_file_entered_as_two_projects_is_own_in_one_of_them_only(self, registry: LoanRegistry) -> None:
        for name in ("firs", "second"):
            registry.add_project(submission(parcel("own0", LAND, loan=None), project=name), NOW)
        for own, other in (("firs", "P2"), ("second", "P1"), ("third", "P2")):
            asked_as = dataclasses.replace(asked("main"), project=own, source_sha256="a" * 64)
            found = check(registry, table(LAND, loan_id=[None]), asked_as)
            assert [finding.project for finding in found.findings] == [other]

    def test_land_drawn_in_two_wrong_datums_is_found(
        self, registry: LoanRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawn = [shapely.transform(LAND, to, interleaved=False) for to in (gcj02.wgs84_to_gcj02, gcj02.wgs84_to_bd09)]
        registry.add_project(submission(parcel("a", drawn[0]), branch="north"), NOW)
        known = dataclasses.replace(asked(), shifts=DATUM_SHIFTS)
        found = check(registry, table(drawn[1]), known)
        verdict, reason = told(found)
        assert verdict == "cannot_tell"
        assert "as GCJ-02 in the one and BD-09 in the other do if both are taken for WGS 84, is pledged in" in reason
        assert lacking(reason) == []
        monkeypatch.setattr(pledges, "FEW_PARCELS", 0)
        assert check(registry, table(drawn[1]), known) == found

    def test_only_land_crosses_from_branch_to_branch(self, registry: LoanRegistry) -> None:
        loan = LoanEntry(key="secret-loan", borrower="secret-key")
        given = submission(
            parcel("secret-parcel", LAND, loan="secret-loan"), branch="north", project="secret-name", loans=(loan,)
        )
        registry.add_project(given, NOW)
        registry.name_borrowers({"secret-key": "secret-person"}, NOW)
        found = check(registry, table(LAND, loan_borrower_id=["secret-key"]), asked("south"))
        assert found.findings[0].same_borrower is True
        assert "secret" not in repr(found)
        assert "secret" not in repr(loan_projects.double_pledges(registry, asked("south")))
        assert found.findings[0].other_parcel is None
        assert check(registry, table(LAND), asked("north")).findings[0].other_parcel == "secret-parcel"

    def test_overlays_in_mu_and_percent_without_a_legal_opinion(self, registry: LoanRegistry) -> None:
        layer = LayerEntry(
            name="permanent basic farmland",
            source="county",
            month="2025-01",
            source_sha256="c" * 64,
            geometries=(rectangle(60, 0, 500, 500), rectangle(70, -10, 500, 500)),
            attributes=({}, {}),
        )
        registry.add_layer(layer, NOW)
        found = check(registry, table(rectangle(0, 0, 100, 100), rectangle(-300, 0, 50, 50)), asked())
        (share,) = found.overlays
        assert (share.parcel_id, share.layer, share.month) == ("own0", "permanent basic farmland", "2025-01")
        assert share.area_mu == pytest.approx(4000 / MU_M2, rel=1e-4)
        assert share.share_frac == pytest.approx(0.4, rel=1e-4)
        assert share.caveat == "not a legal opinion"
        assert all("not a legal opinion" in note.message for note in found.notes())
        assert check(registry, table(LAND), asked(day=dt.date(2024, 12, 31))).layers == ()

    def test_portfolio_area_is_the_union(self, registry: LoanRegistry) -> None:
        """Evidence T23."""
        one, other = rectangle(0, 0, 100, 100), rectangle(50, 0, 100, 100)
        registry.add_project(submission(parcel("a", one), branch="n"), NOW)
        registry.add_project(submission(parcel("a", other), branch="s"), NOW)
        (row,) = loan_projects.area_record(registry, DAY, "all", None)
        assert (row["all"], row["live_parcels"]) == ("all", 2)
        assert row["sum_m2"] == pytest.approx(20_000, rel=1e-4)
        assert row["union_m2"] == pytest.approx(15_000, rel=1e-4)
        assert [r["union_m2"] for r in loan_projects.area_record(registry, DAY, "branch", "n")] == [
            pytest.approx(10_000, rel=1e-4)
        ]

    def test_borrowers_and_names_are_told_within_their_branch_only(self, registry: LoanRegistry) -> None:
        for branch in ("n", "s"):
            registry.add_project(submission(parcel("a", LAND), branch=branch, project=f"of {branch}"), NOW)
        with pytest.raises(InvalidInput, match="within their branch"):
            loan_projects.area_record(registry, DAY, "borrower", None)
        assert [row["borrower"] for row in loan_projects.area_record(registry, DAY, "borrower", "n")] == ["B-1"]
        rows = loan_projects.list_record(registry, DAY, "n", all_branches=True)
        assert [(row["project"], row["name"]) for row in rows] == [("P1", "of n"), ("P2", None)]

    def test_the_whole_registry_is_joined_across_branches_and_time(self, registry: LoanRegistry) -> None:
        registry.add_project(submission(parcel("a", LAND), parcel("b", LAND), branch="n"), NOW)
        registry.add_project(submission(parcel("c", LAND), branch="s"), NOW)
        rows = loan_projects.double_pledges(registry, asked())
        assert [(r["kind"], r["first"]["project"], r["second"]["project"]) for r in rows] == [
            ("redrawn", "P1", "P2")
        ] * 2
        assert loan_projects.double_pledges(registry, asked(known_at=NOW - dt.timedelta(1))) == []
