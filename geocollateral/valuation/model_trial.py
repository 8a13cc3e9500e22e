"""LightGBM meets a text of unknown origin in a process of its own first: what ends that process ends nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

from geocollateral.errors import BrokenData

SECONDS = 120.0
_CHILD = (
    "import json, sys\n"
    "import lightgbm, numpy\n"
    "for name, text in json.load(sys.stdin).items():\n"
    "    booster = lightgbm.Booster(model_str=text)\n"
    "    rows = numpy.array([[0.0], [numpy.nan], [1e9], [-1e9]]) * numpy.ones(booster.num_feature())\n"
    "    assert numpy.isfinite(booster.predict(rows)).all(), name\n"
)


def require_loadable(texts: Mapping[str, bytes], *, seconds: float = SECONDS) -> None:
    """Load every text and predict with it in a child process.

    Parameters
    ----------
    texts
        Model texts by name; ASCII, as `check_booster_text` makes sure.

    Raises
    ------
    BrokenData
        The child was killed, hung, or could not use a text.
    """
    given = json.dumps({name: text.decode("ascii") for name, text in texts.items()}).encode()
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and program; the texts go in as data
            [sys.executable, "-c", _CHILD], input=given, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BrokenData(f"LightGBM did not load {', '.join(texts)} within {seconds:g} s; it was stopped.") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"it ended with {done.returncode}"]
        raise BrokenData(f"LightGBM could not use {', '.join(texts)}: {said[0][:300]}")


__all__ = ["require_loadable"]
