"""Signatures: AWS's published examples, tokens by the server's clock, secrets that stay where they are."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from servers.clock import FakeClock

from geocollateral.errors import InvalidInput
from geocollateral.sources.raster import SIGNERS, s3
from geocollateral.sources.raster.request import Undecodable
from geocollateral.sources.raster.signing import PlanetaryComputerSigner

EXAMPLE = s3.Credentials(key_id="AKIAIOSFODNN7EXAMPLE", secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")  # noqa: S106
MOMENT = dt.datetime(2013, 5, 24, tzinfo=dt.UTC)
HOST = "https://examplebucket.s3.amazonaws.com"


@pytest.mark.parametrize(
    ("method", "url", "headers", "payload", "signature"),
    [
        ("GET", "/test.txt", {"Range": "bytes=0-9"}, b"",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        (
            "PUT",
            "/test%24file.text",
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        ("GET", "/?lifecycle", {}, b"", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("GET", "/?max-keys=2&prefix=J", {}, b"", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
    ids=["get object", "put object", "lifecycle", "list"],
)  # fmt: skip
def test_published_examples(method: str, url: str, headers: dict[str, str], payload: bytes, signature: str) -> None:
    """The four of the page "Signature Calculations for the Authorization Header" of the Amazon S3 API reference."""
    sent = s3.sign(
        method,
        HOST + url,
        headers,
        credentials=EXAMPLE,
        region="us-east-1",
        now=MOMENT,
        payload_sha256=hashlib.sha256(payload).hexdigest(),
    )
    assert sent["Authorization"].endswith(f"Signature={signature}")
    assert "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request" in sent["Authorization"]


@pytest.mark.parametrize(
    ("url", "endpoint", "found"),
    [
        ("s3://bucket/a/b.tif", None, "https://bucket.s3.eu-central-1.amazonaws.com/a/b.tif"),
        ("s3://buck.et/a b.tif", None, "https://s3.eu-central-1.amazonaws.com/buck.et/a%20b.tif"),
        ("s3://bucket/a/b.tif", "http://127.0.0.1:9000/", "http://127.0.0.1:9000/bucket/a/b.tif"),
    ],
)
def test_objects_are_found(url: str, endpoint: str | None, found: str) -> None:
    assert s3.locate(url, endpoint, "eu-central-1") == found


def test_credentials_come_from_the_environment_then_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_NO_SIGN_REQUEST",
    ):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    assert s3.find_credentials() is None
    file.write_text(
        "[default]\naws_access_key_id=D\naws_secret_access_key=x%y\n[cdse]\naws_access_key_id=C\naws_secret_access_key=z\n"
    )
    assert s3.find_credentials() == s3.Credentials(key_id="D", secret="x%y")  # noqa: S106
    monkeypatch.setenv("AWS_PROFILE", "cdse")
    assert s3.find_credentials() == s3.Credentials(key_id="C", secret="z")  # noqa: S106
    monkeypatch.setenv("AWS_PROFILE", "none")
    assert s3.find_credentials() is None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "E")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    found = s3.find_credentials()
    assert found == s3.Credentials(key_id="E", secret="s", session_token="t")  # noqa: S106
    assert "secret" not in repr(found)
    sent = s3.sign("GET", f"{HOST}/a", {}, credentials=found, region="r", now=MOMENT)
    assert sent["x-amz-security-token"] == "t"
    assert "x-amz-security-token" in sent["Authorization"]
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    assert s3.find_credentials() is None
    file.write_text("no file of credentials")
    monkeypatch.delenv("AWS_NO_SIGN_REQUEST")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert s3.find_credentials() is None


class Endpoint:
    """Gives out numbered tokens that live for `minutes` by the server's clock."""

    def __init__(self, server_now: dt.datetime, minutes: float = 45.0) -> None:
        self.server_now = server_now
        self.minutes = minutes
        self.asked: list[str] = []

    def __call__(self, url: str, headers: Mapping[str, str], accept: Callable[[bytes, Mapping[str, str]], Any]) -> Any:
        self.asked.append(url)
        expiry = self.server_now + dt.timedelta(minutes=self.minutes)
        body = {"msft:expiry": expiry.strftime("%Y-%m-%dT%H:%M:%SZ"), "token": f"sig={len(self.asked)}"}
        return accept(json.dumps(body).encode(), {"Date": self.server_now.strftime("%a, %d %b %Y %H:%M:%S GMT")})


BLOB = "https://account.blob.core.windows.net/container/a.tif"


@pytest.mark.parametrize("skew_hours", [-48, 0, 48])
def test_r10_a_token_lives_by_the_servers_clock(skew_hours: int) -> None:
    """R10: a machine whose clock is two days wrong neither uses dead tokens nor asks for one at each read."""
    clock = FakeClock()
    endpoint = Endpoint(clock.now() + dt.timedelta(hours=skew_hours))
    signer = PlanetaryComputerSigner()
    for _ in range(10):
        assert signer.sign(BLOB, endpoint, clock) == (f"{BLOB}?sig=1", {})
        clock.sleep(240)
    clock.sleep(240)  # 44 minutes: too near the end
    assert signer.sign(BLOB, endpoint, clock)[0] == f"{BLOB}?sig=2"
    assert endpoint.asked == [f"{signer.endpoint}/account/container"] * 2
    assert "sig=" not in repr(signer)


def test_a_refused_token_is_dropped_once() -> None:
    clock, signer = FakeClock(), PlanetaryComputerSigner()
    endpoint = Endpoint(clock.now())
    first, _ = signer.sign(BLOB, endpoint, clock)
    signer.forget(first)
    second, _ = signer.sign(BLOB, endpoint, clock)
    signer.forget(first)  # another thread's refusal of the old token
    assert signer.sign(BLOB, endpoint, clock)[0] == second
    assert len(endpoint.asked) == 2


def test_tokens_go_to_the_services_own_hosts_only() -> None:
    clock, signer = FakeClock(), PlanetaryComputerSigner()
    endpoint = Endpoint(clock.now())
    for url in ("https://evil.example/a/b", "https://account.blob.core.windows.net.evil.example/a/b"):
        assert signer.sign(url, endpoint, clock) == (url, {})
    assert not endpoint.asked


def test_a_token_that_had_expired_is_asked_for_again() -> None:
    clock = FakeClock()
    with pytest.raises(Undecodable, match="expired"):
        PlanetaryComputerSigner().sign(BLOB, Endpoint(clock.now(), minutes=-1), clock)


def test_signers_are_known_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PC_SDK_SAS_URL", "http://127.0.0.1:1/token/")
    assert list(SIGNERS) == ["bearer", "planetary-computer"]
    with pytest.raises(InvalidInput, match="planetary-computer"):
        SIGNERS["planetary"]
    chosen = SIGNERS["planetary-computer"]()
    assert isinstance(chosen, PlanetaryComputerSigner)
    assert chosen.endpoint == "http://127.0.0.1:1/token"


def test_a_bearer_token_is_sent_over_tls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, signer = FakeClock(), SIGNERS["bearer"]()
    endpoint = Endpoint(clock.now())
    assert signer.sign("https://store.example/a", endpoint, clock) == ("https://store.example/a", {})
    monkeypatch.setenv("GEOCOLLATERAL_BEARER_TOKEN", "abc")
    assert signer.sign("https://store.example/a", endpoint, clock)[1] == {"Authorization": "Bearer abc"}
    assert signer.sign("http://store.example/a", endpoint, clock)[1] == {}
