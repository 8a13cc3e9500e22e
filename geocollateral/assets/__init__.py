"""One file per asset class: its indices, its judgement of a parcel, its alert rules."""

from geocollateral.assets.asset import ASSETS, Asset
from geocollateral.assets.claims import judge_area
from geocollateral.assets.construction import CONSTRUCTION, ConstructionParams
from geocollateral.assets.forestry import FORESTRY, ForestryParams
from geocollateral.assets.modules import ModuleCover, pv_presence
from geocollateral.assets.solar import SOLAR, SolarParams
from geocollateral.assets.wind import WIND, WindParams

__all__ = [
    "ASSETS",
    "CONSTRUCTION",
    "FORESTRY",
    "SOLAR",
    "WIND",
    "Asset",
    "ConstructionParams",
    "ForestryParams",
    "ModuleCover",
    "SolarParams",
    "WindParams",
    "judge_area",
    "pv_presence",
]
