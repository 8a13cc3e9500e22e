"""Columns and the table of the claims: every claim of every parcel, with a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from geocollateral.types import ClaimCheck, Judgement

COLUMNS: tuple[str, ...] = (
    "parcel_id",
    "claim",
    "verdict",
    "claimed",
    "claimed_text",
    "observed",
    "observed_text",
    "low",
    "high",
    "unit",
    "tolerance",
    "n_looks",
    "n_pixels",
    "reason",
)
"""Of the table ``claims``. What is claimed and observed is a number or a text, never both."""
NUMBERS = ("claimed", "observed", "low", "high", "tolerance", "n_looks", "n_pixels")
"""Columns of numbers; the others hold text."""


def columns_of(checks: Sequence[ClaimCheck]) -> dict[str, Any]:
    """Columns ``claim_X_verdict``, ``_observed``, ``_low``, ``_high`` and ``_reason`` of a parcel."""
    return {
        f"claim_{check.claim}_{name}": getattr(check, name)
        for check in checks
        for name in ("verdict", "observed", "low", "high", "reason")
    }


def table_of(judgements: Mapping[str, Judgement]) -> pd.DataFrame:
    """The table ``claims``: one row per parcel and claim, with all fields of its check."""
    rows = [_row(parcel_id, check) for parcel_id, judgement in judgements.items() for check in judgement.claims]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(NUMBERS, float))


def _row(parcel_id: str, check: ClaimCheck) -> dict[str, Any]:
    row = {"parcel_id": parcel_id, **asdict(check)}
    for name in ("claimed", "observed"):
        value = row[name]
        is_text = isinstance(value, str)
        row |= {name: None if is_text else value, f"{name}_text": value if is_text else None}
    return row
