"""Satellite due diligence and monitoring of loan collateral.

The names below are the public Python contract. They are loaded on first use, so that ``geocollateral --help`` stays
fast.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {"assess": "geocollateral.service"}

__all__ = ["__version__", "assess"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
