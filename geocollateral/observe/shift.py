"""How far a fine picture lies from a coarse one of the same ground.

The fine picture is moved, not the coarse one: averaged over the coarse pixels at every offset of a fifth of a pixel, it
is compared with them by normalised cross-correlation under both masks (Padfield 2012, doi:10.1109/TIP.2011.2181402,
here by direct sums). What is broader than some hundred metres is taken out of both first, so that haze, light and
season count for less than edges. The peak is fitted by a paraboloid; leaving out one part of the ground after the other
(jackknife, Efron & Stein 1981, doi:10.1214/aos/1176345462) says how sure its place is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import uniform_filter

from geocollateral.errors import BrokenData
from geocollateral.types import Params, Shift, ShiftVerdict

STEPS = 5
"""Offsets tried per coarse pixel, along each axis: cells of the fine grid along the side of a coarse pixel."""
FIT = 2
"""The paraboloid is fitted to this many offsets on each side of the peak."""
Plane = NDArray[np.float64]


class ShiftParams(Params):
    """How the place of an orthomosaic is compared with Sentinel-2."""

    reach_m: float = Field(50.0, ge=20, le=200, description="Largest shift looked for, along each axis [m].")
    correct_m: float = Field(
        5.0, ge=0, le=100, description="A shift larger than this is corrected, if it is larger than twice its error."
    )
    report_m: float = Field(2.0, ge=0, le=100, description="A shift up to this counts as none.")
    min_pixels: int = Field(144, ge=64, le=100_000, description="Coarse pixels both pictures must share.")
    min_correlation: float = Field(
        0.25,
        ge=0.1,
        le=1,
        description="Least correlation at the peak, beyond three times what chance gives (1 / root of the pixels).",
    )
    max_rival: float = Field(
        0.75, gt=0, le=1, description="A second peak elsewhere as high as this share of the first makes it ambiguous."
    )
    max_sigma_m: float = Field(1.25, gt=0, le=20, description="Largest standard error of a shift that is told [m].")
    min_texture: float = Field(
        0.02, ge=0, le=1, description="Least spread of the coarse picture, as a share of its mean: below, it is flat."
    )
    broad_pixels: int = Field(11, ge=5, le=101, description="What is broader than this many pixels is taken out.")


@dataclass(frozen=True)
class _Band:
    """One band of both pictures, broad parts taken out."""

    coarse: Plane
    fine: Plane
    """Means over coarse pixels with their upper left corner at each fine cell."""
    coarse_seen: NDArray[np.bool_]
    fine_seen: NDArray[np.bool_]


def pad_cells(pixel_m: float, params: ShiftParams) -> int:
    """Fine cells to be read around the coarse window on each side."""
    return round(params.reach_m / pixel_m * STEPS)


def measure_shift(
    fine: Mapping[str, NDArray[np.float32]],
    share: NDArray[np.float32],
    coarse: Mapping[str, NDArray[np.float32]],
    pixel_m: float,
    params: ShiftParams,
) -> Shift:
    """Shift of the fine picture against the coarse one, positive where the fine one lies too far east and north.

    Parameters
    ----------
    fine
        By band, shape (STEPS * y + 2 * pad, STEPS * x + 2 * pad) with `pad_cells`: means over fine cells, any unit, NaN
        = no data.
    share
        Same shape: share of each cell that holds data [0-1].
    coarse
        By band, shape (y, x), any unit; NaN = not seen clearly.
    pixel_m
        Side of a coarse pixel [m].

    Returns
    -------
    A shift without ``against``, which the caller knows.
    """
    pad = pad_cells(pixel_m, params)
    common = [name for name in coarse if name in fine]
    if not common:
        return cannot_tell("the two pictures have no band in common")
    bands = []
    for name in common:
        expected = tuple(STEPS * n + 2 * pad for n in coarse[name].shape)
        if fine[name].shape != expected:
            raise BrokenData(f"expected a fine picture of shape {expected}, got {fine[name].shape}")
        if _is_textured(coarse[name], params):
            bands.append(_prepare(fine[name], share, coarse[name], params))
    seen = int(np.isfinite(coarse[common[0]]).sum())
    if seen < params.min_pixels:
        return cannot_tell(f"the two pictures share {seen} pixels seen clearly, {params.min_pixels} are needed", seen)
    if not bands:
        return cannot_tell("the ground has too little texture to compare", seen)
    surface, n_pixels = _surface(bands, pad, params)
    return _judge(bands, surface, n_pixels, pad, pixel_m / STEPS, params)


def _judge(
    bands: list[_Band], surface: Plane, n_pixels: NDArray[np.int64], pad: int, step_m: float, params: ShiftParams
) -> Shift:
    if not np.isfinite(surface).any():
        most = int(n_pixels.max())
        return cannot_tell(f"the two pictures share {most} pixels seen clearly, {params.min_pixels} are needed", most)
    row, col = (int(n) for n in np.unravel_index(np.nanargmax(surface), surface.shape))
    peak, n = float(surface[row, col]), int(n_pixels[row, col])
    if peak < params.min_correlation + 3 / np.sqrt(n):
        return cannot_tell(f"the two pictures do not resemble each other (correlation {peak:.2f} at best)", n, peak)
    if not (FIT <= row < len(surface) - FIT and FIT <= col < len(surface) - FIT):
        return cannot_tell(f"the shift may be larger than the {params.reach_m:g} m looked at", n, peak)
    rows, cols = np.ogrid[: len(surface), : len(surface)]
    away = np.hypot(rows - row, cols - col) > 2.5 * STEPS
    rival = float(np.nanmax(np.where(away, surface, np.nan), initial=-1.0))
    if rival > params.max_rival * peak:
        return cannot_tell(f"two places fit nearly as well (correlation {peak:.2f} and {rival:.2f})", n, peak)
    fitted = _fit_peak(surface[row - FIT : row + FIT + 1, col - FIT : col + FIT + 1])
    if fitted is None:
        return cannot_tell("the correlation has no clear peak", n, peak)
    sigma = step_m * _jackknife(bands, row - pad, col - pad, pad)
    if not sigma <= params.max_sigma_m:
        return cannot_tell(f"parts of the ground disagree on the shift (standard error {sigma:.1f} m)", n, peak)
    east, north = (col - pad + fitted[1]) * step_m, -(row - pad + fitted[0]) * step_m
    return Shift(
        verdict=_verdict(east, north, sigma, params),
        east_m=east,
        north_m=north,
        sigma_m=sigma,
        correlation=peak,
        n_pixels=n,
    )


def combine_shifts(found: Sequence[Shift], params: ShiftParams) -> Shift:
    """One shift from those against several looks of the satellite, each of which lies a few metres off itself.

    The middle one of each axis; the error is that of one comparison or the spread between them, whichever is larger.
    Where no look can tell, what the first one says.
    """
    told = [shift for shift in found if shift.verdict != "cannot_tell"]
    if len(told) < 2:
        return told[0] if told else found[0]
    places = np.array([(shift.east_m, shift.north_m) for shift in told])
    east, north = (float(v) for v in np.median(places, axis=0))
    sigma = max(float(np.median([s.sigma_m for s in told])), float(np.sqrt(places.var(axis=0, ddof=1).mean())))
    middle = min(told, key=lambda s: (s.east_m - east) ** 2 + (s.north_m - north) ** 2)
    return replace(
        middle,
        verdict=_verdict(east, north, sigma, params),
        east_m=east,
        north_m=north,
        sigma_m=sigma,
        against="+".join(shift.against for shift in told if shift.against),
    )


def _verdict(east: float, north: float, sigma: float, params: ShiftParams) -> ShiftVerdict:
    distance = float(np.hypot(east, north))
    if distance <= max(params.report_m, 2 * sigma):
        return "agrees"
    return "corrected" if distance > params.correct_m else "reported"


def cannot_tell(reason: str, n_pixels: int = 0, correlation: float = float("nan")) -> Shift:
    """No shift, and why."""
    nan = float("nan")
    return Shift(
        verdict="cannot_tell",
        east_m=nan,
        north_m=nan,
        sigma_m=nan,
        correlation=correlation,
        n_pixels=n_pixels,
        reason=reason,
    )


# ------------------------------------------------------------------------------------------------------------- pictures


def _is_textured(coarse: NDArray[np.float32], params: ShiftParams) -> bool:
    seen = coarse[np.isfinite(coarse)]
    return bool(seen.size and seen.std() > params.min_texture * abs(seen.mean()))


def _prepare(
    fine: NDArray[np.float32], share: NDArray[np.float32], coarse: NDArray[np.float32], params: ShiftParams
) -> _Band:
    weight = np.where(np.isfinite(fine), share, 0).astype(np.float64)
    means, covered = _box_means(np.nan_to_num(fine), weight, STEPS)
    fine_seen = covered > 0.9
    broad = params.broad_pixels
    calm = means - _local_mean(means, fine_seen, broad * STEPS)
    coarse_seen = np.isfinite(coarse)
    filled = np.nan_to_num(coarse).astype(np.float64)
    return _Band(filled - _local_mean(filled, coarse_seen, broad), calm, coarse_seen, fine_seen)


def _box_means(values: NDArray[np.float32], weight: Plane, side: int) -> tuple[Plane, Plane]:
    """Weighted means over squares with their upper left corner at each cell, and the share of each that has weight."""
    total, held = (_box_sums(plane, side) for plane in (values * weight, weight))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(held > 0, total / held, 0.0), held / side**2


def _box_sums(plane: Plane, side: int) -> Plane:
    summed = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1))
    summed[1:, 1:] = plane.cumsum(axis=0).cumsum(axis=1)
    part = summed[side:, side:] - summed[:-side, side:] - summed[side:, :-side] + summed[:-side, :-side]
    return np.asarray(np.maximum(part, 0) if (plane >= 0).all() else part)


def _local_mean(plane: Plane, seen: NDArray[np.bool_], size: int) -> Plane:
    """Mean of what is seen around each cell; 0 where nothing is."""
    total = uniform_filter(np.where(seen, plane, 0.0), size, mode="constant")
    held = uniform_filter(seen.astype(np.float64), size, mode="constant")
    return np.asarray(np.divide(total, held, out=np.zeros_like(total), where=held > 1e-9))


# ---------------------------------------------------------------------------------------------------------- correlation


def _at_offset(band: _Band, row: int, col: int) -> tuple[Plane, NDArray[np.bool_]]:
    """Fine picture on the coarse pixels at an offset counted from the corner, and where both are seen."""
    height, width = band.coarse.shape
    part = np.s_[row : row + height * STEPS : STEPS, col : col + width * STEPS : STEPS]
    return band.fine[part], band.fine_seen[part] & band.coarse_seen


def _surface(bands: list[_Band], pad: int, params: ShiftParams) -> tuple[Plane, NDArray[np.int64]]:
    """Correlation, mean over bands, and pixels shared at every offset; NaN where these are too few."""
    size = 2 * pad + 1
    every, n_pixels = np.zeros((size, size)), np.zeros((size, size), np.int64)
    for band in bands:
        for row, col in np.ndindex(STEPS, STEPS):
            # Offsets that are whole pixels apart compare the same samples of the fine picture.
            sums = _sums_at_whole_pixels(
                band, band.fine[row::STEPS, col::STEPS], band.fine_seen[row::STEPS, col::STEPS]
            )
            held = every[row::STEPS, col::STEPS].shape
            sums = sums[:, : held[0], : held[1]]
            every[row::STEPS, col::STEPS] += _correlate(sums) / len(bands)
            n_pixels[row::STEPS, col::STEPS] = np.rint(sums[0])
    return np.where(n_pixels >= params.min_pixels, every, np.nan), n_pixels


def _sums_at_whole_pixels(band: _Band, fine: Plane, fine_seen: NDArray[np.bool_]) -> Plane:
    """As `_sums` at every offset of whole pixels, by the Fourier transform; shape (6, row, col)."""
    shape = [next_fast_len(n) for n in fine.shape]
    f = [rfft2(plane, shape) for plane in _powers(fine, fine_seen)]
    c = [np.conj(rfft2(plane, shape)) for plane in _powers(band.coarse, band.coarse_seen)]
    products = (f[0] * c[0], f[1] * c[0], f[0] * c[1], f[2] * c[0], f[0] * c[2], f[1] * c[1])
    height, width = (a - b + 1 for a, b in zip(fine.shape, band.coarse.shape, strict=True))
    return np.stack([irfft2(product, shape)[:height, :width] for product in products])


def _powers(plane: Plane, seen: NDArray[np.bool_]) -> tuple[Plane, Plane, Plane]:
    held = np.where(seen, plane, 0.0)
    return seen.astype(np.float64), held, held**2


def _sums(band: _Band, row: int, col: int, keep: NDArray[np.bool_] | None = None) -> Plane:
    """Number, sums, sums of squares and of products of both pictures where both are seen."""
    fine, both = _at_offset(band, row, col)
    both = both if keep is None else both & keep
    f, c = fine[both], band.coarse[both]
    return np.array([f.size, f.sum(), c.sum(), f @ f, c @ c, f @ c])


def _correlate(sums: Plane) -> Plane:
    """Correlation from sums as of `_sums` along the first axis; 0 where a picture is flat."""
    n, f, c, ff, cc, fc = sums
    n = np.maximum(n, 1)
    spread_f, spread_c = ff - f * f / n, cc - c * c / n
    flat = (spread_f <= 1e-9 * np.abs(ff)) | (spread_c <= 1e-9 * np.abs(cc))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(flat, 0.0, (fc - f * c / n) / np.sqrt(spread_f * spread_c)))


def _fit_peak(part: Plane) -> tuple[float, float] | None:
    """Row and column of the top of a paraboloid, counted from the middle; None where it has none near by."""
    half = len(part) // 2
    y, x = (axis.ravel() for axis in np.mgrid[-half : half + 1, -half : half + 1].astype(float))
    known = np.isfinite(part.ravel())
    terms = np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])[known]
    if len(terms) < 6:
        return None
    _, bx, by, xx, xy, yy = np.linalg.lstsq(terms, part.ravel()[known], rcond=None)[0]
    determinant = 4 * xx * yy - xy * xy
    if determinant <= 0 or xx >= 0:
        return None
    col, row = (xy * by - 2 * yy * bx) / determinant, (xy * bx - 2 * xx * by) / determinant
    return (float(row), float(col)) if max(abs(row), abs(col)) <= half else None


def _jackknife(bands: list[_Band], row: int, col: int, pad: int) -> float:
    """Standard error of the peak's place along one axis [steps], from leaving out each part of the ground in turn.

    Infinite where a part decides whether there is a peak at all.
    """
    height, width = bands[0].coarse.shape
    per_side = 3 if min(height, width) >= 24 else 2
    parts = np.add.outer(np.arange(height) * per_side // height * per_side, np.arange(width) * per_side // width)
    peaks = []
    for part in range(per_side**2):
        keep = parts != part
        if not (bands[0].coarse_seen & ~keep).any():
            continue
        around = range(-FIT, FIT + 1)
        left = np.array(
            [
                [np.mean([_correlate(_sums(b, row + pad + i, col + pad + j, keep)) for b in bands]) for j in around]
                for i in around
            ]
        )
        found = _fit_peak(left)
        if found is None:
            return float("inf")
        peaks.append(found)
    n = len(peaks)
    if n < 3:
        return float("inf")
    return float(np.sqrt((n - 1) * np.var(np.array(peaks), axis=0).mean()))
