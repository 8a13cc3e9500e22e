"""environment.yml says what pyproject.toml says, and every file says the same of Python."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA_NAMES = {"dask": "dask-core", "matplotlib": "matplotlib-base"}
"""Where conda-forge's name for the same thing differs."""
CONDA_LACKS = {"pyxccd", "titiler-core"}
"""No conda-forge recipe was found for these: they go into the `pip:` block."""
PYTHONS = ("3.11", "3.12", "3.13")


def read_environment() -> tuple[dict[str, SpecifierSet], dict[str, SpecifierSet]]:
    """Packages from conda-forge and packages from the pip block."""
    document = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert document["channels"] == ["conda-forge"]
    conda = [entry for entry in document["dependencies"] if isinstance(entry, str)]
    pip = [text for entry in document["dependencies"] if isinstance(entry, dict) for text in entry["pip"]]
    sides = [{r.name: r.specifier for r in map(Requirement, texts)} for texts in (conda, pip)]
    assert [len(side) for side in sides] == [len(conda), len(pip)], "a package is named twice"
    return sides[0], sides[1]


def test_environment_matches_pyproject() -> None:
    conda, pip = read_environment()
    wanted = [Requirement(t) for t in (*PYPROJECT["project"]["dependencies"], *PYPROJECT["dependency-groups"]["build"])]
    from_conda = {CONDA_NAMES.get(r.name, r.name): r.specifier for r in wanted if r.name not in CONDA_LACKS}
    from_pip = {r.name: r.specifier for r in wanted if r.name in CONDA_LACKS}
    assert {name: conda[name] for name in conda if name not in {"python", "pip"}} == from_conda
    assert pip == from_pip


def test_python_is_the_same_everywhere() -> None:
    conda, _ = read_environment()
    range_ = SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert conda["python"] == range_
    minors = [f"3.{minor}" for minor in range(30) if range_.contains(f"3.{minor}.5")]
    assert minors == list(PYTHONS)
    assert PYPROJECT["tool"]["ruff"]["target-version"] == "py" + PYTHONS[0].replace(".", "")
    assert PYPROJECT["tool"]["mypy"]["python_version"] == PYTHONS[0]


def test_what_is_said_of_python_is_true() -> None:
    for name in ("docs/install.md", "CONTRIBUTING.md", "Makefile", ".ci/install.sh"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert set(PYTHONS) <= set(re.findall(r"\b3\.1\d\b", text)), f"{name} must name {', '.join(PYTHONS)}"
    script = (ROOT / ".ci/install.sh").read_text(encoding="utf-8")
    assert "(3, 11) <= sys.version_info < (3, 14)" in script
