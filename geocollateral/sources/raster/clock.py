"""Time as an argument: what waits and what dates a signature asks a clock that a test can turn."""

from __future__ import annotations

import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    """What transport needs of time."""

    def monotonic(self) -> float:
        """Seconds since some start that never jump, for intervals."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def now(self) -> dt.datetime:
        """The instant in UTC, for what others date: signatures and HTTP dates."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def now(self) -> dt.datetime:
        """The instant in UTC."""
        return dt.datetime.now(dt.UTC)


SYSTEM_CLOCK: Clock = SystemClock()
