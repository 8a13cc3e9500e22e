"""Where results are kept."""

from geocollateral.store.artifacts import ARTIFACTS, Artifact
from geocollateral.store.results import find_damage, read_run, require_writable, write_result_folder

__all__ = ["ARTIFACTS", "Artifact", "find_damage", "read_run", "require_writable", "write_result_folder"]
