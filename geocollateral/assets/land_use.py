"""What grows on a parcel: a probability for each group of uses that satellites can tell apart.

Naive Bayes over the signs of `land_signs` with uncertain evidence (Pearl 1988, ISBN 9781558604797): a table says how
often each sign is seen over each use; a sign seen to a degree counts by that degree; a sign that could not be told does
not count. No number was fitted: the table holds round figures from how these crops are grown, never 0 or 1, so that no
single sign decides and an odd year does not either.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from geocollateral.assets.land_signs import Signs

Group = Literal[
    "winter_crop",
    "winter_rape",
    "summer_crop",
    "rice",
    "winter_summer",
    "rape_summer",
    "winter_rice",
    "rape_rice",
    "double_rice",
    "vegetables",
    "greenhouse",
    "grass",
    "orchard",
    "deciduous",
    "evergreen",
    "conifer",
    "water",
    "bare_built",
]
GROUPS: tuple[Group, ...] = get_args(Group)
SAYINGS: Mapping[Group, str] = {
    "winter_crop": "one winter crop a year",
    "winter_rape": "a winter crop with yellow bloom (rapeseed)",
    "summer_crop": "one summer crop a year without flooding",
    "rice": "one flooded summer crop a year (rice)",
    "winter_summer": "a winter crop and a summer crop a year",
    "rape_summer": "rapeseed and a summer crop a year",
    "winter_rice": "a winter crop and a flooded summer crop (rice) a year",
    "rape_rice": "rapeseed and a flooded summer crop (rice) a year",
    "double_rice": "two flooded crops a year (double rice)",
    "vegetables": "several short crops a year",
    "greenhouse": "a cover of plastic or glass with plants below",
    "grass": "grass or weeds, never tilled",
    "orchard": "open trees or shrubs, never tilled (orchard, vineyard, young plantation)",
    "deciduous": "a closed stand of trees, leafless in winter",
    "evergreen": "a closed canopy green in winter (evergreen trees, tea)",
    "conifer": "a closed, dark canopy green in winter (conifers)",
    "water": "water",
    "bare_built": "bare or built-up ground",
}
"""What a reader is told of each group."""

SIGNS: tuple[str, ...] = (
    "winter_crop",
    "summer_crop",
    "summer_twice",
    "off_season",
    "short",
    "flooded",
    "bloom",
    "dense",
    "sparse",
    "winter_green",
    "woody",
    "dark",
    "covered",
    "plants_below",
    "water",
)
"""Signs in the order of the columns of `TABLE`."""

# Probability that a sign is seen over a use, in hundredths; 50 says nothing.
# fmt: off
TABLE: Mapping[Group, tuple[int, ...]] = {
    #                wint summ twice  off short flood bloom dense spars wgrn woody dark cover below water
    "winter_crop":   ( 85,   6,   3,   8,  10,   5,   4,  65,   3,  50,   8,   3,   3,  95,   3),
    "winter_rape":   ( 85,   6,   3,   8,  10,   5,  90,  60,   3,  50,  10,   3,   3,  95,   3),
    "summer_crop":   (  5,  85,   5,  10,  40,   7,   4,  65,   3,   6,   8,   3,   3,  95,   3),
    "rice":          (  6,  85,   5,  10,  50,  92,   4,  55,   3,   8,   8,   5,   3,  95,   8),
    "winter_summer": ( 82,  85,   5,   8,  40,   7,   4,  65,   3,  50,   8,   3,   3,  95,   3),
    "rape_summer":   ( 82,  85,   5,   8,  40,   7,  90,  60,   3,  50,  10,   3,   3,  95,   3),
    "winter_rice":   ( 82,  85,   5,  10,  40,  92,   4,  55,   3,  50,   8,   3,   3,  95,   6),
    "rape_rice":     ( 82,  85,   5,  10,  40,  92,  90,  50,   3,  50,  10,   3,   3,  95,   6),
    "double_rice":   (  6,  95,  75,  12,  50,  92,   4,  50,   3,  10,   8,   5,   3,  95,  10),
    "vegetables":    ( 12,  75,  60,  55,  80,   8,   6,  40,  10,  35,  15,   5,   8,  95,   3),
    "greenhouse":    ( 3,   5,    3,   6,  50,    6,   10,    4,   85,    6,  30,   20,   92,   80,    4),
    "grass":         ( 3,   5,    3,   4,  50,    5,   10,   25,   10,   30,  15,   10,    4,   95,    3),
    "orchard":       ( 3,   4,    3,   4,  50,    5,   10,   25,    5,   30,  65,   15,    4,   97,    3),
    "deciduous":     ( 2,   3,    3,   3,  50,    5,    6,   88,    2,    8,  88,   10,    2,   97,    3),
    "evergreen":     ( 2,   3,    3,   3,  50,    5,    6,   85,    2,   93,  88,   10,    2,   97,    3),
    "conifer":       ( 2,   3,    3,   3,  50,    5,    4,   70,    3,   90,  88,   92,    2,   97,    3),
    "water":         ( 2,   3,    3,   3,  50,   50,   10,    3,   95,    3,   4,   50,   10,   10,   93),
    "bare_built":    ( 2,   3,    3,   3,  50,   10,   10,    3,   93,    4,  35,   50,   40,   25,    5),
}
# fmt: on
YEARLY = frozenset({"winter_crop", "summer_crop", "summer_twice", "off_season", "flooded"})
"""Signs of which every year is a witness of its own: their degree is the share of years that showed them."""
LEAST_WATCHED = 0.3
"""What was not seen weighs by how closely it was watched, and at least so much [1]."""
NOT_SEEN = 0.01
"""Chance that a parcel's use is none of the groups' or that its looks mislead: what is left for each group at least."""


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What grows on a parcel."""

    probability: Mapping[Group, float]
    """Of every group; they sum to 1."""
    signs: Signs

    @property
    def likeliest(self) -> Group:
        """Group of the highest probability."""
        return max(GROUPS, key=lambda group: self.probability[group])

    def of(self, groups: Collection[Group]) -> float:
        """Probability that the use is among some groups."""
        return float(sum(self.probability[group] for group in groups))


def opinion_of(signs: Signs) -> Opinion:
    """Probabilities of the groups from the signs; all alike where nothing could be told."""
    told = signs.told()
    n_years = max(signs.years, 1.0)
    log = dict.fromkeys(GROUPS, 0.0)
    for column, name in enumerate(SIGNS):
        degree = told.get(name)
        if degree is None:
            continue
        for group in GROUPS:
            often = TABLE[group][column] / 100
            if name in YEARLY:
                unseen = max(signs.watched, LEAST_WATCHED) * (1 - degree)
                log[group] += n_years * float(degree * np.log(often) + unseen * np.log(1 - often))
            else:
                log[group] += float(np.log(often * degree + (1 - often) * (1 - degree)))
    top = max(log.values())
    weight = {group: float(np.exp(value - top)) for group, value in log.items()}
    whole = sum(weight.values())
    spare = NOT_SEEN / len(GROUPS)
    return Opinion(probability={group: (1 - NOT_SEEN) * w / whole + spare for group, w in weight.items()}, signs=signs)


__all__ = ["GROUPS", "SAYINGS", "SIGNS", "TABLE", "Group", "Opinion", "opinion_of"]
