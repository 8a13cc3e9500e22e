"""What a built world says of itself: ``README.md`` for people, ``simulated-world.json`` for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from geocollateral.simulate.items import OPTICAL
from geocollateral.simulate.worlds import WorldSpec

MARK = "simulated-world.json"
"""File by which a folder of ours is known; it is written last."""

_README = """# Simulated world `{name}`, seed {seed}

{title}. {start} to {end}; {sites}.
{n_optical} Sentinel-2 and {n_radar} Sentinel-1 items. **No satellite took these pictures.** They are drawn by
`geocollateral simulate` from a landscape whose truth is known.

* `catalog.json`, `sentinel-2-l2a/`, `sentinel-1-rtc/`: static STAC catalogue. Items are laid out like those of Earth
  Search and Planetary Computer, with their COG files beside them.
* `items.parquet`: the same items as stac-geoparquet; hrefs are relative to this folder.
* `parcels.geojson`: the portfolio with claims and loans, input of `geocollateral assess`.
* `truth/`: what is true. Nothing that reads imagery may read it.

## Truth

| table | one row per | columns of note |
|---|---|---|
| `parcels` | parcel | `kind`, `cover_at_start`, `area_m2` |
| `events` | event | `kind`, `start`, `end` (of the change itself), `area_m2`, `severity` (share lost), `note` |
| `event_pixels` | event and pixel | `row`, `column` of the site's 10 m grid, `share` of the pixel inside |
| `traps` | trap | as `events`; nothing has happened |
| `stages` | parcel and tenth day | shares of `vegetated`, `water`, `cleared`, `building`, `built` |
| `seasons` | crop season | days of sowing, emergence (10 % green), peak and harvest; `failed` |
| `phenology` | parcel and day | `green_cover` |
| `quiet_years` | parcel and 365 days, after the first year | before any event of the parcel |
| `claims` | claim | `claimed`, `actual`, `is_true` |
| `flaws` | item and flaw | twins, holes, lying offset flags, missing bands, border zeros |
| `weather` | site and day | temperature, rain, soil moisture, snow |

## What it models, and what it does not

It models weather years shared by neighbours (a drought and a late frost for all where the world has them), crops grown
by warmth and water, mixed spectra of pure materials, edges of parcels inside pixels, clouds with shadows, cirrus, haze,
a scene classification that errs, sides of view by relative orbit, jitter up to 5 m, speckle, soil moisture, roughness,
incidence by relative orbit, wind on water, and the flaws of real catalogues.

It does not model terrain (the land is flat), parallax between bands, detector stripes, adjacency, multiple scattering
in canopies, smoke, ice on water, interferometric coherence, layover, moving objects, or anything its authors did not
think of. Its crops, events and errors are more orderly than real ones: figures reached here are an upper bound of what
can be expected outside. The page `docs/simulated-world.md` of the project says how it compares with real series.
"""


def write_notes(folder: Path, world: WorldSpec, seed: int, items: Sequence[Mapping[str, Any]]) -> None:
    """Write both files."""
    n_optical = sum(item["collection"] == OPTICAL for item in items)
    text = _README.format(
        name=world.name,
        seed=seed,
        title=world.title,
        start=world.start,
        end=world.end,
        sites=", ".join(f"{site.tile} ({site.size * 10 / 1000:g} km a side)" for site in world.sites),
        n_optical=n_optical,
        n_radar=len(items) - n_optical,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    facts = {
        "world": world.name,
        "family": world.family,
        "seed": seed,
        "start": world.start.isoformat(),
        "end": world.end.isoformat(),
        "sites": {
            site.tile: {"epsg": site.grid.epsg, "transform": site.grid.transform(), "size": site.size}
            for site in world.sites
        },
    }
    (folder / MARK).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
