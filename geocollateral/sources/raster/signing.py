"""Credentials added to a request just before it is sent, by the name of a signer.

A signature is never stored, shown or part of a cache's key. The transport asks for a fresh one once, when a service
answers 403.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from geocollateral.registry import Registry
from geocollateral.sources.raster.clock import Clock
from geocollateral.sources.raster.request import Undecodable
from geocollateral.sources.raster.retry import parse_http_date

T = TypeVar("T")


class Ask(Protocol):
    """Fetches a small document by the transport's own rules."""

    def __call__(self, url: str, headers: Mapping[str, str], accept: Callable[[bytes, Mapping[str, str]], T]) -> T:
        """What `accept` makes of body and headers; where it raises `Undecodable`, the document is asked for again."""
        ...


class Signer(Protocol):
    """Adds what a service asks for."""

    def sign(self, url: str, ask: Ask, clock: Clock) -> tuple[str, Mapping[str, str]]:
        """Address and headers to send instead of `url`.

        Parameters
        ----------
        url
            Address without signature.
        ask
            For a token, where one is needed.
        clock
            Intervals by ``monotonic()``.
        """
        ...

    def forget(self, signed: str) -> None:
        """The service refused this signed address: do not use its signature again."""
        ...


SIGNERS: Registry[Callable[[], Signer]] = Registry("signer")
"""By name: makes a signer. One is made per process and access."""


@dataclass
class _Token:
    value: str
    good_until: float
    """By the monotonic clock."""


@dataclass
class PlanetaryComputerSigner:
    """Shared-access tokens of the Planetary Computer, one per storage account and container.

    A token's life is counted from the answer's own ``Date``, so that a wrong clock of this machine neither uses an
    expired token nor asks for one at every read. Tokens go to the hosts named only.
    """

    endpoint: str = "https://planetarycomputer.microsoft.com/api/sas/v1/token"
    hosts: tuple[str, ...] = (".blob.core.windows.net",)
    """Endings of the hosts that get a token."""
    subscription_key: str = field(default="", repr=False)
    spare_seconds: float = 120.0
    """A token this near its end is not used."""
    _tokens: dict[str, _Token] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def sign(self, url: str, ask: Ask, clock: Clock) -> tuple[str, Mapping[str, str]]:
        """The address with the token of its container as query; other hosts' addresses as they are."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not host.endswith(self.hosts):
            return url, {}
        place = f"{host.split('.')[0]}/{parts.path.split('/')[1]}"
        with self._lock:  # one asks, the others of the block wait for its answer
            token = self._tokens.get(place)
            if token is None or clock.monotonic() >= token.good_until:
                token = self._tokens[place] = self._fetch(place, ask, clock)
        return f"{url}{'&' if parts.query else '?'}{token.value}", {}

    def forget(self, signed: str) -> None:
        """Drop the token of a refused address, unless another thread has renewed it meanwhile."""
        with self._lock:
            for place in [place for place, token in self._tokens.items() if signed.endswith(token.value)]:
                del self._tokens[place]

    def _fetch(self, place: str, ask: Ask, clock: Clock) -> _Token:
        asked_at = clock.monotonic()
        headers = {"Ocp-Apim-Subscription-Key": self.subscription_key} if self.subscription_key else {}
        value, life = ask(f"{self.endpoint}/{place}", headers, partial(_read_token, now=clock.now()))
        return _Token(value, asked_at + max(0.0, life - self.spare_seconds))


def _read_token(body: bytes, headers: Mapping[str, str], *, now: dt.datetime) -> tuple[str, float]:
    """A token and the seconds it has to live."""
    try:
        document = json.loads(body)
        value = str(document["token"])
        expiry = dt.datetime.fromisoformat(str(document["msft:expiry"]).replace("Z", "+00:00"))
        life = (expiry - (parse_http_date(headers.get("Date")) or now)).total_seconds()
    except (ValueError, KeyError, TypeError) as exc:
        raise Undecodable("no token: the service answered what is none") from exc
    if not value or life <= 0:
        raise Undecodable("no token: the service gave one that had expired")
    return value, life


@SIGNERS.register("planetary-computer")
def planetary_computer() -> Signer:
    """Signer set by the environment variables of that service's own SDK: ``PC_SDK_SAS_URL``,
    ``PC_SDK_SUBSCRIPTION_KEY``.

    With a token endpoint on this machine (a test), this machine's addresses are signed too.
    """
    chosen = PlanetaryComputerSigner(subscription_key=os.environ.get("PC_SDK_SUBSCRIPTION_KEY", ""))
    endpoint = os.environ.get("PC_SDK_SAS_URL", "").rstrip("/")
    if endpoint:
        chosen.endpoint = endpoint
        if urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1"):
            chosen.hosts = (*chosen.hosts, "127.0.0.1", "localhost", "::1")
    return chosen


@dataclass(frozen=True)
class BearerSigner:
    """A fixed bearer token of the environment, for a store of the user's own."""

    variable: str = "GEOCOLLATERAL_BEARER_TOKEN"

    def sign(self, url: str, ask: Ask, clock: Clock) -> tuple[str, Mapping[str, str]]:
        """The address as it is and the token as ``Authorization``; over plain http nothing is sent."""
        token = os.environ.get(self.variable, "")
        if not token or (url.startswith("http://") and urlsplit(url).hostname not in ("127.0.0.1", "localhost")):
            return url, {}
        return url, {"Authorization": f"Bearer {token}"}

    def forget(self, signed: str) -> None:
        """A fixed token has no successor."""


SIGNERS.register("bearer")(BearerSigner)
