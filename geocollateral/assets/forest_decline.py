"""Thinning and gradual decline: a fall of the whole stand that no pixel shows as a break.

Each look at what is left of a stand is compared with the same season of earlier years, as a share of its NBR above
bare ground, and with what the stands around have lost on the same look. A decline is said when the looks of some months
agree on a loss that is large enough to matter and clear of their own scatter.

The comparison with earlier years is a kernel mean over the day of the year (no shape of the season is assumed), and a
look counts by the scatter of its season: the weeks in which leaves come out weigh little. What happened in the last 300
days is no history, or a slow decline would become its own baseline.

Sources: Cohen et al. 2016, doi:10.1016/j.foreco.2015.10.042 (slow decline is a large part of all loss); Kennedy et al.
2010, doi:10.1016/j.rse.2010.07.008 (relative magnitude of loss); peers as weather: decision 0005.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from geocollateral.assets.forest_signature import BARE_NBR, IN_LEAF
from geocollateral.assets.frame import date_of, grow, mask_of, middle_of, number_of, numbers_of
from geocollateral.types import Event, Params, ParcelEvidence

Floats = NDArray[np.float64]
INDEX = "nbr"
YEAR = 365.25
MAD_TO_SD = 1.4826
"""Makes the median absolute deviation of a normal variable its standard deviation."""
AFFECTED_DAYS = 200
"""Looks this long after the fall tell which pixels it is on [days]."""


class DeclineParams(Params):
    """Knobs of the search for thinning and gradual decline."""

    min_pixels: int = Field(12, ge=1, description="Fewest pixels of stand left on which a decline is looked for.")
    min_loss: float = Field(
        0.10,
        gt=0,
        lt=1,
        description="Smallest loss of the stand's NBR above bare ground that is a decline [1]; quiet parcel-years of "
        "the simulated world stay below 0.08.",
    )
    min_score: float = Field(3.0, gt=0, description="Smallest loss in standard errors of the looks that show it.")
    window_days: int = Field(100, ge=30, description="Looks of this many days are weighed together [days].")
    min_looks: int = Field(4, ge=2, description="Fewest looks weighed together.")
    widest_days: int = Field(
        250, ge=30, description="Where clouds leave fewer looks, the window grows to at most this [days]."
    )
    min_span_days: int = Field(30, ge=1, description="Least days from the first to the last look in the window [days].")
    lag_days: int = Field(300, ge=90, description="Looks of the last so many days are no history yet [days].")
    kernel_days: float = Field(15, gt=0, description="Width of the season that looks are compared in [days].")
    alike: float = Field(
        0.12, gt=0, description="Peers whose NBR of this season was within this of the parcel's show the weather [1]."
    )
    min_peers: int = Field(3, ge=1, description="Fewest such peers that show the weather.")
    noise: float = Field(0.02, gt=0, description="Scatter of a parcel's mean NBR in the best of seasons [1].")
    min_clear: float = Field(0.5, gt=0, le=1, description="Clear share of the stand from which a look counts [1].")


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Share of the stand that looks show as lost. Arrays have shape (time,); NaN where a look does not tell."""

    days: NDArray[np.int64]
    each: Floats
    """Of the look itself, less that of the peers [1]."""
    loss: Floats
    """As the looks of the window up to this one agree [1]."""
    score: Floats
    """The same in standard errors."""


def find_decline(
    evidence: ParcelEvidence, stand: NDArray[np.bool_], known: Sequence[Event], params: DeclineParams
) -> Event | None:
    """The first decline of what was left of the stand, None where there was none or it cannot be told.

    Parameters
    ----------
    evidence
        With the index ``nbr``, of the parcel and its peers.
    stand
        Shape (pixel,), True = was a closed stand at the start.
    known
        Losses found pixel by pixel: from the day one was detected on, its pixels and those within two of them are left
        out, and what the rest lost in the same days is a part of it.
    """
    if evidence.indices is None or evidence.peers is None or INDEX not in evidence.indices:
        return None
    if INDEX not in evidence.peers["index"].values:
        return None
    edges = sorted({event.detected_on for event in known})
    for start, end in zip([None, *edges], [*edges, None], strict=True):
        told = [event for event in known if start is not None and event.detected_on <= start]
        gone = tuple(pixel for event in told for pixel in event.pixels)
        left = stand & ~grow(mask_of(gone, evidence), evidence, 2)
        if left.sum() < params.min_pixels:
            return None
        losses = measure_losses(evidence, left, params)
        found = _first(losses, told, params, start, end)
        if found is not None:
            return _event(evidence, left, losses, found, params)
    return None


def measure_losses(evidence: ParcelEvidence, left: NDArray[np.bool_], params: DeclineParams) -> Losses:
    """Loss of the mean of some pixels on every day of the block, as known on that day."""
    assert evidence.peers is not None  # noqa: S101 - the caller has looked
    peers = evidence.peers.sel(index=INDEX)
    dates = peers["time"].values.astype("datetime64[D]")
    own = np.full(len(dates), np.nan)
    own[np.searchsorted(dates, evidence.look_days)] = _mean(evidence, left, params.min_clear)
    others = np.where(peers["valid_fraction"].values >= params.min_clear, peers["mean"].values, np.nan)
    values = np.concatenate([own[:, None], others], axis=1).astype(np.float64)
    days = dates.astype(np.int64)
    lost, spread = _relative_losses(values, days, params)
    weather, doubt = _weather(lost[:, 1:], params.min_peers)
    each = lost[:, 0] - weather
    loss, score = _agreed(each, spread, doubt, days, params)
    return Losses(days=days, each=each, loss=loss, score=score)


def _mean(evidence: ParcelEvidence, where: NDArray[np.bool_], min_clear: float) -> Floats:
    """Shape (look,): area-weighted mean over clear pixels."""
    assert evidence.indices is not None  # noqa: S101 - the caller has looked
    part = evidence.indices[INDEX].values[:, where]
    area = evidence.area_m2[where]
    seen = np.isfinite(part)
    clear = seen @ area
    total = np.where(seen, part, 0.0) @ area
    enough = clear >= min_clear * area.sum()
    return np.asarray(np.divide(total, clear, out=np.full(len(part), np.nan), where=enough))


def _relative_losses(values: Floats, days: NDArray[np.int64], params: DeclineParams) -> tuple[Floats, Floats]:
    """Share lost against the same season of earlier years, shape (time, series), and the spread of the first series'.

    Peers that were not alike the first series in that season are NaN there.
    """
    apart = np.abs((days[:, None] - days[None, :] + YEAR / 2) % YEAR - YEAR / 2)
    kernel = np.exp(-0.5 * (apart / params.kernel_days) ** 2) * (apart < 3 * params.kernel_days)
    kernel = kernel * (days[None, :] <= days[:, None] - params.lag_days)
    seen = np.isfinite(values).astype(np.float64)
    filled = np.where(seen > 0, values, 0.0)
    weight = kernel @ seen
    safe = np.maximum(weight, 1e-9)
    usual = kernel @ filled / safe
    count = weight**2 / np.maximum(kernel**2 @ seen, 1e-9)
    usual = np.where(count >= 2.5, usual, np.nan)  # fewer looks of a season are not a season
    variance = np.maximum(kernel @ filled**2 / safe - usual**2, 0.0)[:, 0]
    n = count[:, 0]
    spread = np.sqrt(variance * n / np.maximum(n - 1, 0.5) + params.noise**2) * np.sqrt(1 + 1 / np.maximum(n, 1))
    told = usual >= IN_LEAF
    lost = np.where(told, 1 - (values - BARE_NBR) / np.where(told, usual - BARE_NBR, 1.0), np.nan)
    lost[:, 1:] = np.where(np.abs(usual[:, 1:] - usual[:, :1]) <= params.alike, lost[:, 1:], np.nan)
    return lost, np.where(told[:, 0], spread / np.where(told[:, 0], usual[:, 0] - BARE_NBR, 1.0), np.nan)


def _weather(lost: Floats, least: int) -> tuple[Floats, Floats]:
    """What peers lost on each look, their median, and how far one stand's own loss may be from it (sd).

    Only a fall that neighbours share is weather: where they thrive, a stand that does not is no decline yet. Both are 0
    where fewer peers are known.
    """
    count = np.isfinite(lost).sum(axis=1)
    middle = np.maximum(middle_of(lost.T), 0.0)
    apart = MAD_TO_SD * middle_of(np.abs(lost - middle[:, None]).T)
    enough = count >= least
    # Weather makes no stand greener, so its doubt is no larger than what it took.
    return np.where(enough, middle, 0.0), np.where(enough, np.minimum(apart, middle), 0.0)


def _agreed(
    each: Floats, spread: Floats, doubt: Floats, days: NDArray[np.int64], params: DeclineParams
) -> tuple[Floats, Floats]:
    """Loss and its score in the window that ends on each look."""
    loss, score = np.full(len(each), np.nan), np.full(len(each), np.nan)
    told = np.flatnonzero(np.isfinite(each) & np.isfinite(spread))
    for n, at in enumerate(told):
        past = told[: n + 1]
        window = past[days[past] > days[at] - params.window_days]
        if len(window) < params.min_looks:
            window = past[-params.min_looks :]
        length = days[at] - days[window[0]]
        if len(window) < params.min_looks or not params.min_span_days <= length <= params.widest_days:
            continue
        weight = spread[window] ** -2.0
        # One stray look moves the mean, one busy fortnight the median: the smaller of both holds against either.
        loss[at] = min(float(weight @ each[window] / weight.sum()), float(np.median(each[window])))
        # Looks of a season share their baseline: many of them are no more independent than the fewest asked for.
        noise = len(window) / min(len(window), params.min_looks) / weight.sum()
        # How a stand bears a drought is the same on all looks of it: more of them make it no surer.
        score[at] = loss[at] / np.hypot(np.sqrt(noise), float(weight @ doubt[window] / weight.sum()))
    return loss, score


def _first(
    losses: Losses, known: Sequence[Event], params: DeclineParams, start: dt.date | None, end: dt.date | None
) -> int | None:
    """Position of the second look in a row that shows a decline of its own, from a day to before another."""
    told = np.flatnonzero(np.isfinite(losses.loss))
    shown = (losses.loss[told] >= params.min_loss) & (losses.score[told] >= params.min_score)
    for n in np.flatnonzero(shown[1:] & shown[:-1]) + 1:
        day = np.datetime64(int(losses.days[told[n]]), "D")
        if (start is None or day >= np.datetime64(start)) and (end is None or day < np.datetime64(end)):
            before, after = _interval(losses, int(told[n]))
            if not any(before < event.first_clear_after and event.last_clear_before < after for event in known):
                return int(told[n])
    return None


def _event(
    evidence: ParcelEvidence, left: NDArray[np.bool_], losses: Losses, found: int, params: DeclineParams
) -> Event:
    """The decline as known now: found on one look, measured on all up to today."""
    told = np.flatnonzero(np.isfinite(losses.loss))
    since = told[told >= found]
    peak = since[int(np.argmax(losses.loss[since]))]
    loss = float(losses.loss[peak])
    before, after = _interval(losses, found)
    area = float(evidence.area_m2[left].sum())
    back = [int(t) for t in since if t > peak and losses.loss[t] < 0.2 * loss]
    error = loss / max(float(losses.score[peak]), 1.0)
    slow = (after - before).days
    where = _affected(evidence, left, before, after)
    share = float(evidence.area_m2[where].sum()) / area
    extent = "all over it" if share >= 0.8 else f"most of it on {share:.0%} of the stand"
    first_reason = (
        f"The stand as a whole lost {loss:.0%} (give or take {2 * error:.0%}) of its NBR above bare ground against the "
        f"same season of earlier years and the stands around, {extent}; no part of it shows a break of its own."
    )
    second_reason = (
        f"Last look near its usual level {before}, first clearly below it {after} ({slow} days between); said on "
        f"{date_of(losses.days[found])}, when {params.min_looks} looks or more agreed."
    )
    return Event(
        kind="stand_decline",
        last_clear_before=before,
        first_clear_after=after,
        detected_on=date_of(losses.days[found]),
        recovered_on=date_of(losses.days[back[0]]) if back else None,
        area_m2=area * loss,
        area_low_m2=area * max(loss - 2 * error, 0.0),
        area_high_m2=area * min(loss + 2 * error, 1.0),
        magnitude=-loss,
        probability=float(1 - np.exp(-0.5 * losses.score[found] ** 2)),
        indices=(INDEX,),
        pixels=tuple(np.flatnonzero(where).tolist()),
        reasons=(first_reason, second_reason),
    )


def _interval(losses: Losses, found: int) -> tuple[dt.date, dt.date]:
    """Last look with less than a quarter of the loss known when it was found, and the first look past half of it."""
    told = np.flatnonzero(np.isfinite(losses.each[: found + 1]))
    calm = ndimage.median_filter(losses.each[told], size=3, mode="nearest")
    full = losses.loss[found]
    quarter = np.flatnonzero(calm < 0.25 * full)
    last = int(quarter[-1]) if len(quarter) else 0
    half = np.flatnonzero((calm >= 0.5 * full) & (np.arange(len(told)) > last))
    first = int(half[0]) if len(half) else len(told) - 1
    return date_of(losses.days[told[min(last, max(first - 1, 0))]]), date_of(losses.days[told[first]])


def _affected(evidence: ParcelEvidence, left: NDArray[np.bool_], before: dt.date, after: dt.date) -> NDArray[np.bool_]:
    """Pixels that lost at least half as much as the hardest hit tenth of the stand; all of it where few tell."""
    assert evidence.indices is not None  # noqa: S101 - the caller has looked
    values = evidence.indices[INDEX].values
    days = numbers_of(evidence.look_days)
    last, first = (number_of(day) for day in (before, after))
    late = (days >= first) & (days <= first + AFFECTED_DAYS)
    apart = np.abs((days[:, None] - days[late][None, :] + YEAR / 2) % YEAR - YEAR / 2)
    early = (days <= last) & (apart.min(axis=1, initial=YEAR) <= 30)
    if not late.any() or not early.any():
        return left
    usual, now = middle_of(values[early].astype(np.float64)), middle_of(values[late].astype(np.float64))
    with np.errstate(invalid="ignore"):
        lost = np.where(usual >= IN_LEAF, 1 - (now - BARE_NBR) / (usual - BARE_NBR), np.nan)
    told = left & np.isfinite(lost)
    if told.sum() < 0.5 * left.sum():
        return left
    hit: NDArray[np.bool_] = told & (np.nan_to_num(lost) >= 0.5 * np.percentile(lost[told], 90))
    return hit


__all__ = ["DeclineParams", "Losses", "find_decline", "measure_losses"]
