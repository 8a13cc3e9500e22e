r"""Right and wrong claims planted in a simulated world, and how often the product tells them apart.

    python pipelines/claims.py worlds/dev --world dev --kept work/dev-claims --out results/claims-dev

A folder that does not exist is filled with the world first. With ``--kept``, the looks of each block are kept on disk,
so that a change of a rule is judged again without reading imagery. Prints tables of verdicts against truth with 95 %
confidence intervals, and writes them as ``claims.md`` with the cases beside (``claims.json``).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from geocollateral import service
from geocollateral.claim_bench import markdown, values_of
from geocollateral.cli import EXIT_CODES
from geocollateral.config import load_settings
from geocollateral.errors import GeocollateralError


def main(arguments: list[str] | None = None) -> int:
    """Run the bench and return the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        settings = load_settings(asked.settings)
        settings = service.with_compute(settings, {"scheduler": asked.scheduler, "workers": asked.workers})
        rows = service.claim_bench(
            asked.folder,
            world=asked.world,
            seed=asked.seed,
            settings=settings,
            kept=asked.kept,
            blocks=asked.blocks,
            turn=asked.turn,
            progress=lambda done, whole: sys.stderr.write(f"blocks: {done} of {whole}\n") and None,
        )
    except GeocollateralError as error:
        sys.stderr.write(f"claims: {error}\n")
        return EXIT_CODES[error.kind]
    asked.out.mkdir(parents=True, exist_ok=True)
    text = markdown(rows, asked.folder.name)
    (asked.out / "claims.json").write_text(values_of(rows), encoding="utf-8")
    (asked.out / "claims.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of a simulated world, made where it is lacking")
    parser.add_argument("--world", help="name of the world to simulate where the folder is lacking")
    parser.add_argument("--seed", type=int, default=0, help="random numbers of the world and of the claims")
    parser.add_argument("--turn", type=int, default=0, help="another one deals other shares to the polygons")
    parser.add_argument("--kept", type=Path, help="folder of looks kept between runs")
    parser.add_argument("--out", type=Path, default=Path("results/claims"), help="folder for the tables")
    parser.add_argument("--blocks", type=int, help="blocks of either kind, drawn at random; all where not given")
    parser.add_argument("--settings", type=Path, help="YAML of the stages' knobs")
    parser.add_argument("--scheduler", default="synchronous", help="threads, processes, or a Dask scheduler's address")
    parser.add_argument("--workers", type=int, help="local threads or processes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
