"""The way to the service: tokens, bounded retries, the shared rate, and refusals told apart.

sentinelhub-py's own client is not used for sending: it repeats a 429 without end, sleeps by the wall clock, gives the
token endpoint no time-out and hands on a decoded picture where the bytes are needed for the cache.

What an answer means:

* 2xx: the body, if the caller's look at it finds it whole; a body that is not is asked for again.
* 401, and 403 that is no quota: one new token, then the refusal stands.
* 402 or 403 that speaks of the quota: `QuotaExceeded`, never repeated.
* 408, 425, 429, 5xx, a broken connection: repeated within `AccessParams.attempts` and ``wait_seconds``. A number in
  ``Retry-After`` counts milliseconds, and holds for all who share the rate.
* Redirects and other 4xx: the refusal stands. No credentials go to where the user did not send them.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

import urllib3

from geocollateral.errors import InvalidInput, QuotaExceeded
from geocollateral.sources.hub.budget import Budget
from geocollateral.sources.hub.credentials import Credentials
from geocollateral.sources.hub.deployments import Deployment
from geocollateral.sources.hub.requests import HubRequest
from geocollateral.sources.raster.access import AccessParams
from geocollateral.sources.raster.clock import SYSTEM_CLOCK, Clock, SystemClock
from geocollateral.sources.raster.rate import RateLimit
from geocollateral.sources.raster.retry import Patience, is_quota, is_retried, parse_http_date, parse_retry_after

T = TypeVar("T")
TOKEN_MARGIN = 60.0
"""A token is renewed this long before it expires [s], by a clock that does not jump."""
BURST_MINUTES = 1 / 6
"""What a quiet account may spend at once, as minutes of its rate: the service's own buckets hold a minute."""
LONGEST_MESSAGE = 300


class HubFault(Exception):
    """A request that brought nothing usable; becomes a status of its scene, or an error of the search."""

    def __init__(self, reason: str, *, transient: bool, broken: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.transient = transient
        self.broken = broken
        """The service answered, but with a body that is not what was asked for."""


class BrokenAnswer(Exception):
    """Raised by a caller's look at a body that is not what was asked for."""


@dataclass
class _Shared:
    """What all clients of one account in this process share."""

    requests: RateLimit
    units: RateLimit
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = ""
    expires: float = 0.0


_shared: dict[tuple[Deployment, str, Clock | None], _Shared] = {}
_sharing = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class HubClient:
    """Sends requests to one deployment. Made inside a task; never pickled."""

    deployment: Deployment
    credentials: Credentials
    access: AccessParams
    budget: Budget | None = None
    clock: Clock = SYSTEM_CLOCK
    rng: random.Random = field(default_factory=random.Random)
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(num_pools=4, maxsize=32))

    def send(self, request: HubRequest, parse: Callable[[bytes], T]) -> tuple[T, bytes]:
        """What an answer holds, and its bytes.

        Parameters
        ----------
        parse
            Reads the body; raises `BrokenAnswer` where it is not what was asked for.

        Raises
        ------
        HubFault
            The service did not give it.
        QuotaExceeded
            Of the account, or of this run.
        InvalidInput
            The service does not know the credentials.
        """
        if self.budget is not None:
            self.budget.reserve(request.units)
        try:
            return self._send(request, parse)
        except BaseException:
            if self.budget is not None:
                self.budget.release(request.units)  # a request that fails costs nothing
            raise

    def token(self) -> str:
        """Bearer token, fetched where there is none that lasts.

        Raises
        ------
        HubFault, InvalidInput, QuotaExceeded
            As `send`.
        """
        shared = self._shared()
        with shared.lock:
            if not shared.token or self.clock.monotonic() >= shared.expires:
                shared.token, lasts = self._repeat(self._ask_token, _parse_token)[0]
                shared.expires = self.clock.monotonic() + lasts - min(TOKEN_MARGIN, lasts / 2)
            return shared.token

    def _send(self, request: HubRequest, parse: Callable[[bytes], T]) -> tuple[T, bytes]:
        shared = self._shared()
        payload = request.payload
        renewed = False

        def ask() -> urllib3.BaseHTTPResponse:
            nonlocal renewed
            while True:
                shared.requests.take()
                shared.units.take(request.units)
                token = self.token()
                headers = {
                    "Authorization": f"Bearer {token}",
                    "Content-Type": "application/json",
                    "Accept": request.accept,
                }
                answer = self._post(request.url, payload, headers)
                refused = answer.status == 401 or (answer.status == 403 and not is_quota(403, _text(answer)))
                if not refused or renewed:
                    return answer
                renewed = True
                self._forget(token)

        return self._repeat(ask, parse)

    def _repeat(self, ask: Callable[[], urllib3.BaseHTTPResponse], parse: Callable[[bytes], T]) -> tuple[T, bytes]:
        patience = Patience(attempts=self.access.attempts, wait_seconds=self.access.wait_seconds)
        while True:
            asked: float | None = None
            try:
                answer = ask()
                if answer.status in (200, 201):
                    return parse(answer.data), answer.data
                fault = self._refusal(answer)
                asked = self._retry_after(answer)
            except BrokenAnswer as error:
                fault = HubFault(str(error), transient=True, broken=True)
            except urllib3.exceptions.HTTPError as error:
                fault = HubFault(f"no whole answer: {type(error).__name__}", transient=True)
            step = patience.after(asked, self.rng) if fault.transient else None
            if step is None:
                raise fault
            patience, wait = step
            self.clock.sleep(wait)

    def _refusal(self, answer: urllib3.BaseHTTPResponse) -> HubFault:
        said = self.credentials.scrub(_message(answer))
        if is_quota(answer.status, _text(answer)):
            raise QuotaExceeded(
                f"Sentinel Hub ({self.deployment.name}) refuses: {said}. The account has no processing units or "
                "requests left; wait for the next month, or buy more, and run again: what was read is kept."
            )
        return HubFault(f"HTTP {answer.status}: {said}", transient=is_retried(answer.status))

    def _retry_after(self, answer: urllib3.BaseHTTPResponse) -> float | None:
        if not is_retried(answer.status):
            return None
        now = parse_http_date(answer.headers.get("Date")) or self.clock.now()
        asked = parse_retry_after(answer.headers.get("Retry-After"), now, milliseconds=True)
        if asked and answer.status == 429 and asked <= self.access.wait_seconds:
            self._shared().requests.hold(asked)
        return asked

    def _ask_token(self) -> urllib3.BaseHTTPResponse:
        fields = {
            "grant_type": "client_credentials",
            "client_id": self.credentials.client_id,
            "client_secret": self.credentials.client_secret,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        answer = self._post(self.deployment.token_url, urlencode(fields).encode(), headers)
        if answer.status in (400, 401, 403) and not is_quota(answer.status, _text(answer)):
            said = self.credentials.scrub(_message(answer))
            raise InvalidInput(
                f"Sentinel Hub ({self.deployment.name}) refuses the credentials (HTTP {answer.status}: {said}). "
                "Look at SH_CLIENT_ID and SH_CLIENT_SECRET: each belongs to one deployment, and secrets expire."
            )
        return answer

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        timeout = urllib3.Timeout(connect=self.access.connect_seconds, read=self.access.read_seconds)
        return self.pool.request(
            "POST", url, body=body, headers=dict(headers), timeout=timeout, retries=False, redirect=False
        )

    def _forget(self, token: str) -> None:
        shared = self._shared()
        with shared.lock:
            if shared.token == token:
                shared.token = ""

    def _shared(self) -> _Shared:
        account = hashlib.sha256(f"{self.credentials.client_id}\n{self.credentials.client_secret}".encode()).hexdigest()
        # A source that was pickled brings a copy of the system's clock; a clock of a test stands for itself.
        clock = None if isinstance(self.clock, SystemClock) else self.clock
        key = (self.deployment, account, clock)
        with _sharing:
            if key not in _shared:
                requests, units = self.deployment.requests_per_minute, self.deployment.units_per_minute
                _shared[key] = _Shared(
                    requests=RateLimit(requests, burst=BURST_MINUTES * requests, clock=self.clock),
                    units=RateLimit(units, burst=BURST_MINUTES * units, clock=self.clock),
                )
            return _shared[key]


def _parse_token(body: bytes) -> tuple[str, float]:
    try:
        told = json.loads(body)
        token, lasts = str(told["access_token"]), float(told.get("expires_in", 600))
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenAnswer("the answer of the token service holds no token") from error
    if not token.isascii() or any(c.isspace() for c in token):
        raise BrokenAnswer("the answer of the token service holds no token that can be sent")
    return token, lasts


def parse_json(body: bytes) -> dict[str, Any]:
    """Body as a JSON object.

    Raises
    ------
    BrokenAnswer
        It is none.
    """
    try:
        found = json.loads(body)
    except ValueError as error:
        raise BrokenAnswer("the answer is not whole JSON") from error
    if not isinstance(found, dict):
        raise BrokenAnswer("the answer is not a JSON object")
    return found


def _text(answer: urllib3.BaseHTTPResponse) -> str:
    return answer.data[:2000].decode("utf-8", "replace")


def _message(answer: urllib3.BaseHTTPResponse) -> str:
    """What the service says of its refusal, in one line."""
    text = _text(answer)
    try:
        told = json.loads(text)
        inner = told.get("error", told)
        said = inner.get("message") or inner.get("code") if isinstance(inner, dict) else inner
        said = f"{said} ({told['error_description']})" if told.get("error_description") else said
    except (ValueError, AttributeError):
        said = text
    return " ".join(str(said or "no reason given").split())[:LONGEST_MESSAGE]
