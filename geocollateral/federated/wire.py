"""Frames between a party and the coordinator: of bounded length, sealed, in order, and entered in a log.

Each side proves itself by its key in the plan (Ed25519 signature over the keys of this session); what follows is sealed
under a key that only the two have (X25519, HKDF, ChaCha20-Poly1305), counted in each direction. In production mutual
TLS stands around it: see docs/federated.md.
"""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import TypeAdapter, ValidationError

from geocollateral.errors import BrokenData, ServiceUnavailable
from geocollateral.federated.messages import Hello, Message, Welcome
from geocollateral.federated.plan import Plan

M = TypeVar("M", bound=Message)
Log = Callable[[Message, bytes], None]

MAX_FRAME = 32 * 2**20
"""Longest frame [bytes]; a longer one is refused before it is read."""
MAX_HELLO = 4096


class SentLog:
    """``sent.jsonl``: a line for each message that left, written before it leaves."""

    def __init__(self, path: Path, plan: Plan, party: str) -> None:
        self._path = path
        self._n = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write({"session_of": party, "plan": plan.digest(), "model": plan.name})

    def __call__(self, message: Message, frame: bytes) -> None:
        """Enter one message; `frame` is the message as it is before it is sealed."""
        self._n += 1
        said = message.model_dump(mode="json", exclude={"hellos", "values", "splits", "slopes", "model", "booster"})
        entry: dict[str, object] = {key: said[key] for key in ("kind", "round", "of", "reason") if key in said}
        self._write({"n": self._n, **entry, "bytes": len(frame), "sha256": hashlib.sha256(frame).hexdigest()})

    def _write(self, entry: dict[str, object]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def public_of(key: Ed25519PrivateKey | X25519PrivateKey) -> str:
    """A public key as text."""
    return key.public_key().public_bytes_raw().hex()


def is_signed(message: Hello | Welcome, key: str) -> bool:
    """Whether the key of the plan signed it."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(
            bytes.fromhex(message.signature), message.signed_part()
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def send_frame(link: socket.socket, data: bytes) -> None:
    """Send bytes with their length before them.

    Raises
    ------
    ServiceUnavailable
        The other side is gone or does not take them in time.
    """
    if len(data) > MAX_FRAME:
        raise BrokenData(f"A message of {len(data)} bytes is longer than {MAX_FRAME}; ask for fewer bins or columns.")
    try:
        link.sendall(len(data).to_bytes(4, "big") + data)
    except OSError as error:
        raise ServiceUnavailable(f"the other side is gone: {error}") from error


def receive_frame(link: socket.socket, most: int = MAX_FRAME) -> bytes:
    """Bytes with their length before them.

    Raises
    ------
    ServiceUnavailable
        The other side is gone, or silent for longer than the time allowed.
    BrokenData
        The length is above what is allowed.
    """
    n = int.from_bytes(_exactly(link, 4), "big")
    if n > most:
        raise BrokenData(f"a message of {n} bytes was announced; at most {most} are taken")
    return _exactly(link, n)


def _exactly(link: socket.socket, n: int) -> bytes:
    """So many bytes within the time allowed for all of them: one that drips holds nobody up."""
    found = bytearray()
    allowed = link.gettimeout() or 3600.0
    end = time.monotonic() + allowed
    try:
        while len(found) < n:
            link.settimeout(max(end - time.monotonic(), 0.001))
            part = link.recv(min(n - len(found), 2**20))
            if not part:
                raise ServiceUnavailable("the other side closed the connection")
            found += part
    except TimeoutError as error:
        raise ServiceUnavailable(f"no answer within {allowed:.0f} s") from error
    except OSError as error:
        raise ServiceUnavailable(f"the connection broke: {error}") from error
    link.settimeout(allowed)
    return bytes(found)


def pack(message: Message, body: bytes = b"") -> bytes:
    """A message and the numbers that follow it."""
    head = message.model_dump_json().encode()
    return len(head).to_bytes(4, "big") + head + body


def unpack(frame: bytes, kinds: TypeAdapter[M]) -> tuple[M, bytes]:
    """The reverse of `pack`.

    Raises
    ------
    BrokenData
        It is no message of these kinds.
    """
    n = int.from_bytes(frame[:4], "big")
    if len(frame) < 4 + n or n == 0:
        raise BrokenData("a message whose parts do not fit its length was received")
    try:
        return kinds.validate_json(frame[4 : 4 + n]), frame[4 + n :]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "message"
        raise BrokenData(f"a message that is none of the session's was received ({where}: {first['msg']})") from error


class Channel:
    """A sealed connection; each direction has its key and counts its frames."""

    def __init__(self, link: socket.socket, keys: tuple[bytes, bytes], log: Log | None = None) -> None:
        self._link = link
        self._seal, self._open = ChaCha20Poly1305(keys[0]), ChaCha20Poly1305(keys[1])
        self._sent = self._received = 0
        self._log = log

    def send(self, message: Message, body: bytes = b"") -> None:
        """Send a message, entered in the log before it leaves."""
        frame = pack(message, body)
        if self._log is not None:
            self._log(message, frame)
        sealed = self._seal.encrypt(self._sent.to_bytes(12, "big"), frame, None)
        self._sent += 1
        send_frame(self._link, sealed)

    def receive(self, kinds: TypeAdapter[M]) -> tuple[M, bytes]:
        """The next message and its numbers.

        Raises
        ------
        BrokenData
            It was not sealed by the other side, is out of order, or no message of these kinds.
        """
        sealed = receive_frame(self._link)
        try:
            frame = self._open.decrypt(self._received.to_bytes(12, "big"), sealed, None)
        except InvalidTag as error:
            raise BrokenData("a frame was received that the other side of the session did not seal") from error
        self._received += 1
        return unpack(frame, kinds)

    def close(self) -> None:
        """Close the connection."""
        self._link.close()


def greet(link: socket.socket, plan: Plan, hello: Hello, own: X25519PrivateKey, log: Log) -> Channel:
    """A party's side of the greeting.

    Raises
    ------
    BrokenData
        The other side is not the plan's coordinator.
    """
    frame = pack(hello)
    log(hello, frame)
    send_frame(link, frame)
    try:
        answer = receive_frame(link, MAX_HELLO)
    except ServiceUnavailable as error:
        raise ServiceUnavailable(
            f"The coordinator did not admit us: {error}. Perhaps its plan differs (ours: {plan.digest()[:16]}); "
            "it says whom it turned away and why."
        ) from error
    welcome, _ = unpack(answer, TypeAdapter(Welcome))
    if welcome.answers != hashlib.sha256(frame).hexdigest() or not is_signed(welcome, plan.coordinator):
        raise BrokenData(
            "The other side is not the coordinator of the plan: its signature does not fit the plan's key."
        )
    up, down = _keys(own, welcome.channel, frame, welcome)
    return Channel(link, (up, down), log)


def admit(link: socket.socket, plan: Plan, identity: Ed25519PrivateKey) -> tuple[Hello, Channel]:
    """The coordinator's side of the greeting.

    Raises
    ------
    BrokenData
        The other side is no party of the plan, or has another plan.
    """
    frame = receive_frame(link, MAX_HELLO)
    hello, _ = unpack(frame, TypeAdapter(Hello))
    if hello.party not in plan.parties or not is_signed(hello, plan.parties[hello.party]):
        raise BrokenData("somebody who is no party of the plan, or has not its key, asked to join")
    if hello.plan != plan.digest():
        raise BrokenData(f"{hello.party} has another plan (SHA-256 {hello.plan[:16]}, not {plan.digest()[:16]})")
    own = X25519PrivateKey.generate()
    welcome = Welcome(channel=public_of(own), answers=hashlib.sha256(frame).hexdigest())
    welcome = welcome.model_copy(update={"signature": identity.sign(welcome.signed_part()).hex()})
    send_frame(link, pack(welcome))
    up, down = _keys(own, hello.channel, frame, welcome)
    return hello, Channel(link, (down, up))


def _keys(own: X25519PrivateKey, other: str, hello: bytes, welcome: Welcome) -> tuple[bytes, bytes]:
    """Keys from the party to the coordinator and back."""
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(other)))
    except ValueError as error:
        raise BrokenData("the other side's key is not usable") from error
    salt = hashlib.sha256(hello + welcome.signed_part()).digest()
    found = HKDF(algorithm=SHA256(), length=64, salt=salt, info=b"geocollateral channel").derive(shared)
    return found[:32], found[32:]


__all__ = [
    "MAX_FRAME",
    "Channel",
    "SentLog",
    "admit",
    "greet",
    "is_signed",
    "pack",
    "public_of",
    "receive_frame",
    "send_frame",
    "unpack",
]
