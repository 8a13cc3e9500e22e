"""What an assessment says, as rows of words for a terminal: the same states and names as the report's."""

from __future__ import annotations

from geocollateral.exports.claims_told import claimed_text, observed_text
from geocollateral.exports.summary import Check, ParcelFacts, ended_on, is_early, is_green, summarise
from geocollateral.exports.wording import Words
from geocollateral.types import Alert, Assessment


def summary_rows(assessment: Assessment, lang: str = "en") -> list[dict[str, str]]:
    """One row per parcel, in the order of the input.

    Raises
    ------
    InvalidInput
        The language is not known.
    """
    words = Words(lang)
    return [_row(fact, words) for fact in summarise(assessment)]


def _row(fact: ParcelFacts, words: Words) -> dict[str, str]:
    value = fact.value
    return {
        words("terminal.parcel"): fact.parcel_id,
        words("asset_class"): words.named("asset", fact.asset_class),
        words("terminal.area"): words.mu(fact.area_m2),
        words("terminal.state"): words.named("state", fact.state),
        words("terminal.value"): (
            words("dash") if value is None else words.money_range(value.low, value.high, value.currency)
        ),
        words("terminal.found"): _found(fact, words),
    }


def _found(fact: ParcelFacts, words: Words) -> str:
    if fact.state == "cannot_tell":
        return words.reason(fact.reason) if fact.reason else words("dash")
    said = [_alert(alert, words) for alert in fact.open_alerts]
    said += [_mismatch(check, words) for check in fact.checks if check.verdict == "mismatch"]
    return words("terminal.separator").join(said) or words("dash")


def _mismatch(check: Check, words: Words) -> str:
    claimed, observed = claimed_text(check, words), observed_text(check, words)
    name = words.named("claim", check.claim)
    if not (claimed and observed):
        return words("terminal.mismatch", claim=name)
    key = "terminal.hold" if check.claim == "draw" else "terminal.claim"
    return words(key, claim=name, claimed=claimed, observed=observed)


def _alert(alert: Alert, words: Words) -> str:
    days = f"{alert.last_clear_before:%Y-%m-%d}..{alert.first_clear_after:%Y-%m-%d}"
    text = f"{words.named('rule', alert.rule)} {words.hectares(alert.area_m2)} {days}"
    if end := ended_on(alert):
        text += f" ({words('alert.green' if is_green(alert.rule) else 'alert.ended', date=words.date(end))})"
    return words("terminal.early", alert=text) if is_early(alert) else text
