"""The sample imagery: a real Sentinel-2 L2A series of a Romanian forest, carried as data files by the wheel ``nrt``.

Only the two NetCDF files are read; no code of that package is imported. The 10 m file gives B2 B3 B4 B8 and SCL, the
20 m file B8A and B11. DN = reflectance x 10000 without offset; 0 is "no data"; the platform of a scene is not known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from geocollateral.errors import BrokenData, InvalidInput, MissingInput
from geocollateral.sources.cube import CubeSource
from geocollateral.sources.cubes.declared import Declaration
from geocollateral.sources.cubes.layout import CubePart
from geocollateral.sources.schemes import SOURCES, SourceRequest, parse_options
from geocollateral.types import Params, Source

DISTRIBUTION = "nrt"
VERSION = "0.2.1"
FOLDER = "nrt/data"
FILES: Mapping[str, tuple[int, str, tuple[str, ...]]] = {
    "sentinel2_cube_subset_romania_10m.nc": (
        14_017_443,
        "10165376979ed20f988bef09bf79135ea415e741256ba50fd4fef679b1c1fa9d",
        ("B2", "B3", "B4", "B8", "SCL"),
    ),
    "sentinel2_cube_subset_romania_20m.nc": (
        3_515_395,
        "e22c3545dea25c93b31dea017fb70ba18578c1a6c954bf1040e58218b9fa28ca",
        ("B8A", "B11"),
    ),
}
"""Size in bytes, SHA-256 and the variables used of each file."""
REFLECTANCE = Declaration(scale=1e-4, offset=0.0)
INSTALL = f"Run `make demo`, or `pip install --no-deps {DISTRIBUTION}=={VERSION}`"


class SampleOptions(Params):
    """The sample has no options."""


@SOURCES.register("sample")
def open_sample(request: SourceRequest) -> Source:
    """Sample imagery by name.

    Raises
    ------
    InvalidInput
        There is no sample of that name.
    MissingInput
        The wheel that carries it is not installed.
    BrokenData
        A file is not the published one.
    """
    parse_options(SampleOptions, request.options, "sample")
    if request.what != "romania":
        raise InvalidInput(f"Unknown sample {request.what!r}. Known: romania.")
    folder = _find_folder()
    for file_name, (size, sha256, _) in FILES.items():
        _require_published(folder / file_name, size, sha256)
    return CubeSource(
        name="sample:romania",
        title="Sentinel-2 L2A series of a forest in Romania, 2015-08 to 2021-01",
        licence=f"EUPL-1.2 (data files of the wheel {DISTRIBUTION} {VERSION}, European Commission, ec-jrc)",
        attribution="contains modified Copernicus Sentinel data 2015-2021",
        parts=tuple(
            CubePart(
                path=folder / file_name, declaration=REFLECTANCE, variables=variables, scene_prefix="S2_L2A_romania"
            )
            for file_name, (_, _, variables) in FILES.items()
        ),
        sha256={file_name: sha256 for file_name, (_, sha256, _) in FILES.items()},
        constellation="sentinel-2",
    )


def _find_folder() -> Path:
    try:
        found = distribution(DISTRIBUTION)
    except PackageNotFoundError as exc:
        raise MissingInput(f"The sample imagery is not installed. {INSTALL}.") from exc
    if found.version != VERSION:
        raise MissingInput(f"The sample imagery needs {DISTRIBUTION} {VERSION}, got {found.version}. {INSTALL}.")
    return Path(str(found.locate_file(FOLDER)))


def _require_published(path: Path, size: int, sha256: str) -> None:
    if not path.is_file():
        raise MissingInput(f"The sample file {path.name} is not installed. {INSTALL}.")
    if path.stat().st_size != size:
        raise BrokenData(f"{path.name} has {path.stat().st_size} bytes, expected {size}. {INSTALL} again.")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise BrokenData(f"{path.name} has SHA-256 {found}, expected {sha256}. {INSTALL} again.")
