"""Sentinel-1 and Sentinel-2 from whatever STAC lists: services, static catalogues, stac-geoparquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pystac
import xarray as xr
from pydantic import Field

from geocollateral.errors import GeocollateralError, IncompleteSearch, MissingInput
from geocollateral.sources.bounds import Box, meet, split_bounds
from geocollateral.sources.catalogue.api import ApiCatalogue
from geocollateral.sources.catalogue.documents import DocumentClient
from geocollateral.sources.catalogue.duplicates import drop_duplicates, drop_twins
from geocollateral.sources.catalogue.instants import is_within
from geocollateral.sources.catalogue.parquet import ParquetCatalogue
from geocollateral.sources.catalogue.plan import plan_reads
from geocollateral.sources.catalogue.read import read_block
from geocollateral.sources.catalogue.scenes import (
    AssetGrid,
    RefusedItem,
    canonical_item,
    ground_of,
    lacks_grid,
    with_grid,
)
from geocollateral.sources.catalogue.static import StaticCatalogue
from geocollateral.sources.raster.access import Access
from geocollateral.types import RADAR_BANDS, Block, Found, Params, Period, ReadCost, SourceInfo

HEADER_THREADS = 16


class StacOptions(Params):
    """Options of STAC sources."""

    collections: tuple[str, ...] = Field((), description="Collections to read; default: those of the name, or all.")
    max_cloud: float | None = Field(
        None,
        ge=0,
        le=100,
        description="Leave out scenes whose eo:cloud_cover is above this [%]. Default: none, since a clouded tile may "
        "be clear over a parcel.",
    )
    optical: bool = Field(True, description="Read reflectance.")
    radar: bool = Field(True, description="Read backscatter.")
    platforms: tuple[str, ...] = Field((), description="Only these platforms, such as sentinel-2a; default: all.")


@dataclass(frozen=True, kw_only=True)
class StacSource:
    """Imagery that a STAC catalogue lists. Holds settings only and pickles; whatever is opened is closed
    in the call.
    """

    name: str
    title: str
    licence: str
    attribution: str
    catalogue: ApiCatalogue | StaticCatalogue | ParquetCatalogue
    access: Access
    options: StacOptions
    revisit_days: float | None = None

    @property
    def info(self) -> SourceInfo:
        """What a report says of this source; SHA-256 of a catalogue on disk, none of a service."""
        return SourceInfo(
            name=self.name,
            title=self.title,
            licence=self.licence,
            attribution=self.attribution,
            sha256=self._sha256(),
            revisit_days=self.revisit_days,
        )

    def search(self, bounds: Box, period: Period) -> list[pystac.Item]:
        """Scenes that meet the bounds in the period; see `geocollateral.types.Source`.

        Bounds with west greater than east run across 180 degrees.

        Raises
        ------
        IncompleteSearch
            The catalogue was cut off before its last scene, or the header of a scene without a stated grid cannot be
            had.
        MissingInput
            There are scenes, and none of them can be read.
        """
        found = self.find(bounds, period)
        if found.refused and not found.items:
            raise MissingInput(
                f"{self.name} lists {len(found.refused)} scenes here, and none can be read. "
                f"The first: {found.refused[0]}"
            )
        return list(found.items)

    def find(self, bounds: Box, period: Period) -> Found:
        """As `search`, and what had to be refused."""
        boxes = split_bounds(bounds)
        items: list[pystac.Item] = []
        refused: list[str] = []
        for feature in drop_twins(self._features(boxes, period)):
            try:
                items.append(canonical_item(feature))
            except RefusedItem as exc:
                refused.append(str(exc))
        near = [i for i in items if self._is_wanted(i, period) and (lacks_grid(i) or meet(ground_of(i), boxes))]
        complete, without = self._complete(near)
        here = [item for item in complete if meet(ground_of(item), boxes)]
        return Found(items=tuple(drop_duplicates(here)), refused=tuple(sorted([*refused, *without])))

    def read(self, block: Block, bands: Sequence[str]) -> xr.Dataset:
        """Digital numbers of a block's scenes; see `geocollateral.types.Source`."""
        from geocollateral.sources.raster import read_windows

        return read_block(block, bands, lambda requests: read_windows(requests, self.access))

    def estimate(self, block: Block, bands: Sequence[str]) -> ReadCost:
        """What `read` of the same would take: headers are fetched, no imagery is."""
        from geocollateral.sources.raster import window_cost

        plan = plan_reads(block, bands)
        return replace(window_cost(plan.requests, self.access), scenes=len(plan.items))

    def _features(self, boxes: Sequence[Box], period: Period) -> list[dict[str, Any]]:
        names = self.options.collections
        if isinstance(self.catalogue, ApiCatalogue):
            return self.catalogue.features(boxes, period, names, DocumentClient(self.access))
        if isinstance(self.catalogue, ParquetCatalogue):
            return self.catalogue.features(boxes, period, names)
        return self.catalogue.features(names, self.access)[0]

    def _sha256(self) -> Mapping[str, str]:
        if isinstance(self.catalogue, ParquetCatalogue):
            return {self.catalogue.path.name: self.catalogue.sha256()}
        if isinstance(self.catalogue, StaticCatalogue):
            _, digest = self.catalogue.features(self.options.collections, self.access)
            return {self.catalogue.root.rpartition("/")[2]: digest}
        return {}

    def _is_wanted(self, item: pystac.Item, period: Period) -> bool:
        p, options = item.properties, self.options
        is_radar = set(item.assets) <= set(RADAR_BANDS)
        cloud = p.get("eo:cloud_cover")
        return (
            item.datetime is not None
            and is_within(item.datetime, period)
            and (options.radar if is_radar else options.optical)
            and (not options.platforms or p.get("platform") in options.platforms)
            and (options.max_cloud is None or cloud is None or float(cloud) <= options.max_cloud)
        )

    def _complete(self, items: Sequence[pystac.Item]) -> tuple[list[pystac.Item], list[str]]:
        """Items with the grids that they do not state told from the headers of their files; and who has none."""
        lacking = [item for item in items if lacks_grid(item)]
        if not lacking:
            return list(items), []
        with ThreadPoolExecutor(HEADER_THREADS) as pool:
            told = list(pool.map(self._with_header, lacking))
        stated = [item for item in items if not lacks_grid(item)]
        return stated + [t for t in told if isinstance(t, pystac.Item)], [t for t in told if isinstance(t, str)]

    def _with_header(self, item: pystac.Item) -> pystac.Item | str:
        """The item with the grid of its finest band, or why it has none."""
        from geocollateral.sources.raster import read_profile

        band = min(item.assets, key=lambda name: (item.assets[name].extra_fields.get("gsd", 0), name))
        asset = item.assets[band]
        try:
            profile = read_profile(asset.href, str(asset.extra_fields.get("geocollateral:version", "")), self.access)
        except GeocollateralError as exc:
            if exc.kind == "unavailable":
                raise IncompleteSearch(f"{item.id} does not state its grid, and its file cannot be had: {exc}") from exc
            return f"{item.id}: does not state its grid, and its file does not tell it: {exc}"
        if profile.crs is None:
            return f"{item.id}: neither the item nor its file says on which map grid it lies"
        return with_grid(item, band, AssetGrid(code=profile.crs, transform=profile.transform, shape=profile.shape))
