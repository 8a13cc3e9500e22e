"""Decisions on models, on SQLite and PostgreSQL: who may what, in which order, in a chain that shows every change."""

from __future__ import annotations

import datetime as dt
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from geocollateral.errors import BrokenData, InvalidInput, MissingInput
from geocollateral.store import Decision, LoanRegistry, ModelEntry, is_review_overdue, open_registry, registration
from geocollateral.store.models import VERDICTS

NOW = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)


def entry(name: str = "a", **facts: Any) -> ModelEntry:
    given = {"asset_class": "agriculture", "currency": "CNY", "trainer": "Li Wei", "folder": f"/m/{name}"}
    return ModelEntry(key=name * 64, manifest="{}", seal="{}", **{**given, **facts})


def said(action: Any, person: str = "Wang", day: int = 0, **facts: Any) -> Decision:
    return Decision(
        action=action, person=person, role="r", reason="because", at=NOW + dt.timedelta(days=day), facts=facts
    )


def enter(registry: LoanRegistry, name: str = "a", **facts: Any) -> int:
    given = entry(name, **facts)
    done = registry.models.register(given, registration(given, role="developer", reason="new", at=NOW))
    assert done.state == "candidate"
    return done.model_id


def reviewed(registry: LoanRegistry, name: str = "a", **facts: Any) -> int:
    number = enter(registry, name, **facts)
    registry.models.decide(number, said("sample", rows=[3, 7], due="2026-03-31", seed=1))
    for row in (3, 7):
        registry.models.decide(number, said("verdict", row=row, verdict="agree"))
    return number


def test_two_persons_beside_the_trainer_approve(registry: LoanRegistry) -> None:
    number = reviewed(registry)
    assert registry.models.approved("agriculture", "CNY") is None
    assert registry.models.decide(number, said("approve", "Wang")).state == "candidate"
    for same in ("Li Wei", " li  WEI ", "Wang", "WANG", "Ｗａｎｇ"):
        with pytest.raises(InvalidInput, match=r"trained|approved M\d+ already"):
            registry.models.decide(number, said("approve", same))
    assert registry.models.decide(number, said("approve", "Zhao")).state == "approved"
    found = registry.models.approved("agriculture", "CNY")
    assert found is not None
    assert (found.model_id, found.approvers) == (number, ("Wang", "Zhao"))
    assert registry.models.approved("agriculture", "EUR") is None
    assert registry.models.check_chain()[0] == 6


ACTIONS = ("approve", "reject", "retire", "sample", "verdict", "backtest")
ALLOWED = {
    "candidate": {"approve", "reject", "sample", "verdict", "backtest"},
    "approved": {"retire", "sample", "verdict", "backtest"},
    "rejected": {"backtest"},
    "retired": {"backtest"},
}


@pytest.mark.parametrize(("state", "action"), [*itertools.product(ALLOWED, ACTIONS)])
def test_the_stand_allows_what_it_allows_and_nothing_else(registry: LoanRegistry, state: str, action: str) -> None:
    number = reviewed(registry)
    if state in ("approved", "retired"):
        for person in ("Wang", "Zhao"):
            registry.models.decide(number, said("approve", person))
    if state in ("rejected", "retired"):
        registry.models.decide(number, said("reject" if state == "rejected" else "retire"))
    assert registry.models.get(number).state == state
    facts: dict[str, Any] = {
        "verdict": {"row": 3, "verdict": "disagree"},
        "sample": {"rows": [1], "due": "2026-05-01", "seed": 2},
    }.get(action, {})
    before = registry.models.check_chain()
    if action in ALLOWED[state]:
        registry.models.decide(number, said(action, "Sun", **facts))
        assert registry.models.check_chain()[0] == before[0] + 1
    else:
        with pytest.raises(InvalidInput, match=f"M{number} is {state}"):
            registry.models.decide(number, said(action, "Sun", **facts))
        assert registry.models.check_chain() == before


def test_a_released_model_retires_the_one_before_it(registry: LoanRegistry) -> None:
    first, second, other = (reviewed(registry, "a"), reviewed(registry, "b"), reviewed(registry, "c", currency="EUR"))
    for number in (first, other, second):
        for person in ("Wang", "Zhao"):
            registry.models.decide(number, said("approve", person))
    assert [registry.models.get(n).state for n in (first, second, other)] == ["retired", "approved", "approved"]
    assert registry.models.get(first).events[-1].reason == f"replaced by M{second}"
    registry.models.check_chain()


def test_no_release_without_a_review_nor_while_one_is_overdue(registry: LoanRegistry) -> None:
    number = enter(registry)
    registry.models.decide(number, said("approve", "Wang"))
    with pytest.raises(InvalidInput, match="no sample was drawn"):
        registry.models.decide(number, said("approve", "Zhao"))
    registry.models.decide(number, said("sample", rows=[3, 7], due="2026-03-31", seed=1))
    registry.models.decide(number, said("verdict", row=3, verdict="agree"))
    with pytest.raises(InvalidInput, match="1 of 2 rows"):
        registry.models.decide(number, said("approve", "Zhao"))
    for bad in ({"row": 4, "verdict": "agree"}, {"row": 7, "verdict": "fine"}):
        with pytest.raises(InvalidInput, match=r"not in the sample|Expected a verdict"):
            registry.models.decide(number, said("verdict", **bad))
    with pytest.raises(InvalidInput, match="does not review"):
        registry.models.decide(number, said("verdict", "LI WEI", row=7, verdict="agree"))
    assert not is_review_overdue(registry.models.get(number), dt.date(2026, 3, 31))
    assert is_review_overdue(registry.models.get(number), dt.date(2026, 4, 1))
    other = reviewed(registry, "b")  # its own review is complete; the open one of the same class blocks it
    with pytest.raises(InvalidInput, match=f"review of M{number} is overdue"):
        registry.models.decide(other, said("approve", "Wang", day=40))
    registry.models.decide(number, said("verdict", row=7, verdict=VERDICTS[2], day=40))
    for person in ("Wang", "Zhao"):
        registry.models.decide(other, said("approve", person, day=41))
    assert registry.models.get(other).state == "approved"


def test_words_are_asked_for_and_the_same_model_is_entered_once(registry: LoanRegistry) -> None:
    number = enter(registry)
    for field in ("person", "role", "reason"):
        bad = Decision(**{**vars(said("approve")), field: "  "})
        with pytest.raises(InvalidInput, match=field):
            registry.models.decide(number, bad)
    with pytest.raises(InvalidInput, match=f"registered already, as M{number}"):
        enter(registry)
    with pytest.raises(MissingInput, match="no model M99"):
        registry.models.decide(99, said("approve"))
    with pytest.raises(BrokenData, match="time zone"):
        registry.models.decide(number, Decision(**{**vars(said("approve")), "at": NOW.replace(tzinfo=None)}))


@pytest.fixture
def chained(registry: LoanRegistry, url: str) -> tuple[LoanRegistry, str]:
    number = reviewed(registry)
    for person in ("Wang", "Zhao"):
        registry.models.decide(number, said("approve", person))
    enter(registry, "b")
    return registry, url


@pytest.mark.parametrize("entry_number", [1, 4, 7])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE model_event SET body = replace(body, 'because', 'BECAUSE') WHERE number = :n",
        "UPDATE model_event SET body = replace(body, 'Wang', 'Zhou'), entry_sha256 = 'x' WHERE number = :n",
        "DELETE FROM model_event WHERE number = :n",
        "UPDATE model_event SET number = 100 + :n WHERE number = :n",
        "UPDATE model_event SET model_id = 3 - model_id WHERE number = :n",
        "UPDATE model_event SET previous_sha256 = 'x' WHERE number = :n",
        "UPDATE model_event SET recorded_at = '2020-01-01 00:00:00' WHERE number = :n",
    ],
)
def test_every_edit_of_every_entry_is_seen(
    chained: tuple[LoanRegistry, str], statement: str, entry_number: int
) -> None:
    registry, url = chained
    entries, head = registry.models.check_chain()
    assert entries == 7
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        before = connection.execute(sa.text("SELECT * FROM model_event ORDER BY id")).all()
        connection.execute(sa.text(statement), {"n": entry_number})
        changed = connection.execute(sa.text("SELECT * FROM model_event ORDER BY id")).all() != before
    engine.dispose()
    if changed:
        with pytest.raises(BrokenData):
            registry.models.check_chain(head)
    else:
        registry.models.check_chain(head)
    assert changed or "because" in statement or "Wang" in statement


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE model SET trainer = 'Somebody' WHERE id = 1",
        "UPDATE model SET seal = '[]' WHERE id = 1",
        "UPDATE model SET folder = '/elsewhere' WHERE id = 1",
        "UPDATE model SET currency = 'EUR' WHERE id = 1",
    ],
)
def test_an_edited_row_of_a_model_is_seen(chained: tuple[LoanRegistry, str], statement: str) -> None:
    registry, url = chained
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()
    with pytest.raises(BrokenData, match="not the one that was registered"):
        registry.models.check_chain()


def test_what_is_cut_off_the_end_is_seen_by_a_head_noted_elsewhere(chained: tuple[LoanRegistry, str]) -> None:
    registry, url = chained
    _, head = registry.models.check_chain()
    registry.models.decide(1, said("retire"))
    registry.models.check_chain(head)  # an older head is still part of the chain
    _, newest = registry.models.check_chain()
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM model_event WHERE number = 8"))
    engine.dispose()
    registry.models.check_chain()  # without it nothing is missing: that is what the note is for
    with pytest.raises(BrokenData, match="cut off"):
        registry.models.check_chain(newest)


def test_eight_writers_make_one_chain(registry: LoanRegistry, url: str) -> None:
    number = enter(registry)

    def write(worker: int) -> None:
        with open_registry(url) as own:
            for n in range(4):
                own.models.decide(number, said("backtest", f"w{worker}", n=n))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert registry.models.check_chain()[0] == 33
