"""Sales that closed after a model was trained, with its own features: same columns, same kinds, same plane.

What `sales` resolves from a whole table (which columns are kinds, where the middle of the plane is) must not be
resolved anew from a later one: another middle would move every place. It is written down in training and applied here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.errors import InvalidInput
from geocollateral.valuation.cells import numbers_in, texts_in
from geocollateral.valuation.sale_dates import dates_in, times_of
from geocollateral.valuation.sales import SalesTable, clean_places, in_plane

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

NUMBER, KIND, WHOLE_KIND, DAYS_BEFORE = "number", "kind", "kind by whole number", "days before the sale"


@dataclass(frozen=True, kw_only=True)
class LaterSales:
    """Later sales with the features of one model. Arrays have shape (sale,)."""

    rows: pd.DataFrame
    price: Floats
    months: Floats
    days: NDArray[np.datetime64] | None
    xy: Floats | None
    features: pd.DataFrame
    n_before: int
    """Rows left out because they closed within the window of training or before it."""
    n_unusable: int
    """Rows left out because they have no usable price or date."""


def plane_of(rows: pd.DataFrame, coords: Sequence[str]) -> dict[str, Any]:
    """The plane of `places_of`: ``degrees``, if so the ``middle`` (longitude, latitude), and ``swapped``."""
    return clean_places(rows[coords[0]], rows[coords[1]], coords)[1]


def recipes_of(rows: pd.DataFrame, names: Sequence[str], kinds: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """How each feature of a model is made of its column."""
    return [{"name": name, "as": _recipe(rows[name], name in kinds)} for name in names]


def _recipe(column: pd.Series, is_kind: bool) -> str:
    if not is_kind:
        if pd.api.types.is_datetime64_any_dtype(column):
            return DAYS_BEFORE
        texts = not pd.api.types.is_numeric_dtype(column) and np.isfinite(numbers_in(column)).mean() < 0.5
        return DAYS_BEFORE if texts and dates_in(column, str(column.name)) is not None else NUMBER
    known = column.notna().to_numpy()
    return WHOLE_KIND if np.isfinite(numbers_in(column))[known].mean() >= 0.98 else KIND


def window_of(table: SalesTable, rows: Mask) -> dict[str, Any]:
    """First and last day of some sales (ISO dates, or numbers of periods); None where the table has no dates."""
    if table.months is None or not rows.any():
        return {"first": None, "last": None}
    if table.days is None:
        return {"first": float(table.months[rows].min()), "last": float(table.months[rows].max())}
    days = table.days[rows]
    return {"first": str(days.min().astype("datetime64[D]")), "last": str(days.max().astype("datetime64[D]"))}


def later_sales(
    rows: pd.DataFrame,
    training: Mapping[str, Any],
    *,
    target: str | None = None,
    date: str | None = None,
    coords: Sequence[str] | None = None,
) -> LaterSales:
    """Sales of a table that closed after the window of training, as the model is to see them.

    Parameters
    ----------
    rows
        Any table of sales; more columns than the model knows do no harm.
    training
        Part ``training`` of the model's manifest.
    target, date, coords
        Names of columns, where they differ from those of training.

    Raises
    ------
    InvalidInput
        A column of the model is not there, the model has no window, or no sale is later.
    """
    target, date = target or training["target"], date or training["date"]
    coords = coords or training["coords"]
    last = training["window"]["last"]
    if date is None or last is None:
        raise InvalidInput("This model was trained without dates: what closed later than its window is not known.")
    require_columns(rows, training, [target, date, *(coords or ())])
    rows = rows.reset_index(drop=True)
    months, days = times_of(rows[date], date)
    if (days is None) != isinstance(last, float):
        raise InvalidInput(f"{date}: the model was trained up to {last}; this column holds times of another kind.")
    price = numbers_in(rows[target])
    usable = np.isfinite(price) & (price > 0) & np.isfinite(months)
    after = months > last if days is None else days > np.datetime64(last, "D")
    kept = usable & after
    if not kept.any():
        raise InvalidInput(
            f"No usable sale of the table closed after {last}, the last day that the model learned from."
        )
    own = rows[kept].reset_index(drop=True)
    own_days = None if days is None else days[kept]
    return LaterSales(
        rows=own,
        price=price[kept],
        months=months[kept],
        days=own_days,
        xy=None if coords is None else _places(own, coords, training["plane"]),
        features=features_for(own, training["features"], own_days),
        n_before=int((usable & ~after).sum()),
        n_unusable=int((~usable).sum()),
    )


def require_columns(rows: pd.DataFrame, training: Mapping[str, Any], named: Sequence[str]) -> None:
    """Every column that the model needs is in the table; it is never guessed which other one is meant.

    Raises
    ------
    InvalidInput
        Names what is missing and what the table has besides.
    """
    due = [*named, *(recipe["name"] for recipe in training["features"])]
    lacking = [name for name in due if name not in rows]
    if lacking:
        spare = [str(name) for name in rows.columns if name not in due]
        raise InvalidInput(
            f"The model needs columns that the table does not have: {', '.join(lacking)}. Columns that the model does "
            f"not know: {', '.join(spare[:20]) or 'none'}. If one was renamed, give it its old name."
        )


def features_for(
    rows: pd.DataFrame, recipes: Sequence[Mapping[str, str]], days: NDArray[np.datetime64] | None
) -> pd.DataFrame:
    """Features by their recipes: numbers as float64 with NaN, kinds as text with None."""
    return pd.DataFrame({r["name"]: _values(rows[r["name"]], r["as"], days) for r in recipes}, index=rows.index)


def features_by_cell(
    rows: pd.DataFrame, recipes: Sequence[Mapping[str, str]], days: NDArray[np.datetime64]
) -> pd.DataFrame:
    """As `features_for`, each cell read by itself: what is made of a row does not hang on other rows of the table.

    `features_for` may, as a column of sales tells whether a comma is one of thousands or of decimals.
    """
    found = {r["name"]: _cells(rows[r["name"]], r["as"], days) for r in recipes}
    return pd.DataFrame(found, index=rows.index)


def _cells(column: pd.Series, recipe: str, days: NDArray[np.datetime64]) -> pd.Series:
    if recipe == KIND or pd.api.types.is_numeric_dtype(column):
        return _values(column, recipe, days)
    cells = [_values(pd.Series([cell]), recipe, days[n : n + 1]).iloc[0] for n, cell in enumerate(column)]
    return pd.Series(cells, index=column.index, dtype=object if recipe == WHOLE_KIND else np.float64)


def _values(column: pd.Series, recipe: str, days: NDArray[np.datetime64] | None) -> pd.Series:
    if recipe == NUMBER:
        return pd.Series(numbers_in(column), index=column.index)
    if recipe == DAYS_BEFORE:
        told = None if pd.api.types.is_datetime64_any_dtype(column) else dates_in(column, str(column.name))
        then = pd.to_datetime(column if told is None else told, errors="coerce").to_numpy("datetime64[D]")
        gap = (
            np.full(len(column), np.nan) if days is None else (days - then).astype("timedelta64[D]").astype(np.float64)
        )
        return pd.Series(np.where(np.isnat(then), np.nan, gap), index=column.index)
    if recipe == WHOLE_KIND:
        texts = [None if v != v else str(int(v)) for v in numbers_in(column)]
        return pd.Series(texts, index=column.index, dtype=object)
    text = texts_in(column)
    return text.astype(object).where(text.notna(), None)


def _places(rows: pd.DataFrame, coords: Sequence[str], plane: Mapping[str, Any]) -> Floats:
    """Places in the plane of training, shape (sale, 2)."""
    order = coords[::-1] if plane.get("swapped", False) else coords
    return in_plane(np.column_stack([numbers_in(rows[name]) for name in order]), plane)


__all__ = [
    "LaterSales",
    "features_by_cell",
    "features_for",
    "later_sales",
    "plane_of",
    "recipes_of",
    "require_columns",
    "window_of",
]
