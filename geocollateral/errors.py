"""One error tree.

    GeocollateralError
    ├── InvalidInput       kind "invalid"      the request or a file is wrong; the user can mend it
    ├── MissingInput       kind "missing"      something named does not exist, or holds nothing to judge
    ├── ServiceUnavailable kind "unavailable"  a service or file system did not answer; trying again may help
    │   ├── IncompleteSearch                   a catalogue was cut off before its last scene
    │   └── QuotaExceeded                      the account's budget at a service is used up
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


class IncompleteSearch(ServiceUnavailable):
    """A catalogue answered a part of its scenes and then no more. Judging on a part would look like a judgement."""


class QuotaExceeded(ServiceUnavailable):
    """A service refuses because the account has no budget left, or the budget set for this run is spent."""


class BrokenData(GeocollateralError):
    """Data that should be right is not."""

    kind: ClassVar[ErrorKind] = "broken"
