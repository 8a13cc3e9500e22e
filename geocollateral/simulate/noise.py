"""Random fields: patchy ones with structure at every scale, and smooth ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fractal(size: int, slope: float, rng: np.random.Generator, longest: float | None = None) -> NDArray[np.float32]:
    """A field with mean 0 and standard deviation 1 whose power falls with spatial frequency as ``f ** -slope``.

    Parameters
    ----------
    size
        Pixels a side; the field repeats itself at its borders.
    slope
        2 looks like texture, 3 like clouds, 4 is smooth.
    longest
        Longest wave [pixels]; default: the side.
    """
    from scipy.fft import irfft2

    fy = np.fft.fftfreq(size)[:, None]
    fx = np.fft.rfftfreq(size)[None, :]
    frequency = np.hypot(fy, fx)
    lowest = 1.0 / (longest or size)
    amplitude = np.where(frequency < lowest * 0.99, 0.0, np.maximum(frequency, lowest) ** (-slope / 2))
    phase = rng.random(frequency.shape, dtype=np.float32) * np.float32(2 * np.pi)
    strength = np.sqrt(rng.standard_exponential(frequency.shape, dtype=np.float32))
    spectrum = (amplitude.astype(np.float32) * strength) * np.exp(1j * phase)
    found = irfft2(spectrum.astype(np.complex64), s=(size, size))
    found -= found.mean()
    return np.asarray(found / max(float(found.std()), 1e-12), dtype=np.float32)


def gust(size: int, rng: np.random.Generator, nodes: int = 4) -> NDArray[np.float32]:
    """A very smooth field with mean near 0 and spread near 1: a few random numbers, interpolated."""
    from scipy.ndimage import zoom

    grid = rng.standard_normal((nodes, nodes)).astype(np.float32)
    return np.asarray(zoom(grid, size / nodes, order=1, grid_mode=True, mode="nearest"), dtype=np.float32)


def pad_to_fast(size: int) -> int:
    """A size not below, for which the Fourier transform is quick."""
    from scipy.fft import next_fast_len

    return int(next_fast_len(size, real=True))
