"""Commands of learning together: ``federate``. Heavy imports live inside the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geocollateral.errors import InvalidInput

federate = typer.Typer(
    name="federate",
    help="Learn values with other banks; no row leaves its owner (docs/federated.md).",
    no_args_is_help=True,
)

KeyOption = Annotated[Path, typer.Option("--key", metavar="FILE", help="Own private key, see `federate key`.")]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder for the model and its proof.")]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=1, max=86_400, help="Longest wait for each answer [seconds].")
]


@federate.command("key")
def key(path: Annotated[Path, typer.Argument(metavar="FILE", help="New file for the private key.")]) -> None:
    """Make a key pair: the private key stays in FILE, the public one is printed for the plan."""
    from geocollateral import federation

    typer.echo(federation.new_key(path))


@federate.command("coordinate")
def coordinate(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="What the parties agreed on (YAML).")],
    key: KeyOption,
    out: OutOption,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="On this machine; port 0 takes a free one.")
    ] = "127.0.0.1:7461",
    timeout: TimeoutOption = 120.0,
) -> None:
    """Wait for all parties of a plan and learn from their masked sums. If one drops out, nothing is saved."""
    from geocollateral import federation

    learned = federation.coordinate(
        federation.read_plan(plan),
        federation.read_key(key),
        _address(listen, "--listen"),
        out,
        timeout=timeout,
        note=typer.echo,
    )
    error = learned.held_out["mdape"]
    told = "too few held-out rows to judge" if error is None else f"median error {error:.1%} on held-out rows"
    typer.echo(f"{len(learned.trees)} trees from {learned.n_learned} rows; {told}.\nWritten: {out}")


@federate.command("join")
def join(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Own sales: CSV, Parquet or GeoPackage.")],
    plan: Annotated[Path, typer.Option("--plan", metavar="PLAN", help="What the parties agreed on (YAML).")],
    party: Annotated[str, typer.Option("--party", metavar="NAME", help="Own name in the plan.")],
    key: KeyOption,
    connect: Annotated[
        str, typer.Option("--connect", metavar="HOST:PORT", help="The coordinator, or the tunnel to it.")
    ],
    out: OutOption,
    sent: Annotated[
        Path | None,
        typer.Option("--sent", metavar="FILE", help="Log of what left the house; default: OUT.sent.jsonl beside OUT."),
    ] = None,
    timeout: TimeoutOption = 120.0,
) -> None:
    """Take part with one table. What is sent is masked and logged; rows, places and prices stay here."""
    from geocollateral import federation, training

    log = sent or out.with_name(f"{out.name}.sent.jsonl")
    study = federation.join(
        training.read_sales(table),
        federation.read_plan(plan),
        party,
        federation.read_key(key),
        _address(connect, "--connect"),
        out,
        sent=log,
        timeout=timeout,
    )
    whole = study["study"]
    if whole is not None:
        typer.echo(f"Median error {whole['mdape']:.1%} on {study['n_held_out']} own held-out rows.")
    typer.echo(f"Written: {out}\nSent: {log}")


def _address(text: str, option: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise InvalidInput(f"{option}: expected HOST:PORT such as 127.0.0.1:7461, received {text!r}.")
    return host.strip("[]"), int(port)
