"""What values and ratios become in a bad year: transparent multipliers, no simulation and no forecast.

A scenario is a multiplier of yield, of price and of the works' progress. A value follows a driver by an elasticity of
the approach it was made with: ``value * product(multiplier ** elasticity)``. Elasticities are written down here and in
the settings, so that anybody can recompute a figure by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from geocollateral.errors import InvalidInput
from geocollateral.types import Params

DRIVERS = ("yield", "price", "progress")


class Scenario(Params):
    """Multipliers of the drivers of value; 1 leaves a driver as it is."""

    yield_factor: float = Field(1.0, ge=0, le=2, description="Of the yield of land, stand, pond or plant [1].")
    price_factor: float = Field(1.0, ge=0, le=2, description="Of prices of products and of property [1].")
    progress_factor: float = Field(1.0, ge=0, le=2, description="Of the progress of works [1].")


class Elasticity(Params):
    """By how many percent a value changes if a driver changes by one."""

    of_yield: float = Field(0.0, ge=0, le=3, description="By the yield [1].")
    of_price: float = Field(0.0, ge=0, le=3, description="By the price [1].")
    of_progress: float = Field(0.0, ge=0, le=3, description="By the progress of works [1].")


SCENARIOS: Mapping[str, Scenario] = {
    "yield_down": Scenario(yield_factor=0.7),
    "price_down": Scenario(price_factor=0.8),
    "works_stopped": Scenario(progress_factor=0.5),
    "combined": Scenario(yield_factor=0.7, price_factor=0.8, progress_factor=0.5),
}

LIVING = ("agriculture", "forestry", "aquaculture")
ELASTICITIES: Mapping[str, Mapping[str, Elasticity]] = {
    "income": {
        **{name: Elasticity(of_yield=1.0, of_price=1.0) for name in (*LIVING, "solar", "wind")},
        "construction": Elasticity(of_price=1.0, of_progress=1.0),
    },
    "market": {
        **{name: Elasticity(of_yield=0.5, of_price=1.0) for name in LIVING},
        **{name: Elasticity(of_price=1.0) for name in ("solar", "wind")},
        "construction": Elasticity(of_price=1.0, of_progress=1.0),
    },
    "cost": {
        **{name: Elasticity() for name in (*LIVING, "solar", "wind")},
        "construction": Elasticity(of_progress=1.0),
    },
}
"""By approach and asset class. Income follows yield and price in full; a market price follows half of a bad harvest, as
land outlives it; what it cost to make does not fall with prices, but works that stop are worth what stands."""


class StressParams(Params):
    """Scenarios and how values follow them."""

    scenarios: dict[str, Scenario] = Field(dict(SCENARIOS), description="By name, multipliers of the drivers of value.")
    elasticities: dict[str, dict[str, Elasticity]] = Field(
        {name: dict(classes) for name, classes in ELASTICITIES.items()},
        description="By approach (income, market, cost) and asset class, how a value follows the drivers.",
    )
    loss_given_event_frac: dict[str, float] = Field(
        {
            "agriculture": 0.3,
            "forestry": 0.6,
            "solar": 0.2,
            "wind": 0.2,
            "construction": 0.5,
            "aquaculture": 0.3,
        },
        description="By asset class, share of the value taken to be gone after an adverse event [0-1]; an assumption "
        "to be replaced by the bank's own losses.",
    )


@dataclass(frozen=True, kw_only=True)
class ValueBand:
    """A value with its bounds, in one currency."""

    p05: float
    p50: float
    p95: float
    currency: str

    def __post_init__(self) -> None:
        if not 0 <= self.p05 <= self.p50 <= self.p95:
            raise InvalidInput(f"Expected 0 <= p05 <= p50 <= p95, got {self.p05}, {self.p50}, {self.p95}.")


def factor_of(scenario: Scenario, elasticity: Elasticity) -> float:
    """Multiplier of a value."""
    return float(
        scenario.yield_factor**elasticity.of_yield
        * scenario.price_factor**elasticity.of_price
        * scenario.progress_factor**elasticity.of_progress
    )


def stress_value(
    value: ValueBand, asset_class: str, approach: str, scenario: Scenario, params: StressParams
) -> ValueBand | None:
    """A value under a scenario; None where no elasticity is given for the approach and class, never a guess."""
    elasticity = params.elasticities.get(approach, {}).get(asset_class)
    if elasticity is None:
        return None
    factor = factor_of(scenario, elasticity)
    return ValueBand(p05=value.p05 * factor, p50=value.p50 * factor, p95=value.p95 * factor, currency=value.currency)
