"""Who saw a scene, from where, and on which tile: from metadata, in the one form that grouping relies on."""

from __future__ import annotations

import re
from collections.abc import Mapping

KNOWN_PLATFORMS = frozenset(f"sentinel-{mission}{unit}" for mission in (1, 2) for unit in "abcd")
_SHORT_PLATFORM = re.compile(r"s(?:entinel)?[-_ ]?([12])[-_ ]?([a-z])")
_PRODUCT_ORBIT = re.compile(r"_R(\d{3})_")
_PRODUCT_TILE = re.compile(r"_T(\d{2}[A-Z]{3})(?:_|\.|$)")


def platform_of(properties: Mapping[str, object]) -> str:
    """Platform such as ``sentinel-2c``; whatever the item says where it is none we know; ``""`` where it says nothing.

    Taken from ``platform``, never from the id: patterns such as ``S2[AB]`` passed over Sentinel-2C for months.
    """
    said = str(properties.get("platform") or "").strip().lower()
    short = _SHORT_PLATFORM.fullmatch(said)
    return f"sentinel-{short[1]}{short[2]}" if short else said


def is_unknown(platform: str) -> bool:
    """Whether a platform is named that this version has never heard of."""
    return bool(platform) and platform not in KNOWN_PLATFORMS


def constellation_of(properties: Mapping[str, object], platform: str) -> str:
    """``sentinel-1``, ``sentinel-2``, what the item says, or ``""``."""
    said = str(properties.get("constellation") or "").strip().lower().replace(" ", "-")
    match = _SHORT_PLATFORM.fullmatch(platform)
    return said or (f"sentinel-{match[1]}" if match else "")


def relative_orbit_of(properties: Mapping[str, object]) -> int | None:
    """Relative orbit: of the ``sat`` extension, else of the product's own name (``_R046_``)."""
    said = properties.get("sat:relative_orbit")
    if isinstance(said, int | float | str) and str(said).strip().removesuffix(".0").isdigit():
        return int(float(said))
    return next((int(found) for found in _find_in_name(properties, _PRODUCT_ORBIT)), None)


def direction_of(properties: Mapping[str, object]) -> str:
    """``ascending``, ``descending`` or ``""``."""
    said = str(properties.get("sat:orbit_state") or "").strip().lower()
    return said if said in ("ascending", "descending") else ""


def tile_of(properties: Mapping[str, object]) -> str:
    """MGRS tile such as ``50SKE``, or ``""`` for what is not cut into tiles."""
    for name in ("grid:code", "s2:mgrs_tile", "s2:tile_id", "tileId"):
        said = str(properties.get(name) or "")
        match = re.fullmatch(r"(?:MGRS-|T)?(\d{1,2}[A-Z]{3})", said)
        if match:
            return match[1].zfill(5)
    zone, band, square = (properties.get(f"mgrs:{part}") for part in ("utm_zone", "latitude_band", "grid_square"))
    if zone is not None and band and square:
        return f"{int(str(zone)):02d}{band}{square}"
    return next(iter(_find_in_name(properties, _PRODUCT_TILE)), "")


def orbit_label(direction: str, relative_orbit: int | None) -> str:
    """``ascending-15``; what is known of it where not both are; ``""``."""
    number = "" if relative_orbit is None else str(relative_orbit)
    return "-".join(part for part in (direction, number) if part)


def _find_in_name(properties: Mapping[str, object], pattern: re.Pattern[str]) -> list[str]:
    name = str(properties.get("s2:product_uri") or properties.get("product:name") or "")
    return pattern.findall(name)
