"""What an asset is worth, as an interval."""

from geocollateral.valuation.area_value import UnitValue, ValueEstimate, parse_unit_values, value_of

__all__ = ["UnitValue", "ValueEstimate", "parse_unit_values", "value_of"]
