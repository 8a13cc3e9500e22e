"""Who may import whom, and what must not be imported to say hello."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"numpy", "pandas", "xarray", "rasterio", "geopandas", "dask", "scipy", "matplotlib", "zarr", "h5py", "pyproj"}


def run(root: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)


def test_import_contracts(root: Path) -> None:
    """The contracts themselves are in pyproject.toml."""
    code = "from importlinter.cli import lint_imports_command as run; run(['--no-cache', '--no-logo'])"
    done = run(root, code)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "module", ["geocollateral", "geocollateral.cli", "geocollateral.errors", "geocollateral.registry"]
)
def test_light_modules_load_nothing_heavy(root: Path, module: str) -> None:
    done = run(root, f"import {module}, sys, json; print(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    assert HEAVY.isdisjoint(json.loads(done.stdout))
