"""What the land is made of: reflectance in ten bands and backscatter of pure surfaces.

The figures are typical values rounded by hand. They agree in level and shape with what is known of such surfaces and
are copied from no library. To compare them: soils, roofs and paving with the USGS spectral library, version 7
(doi:10.3133/ds1035) and ECOSTRESS (doi:10.1016/j.rse.2019.05.015); canopies with PROSAIL
(doi:10.1016/j.rse.2008.01.026); backscatter with the handbook of Ulaby and Dobson (ISBN 9780890063361).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BANDS: tuple[str, ...] = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""Order of the reflectances."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """A pure surface."""

    name: str
    reflectance: tuple[float, ...]
    """By `BANDS`, dry, seen from above."""
    vv_db: float
    vh_db: float
    """Backscatter gamma0 of full cover at 38 degrees; of ground with dry, smooth soil below."""
    veil: float = 0.0
    """Share of the ground's backscatter that full cover keeps back, 0-1."""
    is_ground: bool = False
    """Its backscatter follows soil moisture and roughness."""
    is_built: bool = False
    """Its backscatter depends on where the radar looks from."""
    snow_share: float = 1.0
    """Share of it that snow can hide from above."""


# fmt: off
_TABLE: tuple[Material, ...] = (
    # ---- living plants, closed canopy
    Material(name="crop", reflectance=(0.026, 0.056, 0.030, 0.088, 0.29, 0.38, 0.41, 0.43, 0.190, 0.085),
             vv_db=-11.5, vh_db=-17.0, veil=0.70, snow_share=0.9),
    Material(name="wheat", reflectance=(0.023, 0.050, 0.028, 0.080, 0.30, 0.40, 0.44, 0.455, 0.128, 0.058),
             vv_db=-13.0, vh_db=-18.5, veil=0.80, snow_share=0.9),
    Material(name="rice", reflectance=(0.024, 0.050, 0.027, 0.080, 0.26, 0.34, 0.37, 0.385, 0.175, 0.075),
             vv_db=-10.0, vh_db=-16.5, veil=0.65, snow_share=0.9),
    Material(name="rape_flower", reflectance=(0.045, 0.135, 0.120, 0.175, 0.32, 0.38, 0.41, 0.43, 0.215, 0.105),
             vv_db=-10.0, vh_db=-15.5, veil=0.75, snow_share=0.9),
    Material(name="grass", reflectance=(0.034, 0.066, 0.046, 0.105, 0.255, 0.315, 0.34, 0.36, 0.245, 0.130),
             vv_db=-12.5, vh_db=-19.0, veil=0.35),
    Material(name="broadleaf", reflectance=(0.021, 0.042, 0.024, 0.070, 0.245, 0.325, 0.35, 0.37, 0.170, 0.075),
             vv_db=-8.8, vh_db=-13.7, veil=0.96, snow_share=0.5),
    Material(name="evergreen", reflectance=(0.019, 0.036, 0.022, 0.058, 0.195, 0.255, 0.275, 0.295, 0.140, 0.060),
             vv_db=-8.6, vh_db=-13.6, veil=0.97, snow_share=0.2),
    Material(name="needle", reflectance=(0.018, 0.031, 0.021, 0.048, 0.145, 0.185, 0.205, 0.220, 0.105, 0.046),
             vv_db=-9.0, vh_db=-14.2, veil=0.96, snow_share=0.15),
    Material(name="shrub", reflectance=(0.028, 0.050, 0.034, 0.085, 0.215, 0.275, 0.300, 0.320, 0.205, 0.105),
             vv_db=-10.2, vh_db=-15.6, veil=0.75, snow_share=0.6),
    # ---- dead and leafless plants
    Material(name="straw", reflectance=(0.110, 0.160, 0.220, 0.250, 0.275, 0.298, 0.325, 0.345, 0.430, 0.335),
             vv_db=-13.0, vh_db=-19.5, veil=0.12),
    Material(name="litter", reflectance=(0.042, 0.062, 0.085, 0.108, 0.130, 0.148, 0.165, 0.185, 0.255, 0.190),
             vv_db=-14.0, vh_db=-21.5, veil=0.0),
    Material(name="bark", reflectance=(0.038, 0.052, 0.064, 0.082, 0.110, 0.130, 0.148, 0.165, 0.205, 0.140),
             vv_db=-9.4, vh_db=-14.9, veil=0.88, snow_share=0.1),
    Material(name="char", reflectance=(0.032, 0.037, 0.042, 0.047, 0.054, 0.061, 0.070, 0.080, 0.130, 0.140),
             vv_db=-13.5, vh_db=-20.5, is_ground=True),
    # ---- ground
    Material(name="soil", reflectance=(0.090, 0.125, 0.164, 0.185, 0.203, 0.219, 0.235, 0.252, 0.312, 0.270),
             vv_db=-14.5, vh_db=-22.6, is_ground=True),
    Material(name="subsoil", reflectance=(0.125, 0.175, 0.235, 0.260, 0.283, 0.302, 0.320, 0.340, 0.410, 0.370),
             vv_db=-14.0, vh_db=-22.0, is_ground=True),
    Material(name="gravel", reflectance=(0.145, 0.175, 0.205, 0.220, 0.233, 0.245, 0.257, 0.268, 0.315, 0.290),
             vv_db=-12.0, vh_db=-20.5, is_ground=True),
    # ---- water
    Material(name="clear_water", reflectance=(0.034, 0.030, 0.018, 0.014, 0.011, 0.010, 0.009, 0.008, 0.004, 0.003),
             vv_db=-20.5, vh_db=-27.5, veil=1.0, snow_share=0.0),
    Material(name="turbid_water", reflectance=(0.062, 0.088, 0.090, 0.083, 0.055, 0.050, 0.040, 0.034, 0.012, 0.008),
             vv_db=-20.0, vh_db=-27.0, veil=1.0, snow_share=0.0),
    Material(name="pond_water", reflectance=(0.038, 0.062, 0.044, 0.048, 0.034, 0.032, 0.028, 0.024, 0.008, 0.005),
             vv_db=-19.5, vh_db=-26.5, veil=1.0, snow_share=0.0),
    # ---- built
    Material(name="concrete", reflectance=(0.195, 0.225, 0.250, 0.262, 0.272, 0.280, 0.288, 0.296, 0.320, 0.290),
             vv_db=-12.0, vh_db=-20.0, is_built=True),
    Material(name="asphalt", reflectance=(0.082, 0.093, 0.103, 0.109, 0.115, 0.121, 0.127, 0.133, 0.155, 0.145),
             vv_db=-16.0, vh_db=-24.5, is_built=True),
    Material(name="structure", reflectance=(0.130, 0.148, 0.165, 0.175, 0.185, 0.192, 0.200, 0.208, 0.235, 0.215),
             vv_db=-5.0, vh_db=-13.5, veil=0.9, is_built=True, snow_share=0.7),
    Material(name="blue_roof", reflectance=(0.270, 0.245, 0.195, 0.200, 0.222, 0.240, 0.262, 0.275, 0.295, 0.260),
             vv_db=-5.5, vh_db=-14.0, veil=0.9, is_built=True, snow_share=0.8),
    Material(name="white_roof", reflectance=(0.400, 0.420, 0.430, 0.434, 0.437, 0.440, 0.443, 0.445, 0.405, 0.360),
             vv_db=-5.0, vh_db=-13.5, veil=0.9, is_built=True, snow_share=0.8),
    Material(name="tiles", reflectance=(0.070, 0.090, 0.132, 0.150, 0.167, 0.180, 0.192, 0.204, 0.250, 0.228),
             vv_db=-6.0, vh_db=-13.0, veil=0.8, is_built=True, snow_share=0.8),
    Material(name="plastic", reflectance=(0.225, 0.255, 0.262, 0.278, 0.325, 0.352, 0.370, 0.382, 0.310, 0.240),
             vv_db=-9.0, vh_db=-17.0, veil=0.7, is_built=True, snow_share=0.4),
    Material(name="shade_net", reflectance=(0.090, 0.100, 0.105, 0.120, 0.155, 0.170, 0.182, 0.190, 0.180, 0.140),
             vv_db=-10.0, vh_db=-17.5, veil=0.6, is_built=True, snow_share=0.6),
    Material(name="pv_module", reflectance=(0.062, 0.058, 0.054, 0.060, 0.075, 0.083, 0.090, 0.096, 0.082, 0.066),
             vv_db=-8.0, vh_db=-18.5, veil=0.6, is_built=True, snow_share=0.5),
    Material(name="rubble", reflectance=(0.150, 0.180, 0.215, 0.230, 0.243, 0.254, 0.265, 0.276, 0.315, 0.285),
             vv_db=-7.5, vh_db=-14.5, veil=0.3, is_built=True),
)
# fmt: on

MATERIALS: Mapping[str, Material] = {material.name: material for material in _TABLE}
INDEX: Mapping[str, int] = {material.name: n for n, material in enumerate(_TABLE)}
PLANTS: tuple[str, ...] = ("crop", "wheat", "rice", "rape_flower", "grass", "broadleaf", "evergreen", "needle", "shrub")
"""Living plants: their sum is the green cover."""
WATERS: tuple[str, ...] = ("clear_water", "turbid_water", "pond_water")
SNOW: tuple[float, ...] = (0.78, 0.80, 0.79, 0.785, 0.775, 0.765, 0.755, 0.735, 0.105, 0.090)
"""Reflectance of settled snow."""


def column(attribute: str) -> NDArray[np.float64]:
    """One number of every material, shape (material,), in the order of `INDEX`."""
    return np.array([getattr(material, attribute) for material in _TABLE], dtype=np.float64)


def spectra() -> NDArray[np.float64]:
    """Shape (material, band): reflectance."""
    return np.array([material.reflectance for material in _TABLE], dtype=np.float64)
