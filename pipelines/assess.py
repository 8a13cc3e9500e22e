"""Pre-lending due diligence of every project in a folder.

    python pipelines/assess.py aoi/demo --source sample:romania --out results

Each ``*.geojson`` of the folder is one loan project and gets a result folder of its own. A project that fails does not
stop the others: its message is printed, and the exit status is that of the first failure.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from geocollateral import service
from geocollateral.cli import EXIT_CODES
from geocollateral.config import load_settings
from geocollateral.errors import GeocollateralError, MissingInput


def main(arguments: list[str] | None = None) -> int:
    """Assess the projects and return the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        settings = load_settings(asked.settings)
        if asked.scheduler:
            settings = service.with_compute(settings, {"scheduler": asked.scheduler})
        projects = sorted(asked.projects.glob("*.geojson"))
        if not projects:
            raise MissingInput(f"{asked.projects} holds no *.geojson file of parcels.")
    except GeocollateralError as error:
        return _tell(error)
    status = 0
    for project in projects:
        out = asked.out / project.stem
        try:
            result = service.assess(
                project,
                source=asked.source,
                as_of=asked.as_of,
                datum=asked.datum,
                settings=settings,
                unit_values=asked.unit_values,
                out=out,
                overwrite=asked.overwrite,
            )
        except GeocollateralError as error:
            status = status or _tell(error, project.name)
            continue
        judged = int((result.parcels["meta_status"] == "ok").sum())
        sys.stdout.write(
            f"{project.name}: {len(result.parcels)} parcels, {judged} judged, {len(result.alerts)} alerts -> {out}\n"
        )
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Pre-lending due diligence of every project in a folder.")
    parser.add_argument("projects", type=Path, help="folder of *.geojson files, one loan project each")
    parser.add_argument("--source", required=True, help="imagery, such as sample:romania or cube:FILE")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder for the result folders")
    parser.add_argument("--datum", help="datum of all the files; needed for parcels in China (docs/datums.md)")
    parser.add_argument("--as-of", help="judge as on this day (YYYY-MM-DD)")
    parser.add_argument("--unit-values", type=Path, help="CSV of what a unit of each asset class is worth")
    parser.add_argument("--settings", type=Path, help="YAML of the stages' knobs")
    parser.add_argument("--scheduler", help="threads, processes, or the address of a Dask scheduler")
    parser.add_argument("--overwrite", action="store_true", help="replace result folders that are already there")
    return parser


def _tell(error: GeocollateralError, what: str = "assess") -> int:
    sys.stderr.write(f"{what}: {error}\n")
    return EXIT_CODES[error.kind]


if __name__ == "__main__":
    sys.exit(main())
