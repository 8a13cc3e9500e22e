"""Records and protocols that pass between rooms, and the names of bands and columns.

Dimensions are always ``time, y, x, parcel``, in that order. Missing numbers are NaN, missing dates are NaT.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from geocollateral.errors import BrokenData

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy as np
    import pandas as pd
    import pystac
    import xarray as xr
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

# ---------------------------------------------------------------------------------------------------------------- names

SENTINEL2_BANDS: Mapping[str, str] = {
    "B01": "coastal",
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge071",
    "B06": "rededge075",
    "B07": "rededge078",
    "B08": "nir",
    "B8A": "nir08",
    "B09": "nir09",
    "B11": "swir16",
    "B12": "swir22",
    "SCL": "scl",
}
"""Sentinel-2 band name to STAC common name."""

SENTINEL1_BANDS: Mapping[str, str] = {"VV": "vv", "VH": "vh"}
"""Sentinel-1 polarisation to our band name."""

OPTICAL_BANDS: tuple[str, ...] = tuple(v for v in SENTINEL2_BANDS.values() if v != "scl")
RADAR_BANDS: tuple[str, ...] = tuple(SENTINEL1_BANDS.values())
BANDS: tuple[str, ...] = (*OPTICAL_BANDS, "scl", *RADAR_BANDS)

SENSOR_PROPERTY = "geocollateral:sensor"
"""Property of scenes that are not Sentinel-2's but optical: the name their looks go by."""

ASSET_CLASSES: tuple[str, ...] = ("agriculture", "forestry", "solar", "wind", "construction", "aquaculture")
"""Values of the column ``asset_class``."""

ReadStatus = Literal["ok", "outside", "missing", "corrupt", "quarantined"]
READ_STATUSES: tuple[ReadStatus, ...] = ("ok", "outside", "missing", "corrupt", "quarantined")
"""What became of one band of one scene in one block."""

ObservationStatus = Literal["ok", "masked", "outside", "missing", "corrupt", "quarantined"]
OBSERVATION_STATUSES: tuple[ObservationStatus, ...] = ("ok", "masked", "outside", "missing", "corrupt", "quarantined")
"""What became of one band of one scene over one parcel; every expected observation has exactly one."""

OperatingPoint = Literal["early_warning", "confirmed"]
"""How sure an alert must be: an early warning's budget of false alarms is larger than that of a confirmed one."""

Verdict = Literal["match", "mismatch", "cannot_tell"]
ParcelStatus = Literal["ok", "cannot_tell"]

CHANGE_STATUSES: tuple[str, ...] = ("stable", "suspected", "confirmed", "unstable_history", "cannot_tell")
"""Meanings of the int8 change status 0..4 (CF ``flag_meanings``)."""
STABLE, SUSPECTED, CONFIRMED, UNSTABLE_HISTORY, CANNOT_TELL = range(5)

NOT_A_VALUATION = "Supporting tool, not a valuation: a valuer stays in charge of every value used for lending."
"""Stands in every file that may hold a value (EBA/GL/2020/06, 7)."""
MU_M2 = 2000 / 3
"""Area of one mu [m2]."""


class Params(BaseModel):
    """Base of every parameter object: frozen, unknown keys refused, each field described and bounded."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# -------------------------------------------------------------------------------------------------------------- records


@dataclass(frozen=True, kw_only=True)
class Period:
    """Dates of acquisition asked for, both ends included."""

    start: dt.date | None
    """First day, or None for "as far back as the source goes"."""
    end: dt.date
    """Last day: the ``as_of`` of the run. Nothing acquired later may be read."""

    def __post_init__(self) -> None:
        if self.start is not None and self.start > self.end:
            raise BrokenData(f"period starts {self.start} after its end {self.end}")


@dataclass(frozen=True, kw_only=True)
class IntakeNote:
    """One thing the intake mended or noticed in a file of parcels. What it refuses is an error."""

    kind: Literal["repair", "warning", "reading"]
    """``reading``: how something was understood, such as a heading in Chinese; nothing is wrong with it."""
    parcel_id: str | None
    """None where the note is about the whole file."""
    message: str
    position: tuple[float, float] | None = None
    """Longitude and latitude of the fault [degrees, WGS 84], where there is one."""


@dataclass(frozen=True, kw_only=True)
class AreaOfInterest:
    """Parcels accepted for assessment and what the intake has to say of them."""

    parcels: gpd.GeoDataFrame
    """Indexed by ``parcel_id`` (str, unique), EPSG:4326, (Multi)Polygon; columns ``asset_class``, ``obs_area_m2``
    (geodesic), every column of the parcel contract and the user's other columns under ``user_*``. Missing text is
    None, missing numbers are NaN, dates are datetime64 with NaT."""
    notes: tuple[IntakeNote, ...]
    source_sha256: str
    """SHA-256 of the bytes received."""
    datum: str = "wgs84"
    """Datum that the outlines were converted from."""


@dataclass(frozen=True, kw_only=True)
class SourceInfo:
    """What a report must say of where imagery came from."""

    name: str
    title: str
    licence: str
    attribution: str
    sha256: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of local files read, by file name."""
    revisit_days: float | None = None
    """Nominal days between two acquisitions of one place, for a source that is a living feed: silence of twice as long
    is a stale feed. None for an archive, which ends where it ends."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A window of the imagery's own grid that wholly contains its parcels: the unit of work."""

    block_id: str
    geobox: GeoBox
    """The window read, margin included."""
    parcel_ids: tuple[str, ...]
    items: tuple[pystac.Item, ...]
    """Scenes, ordered by time and id."""


@runtime_checkable
class Source(Protocol):
    """Where imagery comes from. A source pickles: it opens its files inside the task and closes them there."""

    @property
    def info(self) -> SourceInfo:
        """What a report must say of this source."""
        ...

    def search(self, bounds: tuple[float, float, float, float], period: Period) -> list[pystac.Item]:
        """Scenes that meet the bounds in the period.

        Parameters
        ----------
        bounds
            West, south, east, north [degrees, WGS 84]; west > east where they cross 180 degrees.
        period
            Nothing acquired after ``period.end`` is returned.

        Returns
        -------
        Items ordered by time and id. Each has ``properties`` ``proj:code`` (or ``proj:wkt2``), ``proj:transform``
        (six numbers, row-major affine) and ``proj:shape`` (rows, columns) of its finest grid, ``platform`` where
        known, and one asset per band under its common name. An empty list means that nothing was acquired.

        Raises
        ------
        IncompleteSearch
            The catalogue was cut off before its last scene.
        """
        ...

    def read(self, block: Block, bands: Sequence[str]) -> xr.Dataset:
        """Digital numbers of all scenes of a block, on the block's grid, never resampled (coarser bands replicated).

        The block's window may reach past the grid of one of its scenes, if both lie on one lattice (same CRS, pixel
        size and phase): what a scene does not hold is nodata, and a scene that holds nothing of the window is
        ``outside``.

        Returns
        -------
        One variable per band that any scene has, ``(time, y, x)`` in the file's own dtype, with ``attrs["nodata"]``
        and, for backscatter, ``attrs["units"]`` (``"dB"`` or ``"1"``, the unit after scaling); scenes ordered by time
        and id whatever the block's order; ``scale`` and ``offset`` ``(time, band)`` float64 with ``value = DN * scale +
        offset``, NaN where the band is missing; ``status``
        ``(time, band)`` str of `READ_STATUSES`; optionally ``reason`` ``(time, band)`` str (``""`` where ok) and
        ``transient`` ``(time, band)`` bool (True: a later run may succeed); coordinates ``time`` (datetime64[ns], UTC,
        one per item), ``y``, ``x`` (pixel centres), ``band``, ``scene_id``, ``platform``, ``orbit`` (along time; ``""``
        where unknown; for radar ``ascending-15``: direction and relative orbit); ``attrs["crs"]`` and
        ``attrs["transform"]`` (six numbers).
        A pixel that could not be read is the nodata value and its scene and band say why in ``status``.

        Raises
        ------
        BrokenData
            The block does not lie on the lattice of its scenes.
        QuotaExceeded
            A service has no budget left: the run stops, in its own state.
        """
        ...


@runtime_checkable
class CandidSource(Source, Protocol):
    """A source that also says which scenes it found and cannot read."""

    def find(self, bounds: tuple[float, float, float, float], period: Period) -> Found:
        """As `search`, and what had to be refused."""
        ...


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found."""

    items: tuple[pystac.Item, ...]
    """As `Source.search` returns them."""
    refused: tuple[str, ...]
    """Why items of the catalogue cannot be read, one sentence each."""


@dataclass(frozen=True, kw_only=True)
class ReadCost:
    """What reading would take, told before anything is spent. Costs add up."""

    scenes: int = 0
    requests: int = 0
    bytes: int = 0
    """To be transferred."""
    cached_bytes: int = 0
    """Already in the block cache; not among `bytes`."""
    pixels: int = 0
    """Scene x band x pixel to be decoded."""
    processing_units: float = 0.0
    """Of a service that counts them."""

    def __add__(self, other: ReadCost) -> ReadCost:
        return ReadCost(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


@runtime_checkable
class CostedSource(Source, Protocol):
    """A source that costs something and can say how much."""

    def estimate(self, block: Block, bands: Sequence[str]) -> ReadCost:
        """What `read` of the same would take, without fetching any imagery."""
        ...


@runtime_checkable
class ParcelStatistics(Source, Protocol):
    """A source that can compute series of parcels itself, without handing out pixels: cheap where parcels are few."""

    def choose_mode(
        self, blocks: Sequence[Block], bands: Sequence[str], parcels: gpd.GeoDataFrame, formulas: Mapping[str, str]
    ) -> Literal["process", "statistical"]:
        """Whether to read pixels (``process``) or to ask for series (``statistical``).

        Parameters
        ----------
        blocks, bands
            What `read` would be asked for.
        parcels, formulas
            What `parcel_series` would be asked for.
        """
        ...

    def parcel_series(
        self,
        parcels: gpd.GeoDataFrame,
        formulas: Mapping[str, str],
        period: Period,
        *,
        clear_classes: Sequence[int] = ...,
    ) -> pd.DataFrame:
        """Statistics of each index over the clear part of each parcel, per day.

        Parameters
        ----------
        parcels
            Indexed by ``parcel_id``, EPSG:4326, polygons. Nothing but the geometry leaves the machine.
        formulas
            Arithmetic in our names of optical bands, by index, such as ``{"ndvi": "(nir - red) / (nir + red)"}``.
        clear_classes
            Scene classes (SCL) that count as a clear look at the ground.

        Returns
        -------
        Columns `SERIES_COLUMNS`, one row per parcel, solar day and index with at least one clear pixel.

        Raises
        ------
        ServiceUnavailable
            A part of the series was not given.
        QuotaExceeded
            The account or this run has no budget left.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What an assessment would take, before anything is spent."""

    source: str
    n_parcels: int
    n_blocks: int
    first: dt.date | None
    last: dt.date | None
    """First and last acquisition found."""
    cost: ReadCost
    minutes: float
    """A rough figure [min]."""


@dataclass(frozen=True, kw_only=True)
class SourceCheck:
    """One thing looked at when a source is checked."""

    name: str
    """Such as ``reachable``, ``credentials``, ``collection sentinel-2-l2a``."""
    ok: bool
    detail: str
    """What was found; where it is not ok, also what to do."""


@dataclass(frozen=True, kw_only=True)
class PixelChange:
    """What a change monitor found on each pixel of one parcel, for one index. Arrays have shape (pixel,)."""

    status: NDArray[np.int8]
    """`CHANGE_STATUSES`."""
    last_clear_before: NDArray[np.datetime64]
    first_clear_after: NDArray[np.datetime64]
    detected_on: NDArray[np.datetime64]
    recovered_on: NDArray[np.datetime64]
    """Days; NaT where there is none."""
    magnitude: NDArray[np.float64]
    """Mean departure from the baseline over the hits [unit of the index]; NaN without a suspicion."""
    probability: NDArray[np.float64]
    season_max: NDArray[np.float64]
    """Highest value the baseline takes on the looks of its history [unit of the index]; NaN without a baseline."""
    first_informative: NDArray[np.datetime64]
    last_informative: NDArray[np.datetime64]
    """First and last clear look after the history on which a change would have been seen; NaT where there is none."""


@dataclass(frozen=True, kw_only=True)
class RadarEvidence:
    """What Sentinel-1 saw of one parcel from one relative orbit."""

    power: xr.Dataset
    """Dims ``(time, pixel)``: linear gamma0 ``vv`` and ``vh`` [1] at the parcel's pixels, as measured, speckle and all;
    NaN = no signal."""
    series: xr.Dataset
    """Dims ``(index, time)``, index ``vv`` and ``vh``: ``mean`` (of the power, in dB), ``p10``, ``p50``, ``p90`` [dB]
    and ``valid_fraction`` of the parcel."""
    peers: xr.Dataset
    """Dims ``(index, time, peer)``: ``mean`` [dB] and ``valid_fraction`` of the peers of `ParcelEvidence.peers`."""


@dataclass(frozen=True, kw_only=True)
class ParcelEvidence:
    """All an asset class needs to judge one parcel."""

    parcel_id: str
    attributes: Mapping[str, Any]
    """The parcel's own row: ``asset_class``, ``obs_area_m2``, ``claim_*``, ``loan_*``."""
    as_of: dt.date
    area_m2: NDArray[np.float64]
    """Shape (pixel,): geodesic area of the parcel inside each pixel [m2]."""
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    """Shape (pixel,): position in the imagery's grid."""
    n_full_pixels: int
    """Pixels that lie wholly inside the parcel."""
    visible_fraction: float
    """Share of the parcel's area inside the imagery [0-1]."""
    look_days: NDArray[np.datetime64]
    """Days with at least one clear pixel, rising."""
    look_fraction: NDArray[np.float64]
    """Share of the parcel seen clearly on each of them [0-1]."""
    pixels: Mapping[str, PixelChange]
    """By index."""
    optical: xr.Dataset | None = None
    """Dims ``(time, pixel)``, time = `look_days`: reflectance by band [1]; NaN = not seen clearly."""
    indices: xr.Dataset | None = None
    """The same looks as indices of the asset class and the general ones."""
    series: xr.Dataset | None = None
    """Dims ``(index, time)``, time = `look_days`: ``mean``, ``p10``, ``p50``, ``p90``, ``valid_fraction`` and
    ``n_pixels`` of the parcel."""
    peers: xr.Dataset | None = None
    """Dims ``(index, time, peer)``: ``mean`` and ``valid_fraction`` of other parcels of the same asset class in the
    block, the nearest first, and then of cells of ground around the parcels, whatever grows there, the nearest first;
    on all days of the block. Coordinates ``distance_m`` [m] and ``is_parcel`` (False: a cell of ground)."""
    radar: Mapping[str, RadarEvidence] = field(default_factory=dict)
    """By relative orbit, such as ``ascending-15``."""
    latitude: float = float("nan")
    """Of the parcel's middle [degrees]; NaN where unknown."""
    beside: xr.Dataset | None = None
    """Dims ``(index, time, cell)``: ``mean`` and ``valid_fraction`` of cells of ground without gaps that touch no
    parcel and come within some pixels of this one, on all days of the block. Coordinates ``row`` and ``col`` of their
    upper left pixel in the imagery's grid; the attribute ``pixels`` is their side, ``reach`` how far from the parcel
    they may begin [pixels]. None: not looked at."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """A dated change of some area of a parcel, found on its pixels."""

    kind: str
    last_clear_before: dt.date
    first_clear_after: dt.date
    detected_on: dt.date
    recovered_on: dt.date | None
    """First look from which the changed area has looked as before, where most of it has."""
    area_m2: float
    area_low_m2: float
    area_high_m2: float
    magnitude: float
    """Area-weighted mean departure of the leading index from its baseline."""
    probability: float
    indices: tuple[str, ...]
    pixels: tuple[int, ...]
    """Positions of its pixels among those of the parcel's evidence."""
    reasons: tuple[str, ...]
    sensors: tuple[str, ...] = ("sentinel-2",)
    """Sensors whose looks bear it out."""
    causes: Mapping[str, float] = field(default_factory=dict)
    """Probability of each cause considered [0-1]; empty where none was."""
    doubts: tuple[str, ...] = ()
    """What speaks against it, in words: it is an early warning only. Empty where nothing does."""


@dataclass(frozen=True, kw_only=True)
class ClaimCheck:
    """One claim of the borrower held against what is observed."""

    claim: str
    """Such as ``area``, ``use``, ``planted``, ``living``, ``capacity``, ``stage``: the ``X`` of ``claim_X_verdict``."""
    verdict: Verdict
    claimed: float | str
    observed: float | str | None
    """Middle of what is observed, or what was seen in one word; None where it cannot be told."""
    low: float | None
    high: float | None
    """90 % interval of the observed number; None for words and where it cannot be told."""
    unit: str
    """Of numbers: ``m2``, ``frac``, ``mw``, ``n`` or ``m3``; empty for words and days."""
    tolerance: float | None
    """Error from which a claimed number is a mismatch, relative to what is observed; of ``stage``, ``progress`` and
    ``draw`` a difference of progress [0-1]. None for words and where it cannot be told."""
    n_looks: int
    """Clear looks behind the verdict."""
    n_pixels: int
    """Pixels behind the verdict."""
    reason: str
    """One or two sentences for the loan officer."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What an asset class says of one parcel."""

    status: ParcelStatus
    reason: str
    columns: Mapping[str, Any]
    """Further columns of the parcel by name; None where nothing can be said."""
    quantity: tuple[float, float, float] | None
    """Low, middle and high of the physical quantity that carries the value, None if it cannot be told."""
    quantity_unit: Literal["ha", "m3", "mw"]
    events: tuple[Event, ...]
    yearly: tuple[Mapping[str, Any], ...]
    """One row per year, JSON values, for the report."""
    claims: tuple[ClaimCheck, ...] = ()
    """Every claim of the parcel that this asset class checks, whatever came of it."""
    tables: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    """Further rows of JSON values by name of the table, such as ``seasons`` (one row per crop season) or ``stages``
    (one row per date); dates are ISO text."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the decision layer made of a hit."""

    score: float
    """Of the rule's own making: it orders alerts of one kind."""
    said: OperatingPoint
    """Highest operating point the rule itself gives it."""
    point: OperatingPoint | None
    """Operating point it reached; None: below the threshold of an early warning, no alert."""
    calibrated: bool
    """Whether the probability of the event is a share of alerts that were right; False: it is the score."""


@dataclass(frozen=True, kw_only=True)
class Hit:
    """An alert rule that fired on today's evidence, before the life cycle makes it an alert."""

    parcel_id: str
    rule: str
    severity: Literal["low", "medium", "high"]
    event: Event
    sensors: tuple[str, ...]
    evidence: Mapping[str, Any]
    reasons: tuple[str, ...]
    leads_to: tuple[str, ...] = ()
    """Of an early state, the rules that confirm it: their hit on the same thing takes this one over as one alert."""
    operating_point: OperatingPoint = "confirmed"
    """As the rule gives it; after the decision, as reached."""
    decision: Decision | None = None
    """None before the decision layer has seen it."""


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A small dated picture of a parcel: the satellite's before and after a break, or of an orthomosaic."""

    parcel_id: str
    role: Literal["before", "after", "latest", "ortho"]
    rgb: NDArray[np.uint8]
    """Shape (height, width, 3)."""
    acquired: dt.date
    sensor: str
    scene_id: str
    clear_fraction: float
    """Share of the parcel seen clearly on that date [0-1]."""
    transform: tuple[float, float, float, float, float, float]
    """Row-major affine of the chip in ``crs``."""
    crs: str


ShiftVerdict = Literal["agrees", "reported", "corrected", "cannot_tell"]


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Where a picture of the user's lies against the satellite's."""

    verdict: ShiftVerdict
    """``agrees``: no shift beyond its error. ``reported``: told, nothing moved. ``corrected``: pictures and statistics
    were moved back by it. ``cannot_tell``: `reason` says why."""
    east_m: float
    north_m: float
    """How far the picture lies too far east and north [m]; NaN where it cannot be told."""
    sigma_m: float
    """Standard error along one axis [m], without the satellite's own; NaN where it cannot be told."""
    correlation: float
    """At the best place [-1..1]; NaN where there was nothing to compare."""
    n_pixels: int
    """Pixels of the satellite that were compared."""
    against: str = ""
    """Scenes of the satellite it was compared with."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class OrthoRecord:
    """What a report says of one orthomosaic."""

    scene_id: str
    name: str
    """Of the file, without its folder."""
    sha256: str
    sensor: str
    acquired: dt.date
    date_from: Literal["given", "tag"]
    crs: str
    resolution_m: float
    """Side of a pixel on the ground [m]."""
    bands: tuple[str, ...]
    units: Literal["reflectance", "digital numbers"]
    shift: Shift
    coverage: Mapping[str, float]
    """By parcel that it meets: share of the parcel's area that it shows [0-1]."""
    faults: tuple[str, ...]
    """What of the file could not be read."""


@dataclass(frozen=True, kw_only=True)
class MapPicture:
    """The whole area on one clear date, with what was found drawn by the report."""

    rgb: NDArray[np.uint8]
    """Shape (height, width, 3)."""
    acquired: dt.date
    scene_id: str
    transform: tuple[float, float, float, float, float, float]
    crs: str
    disturbed_year: NDArray[np.int16]
    """Shape (height, width): year of the confirmed break of each pixel inside a parcel, 0 where none."""


CLOSED_STATUSES = frozenset({"dismissed", "closed", "resolved"})
"""Of an alert that asks nothing of the reader any more."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One thing to act on, with its evidence. Dates are days in UTC."""

    alert_id: str
    parcel_id: str
    rule: str
    severity: Literal["low", "medium", "high"]
    status: str
    break_date: dt.date
    """First clear look at which the change was seen."""
    last_clear_before: dt.date
    first_clear_after: dt.date
    detected_on: dt.date
    """Look at which the change was confirmed."""
    area_m2: float
    probability: float
    sensors: tuple[str, ...]
    evidence: Mapping[str, Any]
    """Numbers and scene ids behind it, JSON values only."""
    reasons: tuple[str, ...]
    """Sentences for a reader."""


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The result of one due-diligence run, before it is written anywhere."""

    run_id: str
    as_of: dt.date
    parcels: gpd.GeoDataFrame
    """One row per parcel of the input, in its order; columns of ``parcels.geojson`` (see `PARCEL_COLUMNS`) plus those
    of its asset class."""
    alerts: tuple[Alert, ...]
    series: pd.DataFrame
    """Columns `SERIES_COLUMNS`, one row per parcel, time and index with at least one clear pixel."""
    changes: pd.DataFrame
    """Columns `CHANGE_COLUMNS`, one row per parcel, index, level and break, or one row without a
    break. ``level`` is ``parcel`` (the monitor ran on the parcel's mean) or ``pixels`` (area of broken pixels)."""
    baselines: pd.DataFrame
    """Columns ``parcel_id, index, time, expected, spread, informative``: the seasonal baseline of each parcel, for
    charts; ``informative`` is False where a change would not show, such as a leafless season."""
    yearly: pd.DataFrame
    """Columns ``parcel_id, year, living_share, disturbed_m2, n_looks`` (forestry), for the report."""
    tables: Mapping[str, pd.DataFrame]
    """Further tables that asset classes give, by name (``seasons``, ``stages``); first column ``parcel_id``, JSON
    values, dates as ISO text."""
    scenes: Mapping[str, Any]
    """Content of ``scenes.json``."""
    chips: tuple[Chip, ...]
    picture: MapPicture | None
    sources: tuple[SourceInfo, ...]
    notes: tuple[IntakeNote, ...]
    run: Mapping[str, Any]
    """Content of ``run.json`` but for the SHA-256 of the outputs."""
    orthos: tuple[OrthoRecord, ...] = ()
    """Orthomosaics of the user that were looked at. Their looks are rows of `series` with a sensor and scene id of
    their own; no change monitor sees them."""


PARCEL_COLUMNS: tuple[str, ...] = (
    "asset_class",
    "obs_area_m2",
    "obs_area_mu",
    "meta_status",
    "meta_reason",
    "meta_n_obs",
    "meta_last_clear",
    "val_p05",
    "val_p50",
    "val_p95",
    "val_currency",
    "val_grade",
    "risk_score",
    "risk_ltv",
    "alerts",
)
SERIES_COLUMNS: tuple[str, ...] = (
    "parcel_id",
    "time",
    "sensor",
    "index",
    "mean",
    "p10",
    "p50",
    "p90",
    "valid_fraction",
    "n_pixels",
    "scene_id",
)
CHANGE_COLUMNS: tuple[str, ...] = (
    "parcel_id",
    "index",
    "level",
    "status",
    "break_date",
    "last_clear_before",
    "first_clear_after",
    "detected_on",
    "recovered_on",
    "area_m2",
    "magnitude",
    "probability",
    "sensors",
    "n_looks",
    "reason",
)


# --------------------------------------------------------------------------------------------------------------- checks


def require_cube(cube: xr.Dataset, *variables: str) -> xr.Dataset:
    """Check that a dataset is a raster cube: dims ``(time, y, x)``, rising time, a CRS and a transform.

    Raises
    ------
    BrokenData
        Something is not as every stage relies on.
    """
    for name in variables:
        if name not in cube:
            raise BrokenData(f"cube lacks variable {name!r}; it has {sorted(map(str, cube.data_vars))}")
        if cube[name].dims != ("time", "y", "x"):
            raise BrokenData(f"{name!r} must have dims ('time', 'y', 'x'), got {cube[name].dims}")
    for attribute in ("crs", "transform"):
        if attribute not in cube.attrs:
            raise BrokenData(f"cube lacks attrs[{attribute!r}]")
    if not cube.indexes["time"].is_monotonic_increasing:
        raise BrokenData("cube's time must not fall")
    return cube


def require_parcels(parcels: gpd.GeoDataFrame, *columns: str) -> gpd.GeoDataFrame:
    """Check that a table is one of parcels: unique ``parcel_id`` index, EPSG:4326, the columns named.

    Raises
    ------
    BrokenData
        Something is not as every stage relies on.
    """
    if parcels.index.name != "parcel_id" or not parcels.index.is_unique:
        raise BrokenData(f"parcels must have a unique index named 'parcel_id', got {parcels.index.name!r}")
    if parcels.crs is None or parcels.crs.to_epsg() != 4326:
        raise BrokenData(f"parcels must be in EPSG:4326, got {parcels.crs}")
    lacking = [name for name in columns if name not in parcels.columns]
    if lacking:
        raise BrokenData(f"parcels lack columns {lacking}")
    return parcels


def bounds_of(parcels: gpd.GeoDataFrame) -> tuple[float, float, float, float]:
    """Smallest west, south, east, north that holds all parcels [degrees]; west > east where it crosses 180 degrees."""
    boxes = parcels.geometry.explode().bounds
    spans = sorted(zip(boxes["minx"].tolist(), boxes["maxx"].tolist(), strict=True))
    # The bounds leave out the widest gap between parcels on the circle of longitudes.
    reach, widest, after = spans[0][1], (spans[0][0] + 360.0 - max(e for _, e in spans)), spans[0][0]
    for start, end in spans[1:]:
        if start - reach > widest:
            widest, after = start - reach, start
        reach = max(reach, end)
    before = max((end for start, end in spans if start < after), default=reach)
    return float(after), float(boxes["miny"].min()), float(before), float(boxes["maxy"].max())
