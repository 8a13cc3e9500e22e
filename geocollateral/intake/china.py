"""Roughly where China is: wide enough that every parcel of it is inside.

The frame is made of the areas of use that the EPSG registry gives for the 3-degree zones of CGCS2000 (EPSG 4534-4554):
strips of 3 degrees with the southernmost and northernmost land of China in each, here widened by `NEAR_DEG` on all
sides. Neighbours' land within a strip counts as near, up to some hundred kilometres inside Myanmar, Mongolia or Korea:
there a datum is asked for in vain, which is cheaper than one taken for granted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEAR_DEG = 0.3
"""About 30 km: ponds and rafts off the coast, and what a wrong datum moved across the border."""

STRIPS: tuple[tuple[float, float, float, float], ...] = (
    (73.62, 35.81, 76.50, 40.65),
    (76.50, 31.03, 79.50, 41.83),
    (79.50, 29.95, 82.51, 45.88),
    (82.50, 28.26, 85.50, 47.23),
    (85.50, 27.80, 88.50, 49.18),
    (88.49, 27.32, 91.51, 48.42),
    (91.50, 27.71, 94.50, 45.13),
    (94.50, 28.23, 97.51, 44.50),
    (97.50, 21.43, 100.50, 42.76),
    (100.50, 21.13, 103.50, 42.69),
    (103.50, 22.50, 106.51, 42.21),
    (106.50, 18.19, 109.51, 42.47),
    (109.50, 18.11, 112.50, 45.11),
    (112.50, 21.52, 115.50, 45.45),
    (115.50, 22.60, 118.50, 49.88),
    (118.50, 24.43, 121.50, 53.33),
    (121.50, 28.22, 124.50, 53.56),
    (124.50, 40.19, 127.50, 53.20),
    (127.50, 41.37, 130.50, 50.25),
    (130.50, 42.42, 133.50, 48.88),
    (133.50, 45.85, 134.77, 48.40),
)
"""West, south, east, north of each strip [degrees]."""
_FRAMES = np.array(STRIPS) + NEAR_DEG * np.array([-1.0, -1.0, 1.0, 1.0])


def in_or_near_china(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points [degrees] lie in the strips or within `NEAR_DEG` of them."""
    x, y = np.asarray(lon)[..., None], np.asarray(lat)[..., None]
    west, south, east, north = _FRAMES.T
    return np.asarray(((x >= west) & (x <= east) & (y >= south) & (y <= north)).any(axis=-1))
