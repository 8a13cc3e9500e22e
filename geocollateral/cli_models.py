"""Commands of value models: the group ``models`` and ``backtest``. Heavy imports live inside the commands."""

from __future__ import annotations

import datetime as dt
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geocollateral.cli_projects import JsonOption, SettingsOption, data_folder, print_json, print_rows
from geocollateral.errors import InvalidInput

if TYPE_CHECKING:
    from geocollateral.config import Settings
    from geocollateral.model_governance import Action, LaterStudy, LoanRegistry, ModelRow, Person

models = typer.Typer(
    name="models", help="Value models: registered, reviewed, approved by two, retired.", no_args_is_help=True
)

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="Such as M3; see `models list`.")]
PersonOption = Annotated[str, typer.Option("--person", metavar="NAME", help="Who acts.")]
RoleOption = Annotated[str, typer.Option("--role", metavar="ROLE", help="In which role, such as 'model validation'.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
KeyOption = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="The person's private key; see `models keygen`.")
]
AtOption = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="When, with its zone: 2026-03-01T09:00+08:00; default: now.")
]


@models.command("keygen")
def keygen(
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="New file of the private key; keep it to yourself.")
    ],
) -> None:
    """Make an Ed25519 key. Its public half goes into the settings, under models.trusted_keys."""
    from geocollateral import model_governance

    typer.echo(f"Private key: {out} (no password; readable by you alone)")
    typer.echo(f"Public key:  {model_governance.make_key(out)}")


@models.command("register")
def register(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `geocollateral train` wrote.")],
    asset_class: Annotated[str, typer.Option("--asset-class", help="What it values, such as agriculture.")],
    currency: Annotated[str, typer.Option("--currency", metavar="CNY", help="Of its prices.")],
    person: Annotated[str, typer.Option("--person", metavar="NAME", help="Who trained it.")],
    role: RoleOption,
    reason: ReasonOption,
    price_per: Annotated[
        str, typer.Option("--price-per", help="What a price is of: total (the whole parcel), mu, ha or m2.")
    ] = "total",
    key: KeyOption = None,
    at: AtOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enter a model as a candidate: its files, what it is for and who trained it; with --key, signed."""
    from geocollateral import model_governance

    knobs = _settings(settings)
    with _registry(knobs, create=True) as registry:
        row = model_governance.register(
            registry,
            run,
            _person(person, role, reason, key),
            asset_class=asset_class,
            currency=currency,
            at=_at(at),
            params=knobs.models,
            price_per=price_per,
        )
    _told(row, as_json)


@models.command("list")
def list_models(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Every model with its state, persons and review."""
    from geocollateral import model_governance

    knobs = _settings(settings)
    with _registry(knobs) as registry:
        rows = model_governance.list_record(registry, knobs.models, _at(None).date())
    print_rows(rows, as_json, "No model is registered.")


@models.command("show")
def show(model: ModelArgument, settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """One model: training, review and all decisions."""
    from geocollateral import model_governance

    knobs = _settings(settings)
    with _registry(knobs) as registry:
        shown = model_governance.show_record(registry, model, knobs.models, _at(None).date())
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        if name not in ("decisions", "training"):
            typer.echo(f"{name.replace('_', ' ')}: {'-' if value is None else value}")
    print_rows(shown["decisions"], False, "")


@models.command("card")
def card(
    model: ModelArgument,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Markdown file; default: print.")] = None,
    settings: SettingsOption = None,
) -> None:
    """The model card with its inventory entry, from the run's files and the decisions."""
    from geocollateral import model_governance

    knobs = _settings(settings)
    with _registry(knobs) as registry:
        text = model_governance.card(registry, model, knobs.models, _at(None).date())
    if out is None:
        typer.echo(text)
    else:
        _write(out, text)


@models.command("sample")
def sample(
    model: ModelArgument,
    person: PersonOption,
    role: RoleOption,
    reason: ReasonOption,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same model and seed give the same rows.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", metavar="CSV", help="Write the rows to look at.")] = None,
    key: KeyOption = None,
    at: AtOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a random, stratified sample of held-out estimates that people look at before the release."""
    from geocollateral import model_governance

    knobs = _settings(settings)
    with _registry(knobs) as registry:
        row, rows = model_governance.draw_sample(
            registry, model, _person(person, role, reason, key), seed=seed, at=_at(at), params=knobs.models
        )
    if out is not None:
        _write(out, rows.to_csv(index=False))
    drawn = row.events[-1].facts
    if as_json:
        print_json(dict(drawn))
    else:
        typer.echo(f"Rows {', '.join(map(str, drawn['rows']))}; verdicts are due {drawn['due']}.")


@models.command("verdict")
def verdict(
    model: ModelArgument,
    row: Annotated[int, typer.Option("--row", metavar="ID", help="row_id of the sample.")],
    said: Annotated[str, typer.Option("--verdict", help="agree, disagree or cannot_tell.")],
    person: PersonOption,
    role: RoleOption,
    reason: ReasonOption,
    key: KeyOption = None,
    at: AtOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note what you think of one estimate of the sample."""
    from geocollateral import model_governance

    knobs = _settings(settings)
    with _registry(knobs) as registry:
        done = model_governance.record_verdict(
            registry, model, row, said, _person(person, role, reason, key), at=_at(at), params=knobs.models
        )
    _told(done, as_json)


@models.command("approve")
def approve(
    model: ModelArgument,
    person: PersonOption,
    role: RoleOption,
    reason: ReasonOption,
    key: KeyOption = None,
    at: AtOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a candidate. Two persons beside its trainer must; the second releases it and retires the one before."""
    _decide(model, "approve", _person(person, role, reason, key), at, settings, as_json)


@models.command("reject")
def reject(
    model: ModelArgument,
    person: PersonOption,
    role: RoleOption,
    reason: ReasonOption,
    key: KeyOption = None,
    at: AtOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reject a candidate, for good."""
    _decide(model, "reject", _person(person, role, reason, key), at, settings, as_json)


@models.command("retire")
def retire(
    model: ModelArgument,
    person: PersonOption,
    role: RoleOption,
    reason: ReasonOption,
    key: KeyOption = None,
    at: AtOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an approved model out of use, for good."""
    _decide(model, "retire", _person(person, role, reason, key), at, settings, as_json)


@models.command("verify")
def verify(
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="SHA256", help="Digest noted earlier: shows that nothing was cut off."),
    ] = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the chain of decisions, and files and signatures of every model in use or waiting. A fault ends with 6."""
    from geocollateral import model_governance

    knobs = _settings(settings)
    with _registry(knobs) as registry:
        found = model_governance.verify(registry, knobs.models, head)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{found['entries']} entries are unbroken. Head, to be noted elsewhere: {found['head']}")
        for name, fault in found["faults"].items():
            typer.echo(f"  {name}: {fault}", err=True)
    if found["faults"]:
        raise typer.Exit(6)


def backtest(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="M3 in the registry, or a folder that train wrote.")],
    sales: Annotated[Path, typer.Argument(metavar="TABLE", help="Sales: CSV, Parquet or GeoPackage.")],
    against: Annotated[
        str | None, typer.Option("--against", metavar="MODEL", help="The champion, on the same later sales.")
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option("--by", metavar="COLUMN", help="Class of the figures; may be repeated.")
    ] = None,
    provenance: Annotated[
        str | None,
        typer.Option("--provenance", metavar="COLUMN", help="What the features were made from, such as a platform."),
    ] = None,
    target: Annotated[str | None, typer.Option("--target", metavar="COLUMN", help="If not as in training.")] = None,
    date: Annotated[str | None, typer.Option("--date", metavar="COLUMN", help="If not as in training.")] = None,
    coords: Annotated[str | None, typer.Option("--coords", metavar="X,Y", help="If not as in training.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="JSON", help="Write all figures.")] = None,
    person: Annotated[
        str | None, typer.Option("--person", metavar="NAME", help="Enter the result in the registry, as this person.")
    ] = None,
    role: Annotated[str, typer.Option("--role", metavar="ROLE")] = "monitoring",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT")] = "monthly back-test",
    key: KeyOption = None,
    at: AtOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a frozen model on sales that closed after its window, by month and class, with drift."""
    from geocollateral import model_governance, training

    knobs = _settings(settings)
    places = None if coords is None else [name.strip() for name in coords.split(",")]
    rows = training.read_sales(sales)
    needs = not Path(model).is_dir() or (against is not None and not Path(against).is_dir()) or person is not None
    registry = _registry(knobs) if needs else None
    try:
        runs = [
            model_governance.load_run(registry, name, knobs.models) for name in (model, against) if name is not None
        ]
        found = model_governance.backtest_later(
            runs[0],
            rows,
            against=runs[1] if against is not None else None,
            by=by or (),
            provenance=provenance,
            target=target,
            date=date,
            coords=places,
        )
        if person is not None and registry is not None:
            facts = {"table": sales.name, **found.in_brief()}
            model_governance.decide(
                registry,
                model,
                "backtest",
                _person(person, role, reason, key),
                at=_at(at),
                params=knobs.models,
                facts=facts,
            )
    finally:
        if registry is not None:
            registry.close()
    if out is not None:
        _write(out, json.dumps(found.as_dict(), ensure_ascii=False, indent=1, allow_nan=False))
    if as_json:
        print_json(found.as_dict())
    else:
        _print_backtest(found)


def _print_backtest(found: LaterStudy) -> None:
    windows = (found.result.total, *found.result.months, *found.result.classes)
    print_rows(
        [
            {
                "sales": w.name,
                "n": w.n,
                "refused": w.n_refused,
                **{
                    name: f"{f.value:.1%} ({f.low:.1%} to {f.high:.1%})"
                    for name, f in (
                        ("median error", w.mdape),
                        ("within 10 %", w.pe10),
                        ("within 20 %", w.pe20),
                        ("bias", w.bias),
                        (f"in {w.level:.0%} interval", w.coverage),
                    )
                },
            }
            for w in windows
        ],
        False,
        "",
    )
    for month, report in found.drift:
        for note in report.notes:
            typer.echo(f"{month}: {note}")
        for series in report.series:
            if series.is_drift:
                by_chance = f"p {series.p:.4f}, PSI {series.psi:.2f}, {series.psi_by_chance:.2f} by chance"
                typer.echo(f"{month}: {series.told} ({by_chance})")
    if found.duel is not None:
        d = found.duel.difference
        typer.echo(
            f"Against the champion on {found.duel.n} sales: median error {found.duel.mdape_challenger:.1%} and "
            f"{found.duel.mdape_champion:.1%}, difference {d.value:+.4f} ({d.low:+.4f} to {d.high:+.4f}): "
            + ("recommended." if found.duel.is_recommended else f"not recommended: {'; '.join(found.duel.reasons)}.")
        )


def _decide(model: str, action: Action, person: Person, at: str | None, settings: Path | None, as_json: bool) -> None:
    from geocollateral import model_governance

    knobs = _settings(settings)
    with _registry(knobs) as registry:
        row = model_governance.decide(registry, model, action, person, at=_at(at), params=knobs.models)
    _told(row, as_json)


def _person(name: str, role: str, reason: str, key: Path | None) -> Person:
    from geocollateral.model_governance import Person

    return Person(name=name, role=role, reason=reason, key=key)


def _at(text: str | None) -> dt.datetime:
    """The time given, else now."""
    if text is None:
        return dt.datetime.now(dt.UTC)  # noqa: TID251 - the command line may ask the clock
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"Expected --at as 2026-03-01T09:00+08:00, got {text!r}.") from None
    if found.tzinfo is None:
        raise InvalidInput(f"Expected --at with its zone, as 2026-03-01T09:00+08:00, got {text!r}.")
    return found


def _settings(path: Path | None) -> Settings:
    from geocollateral.config import load_settings
    from geocollateral.service import with_registry

    return with_registry(load_settings(path), data_folder())


def _registry(settings: Settings, *, create: bool = False) -> LoanRegistry:
    from geocollateral.model_governance import open_models

    return open_models(settings.store.url or "", create=create)


def _told(row: ModelRow, as_json: bool) -> None:
    said = {"model": f"M{row.model_id}", "state": row.state, "approvals": list(row.approvers)}
    if as_json:
        print_json(said)
    else:
        typer.echo(f"M{row.model_id} is {row.state}; {len(row.approvers)} approvals.")


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(partial).replace(path)
    path.chmod(0o644)
    typer.echo(f"Written: {path}", err=True)
