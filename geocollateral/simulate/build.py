"""Build a world: imagine each site, draw its scenes, write the catalogue and the truth."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from geocollateral.errors import InvalidInput
from geocollateral.simulate.catalogue import write_catalogue
from geocollateral.simulate.notes import MARK, write_notes
from geocollateral.simulate.randomness import Seeds
from geocollateral.simulate.studio import draw_optical, draw_radar, open_studio
from geocollateral.simulate.truth import SiteTruth, tell_truth, write_truth
from geocollateral.simulate.worlds import SiteSpec, WorldSpec, find_world

Progress = Callable[[int, int], None]
UNFINISHED = "unfinished"
"""Empty file that marks a world while it is built."""


def build(
    folder: str | Path,
    world: str | WorldSpec,
    *,
    seed: int = 0,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Build a world into a folder.

    Parameters
    ----------
    folder
        Made anew; holds ``catalog.json``, ``items.parquet``, ``parcels.geojson``, ``truth/`` and ``README.md``.
    world
        Name of one of `WORLDS`, or a record.
    seed
        The same world and seed give the same bytes, whatever the number of workers.
    workers
        Processes that draw.
    overwrite
        Replace a world that is there already.
    progress
        Called with sites (or parts of them, with more workers than sites) done and in all.

    Raises
    ------
    InvalidInput
        Unknown world, or a folder that is not empty.
    """
    spec = find_world(world) if isinstance(world, str) else world
    target = _make_room(Path(folder), overwrite=overwrite)
    n_parts = math.ceil(workers / len(spec.sites))
    jobs = [(str(target), spec, site, seed, part, n_parts) for site in spec.sites for part in range(n_parts)]
    found: list[_Part] = []
    if workers <= 1:
        for job in jobs:
            found.append(_draw_part(*job))
            if progress is not None:
                progress(len(found), len(jobs))
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for done in as_completed([pool.submit(_draw_part, *job) for job in jobs]):
                found.append(done.result())
                if progress is not None:
                    progress(len(found), len(jobs))
    found.sort(key=lambda part: (part.site, part.part))
    items = sorted(
        (item for part in found for item in part.items), key=lambda i: (i["properties"]["datetime"], i["id"])
    )
    twice = {name for part in found for name in part.listed_twice}
    write_catalogue(target, spec, [item for item in items for _ in range(1 + (item["id"] in twice))])
    write_truth(target, [part.truth for part in found if part.truth is not None])
    write_notes(target, spec, seed, items)
    (target / UNFINISHED).unlink()
    return target


@dataclass(frozen=True, kw_only=True)
class _Part:
    site: str
    part: int
    items: list[dict[str, Any]]
    listed_twice: list[str]
    truth: SiteTruth | None


def _make_room(folder: Path, *, overwrite: bool) -> Path:
    if folder.exists():
        if not folder.is_dir():
            raise InvalidInput(f"Expected a folder to build a world in, got the file {folder}.")
        if any(folder.iterdir()):
            if not overwrite:
                raise InvalidInput(
                    f"Expected a new or empty folder, got {folder} with files in it. Overwrite it by --overwrite."
                )
            if not (folder / MARK).is_file() and not (folder / UNFINISHED).is_file():
                raise InvalidInput(f"Refused to overwrite {folder}: it holds files and no {MARK}, so it is no world.")
            shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / UNFINISHED).touch()
    return folder


def _draw_part(folder: str, world: WorldSpec, site: SiteSpec, seed: int, part: int, n_parts: int) -> _Part:
    """Draw every ``n_parts``-th overpass of a site. Each has its own random numbers, so the order does not matter."""
    studio = open_studio(world, site, seed)
    seeds = Seeds(family=world.family, seed=seed)
    target = Path(folder)
    optical = [scene for scene in studio.optical if scene.number % n_parts == part]
    radar = [scene for scene in studio.radar if scene.number % n_parts == part]
    items = [draw_optical(target, world, studio, scene, seeds) for scene in optical]
    items += [draw_radar(target, world, studio, scene, seeds) for scene in radar]
    return _Part(
        site=site.tile,
        part=part,
        items=items,
        listed_twice=[scene.item_id for scene in optical if scene.listed_twice],
        truth=tell_truth(studio.scenario, studio.appearance, studio.optical, studio.radar, seeds)
        if part == 0
        else None,
    )
