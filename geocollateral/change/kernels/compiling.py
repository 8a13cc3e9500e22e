"""How kernels are compiled and kept, and the types and numbers they share."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

LANES = 512
F = TypeVar("F", bound=Callable[..., Any])
F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Bools = NDArray[np.bool_]
Places = NDArray[np.int64]
NOUGHT, ONE, TWO, HALF, QUARTER, TINY = (np.float32(value) for value in (0, 1, 2, 0.5, 0.25, 1e-12))
NAN, MOST = np.float32(np.nan), np.float32(np.inf)
NEVER = np.int32(2**31 - 1)


def stamp_of(folder: Path) -> str:
    """Hash of all sources of a folder."""
    whole = sha256()
    for path in sorted(folder.glob("*.py")):
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


STAMP = stamp_of(Path(__file__).parent)
"""What kept code must come from. By itself numba asks only for the date of the file the function stands in: after a
change of a kernel in another file it would go on to run the old one."""


_njit: Any = numba.njit  # its types know only some of its options
_OPTIONS = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}


def compiled(function: F) -> F:
    """Machine code at the first call, kept on disk where a folder can be written: beside the source, or the user's."""
    try:
        made = _njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # nowhere to keep it: compiled anew by each process
        return cast("F", _njit(**_OPTIONS)(function))
    if isinstance(made, Dispatcher):  # else NUMBA_DISABLE_JIT
        made._cache._cache_file._source_stamp = STAMP  # type: ignore[attr-defined] # noqa: SLF001
    return cast("F", made)


def inner(function: F) -> F:
    """Part of the code of the kernels that call it: nothing is kept of it, and Python cannot call it.

    Put in where it is called: a call counts the references of every array it hands on, by atomic instructions.
    """
    return cast("F", _njit(no_cpython_wrapper=True, forceinline=True, **_OPTIONS)(function))
