r"""The risk score trained on simulated worlds, or on a table of your own outcomes, and judged on others.

    python pipelines/train_risk.py worlds/dev worlds/dev1 --judge worlds/heldout --kept work/kept --workers 2 \
        --out models/risk

An outcome table (.parquet or .csv) is the table `risk_features` of earlier runs with the column `adverse` (0 or 1).
Settings `risk_score.model` names the folder that is written.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from geocollateral import service
from geocollateral.cli import EXIT_CODES
from geocollateral.config import load_settings
from geocollateral.errors import GeocollateralError


def main(arguments: list[str] | None = None) -> int:
    """Train, judge, write, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, nargs="+", help="worlds or tables of outcomes to train on")
    parser.add_argument("--judge", type=Path, nargs="+", required=True, help="worlds or tables to judge on")
    parser.add_argument("--kept", type=Path, help="folder of looks kept between runs")
    parser.add_argument("--out", type=Path, default=Path("models/risk"), help="folder for the model and its card")
    parser.add_argument("--rows", type=Path, help="folder to write the rows of each world to, as tables of outcomes")
    parser.add_argument("--workers", type=int, default=1, help="processes that judge the worlds")
    parser.add_argument("--settings", type=Path, help="YAML of the stages' knobs")
    asked = parser.parse_args(arguments)
    try:
        settings = load_settings(asked.settings)
        scheduler = "processes" if asked.workers > 1 else "synchronous"
        _, figures = service.train_risk(
            asked.train,
            asked.judge,
            kept=asked.kept,
            out=asked.out,
            rows_to=asked.rows,
            settings=service.with_compute(settings, {"scheduler": scheduler, "workers": asked.workers}),
            progress=lambda done, whole: sys.stderr.write(f"blocks: {done} of {whole}\n") and None,
        )
    except GeocollateralError as error:
        sys.stderr.write(f"train_risk: {error}\n")
        return EXIT_CODES[error.kind]
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
