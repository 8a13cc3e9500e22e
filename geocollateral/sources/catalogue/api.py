"""Search of a STAC API, listed to its last page before any work starts, or reported as incomplete.

Everything that can cut a listing short is looked for: a page that never comes, a ``next`` link that leads in a circle
or off the service, fewer items than the service itself counted. Judging on a part of the scenes would look like a
judgement.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urljoin

from geocollateral.errors import IncompleteSearch, InvalidInput, MissingInput, ServiceUnavailable
from geocollateral.sources.bounds import Box
from geocollateral.sources.catalogue.documents import DocumentClient, NoAnswer
from geocollateral.sources.catalogue.duplicates import drop_twins
from geocollateral.sources.catalogue.instants import interval_text
from geocollateral.sources.raster.access import Access
from geocollateral.sources.raster.address import redact
from geocollateral.types import Period

PAGE_SIZES = (200, 50, 10)
"""Items asked for on a page; the next size where a service gives up gathering one."""
TRIES_OF_A_SIZE = 2
"""Tries of a page before a smaller one is asked for."""
LISTINGS = 2
"""How often a listing that does not add up is made anew: pages shift while a catalogue takes in scenes."""
MAX_PAGES = 20_000
WIDEST = 180.0
"""Bounds wider than this would list a service's whole archive [degrees]."""


@dataclass(frozen=True, kw_only=True)
class ApiCatalogue:
    """A STAC API. Pickles; asks when asked."""

    url: str
    """Of the landing page."""

    def features(
        self, boxes: Sequence[Box], period: Period, collections: Sequence[str], client: DocumentClient
    ) -> list[dict[str, Any]]:
        """Items as JSON that meet any box in the period and a day around it; see the module.

        Raises
        ------
        IncompleteSearch
            The service did not list all it has.
        InvalidInput
            The boxes span half the globe or more, or the service refuses the question.
        """
        if sum(east - west for west, _, east, _ in boxes) > WIDEST:
            raise InvalidInput(
                f"Bounds of {sum(e - w for w, _, e, _ in boxes):.0f} degrees would list the whole archive of "
                f"{redact(self.url)}. Expected an area of interest; one across 180 degrees has west greater than east."
            )
        endpoint, method = self._search_link(client)
        found: list[dict[str, Any]] = []
        for box in boxes:
            question: dict[str, Any] = {"bbox": list(box)}
            if collections:
                question["collections"] = list(collections)
            interval = interval_text(period)
            if interval is not None:
                question["datetime"] = interval
            found += _list_whole(endpoint, method, question, client)
        return found

    def landing(self, client: DocumentClient) -> dict[str, Any]:
        """The landing page.

        Raises
        ------
        ServiceUnavailable
            It does not answer.
        """
        try:
            return client.ask(self.url)
        except NoAnswer as exc:
            raise ServiceUnavailable(f"The STAC API does not answer: {exc}. Try again later.") from exc

    def collection_ids(self, client: DocumentClient) -> list[str]:
        """Names of all collections, in order.

        Raises
        ------
        ServiceUnavailable
            The service does not list them.
        """
        names: list[str] = []
        url: str | None = f"{self.url.rstrip('/')}/collections"
        seen: set[str] = set()
        try:
            while url is not None and url not in seen:
                seen.add(url)
                page = client.ask(url)
                names += [str(entry.get("id")) for entry in page.get("collections") or []]
                following = _link(page, "next")
                url = urljoin(url, str(following["href"])) if following else None
        except NoAnswer as exc:
            raise ServiceUnavailable(f"The collections of the STAC API cannot be listed: {exc}.") from exc
        return sorted(set(names))

    def has_collection(self, name: str, client: DocumentClient) -> bool:
        """Whether a collection is there.

        Raises
        ------
        ServiceUnavailable
            The service does not say.
        """
        try:
            return str(client.ask(f"{self.url.rstrip('/')}/collections/{name}").get("id")) == name
        except NoAnswer as exc:
            if exc.status == 404:
                return False
            raise ServiceUnavailable(f"The STAC API does not say whether it has {name!r}: {exc}.") from exc

    def _search_link(self, client: DocumentClient) -> tuple[str, str]:
        landing = self.landing(client)
        links = [link for link in landing.get("links") or [] if isinstance(link, dict) and link.get("rel") == "search"]
        if not links:
            raise InvalidInput(
                f"{redact(self.url)} is no STAC API with item search: its landing page has no link 'search'. "
                f"Expected the address of an API, or of a catalog.json."
            )
        chosen = next((link for link in links if str(link.get("method", "GET")).upper() == "POST"), links[0])
        endpoint = urljoin(f"{self.url.rstrip('/')}/", str(chosen["href"]))
        return endpoint, str(chosen.get("method") or "GET").upper()


def _list_whole(endpoint: str, method: str, question: dict[str, Any], client: DocumentClient) -> list[dict[str, Any]]:
    """All items of one question: in smaller pages where large ones fail, anew where the count does not add up."""
    counted = ""
    for _ in range(LISTINGS):
        found, matched = _list_shrinking(endpoint, method, question, client)
        unique = drop_twins(found)
        if matched is None or len(unique) >= matched:
            return found
        counted = f"listed {len(unique)} of the {matched} items that it counted"
    raise IncompleteSearch(
        f"{redact(endpoint)} {counted}, {LISTINGS} times. Nothing was judged on a part; run again later."
    )


def _list_shrinking(
    endpoint: str, method: str, question: dict[str, Any], client: DocumentClient
) -> tuple[list[dict[str, Any]], int | None]:
    for n, size in enumerate(PAGE_SIZES):
        last = n == len(PAGE_SIZES) - 1
        listed = 0
        found: list[dict[str, Any]] = []
        try:
            pages = _Pages(endpoint, method, {**question, "limit": size}, client, None if last else TRIES_OF_A_SIZE)
            for page in pages:
                listed += 1
                found += page
            return found, pages.matched
        except NoAnswer as exc:
            if exc.too_much and not last:
                continue
            if exc.status in (400, 401, 403, 404, 422) and listed == 0:
                raise InvalidInput(f"The STAC API refuses the search: {exc}.") from exc
            raise IncompleteSearch(
                f"The search broke off after {listed} pages with {len(found)} items: {exc}. Nothing was judged on a "
                f"part; run again later."
            ) from exc
    raise AssertionError("unreachable: the last size either returns or raises")


class _Pages:
    """Pages of one listing, each a list of items."""

    def __init__(
        self, endpoint: str, method: str, question: dict[str, Any], client: DocumentClient, tries: int | None
    ) -> None:
        self.matched: int | None = None
        self._client = client
        self._tries = tries
        self._next: tuple[str, dict[str, Any] | None] | None = (
            (endpoint, question) if method == "POST" else (f"{endpoint}?{urlencode(_as_query(question))}", None)
        )
        self._seen: set[str] = set()

    def __iter__(self) -> _Pages:
        return self

    def __next__(self) -> list[dict[str, Any]]:
        if self._next is None:
            raise StopIteration
        url, body = self._next
        mark = json.dumps([url, body], sort_keys=True)
        if mark in self._seen or len(self._seen) >= MAX_PAGES:
            raise NoAnswer(f"{redact(url)}: its pages lead in a circle")
        self._seen.add(mark)
        page = self._client.ask(url, body, tries_if_too_much=self._tries)
        features = page.get("features")
        if not isinstance(features, list):
            raise NoAnswer(f"{redact(url)}: a page without a list of features")
        if self.matched is None:
            self.matched = _matched(page)
        self._next = self._follow(page, url, body)
        return [feature for feature in features if isinstance(feature, dict)]

    def _follow(
        self, page: Mapping[str, Any], url: str, body: dict[str, Any] | None
    ) -> tuple[str, dict[str, Any] | None] | None:
        link = _link(page, "next")
        if link is None:
            return None
        following = urljoin(url, str(link["href"]))
        # Behind a proxy services call themselves by other names; the allow-list decides.
        if str(link.get("method") or "GET").upper() != "POST":
            return following, None
        given = link.get("body") if isinstance(link.get("body"), dict) else {}
        return following, {**(body or {}), **(given or {})} if link.get("merge") or not given else dict(given or {})


def _matched(page: Mapping[str, Any]) -> int | None:
    """How many items the service itself counts for the question; None where it does not say."""
    context = page.get("context") if isinstance(page.get("context"), dict) else {}
    for value in (page.get("numberMatched"), (context or {}).get("matched")):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _link(page: Mapping[str, Any], rel: str) -> dict[str, Any] | None:
    links = page.get("links") or []
    return next(
        (link for link in links if isinstance(link, dict) and link.get("rel") == rel and link.get("href")), None
    )


def _as_query(question: Mapping[str, Any]) -> dict[str, str]:
    return {k: ",".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in question.items()}


def require_collections(catalogue: ApiCatalogue, names: Sequence[str], access: Access) -> None:
    """Tell a wrong name of a collection before any work starts.

    Raises
    ------
    MissingInput
        The service has no such collection; the message lists some that it has.
    ServiceUnavailable
        It does not answer.
    """
    client = DocumentClient(access)
    for name in names:
        if not catalogue.has_collection(name, client):
            known = catalogue.collection_ids(client)
            near = [other for other in known if "sentinel" in other] or known
            raise MissingInput(
                f"{redact(catalogue.url)} has no collection {name!r}. It has {', '.join(near[:12]) or 'none'}."
            )
