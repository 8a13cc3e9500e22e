"""Speckle of radar images, handled in time: the ground keeps its texture from look to look, speckle does not.

Source: Quegan & Yu 2001, filtering of multichannel SAR images, doi:10.1109/36.964973. Ours is causal: a look is
smoothed with the looks before it only, so that later data never change what was known at a date.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

WINDOW = 7
"""Side of the neighbourhood whose mean is each look's own level [pixels]."""
REACH_PIXELS = WINDOW // 2
"""How far it looks beyond a pixel."""
LOOKS = 12
"""How many looks, the present one included, the texture is taken from."""


def smooth_in_time(power: NDArray[np.floating], *, window: int = WINDOW, looks: int = LOOKS) -> NDArray[np.float32]:
    """Backscatter with less speckle and the same local mean.

    Each look is the local mean of that look times the texture (pixel over local mean) averaged over the looks so far.
    A change of the whole neighbourhood shows at once, through the mean; one smaller than the window within ``looks``
    looks.

    Parameters
    ----------
    power
        Linear backscatter of one relative orbit, shape (time, y, x), rising in time; NaN = no data.

    Returns
    -------
    Shape (time, y, x), float32; NaN where the look has no data.
    """
    seen = np.isfinite(power)
    filled = np.where(seen, power, 0.0).astype(np.float64)
    size = (0, window, window)
    share = _mean(seen.astype(np.float64), size)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = np.where(share > 0, _mean(filled, size) / share, np.nan)
        texture = np.where(seen & (level > 0), filled / level, np.nan)
    known = np.isfinite(texture)
    total = np.cumsum(np.where(known, texture, 0.0), axis=0)
    count = np.cumsum(known, axis=0)
    total[looks:] = total[looks:] - total[:-looks].copy()
    count[looks:] = count[looks:] - count[:-looks].copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        smooth = level * total / count
    return np.where(seen, smooth, np.nan).astype(np.float32)


def _mean(values: NDArray[np.float64], size: tuple[int, int, int]) -> NDArray[np.float64]:
    # Beyond the edge there is no data, as there is none where a scene ends: the size of the block must not matter.
    return np.asarray(ndimage.uniform_filter(values, size=[max(n, 1) for n in size], mode="constant", cval=0.0))
