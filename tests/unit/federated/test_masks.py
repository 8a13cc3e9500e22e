"""One share is noise, the sum of all is exact, no mask is used twice."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from geocollateral.errors import BrokenData
from geocollateral.federated.masks import Masks, from_words, pair_secret, to_words
from geocollateral.federated.wire import public_of

NAMES = ("a", "b", "c", "d")
PLAN = "ab" * 32


@pytest.fixture
def masks() -> dict[str, Masks]:
    keys = {name: X25519PrivateKey.generate() for name in NAMES}
    return {
        own: Masks(
            own, {n: pair_secret(keys[own], public_of(keys[own]), public_of(keys[n]), PLAN) for n in NAMES if n != own}
        )
        for own in NAMES
    }


def test_the_sum_is_exact_and_counts_the_parties(masks: dict[str, Masks]) -> None:
    values = {name: np.random.default_rng(n).normal(0, 1000, 500) for n, name in enumerate(NAMES)}
    total = sum(masks[name].mask(1, values[name]) for name in NAMES)
    plain = sum(to_words(values[name]) for name in NAMES)
    assert np.array_equal(total[:-1], plain)
    assert from_words(total)[-1] == len(NAMES)
    assert np.allclose(from_words(total)[:-1], sum(values.values()), rtol=0, atol=len(NAMES) * 2.0**-32)


def test_any_share_but_the_last_leaves_noise(masks: dict[str, Masks]) -> None:
    nought = np.zeros(20_000)
    shares = {name: masks[name].mask(7, nought) for name in NAMES}
    part = shares["a"]
    for name in ("b", "c"):
        for words in (part, shares[name]):
            bits = np.unpackbits(words.view(np.uint8))
            # Bits of noise: 1.28 million flips of a coin, five standard deviations.
            assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(bits))
        part = part + shares[name]
    assert (part + shares["d"] == to_words(np.append(nought, 4.0))).all()


def test_rounds_have_masks_of_their_own_and_none_twice(masks: dict[str, Masks]) -> None:
    first, second = masks["a"].mask(1, np.zeros(100)), masks["a"].mask(2, np.zeros(100))
    assert not (first == second).any()
    for again in (2, 1):
        with pytest.raises(BrokenData, match="once"):
            masks["a"].mask(again, np.ones(100))


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0**24])
def test_what_a_sum_cannot_hold_is_not_sent(value: float) -> None:
    with pytest.raises(BrokenData):
        to_words(np.array([value]))


def test_a_useless_key_is_refused() -> None:
    with pytest.raises(BrokenData, match="not usable"):
        pair_secret(X25519PrivateKey.generate(), "00" * 32, "00" * 32, PLAN)
