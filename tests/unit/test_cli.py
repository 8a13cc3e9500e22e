"""The command itself: help, version, options, progress; what it does is tested end to end."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geocollateral import __version__, cli
from geocollateral.errors import BrokenData, GeocollateralError, InvalidInput, MissingInput, ServiceUnavailable

HEAVY = {"numpy", "pandas", "xarray", "rasterio", "geopandas", "dask", "distributed", "scipy", "matplotlib", "zarr"}


def python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, check=False)


def test_help_lists_the_commands_and_the_exit_codes() -> None:
    done = CliRunner().invoke(cli.app, ["--help"])
    assert done.exit_code == 0
    assert "assess" in done.output
    for code in cli.EXIT_CODES.values():
        assert str(code) in done.output


def test_an_interrupt_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Typer ends with 130 and says nothing."""

    def interrupted() -> None:
        raise SystemExit(cli.INTERRUPTED)

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == cli.INTERRUPTED
    assert "no result was written" in capsys.readouterr().err


def test_no_command_shows_the_help() -> None:
    assert "assess" in CliRunner().invoke(cli.app, []).output


def test_help_of_assess_names_every_option_of_the_contract() -> None:
    text = CliRunner().invoke(cli.app, ["assess", "--help"]).output
    for option in ("--source", "--from", "--as-of", "--datum", "--out", "--scale", "--offset", "--unit-values"):
        assert option in text
    assert "%" not in text.replace("%%", "")


@pytest.mark.parametrize("arguments", [["-m", "geocollateral", "--version"]])
def test_module_runs(root: Path, arguments: list[str]) -> None:
    done = python(root, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"geocollateral {__version__}"


def test_help_is_quick_and_loads_nothing_heavy(root: Path) -> None:
    """Wall time is the promise (a second); what is loaded is the reason, and does not depend on the machine's load."""
    code = (
        "import sys, json; sys.argv = ['geocollateral', '--help']\n"
        "from geocollateral.cli import main\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    started = time.perf_counter()
    done = python(root, "-c", code)
    seconds = time.perf_counter() - started
    assert "assess" in done.stdout
    assert HEAVY.isdisjoint(json.loads(done.stderr))
    assert seconds < 5


@pytest.mark.parametrize("arguments", [["--nonsense"], ["assess", "a.geojson", "--nonsense"], ["asses"]])
def test_what_is_unknown_is_refused(arguments: list[str]) -> None:
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 2
    assert arguments[-1] in done.output


@pytest.mark.parametrize(
    ("error", "code"), [(InvalidInput, 3), (MissingInput, 4), (ServiceUnavailable, 5), (BrokenData, 6)]
)
def test_each_kind_of_error_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: type[GeocollateralError], code: int
) -> None:
    def fail() -> None:
        raise error("expected this, got that")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "geocollateral: expected this, got that\n"


def test_every_kind_has_a_code_of_its_own() -> None:
    kinds = {error.kind for error in (InvalidInput, MissingInput, ServiceUnavailable, BrokenData)}
    assert set(cli.EXIT_CODES) == kinds
    assert len(set(cli.EXIT_CODES.values()) - {0, 1, 2}) == len(kinds)


def test_progress_is_plain_lines_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with cli._Progress("blocks") as progress:
        progress(1, 2)
        progress(2, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "blocks: 1 of 2\nblocks: 2 of 2\n"


def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with cli._Progress("blocks") as progress:
        progress(1, 2)
        progress(2, 2)
    assert "2/2" in terminal.getvalue()
    assert "blocks: 1 of 2" not in terminal.getvalue()
