"""Reading 24 dates of a 5 km area through nginx with 50 ms added to each request: ours against plain `odc.stac.load`.

python benchmarks/read_speed.py [--folder DIR] [--repeats 3] [--milliseconds 50]

Both read the same items and bands (blue, red, nir, swir16 and scl) of one window on the native 10 m grid, alternating,
each in a process of its own, so that neither finds the other's connections or caches; imports are not timed. odc-stac
is run as its documentation says (bands, bounds, CRS and resolution; no chunks, no pool), and once more with as many
threads as we use. Printed: seconds (best and median), requests by nginx's own log, the ratio, and whether all pixels
are the same. Ours of plain http asks for each header twice, since nothing vouches for it there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

SIDE, TILE, DATES, PIXEL = 4096, 1024, 24, 10.0
WEST, NORTH, CRS = 500_000.0, 4_600_000.0, "EPSG:32650"
BANDS = {"blue": 1, "red": 1, "nir": 1, "swir16": 2, "scl": 2}
"""Pixel size in units of 10 m."""
ROW, COL, SPAN = 1800, 1700, 512
"""Window on the 10 m grid: 5.12 km, over four tiles of the 10 m bands, as most windows are."""


def scene_band(rng: np.random.Generator, band: str) -> np.ndarray[Any, Any]:
    """Fields of a few hectares with texture and noise: about 1.6 to 1 by DEFLATE with predictor, as real bands."""
    from scipy.ndimage import gaussian_filter, zoom

    side = SIDE // BANDS[band]
    if band == "scl":
        clouds = zoom(gaussian_filter(rng.normal(0, 1, (64, 64)), 4), side / 64, order=1)
        return np.where(clouds > 0.1, 9, 4).astype(np.uint8)
    fields = np.kron(rng.integers(400, 4000, (side // 32, side // 32)), np.ones((32, 32)))
    return np.clip(fields + rng.normal(0, 35, (side, side)), 1, 20000).astype(np.uint16)


def build(folder: Path) -> None:
    """Write the files and items, unless they are there. Four different dates are repeated under 24 names."""
    import rasterio
    from affine import Affine

    if (folder / "items.json").exists():
        return
    rng = np.random.default_rng(7)
    items = []
    for date in range(DATES):
        name = f"S2_T50XXX_{date:02d}"
        (folder / name).mkdir(parents=True, exist_ok=True)
        for band, size in BANDS.items():
            path, twin = folder / name / f"{band}.tif", folder / f"S2_T50XXX_{date % 4:02d}" / f"{band}.tif"
            if twin != path:
                path.unlink(missing_ok=True)
                path.hardlink_to(twin)
                continue
            values = scene_band(rng, band)
            transform = Affine(PIXEL * size, 0, WEST, 0, -PIXEL * size, NORTH)
            with rasterio.open(
                path, "w", driver="COG", width=values.shape[1], height=values.shape[0], count=1, dtype=values.dtype,
                crs=CRS, transform=transform, nodata=0, compress="DEFLATE", predictor="YES", blocksize=TILE,
            ) as dataset:  # fmt: skip
                dataset.write(values, 1)
        items.append(name)
    (folder / "items.json").write_text(json.dumps(items))


def item_of(name: str, date: int, origin: str) -> Any:
    """STAC item with projection and raster fields, as the public catalogues have them."""
    import pystac
    from pyproj import Transformer
    from shapely import box
    from shapely.geometry import mapping

    to_lonlat = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    bounds = to_lonlat.transform_bounds(WEST, NORTH - SIDE * PIXEL, WEST + SIDE * PIXEL, NORTH)
    day = dt.datetime(2024, 1, 5, 3, tzinfo=dt.UTC) + dt.timedelta(days=15 * date)
    item = pystac.Item(name, mapping(box(*bounds)), list(bounds), day, {"proj:code": CRS})
    item.stac_extensions = ["https://stac-extensions.github.io/projection/v2.0.0/schema.json"]
    for band, size in BANDS.items():
        item.add_asset(
            band,
            pystac.Asset(
                f"{origin}/{name}/{band}.tif",
                media_type=pystac.MediaType.COG,
                roles=["data"],
                extra_fields={
                    "proj:shape": [SIDE // size] * 2,
                    "proj:transform": [PIXEL * size, 0, WEST, 0, -PIXEL * size, NORTH],
                    "raster:bands": [{"data_type": "uint8" if band == "scl" else "uint16", "nodata": 0}],
                },
            ),
        )
    return item


def read_ours(items: list[Any], threads: int) -> dict[str, np.ndarray[Any, Any]]:
    """All bands by `read_windows`, coarse ones replicated onto the 10 m grid."""
    from geocollateral.sources.raster import Access, AccessParams, Expected, WindowRequest, read_windows

    origin = "/".join(items[0].assets["blue"].href.split("/")[:3])
    access = Access(origins=frozenset({origin}), params=AccessParams(concurrency=threads))
    requests = [
        WindowRequest(
            key=(band, date),
            href=item.assets[band].href,
            version=item.id,
            window=(slice(ROW // size, (ROW + SPAN) // size), slice(COL // size, (COL + SPAN) // size)),
            expected=Expected(
                shape=tuple(item.assets[band].extra_fields["proj:shape"]),
                transform=tuple(item.assets[band].extra_fields["proj:transform"]),
                crs=CRS,
                dtype=item.assets[band].extra_fields["raster:bands"][0]["data_type"],
                nodata=0,
            ),
        )
        for date, item in enumerate(items)
        for band, size in BANDS.items()
    ]
    found: dict[str, np.ndarray[Any, Any]] = {}
    for read in read_windows(requests, access):
        if read.status != "ok":
            raise RuntimeError(read.reason)
        band, date = read.key  # type: ignore[misc]
        size = BANDS[band]
        cube = found.setdefault(band, np.zeros((len(items), SPAN, SPAN), read.array.dtype))
        cube[date] = read.array.repeat(size, 0).repeat(size, 1)
    return found


def read_odc(items: list[Any], threads: int) -> dict[str, np.ndarray[Any, Any]]:
    """All bands by `odc.stac.load` on the native grid; `threads` 0 is its default, no pool."""
    import odc.stac
    from affine import Affine
    from odc.geo.geobox import GeoBox

    corner = Affine(PIXEL, 0, WEST + COL * PIXEL, 0, -PIXEL, NORTH - ROW * PIXEL)
    more = {"pool": threads} if threads else {}
    data = odc.stac.load(items, bands=list(BANDS), geobox=GeoBox((SPAN, SPAN), corner, CRS), **more)
    return {band: np.asarray(data[band].values) for band in BANDS}


METHODS: dict[str, tuple[Callable[[list[Any], int], dict[str, np.ndarray[Any, Any]]], int]] = {
    "read_windows": (read_ours, 32),
    "odc.stac.load": (read_odc, 0),
    "odc.stac.load, 32 threads": (read_odc, 32),
}


def run_one(method: str, folder: Path, origin: str) -> None:
    """In a process of its own: one timed read, printed as JSON."""
    import time
    import warnings

    warnings.simplefilter("ignore")
    reader, threads = METHODS[method]
    items = [item_of(name, i, origin) for i, name in enumerate(json.loads((folder / "items.json").read_text()))]
    import odc.stac  # noqa: F401
    import tifffile  # noqa: F401
    import urllib3  # noqa: F401

    import geocollateral.sources.raster  # noqa: F401

    wall, cpu = time.perf_counter(), time.process_time()
    found = reader(items, threads)
    seconds = time.perf_counter() - wall
    digest = hashlib.sha256()
    for band in sorted(found):
        digest.update(np.ascontiguousarray(found[band].astype(np.uint16)))
    said = {"seconds": seconds, "cpu": time.process_time() - cpu, "sha256": digest.hexdigest()}
    sys.stdout.write(json.dumps(said) + "\n")


@contextmanager
def chosen_folder(given: Path | None) -> Iterator[Path]:
    """The folder named, or one that is removed at the end."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def main() -> None:
    """Build, serve, read in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="Where the files are kept for the next time.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--milliseconds", type=float, default=50.0)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        run_one(args.one[0], args.folder, args.one[1])
        return
    from servers.latency import Latency
    from servers.nginx import Nginx

    with chosen_folder(args.folder) as folder, tempfile.TemporaryDirectory() as prefix:
        build(folder)
        runs: dict[str, list[dict[str, Any]]] = {method: [] for method in METHODS}
        with Nginx(folder, Path(prefix)) as nginx, Latency(nginx.port, args.milliseconds) as proxy:
            for _ in range(args.repeats):
                for method, done in runs.items():
                    before = len(nginx.asked())
                    command = [sys.executable, __file__, "--folder", str(folder), "--one", method, proxy.url]
                    answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
                    done.append({**json.loads(answer.stdout), "requests": len(nginx.asked()) - before})
    report(runs, args.milliseconds)


def report(runs: dict[str, list[dict[str, Any]]], milliseconds: float) -> None:
    """A table and the ratios."""
    files = DATES * len(BANDS)
    sys.stdout.write(f"{DATES} dates x {len(BANDS)} bands = {files} files, {SPAN} px, +{milliseconds:g} ms a request\n")
    for method, done in runs.items():
        seconds = [run["seconds"] for run in done]
        sys.stdout.write(
            f"{method:26} best {min(seconds):6.2f} s  median {statistics.median(seconds):6.2f} s  "
            f"CPU {min(run['cpu'] for run in done):5.2f} s  {done[0]['requests']:4d} requests\n"
        )
    medians = {method: statistics.median(run["seconds"] for run in done) for method, done in runs.items()}
    for method in list(runs)[1:]:
        sys.stdout.write(f"{method} takes {medians[method] / medians['read_windows']:.1f} times as long (medians)\n")
    same = len({run["sha256"] for done in runs.values() for run in done}) == 1
    sys.stdout.write(f"pixels identical: {same}\n")
    if not same:
        sys.exit(1)


if __name__ == "__main__":
    main()
