"""Kept looks disturbed as sensors, weather and geometry disturb them: quiet ground must stay quiet.

Each disturbance changes reflectance or backscatter at the parcels' pixels; the screens for haze, snow and shadow run
anew, since the product would meet the disturbed look there. Indices, statistics and the ground around follow. What is
not kept cannot be disturbed: the classification stays as it was (a disturbance is one that it missed), and of the
ground around only indices are kept, which follow those of the parcels' pixels look by look (`_around`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import xarray as xr
from numpy.typing import NDArray

from geocollateral.config import Settings
from geocollateral.observe import indices, zonal
from geocollateral.observed import Observed, RadarLooks, screened
from geocollateral.registry import Registry

Floats = NDArray[np.floating[Any]]
Bands = Mapping[str, Floats]
"""Reflectance by band, shape (time, pixel)."""
Stress = Callable[[Observed, np.random.Generator], Observed]
"""Disturbs the reflectance or the backscatter; what follows from them is computed by `stressed`."""

STRESSES: Registry[Stress] = Registry("stress")

NONE = "none"
"""Nothing disturbed, screens run anew all the same: what others are compared with."""
VISIBLE = ("blue", "green", "red")
ORBIT_STEP = 0.06
"""Reflectance above and below the mean, orbit by orbit [share]. On view angles of Sentinel-2: Roy et al. 2017,
doi:10.1016/j.rse.2017.06.019."""
PLATFORM_STEP, PLATFORM_STEP_DB = 0.01, 0.5
PLATFORM_AFTER = 0.6
"""Share of the time after which the other platform flies [1]."""
HAZY_SHARE = 0.1
"""Share of looks under thin haze [1]."""
HAZE: Mapping[str, float] = {
    "blue": 0.03,
    "green": 0.022,
    "red": 0.016,
    "rededge071": 0.012,
    "rededge075": 0.01,
    "rededge078": 0.009,
    "nir": 0.008,
    "nir08": 0.007,
    "swir16": 0.002,
    "swir22": 0.001,
}
"""Path reflectance of thin haze [1]: falls with wavelength. Looks get 0.5 to 1.5 times as much, at random."""
SNOW: Mapping[str, float] = {
    "blue": 0.85,
    "green": 0.85,
    "red": 0.84,
    "rededge071": 0.83,
    "rededge075": 0.82,
    "rededge078": 0.8,
    "nir": 0.78,
    "nir08": 0.75,
    "swir16": 0.12,
    "swir22": 0.1,
}
SNOW_DAYS = 3
"""Looks of each winter that snow covers in part, 0.2 to 0.9 of the ground at random."""
DRY: Mapping[str, float] = {
    "blue": 0.08,
    "green": 0.11,
    "red": 0.16,
    "rededge071": 0.19,
    "rededge075": 0.21,
    "rededge078": 0.23,
    "nir": 0.26,
    "nir08": 0.28,
    "swir16": 0.33,
    "swir22": 0.26,
}
"""Withered plants over dry soil."""
DROUGHT_SHARE = 0.4
"""Share of green cover that withers at the height of the drought [1]."""
FROST_SHARE = 0.35
"""Share of green cover that a late frost kills [1]."""
JITTER_PIXELS = 0.5
"""Largest displacement of a look along each axis [pixels of 10 m]."""
FEWEST_PIXELS = 20
"""Pixels seen on a look from which the ground around can follow them; else it keeps the look as it was."""


def stressed(seen: Observed, name: str, settings: Settings, seed: int = 0) -> Observed:
    """The same looks under a disturbance, by name (`STRESSES`)."""
    changed = STRESSES[name](seen, np.random.default_rng(seed))
    if seen.optical is None or changed.optical is seen.optical or seen.found is None:
        return changed
    assert changed.optical is not None  # noqa: S101 - a disturbance takes no sensor away
    was, visible = _visible(seen.optical), _visible(changed.optical)
    visible &= ~screened(changed.optical, visible, settings.masks)
    shown = xr.DataArray(visible, dims=("time", "pixel"))
    optical = changed.optical.where(shown)
    found = indices.compute_indices(optical, [str(n) for n in seen.found.data_vars])
    return replace(
        changed,
        optical=optical,
        found=found,
        statistics=zonal.zonal_statistics(found, visible, seen.cover),
        around=None if seen.around is None else _around(seen.around, seen.found, found, was, visible),
    )


def _visible(optical: xr.Dataset) -> NDArray[np.bool_]:
    return np.asarray(np.logical_or.reduce([np.isfinite(band.values) for band in optical.data_vars.values()]))


def _around(
    around: xr.Dataset, before: xr.Dataset, after: xr.Dataset, seen: NDArray[np.bool_], left: NDArray[np.bool_]
) -> xr.Dataset:
    """Indices of the ground around as those of the parcels' pixels changed, look by look.

    A straight line from the old index and the old NDVI to the new index, fitted on the pixels of the look. Where most
    of them were screened, the look at the ground around is lost too.
    """
    mean, fraction = around["mean"].values.copy(), around["valid_fraction"].values.copy()
    names = [str(n) for n in around["index"].values]
    green = before["ndvi"].values if "ndvi" in before else None
    cells_green = around["mean"].sel(index="ndvi").values if "ndvi" in names else None
    places = {day: n for n, day in enumerate(before["time"].values)}
    for t, day in enumerate(around["time"].values):
        look = places.get(day)
        if look is None or seen[look].sum() < FEWEST_PIXELS:
            continue
        if left[look].sum() < seen[look].sum() / 2:
            mean[:, t], fraction[:, t] = np.nan, 0.0
            continue
        for i, name in enumerate(names):
            old, new = before[name].values[look], after[name].values[look]
            columns, cells = [np.ones_like(old), old], [np.ones_like(mean[i, t]), mean[i, t]]
            if name != "ndvi" and green is not None and cells_green is not None:
                columns.append(green[look])
                cells.append(cells_green[t])
            known = np.isfinite(np.stack([*columns, new])).all(axis=0)
            if known.sum() < FEWEST_PIXELS:
                continue
            line = np.linalg.lstsq(np.stack(columns, 1)[known], new[known], rcond=None)[0]
            mean[i, t] = np.stack(cells, 1) @ line
    return around.assign(mean=(around["mean"].dims, mean), valid_fraction=(around["valid_fraction"].dims, fraction))


def _optical(seen: Observed, change: Callable[[str, Floats], Floats]) -> Observed:
    """The same looks with the reflectance of each band changed, kept above nought."""
    if seen.optical is None:
        return seen
    bands = {
        str(name): (band.dims, np.maximum(change(str(name), band.values), 1e-4).astype(np.float32))
        for name, band in seen.optical.data_vars.items()
    }
    return replace(seen, optical=seen.optical.assign(bands))


def _is_south(seen: Observed) -> bool:
    x, y = seen.geobox.affine @ (seen.geobox.shape.x / 2, seen.geobox.shape.y / 2)
    _, latitude = pyproj.Transformer.from_crs(str(seen.geobox.crs), "EPSG:4326", always_xy=True).transform(x, y)
    return bool(latitude < 0)


def _days(seen: Observed) -> NDArray[np.datetime64]:
    none = np.zeros(0, "datetime64[D]")
    return none if seen.optical is None else seen.optical["time"].values.astype("datetime64[D]")


def orbit_sides(seen: Observed) -> NDArray[np.float64]:
    """-1 or 1 per look: relative orbits in turn, in order of their names; days in turn where no orbit is known."""
    days = _days(seen)
    known = {
        np.datetime64(str(row["datetime"])[:10], "D"): str(row.get("orbit", ""))
        for row in seen.scenes
        if set(row["bands"]) - {"vv", "vh"}
    }
    names = sorted({name for name in known.values() if name})
    if len(names) < 2:
        return np.where(np.arange(len(days)) % 2, 1.0, -1.0)
    return np.array([1.0 if name and names.index(name) % 2 else -1.0 for name in (known.get(d, "") for d in days)])


@STRESSES.register(NONE)
def none(seen: Observed, _: np.random.Generator) -> Observed:
    """The looks as they were."""
    return _optical(seen, lambda _name, values: values)


@STRESSES.register("orbit")
def orbit(seen: Observed, _: np.random.Generator) -> Observed:
    """All bands 6 % brighter from one orbit and 6 % darker from the other."""
    side = (1 + ORBIT_STEP * orbit_sides(seen))[:, None]
    return _optical(seen, lambda _name, values: values * side)


@STRESSES.register("orbit_colour")
def orbit_colour(seen: Observed, _: np.random.Generator) -> Observed:
    """Visible bands by 6 %, others by 3 %: the indices change with the orbit too."""
    sides = orbit_sides(seen)[:, None]
    return _optical(seen, lambda name, v: v * (1 + (ORBIT_STEP if name in VISIBLE else ORBIT_STEP / 2) * sides))


@STRESSES.register("platform")
def platform(seen: Observed, _: np.random.Generator) -> Observed:
    """From a day on another platform: 1 % more reflectance and 0.5 dB more backscatter."""
    spans = [_days(seen), *(looks.power["time"].values.astype("datetime64[D]") for looks in seen.radar.values())]
    first, last = min(s[0] for s in spans if len(s)), max(s[-1] for s in spans if len(s))
    since = first + np.timedelta64(int((last - first).astype(int) * PLATFORM_AFTER), "D")
    later = (_days(seen) >= since)[:, None]
    changed = _optical(seen, lambda _name, values: values * np.where(later, 1 + PLATFORM_STEP, 1.0))
    return replace(changed, radar={name: _brighter(looks, since) for name, looks in seen.radar.items()})


def _brighter(looks: RadarLooks, since: np.datetime64) -> RadarLooks:
    def later(table: xr.Dataset) -> xr.DataArray:
        flown = (table["time"].values.astype("datetime64[D]") >= since).astype(float)
        return xr.DataArray(flown, dims="time", coords={"time": table["time"]})

    def raised(table: xr.Dataset) -> xr.Dataset:
        levels = [n for n in ("mean", "p10", "p50", "p90") if n in table]
        dims = {name: table[name].dims for name in levels}
        return table.assign({n: (table[n] + PLATFORM_STEP_DB * later(table)).transpose(*dims[n]) for n in levels})

    power = looks.power * 10 ** (PLATFORM_STEP_DB / 10 * later(looks.power))
    return RadarLooks(
        power=power.transpose(*looks.power.dims).astype(np.float32).assign_attrs(looks.power.attrs),
        statistics=raised(looks.statistics),
        around=raised(looks.around),
    )


@STRESSES.register("haze")
def haze(seen: Observed, rng: np.random.Generator) -> Observed:
    """Thin haze that the classification missed, over a tenth of the looks."""
    n = len(_days(seen))
    depth = np.where(rng.random(n) < HAZY_SHARE, rng.uniform(0.5, 1.5, n), 0.0)[:, None]
    return _optical(seen, lambda name, values: values * (1 - 0.03 * depth) + HAZE.get(name, 0.0) * depth)


@STRESSES.register("snow")
def snow(seen: Observed, rng: np.random.Generator) -> Observed:
    """Snow that the classification missed, in part of the ground, on a few looks of December to February."""
    days = pd.DatetimeIndex(_days(seen))
    if not len(days):
        return seen
    winter = np.where(days.month == 12, days.year + 1, days.year)
    cold = np.isin(days.month, (12, 1, 2))
    if _is_south(seen):
        winter, cold = days.year.to_numpy(), np.isin(days.month, (6, 7, 8))
    cover = np.zeros(len(days))
    for year in np.unique(winter[cold]):
        own = np.flatnonzero(cold & (winter == year))
        picked = rng.choice(own, min(SNOW_DAYS, len(own)), replace=False)
        cover[picked] = rng.uniform(0.2, 0.9, len(picked))
    share = cover[:, None]
    return _optical(seen, lambda name, values: (1 - share) * values + share * SNOW.get(name, 0.5))


@STRESSES.register("drought")
def drought(seen: Observed, _: np.random.Generator) -> Observed:
    """A dry summer for all: of the last whole year but one, green cover withers from June and is back in October."""
    return _withered(seen, month=6, share=DROUGHT_SHARE, course=((0, 0), (30, 1), (90, 1), (120, 0)))


@STRESSES.register("frost")
def frost(seen: Observed, _: np.random.Generator) -> Observed:
    """A night of frost in May of the last whole year but one: young leaves of all die and are back in seven weeks."""
    return _withered(seen, month=5, share=FROST_SHARE, course=((0, 0), (5, 1), (25, 1), (50, 0)))


def _withered(seen: Observed, *, month: int, share: float, course: Sequence[tuple[float, float]]) -> Observed:
    """A share of green cover turned dry from the first day of a northern month on; by days since then, how far."""
    days = pd.DatetimeIndex(_days(seen))
    if seen.optical is None or not {"red", "nir"} <= set(seen.optical) or not len(days):
        return seen
    start = pd.Timestamp(int(days[-1].year) - 1, month, 1)
    if _is_south(seen):
        start -= pd.DateOffset(months=6)
    age = (days - start).days.to_numpy()
    when, depth_then = zip(*course, strict=True)
    depth = share * np.interp(age, when, depth_then, left=0, right=0)[:, None]
    red, nir = seen.optical["red"].values, seen.optical["nir"].values
    with np.errstate(divide="ignore", invalid="ignore"):
        green = np.clip(((nir - red) / (nir + red) - 0.2) / 0.6, 0, 1)
    dry = (depth * green).astype(np.float32)
    return _optical(seen, lambda name, values: (1 - dry) * values + dry * DRY.get(name, 0.2))


@STRESSES.register("jitter")
def jitter(seen: Observed, rng: np.random.Generator) -> Observed:
    """Each look displaced by up to 5 m along each axis: pixels mix with their neighbours, as far as those are kept.

    Beyond the pixels kept, and under a cloud, the pixel stands for its neighbour: edges of lone parcels are disturbed
    less than a displaced look would.
    """
    if seen.optical is None:
        return seen
    shifts = rng.uniform(-JITTER_PIXELS, JITTER_PIXELS, (len(_days(seen)), 2))
    sides = _neighbours(seen.cover.pixels, seen.geobox.shape.x)

    def moved(_name: str, values: Floats) -> Floats:
        out = values
        for axis in (0, 1):
            near = np.where(shifts[:, axis, None] > 0, out[:, sides[axis][0]], out[:, sides[axis][1]])
            near = np.where(np.isfinite(near), near, out)
            weight = np.abs(shifts[:, axis, None])
            out = (1 - weight) * out + weight * near
        return np.asarray(out, np.float32)

    return _optical(seen, moved)


def _neighbours(pixels: NDArray[np.int64], width: int) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]:
    """Of each pixel, the place of its neighbours right, left, below and above; its own where they are not kept."""
    place = {int(p): n for n, p in enumerate(pixels)}
    column = pixels % width

    def beside(step: int, there: NDArray[np.bool_]) -> NDArray[np.intp]:
        return np.array(
            [place.get(int(p) + step, n) if ok else n for n, (p, ok) in enumerate(zip(pixels, there, strict=True))]
        )

    whole = np.ones(len(pixels), bool)
    return (
        (beside(1, column < width - 1), beside(-1, column > 0)),
        (beside(width, whole), beside(-width, whole)),
    )


__all__ = ["NONE", "STRESSES", "orbit_sides", "stressed"]
