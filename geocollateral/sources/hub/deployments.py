"""Deployments of Sentinel Hub, and what a user may set of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from geocollateral.errors import InvalidInput
from geocollateral.types import Params

TOKEN_PATH = "/auth/realms/main/protocol/openid-connect/token"  # noqa: S105 - a path, no secret
Collection = Literal["sentinel-2-l2a", "sentinel-1-grd"]
COLLECTIONS: tuple[Collection, ...] = ("sentinel-2-l2a", "sentinel-1-grd")
Mode = Literal["process", "statistical", "auto"]


class SentinelHubOptions(Params):
    """Options of ``sentinelhub``. Credentials are none of them: they come from the environment only."""

    base_url: str | None = Field(None, description="Address of a deployment of one's own, such as https://sh.example.")
    token_url: str | None = Field(
        None, description="Where that deployment gives tokens; default: its own realm ``main``."
    )
    collections: tuple[Collection, ...] = Field(
        COLLECTIONS, min_length=1, description="What is searched and read; radar costs the more."
    )
    mode: Mode = Field(
        "process",
        description="How series of parcels are got: from pixels (process), as statistics of each parcel (statistical) "
        "or by whichever costs fewer processing units (auto).",
    )
    budget_pu: float | None = Field(
        None, gt=0, description="Processing units one run may spend; it stops before it would spend more."
    )
    requests_per_minute: float | None = Field(
        None, gt=0, le=6000, description="Requests sent per minute at most; default: that of the plan."
    )
    units_per_minute: float | None = Field(
        None, gt=0, le=100_000, description="Processing units per minute at most; default: that of the plan."
    )
    profile: str | None = Field(None, description="Profile of sentinelhub-py's own configuration file.")
    cloud_probability: bool = Field(
        False, description="Offer s2cloudless's cloud probability as the band clp, where the deployment has it."
    )


def require_safe(url: str) -> None:
    """Refuse an address that would carry credentials in clear over a network.

    Raises
    ------
    InvalidInput
        Not https, and not plain http to this very machine; or the address holds a user, a query or a fragment.
    """
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not (parts.scheme == "https" or local) or not parts.hostname:
        raise InvalidInput(
            f"Sentinel Hub is reached by https only, got {parts.scheme or 'no scheme'}://{parts.hostname}."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidInput(f"The address of Sentinel Hub at {parts.hostname} must hold no user, query or fragment.")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One installation of the service."""

    name: str
    base_url: str
    """Without a slash at its end."""
    token_url: str
    requests_per_minute: float
    units_per_minute: float
    """Processing units."""
    has_cloud_probability: bool
    """Whether Sentinel-2 has the bands CLP and CLM."""

    def __post_init__(self) -> None:
        for url in (self.base_url, self.token_url):
            require_safe(url)


DEPLOYMENTS = {
    "commercial": Deployment(
        name="commercial",
        base_url="https://services.sentinel-hub.com",
        token_url=f"https://services.sentinel-hub.com{TOKEN_PATH}",
        requests_per_minute=300,
        units_per_minute=300,
        has_cloud_probability=True,
    ),
    "cdse": Deployment(
        name="cdse",
        base_url="https://sh.dataspace.copernicus.eu",
        token_url="https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token",  # noqa: S106
        requests_per_minute=300,
        units_per_minute=300,
        has_cloud_probability=False,
    ),
}


def resolve_deployment(what: str, options: SentinelHubOptions) -> Deployment:
    """Deployment named after the scheme (``""`` is ``commercial``), by its address or by the options.

    Raises
    ------
    InvalidInput
        There is no such deployment, or an address that credentials must not be sent to.
    """
    if what in ("", *DEPLOYMENTS) and options.base_url is None:
        known = DEPLOYMENTS[what or "commercial"]
        base_url, token_url = known.base_url, options.token_url or known.token_url
    else:
        known = DEPLOYMENTS[what if what in DEPLOYMENTS else "commercial"]
        base_url = (options.base_url or what).rstrip("/")
        if "://" not in base_url:
            raise InvalidInput(
                f"A deployment of Sentinel Hub is {', '.join(sorted(DEPLOYMENTS))} or an address such as "
                f"https://sh.example; got {what!r}."
            )
        token_url = options.token_url or base_url + TOKEN_PATH
    named = base_url == known.base_url
    return Deployment(
        name=known.name if named else urlsplit(base_url).netloc,
        base_url=base_url,
        token_url=token_url,
        requests_per_minute=options.requests_per_minute or known.requests_per_minute,
        units_per_minute=options.units_per_minute or known.units_per_minute,
        has_cloud_probability=known.has_cloud_probability,
    )
