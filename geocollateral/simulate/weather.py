"""Daily weather of a province, shared by all its parcels: temperature, rain, soil moisture, snow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPIN_UP_DAYS = 460
"""Days simulated before the world starts, so that crops sown the year before are there."""


@dataclass(frozen=True, kw_only=True)
class Climate:
    """What weather is drawn around."""

    mean_c: float
    amplitude_c: float
    """Half the difference between the warmest and the coldest time of the year [K]."""
    rain_mm: tuple[float, ...]
    """By month."""
    overcast_frac: tuple[float, ...]
    """Share of days with a closed cloud cover at the time of the overpass, by month."""
    clear_frac: tuple[float, ...]
    """Share of days without clouds, by month; the rest are partly cloudy."""


@dataclass(frozen=True, kw_only=True)
class WorldYears:
    """Years in which the weather of the whole world is out of the ordinary."""

    drought: int | None = None
    """Calendar year with a dry growing season."""
    late_frost: int | None = None
    """Calendar year with frost in spring, when leaves are out."""


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Daily weather. Arrays have shape (day,), by `days`."""

    days: NDArray[np.datetime64]
    """datetime64[D], with `SPIN_UP_DAYS` before the world's first day."""
    normal_c: NDArray[np.float64]
    """Shape (365,): ordinary temperature by day of the year."""
    temperature_c: NDArray[np.float64]
    rain_mm: NDArray[np.float64]
    moisture: NDArray[np.float64]
    """Water in the upper soil, 0 (wilting) to 1 (saturated)."""
    snow: NDArray[np.float64]
    """Share of open ground under snow, 0-1."""
    frost_day: int | None
    """Position of the late frost."""

    @property
    def year(self) -> NDArray[np.int64]:
        """Calendar year of each day."""
        return self.days.astype("datetime64[Y]").astype(np.int64) + 1970

    @property
    def day_of_year(self) -> NDArray[np.int64]:
        """1 on the first of January."""
        return np.asarray((self.days - self.days.astype("datetime64[Y]")).astype(np.int64) + 1)

    @property
    def month(self) -> NDArray[np.int64]:
        """0 in January."""
        return np.asarray(self.days.astype("datetime64[M]").astype(np.int64) % 12)

    def warmth(self, above_c: float) -> NDArray[np.float64]:
        """Growing degree-days of each day [K d]."""
        return np.maximum(self.temperature_c - above_c, 0.0)

    def position(self, day: np.datetime64) -> int:
        """Index of a day; may lie outside."""
        return int((day - self.days[0]).astype(np.int64))


def smooth(values: NDArray[np.float64], days: float) -> NDArray[np.float64]:
    """Running mean of the past with exponentially falling weights."""
    from scipy.signal import lfilter

    weight = 1.0 / days
    start = [values[0] * (1 - weight)]
    return np.asarray(lfilter([weight], [1, weight - 1], values, zi=start)[0])


def simulate_weather(
    climate: Climate, first: np.datetime64, last: np.datetime64, years: WorldYears, rng: np.random.Generator
) -> Weather:
    """Weather from `SPIN_UP_DAYS` before the first day to the last day."""
    days = np.arange(first - SPIN_UP_DAYS, last + 1)
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    day_of_year = (days - days.astype("datetime64[Y]")).astype(np.int64) + 1
    normal = climate.mean_c - climate.amplitude_c * np.cos(2 * np.pi * (np.arange(1, 366) - 18) / 365)
    temperature = normal[np.minimum(day_of_year, 365) - 1]
    temperature += _autoregressive(days.size, 0.78, 3.0, rng)
    temperature += np.interp(np.arange(days.size), np.arange(0, days.size + 90, 90), _anomalies(days.size, rng))
    dry = (year == years.drought) & (month >= 2) & (month <= 8)
    temperature += np.where(dry, 1.5, 0.0)
    frost_day = _set_frost(temperature, year, day_of_year, years.late_frost, climate, rng)
    rain = _rain(np.asarray(climate.rain_mm)[month] * np.where(dry, 0.3, 1.0), rng)
    moisture, snow = _soil_and_snow(temperature, rain)
    return Weather(
        days=days,
        normal_c=normal,
        temperature_c=temperature,
        rain_mm=rain,
        moisture=moisture,
        snow=snow,
        frost_day=frost_day,
    )


def _autoregressive(n: int, memory: float, spread: float, rng: np.random.Generator) -> NDArray[np.float64]:
    from scipy.signal import lfilter

    shocks = rng.normal(0.0, spread * np.sqrt(1 - memory**2), n)
    return np.asarray(lfilter([1.0], [1.0, -memory], shocks))


def _anomalies(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.normal(0.0, 1.3, -(-(n + 90) // 90))


def _set_frost(
    temperature: NDArray[np.float64],
    year: NDArray[np.int64],
    day_of_year: NDArray[np.int64],
    when: int | None,
    climate: Climate,
    rng: np.random.Generator,
) -> int | None:
    """Lower three nights in the spring of the year below freezing, some weeks after growth began."""
    if when is None:
        return None
    growing = np.flatnonzero((year == when) & (day_of_year > 60))
    warm = growing[np.cumsum(np.maximum(temperature[growing] - 5, 0)) > 150]
    if warm.size == 0:
        return None
    day = int(warm[0]) + int(rng.integers(0, 10))
    temperature[day : day + 3] = np.minimum(temperature[day : day + 3], -2.0 if climate.mean_c < 18 else 1.0)
    return day


def _rain(monthly_mm: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Wet and dry spells, with amounts that make up the month's sum on average."""
    wet_share = np.clip(0.10 + monthly_mm / 420, 0.06, 0.6)
    chance = rng.random(monthly_mm.size)
    amounts = rng.gamma(0.8, 1.0, monthly_mm.size) / 0.8
    wet = np.zeros(monthly_mm.size, dtype=np.bool_)
    for n in range(1, wet.size):  # a wet day makes the next one likelier
        odds = 0.45 + 0.55 * wet_share[n] if wet[n - 1] else wet_share[n] * 0.55 / (1 - wet_share[n])
        wet[n] = chance[n] < odds
    return np.where(wet, amounts * monthly_mm / (30.4 * wet_share), 0.0)


def _soil_and_snow(
    temperature: NDArray[np.float64], rain: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A bucket of 90 mm that rain fills and warmth empties; snow that falls below and melts above freezing."""
    water, pack = 55.0, 0.0
    moisture, snow = np.empty(rain.size), np.empty(rain.size)
    for n, (warm, wet) in enumerate(zip(temperature.tolist(), rain.tolist(), strict=True)):
        falling = wet if warm < 0.5 else 0.0
        melt = min(pack, max(warm, 0.0) * 2.5)
        pack += falling - melt
        loss = max(warm, 0.0) * 0.16 + 0.3
        water = min(max(water + wet - falling + melt - loss * (0.35 + 0.65 * water / 90), 4.0), 90.0)
        moisture[n], snow[n] = water / 90, 1 - np.exp(-pack / 3.0)
    return moisture, snow
