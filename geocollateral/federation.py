"""The use cases `federate`: several parties learn one value model, and no row leaves its owner (docs/federated.md)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from numpy.typing import NDArray
from pydantic import ValidationError

from geocollateral.errors import (
    BrokenData,
    GeocollateralError,
    InvalidInput,
    MissingInput,
    ServiceUnavailable,
)
from geocollateral.federated.joint_model import BOOSTER, JointModel, texts_of
from geocollateral.federated.messages import Done
from geocollateral.federated.noise import spent
from geocollateral.federated.plan import DAYS, Layout, Plan
from geocollateral.federated.rows import PartyRows, lot
from geocollateral.federated.session import Parties, require_loopback, take_part
from geocollateral.federated.together import Learned, learn_together
from geocollateral.federated.wire import SentLog, public_of
from geocollateral.training import HELD_OUT
from geocollateral.types import NOT_A_VALUATION
from geocollateral.valuation.cells import numbers_in
from geocollateral.valuation.ratio_study import ratio_study
from geocollateral.valuation.sale_dates import times_of
from geocollateral.valuation.sales import understand_sales

Floats = NDArray[np.float64]
SAME = 1e-9
"""Largest difference of a party's own log prices from those of the model it is given."""


@dataclass(frozen=True, kw_only=True)
class PartyTable:
    """A party's table as the plan reads it. Arrays have shape (row,), usable rows only."""

    rows: pd.DataFrame
    position: NDArray[np.int64]
    """Position of each row in the table as given."""
    numbers: Mapping[str, Floats]
    kinds: Mapping[str, NDArray[np.object_]]
    price: Floats
    held_out: NDArray[np.bool_]
    n_unusable: int
    drawn_in: Mapping[str, int]
    """Rows outside of the agreed range, by column: drawn in to learn from, refused to value."""


def new_key(path: Path) -> str:
    """Write a new private key (PEM, readable by its owner only) and return the public one for the plan.

    Raises
    ------
    InvalidInput
        There is a file already.
    """
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    except FileExistsError as error:
        raise InvalidInput(f"{path} exists; a key is never overwritten. Give another name.") from error
    return public_of(key)


def read_key(path: Path) -> Ed25519PrivateKey:
    """A private key as `new_key` wrote it.

    Raises
    ------
    MissingInput, InvalidInput
        There is none, or the file is no such key.
    """
    if not path.is_file():
        raise MissingInput(f"{path}: no such file. `geocollateral federate key {path}` makes a key.")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"{path} holds no private key as `geocollateral federate key` writes: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(f"{path}: expected an Ed25519 key as `geocollateral federate key` writes.")
    return key


def read_plan(path: Path) -> Plan:
    """The plan that all parties agreed on, from YAML.

    Raises
    ------
    MissingInput, InvalidInput
        There is none, or it says something that a plan cannot.
    """
    if not path.is_file():
        raise MissingInput(f"{path}: no such file; docs/federated.md shows a plan.")
    try:
        return Plan.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        told = [f"{'.'.join(map(str, e['loc'])) or 'plan'}: {e['msg']}" for e in error.errors(include_url=False)[:5]]
        raise InvalidInput(f"{path}: {'; '.join(told)}.") from error


def party_table(rows: pd.DataFrame, plan: Plan, party: str) -> PartyTable:
    """Read a party's table as the plan says.

    Raises
    ------
    MissingInput
        A column of the plan is not there.
    InvalidInput
        A column that the plan learns from holds the price itself or an opinion of it.
    """
    rows = rows.reset_index(drop=True)
    wanted = [*plan.numbers, *plan.kinds, *plan.places, plan.target, *([plan.time.column] if plan.time else [])]
    lacking = [name for name in wanted if name not in rows]
    if lacking:
        raise MissingInput(f"The table has no column {', '.join(map(repr, lacking))}, which the plan names.")
    # Its own rules tell what is a price in disguise.
    date = plan.time.column if plan.time else None
    for use in understand_sales(rows[wanted], target=plan.target, date=date).columns:
        if use.role == "left out" and "price" in use.reason:
            raise InvalidInput(f"The plan learns from {use.name}, but {use.reason}. Take it out of the plan.")
    numbers = {name: numbers_in(rows[name]) for name in (*plan.numbers, *plan.places)}
    price = numbers_in(rows[plan.target])
    usable = price > 0
    held_out = lot(plan, party, "held out").random(len(rows)) < HELD_OUT
    if plan.time is not None:
        _, days = times_of(rows[plan.time.column], plan.time.column)
        if days is None:
            raise InvalidInput(f"{plan.time.column}: expected days of sale such as 2024-05-31, found numbers.")
        first, last = (np.datetime64(day, "D") for day in (plan.time.first, plan.time.last))
        usable &= ~np.isnat(days)
        held_out = days > last
        # The level of prices is held after the last day learned from, as everywhere (CRR article 229(1)).
        since = (np.clip(days, first, last) - first).astype("timedelta64[D]").astype(np.float64)
        numbers[DAYS] = np.where(np.isnat(days), np.nan, since)
    drawn_in = {
        name: int(((numbers[name] < r.low) | (numbers[name] > r.high))[usable].sum())
        for name, r in {**plan.numbers, **plan.places}.items()
    }
    drawn_in[plan.target] = int(((price < plan.price.low) | (price > plan.price.high))[usable].sum())
    return PartyTable(
        rows=rows,
        position=np.flatnonzero(usable),
        numbers={name: values[usable] for name, values in numbers.items()},
        kinds={name: _texts(rows[name])[usable] for name in plan.kinds},
        price=price[usable],
        held_out=held_out[usable],
        n_unusable=int((~usable).sum()),
        drawn_in={name: n for name, n in drawn_in.items() if n},
    )


def coordinate(
    plan: Plan,
    identity: Ed25519PrivateKey,
    listen: tuple[str, int],
    out: Path,
    *,
    timeout: float = 120.0,
    note: Callable[[str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Learned:
    """Lead a session: wait for all parties, learn from their sums, give all the model and write it to a new folder.

    Parameters
    ----------
    timeout
        Longest wait for all to join, and for each answer [s].
    note
        Told where it listens, who joined and who was turned away.

    Raises
    ------
    InvalidInput
        The key is not the plan's, the folder exists, or the address is not of this machine.
    ServiceUnavailable
        A party did not come or dropped out; nothing is written.
    BrokenData
        A party sent something else than its share; nothing is written.
    """
    if public_of(identity) != plan.coordinator:
        raise InvalidInput("The key is not that of the coordinator in the plan.")
    require_loopback(listen[0])
    _require_new(out)
    parties, told = Parties(plan), note or (lambda _: None)
    try:
        with socket.create_server(listen) as listener:
            told(f"listening on {listen[0]}:{listener.getsockname()[1]}")
            parties.gather(listener, identity, timeout, told)
        learned = learn_together(plan, parties, progress)
        model, booster = texts_of(plan, learned)
        parties.finish(model, booster)
        study = {**_made_of(plan, learned), "all_parties": dict(learned.held_out)}
        _write(out, model, booster, study, _card(plan, study, None), None)
    except OSError as error:
        parties.abort("the coordinator cannot go on.")
        raise ServiceUnavailable(f"{listen[0]}:{listen[1]}: {error}") from error
    except GeocollateralError as error:
        parties.abort(str(error))
        raise
    finally:
        parties.close()
    return learned


def join(
    rows: pd.DataFrame,
    plan: Plan,
    party: str,
    identity: Ed25519PrivateKey,
    connect: tuple[str, int],
    out: Path,
    *,
    sent: Path,
    timeout: float = 120.0,
) -> Mapping[str, Any]:
    """Take part with one table: answer with masked sums, and write the model with a study of the own held-out rows.

    Parameters
    ----------
    sent
        ``sent.jsonl``: what left, a line each; kept whatever happens.

    Raises
    ------
    InvalidInput
        The key or the name is not in the plan, the folder exists, or the table holds too few rows.
    ServiceUnavailable
        The coordinator cannot be reached, is gone, or ended the session; no model is written.
    BrokenData
        Somebody is not who the plan says, or asked for what it does not allow; no model is written.
    """
    if party not in plan.parties:
        raise InvalidInput(f"{party!r} is no party of the plan; it names {', '.join(plan.order)}.")
    if public_of(identity) != plan.parties[party]:
        raise InvalidInput(f"The key is not that of {party} in the plan.")
    require_loopback(connect[0])
    _require_new(out)
    table = party_table(rows, plan, party)
    matrix = Layout(plan).matrix(table.numbers, table.kinds)
    own = PartyRows(plan, party, matrix, table.price, table.held_out)

    def check(done: Done) -> None:
        model = JointModel.of(done.model, done.booster)
        if model.plan != plan:
            raise BrokenData("The model received is of another plan.")
        if np.abs(model.log_prices(matrix) - own.log_prices).max() > SAME:
            raise BrokenData("The model received is not the one that was learned: its values differ from our own.")

    try:
        with socket.create_connection(connect, timeout=timeout) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            done = take_part(link, plan, party, identity, own, SentLog(sent, plan, party), check)
    except OSError as error:
        raise ServiceUnavailable(f"{connect[0]}:{connect[1]}: {error}") from error
    model = JointModel.of(done.model, done.booster)
    told = _predictions(table, model)
    study = {**_own_study(told, model), "party": party, "drawn_in": dict(table.drawn_in)}
    study |= {"n_unusable": table.n_unusable, "n_own_learned": int((~table.held_out).sum())}
    _write(out, done.model, done.booster, study, _card(plan, study, party), told)
    return study


def _texts(column: pd.Series) -> NDArray[np.object_]:
    text = column.astype("string").str.strip().str.replace(r"\.0$", "", regex=True)
    return text.astype(object).where(text.notna(), None).to_numpy(object)


def _require_new(out: Path) -> None:
    if out.exists():
        raise InvalidInput(f"{out} exists. Give the name of a new folder with --out.")


def _predictions(table: PartyTable, model: JointModel) -> pd.DataFrame:
    """Held-out rows, in the columns that `train` writes."""
    test = table.held_out
    told = model.predict(
        {name: values[test] for name, values in table.numbers.items()},
        {name: values[test] for name, values in table.kinds.items()},
    )
    given = table.rows.iloc[table.position[test]].reset_index(drop=True)
    head = pd.DataFrame({"row_id": table.position[test], "price": table.price[test]})
    head = pd.concat([head, told], axis=1)
    given.columns = [f"input_{name}" if str(name) in head else str(name) for name in given.columns]
    return pd.concat([head, given], axis=1)


def _own_study(told: pd.DataFrame, model: JointModel) -> dict[str, Any]:
    valued = told[~told["refused"]]
    inside = (valued["price"] >= valued["p05"]) & (valued["price"] <= valued["p95"])
    enough = len(valued) >= 2
    return {
        "disclaimer": NOT_A_VALUATION,
        "plan_sha256": model.plan.digest(),
        "n_held_out": len(told),
        "n_refused": int(told["refused"].sum()),
        "study": ratio_study(valued["p50"].to_numpy(), valued["price"].to_numpy()).as_dict() if enough else None,
        "interval": {
            "level": model.plan.learning.level,
            "coverage": float(inside.mean()) if len(valued) else None,
        },
    }


def _made_of(plan: Plan, learned: Learned) -> dict[str, Any]:
    return {
        "disclaimer": NOT_A_VALUATION,
        "plan_sha256": plan.digest(),
        "parties": list(plan.order),
        "n_learned": learned.n_learned,
        "n_trees": len(learned.trees),
        "privacy": _privacy(plan),
    }


def _privacy(plan: Plan) -> dict[str, Any]:
    if plan.noise is None:
        return {"masked_sums": True, "differential_privacy": None}
    return {
        "masked_sums": True,
        "differential_privacy": {
            "epsilon": plan.noise.epsilon,
            "delta": plan.noise.delta,
            "protects": "one row of any party against whoever sees all sums and the model",
            "accountant": "zCDP, releases added up",
            "rho_of_each_release": spent(plan),
            "colluding": plan.noise.colluding,
        },
    }


def _card(plan: Plan, study: Mapping[str, Any], party: str | None) -> str:
    lines = [f"# Joint model `{plan.name}`", "", f"> {NOT_A_VALUATION}", ""]
    lines.append(
        f"Learned by {len(plan.parties)} parties ({', '.join(plan.order)}) from masked sums; "
        f"plan `{plan.digest()[:16]}`."
    )
    if party is None:
        lines.append(f"{study['n_learned']} rows, {study['n_trees']} trees.")
        found = study["all_parties"]
        figures = {"median error": found["mdape"], "coverage of the interval": found["coverage"]}
        n, whose = found["n"], "of all parties"
    else:
        own = study["study"]
        figures = {"median error": own and own["mdape"], "coverage of the interval": study["interval"]["coverage"]}
        n, whose = study["n_held_out"], f"of {party}"
    told = ", ".join(f"{name} {value:.1%}" for name, value in figures.items() if value is not None)
    lines += ["", f"On {n} held-out rows {whose}: {told or 'too few to tell'}."]
    noise = plan.noise
    lines += [
        "",
        "Sums are exact; what they tell is in docs/federated.md."
        if noise is None
        else f"Differentially private by row: epsilon {noise.epsilon:g}, delta {noise.delta:g}.",
    ]
    lines += ["", "Rows outside of the agreed ranges and kinds are refused and have no number."]
    return "\n".join(lines) + "\n"


def _write(out: Path, model: str, booster: str, study: Mapping[str, Any], card: str, told: pd.DataFrame | None) -> None:
    """All of it or nothing: the folder has its name only when it is complete."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    try:
        (partial / "model").mkdir()
        (partial / "model" / "model.json").write_text(model, encoding="utf-8")
        (partial / "model" / BOOSTER).write_text(booster, encoding="utf-8")
        (partial / "ratio_study.json").write_text(json.dumps(study, indent=1, ensure_ascii=False), encoding="utf-8")
        (partial / "card.md").write_text(card, encoding="utf-8")
        if told is not None:
            told.to_parquet(partial / "predictions.parquet", index=False)
        partial.chmod(0o755)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


__all__ = ["PartyTable", "coordinate", "join", "new_key", "party_table", "read_key", "read_plan"]
