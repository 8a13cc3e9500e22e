"""Real series with known days: breaks, stable radar, a fire in an alert product's metric, mowings.

Called by ``accuracy.py series``; tests marked ``realdata`` hold what must not get worse.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
import xarray as xr
from numpy.typing import NDArray

from geocollateral.assets.mowing import MowingParams, find_mowings
from geocollateral.change import monitor
from geocollateral.change.evaluation import DateScores, match_dates
from geocollateral.types import CANNOT_TELL, CHANGE_STATUSES

LOGGING = tuple(f"7_logging_hls_w{w}.csv" for w in ("0", "12", "34", "56", "78", "910"))
BREAKS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "fire, Sichuan (HLS)": (("1_hls_sc.csv",), "2020-12-31", "2024-03-23"),
    "logging (HLS)": (LOGGING, "2020-12-31", "2024-04-08"),
    "beetle, Colorado (Landsat)": (("2_mpb_co_landsat.csv",), "2005-12-31", "2007"),
    "spongy moth, Massachusetts (Landsat)": (("2_sm_ma_landsat.csv",), "2015-12-31", "2017"),
}
"""Series of px_hls_breaks: files, end of a history known to be quiet, and the label: a day or a year."""


# ---- single pixels


def clear_rows(folder: Path, files: Sequence[str]) -> pd.DataFrame:
    """Clear looks of one pixel in the bands of Landsat [0-1], one row per day."""
    table = pd.concat([pd.read_csv(folder / name).rename(columns=str.lower) for name in files], ignore_index=True)
    table = table[table["qa"].isin([0, 1])]
    bands = table[["blue", "green", "red", "nir", "swir1", "swir2"]].to_numpy(float) / 10_000
    days = pd.to_datetime([dt.date.fromordinal(int(n)) for n in table["dates"]])
    daily = pd.DataFrame(bands, columns=["blue", "green", "red", "nir", "swir16", "swir22"], index=days)
    daily = daily[(daily > 0).all(axis=1) & (daily < 1).all(axis=1)]
    return daily.groupby(level=0).mean()


def pixel_index(folder: Path, files: Sequence[str], index: str) -> xr.DataArray:
    """``nbr``, ``ndvi`` or ``ndmi`` of one pixel on its clear days."""
    rows = clear_rows(folder, files)
    other = rows[{"nbr": "swir22", "ndvi": "red", "ndmi": "swir16"}[index]]
    values = (rows["nir"] - other) / (rows["nir"] + other)
    return xr.DataArray(
        values.to_numpy(), dims="time", coords={"time": rows.index.to_numpy("datetime64[ns]")}, name=index
    )


def monitored(series: xr.DataArray, history_end: str | None) -> dict[str, str]:
    """What the monitor says of one series, in words."""
    found = monitor(series, history_end)
    days = {name: str(found[name].values.astype("datetime64[D]")) for name in DAYS}
    return {"status": CHANGE_STATUSES[int(found["status"])], **days, "magnitude": f"{float(found['magnitude']):.2f}"}


DAYS = ("last_clear_before", "break_date", "detected_on")


def breaks(folder: Path, pyxccd: Path | None) -> list[tuple[str, ...]]:
    """Our breaks of each series by index and history, and those of COLD and S-CCD on its six bands."""
    rows: list[tuple[str, ...]] = []
    for name, (files, end, label) in BREAKS.items():
        for index in ("nbr", "ndvi"):
            series = pixel_index(folder, files, index)
            for history in (end, None):
                said = monitored(series, history)
                method = f"ours, {index}, history {'until ' + end if history else 'shortest'}"
                rows.append((name, label, method, said["status"], *(said[day] for day in DAYS)))
        for method in ("cold", "sccd") if pyxccd is not None else ():
            found = of_pyxccd(clear_rows(folder, files), pyxccd, method)
            rows.append((name, label, method, f"{len(found)} breaks", "", ", ".join(b for b, _ in found), ""))
    return rows


def of_pyxccd(rows: pd.DataFrame, python: Path, method: str) -> list[tuple[str, str]]:
    """Breaks of one pixel by pyxccd with its defaults: first look of each, and look at which it was sure."""
    with tempfile.TemporaryDirectory() as folder:
        given, wanted = Path(folder) / "in.npz", Path(folder) / "out.npz"
        days = rows.index.to_numpy("datetime64[D]").astype(np.int64)
        np.savez(given, days=days, values=rows.to_numpy(np.float32)[:, None, :], bands=np.array(rows.columns, str))
        program = Path(__file__).resolve().parent / "peers" / "pyxccd_breaks.py"
        subprocess.run([str(python), str(program), str(given), str(wanted), method, "0.99"], check=True)  # noqa: S603
        with np.load(wanted) as data:
            return [
                (str(np.datetime64(int(a), "D")), str(np.datetime64(int(d), "D")))
                for a, d in zip(data["after"], data["detected"], strict=True)
            ]


# ---- radar


def stable_radar(folder: Path, side: int, history_end: str | None) -> dict[str, float]:
    """Share of stable ground in each status, over five bursts and both polarisations; every confirmation is false.

    Parameters
    ----------
    side
        Pixels of 30 m along a square whose power is averaged.
    """
    counts = np.zeros(len(CHANGE_STATUSES))
    for burst in sorted(path for path in folder.iterdir() if path.is_dir()):
        for polarisation in ("VV", "VH"):
            series = burst_series(burst, polarisation, side)
            status = monitor(series, history_end)["status"].values.ravel()
            counts += np.bincount(status, minlength=len(CHANGE_STATUSES))
    return dict(zip(CHANGE_STATUSES, (counts / counts.sum()).tolist(), strict=True))


def burst_series(burst: Path, polarisation: str, side: int) -> xr.DataArray:
    """Backscatter of a burst [dB], averaged in power over squares."""
    files = sorted(burst.glob(f"*_{polarisation}.tif"))
    planes = []
    for path in files:
        with rasterio.open(path) as source:
            planes.append(source.read(1).astype(float))
    power = np.stack(planes)
    rows, columns = (n // side * side for n in power.shape[1:])
    power = power[:, :rows, :columns].reshape(len(files), rows // side, side, columns // side, side)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(np.isfinite(power).all(axis=(2, 4)), power.mean(axis=(2, 4)), np.nan)
        decibel = 10 * np.log10(np.where(mean > 0, mean, np.nan))
    days = [np.datetime64(f"{p.name[:4]}-{p.name[4:6]}-{p.name[6:8]}", "ns") for p in files]
    return xr.DataArray(
        decibel, dims=("time", "y", "x"), coords={"time": days}, name=polarisation.lower(), attrs={"units": "dB"}
    )


def chile_fire(folder: Path) -> dict[str, float | str]:
    """The fire of 2024-02 in the metric of the alert product as a series, pixel by pixel.

    The metric counts standard deviations from the product's own baseline, so no history is needed: the fire is dated
    between the last look below `METRIC_LIMIT` and the first above it, where all looks after it are above its half.
    Pixels that the product itself calls disturbed with high confidence at the end stand for the burnt ones: model
    output, not truth.
    """
    files = sorted(folder.glob("*_METRIC.tif"))
    metric = np.stack([_plane(path) for path in files]).astype(float)
    days = np.array([f"{p.name[:4]}-{p.name[4:6]}-{p.name[6:8]}" for p in files], "datetime64[D]")
    kept = np.isfinite(metric).mean(axis=(1, 2)) > 0.5
    metric, days = metric[kept], days[kept]
    status = _plane(Path(str(files[-1]).replace("METRIC", "DIST-STATUS")))
    burnt, calm = status == 6, status == 0
    first = first_lasting(metric)
    fire = first == int(np.flatnonzero(days == np.datetime64("2024-02-04"))[0])
    as_series = xr.DataArray(
        metric, dims=("time", "y", "x"), coords={"time": days.astype("datetime64[ns]")}, name="metric"
    )
    told = monitor(as_series[:, ::10, ::10], "2024-02-03")["status"].values
    return {
        "looks": ", ".join(map(str, days)),
        "burnt pixels dated 2024-02-02..2024-02-04": float(fire[burnt].mean()),
        "burnt pixels dated at all": float((first >= 0)[burnt].mean()),
        "calm pixels dated": float((first >= 0)[calm].mean()),
        "monitor with two looks of history says cannot tell": float((told == CANNOT_TELL).mean()),
    }


METRIC_LIMIT = 3.0
"""Standard deviations from which a look departs: the usual three."""


def first_lasting(metric: NDArray[np.float64]) -> NDArray[np.int64]:
    """Position of the first look that departs and is not taken back; -1 = none. One look at the end may not decide."""
    above = metric >= METRIC_LIMIT
    stays = np.flip(np.minimum.accumulate(np.flip(metric >= METRIC_LIMIT / 2, axis=0), axis=0), axis=0)
    twice = np.flip(np.cumsum(np.flip(above, axis=0), axis=0), axis=0) >= 2
    hit = above & stays & twice
    return np.where(hit.any(axis=0), hit.argmax(axis=0), -1)


def _plane(path: Path) -> NDArray[np.floating]:
    with rasterio.open(path) as source:
        plane: NDArray[np.floating] = source.read(1)
        return plane


# ---- fields

Dates = Callable[[pd.DataFrame], Sequence[np.datetime64]]
"""Takes the looks of one meadow (``day``, and ``ndvi``, ``coherence``, ``vh`` or NaN) and returns days of mowings."""


def meadows(folder: Path) -> tuple[dict[int, pd.DataFrame], pd.DataFrame]:
    """Looks of each meadow, and its dated mowings as ``parcel_id, day``."""
    events = pd.read_csv(folder / "gtdir" / "FOIinfo.csv")
    days = pd.to_datetime(events["Event_date"], format="%d/%m/%Y")
    true = pd.DataFrame({"parcel_id": events["ID"].astype(str), "day": days})
    looks = {}
    for number in sorted(events["ID"].unique().tolist()):
        optical = pd.read_csv(folder / "tsdir" / f"{number}_s2_idx_ts.csv", parse_dates=["date"])
        ndvi = optical[optical["band"] == "NDVI"].set_index("date")["MEAN"].rename("ndvi")
        parts = [ndvi.groupby(level=0).mean()]
        for name, band in (("coherence", "s1_coh6_VV"), ("vh", "s1_bs_VH_rAD")):
            kind = "coh6" if name == "coherence" else "bs"
            radar = pd.read_csv(folder / "tsdir" / f"{number}_s1_{kind}_ts.csv")
            own = radar[radar["band"] == band]
            day = pd.to_datetime(own["date"].astype(str).str[:8], format="%Y%m%d")
            parts.append(pd.Series(own["MEAN"].to_numpy(), index=day, name=name).groupby(level=0).mean())
        looks[int(number)] = pd.concat(parts, axis=1, sort=True).rename_axis("day").reset_index()
    return looks, true


def score_mowings(folder: Path, method: Dates, within_days: int = 10) -> DateScores:
    """Found mowings against the dated ones."""
    looks, true = meadows(folder)
    rows = [(str(number), day) for number, own in looks.items() for day in method(own)]
    found = pd.DataFrame(rows, columns=["parcel_id", "day"]).astype({"day": "datetime64[ns]"})
    return match_dates(found, true, within_days=within_days)


def plain_drops(looks: pd.DataFrame, drop: float = 0.15) -> list[np.datetime64]:
    """The naive mowing rule: NDVI that looks free of cloud falls by more than a step between two looks in the season.

    A look lies under cloud where NDVI is below 0.3, or jumps back by as much within 15 days.
    """
    own = looks.dropna(subset=["ndvi"])
    days, ndvi = own["day"].to_numpy("datetime64[D]"), own["ndvi"].to_numpy(float)
    good = ndvi >= 0.3
    days, ndvi = days[good], ndvi[good]
    found: list[np.datetime64] = []
    for n in range(1, len(ndvi) - 1):
        month = days[n].astype(object).month
        back = ndvi[n + 1] - ndvi[n] > drop and (days[n + 1] - days[n]).astype(int) <= 15
        if ndvi[n - 1] - ndvi[n] > drop and not back and 4 <= month <= 10:
            found.append(days[n - 1] + (days[n] - days[n - 1]) // 2)
    return found


def our_mowings() -> dict[str, Dates]:
    """The package's own method, with and without the coherence of radar."""

    def by_both(looks: pd.DataFrame) -> list[np.datetime64]:
        return _mowings(looks, coherence=True)

    def by_green(looks: pd.DataFrame) -> list[np.datetime64]:
        return _mowings(looks, coherence=False)

    return {"ours, NDVI and coherence": by_both, "ours, NDVI alone": by_green}


def _mowings(looks: pd.DataFrame, *, coherence: bool) -> list[np.datetime64]:
    """Mowings from April to October; in winter grass yellows as if mown."""
    days = looks["day"].to_numpy("datetime64[D]").astype(np.int64)
    green = looks["ndvi"].to_numpy(float)
    radar = np.isfinite(looks["coherence"].to_numpy(float))
    witness = (
        {"coherence_days": days[radar], "coherence": looks["coherence"].to_numpy(float)[radar]} if coherence else {}
    )
    found = find_mowings(days, green, MowingParams(), **witness)
    middles = [np.datetime64(round(one.day), "D") for one in found]
    return [day for day in middles if 4 <= day.astype(object).month <= 10]


def irrigated_field(folder: Path) -> xr.DataArray:
    """Median NDVI of the irrigated field over its one year."""
    with xr.open_dataset(folder / "raw_s2_ndvi_field.nc") as cube:
        series = cube["NDVI"].median(("x", "y")).rename(t="time").rename("ndvi").load()
    return series.drop_vars([name for name in series.coords if name != "time"])


def crop_index(folder: Path, index: str) -> xr.DataArray:
    """NDVI or NDMI of one Sentinel-2 pixel of a field; clear where QA60 is 0, which misses thin cloud and shadow."""
    table = pd.read_csv(folder / "px_hls_breaks" / "3_crop_sentinel2.csv")
    table = table[table["QA60"] == 0]
    days = pd.to_datetime(table["Tile"].str.extract(r"(20\d{6})", expand=False), format="%Y%m%d")
    other = table[{"ndvi": "B4", "ndmi": "B11"}[index]]
    values = (table["B8"] - other) / (table["B8"] + other)
    daily = pd.Series(values.to_numpy(float), index=days).groupby(level=0).mean()
    return xr.DataArray(
        daily.to_numpy(), dims="time", coords={"time": daily.index.to_numpy("datetime64[ns]")}, name=index
    )


def seasons_only(folder: Path) -> list[tuple[str, ...]]:
    """What the monitor says of a field of two crops a year in which nothing is known to have happened."""
    rows = []
    for index in ("ndvi", "ndmi"):
        series = crop_index(folder, index)
        for history in ("2019-12-31", "2020-12-31", None):
            said = monitored(series, history)
            rows.append((index, history or "shortest", str(series.size), said["status"], *(said[day] for day in DAYS)))
    return rows
