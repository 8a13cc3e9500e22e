"""The rules a bank holds a parcel, a loan and a portfolio against, each with an id, a wording and a reference.

A rule answers *breach*, *ok* or *cannot tell*, and what is not known is never a pass. No rule changes an amount into
another currency. Wordings are English here and Chinese in the catalogue of sentences, as all reasons are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from geocollateral.risk.caps import judge_ltv
from geocollateral.risk.clocks import ClockParams, Due, judge_due
from geocollateral.risk.findings import Finding, Outcome
from geocollateral.risk.valuations import Valuations, monitoring_due, review_due, value_cap
from geocollateral.types import Params, Verdict

SEVERITIES: tuple[Literal["high", "medium", "low"], ...] = ("high", "medium", "low")


class LimitParams(Params):
    """Limits of the bank."""

    max_ltv_frac: float = Field(0.60, gt=0, le=2, description="Loan to value above which a loan is in breach [1].")
    max_borrower_frac: float = Field(
        0.10, gt=0, le=1, description="Share of the portfolio's exposure that one borrower may have [0-1]."
    )
    max_branch_frac: float = Field(
        0.25, gt=0, le=1, description="Share of the portfolio's exposure that one branch may have [0-1]."
    )
    draw_tolerance_frac: float = Field(
        0.10, ge=0, lt=1, description="How far the drawn share of a loan may be ahead of the works' progress [0-1]."
    )
    high_alerts: int = Field(0, ge=0, le=1000, description="Open alerts of high severity that a parcel may have.")
    medium_alerts: int = Field(0, ge=0, le=1000, description="Open alerts of medium severity that a parcel may have.")
    low_alerts: int = Field(2, ge=0, le=1000, description="Open alerts of low severity that a parcel may have.")


@dataclass(frozen=True, kw_only=True)
class ParcelFacts:
    """What is known of a parcel. None: not known."""

    parcel_id: str
    asset_class: str
    loan: str | None = None
    judged: bool = True
    """False: the imagery does not answer, so that no alert says nothing."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """By claim made; without those not made."""
    alerts: Mapping[str, int] = field(default_factory=dict)
    """Open alerts by severity."""
    hurt: bool = False
    """Whether a confirmed alert of an adverse event is open."""
    pledge: Verdict | None = None
    """``mismatch``: pledged elsewhere too. None: no registry was asked."""
    valuations: Valuations = field(default_factory=Valuations)
    last_clear: dt.date | None = None
    progress_low: float | None = None
    progress_high: float | None = None
    """Bounds of the works' progress [0-1]."""
    score: float | None = None
    """Probability of an adverse event within half a year [0-1]."""


@dataclass(frozen=True, kw_only=True)
class LoanFacts:
    """What is known of a loan."""

    loan: str
    parcels: tuple[ParcelFacts, ...]
    outstanding: float | None = None
    amount: float | None = None
    currency: str | None = None
    value: float | None = None
    """Middle value of all its parcels, in the currency of the loan; None where one has none, or in another currency."""
    borrower: str | None = None
    branch: str | None = None

    @property
    def ltv(self) -> float | None:
        """Outstanding loan as a share of the value [1]."""
        return None if self.outstanding is None or not self.value else self.outstanding / self.value


@dataclass(frozen=True, kw_only=True)
class Ruled:
    """Answer of a rule before it is put on record."""

    outcome: Outcome
    inputs: Mapping[str, object]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of the bank or of the law."""

    id: str
    subject: Literal["parcel", "loan", "borrower", "branch"]
    wording: str
    """What must hold, as a sentence."""
    reference: str
    """Article of the law, or that it is the bank's own policy."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the rules are asked with."""

    as_of: dt.date
    limits: LimitParams
    clocks: ClockParams


POLICY = "Policy of the bank"
RULES: tuple[Rule, ...] = (
    Rule(
        id="ltv_above_limit",
        subject="loan",
        wording="The loan stays within the limit of loan to value.",
        reference=POLICY,
    ),
    Rule(id="claim_mismatch", subject="parcel", wording="No claim is contradicted by the imagery.", reference=POLICY),
    Rule(
        id="open_alert_high",
        subject="parcel",
        wording="No more open alerts of high severity than allowed.",
        reference="EBA/GL/2020/06, section 7.2 (monitoring of collateral)",
    ),
    Rule(
        id="open_alert_medium",
        subject="parcel",
        wording="No more open alerts of medium severity than allowed.",
        reference=POLICY,
    ),
    Rule(
        id="open_alert_low",
        subject="parcel",
        wording="No more open alerts of low severity than allowed.",
        reference=POLICY,
    ),
    Rule(id="double_pledge", subject="parcel", wording="The land is pledged once at any one time.", reference=POLICY),
    Rule(
        id="revaluation_overdue",
        subject="parcel",
        wording="The parcel was valued anew in time.",
        reference="CRR Article 208(3)(a): yearly for commercial property; policy of the bank where stricter",
    ),
    Rule(
        id="monitoring_overdue",
        subject="parcel",
        wording="The value of the parcel was checked in time.",
        reference="CRR Article 208(3)(a)",
    ),
    Rule(
        id="review_overdue",
        subject="parcel",
        wording="The value was reviewed by an independent valuer in time, or has not fallen materially.",
        reference="CRR Article 208(3)",
    ),
    Rule(
        id="value_above_cap",
        subject="parcel",
        wording="The last value by a valuer does not exceed the average of its years or the value at origination.",
        reference="CRR Article 229(1)(e)",
    ),
    Rule(
        id="stale_imagery", subject="parcel", wording="A clear look at the parcel is recent enough.", reference=POLICY
    ),
    Rule(
        id="draw_ahead_of_progress",
        subject="loan",
        wording="The drawn share of the loan is not ahead of the works.",
        reference="EBA/GL/2020/06, section 7.2 (closer monitoring of unfinished buildings)",
    ),
    Rule(
        id="concentration_borrower",
        subject="borrower",
        wording="The borrower stays within the share of exposure allowed.",
        reference=POLICY,
    ),
    Rule(
        id="concentration_branch",
        subject="branch",
        wording="The branch stays within the share of exposure allowed.",
        reference=POLICY,
    ),
)
"""Ids do not change: results on record name them."""


def judge_parcel(facts: ParcelFacts, asked: Asked) -> list[Finding]:
    """Answers of the rules of parcels."""
    answers = {
        "claim_mismatch": _claims(facts),
        **{f"open_alert_{name}": _alerts(facts, name, asked.limits) for name in SEVERITIES},
        "double_pledge": _pledge(facts),
        **_by_valuers(facts.valuations, asked),
        "stale_imagery": _imagery(facts, asked),
    }
    return [_finding(rule, facts.parcel_id, answers[rule.id]) for rule in RULES if rule.id in answers]


def judge_loan(facts: LoanFacts, asked: Asked) -> list[Finding]:
    """Answers of the rules of loans; works are judged only where a site is pledged."""
    answers = {"ltv_above_limit": _ltv(facts, asked.limits)}
    if any(parcel.asset_class == "construction" for parcel in facts.parcels):
        answers["draw_ahead_of_progress"] = _draw(facts, asked.limits)
    return [_finding(rule, facts.loan, answers[rule.id]) for rule in RULES if rule.id in answers]


def judge_portfolio(loans: Sequence[LoanFacts], asked: Asked) -> list[Finding]:
    """Concentration by borrower and by branch."""
    limits = asked.limits
    keys: dict[str, tuple[Callable[[LoanFacts], str | None], float]] = {
        "concentration_borrower": (lambda loan: loan.borrower, limits.max_borrower_frac),
        "concentration_branch": (lambda loan: loan.branch, limits.max_branch_frac),
    }
    found = []
    for rule in RULES:
        if rule.id in keys:
            key, limit = keys[rule.id]
            names = sorted({name for loan in loans if (name := key(loan)) is not None})
            found += [_finding(rule, name, _concentration(loans, key, name, limit)) for name in names]
    return found


def _finding(rule: Rule, key: str, answer: Ruled) -> Finding:
    return Finding(
        rule=rule.id, subject=rule.subject, key=key, outcome=answer.outcome, inputs=answer.inputs, reason=answer.reason
    )


def _claims(facts: ParcelFacts) -> Ruled:
    wrong = sorted(name for name, verdict in facts.verdicts.items() if verdict == "mismatch")
    open_ones = sorted(name for name, verdict in facts.verdicts.items() if verdict == "cannot_tell")
    inputs = {"mismatch": wrong, "cannot_tell": open_ones}
    if wrong:
        return Ruled(
            outcome="breach", inputs=inputs, reason=f"Claims contradicted: {', '.join(wrong).replace('_', ' ')}."
        )
    if open_ones or not facts.verdicts:
        told = f"Claims that could not be judged: {', '.join(open_ones)}." if open_ones else "No claim was made."
        return Ruled(outcome="cannot_tell", inputs=inputs, reason=told)
    return Ruled(outcome="ok", inputs=inputs, reason="Every claim made is borne out.")


def _alerts(facts: ParcelFacts, severity: str, limits: LimitParams) -> Ruled:
    n, allowed = facts.alerts.get(severity, 0), int(getattr(limits, f"{severity}_alerts"))
    inputs: dict[str, object] = {"open": n, "allowed": allowed}
    if n > allowed:
        return Ruled(outcome="breach", inputs=inputs, reason=f"Open alerts: {n}, allowed: {allowed}.")
    if not facts.judged:
        return Ruled(outcome="cannot_tell", inputs=inputs, reason="The imagery does not answer for this parcel.")
    return Ruled(outcome="ok", inputs=inputs, reason=f"Open alerts: {n}, allowed: {allowed}.")


def _pledge(facts: ParcelFacts) -> Ruled:
    inputs: dict[str, object] = {"pledge": facts.pledge}
    if facts.pledge is None:
        return Ruled(outcome="cannot_tell", inputs=inputs, reason="No registry of pledges was asked.")
    outcomes: dict[Verdict, tuple[Outcome, str]] = {
        "match": ("ok", "No other pledge of this land is known."),
        "mismatch": ("breach", "The land is pledged elsewhere at the same time."),
        "cannot_tell": ("cannot_tell", "Another pledge may be of the same land."),
    }
    outcome, reason = outcomes[facts.pledge]
    return Ruled(outcome=outcome, inputs=inputs, reason=reason)


def _by_valuers(given: Valuations, asked: Asked) -> dict[str, Ruled]:
    cap = value_cap(given)
    inputs: dict[str, object] = {
        "value": None if given.valued is None else given.valued.value,
        "values": len(given.earlier),
        "cap": cap.cap,
    }
    return {
        "revaluation_overdue": _due(judge_due(given.valued_on, asked.clocks.revaluation_months, asked.as_of), given),
        "monitoring_overdue": _due(monitoring_due(given, asked.as_of), given),
        "review_overdue": _due(review_due(given, asked.as_of, asked.clocks), given),
        "value_above_cap": Ruled(outcome=cap.outcome, inputs=inputs, reason=cap.reason),
    }


def _due(due: Due, given: Valuations) -> Ruled:
    days = {
        "valued_on": None if given.valued_on is None else given.valued_on.isoformat(),
        "due_on": None if due.due_on is None else due.due_on.isoformat(),
    }
    return Ruled(outcome=due.outcome, inputs=days, reason=due.reason)


def _imagery(facts: ParcelFacts, asked: Asked) -> Ruled:
    bound = asked.clocks.imagery_days
    if facts.last_clear is None:
        inputs: dict[str, object] = {"last_clear": None, "allowed_days": bound}
        return Ruled(outcome="breach", inputs=inputs, reason="There is no clear look at the parcel.")
    age = (asked.as_of - facts.last_clear).days
    return Ruled(
        outcome="breach" if age > bound else "ok",
        inputs={"last_clear": facts.last_clear.isoformat(), "age_days": age, "allowed_days": bound},
        reason=f"The last clear look is {age} days old; {bound} are allowed.",
    )


def _ltv(facts: LoanFacts, limits: LimitParams) -> Ruled:
    ltv = facts.ltv
    inputs = {
        "outstanding": facts.outstanding,
        "value": facts.value,
        "currency": facts.currency,
        "ltv": ltv,
        "limit": limits.max_ltv_frac,
    }
    if ltv is None:
        reason = "The balance, or the value of a parcel in the currency of the loan, is not known."
        return Ruled(outcome="cannot_tell", inputs=inputs, reason=reason)
    reason = f"Loan to value is {ltv:.1%}; {limits.max_ltv_frac:.1%} is allowed."
    return Ruled(outcome=judge_ltv(ltv, limits.max_ltv_frac), inputs=inputs, reason=reason)


def _draw(facts: LoanFacts, limits: LimitParams) -> Ruled:
    """Works of several sites are as far as the least advanced for sure, and at most as far as the most advanced."""
    sites = [parcel for parcel in facts.parcels if parcel.asset_class == "construction"]
    lows, highs = [p.progress_low for p in sites], [p.progress_high for p in sites]
    drawn = None if facts.outstanding is None or not facts.amount else facts.outstanding / facts.amount
    inputs: dict[str, object] = {"drawn": drawn, "tolerance": limits.draw_tolerance_frac}
    if drawn is None or None in lows or None in highs:
        reason = "The drawn share of the loan, or the progress of the works, is not known."
        return Ruled(outcome="cannot_tell", inputs=inputs, reason=reason)
    low, high = min(v for v in lows if v is not None), max(v for v in highs if v is not None)
    inputs |= {"progress_low": low, "progress_high": high}
    # Rounded, so that tenths add up.
    ahead_least, ahead_most = round(drawn - high, 9), round(drawn - low, 9)
    reason = f"Drawn {drawn:.0%}; the works have come {low:.0%} to {high:.0%} of the way."
    if ahead_least > limits.draw_tolerance_frac:
        return Ruled(outcome="breach", inputs=inputs, reason=reason)
    outcome: Outcome = "ok" if ahead_most <= limits.draw_tolerance_frac else "cannot_tell"
    return Ruled(outcome=outcome, inputs=inputs, reason=reason)


def _concentration(
    loans: Sequence[LoanFacts], key: Callable[[LoanFacts], str | None], name: str, limit: float
) -> Ruled:
    """Share of one name; loans whose balance or owner is not known could be anybody's and make the answer open."""
    currencies = {loan.currency for loan in loans if loan.outstanding}
    own = [loan for loan in loans if key(loan) == name]
    inputs: dict[str, object] = {"loans": len(own), "limit": limit}
    unknown = [loan for loan in loans if loan.outstanding is None or (loan.outstanding and key(loan) is None)]
    if len(currencies) > 1 or unknown:
        reason = "Loans are in several currencies, or a balance or its owner is not known."
        return Ruled(outcome="cannot_tell", inputs=inputs, reason=reason)
    whole = sum(loan.outstanding or 0.0 for loan in loans)
    share = sum(loan.outstanding or 0.0 for loan in own) / whole if whole else 0.0
    return Ruled(
        outcome="breach" if share > limit else "ok",
        inputs={**inputs, "share": share},
        reason=f"It has {share:.1%} of the exposure; {limit:.1%} is allowed.",
    )
