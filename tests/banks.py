"""Banks of the simulated market: each lends in a region and kinds of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from market import sales

from geocollateral.federated.plan import DAYS, Layout, Noise, Plan, Range, Times
from geocollateral.federated.rows import PartyRows

LAST = dt.date(2023, 4, 30)
KINDS = ("field", "orchard", "paddy")
MIXES = ((1, 0.15, 0.05), (0.1, 1, 0.1), (0.2, 0.1, 1))


def banks(sizes: tuple[int, ...] = (250, 500, 900), seed: int = 0) -> dict[str, pd.DataFrame]:
    """Tables of sales by bank, sizes with held-out sales."""
    market = sales(6 * sum(sizes), seed).drop(columns="value")
    rng = np.random.default_rng(seed)
    centres = rng.uniform(4000, 16_000, (len(sizes), 2))
    free, found = np.ones(len(market)), {}
    for n, size in enumerate(sizes):
        far = np.hypot(market.lon_m - centres[n, 0], market.lat_m - centres[n, 1]).to_numpy()
        mix = market.kind.map(dict(zip(KINDS, MIXES[n % 3], strict=True))).to_numpy()
        weight = free * (np.exp(-((far / 4500) ** 2)) * mix + 1e-9)
        rows = np.sort(rng.choice(len(market), size, replace=False, p=weight / weight.sum()))
        free[rows] = 0
        found[f"bank{n}"] = market.iloc[rows].reset_index(drop=True)
    return found


def plan(keys: Mapping[str, str] | None = None, *, coordinator: str = "f" * 64, **changes: Any) -> Plan:
    """The plan of three banks."""
    given: dict[str, Any] = {
        "name": "test",
        "target": "price",
        "price": Range(low=1e4, high=1e7, log=True),
        "numbers": {
            "area_mu": Range(low=10, high=800, log=True),
            "quality": Range(low=1, high=5),
            "slope": Range(low=0, high=30),
        },
        "kinds": {"kind": KINDS},
        "places": {"lon_m": Range(low=0, high=20_000), "lat_m": Range(low=0, high=20_000)},
        "time": Times(column="sold", first=dt.date(2021, 1, 1), last=LAST),
        "coordinator": coordinator,
        "parties": keys or {f"bank{n}": f"{n:064x}" for n in range(3)},
        "learning": {"trees": 20, "depth": 4},
    }
    return Plan.model_validate({**given, **changes})


def noisy(epsilon: float = 1.0) -> Noise:
    """A small budget."""
    return Noise(epsilon=epsilon, trees=10, depth=3)


def columns_of(agreed: Plan, table: pd.DataFrame) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Numbers and kinds of a table."""
    assert agreed.time is not None
    days = (table.sold.to_numpy("datetime64[D]") - np.datetime64(agreed.time.first)).astype(float)
    numbers = {n: table[n].to_numpy(np.float64) for n in (*agreed.numbers, *agreed.places)}
    numbers[DAYS] = np.minimum(days, (agreed.time.last - agreed.time.first).days)
    return numbers, {"kind": table.kind.to_numpy(object)}


def matrix_of(agreed: Plan, table: pd.DataFrame) -> np.ndarray:
    """What the booster is given."""
    return Layout(agreed).matrix(*columns_of(agreed, table))


def rows_of(agreed: Plan, party: str, table: pd.DataFrame) -> PartyRows:
    """A party's rows, those after the last day held out."""
    held_out = table.sold.to_numpy("datetime64[D]") > np.datetime64(LAST)
    return PartyRows(agreed, party, matrix_of(agreed, table), table.price.to_numpy(np.float64), held_out)
