"""One file per asset class: its indices, its judgement of a parcel, its alert rules."""

from geocollateral.assets.agriculture import AGRICULTURE, AgricultureParams
from geocollateral.assets.aquaculture import AQUACULTURE, AquacultureParams
from geocollateral.assets.asset import ASSETS, Asset
from geocollateral.assets.claims import judge_area
from geocollateral.assets.construction import CONSTRUCTION, ConstructionParams
from geocollateral.assets.damage import DamageParams
from geocollateral.assets.damage_told import DAMAGE_BANDS, judge_damage
from geocollateral.assets.decision import DecisionParams, DecisionRow, DecisionTable, decide
from geocollateral.assets.forestry import FORESTRY, ForestryParams
from geocollateral.assets.mixture import MixtureParams, judge_mixture
from geocollateral.assets.modules import ModuleCover, pv_presence
from geocollateral.assets.settled import CLAIMS, settle, withdraw
from geocollateral.assets.solar import SOLAR, SolarParams
from geocollateral.assets.wind import WIND, WindParams

__all__ = [
    "AGRICULTURE",
    "AQUACULTURE",
    "ASSETS",
    "CLAIMS",
    "CONSTRUCTION",
    "DAMAGE_BANDS",
    "FORESTRY",
    "SOLAR",
    "WIND",
    "AgricultureParams",
    "AquacultureParams",
    "Asset",
    "ConstructionParams",
    "DamageParams",
    "DecisionParams",
    "DecisionRow",
    "DecisionTable",
    "ForestryParams",
    "MixtureParams",
    "ModuleCover",
    "SolarParams",
    "WindParams",
    "decide",
    "judge_area",
    "judge_damage",
    "judge_mixture",
    "pv_presence",
    "settle",
    "withdraw",
]
