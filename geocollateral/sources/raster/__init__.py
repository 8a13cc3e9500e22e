"""The one way to rasters: files on disk, over HTTP ranges and in object stores, read by windows."""

from geocollateral.sources.raster.access import Access, AccessParams
from geocollateral.sources.raster.address import RefusedAddress
from geocollateral.sources.raster.cache import BlockCache, cache_of, make_key
from geocollateral.sources.raster.clock import SYSTEM_CLOCK, Clock
from geocollateral.sources.raster.rate import RateLimit
from geocollateral.sources.raster.read import read_profile, read_windows, window_cost
from geocollateral.sources.raster.request import (
    Expected,
    Provenance,
    RasterProfile,
    RasterRead,
    WindowRequest,
)
from geocollateral.sources.raster.signing import SIGNERS

__all__ = [
    "SIGNERS",
    "SYSTEM_CLOCK",
    "Access",
    "AccessParams",
    "BlockCache",
    "Clock",
    "Expected",
    "Provenance",
    "RasterProfile",
    "RasterRead",
    "RateLimit",
    "RefusedAddress",
    "WindowRequest",
    "cache_of",
    "make_key",
    "read_profile",
    "read_windows",
    "window_cost",
]
