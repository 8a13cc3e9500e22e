"""What may be said: each kind of message with its fields and bounds. Anything else ends the session."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Signature = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]
Small = Annotated[int, Field(ge=0, le=100_000)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Split = tuple[Small, Small, Small]
"""Node, column, last bin of the left side. The children of node i are 2 i + 1 and 2 i + 2."""


class Message(BaseModel):
    """Base of every message."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Hello(Message):
    """A party introduces itself; signed by its key in the plan."""

    kind: Literal["hello"] = "hello"
    plan: Hex32
    party: Annotated[str, StringConstraints(max_length=80)]
    channel: Hex32
    """Public key of this session for the channel to the coordinator (X25519)."""
    mask: Hex32
    """Public key of this session for the masks (X25519)."""
    signature: Signature = "0" * 128

    def signed_part(self) -> bytes:
        """What the signature covers."""
        return f"geocollateral hello {self.plan} {self.channel} {self.mask} {self.party}".encode()


class Welcome(Message):
    """The coordinator's answer, signed over the greeting it answers."""

    kind: Literal["welcome"] = "welcome"
    channel: Hex32
    answers: Hex32
    """SHA-256 of the greeting."""
    signature: Signature = "0" * 128

    def signed_part(self) -> bytes:
        """What the signature covers."""
        return f"geocollateral welcome {self.channel} {self.answers}".encode()


class Roster(Message):
    """All greetings, from which each party checks the others' signatures and makes its masks."""

    kind: Literal["roster"] = "roster"
    hellos: Annotated[tuple[Hello, ...], Field(max_length=100)]


class Joined(Message):
    """A party has checked the roster and takes part."""

    kind: Literal["joined"] = "joined"


class Normal(Message):
    """Asks for the sums behind the linear part."""

    kind: Literal["normal"] = "normal"
    round: int = Field(ge=1)
    every: bool
    """Rows set aside too."""


class Start(Message):
    """The linear part: what it leaves is learned next."""

    kind: Literal["start"] = "start"
    slopes: Annotated[tuple[Number, ...], Field(max_length=5000)]
    every: bool


class Grow(Message):
    """Splits a level of the tree and asks for the histograms of some nodes."""

    kind: Literal["grow"] = "grow"
    round: int = Field(ge=1)
    tree: Small
    features: Annotated[tuple[Small, ...], Field(min_length=1, max_length=5000)]
    splits: Annotated[tuple[Split, ...], Field(max_length=64)]
    ask: Annotated[tuple[Small, ...], Field(min_length=1, max_length=64)]


class LeafSums(Message):
    """A tree whose splits were drawn by lot; asks for the sums of its leaves."""

    kind: Literal["leaf_sums"] = "leaf_sums"
    round: int = Field(ge=1)
    tree: Small
    splits: Annotated[tuple[Split, ...], Field(max_length=64)]


class Finish(Message):
    """The last splits of a tree and the values of its leaves."""

    kind: Literal["finish"] = "finish"
    tree: Small
    splits: Annotated[tuple[Split, ...], Field(max_length=64)]
    values: Annotated[tuple[tuple[Small, Number], ...], Field(min_length=1, max_length=128)]


class Errors(Message):
    """Asks for the histogram of errors of rows set aside or held out."""

    kind: Literal["errors"] = "errors"
    round: int = Field(ge=1)
    held_out: bool


class Done(Message):
    """The finished model."""

    kind: Literal["done"] = "done"
    model: Annotated[str, StringConstraints(max_length=2_000_000)]
    """Text of ``model.json``."""
    booster: Annotated[str, StringConstraints(max_length=12_000_000)]
    """Text of ``boosted.txt``."""


class Abort(Message):
    """The session has ended without a model."""

    kind: Literal["abort"] = "abort"
    reason: Annotated[str, StringConstraints(max_length=500)]


class Sum(Message):
    """A party's masked share; the numbers follow as 64-bit integers, little-endian."""

    kind: Literal["sum"] = "sum"
    round: int = Field(ge=1)
    of: Literal["normal", "grow", "leaf_sums", "errors"]
    n: int = Field(ge=1, le=2_000_000)


class Received(Message):
    """A party has checked the model and keeps it."""

    kind: Literal["received"] = "received"


Asking = Normal | Grow | LeafSums | Errors
"""Asks every party for a masked share."""
Telling = Start | Finish
"""Tells every party how the model goes on."""
FromCoordinator: TypeAdapter[Roster | Asking | Telling | Done | Abort] = TypeAdapter(
    Annotated[Roster | Normal | Start | Grow | LeafSums | Finish | Errors | Done | Abort, Field(discriminator="kind")]
)
FromParty: TypeAdapter[Sum | Joined | Received | Abort] = TypeAdapter(
    Annotated[Sum | Joined | Received | Abort, Field(discriminator="kind")]
)

__all__ = [
    "Abort",
    "Asking",
    "Done",
    "Errors",
    "Finish",
    "FromCoordinator",
    "FromParty",
    "Grow",
    "Hello",
    "Joined",
    "LeafSums",
    "Message",
    "Normal",
    "Received",
    "Roster",
    "Split",
    "Start",
    "Sum",
    "Telling",
    "Welcome",
]
