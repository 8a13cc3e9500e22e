"""The Catalog API, page by page, to its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from geocollateral.errors import IncompleteSearch
from geocollateral.sources.hub.client import BrokenAnswer, HubClient, HubFault, parse_json
from geocollateral.sources.hub.deployments import Deployment
from geocollateral.sources.hub.requests import search_request
from geocollateral.sources.hub.scenes import Bounds, Feature
from geocollateral.types import Period

PAGE = 100
"""Features asked for at once, the service's limit."""
MOST_PAGES = 10_000
FIRST_DAY = dt.date(2014, 4, 3)
"""Launch of Sentinel-1A."""
RADAR_FILTER = "sar:instrument_mode='IW' AND s1:polarization='DV' AND s1:resolution='HIGH'"
PAGE_UNITS = 0.01
"""Least cost of a page; areas of loans stay far below one unit of 1000 x 1000 km."""


def search(client: HubClient, deployment: Deployment, collection: str, bounds: Bounds, period: Period) -> list[Feature]:
    """All features of a collection in a box and a period.

    Raises
    ------
    IncompleteSearch
        The service stopped before the last page, or its pages contradict what it says of them.
    """
    body = _body(collection, bounds, period)
    features: list[Feature] = []
    seen: set[str] = set()
    following: Any = None
    for number in range(1, MOST_PAGES + 1):
        page_body = body if following is None else body | {"next": following}
        request = search_request(deployment, page_body, PAGE_UNITS)
        try:
            page, _ = client.send(request, _parse_page)
        except HubFault as fault:
            raise IncompleteSearch(
                f"The Catalog of Sentinel Hub ({deployment.name}) gave {len(features)} features of {collection} in "
                f"{number - 1} pages and then no more: {fault.reason}. Run again."
            ) from fault
        features += page["features"]
        context = page["context"]
        following = context.get("next")
        if following is None:
            _require_count(features, context, collection)
            return features
        if not page["features"] or str(following) in seen:
            raise IncompleteSearch(f"The Catalog of Sentinel Hub turns in a circle at page {number} of {collection}.")
        seen.add(str(following))
    raise IncompleteSearch(f"The Catalog of Sentinel Hub has more than {MOST_PAGES} pages of {collection}.")


def probe(client: HubClient, deployment: Deployment, collection: str) -> None:
    """Ask for one feature, to see whether a collection can be searched.

    Raises
    ------
    HubFault, GeocollateralError
        It cannot.
    """
    body = {"collections": [collection], "limit": 1, "bbox": [13.0, 45.0, 14.0, 46.0]}
    body |= {"datetime": "2019-12-10T00:00:00Z/2019-12-11T00:00:00Z"}
    client.send(search_request(deployment, body, PAGE_UNITS), _parse_page)


def meets(feature: Feature, area: Sequence[BaseGeometry], period: Period) -> bool:
    """Whether a feature lies in the area and was sensed in the period, by day in UTC."""
    day = dt.datetime.fromisoformat(feature["properties"]["datetime"]).astimezone(dt.UTC).date()
    if day > period.end or (period.start is not None and day < period.start):
        return False
    shape = shapely.geometry.shape(feature["geometry"])
    return any(shape.intersects(part) for part in area)


def _body(collection: str, bounds: Bounds, period: Period) -> dict[str, Any]:
    start = max(period.start or FIRST_DAY, FIRST_DAY)
    end = max(period.end, start)
    body: dict[str, Any] = {
        "collections": [collection],
        "bbox": list(bounds),
        "datetime": f"{start}T00:00:00Z/{end}T23:59:59.999Z",
        "limit": PAGE,
    }
    if collection == "sentinel-1-grd":
        body |= {"filter": RADAR_FILTER, "filter-lang": "cql2-text"}
    return body


def _parse_page(body: bytes) -> dict[str, Any]:
    page = parse_json(body)
    features, context = page.get("features"), page.get("context")
    if not isinstance(features, list) or not isinstance(context, dict):
        raise BrokenAnswer("the page has no features or no context")
    returned = context.get("returned")
    if returned is not None and returned != len(features):
        raise BrokenAnswer(f"the page holds {len(features)} features and says {returned}")
    for feature in features:
        try:
            dt.datetime.fromisoformat(feature["properties"]["datetime"])
            str(feature["id"]), str(feature["collection"])
            shapely.geometry.shape(feature["geometry"])
        except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError) as error:
            raise BrokenAnswer("a feature of the page lacks its id, collection, time or outline") from error
    return page


def _require_count(features: Sequence[Feature], context: dict[str, Any], collection: str) -> None:
    matched = context.get("matched", context.get("numberMatched"))
    unique = len({str(f["id"]) for f in features})
    if isinstance(matched, int) and matched != unique:
        raise IncompleteSearch(
            f"The Catalog of Sentinel Hub says that {matched} features of {collection} match and gave {unique}. "
            "Run again."
        )
