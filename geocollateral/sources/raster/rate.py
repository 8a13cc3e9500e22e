"""A token bucket: no more requests in a minute than a service allows, whoever of the workers asks."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from geocollateral.sources.raster.clock import SYSTEM_CLOCK, Clock


@dataclass
class RateLimit:
    """Budget of a service, shared by the threads of a process.

    The bucket fills evenly and holds `burst` units. Whoever takes more than there is waits until it has been filled,
    in the order of asking. Processes that share an account each get a limit of their own share.
    """

    per_minute: float
    """Units that the service allows in a minute."""
    burst: float = 1.0
    """Units that may be taken at once after a quiet time."""
    clock: Clock = SYSTEM_CLOCK
    _level: float = field(init=False, repr=False)
    _at: float = field(init=False, repr=False)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.per_minute <= 0 or self.burst <= 0:
            raise ValueError(f"a rate must be above 0, got {self.per_minute} per minute with bursts of {self.burst}")
        self._level = self.burst
        self._at = self.clock.monotonic()

    def take(self, units: float = 1.0) -> float:
        """Wait until `units` may be spent, and spend them.

        The debt is booked before the wait, so that each who asks waits behind those before.

        Returns
        -------
        Seconds waited.
        """
        wait = self.reserve(units)
        if wait > 0:
            self.clock.sleep(wait)
        return wait

    def reserve(self, units: float = 1.0) -> float:
        """Book `units` and say how long to wait before they may be used [s]."""
        with self._lock:
            self._refill()
            self._level -= units
            return max(0.0, -self._level * 60.0 / self.per_minute)

    def hold(self, seconds: float) -> None:
        """Nothing may be spent for `seconds`: what a 429 with Retry-After means for everyone, not only for its
        asker.
        """
        with self._lock:
            self._refill()
            self._level = min(self._level, -seconds * self.per_minute / 60.0 + 1.0)

    def _refill(self) -> None:
        now = self.clock.monotonic()
        self._level = min(self.burst, self._level + (now - self._at) * self.per_minute / 60.0)
        self._at = now
