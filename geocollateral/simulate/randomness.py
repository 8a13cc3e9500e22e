"""Random numbers by the name of what they are for, so that the order of work changes nothing."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """Streams of random numbers of one world."""

    family: int
    """Of the world: worlds of different families share no stream, whatever the seed."""
    seed: int

    def stream(self, *names: str | int) -> np.random.Generator:
        """The generator of one purpose, such as ``stream("scene", "50SKE", 12)``: the same whoever asks and when."""
        keys = tuple(zlib.crc32(str(name).encode()) for name in names)
        return np.random.default_rng(np.random.SeedSequence((self.family, self.seed), spawn_key=keys))
