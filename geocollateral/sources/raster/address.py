"""What an address means, and whether it may be reached at all.

Addresses come from catalogues that others write. Whatever is not plainly one of the allowed kinds, on an allowed origin
or below an allowed folder, is refused before any request is made: GDAL paths (``/vsi...``), ``..``, credentials in the
address, hosts not listed (private and metadata addresses among them, unless the user listed them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from geocollateral.errors import InvalidInput
from geocollateral.sources.raster.access import Access

PORTS = {"http": 80, "https": 443}
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, kw_only=True)
class Address:
    """One file that may be reached."""

    kind: Literal["file", "http", "s3"]
    url: str
    """As given, query included; for a file its resolved path."""
    public: str
    """Without query and fragment: what may be shown, stored and hashed."""
    origin: str
    """``https://host[:port]``, ``s3://bucket`` or ``file://``."""

    def vouched_by(self, access: Access) -> bool:
        """Tell whether the way to it protects bytes from being changed (TLS or the local disk)."""
        endpoint = access.params.s3_endpoint or "https://"
        return not (self.url if self.kind != "s3" else endpoint).startswith("http://")


class RefusedAddress(InvalidInput):
    """The address may not be reached."""


def resolve(href: str, access: Access) -> Address:
    """The address of a file, if `access` allows it.

    Raises
    ------
    RefusedAddress
        It does not, or the address is of no allowed kind.
    """
    if href.startswith("/vsi"):
        raise RefusedAddress(f"refused: {href[:60]!r} is a path of GDAL; give the plain address")
    if href.startswith(("file:", "/")):
        return _resolve_file(href, access)
    if _CONTROL.search(href):
        raise RefusedAddress("refused: the address holds blanks, control characters or backslashes")
    return _resolve_remote(href, access)


def origin_of(url: str) -> str:
    """``scheme://host[:port]`` in lower case, without the scheme's own port.

    Raises
    ------
    RefusedAddress
        There is no host, or the port is no number.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError as exc:
        raise RefusedAddress("refused: the address cannot be parsed") from exc
    if not host:
        raise RefusedAddress(f"refused: expected an address with a host, or an absolute path, got {redact(url)!r}")
    if scheme == "s3":
        return f"s3://{parts.netloc}"
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port in (None, PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def redact(url: str) -> str:
    """An address without query, fragment and credentials, fit for messages."""
    head, _, _ = url.partition("?")
    head, _, _ = head.partition("#")
    scheme, mark, rest = head.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}"[:500]


def _resolve_remote(href: str, access: Access) -> Address:
    origin = origin_of(href)
    parts = urlsplit(href)
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https", "s3"):
        raise RefusedAddress(f"refused: scheme {scheme!r}; allowed are https, http, s3 and file")
    if "@" in parts.netloc:
        raise RefusedAddress(f"refused: {origin} comes with credentials in the address")
    path = unquote(unquote(parts.path))
    if ".." in path.replace("\\", "/").split("/") or "\x00" in path:
        raise RefusedAddress(f"refused: {redact(href)!r} holds '..'")
    if origin not in {origin_of(allowed) for allowed in (*access.origins, *access.params.origins)}:
        raise RefusedAddress(
            f"refused: {origin} is not among the origins allowed; add it to access.origins to trust it"
        )
    url = urlunsplit((scheme, parts.netloc, parts.path, parts.query, ""))
    return Address(kind="s3" if scheme == "s3" else "http", url=url, public=redact(href), origin=origin)


def _resolve_file(href: str, access: Access) -> Address:
    text = href
    if href.startswith("file:"):
        parts = urlsplit(href)
        if parts.netloc not in ("", "localhost"):
            raise RefusedAddress(f"refused: {redact(href)!r} names another machine")
        text = unquote(parts.path)
    if "\x00" in text or ".." in Path(text).parts or text.startswith("/vsi") or not text.startswith("/"):
        raise RefusedAddress(f"refused: {text[:200]!r} is no plain absolute path")
    path = Path(text).resolve()
    if not any(path.is_relative_to(folder.resolve()) for folder in access.folders):
        raise RefusedAddress(f"refused: {text[:200]!r} lies outside the folders allowed")
    return Address(kind="file", url=str(path), public=str(path), origin="file://")
