"""Labels to doubt: sales that are copies, resold at once, between relatives, or far from anything the market pays.

What is doubted is named. Copies are left out of learning; of the rows that judge a model none is ever dropped, they are
judged with and without those doubted (IAAO Standard on Ratio Studies 2013, appendix A: sales validation).
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.valuation.folds import make_folds
from geocollateral.valuation.hedonic import fit_hedonic
from geocollateral.valuation.sales import SalesTable

Mask = NDArray[np.bool_]

SHORT_HOLD_MONTHS = 6.0
_SPREADS = 6.0
_FACTOR = 3.0
"""A price is doubted if it is this far from a linear model's, in spreads of its errors and as a factor."""
_RELATED = re.compile(r"related|family|arms?.?length|kinship|亲属|关联|近亲|赠与", re.IGNORECASE)
_YES = re.compile(r"^(y|yes|true|1|1\.0|是|有|related|family|non.?arm.*)$", re.IGNORECASE)
DROPPED = frozenset({"copy"})
"""What is left out of learning. The others stay: learners draw them in, intervals must know that such prices are."""


def doubts_of(table: SalesTable, learn: Mask) -> dict[str, Mask]:
    """Rows doubted, by the reason; each shape (sale,). What counts as far is learned from `learn` alone."""
    found = {"copy": copies(table)}
    if table.group is not None and table.months is not None:
        found["sold again within half a year"] = _short_holds(table)
    related = _between_relatives(table.rows)
    if related is not None:
        found["between related parties by the table's own word"] = related
    found["price far from the market"] = _far(table, learn & ~found["copy"])
    return {name: rows & table.usable for name, rows in found.items()}


def copies(table: SalesTable) -> Mask:
    """Rows that repeat an earlier one in every column but one that numbers them."""
    rows = table.rows
    plain = rows[[c for c in rows.columns if not (rows[c].is_unique and len(rows) > 1)]]
    if plain.shape[1] < 3:
        return np.zeros(len(rows), bool)
    same = plain.astype("string").fillna("").duplicated().to_numpy(bool)
    return same & (pd.Series(table.price).duplicated().to_numpy(bool))


def same_rows(table: SalesTable) -> NDArray[np.object_]:
    """A name shared by rows with one price and the same features, which stay on one side of every test."""
    frame = table.features.assign(_price=table.price)
    key = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return np.array([f"row {value}" for value in key.tolist()], object)


def _short_holds(table: SalesTable) -> Mask:
    frame = pd.DataFrame({"group": table.group, "months": table.months}).dropna()
    frame = frame.sort_values("months", kind="stable")
    gap = -frame.groupby("group")["months"].diff(-1)
    out = np.zeros(len(table.price), bool)
    out[frame.index[(gap < SHORT_HOLD_MONTHS).to_numpy()]] = True
    return out


def _between_relatives(rows: pd.DataFrame) -> Mask | None:
    for name in rows.columns:
        if _RELATED.search(str(name)):
            said = rows[name].astype("string").str.strip().str.match(_YES.pattern, case=False).fillna(False)
            yes = said.to_numpy(bool)
            if re.search(r"arms?.?length", str(name), re.IGNORECASE) and not re.search("non", str(name), re.IGNORECASE):
                yes = ~yes & rows[name].notna().to_numpy()
            return yes
    return None


def _far(table: SalesTable, learn: Mask) -> Mask:
    rows = np.flatnonzero(table.usable)
    log_price = np.log(table.price[rows])
    features, xy = table.features.iloc[rows], None if table.xy is None else table.xy[rows]
    own = learn[rows]
    if own.sum() < 100:
        return np.zeros(len(table.price), bool)
    # Rows that are learned from are asked out of fold; those that judge are asked of all that is learned from.
    folds = np.where(own, make_folds(np.arange(len(rows)), None, None, 3, 1).fold, 3)
    told = np.empty(len(rows))
    for f in range(4):
        mine = folds == f
        train = own & ~mine
        if mine.any():
            model = fit_hedonic(features[train], None if xy is None else xy[train], log_price[train], 10.0)
            told[mine] = model.predict(features[mine], None if xy is None else xy[mine])
    off = log_price - told
    middle = float(np.median(off[own]))
    spread = 1.4826 * float(np.median(np.abs(off[own] - middle))) + 1e-9
    far = np.abs(off - middle) > max(_SPREADS * spread, float(np.log(_FACTOR)))
    out = np.zeros(len(table.price), bool)
    out[rows[far]] = True
    return out


__all__ = ["DROPPED", "SHORT_HOLD_MONTHS", "copies", "doubts_of", "same_rows"]
