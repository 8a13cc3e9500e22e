"""Arithmetic on lanes: some series side by side, all doing the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from geocollateral.change.kernels.compiling import F32, HALF, NOUGHT, ONE, Places, inner

LINE = 16
"""Numbers in a line of the cache, of 64 bytes."""
LEAST_EXPONENT, MOST_EXPONENT = np.float32(-87), np.float32(88)
PER_E, ROOT_HALF = np.float32(1.44269504088896341), np.float32(0.707106781186547524)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
L8, L7, L6, L5, L4, L3, L2, L1, L0 = (
    np.float32(value)
    for value in (
        7.0376836292e-2,
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    )
)
E5, E4, E3, E2, E1, E0 = (
    np.float32(value)
    for value in (
        1.9875691500e-4,
        1.3981999507e-3,
        8.3334519073e-3,
        4.1665795894e-2,
        1.6666665459e-1,
        5.0000001201e-1,
    )
)


@inner
def log_of(x: Any) -> Any:
    """Natural logarithm of a positive number, to single precision (`logf` of the Cephes library).

    The C library's cannot be made into vector instructions, and its last bit differs between systems.
    """
    bits = np.float32(x).view(np.int32)
    exponent = np.float32((bits >> np.int32(23)) - np.int32(126))
    share = np.int32((bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)).view(np.float32)  # 0.5 to 1
    small = share < ROOT_HALF
    exponent = exponent - ONE if small else exponent
    m = share + share - ONE if small else share - ONE
    square = m * m
    series = ((((((((L8 * m + L7) * m + L6) * m + L5) * m + L4) * m + L3) * m + L2) * m + L1) * m + L0) * m * square
    return (m + ((series + exponent * LN2_LOW) - HALF * square)) + exponent * LN2_HIGH


@inner
def exp_of(x: Any) -> Any:
    """Exponential, to single precision (`expf` of the Cephes library), within 1e-38 to 1e38."""
    x = min(max(x, LEAST_EXPONENT), MOST_EXPONENT)
    whole = np.floor(x * PER_E + HALF)
    rest = (x - whole * LN2_HIGH) - whole * LN2_LOW
    series = (((((E5 * rest + E4) * rest + E3) * rest + E2) * rest + E1) * rest + E0) * (rest * rest) + rest + ONE
    return series * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@inner
def room(n_rows: int, m: int) -> F32:
    """Rows of lanes, not yet written.

    They begin where lines of the cache do, as numba's own arrays may not: a vector across two lines takes two reads.
    """
    whole = np.empty(n_rows * m + LINE, np.float32)
    skipped = -(whole.ctypes.data // 4) % LINE
    return whole[skipped : skipped + n_rows * m].reshape(n_rows, m)


@inner
def take(source: F32, first: int, last: int, place: Places, into: F32) -> None:
    """The rows ``first`` to ``last`` of some series; those side by side at once.

    Here as elsewhere an element is named by row and lane. A row as an array of its own (``into[i]``) is counted as one
    more reference to its memory, and that takes as long as the arithmetic on it.
    """
    m = len(place)
    if place[m - 1] - place[0] == m - 1:
        for i in range(last - first):
            row = source[first + i][place[0] : place[0] + m]
            for lane in range(m):
                into[i, lane] = row[lane]
    else:
        for i in range(last - first):
            for lane in range(m):
                into[i, lane] = source[first + i, place[lane]]


@inner
def put(lanes: Any, first: int, into: Any) -> None:
    """Write lanes back among all series."""
    m = lanes.shape[1]
    for i in range(lanes.shape[0]):
        # A slice, not ``into[i, first + lane]``: a place that might be negative is no vector instruction.
        own = into[i][first : first + m]
        for lane in range(m):
            own[lane] = lanes[i, lane]


@inner
def clear(lanes: F32) -> None:
    """Set to nought."""
    for i in range(lanes.shape[0]):
        for lane in range(lanes.shape[1]):
            lanes[i, lane] = NOUGHT


@inner
def add_products(weights: F32, regressors: F32, first: int, last: int, into: F32) -> None:
    """Add ``regressors[first:last].T @ weights[first:last]``, one row after the other.

    Four rows bear on all sums before the next four: they and the sums stay in the nearest cache.
    """
    m = into.shape[1]
    t = first
    while t + 4 <= last:
        for p in range(into.shape[0]):
            a, b, c, d = regressors[t, p], regressors[t + 1, p], regressors[t + 2, p], regressors[t + 3, p]
            for lane in range(m):
                sum_ = (into[p, lane] + a * weights[t, lane]) + b * weights[t + 1, lane]
                into[p, lane] = (sum_ + c * weights[t + 2, lane]) + d * weights[t + 3, lane]
        t += 4
    while t < last:
        for p in range(into.shape[0]):
            a = regressors[t, p]
            for lane in range(m):
                into[p, lane] += a * weights[t, lane]
        t += 1
