"""What an asset is worth, as an interval."""

from geocollateral.valuation.area_value import UnitValue, ValueEstimate, parse_unit_values, value_of
from geocollateral.valuation.ratio_study import RatioStudy, ratio_study

__all__ = ["RatioStudy", "UnitValue", "ValueEstimate", "parse_unit_values", "ratio_study", "value_of"]
