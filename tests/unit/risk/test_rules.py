"""Rules of parcels, loans and portfolios; scenarios; sums by group."""

import datetime as dt
from dataclasses import replace

import pytest

from geocollateral.errors import InvalidInput
from geocollateral.exports.sentences import lacking
from geocollateral.risk.caps import ValuePoint
from geocollateral.risk.clocks import ClockParams
from geocollateral.risk.rollup import Secured, roll_up, scenario_rows
from geocollateral.risk.rules import (
    RULES,
    Asked,
    LimitParams,
    LoanFacts,
    ParcelFacts,
    judge_loan,
    judge_parcel,
    judge_portfolio,
)
from geocollateral.risk.scenarios import SCENARIOS, StressParams, ValueBand, stress_value
from geocollateral.risk.valuations import Valuations

DAY = dt.date(2026, 6, 1)
ASKED = Asked(as_of=DAY, limits=LimitParams(), clocks=ClockParams())


def at(year: int, value: float) -> ValuePoint:
    return ValuePoint(day=dt.date(year, 6, 1), value=value, currency="CNY")


VALUED = Valuations(
    kind="commercial",
    valued_on=dt.date(2025, 6, 1),
    valued=at(2025, 100.0),
    at_start=at(2023, 101.0),
    earlier=tuple(at(year, 100.0) for year in (2022, 2023, 2024)),
    ours=ValueBand(p05=95.0, p50=110.0, p95=130.0, currency="CNY"),
    outstanding=60.0,
    currency="CNY",
)
GOOD = ParcelFacts(
    parcel_id="a",
    asset_class="construction",
    verdicts={"use": "match"},
    pledge="match",
    valuations=VALUED,
    last_clear=dt.date(2026, 3, 3),
    progress_low=0.4,
    progress_high=0.5,
    score=0.1,
)
LOAN = LoanFacts(loan="L", parcels=(GOOD,), outstanding=60.0, amount=100.0, currency="CNY", value=100.0, borrower="B")


def values(**changes: object) -> dict[str, object]:
    return {"valuations": replace(VALUED, **changes)}  # type: ignore[arg-type]


def parcel(**changes: object) -> dict[str, str]:
    return {f.rule: f.outcome for f in judge_parcel(replace(GOOD, **changes), ASKED)}  # type: ignore[arg-type]


def loan(**changes: object) -> dict[str, str]:
    return {f.rule: f.outcome for f in judge_loan(replace(LOAN, **changes), ASKED)}  # type: ignore[arg-type]


def test_a_parcel_in_order() -> None:
    assert set(parcel().values()) == {"ok"}


@pytest.mark.parametrize(
    ("changes", "rule", "outcome"),
    [
        ({"verdicts": {"use": "mismatch", "area": "cannot_tell"}}, "claim_mismatch", "breach"),
        ({"verdicts": {"use": "match", "area": "cannot_tell"}}, "claim_mismatch", "cannot_tell"),
        ({"verdicts": {}}, "claim_mismatch", "cannot_tell"),
        ({"alerts": {"high": 1}}, "open_alert_high", "breach"),
        ({"alerts": {"low": 2}}, "open_alert_low", "ok"),
        ({"alerts": {"low": 3}}, "open_alert_low", "breach"),
        ({"judged": False}, "open_alert_high", "cannot_tell"),
        ({"judged": False, "alerts": {"high": 1}}, "open_alert_high", "breach"),
        ({"pledge": "mismatch"}, "double_pledge", "breach"),
        ({"pledge": None}, "double_pledge", "cannot_tell"),
        (values(valued_on=dt.date(2025, 5, 31)), "revaluation_overdue", "breach"),
        (values(valued_on=None), "revaluation_overdue", "cannot_tell"),
        (values(valued_on=dt.date(2025, 5, 31)), "monitoring_overdue", "breach"),
        (values(valued_on=dt.date(2025, 5, 31), kind="residential"), "monitoring_overdue", "ok"),
        (values(valued_on=dt.date(2025, 5, 31), kind=None), "monitoring_overdue", "cannot_tell"),
        (values(ours=ValueBand(p05=60.0, p50=75.0, p95=90.0, currency="CNY")), "review_overdue", "breach"),
        (values(ours=ValueBand(p05=60.0, p50=75.0, p95=91.0, currency="CNY")), "review_overdue", "cannot_tell"),
        (values(ours=ValueBand(p05=60.0, p50=75.0, p95=90.0, currency="EUR")), "review_overdue", "cannot_tell"),
        (values(ours=None), "review_overdue", "cannot_tell"),
        (values(valued=None), "value_above_cap", "cannot_tell"),
        (values(valued=at(2025, 102.0)), "value_above_cap", "breach"),
        (values(valued=at(2025, 102.0), earlier=()), "value_above_cap", "cannot_tell"),
        (values(valued=at(2025, 100.5), earlier=()), "value_above_cap", "ok"),
        (values(valued=at(2025, 102.0), kind=None), "value_above_cap", "breach"),
        ({"last_clear": dt.date(2026, 3, 2)}, "stale_imagery", "breach"),
        ({"last_clear": None}, "stale_imagery", "breach"),
    ],
)
def test_rules_of_parcels(changes: dict[str, object], rule: str, outcome: str) -> None:
    assert parcel(**changes)[rule] == outcome


@pytest.mark.parametrize(
    ("changes", "rule", "outcome"),
    [
        ({}, "ltv_above_limit", "ok"),
        ({"outstanding": 60.1}, "ltv_above_limit", "breach"),
        ({"value": None}, "ltv_above_limit", "cannot_tell"),
        ({"outstanding": 50.0}, "draw_ahead_of_progress", "ok"),
        ({}, "draw_ahead_of_progress", "cannot_tell"),
        ({"outstanding": 60.1}, "draw_ahead_of_progress", "breach"),
        ({"amount": None}, "draw_ahead_of_progress", "cannot_tell"),
    ],
)
def test_rules_of_loans(changes: dict[str, object], rule: str, outcome: str) -> None:
    assert loan(**changes)[rule] == outcome


def test_concentration_is_told_only_in_one_currency() -> None:
    many = [replace(LOAN, loan=f"L{n}", borrower=f"B{n}", branch="x") for n in range(10)]
    found = {(f.rule, f.key): f.outcome for f in judge_portfolio(many, ASKED)}
    assert found["concentration_borrower", "B0"] == "ok"
    assert found["concentration_branch", "x"] == "breach"
    mixed = judge_portfolio([*many, replace(LOAN, loan="M", currency="EUR")], ASKED)
    assert {f.outcome for f in mixed} == {"cannot_tell"}


def test_wordings_and_references_have_chinese() -> None:
    assert not [text for rule in RULES for text in (rule.wording, rule.reference) if lacking(text)]
    answers = [*judge_parcel(GOOD, ASKED), *judge_loan(LOAN, ASKED)]
    assert not [f.reason for f in answers if lacking(f.reason)]


BAND = ValueBand(p05=80.0, p50=100.0, p95=130.0, currency="CNY")


@pytest.mark.parametrize(
    ("asset_class", "approach", "scenario", "middle"),
    [
        ("agriculture", "income", "yield_down", 70.0),
        ("agriculture", "income", "combined", 56.0),
        ("agriculture", "cost", "combined", 100.0),
        ("agriculture", "market", "yield_down", 100 * 0.7**0.5),
        ("construction", "cost", "works_stopped", 50.0),
        ("solar", "market", "price_down", 80.0),
    ],
)
def test_values_under_scenarios(asset_class: str, approach: str, scenario: str, middle: float) -> None:
    found = stress_value(BAND, asset_class, approach, SCENARIOS[scenario], StressParams())
    assert found is not None
    assert found.p50 == pytest.approx(middle)
    assert found.p05 <= found.p50 <= found.p95


def test_no_elasticity_no_figure() -> None:
    assert stress_value(BAND, "agriculture", "guess", SCENARIOS["combined"], StressParams()) is None


def test_sums_keep_apart_what_cannot_be_told() -> None:
    known = Secured(facts=replace(LOAN, outstanding=90.0), values={"a": (BAND, "cost")})
    other = Secured(facts=replace(LOAN, loan="M", outstanding=40.0), values={})
    euro = Secured(facts=replace(LOAN, loan="E", currency="EUR"), values={"a": (BAND, "cost")})
    cny, eur = roll_up([known, other, euro], "all", StressParams())
    assert (cny.exposure, cny.exposure_told, cny.exposure_cannot_tell) == (130.0, 90.0, 40.0)
    assert cny.ltv == pytest.approx(0.9)
    # Half of the value of 100 is gone with a probability of 0.1: 50 left of 90 owed.
    assert cny.expected_loss == pytest.approx(0.1 * 40)
    assert eur.ltv is None
    assert eur.exposure_cannot_tell == 60.0
    stopped = roll_up([known], "borrower", StressParams(), SCENARIOS["works_stopped"])[0]
    assert (stopped.group, stopped.uncovered) == ("B", 40.0)
    with pytest.raises(InvalidInput, match="once"):
        roll_up([known, known], "all", StressParams())


def test_a_missing_branch_is_a_group_of_its_own() -> None:
    north = Secured(facts=replace(LOAN, branch="north"), values={"a": (BAND, "cost")})
    nobody = Secured(facts=replace(LOAN, loan="M"), values={"a": (BAND, "cost")})
    assert [(own.group, own.exposure) for own in roll_up([nobody, north], "branch", StressParams())] == [
        ("north", 60.0),
        ("unknown", 60.0),
    ]


def test_alerts_and_events_of_a_group() -> None:
    warned = replace(GOOD, parcel_id="b", alerts={"low": 1}, score=0.2)
    hurt = replace(GOOD, parcel_id="c", alerts={"high": 1}, hurt=True, score=None)
    unseen = replace(GOOD, parcel_id="d", judged=False, score=None)
    loans = [
        Secured(facts=replace(LOAN, loan="1", parcels=(GOOD, warned), outstanding=10.0), values={}),
        Secured(facts=replace(LOAN, loan="2", parcels=(hurt,), outstanding=20.0), values={}),
        Secured(facts=replace(LOAN, loan="3", parcels=(unseen,), outstanding=30.0), values={}),
        Secured(facts=replace(LOAN, loan="4", parcels=(unseen, warned), outstanding=40.0), values={}),
    ]
    (own,) = roll_up(loans, "all", StressParams(), common_spread=0.5)
    assert (own.exposure, own.exposure_alert, own.exposure_alert_cannot_tell, own.alert_frac) == (100, 70, 30, 0.7)
    assert (own.parcels, own.parcels_hurt, own.parcels_scored) == (6, 1, 3)
    assert own.events == pytest.approx(0.1 + 0.2 + 0.2)
    assert own.events_low is not None
    assert own.events_high is not None
    assert own.events_low < own.events < own.events_high
    assert roll_up(loans, "all", StressParams())[0].events_low is None
    assert roll_up(loans[2:3], "all", StressParams())[0].events is None


def test_intervals_of_sums_know_which_errors_are_one() -> None:
    def lent(n: int, errors: dict[str, float] | None) -> Secured:
        facts = replace(LOAN, loan=str(n), parcels=(replace(GOOD, parcel_id=str(n)),), outstanding=60.0)
        known = {} if errors is None else {str(n): errors}
        return Secured(facts=facts, values={str(n): (BAND, "cost")}, errors=known)

    def high(errors: dict[str, float] | None) -> float:
        return roll_up([lent(n, errors) for n in range(4)], "all", StressParams())[0].value_high

    assert high({"own": 1.0}) == pytest.approx(400 + 30 * 2)
    assert high({"price": 1.0}) == pytest.approx(400 + 30 * 4)
    assert high(None) == high({"price": 1.0})  # of what is not known to be apart, nothing averages out


def test_each_scenario_has_today_beside_it() -> None:
    own = Secured(facts=replace(LOAN, branch="x"), values={"a": (BAND, "cost")})
    rows = {(row["scenario"], row["by"]): row for row in scenario_rows([own], ("all", "branch"), StressParams())}
    assert set(rows) == {(name, by) for name in ("as_is", *SCENARIOS) for by in ("all", "branch")}
    stopped = rows["works_stopped", "branch"]
    assert (stopped["ltv_as_is"], stopped["ltv"]) == (pytest.approx(0.6), pytest.approx(1.2))
    assert stopped["ltv_low"] == pytest.approx(60 / 65)
    assert stopped["ltv_high"] == pytest.approx(60 / 40)
