"""A Sentinel Hub on loopback: tokens, Catalog, Process and Statistical over the COGs of a static catalogue.

    with SentinelHubServer(folder) as hub:
        ...  # hub.base_url, hub.token_url, hub.client_id, hub.client_secret, hub.log

It runs the client's evalscripts in a JavaScript engine, counts processing units by the published rules, limits, and
fails to order (`SentinelHubServer.order`).
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

from servers.sentinelhub_imagery import (
    Archive,
    BadRequest,
    Script,
    Tile,
    Window,
    encode_tiff,
    inside,
    pixels,
    summarise,
)

TOKEN_PATH = "/auth/realms/main/protocol/openid-connect/token"  # noqa: S105 - a path, no secret
ENDPOINTS = {
    TOKEN_PATH: "token",
    "/api/v1/catalog/1.0.0/search": "search",
    "/api/v1/process": "process",
    "/api/v1/statistics": "statistics",
}
LONGEST_SIDE = 2500
QUOTA = {
    "status": 403,
    "reason": "Forbidden",
    "message": "Insufficient processing units or requests available in your account.",
    "code": "ACCESS_INSUFFICIENT_PROCESSING_UNITS",
}
FAULTS = (
    *("429ms", "429s", "429date", "429none", "500", "502", "503", "504", "400", "401", "403token", "403quota", "404"),
    *("reset", "timeout", "truncated", "wronglength", "zero", "empty", "garbage", "flipped", "redirect"),
)
BODY_FAULTS = frozenset({"truncated", "wronglength", "zero", "empty", "garbage", "flipped"})


@dataclass(frozen=True)
class Logged:
    """One request that arrived."""

    endpoint: str
    headers: Mapping[str, str]
    body: bytes
    status: int | str
    """HTTP status, or the fault."""
    units: float


class SentinelHubServer:
    """Server over the catalogue in a folder; a context manager.

    Parameters
    ----------
    catalogue
        Folder of a static STAC catalogue with assets as Earth Search and Planetary Computer lay them out.
    page_limit
        Features of a page at most, whatever is asked for.
    matched
        Whether pages say how many features there are in all.
    token_seconds
        How long a token lasts.
    quota
        Processing units of the account; None for no end.
    units_per_minute, requests_per_minute
        Limits in any minute that begins with a request; None for none.
    carries_offset
        See `Archive`.
    """

    def __init__(
        self,
        catalogue: Path,
        *,
        page_limit: int = 100,
        matched: bool = False,
        token_seconds: float = 3600,
        quota: float | None = None,
        units_per_minute: float | None = None,
        requests_per_minute: int | None = None,
        carries_offset: Mapping[str, bool] | None = None,
        stall_seconds: float = 2.0,
    ) -> None:
        self.archive = Archive(catalogue, carries_offset)
        self.client_id = "client-" + secrets.token_hex(4)
        self.client_secret = secrets.token_hex(16)
        self.page_limit, self.matched, self.token_seconds = page_limit, matched, token_seconds
        self.quota, self.units_per_minute, self.requests_per_minute = quota, units_per_minute, requests_per_minute
        self.stall_seconds = stall_seconds
        self.log: list[Logged] = []
        self.spent = 0.0
        self.faults: dict[str, deque[tuple[str, int]]] = {name: deque() for name in ENDPOINTS.values()}
        self.tokens: dict[str, float] = {}
        self.lock = threading.Lock()
        self.minute: tuple[float, float, int] = (0.0, 0.0, 0)

    def __enter__(self) -> Self:
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._http = _Http(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        """Address of the service."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def token_url(self) -> str:
        """Where tokens are given."""
        return self.base_url + TOKEN_PATH

    def order(self, endpoint: str, fault: str, times: int = 1, *, bit: int = 0) -> None:
        """Let the next answers of an endpoint fail.

        Parameters
        ----------
        fault
            One of `FAULTS`.
        bit
            Which bit of the body a ``flipped`` one has wrong, counted round.
        """
        assert fault in FAULTS, fault
        self.faults[endpoint].extend([(fault, bit)] * times)

    def heal(self) -> None:
        """Forget all faults ordered."""
        for queue in self.faults.values():
            queue.clear()

    def expire_tokens(self) -> None:
        """Take every token given so far back."""
        self.tokens.clear()

    def requests(self, endpoint: str) -> list[Logged]:
        """Requests to an endpoint, in order of arrival."""
        return [entry for entry in self.log if entry.endpoint == endpoint]

    # ------------------------------------------------------------------------------------------------------- endpoints

    def token(self, body: bytes) -> tuple[int, Mapping[str, Any]]:
        """OAuth 2 client credentials."""
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            # Some identity services send the request back in their error: it must not reach any message.
            return 401, {"error": "unauthorized_client", "error_description": f"Invalid client secret {body.decode()}"}
        token = secrets.token_urlsafe(24)
        self.tokens[token] = time.monotonic() + self.token_seconds
        return 200, {"access_token": token, "expires_in": self.token_seconds, "token_type": "Bearer"}

    def search(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """One page of the Catalog."""
        found = self.archive.search(body)
        start = int(body.get("next") or 0)
        limit = min(int(body.get("limit", 10)), self.page_limit)
        page = found[start : start + limit]
        context: dict[str, Any] = {"limit": limit, "returned": len(page)}
        if start + limit < len(found):
            context["next"] = start + limit
        if self.matched:
            context["matched"] = len(found)
        return {"type": "FeatureCollection", "features": [_feature(tile) for tile in page], "context": context}

    def process(self, body: Mapping[str, Any]) -> tuple[bytes, float]:
        """Picture and the units it costs."""
        window = _window(body, body["output"])
        script = Script(body["evalscript"])
        data = body["input"]["data"][0]
        span = data["dataFilter"]["timeRange"]
        tiles = self.archive.select(data, _time(span["from"]), _time(span["to"]))
        _check_radar(data)
        columns = pixels(tiles, window, script, harmonise=data.get("processing", {}).get("harmonizeValues", True))
        output = script.outputs["default"]
        values = script.run(columns)["default"]
        units = _units(
            window, script, float_tiff=output["sampleType"] == "FLOAT32", radar=data["type"] == "sentinel-1-grd"
        )
        return encode_tiff(values, window, output["sampleType"]), max(units, 0.005)

    def statistics(self, body: Mapping[str, Any]) -> tuple[Mapping[str, Any], float]:
        """Statistics of each day with data and the units they cost."""
        aggregation = body["aggregation"]
        window = _window(body, aggregation)
        script = Script(aggregation["evalscript"])
        data = body["input"]["data"][0]
        if aggregation["aggregationInterval"]["of"] != "P1D":
            raise BadRequest("this server knows the interval P1D only")
        counted = inside(body["input"]["bounds"].get("geometry"), window)
        start, end = (_time(aggregation["timeRange"][name]) for name in ("from", "to"))
        calculations = body.get("calculations", {}).get("default", {}).get("statistics", {}).get("default", {})
        percentiles = calculations.get("percentiles", {}).get("k", [])
        days, samples = [], 0
        while start + dt.timedelta(days=1) <= end:
            until = start + dt.timedelta(days=1)
            tiles = self.archive.select(data, start, until - dt.timedelta(microseconds=1))
            columns = pixels(tiles, window, script, harmonise=True) if tiles else None
            if columns is not None and columns["dataMask"].any():
                samples += 1
                found = script.run(columns)
                seen = counted & (found["dataMask"][:, 0] == 1)
                outputs = {
                    name: {"bands": {"B0": {"stats": summarise(found[name][:, 0], seen, percentiles)}}}
                    for name in script.outputs
                    if name != "dataMask"
                }
                days.append({"interval": {"from": _stamp(start), "to": _stamp(until)}, "outputs": outputs})
            start = until
        units = _units(window, script, float_tiff=False, radar=False) * max(samples, 1)
        return {"data": days, "status": "OK", "geometryPixelCount": int(counted.sum())}, max(units, 0.01)

    def limit(self, units: float) -> float | None:
        """Milliseconds to wait where this minute is used up; books the request otherwise."""
        with self.lock:
            now = time.monotonic()
            begun, used, count = self.minute
            if now - begun >= 60:
                begun, used, count = now, 0.0, 0
            over = self.units_per_minute is not None and used + units > self.units_per_minute
            over |= self.requests_per_minute is not None and count + 1 > self.requests_per_minute
            if over:
                return (begun + 60 - now) * 1000
            self.minute = (begun, used + units, count + 1)
            return None


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no fault of the server; anything else is."""
        if not isinstance(sys.exception(), OSError | ValueError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server_hub: SentinelHubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        hub = self.server_hub
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        endpoint = ENDPOINTS.get(self.path, "")
        with hub.lock:
            queue = hub.faults.get(endpoint)
            fault, bit = queue.popleft() if queue else ("", 0)
        if fault and fault not in BODY_FAULTS:
            self._note(endpoint, body, fault, 0.0)
            self._fail(fault)
            return
        status, answer, headers, units = self._answer(endpoint, body)
        with hub.lock:
            hub.spent += units
        self._note(endpoint, body, fault or status, units)
        if units:
            headers["x-processingunits-spent"] = repr(units)
        if fault:
            self._spoil(fault, bit, status, answer, headers)
        else:
            self._reply(status, answer, headers)

    def _answer(self, endpoint: str, body: bytes) -> tuple[int, bytes, dict[str, str], float]:
        hub = self.server_hub
        headers = {"Content-Type": "application/json"}
        if not endpoint:
            return 404, _error(404, "Not Found"), headers, 0.0
        if endpoint == "token":
            status, told = hub.token(body)
            return status, json.dumps(told).encode(), headers, 0.0
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if hub.tokens.get(token, 0.0) < time.monotonic():
            return (
                401,
                _error(401, "You are not authorized! Please provide a valid access token within the header."),
                headers,
                0.0,
            )
        try:
            answer, units = self._compute(endpoint, json.loads(body), headers)
        except (BadRequest, KeyError, ValueError) as error:
            return 400, _error(400, f"{type(error).__name__}: {error}"), headers, 0.0
        wait = hub.limit(units)
        if wait is not None:
            return 429, _error(429, "You have exceeded your rate limit"), headers | {"Retry-After": str(int(wait))}, 0.0
        if hub.quota is not None and hub.spent + units > hub.quota:
            return 403, json.dumps({"error": QUOTA}).encode(), headers, 0.0
        return 200, answer, headers, units

    def _compute(self, endpoint: str, body: Mapping[str, Any], headers: dict[str, str]) -> tuple[bytes, float]:
        hub = self.server_hub
        if endpoint == "search":
            headers["Content-Type"] = "application/geo+json"
            return json.dumps(hub.search(body)).encode(), 0.01
        if endpoint == "process":
            headers["Content-Type"] = "image/tiff"
            return hub.process(body)
        told, units = hub.statistics(body)
        return json.dumps(told).encode(), units

    def _reply(self, status: int, answer: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _fail(self, fault: str) -> None:
        """Answer without an answer."""
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            self.rfile.close()
            return
        if fault == "timeout":
            time.sleep(self.server_hub.stall_seconds)
            self.close_connection = True
            return
        headers = {"Content-Type": "application/json"}
        if fault == "redirect":
            self._reply(307, b"", headers | {"Location": "http://127.0.0.1:9/elsewhere"})
            return
        if fault == "403quota":
            self._reply(403, json.dumps({"error": QUOTA}).encode(), headers)
            return
        status = int(fault[:3])
        waits = {
            "429ms": "1500",
            "429s": "2",
            "429date": format_datetime(
                dt.datetime.now(dt.UTC)  # noqa: TID251 - an HTTP date
                + dt.timedelta(seconds=3),
                usegmt=True,
            ),
        }
        if fault in waits:
            headers["Retry-After"] = waits[fault]
        self._reply(status, _error(status, "by order"), headers)

    def _spoil(self, fault: str, bit: int, status: int, answer: bytes, headers: Mapping[str, str]) -> None:
        """Answer with a body that is not what it was."""
        if fault == "zero":
            answer = bytes(len(answer))
        elif fault == "empty":
            answer = b""
        elif fault == "garbage":
            answer = b"<html>502 but with status 200</html>"
        elif fault == "flipped":
            spoilt = bytearray(answer)
            bit %= 8 * len(spoilt)
            spoilt[bit // 8] ^= 1 << bit % 8
            answer = bytes(spoilt)
        length = len(answer)
        if fault == "truncated":
            answer = answer[: length // 2]
        elif fault == "wronglength":
            answer, length = answer[: length - 7], length - 7
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = fault == "truncated"

    def _note(self, endpoint: str, body: bytes, status: int | str, units: float) -> None:
        entry = Logged(endpoint, dict(self.headers.items()), body, status, units)
        with self.server_hub.lock:
            self.server_hub.log.append(entry)


def _feature(tile: Tile) -> Mapping[str, Any]:
    kept = ("platform", "constellation", "eo:cloud_cover", "sat:orbit_state", "sar:instrument_mode")
    kept += ("s1:polarization", "s1:resolution", "updated", "created")
    facts = {name: tile.properties[name] for name in kept if name in tile.properties}
    if tile.collection == "sentinel-1-grd" and "sat:relative_orbit" in tile.properties:
        facts["sat:relative_orbit"] = tile.properties["sat:relative_orbit"]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": tile.product,
        "collection": tile.collection,
        "geometry": tile.geometry,
        "properties": {"datetime": _stamp(tile.sensed), **facts},
    }


def _window(body: Mapping[str, Any], size: Mapping[str, Any]) -> Window:
    bounds = body["input"]["bounds"]
    epsg = int(bounds["properties"]["crs"].rsplit("/", 1)[1])
    left, bottom, right, top = bounds["bbox"]
    if "resx" in size:
        width, height = round((right - left) / size["resx"]), round((top - bottom) / size["resy"])
    else:
        width, height = int(size["width"]), int(size["height"])
    if not (0 < width <= LONGEST_SIDE and 0 < height <= LONGEST_SIDE):
        raise BadRequest(f"width and height must be between 1 and {LONGEST_SIDE}, got {width} and {height}")
    return Window(epsg, (left, bottom, right, top), width, height)


def _check_radar(data: Mapping[str, Any]) -> None:
    asked = data.get("processing", {})
    if data["type"] == "sentinel-1-grd" and (asked.get("backCoeff"), asked.get("orthorectify")) != (
        "GAMMA0_TERRAIN",
        True,
    ):
        raise BadRequest("this server holds orthorectified GAMMA0_TERRAIN only")


def _units(window: Window, script: Script, *, float_tiff: bool, radar: bool) -> float:
    bands = [band for band in script.bands if band != "dataMask"]
    units = max(window.width * window.height / (512 * 512), 0.01) * len(bands) / 3
    return units * (2 if float_tiff else 1) * (2.5 if radar else 1)


def _error(status: int, message: str) -> bytes:
    return json.dumps({"error": {"status": status, "reason": "", "message": message, "code": "BY_ORDER"}}).encode()


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def _stamp(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
