"""What a user gets wrong: one clear message, the exit code of its kind, and nothing left behind."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geocollateral import service

Run = Callable[..., tuple[int, str, str]]
USAGE, INVALID, MISSING, UNAVAILABLE, BROKEN = 2, 3, 4, 5, 6


def text_file(world: Any, name: str, text: str) -> Path:
    path = world.folder / name
    path.write_text(text, encoding="utf-8")
    return Path(path)


def with_attrs(world: Any, name: str, **without: Any) -> str:
    """The cube without some attributes of its bands."""
    cube = world.cube.copy()
    for variable in cube.data_vars.values():
        for attribute in without["drop"]:
            variable.attrs.pop(attribute, None)
    return str(world.write_cube(name, cube))


def without_crs(world: Any) -> list[object]:
    cube = world.cube.drop_vars("spatial_ref")
    for variable in cube.data_vars.values():
        variable.attrs.pop("grid_mapping")
    return [world.write_parcels(), "--source", world.write_cube("nocrs.nc", cube)]


def geographic(world: Any) -> list[object]:
    cube = world.cube.rename({"x": "lon", "y": "lat"}).assign_coords(
        lon=15 + 1e-4 * np.arange(40), lat=45.2 - 1e-4 * np.arange(40)
    )
    return [world.write_parcels(), "--source", world.write_cube("geo.nc", cube)]


def wrong_zone(world: Any) -> list[object]:
    import pyproj

    cube = world.cube.copy()
    cube["spatial_ref"].attrs["crs_wkt"] = pyproj.CRS.from_epsg(32650).to_wkt()
    return [world.write_parcels(), "--source", world.write_cube("zone.nc", cube)]


def truncated(world: Any) -> list[object]:
    source = world.write_cube()
    path = Path(source.removeprefix("cube:"))
    path.write_bytes(path.read_bytes()[:5000])
    return [world.write_parcels(), "--source", source]


def always_cloudy(world: Any) -> list[object]:
    cube = world.cube.copy(deep=True)
    cube["SCL"].values[:] = 9
    return [world.write_parcels(), "--source", world.write_cube("cloudy.nc", cube)]


def elsewhere(world: Any) -> list[object]:
    path = world.write_parcels()
    path.write_text(path.read_text(encoding="utf-8").replace("[15.", "[16."), encoding="utf-8")
    return [path, "--source", world.write_cube()]


def beside(world: Any) -> list[object]:
    """The box around the parcels meets the imagery, no parcel does."""
    left, right = (
        [[[x, 45.14], [x + 0.001, 45.14], [x + 0.001, 45.141], [x, 45.141], [x, 45.14]]] for x in (14.9, 15.1)
    )
    above = [[[a + 0.0, b + 0.1] for a, b in left[0]]]
    features = [
        {
            "type": "Feature",
            "properties": {"asset_class": "forestry"},
            "geometry": {"type": "Polygon", "coordinates": c},
        }
        for c in (left, right, above)
    ]
    path = text_file(world, "beside.geojson", json.dumps({"type": "FeatureCollection", "features": features}))
    return [path, "--source", world.write_cube()]


def good(world: Any) -> list[object]:
    return [world.write_parcels(), "--source", world.write_cube()]


def closed_port() -> str:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{sock.getsockname()[1]}"


GOOD_UNITS = "asset_class,per,currency,p05,p50,p95,source,dated\n"
CASES: dict[str, tuple[int, Callable[[Any], list[object]], tuple[str, ...]]] = {
    # what the user gave, the exit code, words the message must have
    "no such file": (
        MISSING,
        lambda w: [w.folder / "none.geojson", "--source", w.write_cube()],
        ("no file", "none.geojson"),
    ),
    "a folder": (INVALID, lambda w: [w.folder, "--source", w.write_cube()], ("Expected a file of parcels",)),
    "not JSON": (
        INVALID,
        lambda w: [text_file(w, "a.geojson", "parcel,1"), "--source", w.write_cube()],
        ("a.geojson", "expected GeoJSON"),
    ),
    "JSON, not GeoJSON": (
        INVALID,
        lambda w: [text_file(w, "a.json", '{"a": 1}'), "--source", w.write_cube()],
        ("expected a GeoJSON", "FeatureCollection"),
    ),
    "empty file": (INVALID, lambda w: [text_file(w, "a.json", ""), "--source", w.write_cube()], ("is empty",)),
    "no features": (
        INVALID,
        lambda w: [
            text_file(w, "a.json", '{"type": "FeatureCollection", "features": []}'),
            "--source",
            w.write_cube(),
        ],
        ("holds no parcels",),
    ),
    "unknown asset class": (
        INVALID,
        lambda w: [w.write_parcels(order=["felled"], asset_class="forest"), "--source", w.write_cube()],
        ("asset_class", "forestry", "'forest'"),
    ),
    "parcels elsewhere": (MISSING, elsewhere, ("No parcel meets the imagery", "16.0", "15.0", "Check")),
    "parcels beside": (MISSING, beside, ("No parcel meets the imagery",)),
    "no clear look": (MISSING, always_cloudy, ("No clear look", "60 scenes", "2018-01-04", "Widen the period")),
    "unknown scheme": (INVALID, lambda w: [w.write_parcels(), "--source", "tiff:a.tif"], ("tiff", "cube", "sample")),
    "no scheme": (INVALID, lambda w: [w.write_parcels(), "--source", "a.nc"], ("SCHEME:WHAT", "a.nc")),
    "unknown sample": (INVALID, lambda w: [w.write_parcels(), "--source", "sample:peru"], ("peru", "romania")),
    "no such cube": (
        MISSING,
        lambda w: [w.write_parcels(), "--source", f"cube:{w.folder / 'none.nc'}"],
        ("no file", "none.nc"),
    ),
    "cube is text": (
        INVALID,
        lambda w: [w.write_parcels(), "--source", f"cube:{text_file(w, 'cube.nc', 'time,y,x')}"],
        ("NetCDF", "Zarr"),
    ),
    "truncated cube": (BROKEN, truncated, ("cube.nc", "truncated")),
    "cube without CRS": (INVALID, without_crs, ("no CRS", "--crs")),
    "geographic cube": (INVALID, geographic, ("geographic", "reproject")),
    "cube in the wrong zone": (MISSING, wrong_zone, ("No parcel meets the imagery", "117.0")),
    "CRS that is none": (
        INVALID,
        lambda w: [*without_crs(w), "--crs", "EPSG:0"],
        ("crs", "EPSG:0"),
    ),
    "CRS that differs": (INVALID, lambda w: [*good(w), "--crs", "EPSG:32634"], ("EPSG:32633", "EPSG:32634")),
    "cube without scale": (
        INVALID,
        lambda w: [w.write_parcels(), "--source", with_attrs(w, "b.nc", drop=["scale_factor", "add_offset"])],
        ("reflectance", "--scale"),
    ),
    "scale that differs": (INVALID, lambda w: [*good(w), "--scale", "0.001"], ("scale_factor=0.0001", "0.001")),
    "scale of a sample": (
        INVALID,
        lambda w: [w.write_parcels(), "--source", "sample:romania", "--scale", "1"],
        ("sample", "scale"),
    ),
    "no usable index": (
        MISSING,
        lambda w: [w.write_parcels(), "--source", w.write_cube("one.nc", w.cube[["B04", "SCL", "spatial_ref"]])],
        ("bands", "red", "ndvi"),
    ),
    "bad date": (INVALID, lambda w: [*good(w), "--as-of", "yesterday"], ("as_of", "2020-06-30", "yesterday")),
    "bad first day": (INVALID, lambda w: [*good(w), "--from", "2019-13-01"], ("period start", "2019-13-01")),
    "start after as-of": (
        INVALID,
        lambda w: [*good(w), "--from", "2020-01-01", "--as-of", "2019-01-01"],
        ("2020-01-01", "2019-01-01"),
    ),
    "as-of before the first scene": (
        MISSING,
        lambda w: [*good(w), "--as-of", "2017-12-31"],
        ("no scene", "2017-12-31"),
    ),
    "start after the last scene": (MISSING, lambda w: [*good(w), "--from", "2030-01-01"], ("no scene", "2030-01-01")),
    "datum with an option too many": (INVALID, lambda w: [*good(w), "--datum", "gcj02:117"], ("gcj02", "no options")),
    "datum of China not stated": (
        INVALID,
        lambda w: [Path(__file__).parents[2] / "aoi/examples/forestry.geojson", *good(w)[1:]],
        ("lie in China", "--datum", "gcj02"),
    ),
    "unknown datum": (INVALID, lambda w: [*good(w), "--datum", "venus"], ("venus", "wgs84")),
    "no such unit values": (
        MISSING,
        lambda w: [*good(w), "--unit-values", w.folder / "none.csv"],
        ("none.csv", "does not exist"),
    ),
    "unit values without columns": (
        INVALID,
        lambda w: [*good(w), "--unit-values", text_file(w, "u.csv", "class,price\nforestry,1\n")],
        ("u.csv", "asset_class"),
    ),
    "unit values in disorder": (
        INVALID,
        lambda w: [*good(w), "--unit-values", text_file(w, "u.csv", GOOD_UNITS + "forestry,ha,EUR,9,5,7,me,2020\n")],
        ("u.csv line 2", "p05 <= p50 <= p95"),
    ),
    "unit values in bytes": (
        INVALID,
        lambda w: [*good(w), "--unit-values", w.write_cube("u.nc").removeprefix("cube:")],
        ("u.nc", "UTF-8"),
    ),
    "no such settings": (MISSING, lambda w: [*good(w), "--settings", w.folder / "s.yaml"], ("s.yaml",)),
    "unknown setting": (
        INVALID,
        lambda w: [*good(w), "--settings", text_file(w, "s.yaml", "masks: {dilate: 3}")],
        ("s.yaml", "masks.dilate", "3"),
    ),
    "setting out of bounds": (
        INVALID,
        lambda w: [*good(w), "--settings", text_file(w, "s.yaml", "masks: {dilate_m: -3}")],
        ("masks.dilate_m", "-3"),
    ),
    "unknown knob of the monitor": (
        INVALID,
        lambda w: [*good(w), "--settings", text_file(w, "s.yaml", "change: {ndvi: {sensitivity: 3}}")],
        ("change.ndvi.sensitivity", "3"),
    ),
    "monitor of an unknown index": (
        INVALID,
        lambda w: [*good(w), "--settings", text_file(w, "s.yaml", "change: {ndvy: {z_limit: 3}}")],
        ("change", "ndvy"),
    ),
    "settings are no YAML": (
        INVALID,
        lambda w: [*good(w), "--settings", text_file(w, "s.yaml", "masks: {dilate_m: 3")],
        ("s.yaml", "YAML"),
    ),
    "no workers": (INVALID, lambda w: [*good(w), "--workers", "0"], ("workers", "0")),
    "unknown scheduler": (INVALID, lambda w: [*good(w), "--scheduler", "slurm"], ("scheduler", "threads", "slurm")),
    "unknown option": (USAGE, lambda w: [*good(w), "--cloud", "5"], ("--cloud",)),
    "no source": (USAGE, lambda w: [w.write_parcels()], ("--source",)),
    "no parcels": (USAGE, lambda w: ["--source", "sample:romania"], ("parcels",)),
    "two parcel files": (USAGE, lambda w: [*good(w), "more.geojson"], ("more.geojson",)),
    "scale is a word": (USAGE, lambda w: [*good(w), "--scale", "big"], ("--scale", "number")),
}


def require_one_message(err: str, *, usage: bool = False) -> None:
    lines = [line for line in err.splitlines() if line.strip() and not line.startswith("blocks:")]
    assert "Traceback" not in err
    assert "GeocollateralError" not in err
    if not usage:
        assert sum(line.startswith("geocollateral: ") for line in lines) == 1, err
        assert len(lines) <= 3, err
        assert len(err) < 1200, err


def residue(folder: Path, before: set[Path]) -> list[str]:
    return [str(p.relative_to(folder)) for p in sorted(set(folder.rglob("*")) - before)]


@pytest.mark.parametrize("case", CASES)
def test_each_fault_has_its_message_and_code(world: Any, run: Run, case: str) -> None:
    code, arguments, words = CASES[case]
    given = arguments(world)
    out = world.folder / "results" / "run"
    before = set(world.folder.rglob("*"))
    got, stdout, err = run("assess", *given, "--out", out)
    assert got == code, err
    require_one_message(err, usage=code == USAGE)
    for word in words:
        assert word in err, err
    assert "Report:" not in stdout
    assert [name for name in residue(world.folder, before) if name != "results"] == []


def test_no_scheduler_at_the_address(world: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geocollateral.compute.CONNECT_SECONDS", 0.5)
    address = closed_port()
    code, _, err = run("assess", *good(world), "--scheduler", address, "--out", world.folder / "run")
    assert code == UNAVAILABLE
    require_one_message(err)
    assert address in err
    assert not (world.folder / "run").exists()


# --------------------------------------------------------------------------------------------------- the result folder


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where work would start."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("work was started although the result could not be written")

    monkeypatch.setattr(service, "run_blocks", refuse)


def hold(folder: Path, name: str, content: str) -> None:
    folder.mkdir()
    (folder / name).write_text(content, encoding="utf-8")


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("held", "options", "words"),
    [
        (("run.json", '{"kind": "geocollateral-result", "outputs": {}}'), [], ("already holds a result", "overwrite")),
        (("thesis.docx", "do not lose me"), ["--overwrite"], ("not a geocollateral result", "left as it is")),
        (("thesis.docx", "do not lose me"), [], ("not a geocollateral result", "left as it is")),
    ],
)
def test_what_is_in_the_way_is_told_before_the_work(
    world: Any, run: Run, held: tuple[str, str], options: list[str], words: tuple[str, ...]
) -> None:
    given, out = good(world), world.folder / "run"
    hold(out, *held)
    before = set(world.folder.rglob("*"))
    code, _, err = run("assess", *given, "--out", out, *options)
    assert code == INVALID, err
    require_one_message(err)
    for word in words:
        assert word in err
    assert residue(world.folder, before) == []
    assert (out / held[0]).read_text(encoding="utf-8") == held[1]


@pytest.mark.usefixtures("no_work")
def test_a_file_in_the_way_is_told_before_the_work(world: Any, run: Run) -> None:
    out = text_file(world, "run", "a file")
    code, _, err = run("assess", *good(world), "--out", out)
    assert code == INVALID
    assert "in the way" in err
    assert out.read_text(encoding="utf-8") == "a file"


def test_a_failure_while_writing_leaves_the_old_result(world: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given, out = [world.write_parcels(order=["felled"]), "--source", world.write_cube()], world.folder / "run"
    code, _, err = run("assess", *given, "--out", out)
    assert code == 0, err
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    code, _, err = run("assess", *given, "--out", out, "--overwrite")
    assert code == UNAVAILABLE
    assert "No space left" in err
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert [p.name for p in world.folder.iterdir() if p.name.startswith(".")] == []


def test_overwrite_replaces_a_result_of_ours(world: Any, run: Run) -> None:
    out = world.folder / "run"
    given = [world.write_parcels(order=["felled"]), "--source", world.write_cube(), "--out", out]
    for options in ([], ["--overwrite"]):
        code, stdout, err = run("assess", *given, *options)
        assert code == 0, err
        assert "Report:" in stdout
    assert [p.name for p in world.folder.iterdir() if p.name.startswith(".")] == []


def test_names_that_look_like_markup_are_only_names(world: Any, run: Run) -> None:
    """Rich would read ``[/b]`` in a name as the end of bold and give up after the work was done."""
    parcels = world.write_parcels(order=["felled"])
    parcels.write_text(parcels.read_text(encoding="utf-8").replace('"felled"', '"[/b]"'), encoding="utf-8")
    code, out, err = run("assess", parcels, "--source", world.write_cube(), "--out", world.folder / "run")
    assert code == 0, err
    assert "[/b]" in out
