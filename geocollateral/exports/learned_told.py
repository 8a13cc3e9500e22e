"""What a model learned from sales says of a parcel, as the report tells it: the proof, the parts, the comparables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geocollateral.exports.wording import Words

Row = Mapping[str, Any]

SHOWN_PARTS = 6
"""Features told one by one, those with the largest parts; the others are one line."""
BASE = "(base)"


@dataclass(frozen=True, kw_only=True)
class PartLine:
    """A part of the value: all factors multiplied give its middle."""

    name: str
    told: str
    """What the model was told of the parcel."""
    factor: str


@dataclass(frozen=True, kw_only=True)
class SaleLine:
    """A sale like the parcel."""

    date: str
    price: str
    like: str
    """How alike it is, and how far away."""
    adjusted: str


@dataclass(frozen=True, kw_only=True)
class LearnedTold:
    """All of it."""

    says: tuple[str, ...]
    """Why there is no value, or what is known of the model and why the value is what it is."""
    parts: tuple[PartLine, ...]
    total: str
    """What the parts multiply to."""
    sales: tuple[SaleLine, ...]
    price_head: str
    """What prices of the sales are of."""


@dataclass(frozen=True, kw_only=True)
class LearnedRows:
    """The parcel's rows of the tables that tell of learned values."""

    model: Row | None = None
    """Of the table ``value_models``."""
    parts: Sequence[Row] = ()
    reasons: Sequence[Row] = ()
    sales: Sequence[Row] = ()


def tell_learned(parcel: Row, rows: LearnedRows, words: Words) -> LearnedTold | None:
    """What is told of a parcel's learned value; None where no model was asked.

    Parameters
    ----------
    parcel
        Its columns; those that begin with ``val_learned_`` are looked at.
    """
    if "val_learned_reason" not in parcel:
        return None
    middle = parcel["val_learned_p50"]
    if not isinstance(middle, (int, float)) or middle != middle:
        why = words.reason(str(parcel["val_learned_reason"]))
        return LearnedTold(says=(words("learned.none", why=why),), parts=(), total="", sales=(), price_head="")
    currency = str(parcel["val_learned_currency"])
    per = str(rows.sales[0]["price_per"]) if rows.sales else "total"
    return LearnedTold(
        says=tuple(_says(parcel, rows, words)),
        parts=tuple(_parts(rows.parts, currency, per, words)),
        total=words.money(float(middle), currency),
        sales=tuple(_sale(row, words) for row in rows.sales),
        price_head=words(
            "learned.price" if per == "total" else "learned.price_per", unit=words.known("unit", per) or per
        ),
    )


def _says(parcel: Row, rows: LearnedRows, words: Words) -> Iterator[str]:
    if rows.model is not None:
        yield from _proof(rows.model, words)
    if rows.reasons:
        gap = "" if words.lang == "zh" else " "
        yield gap.join(str(row[words.lang]) for row in rows.reasons)
    warning = parcel["val_learned_reason"]
    if isinstance(warning, str) and warning:
        yield words.reason(warning)


def _proof(model: Row, words: Words) -> Iterator[str]:
    """How well the model did on sales that it did not learn from, beside the best baseline."""
    yield words(
        "learned.proof",
        model=model["model"],
        learned=words.number(float(model["n_learned"])),
        first=_day(model["learned_first"], words),
        last=_day(model["learned_last"], words),
        held=words.number(float(model["n_held_out"])),
        error=_tenths(model["error_on_its_rows_frac"], words),
        baseline=words.reason(str(model["best_baseline"])),
        other=_tenths(model["best_baseline_error_frac"], words),
        level=words.percent(float(model["level_frac"])),
        coverage=_tenths(model["coverage_frac"], words),
    )
    yield words("learned.approved", model=model["model"], trainer=model["trainer"], approvers=model["approvers"])


def _parts(rows: Sequence[Row], currency: str, per: str, words: Words) -> Iterator[PartLine]:
    base = [row for row in rows if row["feature"] == BASE]
    rest = sorted((row for row in rows if row["feature"] != BASE), key=lambda row: -abs(float(row["part"])))
    for row in base:
        name = words("learned.base" if per == "total" else "learned.base_per", unit=words.known("unit", per) or per)
        yield PartLine(name=name, told="", factor=words.money(float(row["factor"]), currency))
    shown, others = rest[:SHOWN_PARTS], rest[SHOWN_PARTS:]
    for row in shown:
        told = row["told"] if isinstance(row["told"], str) else ""
        yield PartLine(name=_feature(str(row["feature"]), words), told=told, factor=_factor(float(row["factor"])))
    if others:
        product = 1.0
        for row in others:
            product *= float(row["factor"])
        yield PartLine(name=words("learned.others", n=len(others)), told="", factor=_factor(product))


def _feature(name: str, words: Words) -> str:
    return words.known("learned_feature", name.strip("()")) or name if name.startswith("(") else name


def _sale(row: Row, words: Words) -> SaleLine:
    currency, distance = str(row["currency"]), float(row["distance_m"])
    alike = words("learned.likeness", share=words.percent(float(row["similarity"])))
    return SaleLine(
        date=_day(row["date"], words),
        price=words.money(float(row["price"]), currency),
        like=alike if distance != distance else f"{alike}{words('clause_separator')}{_distance(distance)}",
        adjusted=words.money(float(row["adjusted_price"]), currency),
    )


def _distance(metres: float) -> str:
    return f"{metres:,.0f}\u00a0m" if metres < 1000 else f"{metres / 1000:,.1f}\u00a0km"


def _factor(factor: float) -> str:
    return f"×\u00a0{factor:.3f}"


def _tenths(share: Any, words: Words) -> str:
    if not isinstance(share, (int, float)) or share != share:
        return words("dash")
    return f"{100 * share:.1f}{'' if words.lang == 'zh' else chr(0xA0)}%"


def _day(value: Any, words: Words) -> str:
    try:
        return words.date(dt.date.fromisoformat(str(value)[:10]))
    except ValueError:
        return words("dash")
