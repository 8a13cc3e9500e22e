"""Numbers with which a value never falls, all else alike: said by the user, or known of an asset class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from geocollateral.errors import InvalidInput
from geocollateral.valuation.sales import SalesTable, column_named

_LAND = ("obs_area_mu", "obs_area_m2")
INCREASING: Mapping[str, tuple[str, ...]] = {
    "agriculture": (*_LAND, "obs_cropped_m2", "obs_crops_per_year_n"),
    "forestry": (*_LAND, "obs_stand_m2"),
    "solar": (*_LAND, "obs_pv_area_m2", "obs_capacity_mw"),
    "wind": (*_LAND, "obs_capacity_mw"),
    "construction": (*_LAND, "obs_progress_frac"),
    "aquaculture": (*_LAND, "obs_water_m2"),
}
"""By asset class, of what `assess` says of a parcel: more of it is never worth less."""


def increasing_of(table: SalesTable, said: Sequence[str]) -> tuple[str, ...]:
    """Numbers with which the value never falls: those said, and those that all asset classes of the table have.

    Raises
    ------
    InvalidInput
        One that was said is not learned from, or is no number.
    """
    role = {use.name: use for use in table.columns}
    found: list[str] = []
    for name in said:
        use = role.get(column_named(table.rows, name))
        if use is None or use.role != "number":
            why = "it is no feature" if use is None else use.reason or f"it is a {use.role}"
            raise InvalidInput(f"--increasing {name}: expected a number that is learned from; {why}.")
        found.append(use.name)
    if "asset_class" in table.rows:
        classes = set(table.rows["asset_class"].dropna().astype(str))
        shared = set.intersection(*(set(INCREASING.get(own, ())) for own in classes)) if classes else set()
        found += sorted(name for name in shared if name in role and role[name].role == "number" and name not in found)
    return tuple(found)


__all__ = ["INCREASING", "increasing_of"]
