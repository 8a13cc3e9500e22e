"""Where results and the registry of loan projects are kept."""

from geocollateral.store.artifacts import ARTIFACTS, Artifact
from geocollateral.store.database import StoreParams, upgrade
from geocollateral.store.models import (
    APPROVERS,
    VERDICTS,
    Action,
    Decision,
    ModelEntry,
    ModelEvent,
    ModelRegistry,
    ModelRow,
    is_review_overdue,
    registration,
    review_of,
    signed_content,
    state_of,
)
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
from geocollateral.store.results import find_damage, read_outputs, read_run, require_writable, write_result_folder
from geocollateral.store.values import exact_money

__all__ = [
    "APPROVERS",
    "ARTIFACTS",
    "VERDICTS",
    "Action",
    "Added",
    "Artifact",
    "Decision",
    "LayerEntry",
    "LayerRow",
    "LiveQuery",
    "LoanEntry",
    "LoanRegistry",
    "LoanRow",
    "ModelEntry",
    "ModelEvent",
    "ModelRegistry",
    "ModelRow",
    "ParcelEntry",
    "PledgedParcel",
    "ProjectRow",
    "RunRow",
    "StoreParams",
    "Submission",
    "exact_money",
    "find_damage",
    "is_review_overdue",
    "open_registry",
    "read_outputs",
    "read_run",
    "registration",
    "require_writable",
    "review_of",
    "signed_content",
    "state_of",
    "upgrade",
    "write_result_folder",
]
