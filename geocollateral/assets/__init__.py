"""One file per asset class: its indices, its judgement of a parcel, its alert rules."""

# Ponds are judged from the day the settings have a section for them:
# from geocollateral.assets.aquaculture import AQUACULTURE, AquacultureParams
from geocollateral.assets.asset import ASSETS, Asset
from geocollateral.assets.claims import judge_area
from geocollateral.assets.forestry import FORESTRY, ForestryParams

__all__ = ["ASSETS", "FORESTRY", "Asset", "ForestryParams", "judge_area"]
