"""One Sentinel-1 scene: mean backscatter of the ground, and speckle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geocollateral.simulate.appearance import RadarTables
from geocollateral.simulate.camera import Textures
from geocollateral.simulate.mixing import ZoneMap

Field = NDArray[np.float32]
LOOKS = 4.4
"""Equivalent number of looks of ground-range detected products of 10 m, by the product specification of Sentinel-1."""
_KERNEL = np.array([0.22, 0.56, 0.22])
"""Neighbouring pixels of 10 m share a part of their speckle: they are closer than the resolution of 20 m by 22 m."""
_GAIN_DB = {"sentinel-1a": 0.0, "sentinel-1b": 0.12, "sentinel-1c": -0.22, "sentinel-1d": -0.1}
_MANTISSA_BITS = 11
"""Kept of the 23 of a float32: speckle is thousands of times coarser, and files become half as large."""


def scan(
    zones: ZoneMap,
    tables: RadarTables,
    textures: Textures,
    look: int,
    platform: str,
    jitter: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[Field, Field]:
    """Linear gamma0 (row, column) in VV and VH of the whole site."""
    shares = zones.shares(*jitter)
    pure = np.column_stack([tables.vv[look], tables.vh[look], tables.patchiness])
    mixed = (shares @ pure.astype(np.float32)).reshape(zones.size, zones.size, 3)
    gain = 10 ** ((_GAIN_DB.get(platform, 0.0) + rng.normal(0, 0.10)) / 10)
    found = []
    for n in range(2):
        texture = np.clip(1 + mixed[..., 2] * textures.mottle, 0.3, 3.0)
        power = mixed[..., n] * texture * speckle(zones.size, rng) * np.float32(gain)
        noise_floor = np.float32(10 ** (-3.0 + 0.1 * (n == 0)))  # about -30 dB
        found.append(_shorten(power + noise_floor * speckle(zones.size, rng)))
    return found[0], found[1]


def speckle(size: int, rng: np.random.Generator) -> Field:
    """Multiplicative noise with mean 1, `LOOKS` equivalent looks and neighbours that are alike."""
    from scipy.ndimage import correlate1d

    shape = LOOKS * float((_KERNEL**2).sum()) ** 2
    single = rng.standard_gamma(shape, (size + 2, size + 2), dtype=np.float32) / np.float32(shape)
    kernel = _KERNEL.astype(np.float32)
    alike = correlate1d(correlate1d(single, kernel, axis=0), kernel, axis=1)
    return np.asarray(alike[1:-1, 1:-1], dtype=np.float32)


def _shorten(values: Field) -> Field:
    drop = 23 - _MANTISSA_BITS
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = (bits + np.uint32(1 << (drop - 1))) & np.uint32(0xFFFFFFFF ^ ((1 << drop) - 1))
    return rounded.view(np.float32)
