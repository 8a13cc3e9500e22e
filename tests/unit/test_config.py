"""Settings: from YAML, then from the environment; a slip of the pen is refused and named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from geocollateral.config import Settings, load_settings
from geocollateral.errors import InvalidInput, MissingInput


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_given_is_the_defaults(tmp_path: Path) -> None:
    assert load_settings() == Settings()
    for text in ("", "# a comment only\n", "{}", "masks: {}"):
        assert load_settings(write(tmp_path, text)) == Settings()


def test_given_values_replace_defaults_and_leave_the_others(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "masks: {dilate_m: 60}\nplan: {block_pixels: 64}\n"))
    assert settings.masks.dilate_m == 60
    assert settings.masks.haze_limit == Settings().masks.haze_limit
    assert settings.plan.block_pixels == 64


def test_its_own_dump_gives_the_same_settings(tmp_path: Path) -> None:
    asked = {"masks": {"clear_classes": [4, 5]}, "change": {"ndvi": {"min_spreads": 4.0}}}
    settings = load_settings(write(tmp_path, yaml.safe_dump(asked)))
    again = load_settings(write(tmp_path, yaml.safe_dump(settings.model_dump(mode="json"))))
    assert again == settings


def test_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "masks: {dilate_m: 60, haze_limit: 0.05}")
    monkeypatch.setenv("GEOCOLLATERAL_MASKS__DILATE_M", "90")
    settings = load_settings(path)
    assert settings.masks.dilate_m == 90
    assert settings.masks.haze_limit == 0.05, "one variable must not take the file's other values away"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mask: {dilate_m: 3}", ["mask:", "not permitted"]),
        ("masks: {dilate: 3}", ["masks.dilate:", "not permitted", "got 3"]),
        ("masks: {dilate_m: -1}", ["masks.dilate_m:", "greater than or equal to 0", "got -1"]),
        ("masks: {dilate_m: wide}", ["masks.dilate_m:", "number", "'wide'"]),
        ("masks: 3", ["masks", "got 3"]),
        ("plan: {block_pixels: 8}", ["plan.block_pixels:", "16", "got 8"]),
        ("forestry: {min_stand: 2}", ["forestry.min_stand:", "got 2"]),
        ("compute: {scheduler: slurm}", ["compute.scheduler:", "threads", "'slurm'"]),
        ("change: {ndvi: {z_limt: 3}}", ["change", "ndvi.z_limt:", "not permitted"]),
        ("change: {ndvi: {min_spreads: -3}}", ["ndvi.min_spreads:", "greater than 0", "got -3"]),
        ("change: {ndvy: {min_spreads: 3}}", ["change", "'ndvy'"]),
        ("change: [ndvi]", ["change"]),
        ("1: 2", ["1:", "not permitted"]),
        ("masks: {dilate_m: -1}\nplan: {block_pixels: 8}", ["masks.dilate_m", "plan.block_pixels"]),
    ],
)
def test_a_slip_is_refused_and_named(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_settings(write(tmp_path, text))
    message = str(caught.value)
    assert "settings.yaml" in message
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("text", ["masks: {dilate_m: 3", "\t- a", "a: b: c", "!!python/object/apply:os.getcwd []"])
def test_what_is_no_yaml_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput, match="not YAML") as caught:
        load_settings(write(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["- masks", "masks", "3"])
def test_yaml_must_be_a_mapping(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput, match="mapping"):
        load_settings(write(tmp_path, text))


def test_bytes_are_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="not YAML"):
        load_settings(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"settings\.yaml"):
        load_settings(tmp_path / "settings.yaml")


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("GEOCOLLATERAL_MASKS__DILATE_M", "wide", "masks.dilate_m"),
        ("GEOCOLLATERAL_MASKS__DILATE", "3", "masks.dilate"),
        ("GEOCOLLATERAL_CHANGE", "not json", "change"),
        ("GEOCOLLATERAL_MASK__DILATE_M", "3", "GEOCOLLATERAL_MASK__DILATE_M"),
    ],
)
def test_a_slip_in_the_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, word: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert word in str(caught.value)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().masks = None  # type: ignore[assignment,misc]


def test_every_knob_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        for knob, inner in getattr(field.annotation, "model_fields", {}).items():
            assert inner.description, f"{name}.{knob}"
