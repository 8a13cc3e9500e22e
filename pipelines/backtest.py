r"""How often the product is right on a simulated world, beside other methods on the same looks.

    python pipelines/backtest.py worlds/dev --world dev --kept work/dev-looks --out results/dev
    python pipelines/backtest.py worlds/dev --kept work/dev-looks --as-of-sample 6 \
        --peer ewma=venvs/nrt/bin/python --peer cold=venvs/pyxccd/bin/python

A folder that does not exist is filled with the world first. With ``--kept``, the looks of each block are kept on disk,
so that a change of method is judged again without reading imagery. Other methods run as programs of
``benchmarks/peers`` with the Python given for them; ``two_dates`` needs none. Writes ``backtest.md`` and
``backtest.json`` and prints the former.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from geocollateral import service
from geocollateral.cli import EXIT_CODES
from geocollateral.config import load_settings
from geocollateral.errors import GeocollateralError
from geocollateral.scorecard import markdown, values_of

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def main(arguments: list[str] | None = None) -> int:
    """Run the backtest and return the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        settings = load_settings(asked.settings)
        settings = service.with_compute(settings, {"scheduler": asked.scheduler, "workers": asked.workers})
        found = service.backtest(
            asked.folder,
            world=asked.world,
            seed=asked.seed,
            settings=settings,
            kept=asked.kept,
            replays=asked.as_of_sample,
            blind=asked.blind,
            progress=lambda done, whole: sys.stderr.write(f"blocks: {done} of {whole}\n") and None,
        )
        if asked.peer:
            found = replace(found, rivals=_rivals(asked, found))
    except GeocollateralError as error:
        sys.stderr.write(f"backtest: {error}\n")
        return EXIT_CODES[error.kind]
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "backtest.json").write_text(json.dumps(values_of(found), indent=1), encoding="utf-8")
    (asked.out / "backtest.md").write_text(markdown(found), encoding="utf-8")
    sys.stdout.write(markdown(found))
    return int(any(replay.faults for replay in found.replays))


def _rivals(asked: argparse.Namespace, found: service.Backtest) -> tuple[dict[str, object], ...]:
    """Rows of other methods; the programs are beside this file, not in the package."""
    sys.path.insert(0, str(BENCHMARKS))
    from peers import compare

    pythons = dict(text.partition("=")[::2] for text in asked.peer)
    return tuple(compare.rows(asked.folder, asked.kept, asked.out / "peers", pythons, found.confirmed))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of a simulated world, made where it is lacking")
    parser.add_argument("--world", help="name of the world to simulate where the folder is lacking")
    parser.add_argument("--seed", type=int, default=0, help="random numbers of the world and of the replays")
    parser.add_argument("--kept", type=Path, help="folder of looks kept between runs")
    parser.add_argument("--out", type=Path, default=Path("results/backtest"), help="folder for the tables")
    parser.add_argument("--as-of-sample", type=int, default=0, help="blocks and earlier days to replay")
    parser.add_argument("--blind", action="store_true", help="also judge two months of each parcel by radar alone")
    parser.add_argument(
        "--peer", action="append", default=[], help="two_dates, ewma, cusum, cold or sccd, as NAME=PYTHON"
    )
    parser.add_argument("--settings", type=Path, help="YAML of the stages' knobs")
    parser.add_argument("--scheduler", default="synchronous", help="threads, processes, or a Dask scheduler's address")
    parser.add_argument("--workers", type=int, help="local threads or processes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
