"""JSON documents of catalogues: asked for with patience, from allowed places only, and never followed elsewhere.

JSON has no checksum: a flipped byte can be another date. TLS vouches for what comes over it. Over plain http a
document is asked for twice, and both must agree.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from functools import lru_cache
from os import getpid
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

from geocollateral.errors import BrokenData
from geocollateral.sources.raster.access import Access
from geocollateral.sources.raster.address import RefusedAddress, redact, resolve
from geocollateral.sources.raster.clock import SYSTEM_CLOCK, Clock
from geocollateral.sources.raster.retry import Patience, is_retried, parse_http_date, parse_retry_after

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from urllib3 import PoolManager

PAGE_BYTES = 256_000_000
"""Largest document read [bytes]: a page of a thousand items is below 30 MB."""
TOO_MUCH = frozenset({413, 502, 504})
"""Statuses of a server that was asked for more than it can gather in time: a smaller page may do."""


class NoAnswer(Exception):
    """A document could not be had. Never leaves the sources: they say what it means for the search."""

    def __init__(self, reason: str, *, status: int | None = None, too_much: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        """HTTP status of the last answer; None where there was none."""
        self.too_much = too_much
        """Asking for less may help."""


class DocumentClient:
    """Asks one service for JSON, as `Access` allows: time-outs, bounded retries, no redirects."""

    def __init__(self, access: Access, clock: Clock = SYSTEM_CLOCK, rng: random.Random | None = None) -> None:
        self.access = access
        self.clock = clock
        self._rng = rng or random.SystemRandom()

    def ask(
        self, url: str, body: Mapping[str, Any] | None = None, *, tries_if_too_much: int | None = None
    ) -> dict[str, Any]:
        """A JSON object by GET, or by POST where there is a body (a search changes nothing, so it may be repeated).

        Parameters
        ----------
        tries_if_too_much
            Where the caller can ask for less: tries before an answer of the kind `NoAnswer.too_much` is taken as final.

        Raises
        ------
        NoAnswer
            After all tries, or on an answer that trying again does not change.
        """
        try:
            address = resolve(url, self.access)
        except RefusedAddress as exc:
            raise NoAnswer(str(exc)) from exc
        params = self.access.params
        patience = Patience(attempts=params.attempts, wait_seconds=params.wait_seconds)
        too_much = 0
        while True:
            try:
                document = self._ask_once(address.url, body)
                if not address.vouched_by(self.access) and _content(self._ask_once(address.url, body)) != _content(
                    document
                ):
                    raise _Later("two answers to one request differ")
                return document
            except _Later as fault:
                too_much += fault.too_much
                left = patience.after(fault.asked, self._rng)
                if left is None or (fault.too_much and too_much == tries_if_too_much):
                    times = f" ({patience.tried + 1} tries)" if patience.tried else ""
                    raise NoAnswer(
                        f"{redact(url)}: {fault}{times}", status=fault.status, too_much=fault.too_much
                    ) from fault
                patience, wait = left
                self.clock.sleep(wait)

    def _ask_once(self, url: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        import urllib3

        sent = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/geo+json, application/json", "User-Agent": "geocollateral"}
        if sent is not None:
            headers["Content-Type"] = "application/json"
        params = self.access.params
        pool = _connections(getpid(), _proxy_for(url), params.connect_seconds, params.read_seconds)
        try:
            response = pool.request(
                "GET" if sent is None else "POST",
                url,
                body=sent,
                headers=headers,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                data = response.read(PAGE_BYTES, decode_content=True)
                status, answered = response.status, response.headers
                rest = response.read(1)
            finally:
                response.close()
                response.release_conn()
        except urllib3.exceptions.TimeoutError as exc:
            raise _Later("no answer in time", too_much=True) from exc
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise _Later("the connection broke or the answer was cut") from exc
        if rest:
            raise NoAnswer(f"{redact(url)}: the answer is larger than {PAGE_BYTES} bytes", too_much=True)
        self._judge(url, status, answered, data)
        return _parse(url, data)

    def _judge(self, url: str, status: int, headers: Mapping[str, str], data: bytes) -> None:
        if status == 200:
            return
        if is_retried(status):
            now = parse_http_date(headers.get("Date")) or self.clock.now()
            asked = parse_retry_after(headers.get("Retry-After"), now)
            raise _Later(f"HTTP {status}", status=status, asked=asked, too_much=status in TOO_MUCH)
        if 200 <= status < 300:
            raise _Later(f"HTTP {status} with no document")
        said = " ".join(data[:300].decode("utf-8", "replace").split())
        if 300 <= status < 400:
            said = f"redirects to {redact(headers.get('Location', ''))}; name that address instead"
        raise NoAnswer(f"{redact(url)}: HTTP {status}: {said}", status=status, too_much=status in TOO_MUCH)


class _Later(Exception):
    """One try failed; another may not."""

    def __init__(
        self, reason: str, *, status: int | None = None, asked: float | None = None, too_much: bool = False
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.asked = asked
        self.too_much = too_much


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """A JSON object.

    Raises
    ------
    BrokenData
        The bytes are none.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise BrokenData(f"{name} is not JSON: {str(exc)[:200]}") from exc
    if not isinstance(found, dict):
        raise BrokenData(f"{name} must hold a JSON object, got {type(found).__name__}")
    return found


def _content(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without the instant at which it was made."""
    return {key: value for key, value in document.items() if key.lower() != "timestamp"}


def _parse(url: str, data: bytes) -> dict[str, Any]:
    try:
        return parse_object(data, redact(url))
    except BrokenData as exc:
        # A body cut short by a proxy is the usual reason.
        raise _Later("the answer is no JSON object") from exc


def _proxy_for(url: str) -> str:
    """Proxy that the environment names for an address; ``""`` for none."""
    from urllib.parse import urlsplit

    parts: SplitResult = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return ""
    return getproxies().get(parts.scheme, "")


@lru_cache(maxsize=16)
def _connections(_process: int, proxy: str, connect: float, read: float) -> PoolManager:
    """Connections of this process, kept alive between pages."""
    import urllib3

    timeout = urllib3.Timeout(connect=connect, read=read)
    if proxy:
        return urllib3.ProxyManager(proxy, num_pools=8, maxsize=8, timeout=timeout)
    return urllib3.PoolManager(num_pools=8, maxsize=8, timeout=timeout)
