"""Alerts, exposure and loan-to-value."""

from geocollateral.risk.alerts import raise_alerts
from geocollateral.risk.exposure import loan_to_value

__all__ = ["loan_to_value", "raise_alerts"]
