"""The public STAC services we know: where they are, what they call things, what their files need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COPERNICUS = "contains modified Copernicus Sentinel data"
LICENCE = "Copernicus Sentinel data: free, full and open (legal notice of the Copernicus programme)"


@dataclass(frozen=True, kw_only=True)
class CatalogService:
    """A STAC API and the files its items point to."""

    name: str
    title: str
    url: str
    """Of the landing page."""
    optical: tuple[str, ...]
    """Collections of Sentinel-2 L2A read where none are named."""
    radar: tuple[str, ...]
    """Collections of Sentinel-1 backscatter on a map grid read where none are named."""
    origins: tuple[str, ...]
    """Where the files of its items lie, besides the API itself."""
    licence: str = LICENCE
    attribution: str = COPERNICUS
    signer: str | None = None
    """Name of what signs requests for files, just before they are sent."""
    s3_endpoint: str | None = None
    s3_region: str | None = None
    credentials: tuple[str, ...] = ()
    """Environment variables that must be set to read files."""
    advice: str = ""
    """How to get them, or what to know of the service."""


SERVICES: Mapping[str, CatalogService] = {
    service.name: service
    for service in (
        CatalogService(
            name="earth-search",
            title="Earth Search by Element 84: Sentinel-2 L2A on AWS",
            url="https://earth-search.aws.element84.com/v1",
            optical=("sentinel-2-c1-l2a",),
            radar=(),
            origins=(
                "https://e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com",
                "https://sentinel-cogs.s3.us-west-2.amazonaws.com",
            ),
            advice="Its Sentinel-1 is GRD in radar geometry, which cannot be read on a map grid: use "
            "planetary-computer or sentinelhub for radar.",
        ),
        CatalogService(
            name="planetary-computer",
            title="Microsoft Planetary Computer: Sentinel-2 L2A and Sentinel-1 RTC",
            url="https://planetarycomputer.microsoft.com/api/stac/v1",
            optical=("sentinel-2-l2a",),
            radar=("sentinel-1-rtc",),
            origins=(
                "https://sentinel2l2a01.blob.core.windows.net",
                "https://sentinel1euwestrtc.blob.core.windows.net",
            ),
            licence=f"{LICENCE}; Sentinel-1 RTC: CC BY 4.0",
            attribution=f"{COPERNICUS}; Sentinel-1 RTC by Microsoft and Catalyst",
            signer="planetary-computer",
        ),
        CatalogService(
            name="cdse",
            title="Copernicus Data Space Ecosystem: Sentinel-2 L2A",
            url="https://stac.dataspace.copernicus.eu/v1",
            optical=("sentinel-2-l2a",),
            radar=(),
            origins=("s3://eodata",),
            s3_endpoint="https://eodata.dataspace.copernicus.eu",
            s3_region="default",
            credentials=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            advice="Make S3 keys for eodata in the Data Space's S3 key manager and export them under these names.",
        ),
    )
}
"""By the name a user types."""

RADAR_GEOMETRY_ADVICE = (
    "Sentinel-1 GRD in radar geometry has no map grid. Use terrain-corrected backscatter (sentinel-1-rtc of "
    "planetary-computer) or a service that orthorectifies (sentinelhub)."
)
