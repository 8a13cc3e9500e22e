"""The account of what was read: every scene, band and parcel has one fate, and silence is told from quiet."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from geocollateral.block import BlockResult
from geocollateral.types import OBSERVATION_STATUSES, RADAR_BANDS, IntakeNote, SourceInfo


def feed_state(
    info: SourceInfo, results: Sequence[BlockResult], parcel_ids: Iterable[str], day: dt.date
) -> dict[str, Any]:
    """Whether the source still brings imagery of each parcel. An archive has no feed to fall silent.

    Returns
    -------
    ``alive``, ``newest`` (day of the newest acquisition of any parcel), ``stale`` (ids of parcels) and, for a living
    feed, ``revisit_days`` and ``newest_by_parcel``. Where there are optical scenes only they count, for they are what a
    parcel is judged by: radar that goes on does not hide that they stopped.
    """
    newest: dict[str, str] = {}
    judged_by_radar = all(set(scene["bands"]) <= set(RADAR_BANDS) for result in results for scene in result.scenes)
    for result in results:
        for scene in result.scenes:
            if set(scene["bands"]) <= set(RADAR_BANDS) and not judged_by_radar:
                continue
            if {"ok", "quarantined", "corrupt"} & set(scene["bands"].values()):
                for parcel_id in result.judgements:
                    newest[parcel_id] = max(newest.get(parcel_id, ""), scene["datetime"][:10])
    if info.revisit_days is None:
        return {"alive": False, "newest": max(newest.values(), default=None), "stale": []}
    limit = day - dt.timedelta(days=STALE_REVISITS * info.revisit_days)
    stale = [i for i in parcel_ids if newest.get(i, "") < limit.isoformat()]
    return {
        "alive": True,
        "revisit_days": info.revisit_days,
        "newest": max(newest.values(), default=None),
        "newest_by_parcel": newest,
        "stale": stale,
    }


STALE_REVISITS = 2
"""Nominal revisits without an acquisition after which a feed counts as stale."""


def scenes_found(results: Sequence[BlockResult], n_parcels: int, n_scenes: int) -> dict[str, Any]:
    """Every scene found and what became of it; observations add up to scenes x bands x parcels.

    Parameters
    ----------
    n_parcels, n_scenes
        Parcels of the run and scenes the search found, also those no block reads.
    """
    scenes: dict[str, dict[str, Any]] = {}
    for result in results:
        for row in result.scenes:
            fresh = {**row, "n_parcels": 0, "observations": dict.fromkeys(OBSERVATION_STATUSES, 0)}
            known = scenes.setdefault(row["scene_id"], fresh)
            known["n_parcels"] += row["n_parcels"]
            for name, count in row["observations"].items():
                known["observations"][name] += count
            known["clear_parcels"] = sorted({*known["clear_parcels"], *row["clear_parcels"]})
            known["bands"] = {b: _worse(known["bands"].get(b, s), s) for b, s in row["bands"].items()}
            for name in ("reasons", "offsets"):
                known[name] = known.get(name, {}) | row.get(name, {})
            known["transient"] = sorted({*known.get("transient", []), *row.get("transient", [])})
    for scene in scenes.values():
        # Parcels that no block of this scene's grid holds.
        scene["observations"]["outside"] += (n_parcels - scene.pop("n_parcels")) * len(scene["bands"])
    totals = {name: sum(s["observations"][name] for s in scenes.values()) for name in OBSERVATION_STATUSES}
    expected = sum(len(s["bands"]) for s in scenes.values()) * n_parcels
    waiting = sum(len(s.get("transient", [])) for s in scenes.values())
    return {
        "state": "incomplete" if waiting else "complete",
        "n_transient": waiting,
        "n_scenes": n_scenes,
        "n_parcels": n_parcels,
        "expected_observations": expected,
        "observations": totals,
        "scenes": [scenes[name] for name in sorted(scenes, key=lambda s: (scenes[s]["datetime"], s))],
    }


def _worse(one: str, other: str) -> str:
    """Of a band of a scene read in two blocks; that a scene does not reach one of them is no fault of the other."""
    return max(one, other, key=SEVERITY.index)


SEVERITY: tuple[str, ...] = ("outside", "ok", "missing", "corrupt", "quarantined")


def gaps(scenes: Mapping[str, Any]) -> list[IntakeNote]:
    """What of the imagery found could not be used, for the reader."""
    notes = []
    if scenes["state"] == "incomplete":
        notes.append(
            f"This run is incomplete: {scenes['n_transient']} bands of scenes were not given by the service and may be "
            "given later. Run the same command again; what was read is kept if a cache folder is set."
        )
    lost = Counter(
        status for scene in scenes["scenes"] for status in scene["bands"].values() if status not in {"ok", "outside"}
    )
    if lost:
        said = ", ".join(f"{count} {status}" for status, count in sorted(lost.items()))
        notes.append(f"Bands of scenes that could not be used: {said}. scenes.json gives the reasons.")
    if scenes["feed"]["stale"]:
        notes.append(
            f"The feed is stale for {len(scenes['feed']['stale'])} parcels; newest acquisition: "
            f"{scenes['feed']['newest'] or 'none'}."
        )
    return [IntakeNote(kind="warning", parcel_id=None, message=text) for text in notes]
