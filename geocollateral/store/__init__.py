"""Where results and the registry of loan projects are kept."""

from geocollateral.store.artifacts import ARTIFACTS, Artifact
from geocollateral.store.database import StoreParams, upgrade
from geocollateral.store.overlays import LayerEntry, LayerRow
from geocollateral.store.projects import (
    Added,
    LiveQuery,
    LoanEntry,
    LoanRow,
    ParcelEntry,
    PledgedParcel,
    ProjectRow,
    RunRow,
    Submission,
)
from geocollateral.store.registry import LoanRegistry, open_registry
from geocollateral.store.results import find_damage, read_run, require_writable, write_result_folder
from geocollateral.store.values import exact_money

__all__ = [
    "ARTIFACTS",
    "Added",
    "Artifact",
    "LayerEntry",
    "LayerRow",
    "LiveQuery",
    "LoanEntry",
    "LoanRegistry",
    "LoanRow",
    "ParcelEntry",
    "PledgedParcel",
    "ProjectRow",
    "RunRow",
    "StoreParams",
    "Submission",
    "exact_money",
    "find_damage",
    "open_registry",
    "read_run",
    "require_writable",
    "upgrade",
    "write_result_folder",
]
