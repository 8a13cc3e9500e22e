"""Noise under which one sale more or less hardly shows, and the account of what it protects.

Every release is Gaussian and counted in zero-concentrated differential privacy (Bun & Steinke 2016,
doi:10.1007/978-3-662-53641-4_24), where releases one after another add up, also if each depends on those before. Rows
learned from, set aside and held out are different rows, parted without looking at any other row, so that each set has
the whole budget. Noise is drawn from the operating system's randomness and rounded to the fixed-point grid; attacks on
the last bits of floating-point noise are not ruled out by a proof.
"""

from __future__ import annotations

import math
import secrets

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numpy.typing import NDArray
from scipy.special import ndtri

from geocollateral.federated.plan import Plan

Floats = NDArray[np.float64]

ROW_NORM = 3.0
"""Rows of the linear part, with a one and the price, are shortened to this length where they are longer."""


def budget(epsilon: float, delta: float) -> float:
    """The zCDP budget rho that gives (epsilon, delta): epsilon = rho + 2 sqrt(rho ln(1 / delta))."""
    root = math.sqrt(math.log(1 / delta))
    return (math.sqrt(root**2 + epsilon) - root) ** 2


def spent(plan: Plan) -> dict[str, float]:
    """The budget of each release: ``normal``, each of ``leaf_sums``, ``errors``; empty without noise."""
    if plan.noise is None:
        return {}
    rho = budget(plan.noise.epsilon, plan.noise.delta)
    share = plan.noise.linear_share if plan.noise.trees else 1.0
    found = {"normal": rho * share, "errors": rho}
    if plan.noise.trees:
        found["leaf_sums"] = rho * (1 - share) / plan.noise.trees
    return found


def sensitivity(kind: str) -> float:
    """How far one row can move a release (L2), gradients in units of their bound."""
    return {"normal": ROW_NORM**2, "leaf_sums": math.sqrt(2.0), "errors": 1.0}[kind]


def spread(plan: Plan, kind: str) -> float:
    """Standard deviation of the noise in a sum of all parties that do not collude; 0 without noise."""
    own = spent(plan)
    return sensitivity(kind) / math.sqrt(2 * own[kind]) if own else 0.0


def draw(plan: Plan, kind: str, n: int) -> Floats:
    """One party's part of the noise, shape (n,)."""
    if plan.noise is None:
        return np.zeros(n)
    own = spread(plan, kind) / math.sqrt(len(plan.parties) - plan.noise.colluding)
    key, nonce = secrets.token_bytes(32), secrets.token_bytes(16)
    words = Cipher(algorithms.ChaCha20(key, bytes(4) + nonce[4:]), mode=None).encryptor().update(bytes(8 * n))
    uniform = ((np.frombuffer(words, "<u8") >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52
    return np.asarray(own * ndtri(uniform), np.float64)


__all__ = ["ROW_NORM", "budget", "draw", "sensitivity", "spent", "spread"]
