"""Cells of tables as people write them: numbers with signs of thousands, currencies, units and multiples."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MULTIPLES = {
    "": 1.0,
    "k": 1e3,
    "千": 1e3,
    "万": 1e4,
    "萬": 1e4,
    "百万": 1e6,
    "千万": 1e7,
    "亿": 1e8,
    "億": 1e8,
    "million": 1e6,
    "mio": 1e6,
    "mn": 1e6,
    "lakh": 1e5,
    "lac": 1e5,
    "crore": 1e7,
}
_CURRENCY = r"(?:CNY|RMB|USD|EUR|GBP|CHF|PLN|INR|Rs\.?|[A-Z]{0,3}[¥￥$€£₹₩])"
_WRITTEN = re.compile(
    rf"^[约約~≈>＞<＜≥≤]?\s*{_CURRENCY}?\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*"
    r"(百万|千万|万|萬|亿|億|千|million|mio\.?|mn|lakhs?|lacs?|crores?|k(?!m))?\s*"
    r"(?:元|人民币|平方公里|平方米|平方公尺|平米|㎡|平|坪|亩|畝|公顷|公頃|公里|千米|米|年|层|层楼|室|间|套|岁|分钟|"
    r"sq\.?\s?(?:ft|m)|sqft|sqm|sf|ft|m2|m²|m\^2|m|km|mu|ha|hectares?|acres?|ac|%|zł|kr|"
    r"CNY|RMB|USD|EUR|GBP|CHF|PLN|[¥￥$€£])?(?:/(?:㎡|平米|平方米|平|亩|月|年|m2|m²))?(?:以上|以下|左右|\+)?$",
    re.IGNORECASE,
)
_MILLIONS = re.compile(rf"^{_CURRENCY}\s*([-+]?[\d.]+)\s*M$")
"""``$1.2M``: behind a sign of currency a large M is no metre."""
_EMPTY = re.compile(r"[-—－–.?？/\s]*|暂无(?:数据)?|無資料|N/?A", re.IGNORECASE)
"""Cells that say nothing."""
_THOUSANDS = r"(?<=\d)[,，\s'’](?=(?:\d{2},)*\d{3}(?!\d))"


def texts_in(column: pd.Series) -> pd.Series:
    """Cells as text without blanks around it; missing where a cell says nothing (``-``, ``?``, ``暂无数据``)."""
    text = column.astype("string").str.strip()
    kinds = pd.Series(text.dropna().unique(), dtype="string")
    empty = kinds[kinds.str.len() < 8]
    empty = empty[empty.str.fullmatch(_EMPTY.pattern, case=False)]
    return text.mask(text.isin(empty)) if len(empty) else text


def numbers_in(column: pd.Series) -> Floats:
    """A column as numbers; NaN where a cell is none. Signs of thousands, currency and units and 万 are understood."""
    if pd.api.types.is_bool_dtype(column):
        return np.asarray(column.astype("float64"), np.float64)
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(np.float64, na_value=np.nan)
    else:
        values = _texts_as_numbers(texts_in(column))
    return np.asarray(np.where(np.isfinite(values), values, np.nan), np.float64)


def _texts_as_numbers(text: pd.Series) -> Floats:
    """Numbers with signs of thousands, currency and units, 万 and 亿, decimal commas where the column has them."""
    if _has_decimal_commas(text):
        text = text.str.replace(r"(?<=\d)[.\s'’](?=\d{3}(?!\d))", "", regex=True)
        text = text.str.replace(r"(?<=\d),(?=\d)", ".", regex=True)
    elif text.str.contains(r"\d\.\d{3}\.\d{3}(?!\d)").any():  # 1.250.000: points part thousands in all of the column
        text = text.str.replace(r"(?<=\d)\.(?=\d{3}(?!\d))", "", regex=True)
    text = text.str.replace(_THOUSANDS, "", regex=True)
    values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    odd = np.isnan(values) & text.notna().to_numpy()
    if odd.any():
        cells = text[odd].astype(str)
        values[odd] = cells.map({cell: _read_number(cell) for cell in cells.unique()}).to_numpy(np.float64)
    return values


def _has_decimal_commas(text: pd.Series) -> bool:
    """Whether a comma stands before decimals: ``85,5`` or ``1.234,50``, and next to nowhere ``85.5``."""
    known = text.dropna()
    if not len(known) or not known.str.contains(",", regex=False).any():
        return False
    comma = known.str.contains(r"\d,(?:\d{1,2}|\d{4,})(?![\d,])|(?<!\d)0,\d+|\d\.\d{3},\d").mean()
    point = known.str.contains(r"\d\.(?:\d{1,2}|\d{4,})(?!\d)|\d,\d{3}\.\d").mean()
    return bool(comma > 0.02 and comma > 10 * point)


def _read_number(text: str) -> float:
    if (millions := _MILLIONS.match(text)) is not None:
        return float(millions[1]) * 1e6
    found = _WRITTEN.match(text)
    if found is None:
        return math.nan
    multiple = (found[2] or "").lower().rstrip(".s")
    try:
        return float(found[1]) * _MULTIPLES[multiple]
    except ValueError:
        return math.nan


__all__ = ["numbers_in", "texts_in"]
