"""Weather is common: what parcels of a kind around a parcel have in common on a look is not the parcel's own change.

A drought, a late spring, the haze or the calibration of a scene lower the looks of all parcels of a kind. Their median
departure from their own baselines, the parcel itself left out, is taken off its look before that is weighed
(`geocollateral.change.monitor`, ``common``). With its uncertainty, since a median of few is itself uncertain.

Sources: Verbesselt et al. 2012, doi:10.1016/j.rse.2012.02.022 (droughts as disturbances of the baseline); Hamunyela,
Verbesselt & Herold 2016, Remote Sensing of Environment 172, 126-138 (the surroundings against seasons).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from geocollateral.change.baseline import Floats, Mask
from geocollateral.change.evidence import SequentialParams
from geocollateral.change.given import Day
from geocollateral.change.monitor import monitor
from geocollateral.errors import InvalidInput

MAD_TO_SIGMA = 1.482602218505602
"""Makes the median absolute deviation of a normal variable its standard deviation."""
MEDIAN_TO_MEAN = 1.2533141373155001
"""Standard error of a median against that of a mean, of a normal variable: the root of half of pi."""


def peer_departure(residuals: Floats, kinds: Sequence[str], min_peers: int = 5) -> tuple[Floats, Floats]:
    """Departure that the other parcels of a kind share on each look.

    Parameters
    ----------
    residuals
        Shape (time, series): looks less their baselines [unit]; NaN = no look, or a parcel already changed.
    kinds
        By series: only parcels of the same kind are peers.
    min_peers
        Fewest peers seen on a look.

    Returns
    -------
    Median of the peers and its standard error (both (time, series) [unit]), the series itself left out; NaN where there
    are fewer peers.

    Raises
    ------
    InvalidInput
        Not one kind per series.
    """
    if len(kinds) != residuals.shape[1]:
        raise InvalidInput(f"{len(kinds)} kinds for {residuals.shape[1]} series")
    middle = np.full(residuals.shape, np.nan)
    error = np.full(residuals.shape, np.nan)
    named = np.asarray(kinds)
    for kind in np.unique(named):
        columns = np.flatnonzero(named == kind)
        own = residuals[:, columns]
        others, count = _median_of_others(own)
        spread = MAD_TO_SIGMA * _median_of_others(np.abs(own - others))[0]
        enough = count >= min_peers
        middle[:, columns] = np.where(enough, others, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            error[:, columns] = np.where(enough, MEDIAN_TO_MEAN * spread / np.sqrt(count), np.nan)
    return middle, error


def _median_of_others(values: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Median along the second axis of all values but one's own, and how many those are; NaN where there are none."""
    seen = np.isfinite(values)
    order = np.argsort(values, axis=1, kind="stable")  # NaN last
    ordered = np.take_along_axis(values, order, axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(values.shape[1]), values.shape), axis=1)
    others = seen.sum(axis=1, keepdims=True) - seen
    own = np.where(seen, rank, values.shape[1])

    def at(place: NDArray[np.int64]) -> Floats:
        shifted = place + (place >= own)  # one's own value is passed over
        found: Floats = np.take_along_axis(ordered, np.clip(shifted, 0, values.shape[1] - 1), axis=1)
        return found

    middle = (at((others - 1) // 2) + at(others // 2)) / 2
    return np.where(others > 0, middle, np.nan), others


def monitor_with_peers(
    series: xr.DataArray,
    kinds: Sequence[str],
    history_end: Day,
    params: SequentialParams | None = None,
    min_peers: int = 5,
) -> tuple[xr.Dataset, xr.DataArray, xr.DataArray]:
    """Monitor parcels against their own season and against what others of their kind do on the same look.

    Parameters
    ----------
    series
        Dims ``(time, parcel)``, as `monitor` takes it.
    kinds
        By parcel, such as its crop or its asset class.
    history_end, params
        As in `monitor`.
    min_peers
        As in `peer_departure`.

    Returns
    -------
    The result of `monitor`, with curves; and the common departure of each look and its standard error, on the dims of
    ``series``: pixels of a parcel take their parcel's. What is said at a look rests on looks up to it only.
    """
    alone = monitor(series, history_end, params=params, curves=True)
    residual = (series - alone["expected"]).values.astype(np.float64)
    residual[_in_history(series, alone)] = np.nan
    # A drought may have confirmed a change of every parcel alone; only what stands out from the others has changed.
    first = [series.copy(data=part) for part in peer_departure(residual, kinds, min_peers)]
    apart = monitor(series, history_end, params=params, common=first[0], common_sd=first[1])
    changed: Mask = (series["time"] >= apart["detected_on"]).transpose(*series.dims).values
    residual[changed] = np.nan
    common, doubt = (series.copy(data=part) for part in peer_departure(residual, kinds, min_peers))
    found = monitor(series, history_end, params=params, common=common, common_sd=doubt, curves=True)
    return found, common, doubt


FEWEST_COMMON_LOOKS = 8
"""Looks of both histories from which courses can be called alike."""
MOST_APART = 0.1
"""Largest root mean square difference of indices of normalised differences that are alike in their history [1]."""
BARE: Mapping[str, float] = {"ndvi": 0.2, "ndmi": -0.15}
"""Level of bare, dry ground by index [1]: what stands above it is canopy, and can wither."""
LEAST_CANOPY = 0.05
"""Smallest signal of canopy that a share is taken of [1]."""
MOST_WITHERED = 0.5
"""Share of the canopy's signal up to which weather can be the cause of what stands share [1]."""
SURELY = 2.0
"""Standard errors by which a median may be missed: as many ranks, of root n halves each, above the middle lies what
surely is common. Where half of the peers dip and half do not, some were hit by the event that is looked for."""
LEAST_WITHERED = 0.1
"""Share of the canopy's signal below which a common dip is not told from the noise of looks and baselines [1]."""
FEWEST_PEERS = 3
"""Peers below which nothing is said of what they share."""


def weather_of_stands(
    series: xr.Dataset, params: Mapping[str, SequentialParams], bare: Mapping[str, float] = BARE, min_peers: int = 5
) -> tuple[xr.Dataset, xr.Dataset]:
    """What dips in common: the departure that weather, and not an event, brings to ground of like course.

    1. A departure is counted as share of the canopy's signal, baseline less bare ground: dense and thin stands that
       wither alike share it.
    2. What ``min_peers`` or more surely have in common is the upper bound of their median by ranks, two standard errors
       above it (Conover 1999, Practical Nonparametric Statistics, 3.2); what three or four have, the least dip of them.
       Where half of the peers dip and half do not, some were hit by the very event that is looked for.
    3. A common dip that takes more than half of the canopy in every index is an event that hit all, such as a fire:
       nothing is taken off then. Nor is one of less than a tenth in both: it is not told from noise. Nor is a common
       rise: weather explains a dip away and makes none.

    Parameters
    ----------
    series
        By index, dims ``(time, parcel)``, normalised differences; NaN = no look.
    params
        By index.
    bare
        By index, level of bare ground [1].
    min_peers
        Peers seen on a look from which their median counts.

    Returns
    -------
    Common departure of the others of like course by index as ``series`` [1], at most nought, and how far one stand's
    own may be from it (sd): the spread of the peers, no more than the dip itself; NaN where there are fewer than
    three peers, or no weather takes so much or so little. What is said at a look rests on looks up to it only.
    """
    alone = {name: monitor(series[name], None, params=params[name], curves=True) for name in params}
    expected = {name: found["expected"].transpose("time", "parcel").values for name, found in alone.items()}
    canopy = {name: np.maximum(one - bare[name], LEAST_CANOPY) for name, one in expected.items()}
    values = {name: series[name].transpose("time", "parcel").values.astype(np.float64) for name in params}
    before: Mask = np.logical_or.reduce([_in_history(series[name], found) for name, found in alone.items()])
    alike = _alike(values, before)
    shares = {name: np.where(before, np.nan, values[name] - expected[name]) / canopy[name] for name in params}
    # As in `monitor_with_peers`: all may have changed alone, only what stands out from the others is no peer.
    first = _common_dips(shares, canopy, alike, min_peers)
    for name in params:
        common, doubt = (series[name].copy(data=part[name]) for part in first)
        apart = monitor(series[name], None, params=params[name], common=common, common_sd=doubt)
        changed: Mask = (series["time"] >= apart["detected_on"]).transpose("time", "parcel").values
        for one in shares.values():
            one[changed] = np.nan
    dips, spreads = _common_dips(shares, canopy, alike, min_peers)
    dims = ("time", "parcel")
    common_of, doubt_of = (
        xr.Dataset({name: (dims, part) for name, part in one.items()}, coords=series.coords) for one in (dips, spreads)
    )
    return common_of, doubt_of


def _alike(values: Mapping[str, Floats], before: Mask) -> Mask:
    """Shape (series, series): whether the second went as the first did on the looks of the first's history."""
    n = before.shape[1]
    found: Mask = ~np.eye(n, dtype=bool)
    for one in values.values():
        for target in range(n):
            apart = one[before[:, target]] - one[before[:, target], target, None]
            seen = np.isfinite(apart)
            count = seen.sum(axis=0)
            mean = np.where(seen, apart**2, 0).sum(axis=0) / np.maximum(count, 1)
            found[target] &= (count >= FEWEST_COMMON_LOOKS) & (mean <= MOST_APART**2)
    return found


def _common_dips(
    shares: Mapping[str, Floats], canopy: Mapping[str, Floats], alike: Mask, min_peers: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Common dips and how far a stand's own may be from them, by index [1]; NaN where they are no weather."""
    parts = {name: _shared_by_alike(one, alike, min_peers) for name, one in shares.items()}
    middles = [middle for middle, _ in parts.values()]
    is_weather: Mask = np.logical_or.reduce([middle > -MOST_WITHERED for middle in middles])
    is_weather &= np.logical_or.reduce([middle < -LEAST_WITHERED for middle in middles])
    dips = {
        name: np.where(is_weather, np.minimum(middle, 0) * canopy[name], np.nan) for name, (middle, _) in parts.items()
    }
    # Weather makes no stand greener, so its doubt is no larger than what it took.
    spreads = {name: np.minimum(spread * canopy[name], -dips[name]) for name, (_, spread) in parts.items()}
    return dips, spreads


def _shared_by_alike(shares: Floats, alike: Mask, min_peers: int) -> tuple[Floats, Floats]:
    """What the peers of each series share, and the sd of one more among them; NaN with fewer than three."""
    middle, spread = np.full(shares.shape, np.nan), np.full(shares.shape, np.nan)
    for target, peers in enumerate(alike):
        own = shares[:, peers]
        count = np.isfinite(own).sum(axis=1)
        many, few = count >= min_peers, (count >= FEWEST_PEERS) & (count < min_peers)
        if many.any():
            given, n = np.sort(own[many], axis=1), count[many]  # NaN last
            around = MAD_TO_SIGMA * np.nanmedian(np.abs(given - np.nanmedian(given, axis=1)[:, None]), axis=1)
            spread[many, target] = around * np.sqrt(1 + MEDIAN_TO_MEAN**2 / n)
            rank = np.minimum(np.ceil((n + SURELY * np.sqrt(n)) / 2).astype(np.int64), n) - 1
            middle[many, target] = given[np.arange(len(given)), rank]
        if few.any():  # a median of few is easily that of those that were hit: what all of them share
            middle[few, target] = np.nanmax(own[few], axis=1)
            spread[few, target] = middle[few, target] - np.nanmin(own[few], axis=1)
    return middle, spread


def _in_history(series: xr.DataArray, found: xr.Dataset) -> Mask:
    """Looks before the first that is monitored: their residuals are those of a fit, smaller than a new look's."""
    first = found["first_informative"]
    return (~(series["time"] >= first)).transpose(*series.dims).values.astype(bool)


__all__ = ["BARE", "monitor_with_peers", "peer_departure", "weather_of_stands"]
