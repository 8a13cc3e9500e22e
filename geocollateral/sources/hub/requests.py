"""Bodies of requests, made by sentinelhub-py, and where they go."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geocollateral.errors import BrokenData
from geocollateral.sources.hub import evalscripts
from geocollateral.sources.hub.deployments import Deployment
from geocollateral.sources.hub.scenes import PIXEL_M, Acquisition
from geocollateral.sources.hub.units import process_units, statistical_units
from geocollateral.sources.raster.cache import make_key

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox
    from sentinelhub.config import SHConfig
    from sentinelhub.data_collections import DataCollection
    from sentinelhub.geometry import BBox
    from shapely import MultiPolygon, Polygon

LONGEST_SIDE = 2500
"""Pixels along a side of an answer, the service's limit."""
PERCENTILES = (10, 50, 90)
_defining = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class HubRequest:
    """One POST to the service."""

    url: str
    body: Mapping[str, Any]
    accept: str
    units: float
    """Processing units it is expected to cost."""

    @property
    def payload(self) -> bytes:
        """The bytes sent: the same request has the same bytes."""
        return json.dumps(self.body, sort_keys=True, separators=(",", ":")).encode()

    def key(self, version: str) -> str:
        """Key of its answer in a cache: what is asked, where, and of which version of the scene."""
        return make_key("answer", self.url, version, self.payload.decode())


def split_window(geobox: GeoBox, longest: int = LONGEST_SIDE) -> list[tuple[slice, slice]]:
    """Rows and columns of the parts of a window that one answer each can hold, as equal as may be."""

    def cuts(length: int) -> list[slice]:
        count = max(-(-length // longest), 1)
        edges = [round(length * n / count) for n in range(count + 1)]
        return [slice(a, b) for a, b in itertools.pairwise(edges)]

    return [(rows, columns) for rows in cuts(geobox.shape.y) for columns in cuts(geobox.shape.x)]


def process_request(
    deployment: Deployment, acquisition: Acquisition, geobox: GeoBox, bands: Sequence[str]
) -> HubRequest:
    """Raw numbers of one scene in one window.

    Parameters
    ----------
    geobox
        Window of the lattice, at most 2,500 pixels a side.
    bands
        Names of the service. ``dataMask`` and a check sum come last in the answer.
    """
    from sentinelhub.api.process import SentinelHubRequest
    from sentinelhub.constants import MimeType, ResamplingType

    radar = acquisition.collection == "sentinel-1-grd"
    script = evalscripts.bands_script(
        bands, sample_type="FLOAT32" if radar else "UINT16", units=None if radar else "DN"
    )
    data = SentinelHubRequest.input_data(
        _collection(deployment, acquisition.collection),
        time_interval=(acquisition.start, acquisition.end),
        upsampling=ResamplingType.NEAREST,
        downsampling=ResamplingType.NEAREST,
        other_args=_other_args(acquisition),
    )
    height, width = geobox.shape
    request = SentinelHubRequest(
        evalscript=script,
        input_data=[data],
        responses=[SentinelHubRequest.output_response("default", MimeType.TIFF)],
        bbox=_box(geobox),
        size=(int(width), int(height)),
        config=_config(deployment),
    )
    return HubRequest(
        url=_url(request, deployment),
        body=_plain(request.payload),
        accept="image/tiff",
        units=process_units(width, height, bands, float32=radar, terrain=radar),
    )


def statistical_request(
    deployment: Deployment,
    geometry: Polygon | MultiPolygon,
    geobox: GeoBox,
    interval: tuple[dt.datetime, dt.datetime],
    script: str,
    *,
    bands: Sequence[str],
    samples: int,
) -> HubRequest:
    """Statistics of each day over one geometry.

    Parameters
    ----------
    geometry
        In the CRS of the window.
    geobox
        Window of the lattice that holds the geometry: without it the service lays its pixels elsewhere.
    interval
        Start of the first day and end of the last.
    bands, samples
        Input bands of the script and dates with data, for the cost.
    """
    from sentinelhub.api.statistical import SentinelHubStatistical
    from sentinelhub.constants import ResamplingType
    from sentinelhub.geometry import Geometry

    data = SentinelHubStatistical.input_data(
        _collection(deployment, "sentinel-2-l2a"),
        upsampling=ResamplingType.NEAREST,
        downsampling=ResamplingType.NEAREST,
        other_args={"processing": {"harmonizeValues": True}},
    )
    aggregation = SentinelHubStatistical.aggregation(script, interval, "P1D", resolution=(PIXEL_M, PIXEL_M))
    request = SentinelHubStatistical(
        aggregation=aggregation,
        input_data=[data],
        bbox=_box(geobox),
        geometry=Geometry(geometry, _box(geobox).crs),
        calculations={"default": {"statistics": {"default": {"percentiles": {"k": list(PERCENTILES)}}}}},
        config=_config(deployment),
    )
    height, width = geobox.shape
    return HubRequest(
        url=_url(request, deployment),
        body=_plain(request.payload),
        accept="application/json",
        units=statistical_units(width, height, bands, samples),
    )


def search_request(deployment: Deployment, body: Mapping[str, Any], units: float) -> HubRequest:
    """One page of the Catalog."""
    url = f"{deployment.base_url}/api/v1/catalog/1.0.0/search"
    return HubRequest(url=url, body=dict(body), accept="application/geo+json", units=units)


def _other_args(acquisition: Acquisition) -> dict[str, Any]:
    if acquisition.collection != "sentinel-1-grd":
        return {"processing": {"harmonizeValues": True}}
    state = acquisition.orbit_state
    return {
        "dataFilter": {"orbitDirection": state.upper()} if state else {},
        "processing": {"backCoeff": "GAMMA0_TERRAIN", "orthorectify": True, "demInstance": "COPERNICUS"},
    }


def _box(geobox: GeoBox) -> BBox:
    from sentinelhub.constants import CRS
    from sentinelhub.geometry import BBox

    left, bottom, right, top = geobox.boundingbox.bbox
    return BBox((left, bottom, right, top), CRS(str(geobox.crs).removeprefix("EPSG:")))


def _collection(deployment: Deployment, name: str) -> DataCollection:
    from sentinelhub.data_collections import DataCollection

    stock = {"sentinel-2-l2a": DataCollection.SENTINEL2_L2A, "sentinel-1-grd": DataCollection.SENTINEL1_IW}[name]
    if stock.service_url == deployment.base_url:  # the library takes no second name for the same collection
        return stock
    # Without service_url the stock collection wins over the configured deployment: requests, and the token with them,
    # would go to the commercial service. The registry of the library is shared by all threads.
    with _defining:
        return stock.define_from(f"geocollateral {name} at {deployment.base_url}", service_url=deployment.base_url)


def _config(deployment: Deployment) -> SHConfig:
    from sentinelhub.config import SHConfig

    # Defaults only: no file of the user is read, no credentials are in it.
    return SHConfig(use_defaults=True, sh_base_url=deployment.base_url, sh_token_url=deployment.token_url)


def _url(request: Any, deployment: Deployment) -> str:
    url = str(request.download_list[0].url)
    if not url.startswith(deployment.base_url + "/"):
        raise BrokenData(f"A request for {deployment.base_url} would have gone to {url}.")
    return url


def _plain(payload: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(payload))
    return found
