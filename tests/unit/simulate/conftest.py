"""A tiny world, built once for all tests that look at its files."""

from pathlib import Path

import pytest

from geocollateral.simulate import build


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the world ``tiny``, seed 0."""
    return build(tmp_path_factory.mktemp("worlds") / "tiny", "tiny", seed=0)
