"""What goes into the raster module and what comes out of it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geocollateral.errors import BrokenData
from geocollateral.types import ReadStatus

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Transform = tuple[float, float, float, float, float, float]
"""Row-major affine, as ``proj:transform`` of STAC: x = a * col + b * row + c, y = d * col + e * row + f."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the catalogue says of a file. None is not checked; the file's own is taken."""

    shape: tuple[int, int] | None = None
    """Rows, columns."""
    transform: Transform | None = None
    crs: str | None = None
    """Such as ``EPSG:32633``, or WKT."""
    dtype: str | None = None
    """NumPy's name, such as ``uint16``."""
    nodata: float | None = None
    """Masked besides the value that the file declares, never instead of it: catalogues are wrong about it."""


@dataclass(frozen=True, kw_only=True)
class WindowRequest:
    """One window of one band of one file."""

    key: Hashable
    """Of the caller; comes back with the result."""
    href: str
    """``https://``, ``http://``, ``s3://bucket/key``, ``file://`` or an absolute path; never a GDAL path."""
    version: str
    """Of the item, such as the instant of its last update: part of the cache's key."""
    window: tuple[slice, slice]
    """Rows and columns of the full-resolution grid, inside the file. Overviews are never read."""
    expected: Expected = field(default_factory=Expected)
    band: int = 1
    """Counted from 1."""

    def __post_init__(self) -> None:
        for part in self.window:
            if part.step not in (None, 1) or part.start is None or part.stop is None or not 0 <= part.start < part.stop:
                raise BrokenData(f"a window must be two slices with 0 <= start < stop and no step, got {self.window}")
        if self.band < 1:
            raise BrokenData(f"bands are counted from 1, got {self.band}")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns of the window."""
        rows, cols = self.window
        return rows.stop - rows.start, cols.stop - cols.start


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the pixels of a window came from. Summed over the reads of one call, `bytes` is what was transferred."""

    href: str
    """Without query, signature or credentials."""
    driver: str
    """``tiff`` or ``jpeg2000``; ``""`` where nothing was opened."""
    bytes: int = 0
    """Fetched over the network or from disk, repeats included; that of a file shared by windows is on the first."""
    sha256: str = ""
    """Of the compressed bytes the pixels were decoded from; ``""`` where there are none."""
    etag: str = ""
    attempts: int = 0
    """Tries of the request that needed most."""
    from_cache: bool = False
    """Nothing was fetched."""


@dataclass(frozen=True, kw_only=True)
class RasterRead:
    """What became of one request. A pixel that could not be read is `nodata` and its mask False."""

    key: Hashable
    array: NDArray[np.generic]
    """Shape (rows, cols) in the file's own dtype."""
    mask: NDArray[np.bool_]
    """Shape (rows, cols). True = valid: not nodata, not transparent, not NaN, and read."""
    nodata: float
    """NaN for floats that declare none; 0 for integers that declare none (then zeros may be valid: see `mask`)."""
    status: ReadStatus
    """``ok``, ``missing`` or ``corrupt``. Not ok: `mask` says which pixels, if any, are good all the same."""
    reason: str
    """``""`` where ok."""
    transient: bool
    """Not ok, but a later run may succeed."""
    provenance: Provenance


@dataclass(frozen=True, kw_only=True)
class RasterProfile:
    """What the header of a file says."""

    driver: str
    shape: tuple[int, int]
    transform: Transform
    crs: str | None
    """``EPSG:...`` where the file names a code, else WKT; None where it has none."""
    dtype: str
    nodata: float | None
    bands: int
    has_alpha: bool
    """The last band is opacity."""
    tile: tuple[int, int]
    """Rows, columns of a tile or strip."""
    compression: str
    overviews: tuple[tuple[int, int], ...]
    """Rows, columns of each reduced image. They are never read."""


@dataclass(frozen=True, kw_only=True)
class Took:
    """What a fetch took, all tries and twins counted."""

    attempts: int = 0
    requests: int = 0
    transferred: int = 0
    """Bytes received."""


class Undecodable(Exception):
    """Bytes are not what they must be. Whoever asked for them asks again."""


class ReadFault(Exception):
    """A file or a part of it cannot be read; becomes the status of the reads that need it. Never leaves the module
    but by `read_profile`, which names its file to the user.
    """

    def __init__(self, status: ReadStatus, reason: str, *, transient: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.transient = transient
        self.took = Took()
        """Set by the transport."""
