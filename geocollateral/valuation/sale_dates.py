"""Days of sale as tables write them: in the order of any country, as numbers, quarters, or years of the Republic."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.errors import InvalidInput
from geocollateral.valuation.cells import numbers_in, texts_in

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

MONTH_DAYS = 365.25 / 12
_MOSTLY = 0.98
"""Share of the known cells that must make sense of a layout."""
_MONTH_NAMES = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"


def times_of(column: pd.Series, name: str) -> tuple[Floats, Days | None]:
    """Times [months] and, where the column holds dates, days; NaN and NaT where a cell is none.

    Raises
    ------
    InvalidInput
        Fewer than half of the cells can be read, or day and month cannot be told apart.
    """
    days = days_of(column, name)
    if days is None:
        months = numbers_in(column)
    else:
        months = np.where(np.isnat(days), np.nan, days.astype("datetime64[D]").astype(np.int64) / MONTH_DAYS)
    if np.isfinite(months).mean() < 0.5:
        examples = ", ".join(repr(str(cell)) for cell in column.dropna().head(3))
        raise InvalidInput(
            f"{name}: expected dates (2024-05-31, 20240531, 202405, 2024) or numbers of periods; "
            f"{np.isfinite(months).mean():.0%} of the cells can be read, such as {examples}."
        )
    return months, days


def days_of(column: pd.Series, name: str) -> Days | None:
    """Days, or None where the column holds plain numbers of periods.

    Raises
    ------
    InvalidInput
        Day and month cannot be told apart.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        plain = column.dt.tz_localize(None) if column.dt.tz is not None else column
        return plain.to_numpy("datetime64[D]")
    if pd.api.types.is_numeric_dtype(column):
        return _days_of_numbers(numbers_in(column))
    text = texts_in(column)
    numeric = text.dropna().str.fullmatch(r"\d+(\.\d+)?")
    if len(numeric) and numeric.mean() >= 0.9:  # a second line of headings or a note is no reason to read no number
        return _days_of_numbers(pd.to_numeric(text, errors="coerce").to_numpy(np.float64, na_value=np.nan))
    return _days_of_texts(text, name)


def _days_of_numbers(numbers: Floats) -> Days | None:
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    if low >= 1850 and high <= 2100 and np.any(known != np.round(known)):
        year = np.floor(numbers)
        return _dates(year, np.ones(len(numbers)), np.ones(len(numbers)), 365.25 * (numbers - year))
    if np.any(known != np.round(known)):
        return _serial_days(np.floor(numbers)) if low >= 20_000 and high <= 60_000 else None
    # In this order: eight digits, six or a year, years of the Republic of China, then counts of days or seconds.
    year, month, day = np.floor(numbers / 1e4), np.floor(numbers / 100) % 100, numbers % 100
    if low >= 18000101 and high <= 21001231:
        return _dates(year, month, day)
    if low >= 180001 and high <= 210012 and _all_make_sense(np.floor(numbers / 100), numbers % 100, None):
        return _dates(np.floor(numbers / 100), numbers % 100, np.full(len(numbers), 15.0))
    if low >= 1800 and high <= 2100:
        return _dates(numbers, np.ones(len(numbers)), np.ones(len(numbers)), 181.0)
    if low >= 10_101 and 1_000_101 <= high <= 1_991_231 and _all_make_sense(year, month, day):
        return _dates(year + 1911, month, day)  # 1090221: a day of the year 109, which is 2020
    if low >= 10_101 and 100_000 <= high <= 991_231 and _all_make_sense(year, month, day):
        return _dates(np.where(year >= 50, 1900, 2000) + year, month, day)  # 960423
    return _counted_days(numbers)


def _counted_days(numbers: Floats) -> Days | None:
    """Serial days of spreadsheets, and seconds or milliseconds since 1970."""
    known = numbers[np.isfinite(numbers)]
    if np.ptp(known) == 0:
        return None
    if known.min() >= 20_000 and known.max() <= 60_000:
        return _serial_days(numbers)
    for low, high, seconds in ((10**8, 4 * 10**9, 1.0), (10**11, 4 * 10**12, 1e-3)):
        if known.min() >= low and known.max() <= high:
            return _after("1970-01-01", np.floor(numbers * seconds / 86_400))
    return None


def _serial_days(numbers: Floats) -> Days:
    return _after("1899-12-30", numbers)


def _after(origin: str, days: Floats) -> Days:
    step = np.where(np.isfinite(days), days, 0).astype("timedelta64[D]")
    return np.where(np.isfinite(days), np.datetime64(origin, "D") + step, np.datetime64("NaT"))


def _all_make_sense(year: Floats, month: Floats, day: Floats | None) -> bool:
    known = np.isfinite(year)
    fine = (month >= 1) & (month <= 12)
    if day is not None:
        fine &= (day >= 1) & (day <= 31)
    return bool(fine[known].mean() >= _MOSTLY)


def _dates(year: Floats, month: Floats, day: Floats, further: Floats | float = 0.0) -> Days:
    """Days from their parts; `further` days are added. NaT where they are no date."""
    parts = pd.DataFrame({"year": year, "month": month, "day": day})
    found = pd.to_datetime(parts, errors="coerce").to_numpy("datetime64[D]")
    step = np.where(np.isnat(found), 0.0, np.nan_to_num(np.broadcast_to(further, found.shape)))
    return np.asarray(found + np.floor(step).astype("timedelta64[D]"), "datetime64[D]")


def _days_of_texts(text: pd.Series, name: str) -> Days:
    quarter = _quarters(text)
    if quarter is not None:
        return quarter
    compact = text.str.extract(r"^(\d{8})(?:T.*)?$")[0]
    if compact.notna().mean() > 0.5:
        return pd.to_datetime(compact, format="%Y%m%d", errors="coerce").to_numpy("datetime64[D]")
    named = text.str.extract(rf"(?i)^({_MONTH_NAMES})[-/ .']+(\d{{4}}|\d{{2}})$")
    if named[0].notna().mean() > 0.5:  # Sep-16 is a month of 2016: a day without a year is no day of sale
        joined = named[0].str[:3] + " 15 " + _full_year(named[1])
        return pd.to_datetime(joined, format="%b %d %Y", errors="coerce").to_numpy("datetime64[D]")
    republic = text.str.extract(r"^(?:民[国國])?(\d{2,3})[年/.-](\d{1,2})[月/.-](\d{1,2})日?$")
    years = pd.to_numeric(republic[0], errors="coerce")
    if republic[0].notna().mean() > 0.5 and years.max() >= 100 and years.min() >= 32:
        month, day = (pd.to_numeric(republic[n], errors="coerce").to_numpy(np.float64) for n in (1, 2))
        return _dates(years.to_numpy(np.float64) + 1911, month, day)
    plain = text.str.replace(r"[年月/.]", "-", regex=True).str.replace("日", "", regex=False)
    ordered = plain.str.match(r"^\d{4}-\d{1,2}(-\d{1,2})?(\D|$)")
    if ordered.fillna(False).mean() > 0.5:
        return pd.to_datetime(plain.str.extract(r"^(\d{4}-\d{1,2}(?:-\d{1,2})?)")[0], errors="coerce").to_numpy(
            "datetime64[D]"
        )
    return _year_last(plain, text, name)


def _quarters(text: pd.Series) -> Days | None:
    """``2019Q1``, ``Q1 2019``, ``2019年第1四半期``: the middle of the quarter."""
    first = text.str.extract(r"(?i)^(\d{4})\s*[-/年]?\s*(?:Q|第)\s*([1-4一二三四])")
    last = text.str.extract(r"(?i)^Q([1-4])[-/ ]*(\d{4})$")
    year, which = first[0].fillna(last[1]), first[1].fillna(last[0])
    if year.notna().mean() <= 0.5:
        return None
    number = which.replace({"一": "1", "二": "2", "三": "3", "四": "4"})
    month = 3 * pd.to_numeric(number, errors="coerce").to_numpy(np.float64) - 1
    return _dates(pd.to_numeric(year, errors="coerce").to_numpy(np.float64), month, np.full(len(text), 15.0))


def _full_year(year: pd.Series) -> pd.Series:
    """Two digits as four: up to 69 of this century."""
    numbers = pd.to_numeric(year, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    full = np.where(numbers < 70, numbers + 2000, np.where(numbers < 100, numbers + 1900, numbers))
    return pd.Series(full, index=year.index).map("{:04.0f}".format, na_action="ignore").astype("string")


def _year_last(plain: pd.Series, text: pd.Series, name: str) -> Days:
    """Dates whose year stands last: which of the others is the day must show somewhere in the column."""
    parts = plain.str.extract(r"^(\d{1,2})-(\d{1,2})-(\d{4}|\d{2})(?:\D|$)")
    first, second = (pd.to_numeric(parts[n], errors="coerce") for n in (0, 1))
    if first.notna().mean() <= 0.5:
        # Without a year that can be seen the rest of a date would be taken from the day of the run.
        seen = text.where(text.str.contains(r"\d{4}").fillna(False))
        return pd.to_datetime(seen, errors="coerce", format="mixed").to_numpy("datetime64[D]")
    day_first, month_first = bool((first > 12).any()), bool((second > 12).any())
    if not day_first and not month_first and (first.nunique() == 1) != (second.nunique() == 1):
        day_first = first.nunique() == 1  # one day of every month
        month_first = not day_first
    if day_first == month_first:
        raise InvalidInput(
            f"{name}: dates such as {plain.dropna().iloc[0]!r} do not tell which number is the month. Write 2024-05-31."
        )
    order = [1, 0] if day_first else [0, 1]
    joined = _full_year(parts[2]) + "-" + parts[order[0]] + "-" + parts[order[1]]
    return pd.to_datetime(joined, format="%Y-%m-%d", errors="coerce").to_numpy("datetime64[D]")


def dates_in(column: pd.Series, name: str) -> pd.Series | None:
    """A column of texts as dates, where nearly all of them are; None where they are not."""
    text = texts_in(column)
    sample = text.dropna().head(200)
    shape = (
        r"\d{4}[-/.年]\d{1,2}([-/.月]\d{1,2}日?)?([ T].*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})([ T].*)?|\d{8}T\d+Z?"
    )
    if not len(sample) or sample.str.fullmatch(shape).mean() < 0.9:
        return None
    try:
        days = days_of(text, name)
    except InvalidInput:
        return None
    if days is None or np.isnat(days).mean() > 0.1 + text.isna().mean():
        return None
    return pd.Series(days, index=column.index)


__all__ = ["MONTH_DAYS", "dates_in", "days_of", "times_of"]
