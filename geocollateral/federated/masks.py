"""Masks that vanish in the sum: secure aggregation after Bonawitz et al. 2017 (doi:10.1145/3133956.3133982).

Each pair of parties agrees on a secret (X25519, HKDF). Of the stream that grows from it (ChaCha20) one adds a stretch
and the other subtracts it, as integers modulo 2^64: one share alone is noise, the sum of all is exact. Shares of
parties that drop out are not rebuilt: the session ends, and nothing is saved.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from geocollateral.errors import BrokenData

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

SCALE = 2.0**32
"""Steps in one unit of a fixed-point number: sums up to 2^31 are held with 32 binary places."""


def to_words(values: Floats) -> Words:
    """Fixed-point integers modulo 2^64.

    Raises
    ------
    BrokenData
        A value is not finite or too large for its sum to be held.
    """
    if not np.isfinite(values).all() or np.abs(values).max(initial=0) >= 2**24:
        raise BrokenData("A sum of this party's rows is not finite or above 2^24 and cannot be sent.")
    return np.rint(values * SCALE).astype(np.int64).view(np.uint64)


def from_words(words: Words) -> Floats:
    """Numbers of a sum of fixed-point integers."""
    return words.view(np.int64).astype(np.float64) / SCALE


def pair_secret(own: X25519PrivateKey, own_mask: str, other_mask: str, plan: str) -> bytes:
    """The secret of two parties, the same on both sides; 32 bytes.

    Raises
    ------
    BrokenData
        The other's key is no usable point.
    """
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(other_mask)))
    except ValueError as error:
        raise BrokenData("Another party's key of masks is not usable; the session was ended.") from error
    info = "geocollateral mask " + " ".join(sorted((own_mask, other_mask)))
    return HKDF(algorithm=SHA256(), length=32, salt=bytes.fromhex(plan), info=info.encode()).derive(shared)


def stream(secret: bytes, number: int, n: int) -> Words:
    """The stretch of a secret's stream that belongs to a round, shape (n,)."""
    cipher = Cipher(algorithms.ChaCha20(secret, bytes(8) + number.to_bytes(8, "little")), mode=None).encryptor()
    return np.frombuffer(cipher.update(bytes(8 * n)), "<u8").astype(np.uint64)


class Masks:
    """The masks of one party in one session."""

    def __init__(self, own: str, secrets: Mapping[str, bytes]) -> None:
        self._own = own
        self._secrets = dict(secrets)
        self._last = 0

    def mask(self, number: int, values: Floats) -> Words:
        """The share to send, shape (n + 1,); the last word stands for one party, so that a wrong sum shows.

        Raises
        ------
        BrokenData
            The round is not later than the last: two shares under one mask would tell their difference.
        """
        if number <= self._last:
            raise BrokenData(f"The coordinator asked for round {number} after round {self._last}; masks are used once.")
        self._last = number
        share = to_words(np.append(values, 1.0))
        for other, secret in self._secrets.items():
            own = stream(secret, number, len(share))
            share = share + own if self._own < other else share - own
        return share


__all__ = ["SCALE", "Masks", "from_words", "pair_secret", "stream", "to_words"]
