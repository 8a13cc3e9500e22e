"""One error tree.

    GeocollateralError
    ├── InvalidInput       kind "invalid"      the request or a file is wrong; the user can mend it
    ├── MissingInput       kind "missing"      something named does not exist, or holds nothing to judge
    ├── ServiceUnavailable kind "unavailable"  a service or file system did not answer; trying again may help
    └── BrokenData         kind "broken"       data that should be right is not: corrupt, inconsistent, a defect of ours

The command line and the HTTP interface each map the four kinds once. A message says what was expected, what was
received and what to do. Too few observations is never an error: it is a status with a reason.
"""

from __future__ import annotations

from typing import ClassVar, Literal

ErrorKind = Literal["invalid", "missing", "unavailable", "broken"]


class GeocollateralError(Exception):
    """Any error this package raises on purpose."""

    kind: ClassVar[ErrorKind] = "broken"


class InvalidInput(GeocollateralError):
    """The request or a file given by the user is wrong."""

    kind: ClassVar[ErrorKind] = "invalid"


class MissingInput(GeocollateralError):
    """Something the user named does not exist, or holds nothing to judge."""

    kind: ClassVar[ErrorKind] = "missing"


class ServiceUnavailable(GeocollateralError):
    """A service or a file system did not answer."""

    kind: ClassVar[ErrorKind] = "unavailable"


class BrokenData(GeocollateralError):
    """Data that should be right is not."""

    kind: ClassVar[ErrorKind] = "broken"
