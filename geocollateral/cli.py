"""The ``geocollateral`` command: one function per use case. Heavy imports live inside the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, Self

import typer

from geocollateral import __version__, cli_federate, cli_models, cli_projects
from geocollateral.errors import GeocollateralError, InvalidInput, MissingInput

if TYPE_CHECKING:
    from geocollateral.config import Settings
    from geocollateral.types import Assessment

EXIT_CODES = {"invalid": 3, "missing": 4, "unavailable": 5, "broken": 6}
"""Exit code of each kind of error; 2 is a wrong command line, 0 success."""

INTERRUPTED = 130
"""What a command ends with that the user stopped (128 and SIGINT)."""

PARCELS_HELP = "Parcels: GeoJSON, zipped shapefile, KML, KMZ, GeoPackage, CSV or pasted coordinates (docs/intake.md)."

app = typer.Typer(
    name="geocollateral",
    help="Satellite due diligence and monitoring of loan collateral.",
    epilog="Exit codes: 0 done, 2 wrong command line, 3 invalid input, 4 missing input, 5 service unavailable "
    "or run incomplete, 6 broken data, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (
    cli_projects.project,
    cli_projects.overlay,
    cli_projects.registry,
    cli_models.models,
    cli_federate.federate,
):
    app.add_typer(group)
app.command()(cli_models.backtest)


def main() -> None:
    """Entry point of the command."""
    try:
        app()
    except GeocollateralError as error:
        _fail(error)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            typer.echo("geocollateral: interrupted; no result was written. Run the same command again.", err=True)
        raise


@app.callback(invoke_without_command=True)
def _top(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if show_version:
        typer.echo(f"geocollateral {__version__}")
        raise typer.Exit


@app.command()
def assess(
    parcels: Annotated[Path, typer.Argument(help=PARCELS_HELP)],
    source: Annotated[
        str,
        typer.Option(
            "--source", metavar="S", help="Imagery, see `geocollateral sources`: earth-search, cube:FILE, a folder ..."
        ),
    ],
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day of imagery; default: all there is.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="Judge as on this day, from imagery up to it; default: today, for archives the newest scene.",
        ),
    ] = None,
    datum: Annotated[
        str | None,
        typer.Option(
            "--datum",
            help="What the coordinates are measured in: wgs84, cgcs2000, cgcs2000:117, gcj02, bd09, beijing54, "
            "epsg:NNNN; needed for parcels in China (docs/datums.md).",
        ),
    ] = None,
    unit_values: Annotated[
        Path | None,
        typer.Option(
            "--unit-values",
            metavar="CSV",
            help="What a ha or mu of each asset class is worth (columns in aoi/README.md); without it no value.",
        ),
    ] = None,
    value_tables: Annotated[
        Path | None,
        typer.Option(
            "--value-tables",
            metavar="CSV",
            help="Dated yields, prices, costs, rates and comparables: values by income, cost and market "
            "(docs/valuation.md); instead of --unit-values.",
        ),
    ] = None,
    value_model: Annotated[
        str,
        typer.Option(
            "--value-model",
            metavar="auto|none|M3",
            help="Learned values: of the models approved in the registry, if there are any; of none; or of one of them "
            "(docs/models.md).",
        ),
    ] = "auto",
    ortho: Annotated[
        list[str] | None,
        typer.Option(
            "--ortho",
            metavar="FILE@DATE",
            help="Orthomosaic (GeoTIFF) and the day it was flown; may be repeated. Options after commas, such as "
            ",bands=red+green+blue+nir ,scale=0.0001 ,sensor=NAME.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Result folder.")] = Path("results/assessment"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a result folder that is already there.")
    ] = False,
    lang: Annotated[Literal["en", "zh"], typer.Option("--lang", help="Language of the report.")] = "en",
    settings: Annotated[
        Path | None, typer.Option("--settings", metavar="YAML", help="Knobs of the stages (see docs/settings.md).")
    ] = None,
    scale: Annotated[float | None, typer.Option("--scale", help="cube: reflectance = DN * scale + offset.")] = None,
    offset: Annotated[float | None, typer.Option("--offset", help="cube: reflectance = DN * scale + offset.")] = None,
    backscatter: Annotated[
        str | None,
        typer.Option("--backscatter", help="cube: unit of VV and VH if the file is silent: linear or dB."),
    ] = None,
    crs: Annotated[
        str | None, typer.Option("--crs", help="cube: CRS of a file that names none, e.g. EPSG:32633.")
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Local threads; default: one per core.")] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="threads, processes, or the address of a Dask scheduler.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="NAME=VALUE", help="An option of the source; may be repeated (docs/sources.md)."
        ),
    ] = None,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Keep what services gave, so that it is not fetched twice.")
    ] = True,
    registry: Annotated[
        bool,
        typer.Option("--registry/--no-registry", help="Look whether the land is pledged already (docs/registry.md)."),
    ] = True,
) -> None:
    """Due diligence of the parcels of one file: series, dated changes, value and alerts per parcel, with a report."""
    from geocollateral import service

    knobs = _with_registry(_load_settings(settings, cache=cache), asked=registry)
    asked = {name: value for name, value in (("workers", workers), ("scheduler", scheduler)) if value is not None}
    if asked:
        knobs = service.with_compute(knobs, asked)
    with _Progress("blocks") as progress:
        result = service.assess(
            parcels,
            source=source,
            period=(start, None),
            as_of=as_of,
            settings=knobs,
            datum=datum,
            unit_values=unit_values,
            value_tables=value_tables,
            value_model=value_model,
            source_options={
                "scale": scale,
                "offset": offset,
                "backscatter": backscatter,
                "crs": crs,
                **_options(option),
            },
            orthos=ortho or (),
            out=out,
            overwrite=overwrite,
            lang=lang,
            progress=progress,
        )
    _print_table(result, lang)
    typer.echo(f"\nReport: {out / 'report.html'}")
    if result.run["state"] != "complete":
        typer.echo(
            "geocollateral: the run is incomplete, a service did not give all bands; run the same command again.",
            err=True,
        )
        raise typer.Exit(EXIT_CODES["unavailable"])


@app.command()
def estimate(
    parcels: Annotated[Path, typer.Argument(help=PARCELS_HELP)],
    source: Annotated[str, typer.Option("--source", metavar="S", help="Imagery, see `geocollateral sources`.")],
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day of imagery; default: all there is.")
    ] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="Last day of imagery.")] = None,
    datum: Annotated[
        str | None,
        typer.Option(
            "--datum",
            help="What the coordinates are measured in: wgs84, cgcs2000, cgcs2000:117, gcj02, bd09, beijing54, "
            "epsg:NNNN; needed for parcels in China (docs/datums.md).",
        ),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", metavar="YAML", help="Knobs of the stages (see docs/settings.md).")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="NAME=VALUE", help="An option of the source; may be repeated (docs/sources.md)."
        ),
    ] = None,
) -> None:
    """Scenes, bytes, processing units and minutes of an assessment, before anything is spent."""
    from geocollateral import service

    knobs = _load_settings(settings, cache=True)
    found = service.estimate(
        parcels,
        source=source,
        period=(start, None),
        as_of=as_of,
        settings=knobs,
        datum=datum,
        source_options=_options(option),
    )
    cost = found.cost
    rows = {
        "source": found.source,
        "parcels": f"{found.n_parcels:,} in {found.n_blocks:,} blocks",
        "scenes": f"{cost.scenes:,} from {found.first} to {found.last}",
        "requests": f"{cost.requests:,}",
        "to transfer": f"{cost.bytes / 1e6:,.1f} MB",
        "in the cache": f"{cost.cached_bytes / 1e6:,.1f} MB",
        "processing units": f"{cost.processing_units:,.1f}",
        "minutes, roughly": f"{max(found.minutes, 0.1):,.1f}",
    }
    _print_rows([{"": name, "estimate": value} for name, value in rows.items()])


@app.command()
def sources(
    name: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help="Check this source; without it, list the known ones.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", metavar="YAML", help="Knobs of the stages (see docs/settings.md).")
    ] = None,
) -> None:
    """List the sources of imagery, or check one: reachable, credentials, collections. A fault ends with code 5."""
    from geocollateral import service
    from geocollateral.config import load_settings

    rows = service.source_table(name, load_settings(settings))
    if name is not None and not rows:
        typer.echo(f"{name} reads local files: there is no service to check.")
        return
    _print_rows(rows)
    if any(row.get("result", "ok") != "ok" for row in rows):
        raise typer.Exit(EXIT_CODES["unavailable"])


@app.command()
def simulate(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="New folder of the world.")] = None,
    world: Annotated[str | None, typer.Option("--world", metavar="NAME", help="Which world; see --list.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same files.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a world that is already there.")] = False,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; default: one per core.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the worlds and exit.")] = False,
) -> None:
    """Build a simulated world: scenes over a landscape whose truth is known (docs/simulated-world.md)."""
    from geocollateral import service

    if show_list:
        _print_rows(service.world_table())
        return
    if folder is None or world is None:
        raise typer.BadParameter("expected a folder and --world NAME; --list prints the names")
    with _Progress("sites") as progress:
        built = service.simulate(
            folder,
            world=world,
            seed=seed,
            overwrite=overwrite,
            workers=workers or os.cpu_count() or 1,
            progress=progress,
        )
    typer.echo(f"World: {built / 'README.md'}")


@app.command()
def train(
    sales: Annotated[Path, typer.Argument(metavar="TABLE", help="Sales or appraisals: CSV, Parquet or GeoPackage.")],
    target: Annotated[str, typer.Option("--target", metavar="COLUMN", help="The column of prices.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder for the model and its proof.")],
    date: Annotated[str | None, typer.Option("--date", metavar="COLUMN", help="The column of days of sale.")] = None,
    coords: Annotated[
        str | None,
        typer.Option("--coords", metavar="X,Y", help="Columns of longitude and latitude, or of planar coordinates."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option("--group", metavar="COLUMN", help="Owner, loan or property: never on both sides of a test."),
    ] = None,
    holdout_from: Annotated[
        str | None,
        typer.Option(
            "--holdout-from", metavar="DATE", help="Judge on sales from this day on, learn from those before."
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", metavar="COLUMN", help="Given values to correct, only where that helps."),
    ] = None,
    increasing: Annotated[
        list[str] | None,
        typer.Option("--increasing", metavar="COLUMN", help="The value never falls with this number. Repeatable."),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="No result depends on them.")] = 1,
    effort: Annotated[
        float,
        typer.Option("--effort", min=0.05, max=4, help="Rounds of boosting against the usual; 0.2: a quick look."),
    ] = 1.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a folder that train wrote.")] = False,
) -> None:
    """Learn values from sales, and show on held-out sales how wrong they are (docs/valuation.md)."""
    try:
        from geocollateral import training
    except OSError as error:  # what a shared library that is not there ends in
        raise MissingInput(
            f"LightGBM could not be loaded: {error}. It needs OpenMP of the operating system: libgomp1 on Debian and "
            "Ubuntu, libgomp on Fedora, libomp of Homebrew on macOS."
        ) from error

    places: tuple[str, str] | None = None
    if coords is not None:
        names = [name.strip() for name in coords.split(",")]
        if len(names) != 2 or not all(names):
            raise typer.BadParameter(f"expected two columns such as lon,lat; got {coords!r}", param_hint="--coords")
        places = (names[0], names[1])
    found = training.train(
        training.read_sales(sales),
        target=target,
        date=date,
        coords=places,
        group=group,
        holdout_from=holdout_from,
        baseline=baseline,
        increasing=increasing or (),
        threads=threads,
        effort=effort,
    )
    training.write_training(found, out, overwrite=overwrite)
    for line in training.in_brief(found):
        typer.echo(line)
    typer.echo(f"Written: {out}")


def _options(given: Sequence[str] | None) -> dict[str, object]:
    """Options of a source, ``NAME=VALUE`` each; values as YAML has them, so that ``[a, b]`` is a list."""
    import yaml

    found: dict[str, object] = {}
    for text in given or ():
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InvalidInput(f"An option of a source is written NAME=VALUE, such as max_cloud=60; got {text!r}.")
        try:
            found[name.strip().replace("-", "_")] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InvalidInput(f"The value of option {name!r} is not YAML: {value!r}.") from error
    return found


def _load_settings(path: Path | None, *, cache: bool) -> Settings:
    """Settings of the file and the environment; the block cache in the user's cache folder where they name none."""
    from geocollateral.config import load_settings
    from geocollateral.service import with_cache

    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "geocollateral"
    return with_cache(load_settings(path), own if cache else None)


def _with_registry(settings: Settings, *, asked: bool) -> Settings:
    """Settings with the registry that is to be asked: the one they name, else that of the user, if there is one."""
    from geocollateral.service import with_registry

    own = cli_projects.data_folder()
    there = settings.store.url is not None or (own / "registry.sqlite").is_file()
    return with_registry(settings, own if asked and there else None)


class _Progress:
    """A bar on a terminal, plain lines elsewhere; both on standard error, so that output can be piped."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn(unit), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=Console(stderr=True)
            )
            self._task = self._bar.add_task(unit, total=None)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)
        else:
            typer.echo(f"{self._unit}: {done} of {total}", err=True)


def _print_table(result: Assessment, lang: str) -> None:
    from geocollateral.service import summary_rows

    _print_rows(summary_rows(result, lang), f"As of {result.as_of}, run {result.run_id}")


def _print_rows(rows: Sequence[Mapping[str, str]], title: str | None = None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="right" if all(_is_amount(row[name]) for row in rows) else "left")
    for row in rows:
        table.add_row(*map(Text, row.values()))  # as it stands: a name in brackets is no markup
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def _is_amount(text: str) -> bool:
    return text[:1].isdigit() or len(text) <= 1


def _fail(error: GeocollateralError) -> NoReturn:
    typer.echo(f"geocollateral: {error}", err=True)
    sys.exit(EXIT_CODES[error.kind])
