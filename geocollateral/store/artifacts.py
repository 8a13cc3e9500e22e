"""Every file of a result folder: its grain, its key, who writes it and what it means.

The one table of artifacts. The writer refuses a file that is not in it, and the table of ``docs/results.md`` is made
from it (``python -m geocollateral.store.artifacts`` prints it).
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from geocollateral.errors import BrokenData


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One file, or one family of files, of a result folder."""

    name: str
    """Path inside the folder; parts in angle brackets vary."""
    grain: str
    """What one row, element or file stands for."""
    key: str
    """What tells two rows, elements or files apart."""
    writer: str
    """Module that makes the content."""
    meaning: str

    def matches(self, name: str) -> bool:
        """Whether ``name`` is a file of this artifact; a varying part never spans folders."""
        fixed = re.split(r"<[^>]*>", self.name)
        return re.fullmatch(r"[^/]+".join(map(re.escape, fixed)), name) is not None


RUN_FILE = "run.json"
"""Written last, by the store itself; its presence and kind make a folder a result folder."""

ARTIFACTS: tuple[Artifact, ...] = (
    Artifact(
        name="parcels.geojson",
        grain="parcel",
        key="`parcel_id`",
        writer="exports.geojson",
        meaning="RFC 7946, WGS 84. One feature per parcel of the input, in its order: outline, status, value interval, "
        "risk and alert ids. `null` = not known; a parcel that cannot be judged has no value and no risk number",
    ),
    Artifact(
        name="alerts.json",
        grain="alert",
        key="`alert_id`",
        writer="exports.tables",
        meaning="What needs a person to look at it, most severe first, each with its break interval and its evidence",
    ),
    Artifact(
        name="series.parquet",
        grain="parcel x look x index",
        key="`parcel_id, index, time, sensor, scene_id`",
        writer="exports.tables",
        meaning="Statistics of every clear look. No row = no clear pixel on that date, never a zero",
    ),
    Artifact(
        name="changes.parquet",
        grain="parcel x index x break",
        key="`parcel_id, index, break_date`",
        writer="exports.tables",
        meaning="What the change methods found; one row without a break where they found none or cannot tell",
    ),
    Artifact(
        name="tables/<name>.parquet",
        grain="row of the table",
        key="`parcel_id`, and the claim or the row's dates",
        writer="exports.tables",
        meaning="`claims` (every claim with its verdict) and `history` (events of the last five years), always; "
        "`seasons` (crop seasons of farmland), `stages` (of building sites and plants, by date), `water`, "
        "`causes` and `regrowth` (of forests); each only where such parcels were judged. `pledges`, `overlays`: what "
        "the registry says of the land, where it was asked and found something (docs/registry.md)",
    ),
    Artifact(
        name="scenes.json",
        grain="scene",
        key="`scene_id`",
        writer="exports.tables",
        meaning="Every scene found and what became of each of its bands",
    ),
    Artifact(
        name="report.html",
        grain="run",
        key="`run_id`",
        writer="exports.report",
        meaning="The due-diligence report: one file, no script, no request to any network",
    ),
    Artifact(
        name="chips/<parcel_id>_<role>_<date>.png",
        grain="parcel x role x date",
        key="file name",
        writer="exports.chips",
        meaning="The dated before, after and latest pictures of the report, one image pixel per ground pixel, and "
        "those of the user's orthomosaics, their pixels averaged to at most 600 a side where that can be. "
        "Characters unsafe in a file name are replaced and eight digits of the id's SHA-256 added",
    ),
    Artifact(
        name=RUN_FILE,
        grain="run",
        key="`run_id`",
        writer="store.results",
        meaning="Inputs, settings, versions and timings of the run, and SHA-256 and bytes of every other file here",
    ),
)


def require_declared(name: str) -> Artifact:
    """The artifact a file belongs to.

    Raises
    ------
    BrokenData
        The file is in no row of `ARTIFACTS`.
    """
    for artifact in ARTIFACTS:
        if artifact.matches(name):
            return artifact
    raise BrokenData(f"{name!r} is no declared artifact; add it to store/artifacts.py. Declared: {_names()}")


def markdown_table() -> str:
    """The table as it stands in ``docs/results.md``."""
    rows = ["| file | one row is | key | made by | holds |", "|---|---|---|---|---|"]
    rows += [f"| `{a.name}` | {a.grain} | {a.key} | `{a.writer}` | {a.meaning} |" for a in ARTIFACTS]
    return "\n".join(rows)


def _names() -> str:
    return ", ".join(artifact.name for artifact in ARTIFACTS)


if __name__ == "__main__":
    sys.stdout.write(markdown_table() + "\n")
