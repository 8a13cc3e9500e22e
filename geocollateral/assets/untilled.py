"""Ground that was not tilled when its neighbours' was: the surest sign that nobody works a field any more.

Weeds rise and fall with the seasons as crops do, and after a year they are as green. But whoever means to sow lays the
ground bare, and whoever harvests does too. So the days count on which the ground of the peers lies bare between two
crops: a worked field is bare with them, a fallow one again at the latest for the sowing a year later, idle land is
green on all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.assets.neighbours import YEAR, Channel, Choice, middle_of
from geocollateral.types import Params

Floats = NDArray[np.float64]
Days = NDArray[np.int64]


class UntilledParams(Params):
    """Knobs of the test for ground that was not tilled with the neighbours'."""

    bare_margin: float = Field(
        0.12, gt=0, lt=1, description="Green down to this much over the parcel's bare ground is bare [NDVI]."
    )
    bare_low: float = Field(0.25, gt=0, lt=1, description="Peers at or below this are bare in any case [NDVI].")
    bare_high: float = Field(0.30, gt=0, lt=1, description="Peers above this are not bare in any case [NDVI].")
    green_margin: float = Field(
        0.20, gt=0, lt=1, description="Green this much over its bare ground and over bare peers is untilled [NDVI]."
    )
    alike_margin: float = Field(
        0.07,
        gt=0,
        lt=1,
        description="Bare ground at most this much greener than bare peers was worked as theirs [NDVI].",
    )
    next_rise: float = Field(
        0.25, gt=0, lt=1, description="The peers' green rose by this much after that day of an earlier year [NDVI]."
    )
    soon_days: int = Field(
        60, ge=20, description="So soon after it where the ground is bare: that tells tillage [days]."
    )
    next_days: int = Field(75, ge=30, description="So soon after it where the ground is green [days].")
    harvest_days: int = Field(60, ge=20, description="Peers that were green so lately have been harvested [days].")
    harvest_green: float = Field(0.45, gt=0, lt=1, description="Green that they had then [NDVI].")
    idle_days: int = Field(
        340,
        ge=300,
        description="Untilled so long after it was last bare with its peers, two sowings were missed [days].",
    )
    firm_days: int = Field(5, ge=1, description="Two looks at least so far apart must show it [days].")
    span_days: int = Field(60, ge=10, description="And at most so far apart: of the same sowing [days].")
    lasting_looks: int = Field(
        4, ge=2, description="Green on so many looks without one on which it was bare with its peers, it was left too."
    )
    lasting_days: int = Field(
        540,
        ge=365,
        description="The first and the last of them are at least so far apart: a fallow year is tilled sooner [days].",
    )
    lasting_share: float = Field(
        0.7, gt=0, lt=1.5, description="Then it may follow this share of its peers' rhythm: weeds have summers too [1]."
    )
    most_green: float = Field(
        0.65,
        gt=0,
        lt=1,
        description="Ground that was green on more of the looks at its peers' bare ground before, and on two at least, "
        "was not tilled then either: grass, trees or vegetables [1].",
    )
    years: int = Field(3, ge=1, description="Earlier years by which the peers' calendar is known.")


@dataclass(frozen=True, kw_only=True)
class Untilled:
    """Ground that two sowings of its peers have left green. Days since 1970-01-01."""

    known_on: int
    worked_on: int
    """Last look on which it lay bare as the peers' ground did."""
    missed_on: int
    """First look after it on which it was green while theirs was bare."""
    own: float
    """Its green on `known_on` [NDVI]."""
    level: float
    """That of the peers [NDVI]."""
    lasting: bool
    """Told by looks of more than one bare spell of the peers and by none to the contrary."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A look at the parcel on which its peers' ground lies bare in their growing season."""

    day: int
    own: float
    level: float
    green: bool
    """Green while the peers' ground is bare; else bare as theirs."""
    sowing: bool
    """The peers' next crop came up soon after such a day in earlier years."""
    early: bool
    """From before peers could be chosen."""


def find_untilled(looks: Sequence[Look], params: UntilledParams) -> Iterator[Untilled]:
    """Days on which ground that was worked before was known to have missed two sowings of its peers, in order of time.

    1. A look on which it is bare with them starts all anew: the ground was worked.
    2. Green on two looks of one sowing, `idle_days` and more after that: it was left. In the first year of looks peers'
       bare ground may have gone unseen, so ground that was worked then is not held to so short a time.
    3. Green on `lasting_looks` over `lasting_days`: it was left, whether the peers' next crop comes up soon or not.

    Parameters
    ----------
    looks
        Those of `telling_looks`.
    """
    worked: Look | None = None
    greens: list[int] = []
    for look in looks:
        if not look.green:
            worked, greens = look, []
            continue
        greens.append(look.day)
        if worked is None or not was_tilled(looks, worked.day, params):
            continue
        firm = any(look.day - params.span_days <= day <= look.day - params.firm_days for day in greens)
        twice = look.sowing and firm and not worked.early and look.day - worked.day >= params.idle_days
        lasting = len(greens) >= params.lasting_looks and look.day - greens[0] >= params.lasting_days
        if twice or lasting:
            yield Untilled(
                known_on=look.day,
                worked_on=worked.day,
                missed_on=greens[0],
                own=look.own,
                level=look.level,
                lasting=lasting,
            )


def was_tilled(looks: Sequence[Look], day: int, params: UntilledParams) -> bool:
    """Whether nothing up to a day speaks against ground that was tilled when its peers' was."""
    green = [look.green for look in looks if look.day <= day]
    return sum(green) < 2 or sum(green) <= params.most_green * len(green)


def telling_looks(optical: Channel, choice: Choice, params: UntilledParams) -> tuple[Look, ...]:
    """Looks at the parcel on which its peers' ground lies bare in their growing season, in order of time.

    Parameters
    ----------
    choice
        Peers chosen by looks that lie more than a year before each step. Looks from before there were any are held
        against the first ones: they say how the ground was worked, and alone they tell nothing.
    """
    return tuple(_telling(optical, choice, params))


def _telling(optical: Channel, choice: Choice, params: UntilledParams) -> Iterator[Look]:
    seen, chosen = np.isfinite(optical.own), np.flatnonzero(~choice.own_years)
    if not len(chosen):
        return
    for n in np.flatnonzero(seen):
        step = int(np.searchsorted(choice.steps, optical.days[n], side="right")) - 1
        at = max(step, int(chosen[0]))
        if choice.own_years[at]:
            continue
        member = choice.member[at, : optical.peers.shape[1]]
        level = float(middle_of(optical.peers[n : n + 1, member])[0])
        if level <= params.bare_high:  # else not seen, or not bare
            look = _of_look(optical, int(n), level, optical.own[:n][seen[:n]], member, params)
            if look is not None:
                yield replace(look, early=step < at)


def _of_look(
    optical: Channel, n: int, level: float, before: Floats, member: NDArray[np.bool_], params: UntilledParams
) -> Look | None:
    """What look `n` tells; None = nothing."""
    day, own = int(optical.days[n]), float(optical.own[n])
    bare = float(np.clip(np.quantile(before, 0.1), 0.1, 0.3)) if len(before) >= 8 else 0.25
    if level > max(bare + params.bare_margin, params.bare_low):
        return None
    green = own >= max(level, bare) + params.green_margin
    alike = own <= min(bare + params.bare_margin, level + params.alike_margin)
    if not green and not alike:
        return None
    within = params.next_days if green else params.soon_days
    years = (day - YEAR * year for year in range(1, params.years + 1))
    rise = max(_highest(optical, member, begin, begin + within) for begin in years) - level
    sowing = rise >= params.next_rise
    if green or sowing or _highest(optical, member, day - params.harvest_days, day) >= params.harvest_green:
        return Look(day=day, own=own, level=level, green=green, sowing=sowing, early=False)
    return None


def _highest(optical: Channel, member: NDArray[np.bool_], low: int, high: int) -> float:
    """Most green of the peers after day `low` and up to day `high` [NDVI]; -inf where not seen."""
    span = slice(*np.searchsorted(optical.days, [low, high], side="right"))
    middle = middle_of(optical.peers[span][:, member])
    return float(np.max(middle, where=np.isfinite(middle), initial=-np.inf))


__all__ = ["Look", "Untilled", "UntilledParams", "find_untilled", "telling_looks", "was_tilled"]
