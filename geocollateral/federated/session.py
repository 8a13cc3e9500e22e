"""One session across processes: who is admitted, how shares are summed, and what ends it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from geocollateral.errors import BrokenData, GeocollateralError, InvalidInput, ServiceUnavailable
from geocollateral.federated.masks import Masks, from_words, pair_secret
from geocollateral.federated.messages import (
    Abort,
    Asking,
    Done,
    Finish,
    FromCoordinator,
    FromParty,
    Hello,
    Joined,
    Message,
    Received,
    Roster,
    Start,
    Sum,
    Telling,
)
from geocollateral.federated.plan import Plan
from geocollateral.federated.rows import PartyRows
from geocollateral.federated.wire import Channel, SentLog, admit, greet, is_signed, public_of

Floats = NDArray[np.float64]
T = TypeVar("T", Sum, Joined, Received)

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def require_loopback(host: str) -> None:
    """Refuse addresses beyond this machine: there, mutual TLS stands in front (docs/federated.md).

    Raises
    ------
    InvalidInput
        The address is not of this machine.
    """
    if host not in LOOPBACK:
        raise InvalidInput(
            f"Expected an address of this machine ({', '.join(LOOPBACK)}), received {host!r}. Between machines a "
            "tunnel with mutual TLS ends on loopback on both sides (docs/federated.md)."
        )


class Parties:
    """All parties of a plan, connected; asks for sums (`federated.Sums`)."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._channels: dict[str, Channel] = {}

    def gather(
        self, listener: socket.socket, identity: Ed25519PrivateKey, timeout: float, note: Callable[[str], None]
    ) -> None:
        """Admit every party of the plan; strangers are turned away and named to `note`.

        Raises
        ------
        ServiceUnavailable
            Not all came within the time allowed [s].
        BrokenData
            A party of the plan came twice or could not check the others.
        """
        hellos: dict[str, Hello] = {}
        end = time.monotonic() + timeout
        while len(hellos) < len(self.plan.parties):
            listener.settimeout(max(end - time.monotonic(), 0.001))
            try:
                link, _ = listener.accept()
            except TimeoutError as error:
                lacking = ", ".join(name for name in self.plan.order if name not in hellos)
                raise ServiceUnavailable(
                    f"Not joined within {timeout:.0f} s: {lacking}. Nothing was learned."
                ) from error
            # A stranger that connects and says nothing may not use up the others' time.
            link.settimeout(min(timeout, 10.0))
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                hello, channel = admit(link, self.plan, identity)
            except GeocollateralError as error:
                link.close()
                note(f"turned away: {error}")
                continue
            if hello.party in hellos:
                raise BrokenData(f"{hello.party} joined twice; the session was ended. Nothing was learned.")
            link.settimeout(timeout)
            hellos[hello.party], self._channels[hello.party] = hello, channel
            note(f"joined: {hello.party} ({len(hellos)} of {len(self.plan.parties)})")
        self._send(Roster(hellos=tuple(hellos[name] for name in self.plan.order)))
        for name in self.plan.order:
            self._receive(name, Joined)

    def ask(self, message: Asking, n: int) -> Floats:
        """The sum of all parties' shares, shape (n,), exact.

        Raises
        ------
        ServiceUnavailable
            A party dropped out.
        BrokenData
            A party sent what is no share, or the masks do not vanish.
        """
        self._send(message)
        total = np.zeros(n + 1, np.uint64)
        for name in self.plan.order:
            said, body = self._receive(name, Sum)
            if (said.round, said.of, said.n) != (message.round, message.kind, n + 1) or len(body) != 8 * (n + 1):
                raise BrokenData(
                    f"{name} sent {said.n} numbers of {said.of} {said.round}; expected {n + 1} of {message.kind} "
                    f"{message.round}. Nothing was saved."
                )
            total = total + np.frombuffer(body, "<u8")
        found = from_words(total)
        if found[-1] != len(self.plan.parties):
            raise BrokenData(
                f"The masks of round {message.round} do not vanish: a party sent something else than its share. "
                "Nothing was saved."
            )
        return found[:-1]

    def tell(self, message: Telling) -> None:
        """Tell all parties how the model goes on."""
        self._send(message)

    def finish(self, model: str, booster: str) -> None:
        """Give all parties the model and wait until each has checked it."""
        self._send(Done(model=model, booster=booster))
        for name in self.plan.order:
            self._receive(name, Received)

    def abort(self, reason: str) -> None:
        """Tell whoever is still there that the session has ended."""
        for channel in self._channels.values():
            try:
                channel.send(Abort(reason=reason[:500]))
            except ServiceUnavailable:
                continue  # gone already: nobody is left to tell

    def close(self) -> None:
        """Close all connections."""
        for channel in self._channels.values():
            channel.close()

    def _send(self, message: Message) -> None:
        for name in self.plan.order:
            try:
                self._channels[name].send(message)
            except ServiceUnavailable as error:
                raise ServiceUnavailable(f"{name}: {error}. Nothing was saved; start the session again.") from error

    def _receive(self, name: str, kind: type[T]) -> tuple[T, bytes]:
        try:
            said, body = self._channels[name].receive(FromParty)
        except ServiceUnavailable as error:
            raise ServiceUnavailable(f"{name}: {error}. Nothing was saved; start the session again.") from error
        except BrokenData as error:
            raise BrokenData(f"{name}: {error}. Nothing was saved.") from error
        if isinstance(said, Abort):
            raise BrokenData(f"{name} ended the session: {said.reason} Nothing was saved.")
        if not isinstance(said, kind):
            raise BrokenData(f"{name} sent {said.kind}; expected {kind.__name__.lower()}. Nothing was saved.")
        return said, body


def take_part(
    link: socket.socket,
    plan: Plan,
    party: str,
    identity: Ed25519PrivateKey,
    rows: PartyRows,
    log: SentLog,
    check: Callable[[Done], None],
) -> Done:
    """A party's side of a session: answers questions until the model is there.

    Parameters
    ----------
    check
        Raises where the model received is not the one that was learned.

    Raises
    ------
    ServiceUnavailable
        The coordinator is gone, or ended the session.
    BrokenData
        The coordinator or another party is not who the plan says, or asked for what the plan does not allow.
    """
    channel_key, mask_key = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    hello = Hello(plan=plan.digest(), party=party, channel=public_of(channel_key), mask=public_of(mask_key))
    hello = hello.model_copy(update={"signature": identity.sign(hello.signed_part()).hex()})
    channel = greet(link, plan, hello, channel_key, log)
    masks: Masks | None = None
    while True:
        said, _ = channel.receive(FromCoordinator)
        if isinstance(said, Abort):
            raise ServiceUnavailable(f"The coordinator ended the session: {said.reason} Nothing was saved.")
        try:
            if isinstance(said, Roster) and masks is None:
                masks = masks_of(said, plan, hello, mask_key)
                channel.send(Joined())
            elif masks is None or isinstance(said, Roster):
                raise BrokenData(f"The coordinator sent {said.kind} out of turn.")
            elif isinstance(said, Start | Finish):
                rows.follow(said)
            elif isinstance(said, Done):
                check(said)
                channel.send(Received())
                return said
            else:
                share = masks.mask(said.round, rows.answer(said))
                channel.send(Sum(round=said.round, of=said.kind, n=len(share)), share.astype("<u8").tobytes())
        except BrokenData as error:
            channel.send(Abort(reason=str(error)[:500]))
            raise


def masks_of(roster: Roster, plan: Plan, own: Hello, key: X25519PrivateKey) -> Masks:
    """The masks of a party, once it has checked that all others are who the plan says.

    Raises
    ------
    BrokenData
        A greeting is missing, of another plan, not signed by its party, or our own was changed.
    """
    others = {hello.party: hello for hello in roster.hellos}
    if sorted(others) != list(plan.order) or len(roster.hellos) != len(others) or others[own.party] != own:
        raise BrokenData("The coordinator's list of parties is not that of the plan.")
    for name, hello in others.items():
        if hello.plan != plan.digest() or not is_signed(hello, plan.parties[name]):
            raise BrokenData(f"The greeting of {name} is not signed by its key in the plan.")
    secrets = {
        name: pair_secret(key, own.mask, hello.mask, plan.digest())
        for name, hello in others.items()
        if name != own.party
    }
    return Masks(own.party, secrets)


__all__ = ["LOOPBACK", "Parties", "masks_of", "require_loopback", "take_part"]
