"""One block, all its dates, in one task: from digital numbers to judged parcels.

Written once, top to bottom; only this file, `observed` and `service` know the order of the stages. Everything returned
is small: tables by parcel, and the year of loss of the pixels for the map.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import xarray as xr
from numpy.typing import NDArray

from geocollateral.assets import ASSETS, DAMAGE_BANDS, Asset, decide, judge_damage, judge_mixture, settle
from geocollateral.change import BARE, SequentialParams, default_params, monitor, monitor_joint, weather_of_stands
from geocollateral.config import Settings
from geocollateral.observe import indices, zonal
from geocollateral.observed import BESIDE_PIXELS, Observed, Part, observe, optical_bands
from geocollateral.types import (
    CANNOT_TELL,
    CHANGE_COLUMNS,
    CHANGE_STATUSES,
    OPTICAL_BANDS,
    RADAR_BANDS,
    Block,
    Event,
    Hit,
    Judgement,
    ParcelEvidence,
    PixelChange,
    RadarEvidence,
    Source,
)

MIXTURE_BANDS = ("red", "nir", "nir08", "swir16")
"""What the test of the polygon looks at, where it is offered."""
GROUND_CHANGES = frozenset(
    {"stand_loss", "land_preparation", "encroachment", "construction_start", "demolition", "pv_build", "wind_build"}
)
"""Kinds of events whose pixels are drawn on the map: ground that is another than it was."""
LOOKED_BESIDE = frozenset({"construction"})
"""Asset classes whose works may spread over the edge of the polygon."""
MOST_OF_PARCEL = 0.5
"""Share from which a change that only the mean of a parcel tells is drawn on the whole of it [0-1]."""
GENERAL_INDICES = ("ndvi", "ndmi")
"""Series given for every parcel, whatever its asset class, where the bands allow."""
CHART_STEP_DAYS = 8


@dataclass(frozen=True, kw_only=True)
class BlockTask:
    """All one task needs; pickles."""

    optical: Part | None
    radar: tuple[Part, ...]
    """Windows of radar lattices around the same parcels; at least one part there is."""
    attributes: Mapping[str, Mapping[str, Any]]
    asset_classes: frozenset[str]
    """Of the whole project, so that every block reads the same bands and the count of observations adds up."""
    visible_fraction: Mapping[str, float]
    source: Source
    settings: Settings
    as_of: dt.date

    @property
    def parts(self) -> tuple[Part, ...]:
        """The optical part, where there is one, and the radar parts."""
        return self.radar if self.optical is None else (self.optical, *self.radar)

    @property
    def block(self) -> Block:
        """Window the parcels are judged on."""
        return self.parts[0].block

    @property
    def own_bands(self) -> list[str]:
        """Bands that are judged as such, beside those of the indices."""
        reported = self.settings.damage.event_kind
        return sorted({*wanted_bands(self.asset_classes), *(() if reported is None else DAMAGE_BANDS[reported])})

    def bands(self, part: Part) -> list[str]:
        """Bands that are read for a part."""
        wanted = wanted_indices(self.asset_classes, part.offered)
        if part is not self.optical:
            return wanted
        return optical_bands(wanted, self.own_bands, part.offered)


@dataclass(frozen=True, kw_only=True)
class BlockResult:
    """What one block has to say. Tables have the columns their records in `types` name."""

    series: pd.DataFrame
    changes: pd.DataFrame
    baselines: pd.DataFrame
    judgements: Mapping[str, Judgement]
    hits: tuple[Hit, ...]
    scenes: tuple[Mapping[str, Any], ...]
    lost_pixels: NDArray[np.int64]
    """Shape (pixel, 3): row and column in the grid, year of loss."""
    withheld: tuple[Hit, ...] = ()
    """Hits whose score is below the threshold of an early warning: no alerts. Their events are in `changes` all the
    same, as suspected."""


def assess_block(task: BlockTask) -> BlockResult:
    """Read a block once and judge every parcel in it."""
    return judge_block(task, observe_block(task))


def observe_block(task: BlockTask) -> Observed:
    """All looks at the parcels of a block."""
    wanted = [] if task.optical is None else wanted_indices(task.asset_classes, task.optical.offered)
    beside = [i for i, row in task.attributes.items() if row["asset_class"] in LOOKED_BESIDE]
    return observe(task.optical, task.radar, wanted, task.own_bands, task.source, task.settings, beside)


def judge_block(task: BlockTask, seen: Observed, *, alerts_only: bool = False) -> BlockResult:
    """Monitor and judge every parcel of a block on the looks there are.

    Parameters
    ----------
    alerts_only
        Leave the means of parcels unmonitored: no alert follows from them.
    """
    settings, cover = task.settings, seen.cover
    tables = [table for table in (seen.found, seen.optical) if table is not None]
    offered = [str(name) for table in tables for name in table.data_vars]
    classes = {parcel_id: str(task.attributes[parcel_id]["asset_class"]) for parcel_id in cover.parcel_ids}
    judged = _judged_classes(classes.values(), offered)
    pixels = {c: pixel_changes(seen, classes, ASSETS[c], settings) for c in judged}
    changes: list[dict[str, Any]] = []
    baselines: list[pd.DataFrame] = []
    if not alerts_only:
        if seen.statistics is not None:
            changes, baselines = monitor_parcels(seen.statistics, classes, settings, seen.sensor)
        changes += monitor_sensors(seen, classes, settings)
    judgements: dict[str, Judgement] = {}
    hits: list[Hit] = []
    lost: list[NDArray[np.int64]] = []
    for position, parcel_id in enumerate(cover.parcel_ids):
        asset_class = classes[parcel_id]
        if asset_class not in pixels:
            judgements[parcel_id] = _no_judgement(asset_class, offered)
            continue
        asset = ASSETS[asset_class]
        evidence = evidence_of(task, seen, position, pixels[asset_class])
        params = getattr(settings, asset.name)
        judgement = _with_damage(_with_mixture(asset.judge(evidence, params), evidence, settings), evidence, settings)
        judgements[parcel_id] = _settled(judgement, evidence)
        decided = [decide(hit, asset_class, settings.decision) for hit in asset.hits(evidence, judgement, params)]
        hits += decided
        slight = _withheld_events(decided)
        changes += [
            _event_row(parcel_id, event, len(evidence.look_days), "suspected" if _key(event) in slight else "confirmed")
            for event in judgement.events
        ]
        lost += [_lost_pixels(evidence, event) for event in judgement.events if event.kind in GROUND_CHANGES]
    return BlockResult(
        series=seen.series,
        changes=pd.DataFrame(changes, columns=list(CHANGE_COLUMNS)),
        baselines=_concat(baselines, ("parcel_id", "index", "time", "expected", "spread", "informative")),
        judgements=judgements,
        hits=tuple(hit for hit in hits if not _is_withheld(hit)),
        withheld=tuple(hit for hit in hits if _is_withheld(hit)),
        scenes=seen.scenes,
        lost_pixels=np.concatenate([*lost, np.zeros((0, 3), np.int64)]),
    )


def _settled(judgement: Judgement, evidence: ParcelEvidence) -> Judgement:
    """The judgement with a check of every claim, the unchecked ones too."""
    looks, pixels = len(evidence.look_days), len(evidence.area_m2)
    return settle(evidence.attributes, judgement, as_of=evidence.as_of, n_looks=looks, n_pixels=pixels)


def _is_withheld(hit: Hit) -> bool:
    return hit.decision is not None and hit.decision.point is None


def _withheld_events(hits: Sequence[Hit]) -> set[tuple[str, dt.date, dt.date]]:
    """Events of one parcel of which every hit is withheld."""
    said = {_key(hit.event) for hit in hits if not _is_withheld(hit)}
    return {_key(hit.event) for hit in hits} - said


def _key(event: Event) -> tuple[str, dt.date, dt.date]:
    return event.kind, event.last_clear_before, event.first_clear_after


def _with_mixture(judgement: Judgement, evidence: ParcelEvidence, settings: Settings) -> Judgement:
    """The judgement with what is to be said of the polygon itself: a wrong one makes every other figure wrong."""
    found = judge_mixture(evidence, settings.mixture, judgement.events)
    reason = f"{judgement.reason} {found.reason}" if found.verdict == "mismatch" else judgement.reason
    return replace(judgement, reason=reason, columns={**judgement.columns, **found.columns})


def _with_damage(judgement: Judgement, evidence: ParcelEvidence, settings: Settings) -> Judgement:
    """The judgement with the damage of the reported event, or of a fire or flood among its own."""
    found = judge_damage(evidence, judgement.events, settings.damage)
    reason = f"{judgement.reason} {found.sentence}".strip()
    return replace(judgement, reason=reason, columns={**judgement.columns, **found.columns})


def wanted_indices(asset_classes: Collection[str], offered: Collection[str]) -> list[str]:
    """Indices of the asset classes of a project, and the general ones, that the bands offered allow."""
    known = [ASSETS[c] for c in sorted(set(asset_classes) & set(ASSETS))]
    wanted = [name for asset in known for name in asset.indices]
    wanted += [name for asset in known for name in asset.optional if name not in OPTICAL_BANDS]
    wanted += [*GENERAL_INDICES, *RADAR_BANDS]
    unique = list(dict.fromkeys(wanted))
    return [name for name in unique if set(indices.bands_of(name, offered)) <= set(offered)]


def wanted_bands(asset_classes: Collection[str]) -> list[str]:
    """Bands that asset classes of a project judge by themselves, beside those of their indices."""
    known = [ASSETS[c] for c in set(asset_classes) & set(ASSETS)]
    bands = {band for asset in known for band in (*asset.bands, *asset.optional) if band in OPTICAL_BANDS}
    return sorted(bands | set(MIXTURE_BANDS) if known else bands)


def _judged_classes(classes: Iterable[str], offered: Collection[str]) -> list[str]:
    """Asset classes among some that have a judgement and all the indices and bands it needs."""
    known = [ASSETS[name] for name in sorted(set(classes) & set(ASSETS))]
    return [asset.name for asset in known if {*asset.indices, *asset.bands} <= set(offered)]


def monitor_parcels(
    statistics: xr.Dataset, classes: Mapping[str, str], settings: Settings, sensor: str = "sentinel-2"
) -> tuple[list[dict[str, Any]], list[pd.DataFrame]]:
    """Monitor the mean of every parcel, one call per asset class and index: rows of changes, and baselines to draw.

    The baselines are drawn on a regular step between the looks too; there is no look there, so it changes no result.
    """
    rows, curves = [], []
    days = statistics["time"].values
    steps = np.arange(days[0], days[-1] + np.timedelta64(1, "D"), np.timedelta64(CHART_STEP_DAYS, "D"))
    for asset_class in sorted(set(classes.values())):
        asset = ASSETS[asset_class] if asset_class in ASSETS else None  # noqa: SIM401 - a registry refuses a wrong name
        ids = [parcel_id for parcel_id in statistics["parcel"].values.tolist() if classes[parcel_id] == asset_class]
        for name in statistics["index"].values.tolist():
            own = statistics.sel(index=name, parcel=ids).drop_vars("index")
            usable = own["valid_fraction"] >= settings.masks.min_look_fraction
            series = own["mean"].where(usable).reindex(time=np.union1d(days, steps)).rename(name)
            found = monitor(series, None, params=_params(series, asset, settings), curves=True)
            rows += [_series_row(parcel_id, name, sensor, found.sel(parcel=parcel_id)) for parcel_id in ids]
            drawn = found[["expected", "spread", "informative"]].to_dataframe().reset_index()
            curves.append(
                drawn[np.isfinite(drawn["expected"])].rename(columns={"parcel": "parcel_id"}).assign(index=name)
            )
    return rows, curves


LEAST_SHARE = 0.05
"""Share of the evidence from which a sensor counts as a witness [1]."""


def monitor_sensors(seen: Observed, classes: Mapping[str, str], settings: Settings) -> list[dict[str, Any]]:
    """Monitor the mean of every parcel by all its sensors together; rows of changes. None without radar.

    The optical indices are one sensor, each relative orbit of the radar another: clouds stop the one, not the others.
    """
    rows: list[dict[str, Any]] = []
    if not seen.radar:
        return rows
    for asset_class in sorted(set(classes.values())):
        ids = [parcel_id for parcel_id in seen.cover.parcel_ids if classes[parcel_id] == asset_class]
        asset = ASSETS[asset_class] if asset_class in ASSETS else None  # noqa: SIM401 - a registry refuses a wrong name
        tables = {f"sentinel-1 {orbit}".strip(): looks.statistics for orbit, looks in seen.radar.items()}
        if seen.statistics is not None:
            names = [name for name in GENERAL_INDICES if name in seen.statistics["index"].values]
            tables = {seen.sensor: seen.statistics.sel(index=names), **tables}
        sensors, params = {}, {}
        for sensor, table in tables.items():
            own = table[["mean", "valid_fraction"]].reindex(parcel=ids)
            means = own["mean"].where(own["valid_fraction"] >= settings.masks.min_look_fraction)
            series = {str(name): means.sel(index=name, drop=True).rename(str(name)) for name in table["index"].values}
            for name, one in series.items():
                unit = {"units": "dB"} if name in RADAR_BANDS else {}
                params[name] = _params(one.assign_attrs(unit), asset, settings)
            if series:
                sensors[sensor] = xr.Dataset(series)
        found = monitor_joint(sensors, None, params)
        index = "+".join(dict.fromkeys(str(name) for one in sensors.values() for name in one.data_vars))
        for parcel_id in ids:
            own = found.sel(parcel=parcel_id)
            told = [str(n) for n, share in zip(sensors, own["evidence"].values, strict=True) if share >= LEAST_SHARE]
            rows.append(_series_row(parcel_id, index, ",".join(told or sensors), own))
    return rows


def _params(series: xr.DataArray, asset: Asset | None, settings: Settings) -> SequentialParams:
    """Parameters of the monitor for one index: its unit's, the asset class's over them, the user's over both."""
    name = str(series.name)
    own = {} if asset is None else {k: v for group in asset.monitoring for k, v in group.get(name, {}).items()}
    return SequentialParams.model_validate(
        {**default_params(series).model_dump(), **own, **settings.change.get(name, {})}
    )


def evidence_of(task: BlockTask, seen: Observed, position: int, pixels: Mapping[str, PixelChange]) -> ParcelEvidence:
    """All that is known of one parcel of a block.

    Parameters
    ----------
    position
        Of the parcel in ``seen.cover``.
    pixels
        What the monitor found on every pixel of the block.
    """
    cover = seen.cover
    parcel_id = cover.parcel_ids[position]
    part = slice(cover.fraction.indptr[position], cover.fraction.indptr[position + 1])
    columns, shares = cover.fraction.indices[part], cover.fraction.data[part]
    row, col = np.divmod(cover.pixels[columns], seen.geobox.shape.x)
    left, top = ~seen.grid.affine @ (seen.geobox.affine @ (0, 0))
    # Geodesic area of the whole parcel, shared out by coverage: the grid's own projection need not keep areas.
    pixel_m2 = float(task.attributes[parcel_id]["obs_area_m2"]) / cover.whole[position]
    days = np.zeros(0, "datetime64[ns]") if seen.statistics is None else seen.statistics["time"].values
    fraction = (
        np.zeros(0)
        if seen.statistics is None
        else seen.statistics["valid_fraction"].isel(index=0, parcel=position).values
    )
    looked = fraction > 0
    peers = _peers(task, cover, position)
    cells = _cells(task, seen, position)
    return ParcelEvidence(
        parcel_id=parcel_id,
        attributes=task.attributes[parcel_id],
        as_of=task.as_of,
        area_m2=shares * pixel_m2,
        row=row + round(top),
        col=col + round(left),
        n_full_pixels=int(cover.n_full[position]),
        visible_fraction=task.visible_fraction[parcel_id],
        look_days=days[looked].astype("datetime64[D]"),
        look_fraction=fraction[looked],
        pixels={name: _take(change, columns) for name, change in pixels.items()},
        optical=None if seen.optical is None else seen.optical.isel(pixel=columns, time=looked),
        indices=None if seen.found is None else seen.found.isel(pixel=columns, time=looked),
        series=None if seen.statistics is None else seen.statistics.isel(parcel=position, time=looked),
        peers=None if seen.statistics is None else _of_peers(seen.statistics, seen.around, peers, cells),
        radar={
            orbit: RadarEvidence(
                power=looks.power.isel(pixel=columns),
                series=looks.statistics.sel(parcel=parcel_id),
                peers=_of_peers(looks.statistics, looks.around, peers, cells),
            )
            for orbit, looks in seen.radar.items()
        },
        latitude=_latitude(task.parts[0], parcel_id),
        beside=_beside(seen, row, col) if task.attributes[parcel_id]["asset_class"] in LOOKED_BESIDE else None,
    )


def _beside(seen: Observed, row: NDArray[np.int64], col: NDArray[np.int64]) -> xr.Dataset | None:
    """Cells close to a parcel.

    Parameters
    ----------
    row, col
        Of the parcel's pixels in the window.
    """
    if seen.beside is None:
        return None
    names = seen.beside["parcel"].values.tolist()
    top, left = np.array([zonal.corner_of(name) for name in names], np.int64).reshape(-1, 2).T
    near = [
        position
        for position, (r, c) in enumerate(zip(top.tolist(), left.tolist(), strict=True))
        if (np.maximum(_gap(row, r), _gap(col, c)) <= BESIDE_PIXELS).any()
    ]
    over, down = ~seen.grid.affine @ (seen.geobox.affine @ (0, 0))
    cells = seen.beside.isel(parcel=near).rename(parcel="cell")
    return cells.assign_coords(
        row=("cell", top[near] + round(down)), col=("cell", left[near] + round(over))
    ).assign_attrs(pixels=zonal.CELL_PIXELS, reach=BESIDE_PIXELS)


def _gap(places: NDArray[np.int64], first: int) -> NDArray[np.int64]:
    """How far rows or columns of pixels are from those of a cell [pixels]; 0 = among them."""
    return np.maximum(np.maximum(first - places, places - (first + zonal.CELL_PIXELS - 1)), 0)


def _latitude(part: Part, parcel_id: str) -> float:
    middle = part.geometries[parcel_id].centroid
    to_degrees = pyproj.Transformer.from_crs(str(part.block.geobox.crs), "EPSG:4326", always_xy=True)
    return float(to_degrees.transform(middle.x, middle.y)[1])


PEER_VARIABLES = ("mean", "valid_fraction")


def _peers(task: BlockTask, cover: zonal.Coverage, position: int) -> dict[str, float]:
    """Other parcels of the same asset class in the block, the nearest first, and how far their middles are [m]."""
    own = cover.parcel_ids[position]
    kind = task.attributes[own]["asset_class"]
    part = task.parts[0]
    here = part.geometries[own].centroid
    away = {
        i: float(part.geometries[i].centroid.distance(here))
        for i in cover.parcel_ids
        if i != own and task.attributes[i]["asset_class"] == kind
    }
    return dict(sorted(away.items(), key=lambda entry: (entry[1], entry[0])))


def _cells(task: BlockTask, seen: Observed, position: int) -> dict[str, float]:
    """Cells of ground around the parcels, the nearest to one parcel first, and how far they are [m]."""
    box = seen.geobox
    here = task.parts[0].geometries[seen.cover.parcel_ids[position]].centroid
    away = {}
    for name in seen.cells.parcel_ids if seen.around is None else seen.around["parcel"].values.tolist():
        row, column = (place + zonal.CELL_PIXELS / 2 for place in zonal.corner_of(name))
        x, y = box.affine @ (column, row)
        away[name] = float(np.hypot(x - here.x, y - here.y))
    return dict(sorted(away.items(), key=lambda entry: (entry[1], entry[0])))


def _of_peers(
    statistics: xr.Dataset, around: xr.Dataset | None, peers: Mapping[str, float], cells: Mapping[str, float]
) -> xr.Dataset:
    there = [name for name in peers if name in set(statistics["parcel"].values.tolist())]
    taken = statistics[list(PEER_VARIABLES)].sel(parcel=there)
    distance = [peers[name] for name in there]
    if around is not None and cells:
        taken = xr.concat([taken, around.sel(parcel=list(cells))], dim="parcel")
        distance += cells.values()
    return taken.rename(parcel="peer").assign_coords(
        distance_m=("peer", distance), is_parcel=("peer", np.arange(len(distance)) < len(there))
    )


def pixel_changes(
    seen: Observed, classes: Mapping[str, str], asset: Asset, settings: Settings
) -> dict[str, PixelChange]:
    """What the monitor finds on every pixel of an asset class, for each index that it has monitored.

    Indices of one group share what was decided of them together; magnitude and season are each index's own. What the
    parcels of the class and ground of like course around them have in common is taken off: it is weather.
    """
    changes: dict[str, PixelChange] = {}
    if seen.found is None:
        return changes
    owner = _owners(seen.cover, [p for p, i in enumerate(seen.cover.parcel_ids) if classes[i] == asset.name])
    columns = np.flatnonzero(owner >= 0)
    found = seen.found.isel(pixel=columns)
    for group in asset.monitoring:
        params = {name: _params(found[name], asset, settings) for name in group}
        common, doubt = _weather(seen, owner[columns], params, settings)
        given = (
            {} if common is None or doubt is None else {"common": {"optical": common}, "common_sd": {"optical": doubt}}
        )
        joint = monitor_joint({"optical": found[list(group)]}, None, params, **given)
        for place, name in enumerate(group):
            changes[name] = _on_all(_pixel_change(joint, place), columns, len(owner))
    return changes


def _owners(cover: zonal.Coverage, positions: Sequence[int]) -> NDArray[np.intp]:
    """Of each pixel, the position of the parcel, among some, that covers most of it; -1 without one."""
    owner = np.full(len(cover.pixels), -1)
    most = np.zeros(len(cover.pixels))
    for position in positions:
        part = slice(cover.fraction.indptr[position], cover.fraction.indptr[position + 1])
        columns, shares = cover.fraction.indices[part], cover.fraction.data[part]
        more = shares > most[columns]
        owner[columns[more]], most[columns[more]] = position, shares[more]
    return owner


def _weather(
    seen: Observed, owner: NDArray[np.intp], params: Mapping[str, SequentialParams], settings: Settings
) -> tuple[xr.Dataset | None, xr.Dataset | None]:
    """Departure that weather brings to each pixel's parcel, and its sd, by index; None where it cannot be worked out.

    Parameters
    ----------
    owner
        Shape (pixel,): position of each pixel's parcel.
    """
    if seen.statistics is None or not len(owner) or not set(params) <= set(BARE):
        return None, None
    positions = np.unique(owner)
    ground = [seen.statistics.isel(parcel=positions), *([] if seen.around is None else [seen.around])]
    usable = [
        table["mean"].where(table["valid_fraction"] >= settings.masks.min_look_fraction).sel(index=list(params))
        for table in ground
    ]
    means = xr.concat([one.reindex(time=seen.statistics["time"]) for one in usable], dim="parcel")
    series = xr.Dataset({name: means.sel(index=name, drop=True).transpose("time", "parcel") for name in params})
    whose = np.searchsorted(positions, owner)
    dims = ("time", "pixel")
    common, doubt = (
        xr.Dataset({name: (dims, one[name].values[:, whose]) for name in params}, coords={"time": series["time"]})
        for one in weather_of_stands(series, params)
    )
    return common, doubt


def _on_all(change: PixelChange, columns: NDArray[np.intp], n: int) -> PixelChange:
    """What was found on some pixels, on all of a block: of the others nothing is told."""

    def whole(values: NDArray[Any], name: str) -> NDArray[Any]:
        nothing = CANNOT_TELL if name == "status" else np.array("NaT" if values.dtype.kind == "M" else np.nan)
        out = np.full(n, nothing, values.dtype)
        out[columns] = values
        return out

    return PixelChange(**{field.name: whole(getattr(change, field.name), field.name) for field in fields(change)})


def _pixel_change(found: xr.Dataset, place: int) -> PixelChange:
    def days(variable: str) -> NDArray[np.datetime64]:
        return found[variable].values.astype("datetime64[D]")

    return PixelChange(
        status=found["status"].values,
        last_clear_before=days("last_clear_before"),
        first_clear_after=days("break_date"),
        detected_on=days("detected_on"),
        recovered_on=days("recovered_on"),
        magnitude=found["magnitudes"].values[place],
        probability=found["probability"].values,
        season_max=found["seasons_max"].values[place],
        first_informative=days("first_informative"),
        last_informative=days("last_informative"),
    )


def _take(change: PixelChange, columns: NDArray[np.integer]) -> PixelChange:
    return PixelChange(**{field.name: getattr(change, field.name)[columns] for field in fields(change)})


def _no_judgement(asset_class: str, offered: Collection[str]) -> Judgement:
    if asset_class not in ASSETS:
        reason = f"This version does not judge the asset class {asset_class!r} yet; only its series are given."
    else:
        asset = ASSETS[asset_class]
        lacking = sorted({*asset.indices, *asset.bands} - set(offered))
        needed = sorted({b for name in lacking for b in ([name] if name in asset.bands else indices.bands_of(name))})
        reason = f"The source lacks bands for {', '.join(lacking)} (needs {', '.join(needed)})."
    return Judgement(
        status="cannot_tell", reason=reason, columns={}, quantity=None, quantity_unit="ha", events=(), yearly=()
    )


def _series_row(parcel_id: str, name: str, sensor: str, found: xr.Dataset) -> dict[str, Any]:
    return {
        "parcel_id": parcel_id,
        "index": name,
        "level": "parcel",
        "status": CHANGE_STATUSES[int(found["status"])],
        "break_date": found["break_date"].values,
        "last_clear_before": found["last_clear_before"].values,
        "first_clear_after": found["break_date"].values,
        "detected_on": found["detected_on"].values,
        "recovered_on": found["recovered_on"].values,
        "area_m2": np.nan,
        "magnitude": float(found["magnitude"]),
        "probability": float(found["probability"]),
        "sensors": sensor,
        "n_looks": int(found["n_looks"]),
        "reason": "mean of the parcel",
    }


def _event_row(parcel_id: str, event: Event, n_looks: int, status: str) -> dict[str, Any]:
    return {
        "parcel_id": parcel_id,
        "index": "+".join(event.indices),
        "level": "pixels",
        "status": status,
        "break_date": np.datetime64(event.first_clear_after, "ns"),
        "last_clear_before": np.datetime64(event.last_clear_before, "ns"),
        "first_clear_after": np.datetime64(event.first_clear_after, "ns"),
        "detected_on": np.datetime64(event.detected_on, "ns"),
        "recovered_on": np.datetime64("NaT" if event.recovered_on is None else event.recovered_on, "ns"),
        "area_m2": event.area_m2,
        "magnitude": event.magnitude,
        "probability": event.probability,
        "sensors": ",".join(event.sensors),
        "n_looks": n_looks,
        "reason": " ".join(event.reasons),
    }


def _lost_pixels(evidence: ParcelEvidence, event: Event) -> NDArray[np.int64]:
    # What the mean of a parcel tells is of no pixel in particular; a parcel left blank would pass for unchanged.
    whole = not event.pixels and event.area_m2 >= MOST_OF_PARCEL * evidence.area_m2.sum()
    where = np.arange(len(evidence.area_m2)) if whole else np.asarray(event.pixels, np.int64)
    year = np.full(len(where), event.first_clear_after.year)
    return np.stack([evidence.row[where], evidence.col[where], year], axis=1).astype(np.int64)


def _concat(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    filled = [table[list(columns)] for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))
