"""A clock that a test turns: waits take no time and are noted."""

from __future__ import annotations

import datetime as dt
import threading


class FakeClock:
    """Implements `geocollateral.sources.raster.clock.Clock`."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds so far."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        with self._lock:
            self.seconds += seconds
            self.waits.append(seconds)

    def now(self) -> dt.datetime:
        """Instant in UTC, in step with the seconds."""
        return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self.seconds)
