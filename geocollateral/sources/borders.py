"""The border of a radar scene: strips of zeros that are no backscatter, and the noise beside them.

Sentinel-1 products up to 2018 fill what lies outside the swath with zeros in place of "no data", and the pixels beside
the fill hold noise of the processor. As decibels zeros are minus infinity, as power they read as calm water.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening

FILL = 1.0001e-5
"""Linear backscatter up to here is fill [1]: -50 dB, where the sensor's own noise is near -25 dB. A hair above 1e-5, a
usual fill value that has no exact float32."""
STRIP_PIXELS = 3
"""Fill counts as a strip where it is at least this wide and high [pixels]; smaller spots are only masked themselves."""
NOISE_PIXELS = 5
"""Width of the noise beside a strip, which is removed with it [pixels]."""
REACH_PIXELS = STRIP_PIXELS + NOISE_PIXELS
"""How far beyond a window pixels must be known, so that what is removed does not depend on where the window ends."""


def usable_backscatter(power: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pixels hold backscatter.

    Parameters
    ----------
    power
        Linear backscatter [1], shape (y, x).
    valid
        Where the file has data, shape (y, x).

    Returns
    -------
    True where there is data that is neither fill nor within `NOISE_PIXELS` of a strip of fill.
    """
    values = np.where(valid, power, 1).astype(np.float64)
    fill = valid & ~(values > FILL)
    strips = binary_opening(fill, structure=np.ones((STRIP_PIXELS, STRIP_PIXELS), bool))
    if strips.any():
        strips = binary_dilation(strips, structure=np.ones((3, 3), bool), iterations=NOISE_PIXELS)
    return np.asarray(valid & ~fill & ~strips)
