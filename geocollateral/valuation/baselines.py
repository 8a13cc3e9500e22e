"""Simple valuations that a learned one has to beat, judged on the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geocollateral.valuation.cells import numbers_in
from geocollateral.valuation.hedonic import fit_hedonic
from geocollateral.valuation.nearby import NEAREST, area_of
from geocollateral.valuation.sales import SalesTable

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_IN_REGION = 5


def baselines_of(table: SalesTable, learn: Mask, test: Mask) -> dict[str, Floats]:
    """Prices of the test rows by each baseline that the table allows; NaN where one has no answer.

    ``median price``; ``median price of the region``; ``median price per area of the region`` (the number whose name
    says area and that follows the price closest); ``nearest sales`` (median of the 15 nearest, per area where there is
    one); ``linear hedonic`` (least squares on the logarithm); ``previous value`` as the table has it.

    Parameters
    ----------
    learn, test
        Shape (sale,): rows learned from, and rows to value.
    """
    price, n = table.price, int(test.sum())
    found = {"median price": np.full(n, float(np.median(price[learn])))}
    name = region_of(table, learn)
    region = None if name is None else table.features[name]
    if region is not None:
        found["median price of the region"] = _by_region(region, price, learn, test)
    named, area = area_of(table.features[learn], price[learn]), None
    if named is not None:
        size = table.features[named].to_numpy(np.float64)
        area = np.where(size > 0, size, np.nan)
        per = price / area
        found["median price per area of the region"] = _by_region(region, per, learn, test) * area[test]
    if table.xy is not None:
        found["nearest sales"] = _nearest(table.xy, price if area is None else price / area, learn, test)
        if area is not None:
            found["nearest sales"] *= area[test]
    linear = fit_hedonic(table.features[learn], _rows(table.xy, learn), np.log(price[learn]), 1e-3)
    found["linear hedonic"] = np.exp(linear.predict(table.features[test], _rows(table.xy, test)))
    if table.previous is not None:
        previous = numbers_in(table.rows[table.previous])[test]
        found["previous value"] = np.where(previous > 0, previous, np.nan)
    return found


def region_of(table: SalesTable, learn: Mask) -> str | None:
    """Name of the place with the most kinds that still has some sales in each."""
    best: tuple[int, str] | None = None
    for use in table.columns:
        if use.is_place and use.role == "category":
            kinds = table.features[use.name][learn].nunique()
            if kinds * MIN_IN_REGION <= learn.sum() and (best is None or kinds > best[0]):
                best = (kinds, use.name)
    return None if best is None else best[1]


def _by_region(region: pd.Series | None, value: Floats, learn: Mask, test: Mask) -> Floats:
    known = learn & np.isfinite(value)
    overall = float(np.median(value[known]))
    if region is None:
        return np.full(int(test.sum()), overall)
    grouped = pd.Series(value[known]).groupby(region[known].to_numpy(object)).agg(["median", "size"])
    median = grouped["median"][grouped["size"] >= MIN_IN_REGION]
    return region[test].map(median).fillna(overall).to_numpy(np.float64)


def _nearest(xy: Floats, value: Floats, learn: Mask, test: Mask) -> Floats:
    known = learn & np.isfinite(xy).all(axis=1) & np.isfinite(value)
    out = np.full(int(test.sum()), np.nan)
    there = np.isfinite(xy[test]).all(axis=1)
    index = cKDTree(xy[known]).query(xy[test][there], k=min(NEAREST, int(known.sum())))[1]
    out[there] = np.median(value[known][index].reshape(int(there.sum()), -1), axis=1)
    return out


def _rows(xy: Floats | None, rows: Mask) -> Floats | None:
    return None if xy is None else xy[rows]


__all__ = ["baselines_of", "region_of"]
