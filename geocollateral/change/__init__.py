"""The time axis: baselines, monitors, confirmation, break dating. Works on any ``(time, ...)`` series."""

from geocollateral.change.monitor import METHODS, default_params, monitor

__all__ = ["METHODS", "default_params", "monitor"]
