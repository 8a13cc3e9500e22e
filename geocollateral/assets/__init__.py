"""One file per asset class: its indices, its judgement of a parcel, its alert rules."""

from geocollateral.assets.aquaculture import AQUACULTURE, AquacultureParams
from geocollateral.assets.asset import ASSETS, Asset
from geocollateral.assets.claims import judge_area
from geocollateral.assets.construction import CONSTRUCTION, ConstructionParams
from geocollateral.assets.forestry import FORESTRY, ForestryParams
from geocollateral.assets.mixture import MixtureParams, judge_mixture

__all__ = [
    "AQUACULTURE",
    "ASSETS",
    "CONSTRUCTION",
    "FORESTRY",
    "AquacultureParams",
    "Asset",
    "ConstructionParams",
    "ForestryParams",
    "MixtureParams",
    "judge_area",
    "judge_mixture",
]
