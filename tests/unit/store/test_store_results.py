"""`store.results`: all or nothing, and never somebody else's folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from geocollateral.errors import BrokenData, InvalidInput, MissingInput, ServiceUnavailable
from geocollateral.store import find_damage, read_run, results, write_result_folder

FILES = {
    "parcels.geojson": b'{"type": "FeatureCollection"}',
    "alerts.json": b"[]",
    "report.html": "可读".encode(),
    "chips/P1_before_2018-05-02.png": b"png",
}
NEWER = {**FILES, "alerts.json": b"[1]"}
RUN = {"run_id": "r-1", "as_of": "2021-01-31"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "result"


def _contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _only(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_files_and_their_record_are_written(out):
    assert write_result_folder(FILES, out, run=RUN) == out
    contents = _contents(out)
    run = json.loads(contents.pop("run.json"))
    assert contents == FILES
    assert run["run_id"] == "r-1"
    assert set(run["outputs"]) == set(FILES)
    assert run["outputs"]["alerts.json"]["bytes"] == 2
    assert find_damage(out) == []
    assert _only(out.parent) == ["result"]


def test_a_relative_path_is_taken_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_result_folder(FILES, "result", run=RUN)
    assert read_run("result")["run_id"] == "r-1"


def test_a_run_cannot_claim_to_be_something_else(out):
    write_result_folder(FILES, out, run={**RUN, "kind": "other", "outputs": {}})
    assert find_damage(out) == []


def test_an_existing_result_is_refused(out):
    write_result_folder(FILES, out, run=RUN)
    before = _contents(out)
    with pytest.raises(InvalidInput, match="overwrite"):
        write_result_folder(NEWER, out, run=RUN)
    assert _contents(out) == before


def test_overwriting_swaps_and_leaves_nothing_behind(out):
    write_result_folder({**FILES, "scenes.json": b"{}"}, out, run=RUN)
    write_result_folder(NEWER, out, run={"run_id": "r-2"}, overwrite=True)
    assert read_run(out)["run_id"] == "r-2"
    assert not (out / "scenes.json").exists()
    assert find_damage(out) == []
    assert _only(out.parent) == ["result"]


@pytest.mark.parametrize(
    "run", [None, "", "{}", "[]", "not json", '{"kind": "something else"}'], ids=lambda run: repr(run)[:20]
)
def test_a_foreign_folder_is_left_alone(out, run):
    out.mkdir(parents=True)
    (out / "thesis.docx").write_bytes(b"years of work")
    if run is not None:
        (out / "run.json").write_text(run)
    before = _contents(out)
    with pytest.raises(InvalidInput, match="left as it is"):
        write_result_folder(FILES, out, run=RUN, overwrite=True)
    assert _contents(out) == before
    assert _only(out.parent) == ["result"]


def test_a_file_added_by_somebody_is_not_deleted(out):
    write_result_folder(FILES, out, run=RUN)
    (out / "notes of the valuer.txt").write_text("seen on site")
    with pytest.raises(InvalidInput, match="notes of the valuer"):
        write_result_folder(NEWER, out, run=RUN, overwrite=True)
    assert (out / "notes of the valuer.txt").exists()


def test_an_empty_folder_is_used(out):
    out.mkdir(parents=True)
    write_result_folder(FILES, out, run=RUN)
    assert find_damage(out) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_or_a_link_is_in_the_way(tmp_path, overwrite):
    (tmp_path / "file").write_text("x")
    write_result_folder(FILES, tmp_path / "real", run=RUN)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("file", "link"):
        with pytest.raises(InvalidInput, match="in the way"):
            write_result_folder(FILES, tmp_path / name, run=RUN, overwrite=overwrite)
    assert (tmp_path / "file").read_text() == "x"
    assert find_damage(tmp_path / "real") == []


@pytest.mark.parametrize("fails_at", range(len(FILES) + 1))
@pytest.mark.parametrize("old", [False, True], ids=["new", "over an old result"])
def test_a_failure_at_any_file_leaves_what_was(out, monkeypatch, fails_at, old):
    if old:
        write_result_folder(FILES, out, run=RUN)
    writes = []
    write = results._write_durably

    def fill_up(path, content):
        writes.append(path)
        if len(writes) > fails_at:
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(results, "_write_durably", fill_up)
    with pytest.raises(ServiceUnavailable, match="No space left"):
        write_result_folder(NEWER, out, run=RUN, overwrite=True)
    assert _only(out.parent) == (["result"] if old else [])
    if old:
        assert (out / "alerts.json").read_bytes() == FILES["alerts.json"]
        assert find_damage(out) == []


def test_an_interrupt_leaves_nothing(out, monkeypatch):
    def interrupt(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr(results, "_write_durably", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_result_folder(FILES, out, run=RUN)
    assert _only(out.parent) == []


def test_a_failed_rename_brings_the_old_result_back(out, monkeypatch):
    write_result_folder(FILES, out, run=RUN)
    rename = Path.rename

    def fail_for_the_new(self, target):
        if ".partial-" in self.name:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new)
    with pytest.raises(ServiceUnavailable):
        write_result_folder(NEWER, out, run=RUN, overwrite=True)
    assert _only(out.parent) == ["result"]
    assert find_damage(out) == []


def test_a_swap_cut_in_two_is_mended_by_the_next_run(out):
    write_result_folder(FILES, out, run=RUN)
    out.rename(out.with_name(".result.replaced-0123abcd"))
    with pytest.raises(InvalidInput, match="already holds a result"):
        write_result_folder(NEWER, out, run=RUN)
    assert find_damage(out) == []


@pytest.mark.parametrize("phase", ["_write_durably", "_sync_folder"])
def test_kill_while_writing_leaves_the_old_result(out, tmp_path, phase):
    write_result_folder(FILES, out, run=RUN)
    flag = tmp_path / "writing"
    script = textwrap.dedent(f"""
        import pathlib, time
        from geocollateral.store import results
        proceed = results.{phase}
        def stall(*args):
            proceed(*args)
            pathlib.Path({str(flag)!r}).touch()
            time.sleep(60)
        results.{phase} = stall
        results.write_result_folder({NEWER!r}, {str(out)!r}, run={{"run_id": "r-2"}}, overwrite=True)
    """)
    root = Path(results.__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(root)})
    try:
        deadline = time.monotonic() + 30
        while not flag.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert flag.exists()
    assert read_run(out)["run_id"] == "r-1"
    assert find_damage(out) == []
    write_result_folder(NEWER, out, run={"run_id": "r-3"}, overwrite=True)
    assert read_run(out)["run_id"] == "r-3"


@pytest.mark.parametrize(
    "name",
    ["../up.json", "/etc/passwd", "chips/../run.json", "run.json", "a//b", "./alerts.json", "chips\\x_y_z.png", ""],
)
def test_names_that_leave_the_folder_are_refused(out, name):
    with pytest.raises(BrokenData):
        write_result_folder({name: b""}, out, run=RUN)
    assert not out.parent.exists()


def test_an_undeclared_file_is_refused(out):
    with pytest.raises(BrokenData, match=r"surprise\.bin.*artifacts"):
        write_result_folder({"surprise.bin": b""}, out, run=RUN)


def test_names_that_differ_in_case_only_are_refused(out):
    chips = {"chips/A_after_2018-05-22.png": b"", "chips/a_after_2018-05-22.png": b""}
    with pytest.raises(BrokenData, match="ignores case"):
        write_result_folder(chips, out, run=RUN)


def test_a_record_that_json_cannot_hold_is_refused(out):
    with pytest.raises(BrokenData, match="JSON"):
        write_result_folder(FILES, out, run={"score": float("nan")})
    assert _only(out.parent) == []


def test_damage_is_found(out):
    write_result_folder(FILES, out, run=RUN)
    (out / "alerts.json").write_bytes(b"[2]")
    (out / "report.html").unlink()
    (out / "extra.txt").write_bytes(b"")
    assert [line.split(" ", 1)[0] for line in find_damage(out)] == ["extra.txt", "alerts.json", "report.html"]


def test_a_folder_that_is_no_result_has_no_run(tmp_path):
    with pytest.raises(MissingInput, match="not a geocollateral result"):
        read_run(tmp_path)
