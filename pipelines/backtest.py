r"""How often the product is right on a simulated world, beside other methods on the same looks.

    python pipelines/backtest.py worlds/dev --world dev --kept work/dev-looks --out results/dev
    python pipelines/backtest.py worlds/dev --kept work/dev-looks --as-of-sample 6 \
        --peer ewma=venvs/nrt/bin/python --peer cold=venvs/pyxccd/bin/python

    python pipelines/backtest.py worlds/dev --kept work/dev-looks --calibrate geocollateral/assets/decision.yaml
    python pipelines/backtest.py worlds/dev1 --kept work/dev1-looks --stress all --stress-blocks 4

A folder that does not exist is filled with the world first. With ``--kept``, the looks of each block are kept on disk,
so that a change of method is judged again without reading imagery. Other methods run as programs of
``benchmarks/peers`` with the Python given for them; ``two_dates`` needs none. Writes ``backtest.md`` and
``backtest.json`` and prints the former. ``--calibrate`` writes the table of thresholds and probabilities that its
alerts, and those of worlds given by ``--also``, amount to; the figures printed are those of the table in use before.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from geocollateral import service
from geocollateral.cli import EXIT_CODES
from geocollateral.config import Settings, load_settings
from geocollateral.errors import GeocollateralError
from geocollateral.operating_points import table_text
from geocollateral.scorecard import markdown, values_of
from geocollateral.stress import NONE, STRESSES

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
            stress=sorted(set(STRESSES) - {NONE}) if asked.stress == ["all"] else asked.stress,
            stress_blocks=asked.stress_blocks,
            progress=lambda done, whole: sys.stderr.write(f"blocks: {done} of {whole}\n") and None,
        )
        if asked.calibrate:
            others = [_also(text, settings) for text in asked.also]
            cases = [one.cases for one in (found, *others) if one.cases is not None]
            asked.calibrate.write_text(table_text(service.calibrate(cases, settings)), encoding="utf-8")
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


def _also(text: str, settings: Settings) -> service.Backtest:
    """The backtest of another world, given as FOLDER or FOLDER=KEPT."""
    folder, _, kept = text.partition("=")
    return service.backtest(folder, settings=settings, kept=kept or None)


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
        "--stress", nargs="*", default=[], help=f"disturbances: all, or of {', '.join(sorted(set(STRESSES) - {NONE}))}"
    )
    parser.add_argument("--stress-blocks", type=int, help="blocks to disturb, drawn at random; all where not given")
    parser.add_argument("--calibrate", type=Path, help="file for the table of thresholds and probabilities")
    parser.add_argument(
        "--also", action="append", default=[], metavar="FOLDER=KEPT", help="further worlds the table is made on"
    )
    parser.add_argument(
        "--peer", action="append", default=[], help="two_dates, ewma, cusum, cold or sccd, as NAME=PYTHON"
    )
    parser.add_argument("--settings", type=Path, help="YAML of the stages' knobs")
    parser.add_argument("--scheduler", default="synchronous", help="threads, processes, or a Dask scheduler's address")
    parser.add_argument("--workers", type=int, help="local threads or processes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
