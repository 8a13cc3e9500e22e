"""Instants of acquisition: always aware, always UTC, never read from an id.

An id carries the day of the product or of the data take, which near midnight is not the day of the scene (thousands of
Sentinel-2 items a year). Only the item's own date-times count.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from geocollateral.errors import BrokenData
from geocollateral.types import Period

MARGIN = dt.timedelta(days=1)
"""Searches ask for a day more at both ends; what was really acquired outside the period is then left out by us."""
LAST_YEAR = 2200
"""A period that ends later has no end."""


def parse_instant(text: str) -> dt.datetime:
    """Aware UTC date-time from RFC 3339 or ISO 8601; one without a zone is UTC.

    Raises
    ------
    BrokenData
        The text is no date-time.
    """
    try:
        found = dt.datetime.fromisoformat(text.strip().upper())
    except ValueError as exc:
        raise BrokenData(f"expected a date-time such as 2024-03-08T10:08:41Z, got {text!r}") from exc
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


def sensing_instant(properties: Mapping[str, object]) -> dt.datetime:
    """When a scene was acquired: ``datetime``, or where that is null (some radar items) ``start_datetime``.

    Raises
    ------
    BrokenData
        Neither is there.
    """
    for name in ("datetime", "start_datetime"):
        value = properties.get(name)
        if isinstance(value, dt.datetime):
            return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
        if isinstance(value, str) and value.strip():
            return parse_instant(value)
    raise BrokenData("expected datetime or start_datetime, got neither")


def is_within(instant: dt.datetime, period: Period) -> bool:
    """Whether a day in UTC lies in the period, both ends included."""
    day = instant.astimezone(dt.UTC).date()
    return day <= period.end and (period.start is None or period.start <= day)


def search_interval(period: Period) -> tuple[dt.datetime | None, dt.datetime | None]:
    """First and last instant to ask a catalogue for; None is open."""
    start = None if period.start is None else dt.datetime.combine(period.start, dt.time.min, dt.UTC) - MARGIN
    if period.end.year >= LAST_YEAR:
        return start, None
    return start, dt.datetime.combine(period.end, dt.time.max, dt.UTC) + MARGIN


def interval_text(period: Period) -> str | None:
    """``start/end`` for a STAC search, ``..`` where open; None where both ends are."""
    start, end = search_interval(period)
    if start is None and end is None:
        return None
    return "/".join(".." if t is None else t.strftime("%Y-%m-%dT%H:%M:%SZ") for t in (start, end))
