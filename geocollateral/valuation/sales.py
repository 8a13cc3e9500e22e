"""Tables of sales or appraisals: which column is what, what may be learned from, and what must not.

A price must not be explained by itself: loan amounts, list prices, other appraisals, columns that follow the price
almost exactly and days after the sale are never features, whatever the table calls them. Every column that is left out
is named with the reason.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from geocollateral.errors import InvalidInput, MissingInput
from geocollateral.valuation.cells import numbers_in, texts_in
from geocollateral.valuation.sale_dates import MONTH_DAYS, dates_in, times_of
from geocollateral.valuation.time_of_sale import says_time_of_sale

Floats = NDArray[np.float64]
Role = Literal["number", "category", "left out"]

MIN_ROWS = 60
"""Fewest sales with a price from which anything is learned."""
MIN_PLACES = 10
"""Fewest different places from which anything is learned about places."""
_MONEY = re.compile(
    r"price|loan|mortgage|appraise|appraisal|assess|valuation|zestimate|market[ _]?value|estimated?[ _]?value|"
    r"value[ _]?estimate|taxable|asking|commission|stamp.?duty|deed.?tax|transfer.?tax|"
    r"(sale|sold|deal).?(amount|value)|"
    r"(land|building|bldg|total|tax|improvement|impr|fair|net|av)[ _.]?(av|val|value)s?($|[ _.])|"
    r"[总单售挂均交]价|价格|价款|成交[额金]|贷款|抵押|估值|估价|评估|首付|月供|契税|佣金|中介费|"
    r"[總單售掛均]價|價格|價元|貸款|抵押|估值|估價|評估|価格|単価|거래금액|"
    r"preis|kredit|hypothek|(^|[_ .])prix|valeur[_ ]?fonci|precio|hipoteca|prezzo|(^|[_ .])cena",
    re.IGNORECASE,
)
"""Names of columns that hold a price, a loan or somebody's opinion of value."""
_VALUE = re.compile(r"value|(^|[ _.])val($|[ _.])|wert|valeur|valor|waarde|現值|现值", re.IGNORECASE)
"""Names of columns that may hold an opinion of value: they do if they are on the scale of prices and follow them."""
_PER = re.compile(r"(^|[ _.]|[a-z])per([ _.]|[A-Z])|/|cost|rate|unit|psf|psm|单|單|每", re.IGNORECASE)
"""Names of what is a price for each unit of something."""
_KEY = re.compile(
    r"(^|[ _.])(id|pid|pin|apn|uuid|guid|fid|oid|gid|key|order|index|row|station|no\.?|nr\.?|number|seq|ref)$|"
    r"row.?names?$|unnamed|objectid|编号|序号|证号|編號|序號|番号",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"zip|post.?code|postal|neighbou?r|district|suburb|region|county|council|township|area_?code|(?<!con)tract|block|zone|zoning|"
    r"village|town$|(?<!capa)(?<!electri)(?<!velo)city|province|commune|gemeinde|stadtteil|区|县|镇|乡|村|街道|小区|板块|省|市$|區|縣|鎮|鄉|里$",
    re.IGNORECASE,
)
_YEAR = re.compile(r"year|(^|[ _.])yr|年", re.IGNORECASE)
_SIZE = re.compile(
    r"area|sq|m2|size|acre|hectare|mu$|lot|land|living|fl(ä|ae)che|surface|面积|面積|亩|坪", re.IGNORECASE
)
_LATE = 0.02
"""Share of days after the sale from which a column was not known at the sale; single ones are slips of the pen."""
_NOISE = 0.10
"""Median distance of a column's logarithm from the price's below which it is the price with noise."""
_COPY = 0.995
"""Rank correlation with the price from which a column is a copy of it."""
_NOMINAL = 1e-3
"""A price below this share of the median is none: deeds between relatives are written for one dollar."""


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
    n_nominal: int = 0
    """Prices above zero that are none: below a thousandth of the median."""

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
    baseline: str | None = None,
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
    baseline
        Column of given values that are to be corrected: no feature either.

    Raises
    ------
    MissingInput
        A column named is not in the table.
    InvalidInput
        Too few usable prices, dates or coordinates that are none.
    """
    rows = _plain(rows)
    target = column_named(rows, target)
    date, group, baseline = (None if name is None else column_named(rows, name) for name in (date, group, baseline))
    if coords is not None:
        coords = (column_named(rows, coords[0]), column_named(rows, coords[1]))
    rows = rows.reset_index(drop=True)
    price, n_nominal = _prices(rows[target], target)
    months, days = (None, None) if date is None else times_of(rows[date], date)
    xy = None if coords is None else places_of(rows[coords[0]], rows[coords[1]], coords)
    if xy is not None and len(np.unique(xy[np.isfinite(xy).all(axis=1)], axis=0)) < MIN_PLACES:
        xy = None  # one point for all, such as the middle of a town, tells no sale from another
    groups = None if group is None else rows[group].astype(object).where(rows[group].notna(), None).to_numpy(object)
    uses, features, previous = [], {}, None
    for name in rows.columns:
        if name in (target, date, group, baseline, *(coords or ())):
            continue
        use, values = _column(rows[name], str(name), price, days)
        if values is not None and months is not None and says_time_of_sale(values, months):
            use, values = replace(use, role="left out", reason="it says the time of the sale again"), None
        uses.append(use)
        if values is not None and use.role != "left out":
            features[str(name)] = pd.Series(values, index=rows.index, dtype=values.dtype)
        if previous is None and use.role == "left out" and _is_earlier_value(rows[name], str(name), price):
            previous = str(name)
    uses, features = _without_unit_prices(uses, features, price)
    uses, features = _without_shares_of_asking(uses, features, rows, price)
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
        n_nominal=n_nominal,
    )


def is_money(name: str) -> bool:
    """Whether the name of a column says that it holds a price, a loan or somebody's opinion of value."""
    return bool(_MONEY.search(name)) or bool(re.search(r"valuer|评估师|价值", name, re.IGNORECASE))


def names_place(name: str) -> bool:
    """Whether the name of a column says that it holds kinds of place, such as districts."""
    return bool(_PLACE.search(name))


def column_named(rows: pd.DataFrame, name: str) -> str:
    """The column of that name; one that differs only in case or blanks where it is the only one.

    Raises
    ------
    MissingInput
        There is none.
    """
    if name in rows:
        return name
    alike = [str(own) for own in rows.columns if str(own).strip().casefold() == name.strip().casefold()]
    if len(alike) != 1:
        raise MissingInput(f"The table has no column {name!r}. It has: {', '.join(map(str, rows.columns))}.")
    return alike[0]


_MARKS_MISSING = (-9.0, -99.0, -999.0, -9999.0, -99999.0, -999999.0)


def _plain(rows: pd.DataFrame) -> pd.DataFrame:
    """The table with one name per column and no lists or mappings in its cells: these become text."""
    if not rows.columns.is_unique:
        seen: dict[object, int] = {}
        names = []
        for name in rows.columns:
            seen[name] = seen.get(name, -1) + 1
            names.append(f"{name}.{seen[name]}" if seen[name] else name)
        rows = rows.set_axis(names, axis=1)
    nested = {
        name: rows[name].map(str, na_action="ignore")
        for name in rows.columns
        if rows[name].dtype == object
        and rows[name].map(lambda cell: isinstance(cell, list | dict | set | tuple | np.ndarray)).any()
    }
    return rows.assign(**{str(name): text for name, text in nested.items()}) if nested else rows


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
    found = re.fullmatch(r"(\d{4})(?:[-/.年]?(\d{1,2})(?:[-/.月]?(\d{1,2})日?|月)?|年)?", text.strip())
    try:
        if found is None:
            raise ValueError(text)
        day = dt.date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        raise InvalidInput(f"Expected a date such as 2024-05-31, received {text!r}.") from None
    return float(np.datetime64(day, "D").astype(np.int64)) / MONTH_DAYS


def places_of(first: pd.Series, second: pd.Series, names: Sequence[str]) -> Floats:
    """Coordinates as a plane, shape (sale, 2): metres around the middle where they are degrees, else as given.

    Raises
    ------
    InvalidInput
        Fewer than a tenth of the cells are numbers, or degrees are out of range.
    """
    xy, plane = clean_places(first, second, names)
    return in_plane(xy, plane)


def clean_places(first: pd.Series, second: pd.Series, names: Sequence[str]) -> tuple[Floats, dict[str, Any]]:
    """Coordinates with x first, shape (sale, 2), NaN where there is no place, and the plane of `places_of`.

    Returns
    -------
    The plane: ``degrees``, if so the ``middle`` (longitude, latitude), and whether the columns were given ``swapped``
    (latitude first).
    """
    xy = np.column_stack([numbers_in(first), numbers_in(second)])
    known = np.asarray(np.isfinite(xy).all(axis=1), bool)
    if known.mean() < 0.1:
        raise InvalidInput(
            f"{', '.join(names)}: expected coordinates; {known.mean():.0%} of the rows have two numbers."
        )
    xy[~known] = np.nan
    swapped = _says_latitude(names[0]) and not _says_latitude(names[1]) and _says_longitude(names[1])
    if swapped:
        xy = xy[:, ::-1].copy()
    # A few cells that are nothing on Earth, and the null island of missing ones, are no places.
    middle = np.median(xy[known], axis=0)
    if np.abs(middle).max() <= 180:
        wild = known & ((np.abs(xy) > 180).any(axis=1) | ((xy == 0).all(axis=1) & (np.abs(middle).min() > 1)))
        if wild.sum() <= 0.1 * known.sum():
            xy[wild] = np.nan
            known &= ~wild
    if not _are_degrees(xy[known], names):
        return xy, {"degrees": False, "middle": None, "swapped": swapped}
    wild = known & (np.abs(xy[:, 1]) > 90)
    if wild.sum() <= 0.02 * known.sum():
        xy[wild] = np.nan
        known &= ~wild
    else:
        raise InvalidInput(
            f"{', '.join(names)}: expected longitude, then latitude; the second reaches "
            f"{np.abs(xy[known, 1]).max():.3f}. Give them the other way round."
        )
    middle = np.median(xy[known], axis=0)
    return xy, {"degrees": True, "middle": [float(v) for v in middle], "swapped": swapped}


def in_plane(xy: Floats, plane: Mapping[str, Any]) -> Floats:
    """Coordinates, x first, in a plane of `clean_places`: metres where they are degrees, else as given."""
    known = np.asarray(np.isfinite(xy).all(axis=1), bool)
    if plane["degrees"]:
        middle = np.array(plane["middle"], np.float64)
        xy = (xy - middle) * np.array([111_320 * math.cos(math.radians(float(middle[1]))), 110_574.0])
    return np.where(known[:, None], xy, np.nan)


def _says_latitude(name: str) -> bool:
    return bool(re.search(r"lat|纬度", name, re.IGNORECASE))


def _says_longitude(name: str) -> bool:
    return bool(re.search(r"lon|lng|经度", name, re.IGNORECASE))


def _are_degrees(xy: Floats, names: Sequence[str]) -> bool:
    small = bool(np.abs(xy[:, 0]).max() <= 180 and np.abs(xy[:, 1]).max() <= 180)
    said = any(re.search(r"lon|lng|lat|经度|纬度", name, re.IGNORECASE) for name in names)
    return small and (said or bool(np.ptp(xy, axis=0).max() < 20))


def _prices(column: pd.Series, name: str) -> tuple[Floats, int]:
    """Prices, NaN where there is none, and how many were nominal."""
    price = numbers_in(column)
    price = np.where(price > 0, price, np.nan)
    nominal = price < _NOMINAL * (np.nanmedian(price) if np.isfinite(price).any() else 0.0)
    price = np.where(nominal, np.nan, price)
    if np.isfinite(price).sum() < MIN_ROWS:
        raise InvalidInput(
            f"{name}: expected at least {MIN_ROWS} positive prices to learn from; {np.isfinite(price).sum()} of "
            f"{len(price)} rows have one."
        )
    if np.nanmin(price) == np.nanmax(price):
        raise InvalidInput(f"{name}: expected prices that differ; every one is {np.nanmin(price):g}.")
    return price, int(nominal.sum())


def _column(
    column: pd.Series, name: str, price: Floats, sold: NDArray[np.datetime64] | None
) -> tuple[ColumnUse, Floats | NDArray[np.object_] | None]:
    """Role and values of one column."""

    def left(reason: str) -> tuple[ColumnUse, None]:
        return ColumnUse(name=name, role="left out", reason=reason), None

    if _MONEY.search(name):
        return left("its name says that it holds a price, a loan or an opinion of value")
    text = texts_in(column)
    known = text.notna()
    if known.sum() < max(10, 0.02 * len(column)):
        return left(f"{int(known.sum())} of {len(column)} rows have a value")
    if pd.api.types.is_datetime64_any_dtype(column):
        return _dated(column, name, sold)
    numbers = numbers_in(column)
    readable = np.isfinite(numbers)[known.to_numpy()].mean()
    words = text[np.isnan(numbers)].dropna().str.lower()
    # "unknown" among numbers is a missing number, as are a few slips of the pen.
    if readable >= 0.98 or (readable >= 0.8 and words.nunique() <= 5 and not words.str.contains(r"\d").any()):
        return _number(name, _without_marks(numbers), price, sold)
    dates = dates_in(text, name)
    if dates is not None:
        return _dated(dates, name, sold)
    n_values, longest = int(text.nunique()), float(text.dropna().str.len().mean())
    if n_values <= 1:
        return left("it has one value")
    if n_values > 0.5 * int(known.sum()) or (n_values > 2000 and longest > 20):
        return left(f"it has {n_values} different texts in {int(known.sum())} rows: a name, not a kind")
    values = text.astype(object).where(text.notna(), None).to_numpy(object)
    return ColumnUse(name=name, role="category", reason="", is_place=bool(_PLACE.search(name))), values


def _without_marks(numbers: Floats) -> Floats:
    """-999 and its like among numbers that are never negative stand for nothing known."""
    mark = np.isin(numbers, _MARKS_MISSING)
    rest = numbers[np.isfinite(numbers) & ~mark]
    return np.where(mark, np.nan, numbers) if mark.any() and len(rest) and rest.min() >= 0 else numbers


def _number(
    name: str, numbers: Floats, price: Floats, sold: NDArray[np.datetime64] | None
) -> tuple[ColumnUse, Floats | NDArray[np.object_] | None]:
    both = np.isfinite(numbers) & np.isfinite(price)
    distinct = np.unique(numbers[np.isfinite(numbers)])
    if len(distinct) <= 1:
        return ColumnUse(name=name, role="left out", reason="it has one value"), None
    whole = bool(np.all(distinct == np.round(distinct)))
    if (late := _later_than_the_sale(name, numbers, distinct, whole, sold)) is not None:
        return ColumnUse(name=name, role="left out", reason=late), None
    if whole and (_counts_rows(numbers) or (len(distinct) > 0.95 * np.isfinite(numbers).sum() and _KEY.search(name))):
        return ColumnUse(name=name, role="left out", reason="it numbers the rows"), None
    if both.sum() >= 50 and len(np.unique(numbers[both])) > 20:
        alike = abs(float(stats.spearmanr(numbers[both], price[both]).statistic))
        if alike >= _COPY:
            reason = f"it follows the price almost exactly (rank correlation {alike:.3f})"
            return ColumnUse(name=name, role="left out", reason=reason), None
        off = np.log(np.where(numbers[both] > 0, numbers[both], np.nan) / price[both])
        if not _SIZE.search(name) and np.nanmedian(np.abs(off - np.nanmedian(off))) < _NOISE and alike > 0.9:
            return ColumnUse(name=name, role="left out", reason="it is the price with a little noise"), None
        if _VALUE.search(name) and alike > 0.5 and abs(float(np.nanmedian(off))) < math.log(10):
            reason = "by its name and scale an opinion of value"
            return ColumnUse(name=name, role="left out", reason=reason), None
    if whole and _PLACE.search(name) and len(distinct) <= 2000:
        values = np.array([None if v != v else str(int(v)) for v in numbers], object)
        return ColumnUse(name=name, role="category", reason="", is_place=True), values
    return ColumnUse(name=name, role="number", reason=""), numbers


def _counts_rows(numbers: Floats) -> bool:
    """Whole numbers without a gap and without a pair, or rising from row to row: a count, whatever its name."""
    known = numbers[np.isfinite(numbers)]
    if len(known) < 50 or len(known) < 0.95 * len(numbers):
        return False
    step = np.diff(known)
    if (step > 0).all() or (step < 0).all():
        return True
    return len(np.unique(known)) == len(known) and bool(np.ptp(known) + 1 <= 1.02 * len(known))


def _later_than_the_sale(
    name: str, numbers: Floats, distinct: Floats, whole: bool, sold: NDArray[np.datetime64] | None
) -> str | None:
    """Whole numbers that are days (20240531) or, by their name, years: known only after the sale?"""
    if sold is None or not whole or np.isnat(sold).all():
        return None
    known = np.isfinite(numbers) & ~np.isnat(sold)
    if distinct.min() >= 19000101 and distinct.max() <= 21001231 and len(distinct) > 5:
        told = numbers[known] > _as_yyyymmdd(sold[known])
    elif distinct[distinct > 0].min(initial=1900) >= 1700 and distinct.max() <= 2100 and _YEAR.search(name):
        told = numbers[known] > sold[known].astype("datetime64[Y]").astype(np.int64) + 1970
    else:
        return None
    late = float(told.mean()) if known.any() else 0.0
    return f"{late:.0%} of its days lie after the sale: not known then" if late > _LATE else None


def _as_yyyymmdd(days: NDArray[np.datetime64]) -> Floats:
    stamp = pd.DatetimeIndex(days)
    return np.asarray(stamp.year * 10_000 + stamp.month * 100 + stamp.day, np.float64)


def _dated(column: pd.Series, name: str, sold: NDArray[np.datetime64] | None) -> tuple[ColumnUse, Floats | None]:
    """A further date becomes days before the sale; one after the sale could not have been known."""
    if sold is None:
        return ColumnUse(name=name, role="left out", reason="a date, and the day of sale is not known"), None
    before = (sold - column.to_numpy("datetime64[D]")).astype("timedelta64[D]")
    days = np.where(np.isnat(before), np.nan, before.astype(np.float64))
    if np.nanmean(days < 0) > _LATE:
        reason = f"{np.nanmean(days < 0):.0%} of its days lie after the sale: not known then"
        return ColumnUse(name=name, role="left out", reason=reason), None
    return ColumnUse(name=name, role="number", reason=""), days


def _without_unit_prices(
    uses: list[ColumnUse], features: dict[str, pd.Series], price: Floats
) -> tuple[list[ColumnUse], dict[str, pd.Series]]:
    """Two numbers that multiply to the price are a size and a price per size, whatever their names are."""
    known = np.flatnonzero(np.isfinite(price))
    rows = known[:: max(len(known) // 2000, 1)]
    logs = {}
    for name in (use.name for use in uses if use.role == "number"):
        value = features[name].to_numpy(np.float64)[rows]
        if (value > 0).mean() > 0.5 and len(np.unique(value)) > 20:
            logs[name] = np.log(np.where(value > 0, value, np.nan))
    target, told = np.log(price[rows]), {}
    for first, second in itertools.combinations(sorted(logs)[:80], 2):
        off = logs[first] + logs[second] - target
        if np.isfinite(off).mean() > 0.5 and np.nanmedian(np.abs(off - np.nanmedian(off))) < 0.01:
            for unit, size in _unit_and_size(first, second):
                told[unit] = f"times {size} it is the price"
    uses = [
        ColumnUse(name=use.name, role="left out", reason=told[use.name]) if use.name in told else use for use in uses
    ]
    return uses, {name: values for name, values in features.items() if name not in told}


def _unit_and_size(first: str, second: str) -> list[tuple[str, str]]:
    """Which of two numbers that make the price is the price of a unit; both ways round where names do not say."""
    ways = [(first, second), (second, first)]
    told = [way for way in ways if _PER.search(way[0]) and not _PER.search(way[1])]
    told = told or [way for way in ways if _SIZE.search(way[1]) and not _SIZE.search(way[0])]
    return told or ways


def _without_shares_of_asking(
    uses: list[ColumnUse], features: dict[str, pd.Series], rows: pd.DataFrame, price: Floats
) -> tuple[list[ColumnUse], dict[str, pd.Series]]:
    """A discount, in money or per cent, is known only when the price is: with what was asked it makes the price."""
    known = np.flatnonzero(np.isfinite(price))
    known = known[:: max(len(known) // 2000, 1)]
    paid, told = price[known], {}
    asked = {}
    for use in uses:
        if use.role == "left out" and _MONEY.search(use.name):
            money = numbers_in(rows[use.name].iloc[known])
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.abs(np.log(np.where(money > 0, money, np.nan) / paid))
            if np.isfinite(ratio).mean() > 0.5 and np.nanmedian(ratio) < math.log(2):
                asked[use.name] = money
    for name in (use.name for use in uses if use.role == "number" and asked):
        value = features[name].to_numpy(np.float64)[known]
        if len(np.unique(value[np.isfinite(value)])) <= 20:
            continue
        for other, money in asked.items():
            with np.errstate(divide="ignore", invalid="ignore"):
                part = np.log(np.where(value > 0, value, np.nan)) + np.log(money) - np.log(paid)
            off = np.abs(part - np.nanmedian(part)) if np.isfinite(part).mean() > 0.5 else np.array([np.inf])
            rest = np.minimum(np.abs(money - value - paid), np.abs(money + value - paid)) / paid
            if np.nanmedian(off) < 0.002 or (np.isfinite(rest).mean() > 0.5 and np.nanmedian(rest) < 0.002):
                told[name] = f"with {other} it is the price"
    uses = [
        ColumnUse(name=use.name, role="left out", reason=told[use.name]) if use.name in told else use for use in uses
    ]
    return uses, {name: values for name, values in features.items() if name not in told}


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
    "clean_places",
    "column_named",
    "in_plane",
    "is_money",
    "moment_of",
    "names_place",
    "places_of",
    "understand_sales",
]
