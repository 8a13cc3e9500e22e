"""The account of scenes, bands and parcels, and of feeds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geocollateral.block import BlockResult
from geocollateral.ledger import feed_state, gaps, scenes_found
from geocollateral.types import Judgement, SourceInfo

DAY = dt.date(2024, 6, 30)
JUDGED = Judgement(status="ok", reason="", columns={}, quantity=None, quantity_unit="ha", events=(), yearly=())


def info(revisit: float | None) -> SourceInfo:
    return SourceInfo(name="s", title="", licence="", attribution="", revisit_days=revisit)


def scene(day: str, bands: Mapping[str, str], parcels: int = 2, **more: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("ok", "masked", "outside", "missing", "corrupt", "quarantined"), 0)
    for status in bands.values():
        counts[status] += parcels
    return {
        "scene_id": f"s-{day}",
        "datetime": f"{day}T03:00:00Z",
        "platform": "sentinel-2a",
        "bands": dict(bands),
        "n_parcels": parcels,
        "observations": counts,
        "clear_parcels": [],
        **more,
    }


def result(*scenes: dict[str, Any], parcels: tuple[str, ...] = ("a", "b")) -> BlockResult:
    empty = pd.DataFrame()
    return BlockResult(
        series=empty,
        changes=empty,
        baselines=empty,
        judgements=dict.fromkeys(parcels, JUDGED),
        hits=(),
        scenes=scenes,
        lost_pixels=np.zeros((0, 3), np.int64),
    )


@pytest.mark.parametrize(
    ("newest", "stale"), [("2024-06-20", []), ("2024-06-19", ["a", "b"]), ("2024-01-01", ["a", "b"])]
)
def test_r15_two_revisits_of_silence_are_a_stale_feed(newest: str, stale: list[str]) -> None:
    found = feed_state(info(5.0), [result(scene(newest, {"red": "ok"}))], ["a", "b"], DAY)
    assert found["stale"] == stale
    assert found["newest"] == newest


def test_r15_t44_each_parcel_has_its_own_feed() -> None:
    results = [
        result(scene("2024-06-28", {"red": "ok"}), parcels=("a",)),
        result(scene("2024-06-28", {"red": "missing"}), scene("2024-05-01", {"red": "ok"}), parcels=("b",)),
    ]
    assert feed_state(info(5.0), results, ["a", "b", "c"], DAY)["stale"] == ["b", "c"]


def test_r15_radar_that_goes_on_does_not_hide_a_silent_optical_feed() -> None:
    results = [result(scene("2024-05-01", {"red": "ok"})), result(scene("2024-06-29", {"vv": "ok"}))]
    assert feed_state(info(5.0), results, ["a", "b"], DAY)["stale"] == ["a", "b"]
    assert feed_state(info(5.0), results[1:], ["a", "b"], DAY)["stale"] == []


def test_an_archive_is_never_stale() -> None:
    found = feed_state(info(None), [result(scene("1999-01-01", {"red": "ok"}))], ["a"], DAY)
    assert (found["alive"], found["stale"]) == (False, [])


def test_r3_observations_add_up_over_blocks() -> None:
    one = result(scene("2024-06-01", {"red": "ok", "nir": "missing"}, parcels=2), parcels=("a", "b"))
    two = result(scene("2024-06-01", {"red": "outside", "nir": "outside"}, parcels=1), parcels=("c",))
    found = scenes_found([one, two], n_parcels=5, n_scenes=1)
    assert sum(found["observations"].values()) == found["expected_observations"] == 10
    assert found["observations"]["missing"] == 2
    assert found["observations"]["outside"] == 2 + 2 * 2
    assert found["scenes"][0]["bands"] == {"red": "ok", "nir": "missing"}


def test_transient_gaps_make_the_run_incomplete() -> None:
    bands = {"red": "ok", "nir": "missing"}
    lasting = scenes_found([result(scene("2024-06-01", bands))], 2, 1)
    passing = scenes_found([result(scene("2024-06-01", bands, transient=["nir"]))], 2, 1)
    assert (lasting["state"], passing["state"]) == ("complete", "incomplete")
    feed = {"stale": [], "newest": None}
    texts = [note.message for note in gaps(passing | {"feed": feed})]
    assert any("incomplete" in text for text in texts)
    assert any("1 missing" in text for text in texts)
