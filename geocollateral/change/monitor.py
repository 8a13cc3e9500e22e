"""One function for every series, ``monitor(series, history_end)``; for several sensors together `monitor_joint`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from geocollateral.change.evidence import SequentialParams
from geocollateral.change.given import (
    Day,
    day_number,
    days_of,
    is_decibel,
    require_no_fill,
    require_scale,
    require_series,
)
from geocollateral.change.state import Outcome, Watch, outcome_of
from geocollateral.change.streams import Looks, Plan, Stream
from geocollateral.errors import InvalidInput
from geocollateral.registry import Registry
from geocollateral.types import CHANGE_STATUSES, Params

SERIES_AT_ONCE = 8192
"""Bounds what the monitor takes beside its input and result: fewer cost more calls, more do not fit the cache."""


FEW = 64
"""Series that most often show whether there is a look at all."""
NS_PER_DAY = np.int64(86_400_000_000_000)
NAT = np.datetime64("NaT", "ns").astype(np.int64)


@dataclass(frozen=True)
class Method:
    """A change method: what runs, and the class of its parameters."""

    run: Callable[[Plan, Sequence[Looks], Watch | None], Outcome]
    """Takes what is monitored and the looks by stream."""
    params: type[Params]


METHODS: Registry[Method] = Registry("change method")


def monitor_sequential(plan: Plan, looks: Sequence[Looks], watch: Watch | None = None) -> Outcome:
    """All looks of some series at once: the same as one after the other with `update`."""
    return outcome_of(plan, looks, watch)


METHODS.register("sequential")(Method(monitor_sequential, SequentialParams))

NORMALISED_DIFFERENCE: Mapping[str, float] = {
    "amplitude_prior": 0.25,
    "noise_floor": 0.03,
    "min_magnitude": 0.12,
}
"""Defaults for optical indices within -1..1 [1]."""

DAMPED = frozenset({"evi", "evi2", "savi", "msavi", "msavi2", "kndvi"})
"""Indices whose range from bare ground to a closed canopy is about two thirds of NDVI's: 0.1..0.6 against 0.15..0.9.
Huete et al. 2002, doi:10.1016/S0034-4257(02)00096-2."""
DAMPING = 2 / 3

BACKSCATTER_DB: Mapping[str, float] = {
    "amplitude_prior": 2.0,
    "noise_floor": 0.8,
    "min_magnitude": 2.0,
}
"""Defaults for backscatter in dB [dB]: the noise is speckle of a single pixel or a small parcel."""


def default_params(series: xr.DataArray, method: str = "sequential") -> Params:
    """Parameters that fit the unit of a series: backscatter in dB (see `is_decibel`), else an index in -1..1.

    Of the indices that are `DAMPED` all three are two thirds of those of a normalised difference.
    """
    unit = BACKSCATTER_DB if is_decibel(series) else NORMALISED_DIFFERENCE
    if unit is NORMALISED_DIFFERENCE and str(series.name).lower() in DAMPED:
        unit = {name: round(value * DAMPING, 4) for name, value in unit.items()}
    known = METHODS[method].params
    return known(**{name: value for name, value in unit.items() if name in known.model_fields})


def monitor(
    series: xr.DataArray,
    history_end: Day,
    method: str = "sequential",
    params: Params | None = None,
    *,
    common: xr.DataArray | None = None,
    common_sd: xr.DataArray | None = None,
    curves: bool = False,
) -> xr.Dataset:
    """Find the first lasting change of each series after its history.

    Looks are taken in order of time, whatever order they come in; the result at any time depends on earlier looks only.

    Parameters
    ----------
    series
        First dimension ``time`` (dates or ISO texts in any order, from 1970 on; with a zone, in UTC; two values for a
        day refused); any further
        dimensions (pixels or parcels). Named after its index (``ndvi``, ``nbr``, ``vh`` ...); backscatter in dB says
        ``attrs["units"] = "dB"``. NaN = no observation; infinite values count as none.
    history_end
        Last day of the history the baseline is fitted on, or None: each series' shortest beginning that is long enough.
    method
        A name of `METHODS`.
    params
        Parameters of the method, in the unit of the series; by default those of `default_params`, for which an index
        must lie within about -1..1. An index of another range (tasselled cap, ratios) wants its own
        ``amplitude_prior``, ``noise_floor`` and ``min_magnitude``.
    common, common_sd
        Departure that all series of a kind share on a look, such as that of a drought, and its sd [unit of the series];
        broadcast against ``series``, NaN = not known, taken as none. It is taken off before a look is weighed. See
        `peer_departure`.
    curves
        Whether to give the baseline along time too.

    Returns
    -------
    On the dimensions of ``series`` without time: ``status`` (int8, ``flag_values`` / ``flag_meanings``), ``break_date``
    (first look that showed the change; of a suspicion, the first suspicious look), ``last_clear_before``,
    ``detected_on`` (NaT until confirmed), ``recovered_on``, ``magnitude`` [unit of the series; NaN without suspicion],
    ``probability`` (0-1; NaN where it cannot be told), ``n_looks``, ``n_informative``, ``first_informative``,
    ``last_informative`` (looks after the history on which a change would have shown), ``season_max`` and
    ``season_min`` (range of the baseline on the looks of its history). With ``curves``, along time: ``expected`` and
    ``spread`` (the baseline as known before each look, NaN where there is none) and ``informative`` (whether a change
    would have shown on that day).

    Raises
    ------
    InvalidInput
        No ``time`` dimension in front, times that are not dates, two values for one day, a ``history_end`` that is no
        whole date, an unknown method; without ``params``, values of another scale than an index or dB.
    """
    run, series = METHODS[method].run, require_series(series)
    if params is None:
        require_scale(series)
    chosen = params if params is not None else default_params(series, method)
    if not isinstance(chosen, SequentialParams):
        raise InvalidInput(
            f"params for method {method!r} must be SequentialParams, got {type(chosen).__name__}: give "
            "SequentialParams(...), or default_params(series).model_copy(update={...})"
        )
    days, order = days_of(series)
    name = str(series.name or "")
    stream = Stream(name=name, indices=(name,), params=(chosen,))
    plan = Plan(streams=(stream,), history_end=day_number(history_end))
    values = _flat(series)
    taken = None if common is None else [_flat(common.broadcast_like(series).transpose(*series.dims))]
    doubt = None if common_sd is None else [_flat(common_sd.broadcast_like(series).transpose(*series.dims))]
    parts, watches = [], []
    for part in _parts(values.shape[1]):
        one = _looks([values[:, part]], days, order, taken, doubt, part)
        watch = Watch(plan, days[order], part.stop - part.start) if curves else None
        parts.append(run(plan, [one], watch))
        watches.append(watch)
    found = _dataset(parts, series.dims[1:], series.shape[1:], plan, joint=False)
    if params is None:
        require_no_fill(series, found)
    found.attrs.update(index=name, method=method)
    if curves:
        for variable in ("expected", "spread", "informative"):
            along = np.concatenate([getattr(watch, variable) for watch in watches], axis=1)
            given = np.empty_like(along)
            given[order] = along  # back to the order of time in which the series came
            found[variable] = series.dims, given.reshape(series.shape)
    return found.assign_coords({n: c for n, c in series.coords.items() if curves or "time" not in c.dims})


def monitor_joint(
    sensors: Mapping[str, xr.Dataset],
    history_end: Day,
    params: Mapping[str, SequentialParams | Mapping[str, Any]],
    *,
    common: Mapping[str, xr.Dataset] | None = None,
    common_sd: Mapping[str, xr.Dataset] | None = None,
) -> xr.Dataset:
    """Find the first lasting change of each series by the looks of several sensors and indices together.

    Parameters
    ----------
    sensors
        By name of the sensor (of radar: of the relative orbit, since from two sides the same ground is not the same):
        its indices, seen together, the leading one first. Each index has ``time`` first, as in `monitor`, then the
        same further dimensions in all sensors. The first sensor leads.
    history_end
        As in `monitor`, for each sensor.
    params
        By index. The parameters of what is decided once (hazard, thresholds) are those of the leading index.
    common, common_sd
        By name of the sensor, each of its indices: as in `monitor`. Of a sensor without them nothing is taken off.

    Returns
    -------
    As `monitor` without curves; ``magnitude`` and the range of the season are the leading index's. Also ``magnitudes``,
    ``seasons_max`` and ``seasons_min`` along ``index`` (named ``sensor:index``) and ``evidence`` along ``sensor``: its
    share in what speaks for the change [0-1, NaN without one].

    Raises
    ------
    InvalidInput
        As `monitor`; an index without parameters; sensors whose series do not match.
    """
    streams, looks = [], []
    shape: tuple[tuple[Any, ...], tuple[int, ...]] | None = None
    for sensor, seen in sensors.items():
        indices = [str(name) for name in seen.data_vars]
        lacking = [name for name in indices if name not in params]
        if lacking or not indices:
            raise InvalidInput(f"sensor {sensor!r} has indices {indices}; no parameters for {lacking}")
        seen = seen.map(require_series)
        days, order = days_of(seen[indices[0]])
        own = (seen[indices[0]].dims[1:], seen[indices[0]].shape[1:])
        shape = own if shape is None else shape
        if own != shape or any(seen[name].dims != seen[indices[0]].dims for name in indices):
            raise InvalidInput(f"series of sensor {sensor!r} have dims {own}, others {shape}")
        chosen = tuple(_as_params(params[name]) for name in indices)
        streams.append(Stream(name=sensor, indices=tuple(indices), params=chosen))
        taken, doubt = (
            [_flat(given[sensor][name].broadcast_like(seen[name]).transpose(*seen[name].dims)) for name in indices]
            if given is not None and sensor in given
            else None
            for given in (common, common_sd)
        )
        looks.append(([_flat(seen[name]) for name in indices], days, order, taken, doubt))
    if shape is None:
        raise InvalidInput("no sensor given")
    plan = Plan(streams=tuple(streams), history_end=day_number(history_end))
    parts = [
        monitor_sequential(
            plan,
            [
                _looks([v[:, part] for v in values], days, order, taken, doubt, part)
                for values, days, order, taken, doubt in looks
            ],
        )
        for part in _parts(math.prod(shape[1]))
    ]
    found = _dataset(parts, *shape, plan, joint=True)
    first = next(iter(sensors.values()))
    return found.assign_coords({n: c for n, c in first.coords.items() if "time" not in c.dims})


def _as_params(given: SequentialParams | Mapping[str, Any]) -> SequentialParams:
    return given if isinstance(given, SequentialParams) else SequentialParams.model_validate(dict(given))


def _parts(n: int) -> list[slice]:
    return [slice(first, min(first + SERIES_AT_ONCE, n)) for first in range(0, max(n, 1), SERIES_AT_ONCE)]


def _flat(series: xr.DataArray) -> NDArray[Any]:
    return series.values.reshape(len(series), math.prod(series.shape[1:]))


def _looks(
    values: Sequence[NDArray[Any]],
    days: NDArray[np.int32],
    order: NDArray[np.intp],
    taken: Sequence[NDArray[Any]] | None = None,
    doubt: Sequence[NDArray[Any]] | None = None,
    part: slice = slice(None),
) -> Looks:
    own = np.empty((len(values), *values[0].shape), np.float32)
    sorted_already = bool((np.diff(order) == 1).all())
    for place, one in zip(own, values, strict=True):
        np.copyto(place, one if sorted_already else one[order], casting="same_kind")
    if taken is not None:
        for place, off in zip(own, taken, strict=True):
            place -= np.nan_to_num(off[:, part][order])
    sd = None
    if doubt is not None:
        sd = np.stack([np.nan_to_num(one[:, part][order]) for one in doubt]).astype(np.float32)
    there = _seen(own)
    when = days[order]
    if there.all():
        return Looks(days=when, values=own, doubt=sd)
    return Looks(days=when, values=own, doubt=sd).rows(np.flatnonzero(there))


def _seen(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether there is any look: shape (index, time, series) to (time,)."""
    seen: NDArray[np.bool_] = np.array(np.isfinite(values[..., :FEW]).any(axis=(0, 2)), bool)
    for t in np.flatnonzero(~seen):
        seen[t] = np.isfinite(values[:, t]).any()
    return seen


def _dataset(
    parts: Sequence[Outcome], space: tuple[Any, ...], shape: tuple[int, ...], plan: Plan, *, joint: bool
) -> xr.Dataset:
    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts], axis=-1)

    def plain(values: NDArray[Any]) -> tuple[tuple[Any, ...], NDArray[Any]]:
        return space, values.reshape(shape)

    def date(name: str) -> tuple[tuple[Any, ...], NDArray[Any]]:
        days = joined(name)
        # By hand: numpy's conversion from days takes many times as long.
        return plain(np.where(days >= 0, days * NS_PER_DAY, NAT).view("datetime64[ns]"))

    magnitudes, shares, highest, lowest = (
        joined(name).astype(np.float64) for name in ("magnitude", "shares", "season_max", "season_min")
    )
    out = xr.Dataset(
        {
            "status": plain(joined("status")),
            "break_date": date("broken"),
            "last_clear_before": date("last_before"),
            "detected_on": date("detected"),
            "recovered_on": date("recovered"),
            "magnitude": plain(magnitudes[0]),
            "probability": plain(joined("probability")),
            "n_looks": plain(joined("n_looks")),
            "n_informative": plain(joined("n_informative")),
            "first_informative": date("first_informative"),
            "last_informative": date("last_informative"),
            "season_max": plain(highest[0]),
            "season_min": plain(lowest[0]),
        }
    )
    if joint:
        names = [f"{stream.name}:{index}" for stream in plan.streams for index in stream.indices]
        for name, values in (("magnitudes", magnitudes), ("seasons_max", highest), ("seasons_min", lowest)):
            out[name] = (("index", *space), values.reshape(-1, *shape))
        out["evidence"] = (("sensor", *space), shares.reshape(-1, *shape))
        out = out.assign_coords(index=names, sensor=[stream.name for stream in plan.streams])
    out["status"].attrs.update(
        flag_values=np.arange(len(CHANGE_STATUSES), dtype=np.int8), flag_meanings=" ".join(CHANGE_STATUSES)
    )
    return out
