"""Income, cost and market approach: a value worked by hand, laws, refusals, and a market with known truth."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from pathlib import Path

import numpy as np
import pytest

from geocollateral.errors import InvalidInput
from geocollateral.valuation import ParcelValue, Seen, baseline, parse_value_tables, value_parcel
from geocollateral.valuation.value_tables import COLUMNS

HEAD = ",".join(COLUMNS) + "\n"
DAY = dt.date(2024, 6, 1)
EXACT = """yield,agriculture,*,t/ha/year,,6,6,6,2024-01-01,,book
price,agriculture,*,per t,CNY,2500,2500,2500,2024-01-01,,book
cost_share,agriculture,*,share,,0.6,0.6,0.6,2024-01-01,,book
discount_rate,agriculture,*,per year,,0.06,0.06,0.06,2024-01-01,,book
remaining_years,agriculture,*,years,,10,10,10,2024-01-01,,book
"""
WIDE = """yield,agriculture,*,t/ha/year,,4.5,6,7.5,2024-01-01,2024-03-01,book
price,agriculture,*,per t,CNY,2200,2500,2800,2024-01-01,,book
cost_share,agriculture,*,share,,0.5,0.6,0.7,2024-01-01,,book
discount_rate,agriculture,*,per year,,0.05,0.06,0.08,2024-01-01,,book
remaining_years,agriculture,*,years,,8,10,10,2024-01-01,,book
comparable,agriculture,*,per mu,CNY,2000,3000,4500,2024-01-01,,sale 1
comparable,agriculture,*,per mu,CNY,2400,3600,5000,2024-02-01,,sale 2
unit_cost,solar,*,per MW,CNY,2800000,3300000,3900000,2024-01-01,,book
depreciation,solar,*,per year,,0.03,0.04,0.05,2024-01-01,,book
age,solar,*,years,,2,4,6,2024-01-01,,book
unit_cost,construction,*,per ha,CNY,15000000,20000000,26000000,2024-01-01,,book
"""
FIELD = Seen(parcel_id="a", asset_class="agriculture", quantity=(9.0, 10.0, 10.5), quantity_unit="ha", whole_ha=10.6)


def valued(seen: Seen, rows: str = WIDE, day: dt.date = DAY) -> ParcelValue:
    return value_parcel(seen, parse_value_tables(HEAD + rows, "t.csv"), day)


def middle(value: ParcelValue) -> float:
    assert value.lead is not None
    return value.lead.p50


def test_the_example_of_the_docs_worked_by_hand() -> None:
    exact = dataclasses.replace(FIELD, quantity=(10.0, 10.0, 10.0))
    # 10 ha x 6 t x 2500 CNY x 0.4 = 60,000 a year; ten years at 6 % are worth 7.36009 of them.
    assert middle(valued(exact, EXACT)) == pytest.approx(441_605, abs=1)
    solar = Seen(parcel_id="s", asset_class="solar", quantity=(20.0, 20.0, 20.0), quantity_unit="mw")
    rows = "".join(
        f"{kind},solar,*,{unit},{money},{x},{x},{x},2024-01-01,,book\n"
        for kind, unit, money, x in [
            ("unit_cost", "per MW", "CNY", 3_300_000),
            ("depreciation", "per year", "", 0.04),
            ("age", "years", "", 4),
        ]
    )
    assert middle(valued(solar, rows)) == pytest.approx(66e6 * 0.96**4, rel=1e-9)


def test_quantiles_rise_more_area_is_worth_more_and_shares_sum_to_one() -> None:
    small, large = valued(FIELD), valued(dataclasses.replace(FIELD, quantity=(9.5, 10.2, 10.6)))
    assert small.lead is not None
    assert large.lead is not None
    assert small.lead.approach == "income"
    assert [own.approach for own in small.beside] == ["market"]
    for own in (small.lead, *small.beside):
        assert own.p05 < own.p50 < own.p95
        assert sum(used.variance_share for used in own.inputs) == pytest.approx(1)
    assert (small.lead.p05, small.lead.p50, small.lead.p95) < (large.lead.p05, large.lead.p50, large.lead.p95)
    assert small.gaps()["market"] == pytest.approx(small.beside[0].p50 / small.lead.p50 - 1)


def test_the_same_parcel_has_the_same_value_and_another_has_other_draws() -> None:
    assert valued(FIELD) == valued(FIELD)
    assert middle(valued(FIELD)) != middle(valued(dataclasses.replace(FIELD, parcel_id="b")))


def test_rows_dated_later_are_not_used_and_old_ones_are_stale() -> None:
    late = WIDE + "price,agriculture,*,per t,CNY,9000,9000,9000,2024-06-02,,later\n"
    assert middle(valued(FIELD, late)) == middle(valued(FIELD))
    assert middle(valued(FIELD, late, dt.date(2024, 6, 2))) > 2 * middle(valued(FIELD))
    lead = valued(FIELD).lead
    assert lead is not None
    assert {used.name for used in lead.inputs if used.stale} == {"yield"}
    assert valued(FIELD).reason == "Out of date by 2024-06-01: yield."
    assert valued(FIELD, day=dt.date(2024, 3, 1)).reason == ""


def test_no_rise_of_prices_is_expected() -> None:
    """CRR article 229(1): the same figures give the same value on any later day, whatever comparables did before."""
    rows = re.sub("2024-03-01", "", WIDE)
    now, later = valued(FIELD, rows), valued(FIELD, rows, dt.date(2029, 6, 1))
    assert later == now


def test_the_rows_of_the_region_win() -> None:
    rows = WIDE + "price,agriculture,Henan,per t,CNY,5000,5000,5000,2023-01-01,,Henan\n"
    assert middle(valued(dataclasses.replace(FIELD, region="Henan"), rows)) > 1.8 * middle(valued(FIELD, rows))


@pytest.mark.parametrize(
    ("seen", "rows", "says"),
    [
        (dataclasses.replace(FIELD, quantity=None, reason="Too few looks."), WIDE, r"Too few looks\."),
        (FIELD, EXACT.replace("price,", "unit_cost,").replace("per t,", "per ha,"), "income approach lacks.*price"),
        (FIELD, EXACT.replace("per t,", "per kg,"), "price per t; line 3 is per kg"),
        (
            dataclasses.replace(FIELD, asset_class="solar", quantity_unit="mw"),
            WIDE.replace("age,", "yield,").replace("*,years,,2", "*,MWh/MW/year,,2"),
            "cost approach lacks.*age",
        ),
        (
            FIELD,
            WIDE.replace("per mu,CNY,2400", "per mu,EUR,2400").replace("yield,agriculture", "yield,forestry"),
            "one currency",
        ),
        (FIELD, WIDE.replace("2024-0", "2025-0"), "dated by 2024-06-01"),
    ],
)
def test_without_what_is_needed_there_is_a_reason_and_no_number(seen: Seen, rows: str, says: str) -> None:
    value = valued(seen, rows)
    assert value.lead is None
    assert value.beside == ()
    assert re.search(says, value.reason)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("rent,forestry,*,per ha,CNY,1,2,3,2024-01-01,,x", "kind 'rent' is none of"),
        ("comparable,forestry,*,per acre,CNY,1,2,3,2024-01-01,,x", "unit of comparable"),
        ("comparable,forestry,*,per ha,,1,2,3,2024-01-01,,x", "currency"),
        ("comparable,forestry,*,per ha,CNY,3,2,1,2024-01-01,,x", "p05 <= p50 <= p95"),
        ("discount_rate,forestry,*,per year,,5,6,8,2024-01-01,,x", "not a percentage"),
        ("comparable,forestry,*,per ha,CNY,1,2,3,2024,,x", "YYYY-MM-DD"),
        ("comparable,forestry,*,per ha,CNY,1,2,3,2024-01-01,,", "source"),
    ],
)
def test_a_bad_row_is_refused_by_its_line(line: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=rf"t\.csv line 2: .*{says}"):
        parse_value_tables(HEAD + line + "\n", "t.csv")


def test_the_example_tables_are_read() -> None:
    path = Path(__file__).parents[3] / "aoi/demo/value_tables.csv"
    assert len(parse_value_tables(path.read_text(encoding="utf-8"), path.name)) == 12


def test_baseline_has_middles_and_features() -> None:
    middles, features = baseline([valued(FIELD), valued(dataclasses.replace(FIELD, parcel_id="n", quantity=None))])
    assert set(middles) == {"a"}
    assert features[1] == {"parcel_id": "n"}
    assert features[0]["income_p50"] == middles["a"]


def simulated(asset_class: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log of value over truth, whether the interval holds the truth, log of the naive value over truth; (parcel,)."""
    rng = np.random.default_rng(seed)
    rows = parse_value_tables(HEAD + WIDE, "t.csv")
    own = {row.kind: row for row in rows if row.asset_class == asset_class}

    def of(kind: str) -> float:
        row, z = own[kind], rng.normal() / 1.6449
        return float(row.p50 * (row.p95 / row.p50 if z > 0 else row.p50 / row.p05) ** z)

    got = []
    for number in range(n):
        whole = float(np.exp(rng.normal(2, 0.5)))
        true = whole * rng.uniform(0.6, 1.0)
        error = rng.normal() / 1.6449
        seen = float(np.clip(true * (1 + 0.1 * error), 0, whole))
        quantity = (0.9 * seen, seen, 1.1 * seen)
        claimed = whole * (1.2 if rng.random() < 0.2 else 1.0)
        if asset_class == "agriculture":
            rate, years = of("discount_rate"), of("remaining_years")
            unit = of("yield") * of("price") * (1 - min(of("cost_share"), 1)) * (1 - (1 + rate) ** -years) / rate
            usual = 6 * 2500 * 0.4 * (1 - 1.06**-10) / 0.06
        elif asset_class == "solar":
            unit, usual = of("unit_cost") * (1 - of("depreciation")) ** of("age"), 3_300_000 * 0.96**4
        else:
            unit, usual = of("unit_cost"), 20_000_000
        value = value_parcel(
            Seen(
                parcel_id=f"{asset_class}-{seed}-{number}",
                asset_class=asset_class,
                quantity=quantity,
                quantity_unit="mw" if asset_class == "solar" else "ha",
                whole_ha=None if asset_class == "solar" else whole,
            ),
            rows,
            DAY,
        ).lead
        assert value is not None
        got.append(
            (np.log(value.p50 / (true * unit)), value.p05 <= true * unit <= value.p95, claimed * usual / (true * unit))
        )
    errors, held, naive = (np.array(column) for column in zip(*got, strict=True))
    return errors, held, np.log(naive)


@pytest.mark.parametrize("asset_class", ["agriculture", "solar", "construction"])
def test_a_market_of_known_truth_is_valued_without_bias_and_held_by_the_interval(asset_class: str) -> None:
    errors, held, naive = simulated(asset_class, 250, 1)
    assert 0.85 <= held.mean() <= 0.95  # 0.90 less and more than 2.6 standard errors
    assert abs(np.median(errors)) < 0.05
    assert np.median(abs(errors)) < np.median(abs(naive))
