"""What a source may reach, and how: allow-listed origins and folders, time-outs, retries, the cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from geocollateral.types import Params


class AccessParams(Params):
    """How services and files of imagery are reached."""

    concurrency: int = Field(32, ge=1, le=256, description="Requests in flight per block.")
    connect_seconds: float = Field(10.0, gt=0, le=300, description="Time-out of a connection [s].")
    read_seconds: float = Field(60.0, gt=0, le=600, description="Time-out of silence within an answer [s].")
    attempts: int = Field(5, ge=1, le=10, description="How often one request is tried in all.")
    wait_seconds: float = Field(
        300.0, ge=0, le=3600, description="What the waits between the tries of one request may add up to [s]."
    )
    origins: tuple[str, ...] = Field(
        (),
        description="Further origins that imagery may come from besides those of the chosen service: https://host, "
        "http://127.0.0.1:8080, s3://bucket.",
    )
    s3_endpoint: str | None = Field(
        None, description="Endpoint of an S3-compatible store, such as https://eodata.example; default: that of AWS."
    )
    s3_region: str = Field("us-east-1", description="Region requests to an S3 store are signed for.")
    cache_dir: Path | None = Field(None, description="Folder of the block cache; null reads everything anew.")
    cache_bytes: int = Field(20_000_000_000, ge=1_000_000, description="Size the block cache is kept under [bytes].")


@dataclass(frozen=True, kw_only=True)
class Access:
    """What one source may reach. Pickles."""

    origins: frozenset[str] = frozenset()
    """``scheme://host[:port]`` or ``s3://bucket``; nothing else is ever asked, redirects included."""
    folders: tuple[Path, ...] = ()
    """Folders that local files may lie in, links followed."""
    signer: str | None = None
    """Name in the registry of signers of what adds credentials to a request just before it is sent."""
    params: AccessParams = field(default_factory=AccessParams)
