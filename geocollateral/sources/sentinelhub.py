"""Sentinel Hub: Sentinel-2 L2A and Sentinel-1 GRD by its Catalog, Process and Statistical services.

``sentinelhub`` (commercial), ``sentinelhub:cdse`` (Copernicus Data Space Ecosystem) or ``sentinelhub:https://...``.

* Reflectance comes as digital numbers, 1e-4 each. The service has taken the offset of newer baselines off
  (``harmonizeValues``) and clamps what falls below 0.
* Radar comes as linear gamma0, flattened by the Copernicus elevation model, one orbit and direction per scene.
* One request brings all bands of one scene in one window: several dates in one would cost as much, and their numbers
  could no longer be told apart by scene with certainty.
* What a request brought is kept in the block cache under all that was asked for: a second run asks nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd
import pystac
import xarray as xr
from shapely import box

from geocollateral.errors import GeocollateralError
from geocollateral.sources.bounds import split_bounds
from geocollateral.sources.hub import catalogue, reading, statistics
from geocollateral.sources.hub.budget import Budget
from geocollateral.sources.hub.client import HubClient, HubFault
from geocollateral.sources.hub.credentials import read_credentials
from geocollateral.sources.hub.deployments import Deployment, Mode, SentinelHubOptions, resolve_deployment
from geocollateral.sources.hub.scenes import build_items, lattice
from geocollateral.sources.raster.access import AccessParams
from geocollateral.sources.raster.clock import SYSTEM_CLOCK, Clock
from geocollateral.sources.schemes import CHECKS, SOURCES, SourceRequest, parse_options
from geocollateral.types import Block, Period, ReadCost, Source, SourceCheck, SourceInfo, bounds_of

if TYPE_CHECKING:
    import geopandas as gpd

MOST_THREADS = 16
"""Requests in flight; the service limits their number per minute, not their speed."""


@dataclass(frozen=True, kw_only=True)
class SentinelHubSource:
    """Imagery of one deployment. Holds settings only; credentials are read in each call, and never pickled."""

    deployment: Deployment
    options: SentinelHubOptions = field(default_factory=SentinelHubOptions)
    access: AccessParams = field(default_factory=AccessParams)
    budget: Budget | None = None
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False, compare=False)

    @property
    def info(self) -> SourceInfo:
        """What a report says of this source."""
        return SourceInfo(
            name=f"sentinelhub:{self.deployment.name}",
            title=f"Sentinel-2 L2A and Sentinel-1 GRD by Sentinel Hub ({self.deployment.name})",
            licence="Copernicus Sentinel data: free, full and open (Regulation (EU) 377/2014); service: own terms",
            attribution="contains modified Copernicus Sentinel data, processed by Sentinel Hub",
            revisit_days=5.0 if "sentinel-2-l2a" in self.options.collections else 12.0,
        )

    def search(self, bounds: tuple[float, float, float, float], period: Period) -> list[pystac.Item]:
        """Scenes that meet the bounds in the period; see `geocollateral.types.Source`.

        All scenes share one lattice of 10 m in the UTM zone of the area's centre. Tiles of one overpass are one scene.
        """
        client = self.client()
        features = []
        for part in split_bounds(bounds):
            for collection in self.options.collections:
                features += catalogue.search(client, self.deployment, collection, part, period)
        area = [box(*part) for part in split_bounds(bounds)]
        wanted = [f for f in features if catalogue.meets(f, area, period)]
        return build_items(wanted, lattice(bounds), self.deployment, cloud_probability=self.options.cloud_probability)

    def read(self, block: Block, bands: Sequence[str]) -> xr.Dataset:
        """Digital numbers of a block's scenes; see `geocollateral.types.Source`.

        A pixel where the service has no data is nodata: 65535 for reflectance, 0 for classes, NaN for radar.

        Raises
        ------
        BrokenData
            The block does not lie on the lattice of its scenes, or holds scenes of another source.
        QuotaExceeded
            The account or this run has no processing units left.
        InvalidInput
            The credentials are missing or not accepted.
        """
        plan = reading.plan_reads(self.deployment, block, bands)
        parts = [part for scene in plan for part in scene.parts]
        cache = reading.open_cache(self.access)
        if not parts:
            return reading.gather(block, bands, plan, [])
        client = self.client()
        with ThreadPoolExecutor(min(self.access.concurrency, MOST_THREADS)) as pool:
            try:
                answers = list(pool.map(lambda part: reading.fetch_part(client, cache, part), parts))
            except GeocollateralError:
                pool.shutdown(cancel_futures=True)
                raise
        return reading.gather(block, bands, plan, answers)

    def estimate(self, block: Block, bands: Sequence[str]) -> ReadCost:
        """What `read` of the same would take; nothing is asked of the service."""
        return reading.estimate(self.deployment, self.access, block, bands)

    def parcel_series(
        self,
        parcels: gpd.GeoDataFrame,
        formulas: Mapping[str, str],
        period: Period,
        *,
        clear_classes: Sequence[int] = statistics.CLEAR_CLASSES,
    ) -> pd.DataFrame:
        """Series of parcels by the Statistical API; see `geocollateral.types.ParcelStatistics`."""
        found = self.search(bounds_of(parcels), period)
        scenes = [item for item in found if item.properties["constellation"] == "sentinel-2"]
        return statistics.parcel_series(
            self.client(), reading.open_cache(self.access), parcels, formulas, scenes, tuple(clear_classes)
        )

    def choose_mode(
        self, blocks: Sequence[Block], bands: Sequence[str], parcels: gpd.GeoDataFrame, formulas: Mapping[str, str]
    ) -> Mode:
        """``process`` or ``statistical``: as the options say, or by which takes fewer processing units.

        Parameters
        ----------
        blocks, bands
            What `read` would be asked for.
        parcels, formulas
            What `parcel_series` would be asked for.
        """
        if self.options.mode != "auto":
            return self.options.mode
        pixels = sum((self.estimate(block, bands) for block in blocks), ReadCost())
        scenes = {
            item.id for block in blocks for item in block.items if "sentinel-2" in item.properties["constellation"]
        }
        series = statistics.estimate(parcels, formulas, len(scenes))
        return "statistical" if series.processing_units < pixels.processing_units else "process"

    def client(self) -> HubClient:
        """The way to the service, with the credentials of this machine; for one call, never kept.

        Raises
        ------
        InvalidInput
            There are no credentials.
        """
        return HubClient(
            deployment=self.deployment,
            credentials=read_credentials(self.options.profile),
            access=self.access,
            budget=self.budget,
            clock=self.clock,
        )


@SOURCES.register("sentinelhub")
def open_sentinelhub(request: SourceRequest) -> Source:
    """Source of a deployment. Credentials are looked for, but not sent anywhere yet.

    Raises
    ------
    InvalidInput
        No such deployment, an option is wrong, or there are no credentials.
    """
    options = parse_options(SentinelHubOptions, request.options, "sentinelhub")
    deployment = resolve_deployment(request.what, options)
    read_credentials(options.profile)
    budget = None if options.budget_pu is None else Budget(limit=options.budget_pu)
    return SentinelHubSource(deployment=deployment, options=options, access=request.access, budget=budget)


@CHECKS.register("sentinelhub")
def check_sentinelhub(request: SourceRequest) -> list[SourceCheck]:
    """Whether the credentials are there, are accepted, and which collections the deployment lists for them."""
    try:
        source = open_sentinelhub(request)
        assert isinstance(source, SentinelHubSource)  # noqa: S101 - what the opener makes
        client = source.client()
    except GeocollateralError as error:
        return [SourceCheck(name="credentials", ok=False, detail=str(error))]
    try:
        client.token()
    except GeocollateralError as error:
        return [SourceCheck(name="credentials", ok=False, detail=str(error))]
    except HubFault as fault:
        told = f"{source.deployment.token_url} does not answer as it should: {fault.reason}. Try again later."
        return [SourceCheck(name="reachable", ok=False, detail=told)]
    checks = [
        SourceCheck(name="reachable", ok=True, detail=source.deployment.base_url),
        SourceCheck(name="credentials", ok=True, detail="accepted"),
    ]
    for collection in source.options.collections:
        try:
            catalogue.probe(client, source.deployment, collection)
            check = SourceCheck(name=f"collection {collection}", ok=True, detail="searchable")
        except (GeocollateralError, HubFault) as error:
            check = SourceCheck(name=f"collection {collection}", ok=False, detail=str(error))
        checks.append(check)
    return checks
