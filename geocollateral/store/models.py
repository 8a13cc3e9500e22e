"""Value models in the registry: what people decided on them, in a chain that shows every later change.

Rows are only added. Each entry is canonical JSON with the digest of the entry before it; the digest of the last one,
kept somewhere else, also shows that none was cut off. The stand of a model follows from its entries alone.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Engine, func, select

from geocollateral.errors import BrokenData, InvalidInput, MissingInput
from geocollateral.store import schema as s
from geocollateral.store.database import reading, writing
from geocollateral.store.projects import lock

State = Literal["candidate", "approved", "rejected", "retired"]
Action = Literal["register", "approve", "reject", "retire", "sample", "verdict", "backtest"]

APPROVERS = 2
"""Persons beside the trainer who must approve."""
GENESIS = "0" * 64
"""What the first entry names as the one before it."""
VERDICTS = ("agree", "disagree", "cannot_tell")
_FROM: Mapping[str, tuple[State | None, ...]] = {
    "register": (None,),
    "approve": ("candidate",),
    "reject": ("candidate",),
    "retire": ("approved",),
    "sample": ("candidate", "approved"),
    "verdict": ("candidate", "approved"),
    "backtest": ("candidate", "approved", "rejected", "retired"),
}
"""States from which each action is allowed; everything else is refused."""


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model as it is registered."""

    key: str
    """SHA-256 of the statement that its seal signs."""
    asset_class: str
    currency: str
    trainer: str
    folder: str
    manifest: str
    """Canonical JSON."""
    seal: str
    """Canonical JSON."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What somebody does to a model."""

    action: Action
    person: str
    role: str
    reason: str
    at: dt.datetime
    facts: Mapping[str, Any]
    """JSON values that belong to the action."""
    public_key: str | None = None
    signature: str | None = None
    """Over `signed_content`, where the person has a key."""


@dataclass(frozen=True, kw_only=True)
class ModelEvent:
    """One entry of the chain."""

    number: int
    model: str
    action: Action
    person: str
    role: str
    reason: str
    at: dt.datetime
    facts: Mapping[str, Any]
    public_key: str | None
    signature: str | None
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """A model with all that was decided on it."""

    model_id: int
    entry: ModelEntry
    recorded_at: dt.datetime
    events: tuple[ModelEvent, ...]

    @property
    def state(self) -> State:
        """Where it stands."""
        state = state_of(self.events)
        if state is None:
            raise BrokenData(f"Model M{self.model_id} has no entry in the chain: somebody wrote to the table.")
        return state

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who approved, in order."""
        return tuple(event.person for event in self.events if event.action == "approve")


def state_of(events: Sequence[ModelEvent]) -> State | None:
    """Stand of a model by its entries; None before it is registered.

    Raises
    ------
    BrokenData
        An entry that is not allowed where it stands.
    """
    state: State | None = None
    approvals = 0
    for event in events:
        if state not in _FROM[event.action]:
            raise BrokenData(f"Entry {event.number} of the chain, {event.action}, is not allowed of a model {state}.")
        if event.action == "register":
            state = "candidate"
        elif event.action == "approve":
            approvals += 1
            state = "approved" if approvals == APPROVERS else "candidate"
        elif event.action == "reject":
            state = "rejected"
        elif event.action == "retire":
            state = "retired"
    return state


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's: neither case nor spaces make another."""
    first, second = (" ".join(unicodedata.normalize("NFKC", name).casefold().split()) for name in (one, other))
    return first == second


def canonical(value: Any) -> str:
    """The one way to write a JSON value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def signed_content(model: str, decision: Decision) -> dict[str, Any]:
    """What a person signs with the own key."""
    return {
        "model": model,
        "action": decision.action,
        "person": decision.person,
        "role": decision.role,
        "reason": decision.reason,
        "at": _instant(decision.at),
        "facts": dict(decision.facts),
    }


def review_of(events: Sequence[ModelEvent]) -> tuple[ModelEvent | None, dict[int, ModelEvent]]:
    """The last sample that was drawn, and the last verdict on each of its rows."""
    drawn = next((event for event in reversed(events) if event.action == "sample"), None)
    if drawn is None:
        return None, {}
    rows = set(drawn.facts["rows"])
    later = [event for event in events if event.action == "verdict" and event.number > drawn.number]
    return drawn, {int(event.facts["row"]): event for event in later if int(event.facts["row"]) in rows}


def is_review_overdue(row: ModelRow, day: dt.date) -> bool:
    """Whether verdicts on the last sample lack after the day they were due."""
    drawn, verdicts = review_of(row.events)
    return drawn is not None and len(verdicts) < len(drawn.facts["rows"]) and day.isoformat() > drawn.facts["due"]


class ModelRegistry:
    """Models of one database; each method is one transaction. Times are arguments: the registry asks no clock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register(self, given: ModelEntry, decision: Decision) -> ModelRow:
        """Enter a model as a candidate. See `decide`.

        Raises
        ------
        InvalidInput
            It is registered already, or what is said lacks a name, a role or a reason.
        """
        _require_words(decision)
        with writing(self._engine) as connection:
            lock(connection)
            known = connection.execute(select(s.MODEL.c.id).where(s.MODEL.c.key == given.key)).scalar()
            if known is not None:
                raise InvalidInput(f"This model is registered already, as M{known}.")
            row = {**vars(given), "recorded_at": decision.at}
            number = int(connection.execute(s.MODEL.insert().values(**row).returning(s.MODEL.c.id)).scalar_one())
            _append(connection, number, given.key, decision)
            return _model(connection, number)

    def decide(self, model_id: int, decision: Decision) -> ModelRow:
        """Enter what somebody decided, if it is allowed.

        Raises
        ------
        MissingInput
            There is no such model.
        InvalidInput
            The model's stand does not allow it, the person may not, or a release waits for a review.
        """
        _require_words(decision)
        with writing(self._engine) as connection:
            lock(connection)
            row = _model(connection, model_id)
            _require_allowed(row, decision)
            if decision.action == "approve":
                others = _models_for(connection, row.entry.asset_class, row.entry.currency)
                _require_release(row, others, decision)
                if len(row.approvers) + 1 == APPROVERS:
                    _retire_replaced(connection, row, others, decision)
            _append(connection, model_id, row.entry.key, decision)
            return _model(connection, model_id)

    def get(self, model_id: int) -> ModelRow:
        """One model.

        Raises
        ------
        MissingInput
            There is no such model.
        """
        with reading(self._engine) as connection:
            return _model(connection, model_id)

    def list_all(self) -> list[ModelRow]:
        """All models in the order they were registered."""
        with reading(self._engine) as connection:
            return [
                _model(connection, n) for n in connection.execute(select(s.MODEL.c.id).order_by(s.MODEL.c.id)).scalars()
            ]

    def approved(self, asset_class: str, currency: str) -> ModelRow | None:
        """The approved model of an asset class and a currency; None: there is none.

        Raises
        ------
        BrokenData
            There are several: somebody wrote to the tables.
        """
        with reading(self._engine) as connection:
            found = [row for row in _models_for(connection, asset_class, currency) if row.state == "approved"]
        if len(found) > 1:
            names = ", ".join(f"M{row.model_id}" for row in found)
            raise BrokenData(
                f"{names} are all approved for {asset_class} in {currency}: run `geocollateral models verify`."
            )
        return found[0] if found else None

    def check_chain(self, expected_head: str | None = None) -> tuple[int, str]:
        """Recompute the chain: number of its entries, and digest of the last one.

        Parameters
        ----------
        expected_head
            A digest noted earlier, somewhere else; it must be one of the chain. Without it, entries cut off the end are
            not seen.

        Raises
        ------
        BrokenData
            With the first entry that does not fit.
        """
        with reading(self._engine) as connection:
            rows = connection.execute(select(s.MODEL_EVENT).order_by(s.MODEL_EVENT.c.number)).all()
            models = {row.id: row for row in connection.execute(select(s.MODEL))}
        previous, heads = GENESIS, {GENESIS}
        by_model: dict[int, list[ModelEvent]] = {number: [] for number in models}
        for number, row in enumerate(rows, start=1):
            if row.number != number:
                raise BrokenData(f"Entry {number} of the chain of models is missing; the next one is {row.number}.")
            event = _event(row)
            if row.previous_sha256 != previous or _digest(row.body) != row.entry_sha256:
                raise BrokenData(f"Entry {number} of the chain of models was changed: its digest differs.")
            own = models.get(row.model_id)
            if own is None or event.model != own.key or event.at != row.recorded_at:
                raise BrokenData(f"Entry {number} of the chain of models is not of the model or time of its row.")
            by_model[row.model_id].append(event)
            previous = row.entry_sha256
            heads.add(previous)
        for number, own in models.items():
            _require_untouched(number, own, by_model[number])
        if expected_head is not None and expected_head not in heads:
            raise BrokenData("The digest noted earlier is not in the chain: entries were cut off or written anew.")
        return len(rows), previous


def _require_untouched(number: int, row: Any, events: Sequence[ModelEvent]) -> None:
    """The row of a model is the one that was registered, and its entries are allowed in their order."""
    if state_of(events) is None:
        raise BrokenData(f"Model M{number} has no entry in the chain: somebody wrote to the table.")
    if events[0].facts != _facts_of(ModelEntry(**{name: getattr(row, name) for name in ModelEntry.__annotations__})):
        raise BrokenData(f"The row of model M{number} is not the one that was registered.")


def _facts_of(entry: ModelEntry) -> dict[str, Any]:
    """What the first entry of a model says of its row."""
    return {
        "asset_class": entry.asset_class,
        "currency": entry.currency,
        "trainer": entry.trainer,
        "folder": entry.folder,
        "manifest_sha256": _digest(entry.manifest),
        "seal_sha256": _digest(entry.seal),
    }


def registration(given: ModelEntry, *, role: str, reason: str, at: dt.datetime) -> Decision:
    """The first entry of a model: its trainer enters it."""
    return Decision(action="register", person=given.trainer, role=role, reason=reason, at=at, facts=_facts_of(given))


def _require_words(decision: Decision) -> None:
    for what in ("person", "role", "reason"):
        words = getattr(decision, what)
        if not words.strip() or len(words) > 2000:
            raise InvalidInput(f"Expected a {what} of 1 to 2000 characters, got {len(words.strip())}.")


def _require_allowed(row: ModelRow, decision: Decision) -> None:
    name, action = f"M{row.model_id}", decision.action
    if row.state not in _FROM[action]:
        allowed = ", ".join(str(state) for state in _FROM[action])
        raise InvalidInput(f"{name} is {row.state}; {action} is for a model that is {allowed}.")
    if action == "approve" and same_person(decision.person, row.entry.trainer):
        raise InvalidInput(f"{decision.person} trained {name}; who trained a model does not approve it.")
    if action == "approve" and any(same_person(decision.person, other) for other in row.approvers):
        raise InvalidInput(f"{decision.person} approved {name} already; {APPROVERS} different persons are needed.")
    if action == "verdict":
        drawn, _ = review_of(row.events)
        if drawn is None or decision.facts["row"] not in drawn.facts["rows"]:
            raise InvalidInput(f"Row {decision.facts['row']} is not in the sample of {name}: see `models show {name}`.")
        if decision.facts["verdict"] not in VERDICTS:
            raise InvalidInput(f"Expected a verdict of {', '.join(VERDICTS)}, got {decision.facts['verdict']!r}.")
        if same_person(decision.person, row.entry.trainer):
            raise InvalidInput(f"{decision.person} trained {name}; who trained a model does not review it.")


def _require_release(row: ModelRow, others: Sequence[ModelRow], decision: Decision) -> None:
    """Nobody approves while a review of this model or of the one it replaces is open beyond its day."""
    day = decision.at.date()
    late = [other for other in others if other.state in ("approved", "candidate") and is_review_overdue(other, day)]
    if late:
        names = ", ".join(f"M{other.model_id}" for other in late)
        raise InvalidInput(f"The review of {names} is overdue; no release until every row has a verdict.")
    if len(row.approvers) + 1 < APPROVERS:
        return
    drawn, verdicts = review_of(row.events)
    if drawn is None or len(verdicts) < len(drawn.facts["rows"]):
        done = (
            "no sample was drawn"
            if drawn is None
            else f"{len(verdicts)} of {len(drawn.facts['rows'])} rows have a verdict"
        )
        raise InvalidInput(
            f"M{row.model_id} is not released before its random sample was looked at: {done} (`models sample`, `models "
            "verdict`)."
        )


def _retire_replaced(connection: Connection, row: ModelRow, others: Sequence[ModelRow], decision: Decision) -> None:
    """One model is approved for an asset class and currency at a time: the one before it retires with this approval."""
    for other in others:
        if other.state == "approved":
            ended = Decision(
                action="retire",
                person=decision.person,
                role=decision.role,
                reason=f"replaced by M{row.model_id}",
                at=decision.at,
                facts={"replaced_by": row.entry.key},
            )
            _append(connection, other.model_id, other.entry.key, ended)


def _append(connection: Connection, model_id: int, key: str, decision: Decision) -> None:
    last = connection.execute(
        select(s.MODEL_EVENT.c.number, s.MODEL_EVENT.c.entry_sha256).order_by(s.MODEL_EVENT.c.number.desc()).limit(1)
    ).one_or_none()
    number, previous = (1, GENESIS) if last is None else (int(last.number) + 1, str(last.entry_sha256))
    body = canonical(
        {
            **signed_content(key, decision),
            "public_key": decision.public_key,
            "signature": decision.signature,
            "number": number,
            "previous": previous,
        }
    )
    connection.execute(
        s.MODEL_EVENT.insert().values(
            model_id=model_id,
            number=number,
            previous_sha256=previous,
            entry_sha256=_digest(body),
            body=body,
            recorded_at=decision.at,
        )
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _instant(at: dt.datetime) -> str:
    if at.tzinfo is None:
        raise BrokenData(f"expected a time with a time zone, got {at.isoformat()}")
    return at.astimezone(dt.UTC).isoformat()


def _models_for(connection: Connection, asset_class: str, currency: str) -> list[ModelRow]:
    own = s.MODEL.c
    asked = select(own.id).where(own.asset_class == asset_class, own.currency == currency).order_by(own.id)
    return [_model(connection, number) for number in connection.execute(asked).scalars().all()]


def _model(connection: Connection, model_id: int) -> ModelRow:
    row = connection.execute(select(s.MODEL).where(s.MODEL.c.id == model_id)).one_or_none()
    if row is None:
        known = connection.execute(select(func.count()).select_from(s.MODEL)).scalar_one()
        raise MissingInput(f"There is no model M{model_id}; {known} are registered: see `geocollateral models list`.")
    own = s.MODEL_EVENT.c
    events = connection.execute(select(s.MODEL_EVENT).where(own.model_id == model_id).order_by(own.number))
    return ModelRow(
        model_id=model_id,
        entry=ModelEntry(**{name: getattr(row, name) for name in ModelEntry.__annotations__}),
        recorded_at=row.recorded_at,
        events=tuple(map(_event, events)),
    )


def _event(row: Any) -> ModelEvent:
    try:
        said = json.loads(row.body)
        if said.pop("number") != row.number or said.pop("previous") != row.previous_sha256:
            raise ValueError("its number or the entry before it")
        return ModelEvent(
            **{**said, "at": dt.datetime.fromisoformat(said["at"])}, number=row.number, sha256=row.entry_sha256
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenData(f"Entry {row.number} of the chain of models was changed: {error}.") from error


__all__ = [
    "APPROVERS",
    "VERDICTS",
    "Decision",
    "ModelEntry",
    "ModelEvent",
    "ModelRegistry",
    "ModelRow",
    "is_review_overdue",
    "registration",
    "review_of",
    "same_person",
    "signed_content",
    "state_of",
]
