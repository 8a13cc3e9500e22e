"""What an asset is worth, as an interval."""

from geocollateral.valuation.approaches import ApproachParams, ParcelValue, Seen, baseline, value_parcel
from geocollateral.valuation.area_value import UnitValue, ValueEstimate, parse_unit_values, value_of
from geocollateral.valuation.ratio_study import RatioStudy, ratio_study
from geocollateral.valuation.value_tables import ValueRow, parse_value_tables

__all__ = [
    "ApproachParams",
    "ParcelValue",
    "RatioStudy",
    "Seen",
    "UnitValue",
    "ValueEstimate",
    "ValueRow",
    "baseline",
    "parse_unit_values",
    "parse_value_tables",
    "ratio_study",
    "value_of",
    "value_parcel",
]
