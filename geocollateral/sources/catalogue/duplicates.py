"""One observation per platform, sensing instant, tile and relative orbit.

Catalogues list the same look more than once: paging twins, reprocessed products beside the old ones, Sentinel-1
products whose ids differ in their last four characters. The newest processing wins. What is *not* a duplicate: the
parts of one overpass that two stations received, or that were cut into two datastrips. Each holds ground the other
lacks; both are kept and laid over each other later, per day.

All functions here are pure, and their result does not depend on the order of the items.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import pystac
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from geocollateral.errors import BrokenData
from geocollateral.sources.catalogue.instants import parse_instant, sensing_instant
from geocollateral.sources.catalogue.offsets import FOREIGN_BASELINE, parse_baseline
from geocollateral.sources.catalogue.orbits import direction_of, platform_of, relative_orbit_of, tile_of

SLICE_SECONDS = 10
"""Radar scenes of one platform and orbit no further apart are one look: the next slice of a pass starts 25 seconds
later."""
TILE_SECONDS = 600
"""Scenes of one tile, platform and orbit no further apart are one look: reprocessing can move the instant from that of
the tile to that of the data take, minutes before; the next pass of that orbit comes ten days later."""
COVERED = 0.95
"""Share of a scene's footprint that a newer one must hold to stand in for it."""
SUPERSEDES = "geocollateral:supersedes"
"""Property of the scene kept: ids that it stands for, each with the reason."""


def drop_twins(features: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Features without those listed twice, each under an id of its own, ordered by collection, id and content.

    A feature is a twin if collection, id and the addresses of all its assets are the same. One id with other assets is
    another product (two stations received one overpass): the second in the order of their addresses gets ``-2``.
    """
    unique: dict[tuple[str, str, str], dict[str, object]] = {}
    for feature in features:
        key = (str(feature.get("collection") or ""), str(feature.get("id")), _addresses(feature))
        current = unique.get(key)
        # Of two listings of one item the one updated last; a tie goes to the text, so that order does not matter.
        if current is None or _freshness(feature) > _freshness(current):
            unique[key] = dict(feature)
    seen: dict[str, int] = defaultdict(int)
    out = []
    for _, feature in sorted(unique.items(), key=lambda pair: pair[0]):
        name = str(feature.get("id"))
        seen[name] += 1
        out.append(feature if seen[name] == 1 else {**feature, "id": f"{name}-{seen[name]}"})
    return out


def drop_duplicates(items: Sequence[pystac.Item]) -> list[pystac.Item]:
    """One scene per look, ordered by time and id; the kept ones say in `SUPERSEDES` what they stand for."""
    groups: dict[tuple[object, ...], list[pystac.Item]] = defaultdict(list)
    for item in items:
        p = item.properties
        groups[(platform_of(p), tile_of(p), relative_orbit_of(p), direction_of(p))].append(item)
    kept = []
    for (_, tile, *_), group in groups.items():
        for look in _split_by_time(group, dt.timedelta(seconds=TILE_SECONDS if tile else SLICE_SECONDS)):
            kept += _newest_of(look)
    return sorted(kept, key=lambda item: (sensing_instant_of(item), item.id))


def processing_rank(item: pystac.Item) -> tuple[object, ...]:
    """Sorts scenes by how new their processing is; equal only for equal ids.

    Baseline first, then when the product was made, then the catalogue's own sequence. A baseline of 99.99 marks
    products of CDSE made outside ESA's processing, which gives way to any of ESA's.
    """
    p = item.properties
    baseline = parse_baseline(p) or (0, 0)
    if baseline == FOREIGN_BASELINE:
        baseline = (0, 1)
    made = next(
        (
            _instant_or_none(p[name])
            for name in ("s2:generation_time", "processing:datetime", "s1:processing_datetime", "processing_datetime")
            if p.get(name)
        ),
        None,
    )
    oldest = dt.datetime.min.replace(tzinfo=dt.UTC)
    sequence = str(p.get("s2:sequence") or p.get("sentinel:sequence") or "0")
    listed = _instant_or_none(p.get("created")) or oldest
    return baseline, made or oldest, int(sequence) if sequence.isdigit() else 0, listed, item.id


def sensing_instant_of(item: pystac.Item) -> dt.datetime:
    """Instant of acquisition of an item, aware, UTC."""
    return item.datetime.astimezone(dt.UTC) if item.datetime else sensing_instant(item.properties)


def _split_by_time(items: Sequence[pystac.Item], longest: dt.timedelta) -> list[list[pystac.Item]]:
    """Items of one platform, tile and orbit, parted where more than ``longest`` lies between two of them."""
    ordered = sorted(items, key=lambda item: (sensing_instant_of(item), item.id))
    looks = [[ordered[0]]]
    for before, after in pairwise(ordered):
        if sensing_instant_of(after) - sensing_instant_of(before) <= longest:
            looks[-1].append(after)
        else:
            looks.append([after])
    return looks


def _newest_of(look: Sequence[pystac.Item]) -> list[pystac.Item]:
    """Scenes of one look that no newer one covers."""
    kept: list[tuple[pystac.Item, BaseGeometry | None]] = []
    dropped: dict[str, list[dict[str, str]]] = defaultdict(list)
    for item in sorted(look, key=processing_rank, reverse=True):
        shape = _footprint(item)
        winner = next((newer for newer, ground in kept if _covers(ground, shape)), None)
        if winner is None:
            kept.append((item, shape))
        else:
            dropped[winner.id].append({"id": item.id, "reason": _why(winner, item)})
    out = []
    for item, _ in kept:
        if dropped[item.id]:
            item = item.clone()  # the caller's item stays as it was
            item.properties[SUPERSEDES] = sorted(dropped[item.id], key=lambda entry: entry["id"])
        out.append(item)
    return out


def _why(winner: pystac.Item, loser: pystac.Item) -> str:
    new, old = parse_baseline(winner.properties), parse_baseline(loser.properties)
    if new != old and new is not None and old is not None:
        return f"reprocessed: baseline {new[0]:02d}.{new[1]:02d} in place of {old[0]:02d}.{old[1]:02d}"
    return "the same look, processed earlier"


def _footprint(item: pystac.Item) -> BaseGeometry | None:
    if not item.geometry:
        return None
    try:
        shape = shapely.geometry.shape(item.geometry)
        return shape if shape.is_valid else shapely.make_valid(shape)
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _covers(newer: BaseGeometry | None, older: BaseGeometry | None) -> bool:
    """Whether a newer scene holds the ground of an older one; where a footprint is unknown, it is taken to."""
    if newer is None or older is None or older.area == 0:
        return True
    return bool(newer.intersection(older).area >= COVERED * older.area)


def _addresses(feature: Mapping[str, object]) -> str:
    assets = feature.get("assets")
    if not isinstance(assets, Mapping):
        return ""
    # Without what follows a question mark: signatures differ from page to page.
    return json.dumps(
        {str(k): str((v or {}).get("href", "")).partition("?")[0] for k, v in assets.items()}, sort_keys=True
    )


def _freshness(feature: Mapping[str, object]) -> tuple[str, str]:
    properties = feature.get("properties")
    updated = str(properties.get("updated") or "") if isinstance(properties, Mapping) else ""
    return updated, json.dumps(feature, sort_keys=True, default=str)


def _instant_or_none(value: object) -> dt.datetime | None:
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    try:
        return parse_instant(str(value)) if value else None
    except BrokenData:
        return None
