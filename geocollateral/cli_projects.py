"""Commands of the registry: ``project``, ``overlay`` and ``registry``. Heavy imports live inside the commands."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from geocollateral.errors import InvalidInput

if TYPE_CHECKING:
    from geocollateral.config import Settings

project = typer.Typer(name="project", help="Loan projects: parcels, loans and pledges.", no_args_is_help=True)
overlay = typer.Typer(name="overlay", help="Layers of law and planning.", no_args_is_help=True)
registry = typer.Typer(name="registry", help="The database of loan projects.", no_args_is_help=True)

SettingsOption = Annotated[
    Path | None, typer.Option("--settings", metavar="YAML", help="Settings; `store` says where the registry is.")
]
BranchOption = Annotated[
    str | None, typer.Option("--branch", help="Branch of the bank; default: that of the settings.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
DatumOption = Annotated[
    str | None,
    typer.Option(
        "--datum",
        help="What the coordinates are measured in: wgs84, cgcs2000, cgcs2000:117, gcj02, bd09, beijing54, "
        "epsg:NNNN; needed for land in China (docs/datums.md).",
    ),
]
AllOption = Annotated[bool, typer.Option("--all-branches", help="Not only of the own branch.")]


def data_folder() -> Path:
    """The user's data folder of this program, where the registry is if the settings name no place."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "geocollateral"


@project.command("add")
def add(
    parcels: Annotated[Path, typer.Argument(metavar="FILE", help="Parcels, in any format of docs/intake.md.")],
    name: Annotated[
        str | None, typer.Option("--project", metavar="NAME", help="Name of the project; default: that of the file.")
    ] = None,
    datum: DatumOption = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATE", help="First day of pledges the file gives none for; default: today."),
    ] = None,
    borrowers: Annotated[
        Path | None,
        typer.Option("--borrowers", metavar="CSV", help="Names by borrower_id; kept apart from all outlines."),
    ] = None,
    branch: BranchOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a loan project, and look whether others pledged the same land. The same file again changes nothing."""
    from geocollateral import service

    done = service.add_project(
        parcels, project=name, datum=datum, on=on, borrowers=borrowers, settings=_settings(settings, branch)
    )
    if as_json:
        print_json(done)
        return
    typer.echo(f"Project {done['project']} ({done['name']}) of branch {done['branch']}")
    for fate, names in done["parcels"].items():
        if names:
            typer.echo(f"  {len(names)} parcels {fate}: {', '.join(names[:10])}{' ...' if len(names) > 10 else ''}")
    for note in done["notes"]:
        typer.echo(f"  {note['kind']}: {note['parcel_id'] or 'file'}: {note['message']}")
    for parcel_id, columns in done["check"]["parcels"].items():
        if columns["claim_pledge_verdict"] != "match":
            verdict = columns["claim_pledge_verdict"].replace("_", " ")
            typer.echo(f"  {parcel_id}: {verdict}: {columns['claim_pledge_reason']}")
    for share in done["check"]["overlays"]:
        typer.echo(
            f"  {share['parcel_id']}: {share['area_mu']:,.2f} mu ({share['share_frac']:.1%}) in {share['layer']} "
            f"({share['source']}, {share['month']}); {share['caveat']}"
        )
    if not done["check"]["overlaps"]:
        typer.echo("  No other pledge in force covers this land.")


@project.command("list")
def list_projects(
    all_branches: AllOption = False,
    branch: BranchOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Projects, with the land they pledge today: the sum of their parcels, and their union."""
    from geocollateral import service

    rows = service.list_projects(settings=_settings(settings, branch), all_branches=all_branches)
    print_rows(rows, as_json, "No project is registered.")


@project.command("show")
def show(
    project_id: Annotated[str, typer.Argument(metavar="ID", help="Such as P12; see `project list`.")],
    names: Annotated[bool, typer.Option("--names", help="Names of borrowers too.")] = False,
    branch: BranchOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """One project: loans, pledges and runs."""
    from geocollateral import service

    shown = service.show_project(project_id, with_names=names, settings=_settings(settings, branch))
    if as_json:
        print_json(shown)
        return
    typer.echo(f"Project {shown['project']} ({shown['name']}) of branch {shown['branch']}, on {shown['day']}")
    typer.echo(
        f"Pledged today: {shown['live_parcels']} parcels, {shown['sum_mu']:,.2f} mu in sum, "
        f"{shown['union_mu']:,.2f} mu of land"
    )
    for part in ("loans", "pledges", "runs"):
        if shown[part]:
            typer.echo(f"\n{part}")
            print_rows(shown[part], False, "")


@project.command("release")
def release(
    project_id: Annotated[str, typer.Argument(metavar="ID", help="Such as P12; see `project list`.")],
    parcel: Annotated[str, typer.Option("--parcel", metavar="NAME", help="Parcel whose pledge ends.")],
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="First day on which the land is free.")],
    loan: Annotated[
        str | None, typer.Option("--loan", metavar="ID", help="Which pledge, where the parcel has several.")
    ] = None,
    branch: BranchOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the pledge of a parcel; the record of it stays."""
    from geocollateral import service

    done = service.release_pledge(project_id, parcel, on=on, loan=loan, settings=_settings(settings, branch))
    if as_json:
        print_json(done)
    else:
        typer.echo(f"Parcel {parcel} of project {done['project']} is free from {done['released_on']} on.")


@project.command("link")
def link(
    project_id: Annotated[str, typer.Argument(metavar="ID", help="Such as P12; see `project list`.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Result folder of an assessment.")],
    branch: BranchOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note that a result folder is of a project, with the digest of its record."""
    from geocollateral import service

    done = service.link_run(project_id, folder, settings=_settings(settings, branch))
    if as_json:
        print_json(done)
    else:
        typer.echo(f"Run {done['run_id']} of {done['as_of']} belongs to project {done['project']}.")


@project.command("overlaps")
def overlaps(
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="Pledges in force on this day or later; default: today."),
    ] = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every two pledges of the registry that share ground at one time, across branches, the largest first."""
    from geocollateral import service

    rows = service.double_pledges(as_of=as_of, settings=_settings(settings, None))
    if not as_json:
        rows = [
            {
                "kind": row["kind"],
                "mu": row["area_mu"],
                "first": f"{row['first']['project']} ({row['first']['branch']})",
                "second": f"{row['second']['project']} ({row['second']['branch']})",
                "of first": f"{row['first_frac']:.1%}",
                "of second": f"{row['second_frac']:.1%}",
                "from": row["shared_from"],
                "to": row["shared_to"],
            }
            for row in rows
        ]
    print_rows(rows, as_json, "No two pledges share ground.")


@project.command("area")
def area(
    by: Annotated[
        Literal["project", "borrower", "branch", "all"], typer.Option("--by", help="What the land is summed by.")
    ] = "project",
    all_branches: AllOption = False,
    branch: BranchOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Land that pledges in force cover: the sum of the parcels, and their union, which counts each piece once."""
    from geocollateral import service

    rows = service.pledged_area(by, settings=_settings(settings, branch), all_branches=all_branches)
    print_rows(rows, as_json, "No pledge is in force.")


@project.command("risk")
def risk(
    by: Annotated[
        Literal["all", "borrower", "branch", "class"], typer.Option("--by", help="What the loans are summed by.")
    ] = "all",
    scenario: Annotated[
        str, typer.Option("--scenario", metavar="NAME", help="A scenario of the settings, such as yield_down.")
    ] = "as_is",
    all_branches: AllOption = False,
    branch: BranchOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Exposure, loan to value, alerts and expected events of the loans of the registry, from their newest linked runs.

    Loans to value have 90 % intervals; what cannot be told is said. --json: every scenario and group, and the rules.
    """
    from geocollateral import service

    told = service.portfolio_risk(settings=_settings(settings, branch), all_branches=all_branches)
    if as_json:
        print_json(told)
        return
    known = list(dict.fromkeys(row["scenario"] for row in told["rows"]))
    if known and scenario not in known:
        raise InvalidInput(f"Expected a scenario of {', '.join(known)}, got {scenario!r}.")
    rows = [row for row in told["rows"] if row["by"] == by and row["scenario"] == scenario]
    print_rows([_risk_line(row) for row in rows], False, "No loan is told of here.")
    for reason in told["cannot_tell"]:
        typer.echo(f"  cannot tell: {reason}")
    for finding in told["rules"]:
        if finding["outcome"] == "breach":
            typer.echo(f"  {finding['rule']}: {finding['key']}: {finding['reason']}")


def _risk_line(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of sums as the terminal shows it."""

    def interval(name: str, spec: str) -> str | None:
        if row[name] is None:
            return None
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        return f"{row[name]:{spec}}" + ("" if low is None else f" ({low:{spec}} to {high:{spec}})")

    alert, open_alert = row["alert_frac"], row["exposure_alert_cannot_tell"]
    more = f", cannot tell {open_alert / row['exposure']:.0%}" if open_alert else ""
    return {
        "group": row["group"],
        "currency": row["currency"],
        "loans": row["loans"],
        "exposure": row["exposure"],
        "cannot tell": row["exposure_cannot_tell"],
        "ltv today": None if row["ltv_as_is"] is None else f"{row['ltv_as_is']:.1%}",
        "ltv": interval("ltv", ".1%"),
        "with alert": None if alert is None else f"{alert:.0%}{more}",
        "events": interval("events", ".1f"),
        "of parcels": f"{row['parcels_scored']} of {row['parcels']}",
    }


@overlay.command("add")
def add_overlay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Polygons, in any format of docs/intake.md.")],
    name: Annotated[str, typer.Option("--name", help="Such as 'permanent basic farmland'.")],
    source: Annotated[str, typer.Option("--source", help="Who made it.")],
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="Month it is of.")],
    datum: DatumOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a layer of law or planning. Of one name the newest month is asked. It is not a legal opinion."""
    from geocollateral import service

    done = service.add_overlay(
        file, name=name, source=source, month=month, datum=datum, settings=_settings(settings, None)
    )
    if as_json:
        print_json(done)
        return
    stand = "registered" if done["is_new"] else "was registered before"
    typer.echo(f"Layer {done['layer']} ({name}, {month}) {stand}: {done['features']} polygons.")
    for repair in done["repairs"]:
        typer.echo(f"  repair: {repair}")


@overlay.command("list")
def list_overlays(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Layers of law and planning."""
    from geocollateral import service

    print_rows(service.list_overlays(settings=_settings(settings, None)), as_json, "No layer is registered.")


@registry.command("upgrade")
def upgrade(settings: SettingsOption = None) -> None:
    """Make the tables of the registry, or bring them to this version. SQLite does so by itself."""
    from geocollateral import service

    typer.echo(f"The registry {service.upgrade_registry(settings=_settings(settings, None))} is up to date.")


def _settings(path: Path | None, branch: str | None) -> Settings:
    from geocollateral.config import load_settings
    from geocollateral.service import with_registry

    return with_registry(load_settings(path), data_folder(), branch=branch)


def print_json(record: Any) -> None:
    """Print a record for other programs."""
    typer.echo(json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False))


def print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, nothing: str) -> None:
    """Print rows as a table, or for other programs; `nothing` is said where there are none."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        typer.echo(nothing)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name, value in rows[0].items():
        table.add_column(name.replace("_", " "), justify="right" if isinstance(value, (int, float)) else "left")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 170).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
