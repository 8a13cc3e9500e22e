"""The same world and seed give the same bytes, whoever does the work; folders of others are left alone."""

import dataclasses
import datetime as dt
import hashlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geocollateral.cli import app
from geocollateral.errors import InvalidInput
from geocollateral.simulate import WORLDS, build

TINY = WORLDS["tiny"]
SHORT = dataclasses.replace(
    TINY,
    end=dt.date(2021, 12, 31),
    history_days=40,
    sites=(dataclasses.replace(TINY.sites[0], size=64),),
)


def digest(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    one = digest(build(tmp_path / "one", SHORT, seed=5))
    two = digest(build(tmp_path / "two", SHORT, seed=5, workers=2))
    other = digest(build(tmp_path / "other", SHORT, seed=6))
    assert one == two
    pictures = [name for name in one if name.endswith("B08.tif") and name in other]
    assert all(one[name] != other[name] for name in pictures)


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    with pytest.raises(InvalidInput, match="new or empty folder"):
        build(tmp_path / "letters", SHORT)
    with pytest.raises(InvalidInput, match="is no world"):
        build(tmp_path / "letters", SHORT, overwrite=True)
    with pytest.raises(InvalidInput, match="got the file"):
        build(tmp_path / "letters" / "a.txt", SHORT)
    assert (tmp_path / "letters" / "a.txt").read_text() == "dear"


def test_the_command_lists_and_refuses(tmp_path: Path) -> None:
    run = CliRunner().invoke
    listed = run(app, ["simulate", "--list"])
    assert listed.exit_code == 0
    assert all(name in listed.output for name in WORLDS)
    assert run(app, ["simulate", str(tmp_path / "w")]).exit_code == 2
    refused = run(app, ["simulate", str(tmp_path / "w"), "--world", "nowhere"])
    assert isinstance(refused.exception, InvalidInput)
    assert "Known: tiny, demo, dev, heldout" in str(refused.exception)
    assert not (tmp_path / "w").exists()
