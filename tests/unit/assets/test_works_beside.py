"""Works beside a site's polygon: cells built by hand on the series of the tests of `site_start`."""

from dataclasses import replace

import numpy as np
import xarray as xr

from geocollateral.assets.site_start import StartParams
from geocollateral.assets.works_beside import WorksBeside, in_words, judge_beside
from geocollateral.types import ParcelEvidence
from tests.unit.assets.test_site_start import BARE, NAMES, WORKED, parcel, season
from tests.unit.assets.test_sites import DAYS

SINCE = np.datetime64("2022-06-10")
SIDE = 3
LEAST_M2 = 2500.0


def worked() -> np.ndarray:
    own = season()
    own[:, SINCE <= DAYS] = WORKED[:, None]
    return own


def with_cells(cells: list[np.ndarray], places: list[tuple[int, int]]) -> ParcelEvidence:
    """A quiet site with cells of ground beside it.

    Parameters
    ----------
    cells
        Index means of each, shape (index, look).
    places
        Row and column of each on the lattice of cells.
    """
    mean = np.stack(cells, axis=2) + np.random.default_rng(9).normal(0, 0.01, (*cells[0].shape, len(cells)))
    dims = ("index", "time", "cell")
    row, col = (SIDE * np.array(one) for one in zip(*places, strict=True))
    beside = xr.Dataset(
        {"mean": (dims, mean), "valid_fraction": (dims, np.ones(mean.shape))},
        coords={
            "index": NAMES,
            "time": DAYS.astype("datetime64[ns]"),
            "cell": [f"~{r}-{c}" for r, c in places],
            "row": ("cell", row),
            "col": ("cell", col),
        },
        attrs={"pixels": SIDE, "reach": 6},
    )
    site = parcel(season())
    assert site.peers is not None
    return replace(site, beside=beside, peers=site.peers.assign_coords(peer=[f"p{n}" for n in range(12)]))


def found(given: ParcelEvidence) -> WorksBeside:
    told = judge_beside(given, StartParams(), LEAST_M2)
    assert told is not None
    return told


def test_works_on_neighbouring_cells_are_told_with_their_area_and_day() -> None:
    told = found(with_cells([worked(), worked(), worked(), season()], [(0, 0), (0, 1), (1, 1), (5, 5)]))
    assert told.area_m2 == 3 * told.looked_m2 / 4
    assert told.since is not None
    assert SINCE <= np.datetime64(told.since) <= DAYS[SINCE <= DAYS][3]
    assert told.reach_m == 60
    assert f"ha or more within {told.reach_m:.0f} m of it" in in_words(told)


def test_scattered_cells_are_no_works() -> None:
    told = found(with_cells([worked(), worked(), worked(), season()], [(0, 0), (0, 2), (2, 0), (5, 5)]))
    assert (told.area_m2, told.since) == (0.0, None)
    assert in_words(told).startswith("No works seen on other ground")


def test_works_that_went_back_to_green_are_no_works_now() -> None:
    back = worked()
    late = np.datetime64("2023-04-20") <= DAYS
    back[:, late] = season()[:, late]
    assert found(with_cells([back, back, back], [(0, 0), (0, 1), (1, 1)])).area_m2 == 0.0


def test_ground_that_was_open_all_along_cannot_show_works() -> None:
    bare = np.repeat(BARE[:, None], len(DAYS), axis=1)
    told = found(with_cells([bare, bare, bare], [(0, 0), (0, 1), (1, 1)]))
    assert told.told == 0.0
    assert "cannot be told: 100% of the ground" in in_words(told)


def test_ground_beside_is_no_norm_for_itself() -> None:
    given = with_cells([worked()] * 6, [(0, n) for n in range(6)])
    assert given.peers is not None
    assert given.beside is not None
    same = given.beside.drop_vars(["row", "col"]).rename(cell="peer")
    # Four peers went on as ever, six are the very cells that are asked: the median of all ten would be under works.
    mixed = xr.concat([given.peers.isel(peer=slice(0, 4)), same], dim="peer")
    assert found(replace(given, peers=mixed)).area_m2 == given.beside.sizes["cell"] * SIDE**2 * given.area_m2.max()


def test_no_ground_looked_at_says_so() -> None:
    site = parcel(season())
    assert judge_beside(site, StartParams(), LEAST_M2) is None
    assert in_words(None) == "The ground beside the polygon was not looked at."
