"""Checks of claims and the look-back as a report shows them, in the words of its language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geocollateral.exports import claim_words
from geocollateral.exports.summary import Check
from geocollateral.exports.wording import Words
from geocollateral.types import Verdict

MILESTONES = ("stage", "progress", "draw")
"""Claims whose error is a difference of progress, in points."""
WHOLE_YEARS = 4.75
"""Years seen from which a look-back of five is whole."""


@dataclass(frozen=True, kw_only=True)
class ClaimLine:
    """A check in words; empty text where there is none."""

    name: str
    claimed: str
    observed: str
    interval: str
    tolerance: str
    verdict: Verdict
    evidence: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class HistoryLine:
    """An event of the look-back in words."""

    event: str
    when: tuple[str, str]
    area_m2: float
    share: str
    certainty: str
    recovered: str


def claim_line(check: Check, words: Words) -> ClaimLine:
    """A check in the words of a report."""
    seen = check.low is not None and check.high is not None and check.low < check.high
    return ClaimLine(
        name=words.named("claim", check.claim),
        claimed=claimed_text(check, words),
        observed=observed_text(check, words),
        interval=words("fig.range", low=_value(check, check.low, words), high=_value(check, check.high, words))
        if seen
        else "",
        tolerance=_tolerance(check, words),
        verdict=check.verdict,
        evidence=f"{check.n_looks:,} / {check.n_pixels:,}" if check.n_looks or check.n_pixels else "",
        reason=_reason(check, words),
    )


def claimed_text(check: Check, words: Words) -> str:
    """What is claimed, with its unit."""
    if check.claim == "draw" and isinstance(check.claimed, float) and check.claimed < 1:
        return words("claims.least", percent=words.percent(check.claimed))
    return _value(check, check.claimed, words)


def observed_text(check: Check, words: Words) -> str:
    """What is observed, with its unit; empty where it cannot be told."""
    return _value(check, check.observed, words)


def _value(check: Check, value: float | str | None, words: Words) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _word(check, value, words)
    if check.claim == "floor_area":  # floors are no land, and nobody counts them in mu
        return words("claims.square", n=words.number(value))
    if check.unit == "m2":
        first, second = words.hectares(value), words.mu(value)
        return f"{first} ({second})" if words.lang == "en" else f"{second}（{first}）"
    if check.unit == "frac":
        return words.percent(value)
    if check.unit == "mw":
        return f"{words.number(value, 2 if value < 10 else 1)}\u00a0MW"
    if check.unit == "m3":
        return words("claims.cubic", n=words.number(value))
    return words.number(value)


def _word(check: Check, text: str, words: Words) -> str:
    if check.claim in MILESTONES:
        return words.known("stage", text) or words.known("seen", text) or text.replace("_", " ")
    days = [_day(part) for part in text.split("..")]
    if len(days) == 2:
        return f"{words.date(days[0])} {words('dash')} {words.date(days[1])}"
    if days[0] is not None:
        return words.date(days[0])
    # What was seen is an entry of the catalogue of sentences; a borrower's own word is not and stays as it is.
    return words.known("seen", text) or words.known("use", text) or words.reason(text.replace("_", " "))


def _tolerance(check: Check, words: Words) -> str:
    if check.tolerance is None:
        return ""
    points = f"{100 * check.tolerance:.0f}"
    return words("claims.points", n=points) if check.claim in MILESTONES else words.percent(check.tolerance)


def _reason(check: Check, words: Words) -> str:
    """The record's own sentence; in a language with sentences of its own, one put together from the record's fields."""
    sentences = claim_words.REASONS.get(words.lang)
    # A verdict without anything observed, such as the draw of a milestone that asks for no works, has its own reason.
    if sentences is None or check.n_looks is None or (check.observed is None and check.verdict != "cannot_tell"):
        return words.reason(check.reason)
    said = {"claimed": claimed_text(check, words), "observed": _observed(check, words)}
    return "".join(sentences[key] for key in _keys(check, sentences)).format(**said, **_error(check, words))


def _keys(check: Check, sentences: Mapping[str, str]) -> tuple[str, ...]:
    """Keys of the sentence of a check."""
    if check.observed is None:
        own = f"untold.{check.claim}"
        return (own if own in sentences else "untold",)
    if check.claim == "draw":
        return (f"draw.words.{check.verdict}" if isinstance(check.observed, str) else f"draw.{check.verdict}",)
    if check.claim == "stage" and not isinstance(check.observed, str):
        return (f"stage.{_side(check)}",)
    if isinstance(check.observed, str) or not isinstance(check.claimed, float) or check.tolerance is None:
        return (f"words.{check.verdict}",)
    start = "exact" if check.claim == "area" else "number"
    if check.verdict != "mismatch":
        return start, check.verdict
    none = check.observed <= 0 and check.claim not in MILESTONES
    side = "nothing" if none else "over" if check.claimed > check.observed else "under"
    return start, f"mismatch.{side}"


def _observed(check: Check, words: Words) -> str:
    """What is observed with its interval, for a sentence."""
    text = observed_text(check, words)
    if check.low is None or check.high is None or check.low >= check.high:
        return text
    bounds = (check.low, check.high)
    # In mu alone: an area in both units within brackets within brackets cannot be read.
    low, high = (words.mu(b) if check.unit == "m2" else _value(check, b, words) for b in bounds)
    return text + claim_words.REASONS[words.lang]["interval"].format(low=low, high=high)


def _unsigned_zero(number: float) -> str:
    """A whole number with its sign; nought has none."""
    return f"{number:+.0f}" if round(number) else "0"


def _side(check: Check) -> str:
    """How a claimed stage relates to the progress seen; the English sentence of the record says it too."""
    if check.verdict != "mismatch":
        return check.verdict
    return "behind" if "behind the claim" in check.reason else "ahead"


def _error(check: Check, words: Words) -> dict[str, str]:
    """The error of a claimed number, the tolerance, and what is short of a milestone, in words."""
    if not isinstance(check.claimed, float) or not isinstance(check.observed, float):
        return {}
    gap = 100 * (check.claimed - check.observed)
    relative = f"{_unsigned_zero(gap / check.observed)}%" if check.observed > 0 else words("dash")
    error = words("claims.points", n=_unsigned_zero(gap)) if check.claim in MILESTONES else relative
    return {"error": error, "tolerance": _tolerance(check, words), "short": f"{gap:.0f}"}


# ------------------------------------------------------------------------------------------------------------ look-back


def history_lines(rows: Sequence[Mapping[str, Any]], words: Words) -> Iterator[HistoryLine]:
    """Rows of the table ``history`` in words, the newest first."""
    for row in reversed(rows):
        event, cause = words.named("rule", str(row["kind"])), _text(row["cause"])
        named = event if cause is None else words("history.cause", event=event, cause=words.named("word", cause))
        told = words.date(_day(str(row["detected_on"])))
        yield HistoryLine(
            event=named,
            when=(words.date(_day(str(row["from"]))), words.date(_day(str(row["to"])))),
            area_m2=float(row["area_m2"]),
            share=words.percent(float(row["share_frac"])),
            certainty=words("history.confirmed", date=told)
            if row["certainty"] == "confirmed"
            else words("history.suspected"),
            recovered="" if _text(row["recovered_on"]) is None else words.date(_day(str(row["recovered_on"]))),
        )


def say_history(years: float | None, n_events: int | None, words: Words) -> str:
    """What the look-back found and how much of it was seen, in a sentence or two; empty where nobody looked back."""
    if years is None:
        return ""
    if n_events is None:
        return words("history.cannot_tell")
    seen = f"{years:.1f}".removesuffix(".0")
    told = words("history.nothing", years=seen) if n_events == 0 else words.count("history.some", n_events, years=seen)
    space = " " if words.lang == "en" else ""
    return told if years >= WHOLE_YEARS else f"{told}{space}{words('history.short')}"


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


__all__ = ["ClaimLine", "HistoryLine", "claim_line", "claimed_text", "history_lines", "observed_text", "say_history"]
