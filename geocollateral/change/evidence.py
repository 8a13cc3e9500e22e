"""What one look says: how much likelier it is if the ground has changed than if it has not.

Unchanged ground lies within the *envelope* of its season: the lowest and the highest value that the baseline takes when
the season comes up to ``timing_days`` earlier or later. Changed ground lies at or beyond a *target*: the known level of
changed ground, or, where none is known, a departure of twice the smallest of interest. With the distance ``a`` of the
look beyond the envelope towards the target, the distance ``d`` short of the target, both in spreads of a new look, and
Student's t for both (a missed cloud is no rare thing), the log likelihood ratio is

    (tail + indices) / 2 * log((tail + a^2) / (tail + d^2))

It grows from unchanged to changed and is nought half-way between. Where the level of changed ground is known, beyond
it is no more changed than at it: where the baseline itself is there, as that of a leafless stand is at the level of
cleared ground, the ratio is nought, and such a look says nothing without any rule for it. The ratio is clipped, so
that no single look decides.

Several indices of one look are weighed together by their residual correlation (Mahalanobis distances ``a`` and ``d``).

Sources: Lange, Little & Taylor 1989, doi:10.1080/01621459.1989.10478852 (Student's t against outliers); Verbesselt et
al. 2012, doi:10.1016/j.rse.2012.02.022; Reiche et al. 2015, doi:10.3390/rs70504973 (looks of several sensors as
likelihoods).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from geocollateral.types import Params

Direction = Literal["both", "down", "up"]
WAYS = {"down": -1, "both": 0, "up": 1}


class SequentialParams(Params):
    """Knobs of the monitor ``sequential``. Values with [unit] are in the unit of the series."""

    harmonics: int = Field(3, ge=0, le=4, description="Yearly harmonics of the seasonal baseline.")
    amplitude_prior: float = Field(
        0.25, gt=0, description="Prior sd of the first harmonic [unit]; the k-th has 1/k^1.5 of it."
    )
    noise_floor: float = Field(0.03, gt=0, description="Smallest noise of a clear look assumed [unit].")
    timing_days: float = Field(
        12.0, ge=0, description="What the season shows when it comes up to this much earlier or later is normal [days]."
    )
    min_history_looks: int = Field(9, ge=4, description="Fewest clear looks a baseline may rest on.")
    min_history_days: float = Field(330.0, ge=0, description="Shortest history a baseline may rest on [days].")
    huber: float = Field(1.345, gt=0, description="Huber constant of the fits.")
    memory: float = Field(
        0.9, gt=0, le=1, description="Share of what was learned that is kept at each half-yearly refit of the baseline."
    )
    min_magnitude: float = Field(0.12, gt=0, description="Departure from which a look speaks for a change [unit].")
    min_spreads: float = Field(
        2.0, gt=0, description="The same in spreads of a new look; the larger of both counts [1]."
    )
    direction: Direction = Field("both", description="Which way a change of interest goes.")
    changed_level: float | None = Field(
        None,
        description="Level that changed ground keeps on the far side of [unit], e.g. the greenest that cleared ground "
        "is. Looks on which the baseline itself is there say nothing. None: any departure is a change.",
    )
    tail: float = Field(3.0, gt=0, description="Degrees of freedom of a look's Student t distribution.")
    most_for: float = Field(
        4.0,
        gt=0,
        description="Most that one look can say for a change; less where looks of a series often depart and come back "
        "[log likelihood ratio].",
    )
    most_against: float = Field(3.0, gt=0, description="Most that one look can say against one [log likelihood ratio].")
    correlation_days: float = Field(
        60.0, gt=0, description="Looks closer than this share part of what they say, the more the closer [days]."
    )
    least_correlation: float = Field(
        0.2, ge=0, lt=1, description="Smallest correlation of looks of one day assumed; a series' own may be larger."
    )
    changes_per_year: float = Field(0.02, gt=0, le=1, description="Changes of one series expected in a year (hazard).")
    suspect_probability: float = Field(0.2, gt=0, lt=1, description="Probability of change that is a suspicion.")
    confirm_probability: float = Field(0.9, gt=0, lt=1, description="Probability of change that confirms one.")
    confirm_looks: int = Field(3, ge=1, description="Looks that must bear a change out before it is confirmed.")
    max_gap_days: float = Field(
        120.0,
        gt=0,
        description="Looks further apart do not date each other: the run starts anew at the later one, and its "
        "interval reaches back to before the first [days].",
    )
    full_share: float = Field(
        0.6,
        ge=0,
        le=1,
        description="The break is dated to the first look that reaches this share of the run's greatest departure, "
        "both measured against a full change on their day; needs changed_level.",
    )
    recover_looks: int = Field(3, ge=1, description="Consecutive looks near the baseline that end a change.")


HIT, OK = 1.0, -1.0
"""A look bears a change out from the one log likelihood ratio up, unchanged ground from the other down (factor e)."""


def hypotheses(directions: tuple[Direction, ...]) -> tuple[tuple[int, ...], ...]:
    """What changes are of interest: for each, the side that each index goes to, 1 up or -1 down.

    Indices that may go both ways go together: all down, or all up.
    """
    sides = (WAYS["down"], WAYS["up"]) if "both" in directions else (WAYS["down"],)
    return tuple(tuple(WAYS[direction] or side for direction in directions) for side in sides)
