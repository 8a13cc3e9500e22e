"""Processing units: what the service counts, by the rules it publishes.

One unit is 512 x 512 pixels, 3 input bands, one sample per pixel, at most 16 bits. Factors multiply: size (at least
0.01), bands / 3 (``dataMask`` is free), 2 for 32-bit TIFF, samples (dates), 2.5 for radar with radiometric terrain
correction (which holds orthorectification, else 2). A request costs at least 0.005 (Process) or 0.01 (Statistical).

Source: "Processing Unit definition" of the Copernicus Data Space Ecosystem and of Sentinel Hub (docs.sentinel-hub.com,
api/overview/processing-unit). A failed request costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection

UNIT_PIXELS = 512 * 512
UNIT_BANDS = 3
LEAST_SIZE = 0.01
LEAST_PROCESS = 0.005
LEAST_STATISTICAL = 0.01
FLOAT_TIFF = 2.0
TERRAIN_CORRECTED = 2.5


def process_units(
    width: int, height: int, bands: Collection[str], *, float32: bool = False, terrain: bool = False
) -> float:
    """Units of one Process request for one date.

    Parameters
    ----------
    width, height
        Of the answer [pixels].
    bands
        Input bands of the evalscript; ``dataMask`` may be among them.
    float32
        The answer is a 32-bit TIFF.
    terrain
        Radar with radiometric terrain correction.
    """
    units = _size(width, height) * _bands(bands)
    units *= FLOAT_TIFF if float32 else 1.0
    units *= TERRAIN_CORRECTED if terrain else 1.0
    return max(units, LEAST_PROCESS)


def statistical_units(width: int, height: int, bands: Collection[str], samples: int) -> float:
    """Units of one Statistical request: the box of a parcel, as many samples as dates have data."""
    return max(_size(width, height) * _bands(bands) * max(samples, 1), LEAST_STATISTICAL)


def _size(width: int, height: int) -> float:
    return max(width * height / UNIT_PIXELS, LEAST_SIZE)


def _bands(bands: Collection[str]) -> float:
    return len(set(bands) - {"dataMask"}) / UNIT_BANDS
