"""The error tree: every error has one of four kinds, and the kinds are what the CLI and the API map."""

from typing import get_args

import pytest

from geocollateral import errors
from geocollateral.errors import ErrorKind, GeocollateralError


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("InvalidInput", "invalid"),
        ("MissingInput", "missing"),
        ("ServiceUnavailable", "unavailable"),
        ("BrokenData", "broken"),
    ],
)
def test_kind(name: str, kind: str) -> None:
    error = getattr(errors, name)
    assert error.kind == kind
    with pytest.raises(GeocollateralError, match="expected a polygon, got a point"):
        raise error("expected a polygon, got a point")


def test_every_kind_has_an_error_and_every_error_a_kind() -> None:
    kinds = {error.kind for error in GeocollateralError.__subclasses__()}
    assert kinds == set(get_args(ErrorKind))
