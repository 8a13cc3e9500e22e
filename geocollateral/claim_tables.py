"""Columns and tables of the claims: every claim of every parcel, with a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import pandas as pd

from geocollateral.assets import judge_area
from geocollateral.types import ClaimCheck, Judgement


def checks_of(attributes: Mapping[str, Any], judgement: Judgement) -> tuple[ClaimCheck, ...]:
    """Checks of all claims of a parcel: of its area, and those of its asset class."""
    area = judge_area(attributes)
    return (*(() if area is None else (area,)), *judgement.claims)


def columns_of(checks: Sequence[ClaimCheck]) -> dict[str, Any]:
    """Columns ``claim_X_verdict``, ``_observed``, ``_low``, ``_high`` and ``_reason`` of a parcel."""
    return {
        f"claim_{check.claim}_{name}": getattr(check, name)
        for check in checks
        for name in ("verdict", "observed", "low", "high", "reason")
    }


def table_of(checks: Mapping[str, Sequence[ClaimCheck]]) -> pd.DataFrame:
    """The table ``claims``: one row per parcel and claim, with all fields of its check."""
    rows = [{"parcel_id": parcel_id, **asdict(check)} for parcel_id, own in checks.items() for check in own]
    return pd.DataFrame(rows, columns=["parcel_id", *(field.name for field in fields(ClaimCheck))])
