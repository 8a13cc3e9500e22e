"""Static STAC catalogues: JSON documents that link to each other, in a folder, on a web server or in a bucket.

All documents are read at every search: such catalogues are small, or they are served by an API. Links are followed
below the catalogue's own folder or origin only. A document that is named and cannot be had makes the search incomplete.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from geocollateral.errors import BrokenData, IncompleteSearch, InvalidInput, MissingInput, ServiceUnavailable
from geocollateral.sources.catalogue.documents import parse_object
from geocollateral.sources.raster.access import Access
from geocollateral.sources.raster.address import RefusedAddress, redact
from geocollateral.sources.raster.clock import SYSTEM_CLOCK, Clock
from geocollateral.sources.raster.request import ReadFault, Undecodable
from geocollateral.sources.raster.transport import Answer, Transport

DOCUMENT_BYTES = 64_000_000
"""Largest document [bytes]."""
MAX_DOCUMENTS = 500_000
THREADS = 16
FOLLOWED = frozenset({"child", "item"})


@dataclass(frozen=True, kw_only=True)
class StaticCatalogue:
    """A catalogue of linked documents. Pickles; reads when asked."""

    root: str
    """Address of the first document: absolute path, ``http(s)://`` or ``s3://``."""

    def features(
        self, collections: Sequence[str], access: Access, clock: Clock = SYSTEM_CLOCK
    ) -> tuple[list[dict[str, Any]], str]:
        """All items as JSON, addresses of their assets absolute, and the SHA-256 of all documents.

        Parameters
        ----------
        collections
            Names of those wanted; empty for all.

        Raises
        ------
        MissingInput, ServiceUnavailable
            The first document is not there, or its server does not answer.
        IncompleteSearch
            A document that another one names cannot be had.
        BrokenData
            A document is no STAC, or is cut short.
        InvalidInput
            A link leads out of the catalogue.
        """
        found: list[dict[str, Any]] = []
        digests: dict[str, str] = {}
        level, first = [self.root], True
        with Transport(access, clock) as transport, ThreadPoolExecutor(THREADS) as pool:
            while level:
                if len(digests) + len(level) > MAX_DOCUMENTS:
                    raise InvalidInput(f"{redact(self.root)} links to more than {MAX_DOCUMENTS} documents.")
                read = list(pool.map(lambda href: self._read(transport, href), level))
                digests |= {href: digest for href, (_, digest) in zip(level, read, strict=True)}
                following: list[str] = []
                for href, (document, _) in zip(level, read, strict=True):
                    items, links = _take(href, document, collections, is_root=first)
                    found += items
                    following += links
                level = sorted(set(following) - digests.keys())
                first = False
        listing = "".join(f"{digests[href]}  {self._relative(href)}\n" for href in sorted(digests))
        return found, hashlib.sha256(listing.encode()).hexdigest()

    def look(self, access: Access, clock: Clock = SYSTEM_CLOCK) -> str:
        """Read the first document and say what it is. Raises as `features`."""
        with Transport(access, clock) as transport:
            document, _ = self._read(transport, self.root)
        _take(self.root, document, (), is_root=True)
        return f"{document.get('type')} {document.get('id', '')}".strip()

    def _read(self, transport: Transport, href: str) -> tuple[dict[str, Any], str]:
        def accept(answer: Answer) -> tuple[dict[str, Any], str]:
            if answer.total is not None and answer.total > len(answer.body):
                raise ReadFault("corrupt", f"larger than {DOCUMENT_BYTES} bytes")
            try:
                return parse_object(answer.body, redact(href)), hashlib.sha256(answer.body).hexdigest()
            except BrokenData as exc:
                raise Undecodable(str(exc)) from exc

        try:
            address = transport.resolve(href)
            return transport.fetch(address, 0, DOCUMENT_BYTES, accept).value
        except RefusedAddress as exc:
            raise InvalidInput(f"The catalogue {redact(self.root)} leads out of its place: {exc}.") from exc
        except ReadFault as exc:
            raise self._explain(exc, href) from exc

    def _explain(self, fault: ReadFault, href: str) -> Exception:
        if fault.status == "corrupt":
            return BrokenData(f"The STAC document {redact(href)} cannot be read: {fault.reason}.")
        if href != self.root:
            return IncompleteSearch(
                f"The catalogue {redact(self.root)} names a document that cannot be had: {fault.reason}. Nothing was "
                f"judged on a part."
            )
        if fault.transient:
            return ServiceUnavailable(f"The catalogue cannot be had: {fault.reason}. Try again later.")
        return MissingInput(f"There is no STAC catalogue at {redact(href)}: {fault.reason}.")

    def _relative(self, href: str) -> str:
        return href.removeprefix(posixpath.dirname(self.root)).lstrip("/")


def absolute(href: str, document: str) -> str:
    """Address that a document means by a link or asset: relative ones count from the document."""
    if "://" in href or href.startswith("/vsi"):
        return href
    if "://" in document:
        if document.startswith("s3://"):
            parts = urlsplit(document)
            return f"s3://{parts.netloc}{posixpath.normpath(posixpath.join(posixpath.dirname(parts.path), href))}"
        return urljoin(document, href)
    return posixpath.normpath(posixpath.join(posixpath.dirname(document), href))


def with_absolute_assets(feature: Mapping[str, Any], document: str) -> dict[str, Any]:
    """The item with the addresses of its assets made absolute."""
    assets = {
        key: {**asset, "href": absolute(str(asset["href"]), document)}
        for key, asset in (feature.get("assets") or {}).items()
        if isinstance(asset, dict) and asset.get("href")
    }
    return {**feature, "assets": assets}


def _take(
    href: str, document: dict[str, Any], collections: Sequence[str], *, is_root: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Items a document holds, and documents it leads to."""
    kind = document.get("type")
    if kind == "Feature":
        wanted = not collections or document.get("collection") in collections
        return ([with_absolute_assets(document, href)] if wanted else []), []
    if kind == "FeatureCollection":
        features = [f for f in document.get("features") or [] if isinstance(f, dict)]
        return [
            with_absolute_assets(f, href) for f in features if not collections or f.get("collection") in collections
        ], []
    if kind == "Collection" or (kind is None and "extent" in document):
        if collections and document.get("id") not in collections:
            return [], []
    elif kind != "Catalog" and "links" not in document:
        raise (InvalidInput if is_root else BrokenData)(
            f"{redact(href)} is no STAC document: expected a Catalog, Collection or Feature, got type {kind!r}."
        )
    links = [link for link in document.get("links") or [] if isinstance(link, dict)]
    return [], [absolute(str(link["href"]), href) for link in links if link.get("rel") in FOLLOWED and link.get("href")]
