"""The use cases of value models: registered, reviewed, approved, used, tested on what closed later, and retired."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.assets import ASSETS
from geocollateral.errors import BrokenData, GeocollateralError, InvalidInput, MissingInput
from geocollateral.intake.currencies import CURRENCIES
from geocollateral.store import (
    VERDICTS,
    Action,
    Decision,
    LoanRegistry,
    ModelEntry,
    ModelEvent,
    ModelRow,
    is_review_overdue,
    open_registry,
    registration,
    review_of,
    signed_content,
)
from geocollateral.valuation.comparables import SALES, Sold, sold_of
from geocollateral.valuation.drift import DriftReport, drift_by_month
from geocollateral.valuation.later_sales import LaterSales, features_for, later_sales
from geocollateral.valuation.model_backtest import Backtest, Duel, backtest, duel
from geocollateral.valuation.model_card import model_card
from geocollateral.valuation.model_files import load_model
from geocollateral.valuation.model_seal import (
    SEAL,
    ModelParams,
    Seal,
    canonical,
    is_signed,
    new_key,
    person_key,
    public_hex,
    read_key,
    read_manifest,
    read_seal,
    require_proof,
    require_sealed,
    seal,
    sign,
    statement_of,
    write_key,
)
from geocollateral.valuation.sale_dates import times_of
from geocollateral.valuation.value_model import ValueModel

STRATA = 3
"""Thirds of the value and of the width of the interval, from which a sample for review is drawn."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who acts, and why."""

    name: str
    role: str
    reason: str
    key: Path | None = None
    """File of the own private key."""


@dataclass(frozen=True, kw_only=True)
class ApprovedModel:
    """The model to value with, and what is known of it."""

    name: str
    """Such as ``M3``."""
    key: str
    """SHA-256 by which it is known."""
    sha256: str
    """Of its ``model.json``, which holds those of all its other files."""
    asset_class: str
    currency: str
    price_per: str | None
    """What its prices are of: see `model_seal.PRICE_PER`; None: whoever registered it did not say."""
    model: ValueModel
    training: Mapping[str, Any]
    """What it was trained on, with the recipes of its features and its plane; see `later_sales.features_for`."""
    study: Mapping[str, Any]
    """How well it did on held-out sales: ``ratio_study.json``."""
    sold: Sold | None
    """Sales of its training, for comparables; None where training of an older version kept none."""
    sold_dates: Mapping[int, str | None]
    """Days of these sales (ISO) by their ``row_id``."""
    row: ModelRow
    """What was decided on it."""


# ------------------------------------------------------------------------------------------------------------- using


def approved_model(
    registry: LoanRegistry, *, asset_class: str, currency: str, params: ModelParams
) -> ValueModel | None:
    """The approved model of an asset class and currency, checked byte by byte before it is read; None: there is none.

    Raises
    ------
    BrokenData
        A file, the seal, an approval or the chain is not what was signed: nothing is loaded.
    MissingInput
        The folder of the approved model is not there.
    """
    registry.models.check_chain()
    row = registry.models.approved(asset_class, currency)
    return None if row is None else load_approved(row, params).model


def load_approved(row: ModelRow, params: ModelParams) -> ApprovedModel:
    """A model of the registry with the proof of how well it does; every byte is checked before it is read.

    Raises
    ------
    BrokenData
        A file, the seal or a decision is not what was signed: nothing is loaded.
    MissingInput
        The folder of the model is not there.
    """
    for event in row.events:
        _require_bound(event, params)
    folder, manifest = _require_untouched(row, params)
    require_proof(folder.parent, manifest)
    model = load_model(folder, manifest["files"]["model.json"])
    table = pd.read_parquet(folder.parent / SALES) if SALES in manifest["proof"] else None
    return ApprovedModel(
        name=f"M{row.model_id}",
        key=row.entry.key,
        sha256=manifest["files"]["model.json"],
        asset_class=row.entry.asset_class,
        currency=row.entry.currency,
        price_per=read_seal(row.entry.seal.encode()).statement.get("price_per"),
        model=model,
        training=manifest["training"],
        study=json.loads((folder.parent / "ratio_study.json").read_text(encoding="utf-8")),
        sold=None if table is None else sold_of(table, model),
        sold_dates={} if table is None else dict(zip(table["row_id"].tolist(), table["date"].tolist(), strict=True)),
        row=row,
    )


def _require_untouched(row: ModelRow, params: ModelParams) -> tuple[Path, dict[str, Any]]:
    folder = Path(row.entry.folder)
    if not folder.is_dir():
        raise MissingInput(f"The folder of M{row.model_id} is not there: {folder}.")
    known = read_seal(row.entry.seal.encode())
    if known.key != row.entry.key or any(
        known.statement[name] != getattr(row.entry, name) for name in ("asset_class", "currency", "trainer")
    ):
        raise BrokenData(f"The seal of M{row.model_id} is not for what the registry says; nothing was loaded.")
    return folder, require_sealed(folder, known, params.trusted_keys)


def _key_of(name: str, params: ModelParams) -> str | None:
    return next((k for person, k in params.trusted_keys.items() if person_key(person) == person_key(name)), None)


def _require_bound(event: ModelEvent, params: ModelParams) -> None:
    """Who has a key in the settings decides only with it."""
    if event.action not in ("register", "approve", "reject", "retire", "verdict"):
        return
    trusted = _key_of(event.person, params)
    if trusted is None:
        if params.require_keys:
            raise BrokenData(f"{event.person} has no key in models.trusted_keys, and models.require_keys is set.")
        return
    said = Decision(**{name: getattr(event, name) for name in Decision.__annotations__})
    if event.signature is None or not is_signed(
        trusted, event.signature, "decision", signed_content(event.model, said)
    ):
        raise BrokenData(
            f"Entry {event.number}, {event.action} by {event.person}, is not signed with that person's key."
        )


# ---------------------------------------------------------------------------------------------------------- deciding


def make_key(path: Path) -> str:
    """Make a private key in a new file; the public half, for the settings."""
    key = new_key()
    write_key(key, path)
    return public_hex(key)


def register(
    registry: LoanRegistry,
    run: Path,
    person: Person,
    *,
    asset_class: str,
    currency: str,
    at: dt.datetime,
    params: ModelParams,
    price_per: str = "total",
) -> ModelRow:
    """Enter what `train` wrote as a candidate; with a key, signed. The person is its trainer.

    Raises
    ------
    InvalidInput
        An unknown asset class, currency or unit of prices, a key that is not the person's in the settings, or a model
        already entered.
    BrokenData
        The folder is not as training wrote it.
    """
    if asset_class not in ASSETS:
        raise InvalidInput(f"Expected an asset class of {', '.join(ASSETS)}; got {asset_class!r}.")
    if currency not in CURRENCIES:
        raise InvalidInput(f"Expected a currency of ISO 4217 such as CNY; got {currency!r}.")
    folder = (run / "model").resolve()
    manifest = read_manifest(folder)
    require_proof(folder.parent, manifest)
    load_model(folder)
    statement = statement_of(
        manifest, asset_class=asset_class, currency=currency, trainer=person.name, price_per=price_per
    )
    key = None if person.key is None else read_key(person.key)
    if key is not None and public_hex(key) != _key_of(person.name, params):
        raise InvalidInput(
            f"The key in {person.key} is not that of {person.name} in models.trusted_keys; its public half is "
            f"{public_hex(key)}."
        )
    made = seal(statement, key)
    given = ModelEntry(
        key=made.key,
        asset_class=asset_class,
        currency=currency,
        trainer=person.name,
        folder=str(folder),
        manifest=canonical(manifest).decode(),
        seal=made.as_bytes().decode(),
    )
    plain = registration(given, role=person.role, reason=person.reason, at=at)
    decision = _bound(given.key, plain, person, params)
    home = folder / SEAL
    if home.exists() and home.read_bytes() != made.as_bytes():
        raise InvalidInput(f"{home} is of another registration. Register a copy of the folder without that file.")
    home.write_bytes(made.as_bytes())
    return registry.models.register(given, decision)


def decide(
    registry: LoanRegistry,
    model: str,
    action: Action,
    person: Person,
    *,
    at: dt.datetime,
    params: ModelParams,
    facts: Mapping[str, Any] | None = None,
) -> ModelRow:
    """Approve, reject or retire a model, or enter what belongs to its review.

    Raises
    ------
    InvalidInput
        The stand of the model or the person does not allow it; the model is not signed; the person's key is missing.
    BrokenData
        The files of a model that is to be approved are not those that were signed.
    """
    row = registry.models.get(number_of(model))
    if action == "approve":
        if read_seal(row.entry.seal.encode()).signer(params.trusted_keys) is None:
            raise InvalidInput(
                f"{model} is not signed by a key in models.trusted_keys: it can be judged, not approved. Register it "
                "with --key."
            )
        folder, manifest = _require_untouched(row, params)
        require_proof(folder.parent, manifest)
    plain = Decision(
        action=action,
        person=person.name,
        role=person.role,
        reason=person.reason,
        at=at,
        facts=dict(facts or {}),
    )
    return registry.models.decide(row.model_id, _bound(row.entry.key, plain, person, params))


def _bound(model: str, plain: Decision, person: Person, params: ModelParams) -> Decision:
    """A decision with the signature that the settings ask of the person."""
    trusted = _key_of(person.name, params)
    if person.key is None:
        if trusted is not None:
            raise InvalidInput(
                f"{person.name} has a key in models.trusted_keys and acts with it only: give --key FILE."
            )
        if params.require_keys:
            raise InvalidInput(f"{person.name} has no key in models.trusted_keys, and models.require_keys is set.")
        return plain
    key = read_key(person.key)
    if public_hex(key) != trusted:
        raise InvalidInput(f"The key in {person.key} is not that of {person.name} in models.trusted_keys.")
    signature = sign(key, "decision", signed_content(model, plain))
    return Decision(**{**vars(plain), "public_key": public_hex(key), "signature": signature})


def number_of(name: str) -> int:
    """The number in ``M12``.

    Raises
    ------
    InvalidInput
        It is no such name.
    """
    digits = name.strip().upper().removeprefix("M")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        raise InvalidInput(f"Expected a model such as M12, got {name!r}.")
    return int(digits)


# ------------------------------------------------------------------------------------------------------------- review


def draw_sample(
    registry: LoanRegistry, model: str, person: Person, *, seed: int, at: dt.datetime, params: ModelParams
) -> tuple[ModelRow, pd.DataFrame]:
    """Draw held-out estimates for people to look at, and note which, and until when.

    The draw is stratified by thirds of the value and of the width of the interval, each with its share of the rows, and
    follows from the model and the seed alone: anybody can draw it again.
    """
    row = registry.models.get(number_of(model))
    folder = Path(row.entry.folder)
    manifest = json.loads(row.entry.manifest)
    require_proof(folder.parent, manifest)
    told = pd.read_parquet(folder.parent / "predictions.parquet")
    rows = sample_rows(told, params.review_rows, seed, row.entry.key)
    due = at.date() + dt.timedelta(days=params.review_days)
    facts = {
        "seed": seed,
        "rows": rows,
        "due": due.isoformat(),
        "predictions": manifest["proof"]["predictions.parquet"],
    }
    done = decide(registry, model, "sample", person, at=at, params=params, facts=facts)
    return done, told[told["row_id"].isin(rows)].reset_index(drop=True)


def sample_rows(told: pd.DataFrame, n: int, seed: int, key: str) -> list[int]:
    """``row_id`` of a stratified random sample, rising.

    Parameters
    ----------
    told
        Content of ``predictions.parquet``; refused rows have no value to look at and are left out.
    key
        Of the model: two models with one seed do not get one sample.
    """
    valued = told[~told["refused"].to_numpy(bool)]
    n = min(n, len(valued))
    value, width = valued["p50"].to_numpy(), np.log(valued["p95"].to_numpy() / valued["p05"].to_numpy())
    stratum = STRATA * _third(value) + _third(width)
    rng = np.random.default_rng([seed, int(key[:15], 16)])
    kinds, counts = np.unique(stratum, return_counts=True)
    exact = counts * n / max(counts.sum(), 1)
    quota = np.floor(exact).astype(int)
    quota[np.argsort(quota - exact, kind="stable")[: n - quota.sum()]] += 1
    ids = valued["row_id"].to_numpy()
    chosen = [rng.choice(ids[stratum == k], q, replace=False) for k, q in zip(kinds, quota, strict=True)]
    return sorted(int(i) for part in chosen for i in part)


def _third(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values, side="right").astype(np.int64)


def record_verdict(
    registry: LoanRegistry,
    model: str,
    row_id: int,
    verdict: str,
    person: Person,
    *,
    at: dt.datetime,
    params: ModelParams,
) -> ModelRow:
    """Note what somebody who did not train the model thinks of one row of the sample."""
    facts = {"row": row_id, "verdict": verdict}
    return decide(registry, model, "verdict", person, at=at, params=params, facts=facts)


# ------------------------------------------------------------------------------------------------------------ showing


def open_models(url: str, *, create: bool = False) -> LoanRegistry:
    """The registry that holds the models; see `open_registry`."""
    return open_registry(url, create=create)


def list_record(registry: LoanRegistry, params: ModelParams, day: dt.date) -> list[dict[str, Any]]:
    """Every model, a row each."""
    return [_brief(row, params, day) for row in registry.models.list_all()]


def show_record(registry: LoanRegistry, model: str, params: ModelParams, day: dt.date) -> dict[str, Any]:
    """One model with its training and everything that was decided: JSON values."""
    row = registry.models.get(number_of(model))
    drawn, verdicts = review_of(row.events)
    review = None
    if drawn is not None:
        review = {
            "due": drawn.facts["due"],
            "seed": drawn.facts["seed"],
            "open": [n for n in drawn.facts["rows"] if n not in verdicts],
            "verdicts": {v: sum(e.facts["verdict"] == v for e in verdicts.values()) for v in VERDICTS},
        }
    return {
        **_brief(row, params, day),
        "key": row.entry.key,
        "folder": row.entry.folder,
        "training": json.loads(row.entry.manifest)["training"],
        "review": review,
        "decisions": [
            {
                "number": event.number,
                "at": event.at.isoformat(),
                "action": event.action,
                "person": event.person,
                "role": event.role,
                "reason": event.reason,
                "signed": event.signature is not None,
            }
            for event in row.events
        ],
    }


def _brief(row: ModelRow, params: ModelParams, day: dt.date) -> dict[str, Any]:
    known = read_seal(row.entry.seal.encode())
    return {
        "model": f"M{row.model_id}",
        "state": row.state,
        "asset_class": row.entry.asset_class,
        "currency": row.entry.currency,
        "price_per": known.statement.get("price_per"),
        "trainer": row.entry.trainer,
        "approvers": ", ".join(row.approvers),
        "signed_by": known.signer(params.trusted_keys),
        "learned_to": known.statement["window"]["last"],
        "review": "overdue" if is_review_overdue(row, day) else _review_word(row),
    }


def _review_word(row: ModelRow) -> str:
    drawn, verdicts = review_of(row.events)
    return "none" if drawn is None else f"{len(verdicts)} of {len(drawn.facts['rows'])}"


def verify(registry: LoanRegistry, params: ModelParams, expected_head: str | None = None) -> dict[str, Any]:
    """Check the chain, and the files and signatures of every model in use or waiting: JSON values.

    Returns
    -------
    ``entries``, ``head`` (to be noted elsewhere) and ``faults`` by model; a broken chain is an error at once.
    """
    entries, head = registry.models.check_chain(expected_head)
    faults: dict[str, str] = {}
    for row in registry.models.list_all():
        if row.state not in ("candidate", "approved"):
            continue
        try:
            folder = Path(row.entry.folder)
            known = read_seal(row.entry.seal.encode())
            if row.state == "approved" or known.signature is not None:
                require_proof(folder.parent, _require_untouched(row, params)[1])
            else:
                require_proof(folder.parent, read_manifest(folder))
            for event in row.events:
                _require_bound(event, params)
        except (GeocollateralError, OSError) as error:
            faults[f"M{row.model_id}"] = str(error)
    return {"entries": entries, "head": head, "faults": faults}


def card(registry: LoanRegistry, model: str, params: ModelParams, day: dt.date) -> str:
    """Model card and inventory entry, in Markdown, from the run's own files and the chain."""
    shown = show_record(registry, model, params, day)
    row = registry.models.get(number_of(model))
    folder = Path(row.entry.folder)
    manifest = json.loads(row.entry.manifest)
    require_proof(folder.parent, manifest)
    study = json.loads((folder.parent / "ratio_study.json").read_text(encoding="utf-8"))
    tests = [event.facts for event in row.events if event.action == "backtest"]
    return model_card(shown, manifest, study, tests)


# ---------------------------------------------------------------------------------------------------------- back-test


@dataclass(frozen=True, kw_only=True)
class LaterStudy:
    """A frozen model against what closed after its window."""

    name: str
    result: Backtest
    drift: tuple[tuple[str, DriftReport], ...]
    duel: Duel | None
    n_before: int
    n_unusable: int

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "model": self.name,
            "left_out": {"closed_within_or_before_training": self.n_before, "no_usable_price_or_date": self.n_unusable},
            **self.result.as_dict(),
            "drift": [{"month": month, **report.as_dict()} for month, report in self.drift],
            "against": None if self.duel is None else self.duel.as_dict(),
        }

    def in_brief(self) -> dict[str, Any]:
        """What is entered in the chain: the figures, and by month which series departed."""
        told = {m: [f"{s.name}: {s.cause}" for s in report.series if s.is_drift] for m, report in self.drift}
        return {**self.result.as_dict(), "drift": {month: said for month, said in told.items() if said}}


@dataclass(frozen=True, kw_only=True)
class LoadedRun:
    """A model with the folder that training wrote."""

    name: str
    run: Path
    model: ValueModel
    manifest: Mapping[str, Any]


def load_run(registry: LoanRegistry | None, name: str, params: ModelParams) -> LoadedRun:
    """A model by ``M12`` in the registry, or by the folder that `train` wrote; a candidate may be judged unsigned."""
    path = Path(name)
    row = None
    if not path.is_dir():
        if registry is None:
            raise MissingInput(f"{name} is no folder that train wrote, and no registry is named where it could be M12.")
        row = registry.models.get(number_of(name))
        path = Path(row.entry.folder).parent
    manifest = read_manifest(path / "model")
    if row is not None and canonical(manifest).decode() != row.entry.manifest:
        raise BrokenData(f"The folder of {name} is not the one that was registered.")
    require_proof(path, manifest)
    signed = row is not None and read_seal(row.entry.seal.encode()).signer(params.trusted_keys) is not None
    model = load_model(path / "model", manifest["files"]["model.json"] if signed else None)
    return LoadedRun(name=name, run=path, model=model, manifest=manifest)


def backtest_later(
    run: LoadedRun,
    rows: pd.DataFrame,
    *,
    against: LoadedRun | None = None,
    by: Sequence[str] = (),
    provenance: str | None = None,
    target: str | None = None,
    date: str | None = None,
    coords: Sequence[str] | None = None,
) -> LaterStudy:
    """Judge a frozen model on the sales of a table that closed after its window, month by month.

    Parameters
    ----------
    against
        The champion; both are judged on sales later than the windows of both.
    by
        Columns by which figures are told apart; the first is the class of the monthly tables.
    provenance
        Column that says what the features were made from, such as a platform or a processing baseline.

    Raises
    ------
    InvalidInput
        A column is missing, or no sale is later.
    """
    named: dict[str, Any] = {"target": target, "date": date, "coords": coords}
    lacking = [name for name in (*by, *([provenance] if provenance else [])) if name not in rows]
    if lacking:
        raise InvalidInput(
            f"The table has no column {', '.join(lacking)}. It has: {', '.join(map(str, rows.columns))}."
        )
    sales = later_sales(rows, run.manifest["training"], **named)
    level = run.model.params.level
    told = run.model.predict(sales.features, sales.xy, sales.months)
    kind = sales.rows[by[0]].astype(str).to_numpy(object) if by else np.full(len(told), "all", object)
    months = _months(sales)
    return LaterStudy(
        name=run.name,
        result=backtest(told, sales.price, months, kind, level),
        drift=tuple(_drift(run, sales, told, months, provenance)),
        duel=None if against is None else _duel(run, against, rows, named, by, level),
        n_before=sales.n_before,
        n_unusable=sales.n_unusable,
    )


def _months(sales: LaterSales) -> NDArray[np.object_]:
    if sales.days is not None:
        return sales.days.astype("datetime64[M]").astype(str).astype(object)
    return np.array([f"{int(np.floor(m)):06d}" for m in sales.months], object)


def _drift(
    run: LoadedRun, sales: LaterSales, told: pd.DataFrame, months: NDArray[np.object_], provenance: str | None
) -> list[tuple[str, DriftReport]]:
    """Each month against the held-out rows of training, by features, predictions and errors."""
    training = run.manifest["training"]
    held = pd.read_parquet(run.run / "predictions.parquet")
    own = pd.DataFrame({name: held[f"input_{name}" if f"input_{name}" in held else name] for name in _inputs(training)})
    days = None if training["date"] is None else times_of(own[training["date"]], training["date"])[1]
    then = _series(features_for(own, training["features"], days), held, held["price"].to_numpy(np.float64))
    now = _series(sales.features, told.reset_index(drop=True), sales.price)
    if provenance is not None:
        if provenance not in held and f"input_{provenance}" not in held:
            raise InvalidInput(f"The held-out rows of training have no column {provenance}: it cannot be compared.")
        then["_from"] = held[provenance if provenance in held else f"input_{provenance}"].astype(object)
        now["_from"] = sales.rows[provenance].astype(object)
    runs = [(str(m), now[months == m].reset_index(drop=True)) for m in sorted(set(months))]
    return drift_by_month(then, runs, errors=("error",), provenance="_from" if provenance else None)


def _inputs(training: Mapping[str, Any]) -> list[str]:
    date = [] if training["date"] is None else [training["date"]]
    return [*date, *(recipe["name"] for recipe in training["features"])]


def _series(features: pd.DataFrame, told: pd.DataFrame, price: NDArray[np.float64]) -> pd.DataFrame:
    p50 = told["p50"].to_numpy(np.float64)
    extra = pd.DataFrame({"prediction": np.log(p50), "error": np.log(p50 / price)})
    return pd.concat([features.reset_index(drop=True), extra], axis=1)


def _duel(
    run: LoadedRun,
    against: LoadedRun,
    rows: pd.DataFrame,
    named: Mapping[str, Any],
    by: Sequence[str],
    level: float,
) -> Duel:
    """Both on the sales that are later than either's window."""
    own = [later_sales(rows, r.manifest["training"], **named) for r in (run, against)]
    fewer = min(own, key=lambda sales: len(sales.rows))
    told = []
    for r in (against, run):
        sales = later_sales(fewer.rows, r.manifest["training"], **named)
        if len(sales.rows) != len(fewer.rows):
            raise InvalidInput("The windows of the two models are not of one kind; no sale is later than both.")
        told.append(r.model.predict(sales.features, sales.xy, sales.months))
    groups = {name: fewer.rows[name].astype(object).to_numpy(object) for name in by}
    return duel(told[0], told[1], fewer.price, groups, level)


__all__ = [
    "Action",
    "ApprovedModel",
    "LaterStudy",
    "LoadedRun",
    "LoanRegistry",
    "ModelRow",
    "Person",
    "Seal",
    "approved_model",
    "backtest_later",
    "card",
    "decide",
    "draw_sample",
    "list_record",
    "load_approved",
    "load_run",
    "make_key",
    "number_of",
    "open_models",
    "record_verdict",
    "register",
    "sample_rows",
    "show_record",
    "verify",
]
