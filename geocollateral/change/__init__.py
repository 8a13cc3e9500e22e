"""The time axis: baselines, monitors, confirmation, break dating. Works on any ``(time, ...)`` series."""
