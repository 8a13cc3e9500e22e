"""How quickly the registry finds double pledges, and whether it finds all: 100,000 parcels on SQLite or PostgreSQL.

    python benchmarks/registry_speed.py                                  SQLite in a folder that goes away again
    python benchmarks/registry_speed.py --url postgresql+psycopg://...   an empty database of your own
    python benchmarks/registry_speed.py --own-postgres                   a cluster on loopback that goes away again

Overlaps of one mu and more, and slivers along crooked borders, are planted in a cadastre of lots of about 100 m a side.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime as dt
import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from registry_cases import DAY, NOW, Planted, parcel, plant, submission
from servers.postgres import Postgres

from geocollateral.intake import PledgeParams, find_moved, find_shared
from geocollateral.loan_projects import double_pledges
from geocollateral.pledges import Asked, check
from geocollateral.store import LiveQuery, LoanRegistry, open_registry, upgrade

PER_FILE = 10_000


def main() -> None:
    """Plant, add, check one by one, join all; print what was found and how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="database; default: SQLite in a temporary folder")
    parser.add_argument("--own-postgres", action="store_true")
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--overlaps", type=int, default=2_000)
    parser.add_argument("--slivers", type=int, default=2_000)
    parser.add_argument("--checks", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    planted = plant(asked.parcels - asked.overlaps - asked.slivers, asked.overlaps, asked.slivers, asked.seed)
    with place(asked) as url:
        if not url.startswith("sqlite"):
            upgrade(url)
        with open_registry(url, create=True) as registry:
            report = run(registry, planted, asked.checks, asked.seed)
    report["machine"] = (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    report["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


@contextlib.contextmanager
def place(asked: argparse.Namespace) -> Iterator[str]:
    """Address of an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        if asked.own_postgres:
            with Postgres(Path(folder)) as server:
                yield server.dsn(driver="postgresql+psycopg")
        else:
            yield asked.url or f"sqlite:///{folder}/registry.sqlite"


def run(registry: LoanRegistry, planted: Planted, n_checks: int, seed: int) -> dict[str, Any]:
    """Times in seconds and what was found of what was planted."""
    report: dict[str, Any] = {"database": registry.title.split(":")[0], "parcels": len(planted.outlines)}
    random = np.random.default_rng(seed)
    order = random.permutation(len(planted.outlines))  # partners of a pair lie in different projects and branches
    entries = [parcel(f"{n:06d}", planted.outlines[n]) for n in order.tolist()]
    started = time.perf_counter()
    for first in range(0, len(entries), PER_FILE):
        part = entries[first : first + PER_FILE]
        part = [dataclasses.replace(entry, loan=f"L{first}") for entry in part]
        registry.add_project(submission(*part, project=f"p{first}", branch=f"b{first % 3}"), NOW)
    report["add_all_s"] = time.perf_counter() - started
    report |= check_some(registry, planted, n_checks, random)
    report |= join_all(registry, planted)
    return report


def check_some(registry: LoanRegistry, planted: Planted, n: int, random: np.random.Generator) -> dict[str, Any]:
    """One parcel at a time, as an application that comes in; half of them are planted pairs."""
    pairs = sorted(planted.overlaps | planted.slivers)
    chosen = [pairs[k] for k in random.permutation(len(pairs))[: n // 2].tolist()]
    some = [b for _, b in chosen] + random.integers(0, len(planted.outlines), n - len(chosen)).tolist()
    asked = Asked(branch="new", day=DAY, known_at=None, params=PledgeParams(), shifts={"moved": vector})
    times, spent, missed, wrong = [], [], 0, 0
    for count, number in enumerate(some):
        row = {"parcel_id": ["x"], "obs_area_m2": [parcel("x", planted.outlines[number]).area_m2]}
        table = gpd.GeoDataFrame(row, geometry=[planted.outlines[number]], crs=4326).set_index("parcel_id")
        started, before = time.perf_counter(), time.process_time()
        found = check(registry, table, asked)
        times.append(time.perf_counter() - started)
        spent.append(time.process_time() - before)
        partners = sum(finding.kind in ("overlap", "redrawn") for finding in found.findings) - 1  # itself is registered
        if count < len(chosen):
            missed += chosen[count] in planted.overlaps and partners < 1
            wrong += chosen[count] in planted.slivers and partners > 0
    first, rest = times[0], times[1:]
    return {
        "checks": n,
        "check_first_ms": 1e3 * first,
        "check_median_ms": 1e3 * statistics.median(rest),
        "check_p95_ms": 1e3 * float(np.quantile(rest, 0.95)),
        "check_max_ms": 1e3 * max(rest),
        "check_own_cpu_median_ms": 1e3 * statistics.median(spent),
        "check_missed_overlaps": missed,
        "check_slivers_told": wrong,
    }


def join_all(registry: LoanRegistry, planted: Planted) -> dict[str, Any]:
    """All pairs of the whole registry, with and without those that another datum may have moved."""
    asked = Asked(branch="new", day=DAY, known_at=None, params=PledgeParams(), shifts={"moved": vector})
    started = time.perf_counter()
    rows = double_pledges(registry, asked)
    whole = time.perf_counter() - started
    started = time.perf_counter()
    pledges = registry.pledges(LiveQuery(day=dt.date.min))
    load = time.perf_counter() - started
    outlines = np.empty(len(pledges), dtype=object)
    outlines[:] = [pledge.geometry for pledge in pledges]
    names = [int(pledge.parcel) for pledge in pledges]
    started = time.perf_counter()
    shared = find_shared(outlines, None, PledgeParams())
    joined = time.perf_counter() - started
    started = time.perf_counter()
    moved = find_moved(outlines, None, {"moved": vector}, PledgeParams())
    elsewhere = time.perf_counter() - started
    found = {
        (min(names[p.first], names[p.second]), max(names[p.first], names[p.second]))
        for p in shared
        if p.kind != "border_strip"
    }
    return {
        "self_join_s": whole,
        "of_which_load_s": load,
        "of_which_overlaps_s": joined,
        "of_which_moved_s": elsewhere,
        "rows_told": len(rows),
        "overlaps_planted": len(planted.overlaps),
        "overlaps_found": len(planted.overlaps & found),
        "slivers_planted": len(planted.slivers),
        "slivers_told": len(planted.slivers & found),
        "pairs_not_planted": len(found - planted.overlaps - planted.slivers),
        "moved_told": len(moved),
    }


def vector(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A displacement such as a datum's: 510 m east and 260 m south."""
    return 0.00513 + 0 * lon, -0.00237 + 0 * lat


if __name__ == "__main__":
    main()
