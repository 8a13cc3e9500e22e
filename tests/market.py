"""A market whose true values are known: places, kinds and sizes make values, buyers err around them."""

from __future__ import annotations

import numpy as np
import pandas as pd


def sales(n: int, seed: int = 0, noise: float = 0.12) -> pd.DataFrame:
    """Sales of three years on a plane of 20 km; ``value`` is the true value that a model must not see."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 20_000, n), rng.uniform(0, 20_000, n)
    area = rng.lognormal(4.5, 0.5, n)
    quality = rng.integers(1, 6, n)
    kind = rng.choice(["field", "orchard", "paddy"], n, p=[0.5, 0.3, 0.2])
    slope = rng.gamma(2.0, 3.0, n)
    months = rng.uniform(0, 36, n)
    surface = 0.4 * np.sin(x / 4000) * np.cos(y / 5000) + 0.2 * (x > 10_000)
    log_value = (
        9
        + 0.9 * np.log(area)
        + surface
        + 0.08 * quality
        + pd.Series(kind).map({"field": 0.0, "orchard": 0.35, "paddy": 0.1}).to_numpy()
        - 0.01 * slope * (kind == "orchard")
        + 0.004 * months
    )
    return pd.DataFrame(
        {
            "price": np.exp(log_value + rng.normal(0, noise, n)).round(2),
            "sold": pd.Timestamp("2021-01-01") + pd.to_timedelta((months * 30.4).astype(int), unit="D"),
            "lon_m": x,
            "lat_m": y,
            "area_mu": area.round(3),
            "quality": quality,
            "kind": kind,
            "slope": slope.round(2),
            "loan_amount": np.exp(log_value) * 0.6,
            "value": np.exp(log_value),
        }
    )
