"""Sites lie on the grids of real Sentinel-2 tiles."""

import numpy as np
import pytest

from geocollateral.errors import InvalidInput
from geocollateral.simulate.grid import site_grid, tile_corner
from geocollateral.simulate.worlds import WORLDS


@pytest.mark.parametrize(
    ("tile", "corner"),
    [
        # Upper left corners as the headers of real scenes state them.
        ("33UUP", (32633, 300_000, 5_400_000)),
        ("31UFS", (32631, 600_000, 5_700_000)),
    ],
)
def test_tile_corner(tile: str, corner: tuple[int, float, float]) -> None:
    assert tile_corner(tile) == corner


@pytest.mark.parametrize("world", WORLDS.values(), ids=lambda world: world.name)
def test_every_site_lies_where_its_tile_is(world) -> None:  # type: ignore[no-untyped-def]
    for site in world.sites:
        longitude, latitude = site.grid.centre()
        zone, band = int(site.tile[:2]), "CDEFGHJKLMNPQRSTUVWX".index(site.tile[2])
        assert abs(longitude - (6 * zone - 183)) < 4
        assert 8 * band - 80 <= latitude <= 8 * band - 72
        assert (site.grid.left % 20, site.grid.top % 20) == (
            tile_corner(site.tile)[1] % 20,
            tile_corner(site.tile)[2] % 20,
        )


@pytest.mark.parametrize(
    "arguments", [("50SKE", (1, 0), 64), ("50SKE", (0, 0), 63), ("50SKE", (10_950, 0), 64), ("50SIE", (0, 0), 64)]
)
def test_wrong_sites_are_refused(arguments) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidInput, match="Expected"):
        site_grid(*arguments)


def test_positions_go_north_and_east() -> None:
    grid = site_grid("50SKE", (4000, 5000), 128)
    lon, lat = grid.to_lonlat(np.array([0.0, 1280.0]), np.array([0.0, 1280.0]))
    assert lon[1] > lon[0]
    assert lat[1] > lat[0]
