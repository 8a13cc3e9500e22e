"""What a rule says of a parcel, a loan or a portfolio: breach, ok or cannot tell, with the values it looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["ok", "breach", "cannot_tell"]

WORST_FIRST: tuple[Outcome, ...] = ("breach", "cannot_tell", "ok")
"""An unknown is worse than a pass: it never hides behind one."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule applied to one thing."""

    rule: str
    """Id of the rule."""
    subject: str
    """``parcel``, ``loan``, ``borrower`` or ``branch``."""
    key: str
    """Which of them."""
    outcome: Outcome
    inputs: Mapping[str, Any]
    """Values the rule looked at, JSON values only; None: not known."""
    reason: str
    """A sentence for a reader."""


def worst(outcomes: list[Outcome]) -> Outcome:
    """The worst of some outcomes; ``cannot_tell`` of none, because nothing was looked at."""
    return min(outcomes, key=WORST_FIRST.index, default="cannot_tell")
