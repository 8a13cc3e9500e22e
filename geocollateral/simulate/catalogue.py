"""The catalogue on disk: a static STAC catalogue, and the same items as one stac-geoparquet file."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from geocollateral.simulate.items import OPTICAL, RADAR
from geocollateral.simulate.worlds import WorldSpec

_LICENCE = "proprietary"
_TITLES = {
    OPTICAL: ("Sentinel-2 level 2A, simulated", "Simulated scenes laid out like Earth Search's sentinel-2-l2a."),
    RADAR: ("Sentinel-1 RTC, simulated", "Simulated scenes laid out like Planetary Computer's sentinel-1-rtc."),
}


def write_item(folder: Path, item: Mapping[str, Any]) -> Path:
    """Write one item into its own folder, ``COLLECTION/ID/ID.json``, and say where."""
    path: Path = folder / item["collection"] / item["id"] / f"{item['id']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(item, indent=1), encoding="utf-8")
    return path


def write_catalogue(folder: Path, world: WorldSpec, items: Sequence[Mapping[str, Any]]) -> None:
    """Write catalogue and collections around items that lie there already.

    Parameters
    ----------
    items
        In the order of the collections' links; one that is given twice is listed twice.
    """
    collections = sorted({item["collection"] for item in items})
    _write(
        folder / "catalog.json",
        {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": f"simulated-{world.name}",
            "title": f"Simulated world {world.name}",
            "description": f"{world.title}. Simulated, no satellite took it.",
            "links": [
                {"rel": "root", "href": "./catalog.json", "type": "application/json"},
                *({"rel": "child", "href": f"./{c}/collection.json", "type": "application/json"} for c in collections),
            ],
        },
    )
    for name in collections:
        own = [item for item in items if item["collection"] == name]
        _write(folder / name / "collection.json", _collection(name, own))
    write_geoparquet(folder / "items.parquet", items)


def write_geoparquet(path: Path, items: Sequence[Mapping[str, Any]]) -> None:
    """All items in one table, hrefs relative to the folder of the file."""
    import stac_geoparquet.arrow

    rows = []
    for item in items:
        row = copy.deepcopy(dict(item))
        for asset in row["assets"].values():
            asset["href"] = f"./{item['collection']}/{item['id']}/{asset['href'].removeprefix('./')}"
        row["links"] = []
        rows.append(row)
    table = stac_geoparquet.arrow.parse_stac_items_to_arrow(rows).read_all()
    stac_geoparquet.arrow.to_parquet(table, path)


def _collection(name: str, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    boxes = [item["bbox"] for item in items]
    times = sorted(item["properties"]["datetime"] for item in items)
    title, description = _TITLES[name]
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": name,
        "title": title,
        "description": description,
        "license": _LICENCE,
        "extent": {
            "spatial": {
                "bbox": [
                    [
                        min(b[0] for b in boxes),
                        min(b[1] for b in boxes),
                        max(b[2] for b in boxes),
                        max(b[3] for b in boxes),
                    ]
                ]
            },
            "temporal": {"interval": [[times[0], times[-1]]]},
        },
        "links": [
            {"rel": "root", "href": "../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
            *(
                {"rel": "item", "href": f"./{item['id']}/{item['id']}.json", "type": "application/geo+json"}
                for item in items
            ),
        ],
    }


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
