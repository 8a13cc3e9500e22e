"""Requests to S3 stores: where an object lies and AWS Signature Version 4, checked against AWS's published examples."""

from __future__ import annotations

import configparser
import datetime as dt
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Key pair of an account."""

    key_id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def find_credentials() -> Credentials | None:
    """Those of the environment (``AWS_ACCESS_KEY_ID`` ...), else of the profile ``AWS_PROFILE`` (``default``) in the
    shared credentials file; None where there are none or ``AWS_NO_SIGN_REQUEST`` is ``YES``: then requests are
    anonymous.
    """
    environ = os.environ
    if environ.get("AWS_NO_SIGN_REQUEST", "").upper() in ("YES", "TRUE", "1"):
        return None
    key_id, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret:
        return Credentials(key_id=key_id, secret=secret, session_token=environ.get("AWS_SESSION_TOKEN", ""))
    path = Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError):
        return None
    profile = environ.get("AWS_PROFILE", "default")
    key_id = parser.get(profile, "aws_access_key_id", fallback="")
    secret = parser.get(profile, "aws_secret_access_key", fallback="")
    if not key_id or not secret:
        return None
    token = parser.get(profile, "aws_session_token", fallback="")
    return Credentials(key_id=key_id, secret=secret, session_token=token)


def locate(url: str, endpoint: str | None, region: str) -> str:
    """HTTP address of ``s3://bucket/key``. Path style for a custom endpoint and for buckets whose dots would break
    TLS.
    """
    parts = urlsplit(url)
    key = quote(unquote(parts.path), safe="/-_.~")
    if endpoint:
        return f"{endpoint.rstrip('/')}/{parts.netloc}{key}"
    if "." in parts.netloc:
        return f"https://s3.{region}.amazonaws.com/{parts.netloc}{key}"
    return f"https://{parts.netloc}.s3.{region}.amazonaws.com{key}"


def sign(
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    credentials: Credentials,
    region: str,
    now: dt.datetime,
    payload_sha256: str = EMPTY_SHA256,
) -> dict[str, str]:
    """Headers to send: those given and the signature over all of them."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(url)
    sent = {**headers, "x-amz-content-sha256": payload_sha256, "x-amz-date": stamp}
    if credentials.session_token:
        sent["x-amz-security-token"] = credentials.session_token
    signed = {name.lower(): " ".join(value.split()) for name, value in {**sent, "host": parts.netloc}.items()}
    names = ";".join(sorted(signed))
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(parse_qsl(parts.query, keep_blank_values=True))
    )
    lines = [method, parts.path or "/", query, *(f"{name}:{signed[name]}" for name in sorted(signed)), "", names]
    canonical = "\n".join([*lines, payload_sha256])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{credentials.secret}".encode()
    for part in (stamp[:8], region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    sent["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.key_id}/{scope},SignedHeaders={names},Signature={signature}"
    )
    return sent
