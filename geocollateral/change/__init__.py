"""The time axis: baselines, monitors, confirmation, break dating. Works on any ``(time, ...)`` series."""

from geocollateral.change.evidence import SequentialParams
from geocollateral.change.monitor import METHODS, default_params, monitor, monitor_joint
from geocollateral.change.peers import BARE, monitor_with_peers, peer_departure, weather_of_stands

__all__ = [
    "BARE",
    "METHODS",
    "SequentialParams",
    "default_params",
    "monitor",
    "monitor_joint",
    "monitor_with_peers",
    "peer_departure",
    "weather_of_stands",
]
