"""Normal equations of many series: from weighted sums of waves to curves and their uncertainty."""

from __future__ import annotations

import numpy as np

from geocollateral.change.kernels.compiling import F32, HALF, NOUGHT, ONE, TINY, TWO, compiled, inner
from geocollateral.change.kernels.lanes import clear

RIDGE = np.float32(1e-6)
"""Keeps series without looks solvable; far below any information a single look carries."""


@inner
def wave_place(harmonic: int, sine: bool) -> int:
    """Place of a cosine or a sine among waves; the cosine of nought is the constant."""
    return 2 * harmonic if sine else max(2 * harmonic - 1, 0)


@inner
def as_waves(i: int, j: int) -> tuple[int, np.float32, int, np.float32]:
    """The product of two regressors, ``j`` <= ``i``, as a sum of two waves: place and factor of each.

    ``cos a cos b = (cos(a - b) + cos(a + b)) / 2`` and so on: the k (k + 1) / 2 products of a curve with k regressors
    are sums of only 2 k - 1 waves, those of up to twice its harmonics.
    """
    if j == 0:
        return i, ONE, 0, NOUGHT
    sum_, apart = (i + 1) // 2 + (j + 1) // 2, (i + 1) // 2 - (j + 1) // 2
    i_sine, j_sine = i % 2 == 0, j % 2 == 0
    if i_sine == j_sine:
        return wave_place(apart, False), HALF, wave_place(sum_, False), (-HALF if i_sine else HALF)
    if apart == 0:
        return wave_place(sum_, True), HALF, 0, NOUGHT
    return wave_place(sum_, True), HALF, wave_place(apart, True), (HALF if i_sine else -HALF)


@compiled
def unfold(waves: F32, k: int, square: F32) -> None:
    """Normal matrices, lower triangle row by row, from weighted sums of waves."""
    m = waves.shape[1]
    for i in range(k):
        for j in range(i + 1):
            one, by_one, other, by_other = as_waves(i, j)
            at = i * (i + 1) // 2 + j
            for lane in range(m):
                square[at, lane] = by_one * waves[one, lane] + by_other * waves[other, lane]


@compiled
def fold(form: F32, k: int, waves: F32) -> None:
    """A form on the pairs of regressors as one on the waves."""
    m = waves.shape[1]
    clear(waves)
    for i in range(k):
        for j in range(i + 1):
            one, by_one, other, by_other = as_waves(i, j)
            at = i * (i + 1) // 2 + j
            for lane in range(m):
                waves[one, lane] += by_one * form[at, lane]
            for lane in range(m):
                waves[other, lane] += by_other * form[at, lane]


@inner
def factor(square: F32, k: int) -> None:
    """Cholesky factor of lower triangles, in place, with the reciprocals of the diagonal on the diagonal."""
    m = square.shape[1]
    for i in range(k):
        row = i * (i + 1) // 2
        for j in range(i):
            other = j * (j + 1) // 2
            for q in range(j):
                for lane in range(m):
                    square[row + j, lane] -= square[row + q, lane] * square[other + q, lane]
            for lane in range(m):
                square[row + j, lane] *= square[other + j, lane]
        for q in range(i):
            for lane in range(m):
                square[row + i, lane] -= square[row + q, lane] * square[row + q, lane]
        for lane in range(m):
            rest = square[row + i, lane]
            square[row + i, lane] = ONE / np.sqrt(rest if rest > TINY else TINY)


@compiled
def solve(square: F32, moment: F32, variance: F32, precision: F32, k: int, found: F32) -> None:
    """Coefficients by the normal equations with the prior; ``square``, their matrix, becomes its factor."""
    m = square.shape[1]
    for i in range(k):
        at, own = i * (i + 3) // 2, precision[i]
        for lane in range(m):
            square[at, lane] += variance[lane] * own + RIDGE
    factor(square, k)
    for i in range(k):
        row = i * (i + 1) // 2
        for lane in range(m):
            found[i, lane] = moment[i, lane]
        for j in range(i):
            for lane in range(m):
                found[i, lane] -= square[row + j, lane] * found[j, lane]
        for lane in range(m):
            found[i, lane] *= square[row + i, lane]
    for i in range(k - 1, -1, -1):
        row = i * (i + 1) // 2
        for lane in range(m):
            found[i, lane] *= square[row + i, lane]
        for j in range(i):
            for lane in range(m):
                found[j, lane] -= square[row + j, lane] * found[i, lane]


@compiled
def leverage_form(factors: F32, k: int, inverse: F32, form: F32) -> None:
    """Inverse of the matrices whose factor is given, times two off the diagonal: a form on the pairs of regressors.

    The sum of pairs times form is the variance of the curve in units of the look's variance.
    """
    m = form.shape[1]
    for i in range(k):  # the inverse of the factor, row by row
        row = i * (i + 1) // 2
        for q in range(i):
            for lane in range(m):
                inverse[row + q, lane] = NOUGHT
            for j in range(q, i):
                above = j * (j + 1) // 2 + q
                for lane in range(m):
                    inverse[row + q, lane] -= factors[row + j, lane] * inverse[above, lane]
            for lane in range(m):
                inverse[row + q, lane] *= factors[row + i, lane]
        for lane in range(m):
            inverse[row + i, lane] = factors[row + i, lane]
    for i in range(k):
        for j in range(i + 1):
            at, times = i * (i + 1) // 2 + j, (TWO if j < i else ONE)
            for lane in range(m):
                form[at, lane] = NOUGHT
            for q in range(i, k):
                a, b = q * (q + 1) // 2 + i, q * (q + 1) // 2 + j
                for lane in range(m):
                    form[at, lane] += inverse[a, lane] * inverse[b, lane] * times
