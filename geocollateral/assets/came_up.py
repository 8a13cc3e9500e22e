"""Whether a crop had come up before it was missed: its own green, or what radar and the peers' season say of it.

A failure is a fall of the parcel's own green. Land that was not sown, or sown late, lies below its peers too, but has
not fallen. Where clouds hid the parcel's own green, the peers' season must be old enough for a crop to have stood.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.assets.phenology import PhenologyParams, despike
from geocollateral.types import Params

Floats = NDArray[np.float64]
Days = NDArray[np.int64]


class CameUpParams(Params):
    """Knobs of the test whether a crop had come up."""

    min_there: float = Field(2.0, gt=0, description="Evidence that a crop had come up [log likelihood ratio].")
    min_rise: float = Field(0.2, gt=0, lt=1, description="Own green over bare ground that shows a crop [NDVI].")
    min_fall: float = Field(0.3, gt=0, lt=1, description="Share of it that must be gone since [1].")
    season_days: int = Field(150, ge=60, description="A crop's own green is looked for so far back [days].")
    bare_margin: float = Field(
        0.12, gt=0, lt=1, description="Looks down to this much over bare ground end a season [NDVI]."
    )
    min_age_days: int = Field(
        35, ge=0, description="Missed in a peers' season younger than this, a crop was not sown or is late [days]."
    )
    unseen_age_days: int = Field(
        50, ge=0, description="The same where no clear look showed the parcel's own green [days]."
    )
    unseen_there: float = Field(
        2.5, gt=0, description="Evidence of all looks of that season that it had come up [log likelihood ratio]."
    )
    unseen_gap: float = Field(0.2, gt=0, lt=1, description="Looks count there from this much of peers' green [NDVI].")
    age_span_days: int = Field(100, ge=60, description="Peers' seasons are followed so far back [days].")


def fallen(
    days: Days, green: Floats, missed: int, today: int, bare_low: float, bare_high: float, params: CameUpParams
) -> bool | None:
    """Whether the parcel's own green had risen and has fallen; None = it was not seen green in this season.

    Parameters
    ----------
    days, green
        Optical looks of the parcel, shape (look,), rising days since 1970-01-01, no NaN.
    missed
        Day of the first look without the crop.
    today
        Looks after this day are not known.
    bare_low, bare_high
        Bounds of the green of bare ground [NDVI].
    """
    known = days <= today
    days, green = days[known], green[known]
    kept = despike(days, green, PhenologyParams())
    days, green = days[kept], green[kept]
    before, after = green[days < missed], green[days >= missed]
    bare = float(np.clip(np.quantile(before, 0.1), bare_low, bare_high)) if len(before) >= 8 else 0.25
    low = np.flatnonzero((before <= bare + params.bare_margin) | (days[days < missed] <= missed - params.season_days))
    season = before[int(low[-1]) + 1 if len(low) else 0 :]
    rise = float(season.max()) - bare if len(season) else 0.0
    if rise < params.min_rise or not len(after):
        return None
    return bool(rise + bare - float(np.median(after)) >= params.min_fall * rise)


def season_start(days: Days, gap: Floats, optical: NDArray[np.bool_], first: int, min_gap: float, span: int) -> int:
    """Position of the first look of the peers' season that look `first` falls in: after the last on which they were
    bare, at most `span` days back.
    """
    begin = int(np.searchsorted(days, days[first] - span))
    bare = np.flatnonzero(optical[begin:first] & (gap[begin:first] < min_gap))
    return begin + int(bare[-1]) + 1 if len(bare) else begin


__all__ = ["CameUpParams", "fallen", "season_start"]
