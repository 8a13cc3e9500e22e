"""Alerts, exposure and loan-to-value."""
