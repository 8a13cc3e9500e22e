"""Bytes of files: byte ranges of local files, over HTTP and from S3 stores. No other module of the package asks for
imagery.

A request is tried again by the rules of `retry`, with a fresh connection where an answer was odd. An answer is taken
only when it is wholly there and is the range that was asked for. Where the way does not protect the bytes (plain http)
and whoever asks has no checksum of them, a range is fetched twice, over two connections, and both must agree.
"""

from __future__ import annotations

import functools
import logging
import os
import random
import threading
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast
from urllib.parse import urljoin, urlsplit

from geocollateral.errors import QuotaExceeded
from geocollateral.sources.raster import s3
from geocollateral.sources.raster.access import Access
from geocollateral.sources.raster.address import Address, RefusedAddress, redact, resolve
from geocollateral.sources.raster.clock import SYSTEM_CLOCK, Clock
from geocollateral.sources.raster.request import ReadFault, Took
from geocollateral.sources.raster.request import Undecodable as Undecodable  # what `accept` raises
from geocollateral.sources.raster.retry import Patience, is_quota, is_retried, parse_http_date, parse_retry_after
from geocollateral.sources.raster.signing import SIGNERS, Signer

if TYPE_CHECKING:
    from urllib3 import PoolManager
    from urllib3.response import BaseHTTPResponse

T = TypeVar("T")

WHOLE_BYTES = 1 << 20
"""Largest file that a server may send whole (status 200) where a range was asked for; more is not a server of
ranges.
"""
DOCUMENT_BYTES = 1 << 20
"""Largest token document."""
REDIRECTS = 3
CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One range of a file as a server or disk gave it."""

    body: bytes
    total: int | None
    """Size of the whole file [bytes]; None where the server does not say."""
    etag: str
    """What the server calls this state of the file, else the instant of its last change; ``""`` where it says
    neither.
    """


@dataclass(frozen=True, kw_only=True)
class Fetched(Generic[T]):
    """An answer that was accepted, and what it took."""

    answer: Answer
    value: T
    took: Took


class _Again(Exception):
    """A try failed; another may not."""

    def __init__(self, reason: str, *, corrupt: bool = False, asked: float | None = None) -> None:
        super().__init__(reason)
        self.corrupt = corrupt
        self.asked = asked


class _Forbidden(Exception):
    """403 without a word about a quota."""


class _HideQueries(logging.Filter):
    """Cuts the query, where signatures are, from the addresses that urllib3 logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(a.partition("?")[0] if isinstance(a, str) else a for a in record.args)
        return True


for _name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_HideQueries())


class Transport:
    """Fetches ranges as `Access` allows. Threads may share it; make one per task and close it there.

    Connections outlive it: they are kept per process.
    """

    def __init__(self, access: Access, clock: Clock = SYSTEM_CLOCK, rng: random.Random | None = None) -> None:
        self.access = access
        self.clock = clock
        self._rng = rng or random.SystemRandom()
        self._slots = threading.BoundedSemaphore(access.params.concurrency)
        self._twins = ThreadPoolExecutor(access.params.concurrency, thread_name_prefix="twin")
        self._signer = _signer_of(os.getpid(), access, cast(Hashable, clock))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._twins.shutdown(wait=True, cancel_futures=True)

    def resolve(self, href: str) -> Address:
        """The address, if it is allowed; see `address.resolve`."""
        return resolve(href, self.access)

    def fetch(
        self,
        address: Address,
        start: int,
        stop: int,
        accept: Callable[[Answer], T],
        *,
        checked: bool = False,
    ) -> Fetched[T]:
        """Bytes ``start`` to ``stop`` (exclusive; fewer at the file's end) as `accept` understands them.

        Parameters
        ----------
        address, start, stop
            What to fetch.
        accept
            Turns an answer into a value; raises `Undecodable` for bytes that cannot be right, which are asked for
            again.
        checked
            `accept` verifies a checksum of the bytes, so that one answer over plain http is enough.

        Raises
        ------
        ReadFault
            It cannot be had: ``missing`` (not there, refused, no answer) or ``corrupt`` (answers that cannot be right).
        QuotaExceeded
            The account has no budget left.
        """
        twice = not (checked or address.vouched_by(self.access))
        params = self.access.params
        patience = Patience(attempts=params.attempts, wait_seconds=params.wait_seconds)
        tried, signed_anew = 0, False
        meter = _Meter()
        while True:
            tried += 1
            try:
                try:
                    answer = self._try(address, start, stop, meter, twice=twice)
                    value = accept(answer)
                    return Fetched(answer=answer, value=value, took=meter.took(tried))
                except Undecodable as exc:
                    raise _Again(str(exc), corrupt=True) from exc
                except _Forbidden as exc:
                    if signed_anew or not (self._signer or address.kind == "s3"):
                        raise ReadFault("missing", str(exc), transient=self._signer is not None) from exc
                    signed_anew = True
                    raise _Again(str(exc), asked=0.0) from exc
            except _Again as fault:
                left = None if address.kind == "file" else patience.after(fault.asked, self._rng)
                if left is None:
                    given_up = self._give_up(address, fault, tried)
                    given_up.took = meter.took(tried)
                    raise given_up from fault
                patience, wait = left
                self.clock.sleep(wait)
            except ReadFault as fault:
                fault.took = meter.took(tried)
                raise

    def ask(self, url: str, headers: Mapping[str, str], accept: Callable[[bytes, Mapping[str, str]], T]) -> T:
        """A small document as `accept` understands it, by the same rules, unsigned: for signers."""
        address = self.resolve(url)
        patience = Patience(attempts=self.access.params.attempts, wait_seconds=self.access.params.wait_seconds)
        while True:
            try:
                try:
                    return accept(*self._ask_once(address, headers))
                except Undecodable as exc:
                    raise _Again(str(exc)) from exc
            except _Forbidden as exc:
                raise ReadFault("missing", str(exc)) from exc
            except _Again as fault:
                left = patience.after(fault.asked, self._rng)
                if left is None:
                    raise self._give_up(address, fault, patience.tried + 1) from fault
                patience, wait = left
                self.clock.sleep(wait)

    # ------------------------------------------------------------------------------------------------------- one try

    def _try(self, address: Address, start: int, stop: int, meter: _Meter, *, twice: bool) -> Answer:
        if address.kind == "file":
            return _read_file(Path(address.url), start, stop, meter)
        if not twice:
            return self._get(address, start, stop, meter)
        other = self._twins.submit(self._get, address, start, stop, meter)
        try:
            answer = self._get(address, start, stop, meter)
        finally:
            other.exception()  # both have ended before anyone asks again
        if other.result() != answer:
            raise _Again("two answers to one request differ", corrupt=True)
        return answer

    def _get(self, address: Address, start: int, stop: int, meter: _Meter) -> Answer:
        """One range by one HTTP request, redirects apart."""
        url = address.url
        for _ in range(REDIRECTS + 1):
            asked, headers = self._prepare(address, url, {"Range": f"bytes={start}-{stop - 1}"})
            with self._slots, self._request(asked, headers, meter) as response:
                if response.status in (301, 302, 303, 307, 308):
                    url = urljoin(url, response.headers.get("Location", ""))
                    response.close()
                    address = self._redirected(address, url)
                    continue
                try:
                    return _Reader(response, self.clock, self.access, meter).take_range(start, stop)
                except _Forbidden:
                    if self._signer is not None:
                        self._signer.forget(asked)
                    raise
        raise ReadFault("missing", f"refused: {redact(url)} redirects more than {REDIRECTS} times")

    def _ask_once(self, address: Address, headers: Mapping[str, str]) -> tuple[bytes, Mapping[str, str]]:
        meter = _Meter()
        with self._request(address.url, {**headers, **_PLAIN}, meter) as response:
            return _Reader(response, self.clock, self.access, meter).take_document()

    def _redirected(self, start: Address, url: str) -> Address:
        try:
            end = self.resolve(url)
        except RefusedAddress as exc:
            raise ReadFault("missing", f"refused: a redirect off the list: {exc}") from exc
        if end.kind == "file" or (start.vouched_by(self.access) and not end.vouched_by(self.access)):
            raise ReadFault("missing", f"refused: a redirect from {start.origin} down to {end.origin}")
        return end

    def _prepare(self, address: Address, url: str, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Address and headers to send, signed."""
        sent = {**headers, **_PLAIN}
        if address.kind == "s3":
            params = self.access.params
            url = s3.locate(address.url, params.s3_endpoint, params.s3_region)
            if os.environ.get("AWS_REQUEST_PAYER") == "requester":
                sent["x-amz-request-payer"] = "requester"
            credentials = s3.find_credentials()
            if credentials is None:
                return url, sent
            now = self.clock.now()
            return url, s3.sign("GET", url, sent, credentials=credentials, region=params.s3_region, now=now)
        if self._signer is None:
            return url, sent
        signed, more = self._signer.sign(url, self.ask, self.clock)
        return signed, {**sent, **more}

    def _request(self, url: str, headers: Mapping[str, str], meter: _Meter) -> _Response:
        import urllib3

        params = self.access.params
        pool = _connections(
            os.getpid(), _proxy_for(url), params.concurrency, params.connect_seconds, params.read_seconds
        )
        meter.count()
        try:
            response = pool.request(
                "GET", url, headers=dict(headers), preload_content=False, retries=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as exc:
            raise _Again(_name_fault(exc)) from exc
        return _Response(response)

    def _give_up(self, address: Address, fault: _Again, tried: int) -> ReadFault:
        times = "" if tried == 1 else f", {tried} times"
        return ReadFault(
            "corrupt" if fault.corrupt else "missing",
            f"{fault}{times}: {redact(address.public)}",
            transient=address.kind != "file" and not fault.corrupt,
        )


_PLAIN = {"Accept-Encoding": "identity", "User-Agent": "geocollateral"}


class _Meter:
    """Bytes and requests of one fetch, all tries and twins."""

    def __init__(self) -> None:
        self.transferred = 0
        self.requests = 0
        self._lock = threading.Lock()

    def took(self, tried: int) -> Took:
        """The record of it."""
        return Took(attempts=tried, requests=self.requests, transferred=self.transferred)

    def add(self, size: int) -> None:
        with self._lock:
            self.transferred += size

    def count(self) -> None:
        with self._lock:
            self.requests += 1


class _Response:
    """A response whose connection goes back to the pool only if it was read to its end without a fault."""

    def __init__(self, response: BaseHTTPResponse) -> None:
        self._response = response

    def __enter__(self) -> BaseHTTPResponse:
        return self._response

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is not None:
            self._response.close()
        self._response.release_conn()


@dataclass(frozen=True)
class _Reader:
    """Takes an answer apart."""

    response: BaseHTTPResponse
    clock: Clock
    access: Access
    meter: _Meter

    def take_range(self, start: int, stop: int) -> Answer:
        """The answer to a request for a range, if it is one."""
        headers = self.response.headers
        self._judge_status((200, 206))
        if headers.get("Content-Encoding", "identity") not in ("", "identity"):
            raise _Again("the answer is encoded though that was not asked for", corrupt=True)
        etag = headers.get("ETag") or headers.get("Last-Modified") or ""
        if self.response.status == 200:
            return self._take_part_of_whole(start, stop, etag)
        first, last, total = _parse_content_range(headers.get("Content-Range", ""))
        end = stop if total is None else min(stop, total)
        if (first, last + 1) != (start, end):
            raise _Again(f"asked for bytes {start}-{stop - 1}, got {first}-{last}", corrupt=True)
        body = self._read(end - start)
        if len(body) != end - start:
            raise _Again(f"asked for {end - start} bytes, got {len(body)}")
        return Answer(body=body, total=total, etag=etag)

    def take_document(self) -> tuple[bytes, Mapping[str, str]]:
        """The body of a plain answer."""
        self._judge_status((200,))
        return self._read(DOCUMENT_BYTES), dict(self.response.headers)

    def _take_part_of_whole(self, start: int, stop: int, etag: str) -> Answer:
        length = self.response.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > WHOLE_BYTES:
            raise _Again("the server does not honour byte ranges")
        body = self._read(int(length))
        if len(body) != int(length):
            raise _Again(f"announced {length} bytes, sent {len(body)}")
        return Answer(body=body[start:stop], total=len(body), etag=etag)

    def _judge_status(self, wanted: tuple[int, ...]) -> None:
        status, headers = self.response.status, self.response.headers
        if status in wanted:
            return
        if status // 100 == 2:
            raise _Again(f"HTTP {status} where {wanted[-1]} was due", corrupt=True)
        if is_retried(status):
            server_now = parse_http_date(headers.get("Date")) or self.clock.now()
            raise _Again(f"HTTP {status}", asked=parse_retry_after(headers.get("Retry-After"), server_now))
        if status in (402, 403):
            body = self._read(4096, strict=False).decode("utf-8", "replace")
            if is_quota(status, body):
                raise QuotaExceeded(
                    f"{redact(self.response.url or '')} answers {status}: the account's quota is used up."
                )
            raise _Forbidden(f"HTTP {status}: access denied")
        if status == 416:
            raise _Again("the file ends before the bytes asked for", corrupt=True)
        raise ReadFault("missing", "not there (HTTP 404)" if status == 404 else f"HTTP {status}")

    def _read(self, limit: int, *, strict: bool = True) -> bytes:
        """Body up to `limit` bytes; more is a fault. The whole must arrive in ten times the time-out of silence."""
        import urllib3

        deadline = self.clock.monotonic() + 10 * self.access.params.read_seconds
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                part = self.response.read(min(CHUNK, limit + 1 - size), decode_content=False)
                if not part:
                    return parts[0] if len(parts) == 1 else b"".join(parts)
                parts.append(part)
                size += len(part)
                self.meter.add(len(part))
                if size > limit:
                    if not strict:
                        return b"".join(parts)
                    raise _Again(f"more bytes than the {limit} asked for", corrupt=True)
                if self.clock.monotonic() > deadline:
                    raise _Again("the answer trickles")
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise _Again(_name_fault(exc)) from exc


def _parse_content_range(text: str) -> tuple[int, int, int | None]:
    unit, _, rest = text.strip().partition(" ")
    span, _, total = rest.partition("/")
    first, _, last = span.partition("-")
    if unit.lower() != "bytes" or not (first.isdigit() and last.isdigit() and (total.isdigit() or total == "*")):
        raise _Again("the answer does not say which bytes it holds", corrupt=True)
    return int(first), int(last), None if total == "*" else int(total)


def _name_fault(exc: BaseException) -> str:
    """What went wrong on the way, without the address, which may carry a signature."""
    name = type(exc).__name__
    for word, meaning in (
        ("ConnectTimeout", "no connection in time"),
        ("ReadTimeout", "no answer in time"),
        ("TimeoutError", "no answer in time"),
        ("IncompleteRead", "the answer broke off"),
        ("NewConnection", "connection refused"),
        ("NameResolution", "the host is not known"),
        ("SSL", "TLS failed"),
    ):
        if word in name:
            return meaning
    return "the answer broke off" if "IncompleteRead" in str(exc) else "the connection broke"


def _read_file(path: Path, start: int, stop: int, meter: _Meter) -> Answer:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            file.seek(start)
            body = file.read(max(0, min(stop, status.st_size) - start))
    except FileNotFoundError as exc:
        raise ReadFault("missing", "there is no such file") from exc
    except OSError as exc:
        raise ReadFault("missing", f"cannot be read: {exc.strerror}", transient=True) from exc
    meter.count()
    meter.add(len(body))
    if len(body) != min(stop, status.st_size) - start:
        raise _Again("the file ends before the bytes asked for", corrupt=True)
    return Answer(body=body, total=status.st_size, etag=f"{status.st_mtime_ns:x}-{status.st_size:x}")


def _proxy_for(url: str) -> str:
    """Proxy that the environment names for an address, as other programs use it; ``""`` for none."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return ""
    return getproxies().get(parts.scheme, "")


@functools.lru_cache(maxsize=16)
def _signer_of(_process: int, access: Access, _clock: Hashable) -> Signer | None:
    """Signer of this process, whose tokens serve all blocks of a run."""
    return SIGNERS[access.signer]() if access.signer else None


@functools.lru_cache(maxsize=16)
def _connections(_process: int, proxy: str, concurrency: int, connect: float, read: float) -> PoolManager:
    """Connections of this process, kept alive between reads."""
    import urllib3

    timeout = urllib3.Timeout(connect=connect, read=read)
    size = 2 * concurrency  # each range may be asked for twice at once
    if proxy:
        return urllib3.ProxyManager(proxy, num_pools=64, maxsize=size, timeout=timeout)
    return urllib3.PoolManager(num_pools=64, maxsize=size, timeout=timeout)
