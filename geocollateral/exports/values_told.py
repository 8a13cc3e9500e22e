"""How the value of a parcel is made, as the report tells it: approaches side by side, and what the first rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geocollateral.exports.learned_told import LearnedRows, LearnedTold, tell_learned
from geocollateral.exports.wording import Words

Row = Mapping[str, Any]

LEARNED = "learned"
"""Name of the approach of a model."""


@dataclass(frozen=True, kw_only=True)
class ApproachLine:
    """One approach."""

    name: str
    leads: bool
    interval: str
    middle: str
    grade: str
    gap: str
    """Of its middle against the leading one's; empty of the leading one."""


@dataclass(frozen=True, kw_only=True)
class InputLine:
    """One input of the leading approach."""

    name: str
    middle: str
    interval: str
    source: str
    dated: str
    stale: bool
    share: str
    """Of the variance of the value."""


@dataclass(frozen=True, kw_only=True)
class ValueTold:
    """All of it."""

    approaches: tuple[ApproachLine, ...]
    inputs: tuple[InputLine, ...]
    inputs_head: str
    """Which approach the inputs are of."""
    learned: LearnedTold | None
    """What a model learned from sales says; None where none was asked."""
    says: tuple[str, ...]
    """Why there is no number or another approach leads; figures out of date; the valuer's value against ours."""


def tell_value(rows: Sequence[Row], parcel: Row, words: Words, learned: LearnedRows | None = None) -> ValueTold | None:
    """What is told of a parcel's value; None where no tables of the bank were given and no model was asked.

    Parameters
    ----------
    rows
        The parcel's rows of the table ``values``: one per approach and input.
    parcel
        Its columns; ``val_reason``, ``val_valuer_gap_frac`` and those of learned values are looked at.
    learned
        Its rows of the tables of learned values.
    """
    told = tell_learned(parcel, learned or LearnedRows(), words)
    if "val_reason" not in parcel and told is None:
        return None
    by_approach: dict[str, Row] = {}
    for row in rows:
        by_approach.setdefault(str(row["approach"]), row)
    first = next((row for row in by_approach.values() if row["leads"]), None)
    lines = list(by_approach.values())
    lead = first
    if told is not None and told.parts:
        own = {f"value_{name}": parcel[f"val_learned_{name}"] for name in ("p05", "p50", "p95", "currency", "grade")}
        own |= {"approach": LEARNED}
        if parcel.get("val_approach") == LEARNED:
            lead, lines = own, [own, *lines]
        else:
            lines.append(own)
    named = "" if first is None else words.named("approach", str(first["approach"]))
    return ValueTold(
        approaches=tuple(_approach(row, lead, words) for row in lines),
        inputs=tuple(_input(row, words) for row in rows if row["leads"]),
        inputs_head=words("values.input") if first is lead else words("values.input_of", approach=named),
        learned=told,
        says=tuple(_says(parcel, words)),
    )


def _approach(row: Row, lead: Row | None, words: Words) -> ApproachLine:
    currency, middle = row["value_currency"], float(row["value_p50"])
    same = lead is not None and lead is not row and lead["value_currency"] == currency and float(lead["value_p50"]) > 0
    gap = middle / float(lead["value_p50"]) - 1 if same and lead is not None else None
    return ApproachLine(
        name=words.named("approach", str(row["approach"])),
        leads=row is lead,
        interval=words.money_range(float(row["value_p05"]), float(row["value_p95"]), currency),
        middle=words.money(middle, currency, float(row["value_p95"])),
        grade=str(row["value_grade"]),
        gap="" if gap is None else _signed(gap, words),
    )


def _input(row: Row, words: Words) -> InputLine:
    low, middle, high = (float(row[name]) for name in ("p05", "p50", "p95"))
    unit, dated = str(row["unit"]), row["dated"]
    measured = _per_cent if unit in ("share", "per year", "times usual") else _plain
    per = _unit(unit, row["currency"] if isinstance(row["currency"], str) else "", words)
    return InputLine(
        name=words.named("value_input", str(row["name"])),
        middle=f"{measured(middle)}{'' if per.startswith('/') else ' '}{per}".strip(),
        interval="" if low == high else f"{measured(low)} – {measured(high)}",
        source=words("values.observed") if row["source"] == "observed" else str(row["source"]),
        dated=words.cell("dated", dated) if isinstance(dated, str) and dated else words("dash"),
        stale=bool(row["stale"]),
        share=words.percent(float(row["variance_share"])),
    )


def _unit(unit: str, currency: str, words: Words) -> str:
    """``per ha`` of EUR is EUR/ha, ``t/ha/year`` stays; what is a share has only what it is a share of."""
    if unit == "share":
        return ""
    if unit == "times usual":
        return words("unit.usual")
    money = "元" if currency == "CNY" and words.lang == "zh" else currency
    parts = unit.removeprefix("per ").split("/")
    told = "/".join(words.known("unit", part) or part for part in parts)
    return f"{money}/{told}" if unit.startswith("per ") else told


def _says(parcel: Row, words: Words) -> Iterator[str]:
    reason, gap, stated = parcel.get("val_reason"), parcel.get("val_valuer_gap_frac"), parcel.get("user_valuer_value")
    if isinstance(reason, str) and reason:
        yield words.reason(reason)
    if isinstance(gap, (int, float)) and gap == gap:
        yield words("values.valuer", gap=_signed(float(gap), words))
    elif isinstance(stated, (int, float, str)) and stated == stated:
        yield words("values.valuer_unknown")


def _signed(share: float, words: Words) -> str:
    return f"{'+' if share >= 0 else '-'}{words.percent(abs(share))}"


def _plain(number: float) -> str:
    return f"{number:,.4g}" if abs(number) < 1e3 else f"{number:,.0f}"


def _per_cent(share: float) -> str:
    return f"{100 * share:.3g}%"
