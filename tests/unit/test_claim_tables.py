"""Columns and table of the claims."""

import io
from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq

from geocollateral import claim_tables
from geocollateral.assets.claims import SHARE, checked_number, checked_words
from geocollateral.exports.tables import rows_parquet
from geocollateral.types import Judgement

CHECKS = (
    checked_number("living", 0.9, (0.85, 0.9, 0.92), unit="frac", rule=SHARE, n_looks=7, n_pixels=90),
    checked_words("use", "rice", observed="maize", chance=0.01, reason="Maize was seen.", n_looks=9),
)
JUDGEMENT = Judgement(
    status="ok",
    reason="",
    columns={},
    quantity=None,
    quantity_unit="ha",
    events=(),
    yearly=(),
    claims=CHECKS,
)


def test_a_check_becomes_five_columns() -> None:
    columns = claim_tables.columns_of(CHECKS)
    assert set(columns) == {
        f"claim_{claim}_{name}"
        for claim in ("living", "use")
        for name in ("verdict", "observed", "low", "high", "reason")
    }
    assert columns["claim_living_low"] == 0.85
    assert columns["claim_use_observed"] == "maize"


def test_the_table_has_every_field_and_keeps_numbers_and_words_apart() -> None:
    table = claim_tables.table_of({"a": JUDGEMENT, "b": JUDGEMENT})
    assert list(table.columns) == list(claim_tables.COLUMNS)
    assert table["parcel_id"].tolist() == ["a", "a", "b", "b"]
    living, use = table.iloc[0], table.iloc[1]
    assert (living["claimed"], living["n_pixels"], living["tolerance"]) == (0.9, 90, 0.1)
    assert pd.isna(living["claimed_text"])
    assert pd.isna(use["claimed"])
    assert (use["claimed_text"], use["observed_text"], use["verdict"]) == ("rice", "maize", "mismatch")


def test_the_file_has_the_same_types_whatever_was_claimed() -> None:
    words = {"a": replace(JUDGEMENT, claims=CHECKS[1:])}
    schemas = [
        pq.read_schema(io.BytesIO(rows_parquet(claim_tables.table_of(told)))) for told in ({"a": JUDGEMENT}, words, {})
    ]
    assert schemas[0] == schemas[1] == schemas[2]
