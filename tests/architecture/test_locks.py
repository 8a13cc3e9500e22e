"""The locks: all that pyproject.toml declares, at one admitted version per Python, with hashes and without hosts."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = ("3.11", "3.12", "3.13")
SHA256 = re.compile(r"--hash=sha256:[0-9a-f]{64}$")


def parse(name: str) -> list[Requirement]:
    """Requirements of a lock; what is not `name==version [; marker]` with hashes is an error."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        pin, *hashes = re.split(r"\s+(?=--hash)", line.strip())
        assert hashes, f"no hash: {pin}"
        assert all(SHA256.match(each) for each in hashes), line
        requirement = Requirement(pin)
        assert [s.operator for s in requirement.specifier] == ["=="], pin
        found.append(requirement)
    return found


def pins(name: str, python: str, platform: str = "linux") -> dict[str, str]:
    """Version of each package that a lock installs on one Python."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": platform}
    found: dict[str, str] = {}
    for requirement in parse(name):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            key = canonicalize_name(requirement.name)
            assert key not in found, f"{key} is pinned twice for Python {python}"
            found[key] = next(iter(requirement.specifier)).version
    return found


def declared(extras: tuple[str, ...]) -> Iterator[Requirement]:
    """Everything pyproject.toml asks for: core, build backend, the extras named."""
    project = PYPROJECT["project"]
    yield from map(Requirement, project["dependencies"])
    yield from map(Requirement, PYPROJECT["dependency-groups"]["build"])
    yield from map(Requirement, PYPROJECT["build-system"]["requires"])
    for extra in extras:
        yield from map(Requirement, project["optional-dependencies"][extra])


def test_all_locks_are_here() -> None:
    assert [p.name for p in LOCKS] == [
        "requirements-dev.lock",
        "requirements-moto.lock",
        "requirements-sample.lock",
        "requirements.lock",
    ]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_lock_names_no_host_and_has_hashes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    assert parse(path.name)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("lock", "extras"), [("requirements.lock", ()), ("requirements-dev.lock", ("dev",))])
def test_lock_admits_what_is_declared(lock: str, extras: tuple[str, ...], python: str) -> None:
    locked = pins(lock, python)
    for requirement in declared(extras):
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{lock} lacks {requirement}: make lock"
        assert requirement.specifier.contains(locked[name]), f"{lock} has {name} {locked[name]}, asked {requirement}"


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_of_the_s3_server_admits_what_is_asked_for(python: str) -> None:
    locked = pins("requirements-moto.lock", python)
    lines = (ROOT / "requirements-moto.in").read_text(encoding="utf-8").splitlines()
    asked = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert asked
    for requirement in asked:
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("python", PYTHONS)
def test_test_lock_holds_the_core_lock(python: str) -> None:
    """`make demo` relies on it where `make test` ran first."""
    assert pins("requirements.lock", python).items() <= pins("requirements-dev.lock", python).items()


def test_no_dependency_is_declared_twice() -> None:
    core = [Requirement(text).name for text in PYPROJECT["project"]["dependencies"]]
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert len(set(core)) == len(core)
    for extra, texts in extras.items():
        assert set(core).isdisjoint(Requirement(text).name for text in texts), f"extra {extra} repeats core"


LEFT_OUT = frozenset({"version-parser"})
"""Needs that pyproject.toml leaves out on purpose, with the reason there."""


def test_this_environment_is_whole() -> None:
    """No installed package of the locks asks for something that is absent or of another version.

    The lock is installed without asking packages for their needs, so this is where a gap would show.
    """
    lacking = []
    for name in {canonicalize_name(r.name) for r in parse("requirements-dev.lock")}:
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform or Python
        for need in map(Requirement, needs):
            if (need.marker and not need.marker.evaluate({"extra": ""})) or need.name in LEFT_OUT:
                continue
            try:
                version = importlib.metadata.version(need.name)
            except importlib.metadata.PackageNotFoundError:
                version = None
            if version is None or not need.specifier.contains(version, prereleases=True):
                lacking.append(f"{name} needs {need}, has {version}")
    assert not lacking
