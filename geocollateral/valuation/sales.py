"""Tables of sales or appraisals: which column is what, what may be learned from, and what must not.

A price must not be explained by itself: loan amounts, list prices, other appraisals, columns that follow the price
almost exactly and days after the sale are never features, whatever the table calls them. Every column that is left out
is named with the reason.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from geocollateral.errors import InvalidInput, MissingInput

Floats = NDArray[np.float64]
Role = Literal["number", "category", "left out"]

MIN_ROWS = 60
"""Fewest sales with a price from which anything is learned."""
MONTH_DAYS = 365.25 / 12
_MONEY = re.compile(
    r"price|loan|mortgage|appraise|appraisal|assess|valuation|zestimate|market[ _]?value|estimated?[ _]?value|"
    r"value[ _]?estimate|taxable|asking|[总单售挂]价|价格|贷款|抵押|估值|估价|评估",
    re.IGNORECASE,
)
"""Names of columns that hold a price, a loan or somebody's opinion of value."""
_KEY = re.compile(r"(^|[ _.])(id|pid|pin|apn|uuid|guid|fid|key|order|index|row|station)$|编号|序号|证号", re.IGNORECASE)
_PLACE = re.compile(
    r"zip|post.?code|postal|neighbou?r|district|suburb|region|county|council|township|area_?code|tract|block|zone|zoning|"
    r"village|town$|city|province|区|县|镇|乡|村|街道|小区|板块|省|市$",
    re.IGNORECASE,
)
_COPY = 0.995
"""Rank correlation with the price from which a column is a copy of it."""


@dataclass(frozen=True, kw_only=True)
class ColumnUse:
    """What becomes of one column of the table."""

    name: str
    role: Role
    reason: str
    """Why it is left out; empty for features."""
    is_place: bool = False
    """A category that names a place, such as a district."""


@dataclass(frozen=True, kw_only=True)
class SalesTable:
    """Sales with their roles resolved. Arrays have shape (sale,)."""

    rows: pd.DataFrame
    """The table as given; the position of a row is its ``row_id``."""
    price: Floats
    """Positive; NaN where the table has no usable price."""
    months: Floats | None
    """Time of the sale [months, from an arbitrary origin], None where there is no column of dates; NaN = no date."""
    days: NDArray[np.datetime64] | None
    """The same as days, where the column holds dates and not numbers of periods."""
    xy: Floats | None
    """Shape (sale, 2): metres in a local plane, or the table's own unit; NaN = no place. None: no coordinates."""
    group: NDArray[np.object_] | None
    """Rows of one group, such as an owner or a property, are never parted between training and test."""
    columns: tuple[ColumnUse, ...]
    features: pd.DataFrame
    """Numbers as float64 with NaN, categories as text with None."""
    previous: str | None
    """A column with an earlier appraisal: a baseline to beat, never a feature."""

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Rows with a price, and with a date where there are dates."""
        dated = True if self.months is None else np.isfinite(self.months)
        return np.asarray(np.isfinite(self.price) & dated, bool)


def understand_sales(
    rows: pd.DataFrame,
    *,
    target: str,
    date: str | None = None,
    coords: tuple[str, str] | None = None,
    group: str | None = None,
) -> SalesTable:
    """Resolve the roles of a table's columns.

    Parameters
    ----------
    rows
        One row per sale, any columns.
    target
        Column of prices.
    date
        Column of days of sale: dates, ``YYYYMMDD``, ``YYYYMM``, years, or numbers of periods.
    coords
        Columns of longitude and latitude [degrees], or of planar coordinates.
    group
        Column that names the owner, loan or property.

    Raises
    ------
    MissingInput
        A column named is not in the table.
    InvalidInput
        Too few usable prices, dates or coordinates that are none.
    """
    named = [name for name in (target, date, *(coords or ()), group) if name is not None]
    lacking = [name for name in named if name not in rows]
    if lacking:
        raise MissingInput(
            f"The table has no column {', '.join(map(repr, lacking))}. It has: {', '.join(map(str, rows.columns))}."
        )
    rows = rows.reset_index(drop=True)
    price = _prices(rows[target], target)
    months, days = (None, None) if date is None else times_of(rows[date], date)
    xy = None if coords is None else places_of(rows[coords[0]], rows[coords[1]], coords)
    groups = None if group is None else rows[group].astype(object).where(rows[group].notna(), None).to_numpy(object)
    uses, features, previous = [], {}, None
    for name in rows.columns:
        if name in (target, date, group, *(coords or ())):
            continue
        use, values = _column(rows[name], str(name), price, days)
        uses.append(use)
        if values is not None and use.role != "left out":
            features[str(name)] = pd.Series(values, index=rows.index, dtype=values.dtype)
        if previous is None and use.role == "left out" and _is_earlier_value(rows[name], str(name), price):
            previous = str(name)
    if not features and xy is None:
        raise InvalidInput(
            f"Nothing is left to learn from: of {len(rows.columns)} columns none is a feature. "
            + " ".join(f"{use.name}: {use.reason}." for use in uses[:8])
        )
    return SalesTable(
        rows=rows,
        price=price,
        months=months,
        days=days,
        xy=xy,
        group=groups,
        columns=tuple(uses),
        features=pd.DataFrame(features, index=rows.index),
        previous=previous,
    )


def numbers_in(column: pd.Series) -> Floats:
    """A column as numbers; NaN where a cell is none. Signs of thousands and of currency are understood."""
    if pd.api.types.is_bool_dtype(column):
        return np.asarray(column.astype("float64"), np.float64)
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(np.float64, na_value=np.nan)
    else:
        text = column.astype("string").str.strip().str.replace(r"^[¥$€£]|(?<=\d)[,\s](?=\d{3})", "", regex=True)
        values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.asarray(np.where(np.isfinite(values), values, np.nan), np.float64)


def times_of(column: pd.Series, name: str) -> tuple[Floats, NDArray[np.datetime64] | None]:
    """Times [months] and, where the column holds dates, days; NaN and NaT where a cell is none.

    Raises
    ------
    InvalidInput
        Fewer than half of the cells can be read, or day and month cannot be told apart.
    """
    days = _days_of(column, name)
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


def moment_of(text: str, table: SalesTable) -> float:
    """A date or number of a period given by the user, on the time axis of the table [months].

    Raises
    ------
    InvalidInput
        It is neither, or not what the table's column holds.
    """
    if table.days is None:
        try:
            return float(text)
        except ValueError:
            raise InvalidInput(f"Expected a number as the column of dates holds, received {text!r}.") from None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"Expected a date such as 2024-05-31, received {text!r}.") from None
    return float(np.datetime64(day, "D").astype(np.int64)) / MONTH_DAYS


def _days_of(column: pd.Series, name: str) -> NDArray[np.datetime64] | None:
    """Days, or None where the column holds plain numbers of periods."""
    if pd.api.types.is_datetime64_any_dtype(column):
        plain = column.dt.tz_localize(None) if column.dt.tz is not None else column
        return plain.to_numpy("datetime64[D]")
    if pd.api.types.is_numeric_dtype(column):
        numbers = numbers_in(column)
        whole = numbers[np.isfinite(numbers)]
        if len(whole) and np.all(whole == np.round(whole)):
            for low, high, layout in (
                (19000101, 21001231, "%Y%m%d"),
                (190001, 210012, "%Y%m"),
                (1900, 2100, "%Y"),
            ):
                if whole.min() >= low and whole.max() <= high:
                    text = pd.Series(numbers).map(lambda v: "" if v != v else str(int(v)))
                    found = pd.to_datetime(text, format=layout, errors="coerce")
                    # A month or year stands for its middle.
                    middle = {"%Y%m%d": 0, "%Y%m": 14, "%Y": 181}[layout]
                    return (found + pd.Timedelta(days=middle)).to_numpy("datetime64[D]")
        return None
    text = column.astype("string").str.strip()
    numeric = text.dropna().str.fullmatch(r"\d+(\.0)?")
    if len(numeric) and numeric.all():
        return _days_of(pd.to_numeric(text, errors="coerce").astype("float64"), name)
    compact = text.str.extract(r"^(\d{8})(?:T.*)?$")[0]
    if compact.notna().mean() > 0.5:
        return pd.to_datetime(compact, format="%Y%m%d", errors="coerce").to_numpy("datetime64[D]")
    chinese = text.str.replace(r"[年月/.]", "-", regex=True).str.replace("日", "", regex=False)
    ordered = chinese.str.match(r"^\d{4}-\d{1,2}(-\d{1,2})?(\D|$)")
    if ordered.fillna(False).mean() > 0.5:
        return pd.to_datetime(chinese.str.extract(r"^(\d{4}-\d{1,2}(?:-\d{1,2})?)")[0], errors="coerce").to_numpy(
            "datetime64[D]"
        )
    return _slashed(chinese, name)


def _slashed(text: pd.Series, name: str) -> NDArray[np.datetime64]:
    """Dates whose year stands last: which of the others is the day must show somewhere in the column."""
    parts = text.str.extract(r"^(\d{1,2})-(\d{1,2})-(\d{4})")
    first, second = (pd.to_numeric(parts[n], errors="coerce") for n in (0, 1))
    if first.notna().mean() <= 0.5:
        return pd.to_datetime(text, errors="coerce", format="mixed").to_numpy("datetime64[D]")
    day_first, month_first = bool((first > 12).any()), bool((second > 12).any())
    if day_first == month_first:
        raise InvalidInput(
            f"{name}: dates such as {text.dropna().iloc[0]!r} do not tell which number is the month. Write 2024-05-31."
        )
    order = [2, 1, 0] if day_first else [2, 0, 1]
    joined = parts[order[0]] + "-" + parts[order[1]] + "-" + parts[order[2]]
    return pd.to_datetime(joined, format="%Y-%m-%d", errors="coerce").to_numpy("datetime64[D]")


def places_of(first: pd.Series, second: pd.Series, names: Sequence[str]) -> Floats:
    """Coordinates as a plane, shape (sale, 2): metres around the middle where they are degrees, else as given.

    Raises
    ------
    InvalidInput
        Fewer than half of the cells are numbers, or degrees are out of range.
    """
    xy = np.column_stack([numbers_in(first), numbers_in(second)])
    known = np.asarray(np.isfinite(xy).all(axis=1), bool)
    if known.mean() < 0.5:
        raise InvalidInput(
            f"{', '.join(names)}: expected coordinates; {known.mean():.0%} of the rows have two numbers."
        )
    if not _are_degrees(xy[known], names):
        return np.where(known[:, None], xy, np.nan)
    if np.abs(xy[known, 1]).max() > 90:
        raise InvalidInput(
            f"{', '.join(names)}: expected longitude, then latitude; the second reaches "
            f"{np.abs(xy[known, 1]).max():.3f}. Give them the other way round."
        )
    middle = np.median(xy[known], axis=0)
    metres = np.array([111_320 * math.cos(math.radians(float(middle[1]))), 110_574.0])
    return np.where(known[:, None], (xy - middle) * metres, np.nan)


def _are_degrees(xy: Floats, names: Sequence[str]) -> bool:
    small = bool(np.abs(xy[:, 0]).max() <= 180 and np.abs(xy[:, 1]).max() <= 180)
    said = any(re.search(r"lon|lng|lat|经度|纬度", name, re.IGNORECASE) for name in names)
    return small and (said or bool(np.ptp(xy, axis=0).max() < 20))


def _prices(column: pd.Series, name: str) -> Floats:
    price = numbers_in(column)
    price = np.where(price > 0, price, np.nan)
    if np.isfinite(price).sum() < MIN_ROWS:
        raise InvalidInput(
            f"{name}: expected at least {MIN_ROWS} positive prices to learn from; {np.isfinite(price).sum()} of "
            f"{len(price)} rows have one."
        )
    return price


def _column(
    column: pd.Series, name: str, price: Floats, sold: NDArray[np.datetime64] | None
) -> tuple[ColumnUse, Floats | NDArray[np.object_] | None]:
    """Role and values of one column."""

    def left(reason: str) -> tuple[ColumnUse, None]:
        return ColumnUse(name=name, role="left out", reason=reason), None

    if _MONEY.search(name):
        return left("its name says that it holds a price, a loan or an opinion of value")
    known = column.notna()
    if known.sum() < max(10, 0.02 * len(column)):
        return left(f"{int(known.sum())} of {len(column)} rows have a value")
    if pd.api.types.is_datetime64_any_dtype(column):
        return _dated(column, name, sold)
    numbers = numbers_in(column)
    readable = np.isfinite(numbers)[known.to_numpy()].mean()
    if readable >= 0.98:
        return _number(name, numbers, price)
    text = column.astype("string").str.strip()
    n_values, longest = int(text.nunique()), float(text.dropna().str.len().mean())
    if n_values <= 1:
        return left("it has one value")
    if n_values > 0.5 * int(known.sum()) or (n_values > 2000 and longest > 20):
        return left(f"it has {n_values} different texts in {int(known.sum())} rows: a name, not a kind")
    values = text.astype(object).where(text.notna(), None).to_numpy(object)
    return ColumnUse(name=name, role="category", reason="", is_place=bool(_PLACE.search(name))), values


def _number(name: str, numbers: Floats, price: Floats) -> tuple[ColumnUse, Floats | NDArray[np.object_] | None]:
    both = np.isfinite(numbers) & np.isfinite(price)
    distinct = np.unique(numbers[np.isfinite(numbers)])
    if len(distinct) <= 1:
        return ColumnUse(name=name, role="left out", reason="it has one value"), None
    whole = bool(np.all(distinct == np.round(distinct)))
    if whole and len(distinct) > 0.95 * np.isfinite(numbers).sum() and _KEY.search(name):
        return ColumnUse(name=name, role="left out", reason="it numbers the rows"), None
    if both.sum() >= 50 and len(distinct) > 20:
        alike = abs(float(stats.spearmanr(numbers[both], price[both]).statistic))
        if alike >= _COPY:
            reason = f"it follows the price almost exactly (rank correlation {alike:.3f})"
            return ColumnUse(name=name, role="left out", reason=reason), None
    if whole and _PLACE.search(name) and len(distinct) <= 2000:
        values = np.array([None if v != v else str(int(v)) for v in numbers], object)
        return ColumnUse(name=name, role="category", reason="", is_place=True), values
    return ColumnUse(name=name, role="number", reason=""), numbers


def _dated(column: pd.Series, name: str, sold: NDArray[np.datetime64] | None) -> tuple[ColumnUse, Floats | None]:
    """A further date becomes days before the sale; one after the sale could not have been known."""
    if sold is None:
        return ColumnUse(name=name, role="left out", reason="a date, and the day of sale is not known"), None
    before = (sold - column.to_numpy("datetime64[D]")).astype("timedelta64[D]")
    days = np.where(np.isnat(before), np.nan, before.astype(np.float64))
    if np.nanmean(days < 0) > 0.02:
        reason = f"{np.nanmean(days < 0):.0%} of its days lie after the sale: not known then"
        return ColumnUse(name=name, role="left out", reason=reason), None
    return ColumnUse(name=name, role="number", reason=""), days


def _is_earlier_value(column: pd.Series, name: str, price: Floats) -> bool:
    """Somebody's earlier opinion of value: on the scale of the prices, and not the price itself."""
    if not re.search(r"old|prev|prior|last|origin|assess|apprais|评估|估值", name, re.IGNORECASE):
        return False
    numbers = numbers_in(column)
    both = np.isfinite(numbers) & np.isfinite(price) & (numbers > 0)
    if both.mean() < 0.5:
        return False
    ratio = np.log(numbers[both] / price[both])
    return bool(abs(np.median(ratio)) < 1.0 and np.std(ratio) > 1e-6)


__all__ = [
    "MIN_ROWS",
    "ColumnUse",
    "SalesTable",
    "moment_of",
    "numbers_in",
    "places_of",
    "times_of",
    "understand_sales",
]
