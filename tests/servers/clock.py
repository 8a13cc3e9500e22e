"""A clock that a test turns: sleeping takes no time."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable


class FakeClock:
    """Starts at a fixed instant; `sleep` moves it on and is written down in `slept`."""

    def __init__(self, on_sleep: Callable[[float], None] | None = None) -> None:
        self.start = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
        self.slept: list[float] = []
        self._seconds = 0.0
        self._on_sleep = on_sleep
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._seconds

    def sleep(self, seconds: float) -> None:
        """Move on."""
        with self._lock:
            self.slept.append(seconds)
            self._seconds += seconds
        if self._on_sleep is not None:
            self._on_sleep(seconds)

    def now(self) -> dt.datetime:
        """The instant in UTC."""
        return self.start + dt.timedelta(seconds=self._seconds)
