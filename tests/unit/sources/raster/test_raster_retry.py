"""R2: what is tried again, how long is waited, and how a budget is shared."""

from __future__ import annotations

import datetime as dt
import random
import threading

import pytest
from servers.clock import FakeClock

from geocollateral.sources.raster import RateLimit
from geocollateral.sources.raster.retry import Patience, backoff, is_quota, is_retried, parse_retry_after

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def rng() -> random.Random:
    return random.Random(1)  # noqa: S311


def test_table_of_statuses() -> None:
    assert {s for s in range(100, 600) if is_retried(s)} == {408, 425, 429, 500, 502, 503, 504}


@pytest.mark.parametrize(
    ("value", "milliseconds", "seconds"),
    [
        (None, False, None),
        ("0", False, 0.0),
        ("120", False, 120.0),
        (" 2 ", False, 2.0),
        ("1500", True, 1.5),
        ("1.5", False, 1.5),
        ("Sun, 01 Mar 2026 12:00:30 GMT", False, 30.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", True, 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", False, 0.0),
        ("soon", False, None),
        ("-5", False, None),
        ("", False, None),
        ("9" * 40, False, None),
    ],
)
def test_retry_after(value: str | None, milliseconds: bool, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW, milliseconds=milliseconds) == seconds


@pytest.mark.parametrize(
    ("status", "body", "quota"),
    [
        (403, '{"error":{"code":"ACCESS_INSUFFICIENT_PROCESSING_UNITS"}}', True),
        (403, "Insufficient processing units or requests available in your account.", True),
        (403, "Monthly quota exceeded", True),
        (402, "your credits are used up", True),
        (403, "<Error><Code>AccessDenied</Code></Error>", False),
        (403, "AuthenticationFailed: Signature not valid in the specified time frame", False),
        (429, "quota", False),
        (200, "quota", False),
    ],
)
def test_a_refusal_for_the_quota_is_told_from_one_for_the_credentials(status: int, body: str, quota: bool) -> None:
    assert is_quota(status, body) is quota


def test_jitter_is_full_and_bounded() -> None:
    source = rng()
    for tried, bound in ((1, 0.5), (2, 1.0), (3, 2.0), (10, 30.0)):
        waits = [backoff(tried, source) for _ in range(500)]
        assert 0 <= min(waits) < 0.1 * bound
        assert 0.9 * bound < max(waits) <= bound


def test_r2_patience_ends_after_the_tries_and_within_the_wait() -> None:
    source = rng()
    for asked in (None, 0.0, 1.0, 70.0, 100.0):
        patience: Patience | None = Patience(attempts=5, wait_seconds=300)
        waits = []
        while patience is not None and (left := patience.after(asked, source)) is not None:
            patience, wait = left
            assert wait >= (asked or 0.0)
            waits.append(wait)
        assert len(waits) <= 4
        assert sum(waits) <= 300
        if asked in (None, 1.0):
            assert len(waits) == 4
    assert Patience(attempts=5, wait_seconds=300).after(301.0, source) is None  # in vain: not waited at all
    assert Patience(attempts=1, wait_seconds=300).after(None, source) is None


def test_a_rate_is_kept_by_all_threads_together() -> None:
    """The bucket simulator: 300 a minute, bursts of 10, eight threads."""
    clock = FakeClock()
    limit = RateLimit(per_minute=300, burst=10, clock=clock)
    waits = sorted(limit.reserve() for _ in range(100))
    assert waits[:10] == [0.0] * 10
    assert waits[-1] == pytest.approx(90 * 60 / 300)
    granted: list[float] = []

    def work() -> None:
        granted.extend(limit.reserve() for _ in range(25))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(granted) == pytest.approx([(91 + n) * 60 / 300 for n in range(200)])  # one after the other, no twice


def test_r2_a_rate_limited_client_is_not_refused() -> None:
    """At steady state a service with the same budget never answers 429."""
    clock = FakeClock()
    limit = RateLimit(per_minute=60, burst=5, clock=clock)
    level, at, refused = 5.0, 0.0, 0
    for _ in range(1000):
        limit.take()
        level, at = min(5.0, level + (clock.monotonic() - at)), clock.monotonic()
        refused += level < 1 - 1e-9
        level -= 1
    assert refused == 0
    assert clock.monotonic() == pytest.approx(995, abs=1)


def test_a_429_holds_everyone() -> None:
    clock = FakeClock()
    limit = RateLimit(per_minute=60, burst=5, clock=clock)
    limit.hold(30)
    assert limit.take() == pytest.approx(30)
    assert limit.take() == pytest.approx(1)


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        RateLimit(per_minute=0)
