"""Processing units of one run: reserved before a request, given back when it fails, shared by all workers of a machine.

The sum lies in a file, locked while it is changed, because the blocks of a run may be read by several processes.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from geocollateral.errors import QuotaExceeded

TOLERANCE = 1e-9


def _name() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one run may spend. Pickles: a copy counts into the same sum."""

    limit: float
    """Processing units."""
    run: str = field(default_factory=_name)

    @property
    def path(self) -> Path:
        """File of the sum."""
        return Path(tempfile.gettempdir()) / f"geocollateral-{self.run}.units"

    def reserve(self, units: float) -> None:
        """Set units aside for a request about to be sent.

        Raises
        ------
        QuotaExceeded
            They are more than is left. Nothing is set aside then.
        """
        with self._sum() as file:
            spent = _read(file)
            if spent + units > self.limit + TOLERANCE:
                raise QuotaExceeded(
                    f"The next request to Sentinel Hub would cost {units:.3f} processing units; {spent:.3f} of this "
                    f"run's budget of {self.limit:g} are spent. Raise budget_pu, or take fewer parcels or a shorter "
                    "period."
                )
            _write(file, spent + units)

    def release(self, units: float) -> None:
        """Give back what a failed request did not cost."""
        with self._sum() as file:
            _write(file, max(_read(file) - units, 0.0))

    def spent(self) -> float:
        """Processing units set aside so far."""
        with self._sum() as file:
            return _read(file)

    @contextmanager
    def _sum(self) -> Iterator[IO[str]]:
        import fcntl  # not on every platform, and only needed where a budget is set

        with self.path.open("a+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _read(file: IO[str]) -> float:
    file.seek(0)
    return float(file.read() or 0.0)


def _write(file: IO[str], value: float) -> None:
    file.truncate(0)
    file.write(repr(value))
    file.flush()
