"""A session over loopback: what each party sends, and every way in which it ends without a model."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from banks import banks, plan
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import TypeAdapter

from geocollateral import federation
from geocollateral.errors import BrokenData, GeocollateralError, InvalidInput, ServiceUnavailable
from geocollateral.federated import session, wire
from geocollateral.federated.masks import from_words
from geocollateral.federated.messages import FromParty, Hello, Message, Roster, Sum, Welcome
from geocollateral.federated.plan import Plan
from geocollateral.federated.rows import PartyRows

TABLES = banks((150, 150, 200))
KEYS = {name: Ed25519PrivateKey.generate() for name in TABLES}
COORDINATOR = Ed25519PrivateKey.generate()
PLAN = plan(
    {name: wire.public_of(key) for name, key in KEYS.items()},
    coordinator=wire.public_of(COORDINATOR),
    learning={"trees": 2, "depth": 2, "bins": 12},
)
Outcome = dict[str, Any]


def play(folder: Path, parties: dict[str, Callable[[tuple[str, int]], Any]], timeout: float = 5.0) -> Outcome:
    """Run a coordinator and some parties in threads; what each returned or raised."""
    found: Outcome = {}
    listening = threading.Event()
    address: list[tuple[str, int]] = []
    notes: list[str] = []

    def keep(name: str, act: Callable[[], Any]) -> None:
        try:
            found[name] = act()
        except GeocollateralError as error:
            found[name] = error

    def note(text: str) -> None:
        notes.append(text)
        if text.startswith("listening"):
            address.append(("127.0.0.1", int(text.rpartition(":")[2])))
            listening.set()

    def lead() -> Any:
        return federation.coordinate(
            PLAN, COORDINATOR, ("127.0.0.1", 0), folder / "coordinator", timeout=timeout, note=note
        )

    threads = [threading.Thread(target=keep, args=("coordinator", lead))]
    threads[0].start()
    assert listening.wait(10)
    for name, act in parties.items():
        threads.append(threading.Thread(target=keep, args=(name, lambda act=act: act(address[0]))))
        threads[-1].start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    found["notes"] = notes
    return found


def member(folder: Path, name: str, **changes: Any) -> Callable[[tuple[str, int]], Any]:
    given = {"plan": PLAN, "identity": KEYS[name], **changes}
    return lambda address: federation.join(
        TABLES[name], given["plan"], name, given["identity"], address, folder / name,
        sent=folder / f"{name}.jsonl", timeout=5.0,
    )  # fmt: skip


def members(folder: Path) -> dict[str, Callable[[tuple[str, int]], Any]]:
    return {name: member(folder, name) for name in TABLES}


def test_what_each_party_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares are noise one by one, exact in sum, and each is in the log of its party as it was."""
    frames: dict[str, list[bytes]] = {name: [] for name in TABLES}
    plain: dict[str, list[np.ndarray]] = {name: [] for name in TABLES}
    write, answer = wire.SentLog.__call__, PartyRows.answer

    def record(self: wire.SentLog, message: Message, frame: bytes) -> None:
        frames[self._path.stem].append(frame)
        write(self, message, frame)

    def remember(self: PartyRows, asked: Any) -> np.ndarray:
        plain[self.party].append(answer(self, asked))
        return plain[self.party][-1]

    monkeypatch.setattr(wire.SentLog, "__call__", record)
    monkeypatch.setattr(PartyRows, "answer", remember)
    found = play(tmp_path, members(tmp_path))
    assert not [v for v in found.values() if isinstance(v, Exception)], found

    shares: dict[str, list[np.ndarray]] = {}
    for name, own in frames.items():
        logged = [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
        assert logged[0] == {"session_of": name, "plan": PLAN.digest(), "model": "test"}
        assert [e["sha256"] for e in logged[1:]] == [hashlib.sha256(f).hexdigest() for f in own]
        assert [e["bytes"] for e in logged[1:]] == [len(f) for f in own]
        assert [e["kind"] for e in logged[1:]] == ["hello", "joined", *["sum"] * (len(own) - 3), "received"]
        said = [wire.unpack(f, FromParty) for f in own[1:]]
        shares[name] = [np.frombuffer(body, "<u8") for message, body in said if isinstance(message, Sum)]
        # Nothing but kind, round and number stands beside the masked words.
        assert {tuple(m.model_dump()) for m, _ in said if isinstance(m, Sum)} == {("kind", "round", "of", "n")}

    rounds = len(shares["bank0"])
    assert rounds > 6
    for name in TABLES:
        for share, own in zip(shares[name], plain[name], strict=True):
            assert not (np.abs(from_words(share)[:-1] - own) < 1e-3).any()
        bits = np.unpackbits(np.concatenate(shares[name]).view(np.uint8))
        assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(bits))
    for n in range(rounds):
        total = from_words(shares["bank0"][n] + shares["bank1"][n] + shares["bank2"][n])
        assert total[-1] == 3
        assert np.allclose(total[:-1], sum(plain[name][n] for name in TABLES), rtol=0, atol=1e-9)
    models = {(tmp_path / name / "model" / "boosted.txt").read_bytes() for name in (*TABLES, "coordinator")}
    assert len(models) == 1


def test_no_file_of_the_coordinator_holds_a_row(tmp_path: Path) -> None:
    play(tmp_path, members(tmp_path))
    text = "".join(p.read_text() for p in (tmp_path / "coordinator").rglob("*") if p.is_file())
    assert "predictions" not in {p.stem for p in (tmp_path / "coordinator").rglob("*")}
    for table in TABLES.values():
        for column in ("price", "area_mu", "lon_m"):
            assert not [v for v in table[column].head(30) if repr(float(v)) in text]


def leaves_after(n: int) -> Callable[[tuple[str, int]], Any]:
    """A party that greets properly, answers nothing and goes."""

    def act(address: tuple[str, int]) -> None:
        own = X25519PrivateKey.generate()
        hello = Hello(plan=PLAN.digest(), party="bank2", channel=wire.public_of(own), mask=wire.public_of(own))
        hello = hello.model_copy(update={"signature": KEYS["bank2"].sign(hello.signed_part()).hex()})
        with socket.create_connection(address, timeout=5) as link:
            channel = wire.greet(link, PLAN, hello, own, lambda *_: None)
            for _ in range(n):
                channel.receive(session.FromCoordinator)
                channel.send(session.Joined())

    return act


def sends(frame: bytes | None) -> Callable[[tuple[str, int]], Any]:
    """A party of the plan that answers the list of parties with bytes of its own, or in silence."""

    def act(address: tuple[str, int]) -> None:
        own = X25519PrivateKey.generate()
        hello = Hello(plan=PLAN.digest(), party="bank2", channel=wire.public_of(own), mask=wire.public_of(own))
        hello = hello.model_copy(update={"signature": KEYS["bank2"].sign(hello.signed_part()).hex()})
        with socket.create_connection(address, timeout=5) as link:
            channel = wire.greet(link, PLAN, hello, own, lambda *_: None)
            channel.receive(session.FromCoordinator)
            if frame is not None:
                link.sendall(frame)
            channel.receive(session.FromCoordinator)

    return act


def wrong_share(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[str, int]], Any]:
    mask = session.Masks.mask

    def garbage(self: session.Masks, number: int, values: np.ndarray) -> np.ndarray:
        share = mask(self, number, values)
        return share[::-1] if self._own == "bank2" and number == 3 else share

    monkeypatch.setattr(session.Masks, "mask", garbage)
    return member(folder, "bank2")


@pytest.mark.parametrize(
    ("third", "error", "text"),
    [
        pytest.param(leaves_after(0), ServiceUnavailable, "bank2", id="goes before the list"),
        pytest.param(leaves_after(1), ServiceUnavailable, "bank2.*closed|bank2.*broke|bank2.*gone", id="drops out"),
        pytest.param(sends(b"\xff\xff\xff\xff"), BrokenData, "bank2.*at most", id="endless frame"),
        pytest.param(sends(b"\x00\x00\x00\x20" + b"x" * 32), BrokenData, "bank2.*did not seal", id="garbage"),
        pytest.param(sends(None), ServiceUnavailable, "bank2.*no answer within 2 s", id="silent"),
        pytest.param(None, BrokenData, "masks of round 3 do not vanish", id="wrong share"),
    ],
)
def test_if_a_party_fails_nothing_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, third: Any, error: type[Exception], text: str
) -> None:
    parties = {**members(tmp_path), "bank2": third or wrong_share(tmp_path, monkeypatch)}
    found = play(tmp_path, parties, timeout=2.0)
    assert isinstance(found["coordinator"], error)
    assert re.search(text, str(found["coordinator"]))
    for name in ("bank0", "bank1"):
        assert isinstance(found[name], ServiceUnavailable)
        assert "bank2" in str(found[name]) or text.startswith("masks")
        assert (tmp_path / f"{name}.jsonl").is_file()  # what left stays on record
    assert not [p for p in tmp_path.iterdir() if p.is_dir()]


def test_strangers_are_turned_away_and_the_session_goes_on(tmp_path: Path) -> None:
    def port_scan(address: tuple[str, int]) -> None:
        with socket.create_connection(address) as link:
            link.sendall(b"GET / HTTP/1.1\r\n\r\n")

    def impostor(address: tuple[str, int]) -> None:
        own = X25519PrivateKey.generate()
        hello = Hello(plan=PLAN.digest(), party="bank1", channel=wire.public_of(own), mask=wire.public_of(own))
        with socket.create_connection(address, timeout=5) as link:
            wire.greet(link, PLAN, hello, own, lambda *_: None)

    other = member(tmp_path, "bank1", plan=PLAN.model_copy(update={"name": "other"}))

    def in_turn(address: tuple[str, int]) -> Any:
        port_scan(address)
        for act in (impostor, other):
            with pytest.raises(ServiceUnavailable, match="admit"):
                act(address)
        return member(tmp_path, "bank1")(address)

    found = play(tmp_path, {**members(tmp_path), "bank1": in_turn})
    assert not [v for v in found.values() if isinstance(v, Exception)], found
    assert sum("turned away" in note for note in found["notes"]) == 3
    assert any("another plan" in note for note in found["notes"])


def test_who_does_not_come_is_named(tmp_path: Path) -> None:
    found = play(tmp_path, {name: member(tmp_path, name) for name in ("bank0", "bank1")}, timeout=1.0)
    assert "bank2" in str(found["coordinator"])
    assert isinstance(found["coordinator"], ServiceUnavailable)


def greetings() -> tuple[dict[str, Hello], dict[str, X25519PrivateKey]]:
    keys = {name: X25519PrivateKey.generate() for name in TABLES}
    found = {}
    for name, key in keys.items():
        hello = Hello(plan=PLAN.digest(), party=name, channel=wire.public_of(key), mask=wire.public_of(key))
        found[name] = hello.model_copy(update={"signature": KEYS[name].sign(hello.signed_part()).hex()})
    return found, keys


@pytest.mark.parametrize("change", ["other's key of masks", "own greeting", "one is missing", "one twice", "plan"])
def test_a_coordinator_cannot_slip_in_keys_of_its_own(change: str) -> None:
    hellos, keys = greetings()
    fine = session.masks_of(Roster(hellos=tuple(hellos.values())), PLAN, hellos["bank0"], keys["bank0"])
    assert isinstance(fine, session.Masks)
    ours = wire.public_of(X25519PrivateKey.generate())
    own = hellos["bank0"]
    match change:
        case "other's key of masks":
            hellos["bank1"] = hellos["bank1"].model_copy(update={"mask": ours})
        case "own greeting":
            hellos["bank0"] = own.model_copy(update={"mask": ours})
        case "one is missing":
            del hellos["bank2"]
        case "one twice":
            hellos["more"] = hellos["bank1"]
        case "plan":
            hellos["bank1"] = hellos["bank1"].model_copy(update={"plan": "0" * 64})
    with pytest.raises(BrokenData):
        session.masks_of(Roster(hellos=tuple(hellos.values())), PLAN, own, keys["bank0"])


def test_a_false_coordinator_gets_nothing_but_the_greeting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def pose() -> None:
            link, _ = server.accept()
            with link:
                wire.admit(link, PLAN, Ed25519PrivateKey.generate())

        thread = threading.Thread(target=pose)
        thread.start()
        with pytest.raises(BrokenData, match="not the coordinator"):
            member(tmp_path, "bank0")(("127.0.0.1", server.getsockname()[1]))
        thread.join(10)
    assert len((tmp_path / "bank0.jsonl").read_text().splitlines()) == 2
    assert not (tmp_path / "bank0").exists()


@pytest.mark.parametrize(
    "frame",
    [b"", b"\x00\x00", b"\x00\x00\x00\x05{}", b"\x00\x00\x00\x02[]",
     wire.pack(Welcome(channel="0" * 64, answers="0" * 64)),
     b'\x00\x00\x00\x28{"kind":"sum","round":0,"of":"x","n":-1}', b"\x00\x00\x00\x04\xff\xfe\xfd\xfc"],
)  # fmt: skip
def test_what_is_no_message_is_refused(frame: bytes) -> None:
    with pytest.raises(BrokenData):
        wire.unpack(frame, FromParty)
    with pytest.raises(BrokenData):
        wire.unpack(frame, TypeAdapter(Hello))


def test_a_model_that_is_not_the_one_learned_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = federation.texts_of

    def changed(agreed: Plan, learned: Any) -> tuple[str, str]:
        model, booster = texts(agreed, learned)
        said = json.loads(model)
        said["slopes"][0] += 1e-6
        return json.dumps(said), booster

    monkeypatch.setattr(federation, "texts_of", changed)
    found = play(tmp_path, members(tmp_path))
    assert isinstance(found["bank0"], BrokenData)
    assert isinstance(found["coordinator"], BrokenData)
    assert not [p for p in tmp_path.iterdir() if p.is_dir()]


# ------------------------------------------------------------------------------------------------ before it begins


def test_beyond_this_machine_a_tunnel_is_asked_for(tmp_path: Path) -> None:
    for host in ("::", "192.0.2.1", "example.org"):
        with pytest.raises(InvalidInput, match="mutual TLS"):
            federation.coordinate(PLAN, COORDINATOR, (host, 0), tmp_path / "out")
        with pytest.raises(InvalidInput, match="mutual TLS"):
            member(tmp_path, "bank0")((host, 1))


def test_keys_names_and_folders_are_checked_first(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="key"):
        federation.coordinate(PLAN, KEYS["bank0"], ("127.0.0.1", 0), tmp_path / "out")
    with pytest.raises(InvalidInput, match="key"):
        member(tmp_path, "bank0", identity=KEYS["bank1"])(("127.0.0.1", 1))
    (tmp_path / "bank0").mkdir()
    with pytest.raises(InvalidInput, match="exists"):
        member(tmp_path, "bank0")(("127.0.0.1", 1))
    path = tmp_path / "a.pem"
    public = federation.new_key(path)
    assert wire.public_of(federation.read_key(path)) == public
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(InvalidInput, match="never overwritten"):
        federation.new_key(path)
    path.write_text("no key")
    with pytest.raises(InvalidInput):
        federation.read_key(path)


def test_a_loan_is_no_feature_whatever_the_plan_says() -> None:
    agreed = plan(numbers={"loan_amount": {"low": 1, "high": 1e8}})
    with pytest.raises(InvalidInput, match="loan_amount"):
        federation.party_table(TABLES["bank0"], agreed, "bank0")


def test_rows_that_cannot_be_used_are_counted() -> None:
    table = TABLES["bank0"].copy()
    table["price"] = table["price"].astype(object)
    table.loc[0, "price"], table.loc[1, "sold"], table.loc[2, "area_mu"] = "n/a", None, 1e6
    found = federation.party_table(table, PLAN, "bank0")
    assert found.n_unusable == 2
    assert found.drawn_in == {"area_mu": 1}
    assert found.held_out.sum() == (table["sold"].drop(index=[0, 1]) > "2023-04-30").sum()
