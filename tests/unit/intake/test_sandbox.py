"""The process that reads a file: what it may not do, how it ends, and that its answer is distrusted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from parcel_files import geojson

from geocollateral.errors import BrokenData, InvalidInput, ServiceUnavailable
from geocollateral.intake.features import Feature, Reading
from geocollateral.intake.sandbox import child, limits, runner

LINUX = sys.platform.startswith("linux")


def in_a_child(root: Path, code: str, *steps: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter that gave up what the reading process gives up."""
    before = "import sys, os, socket, subprocess, ctypes, sqlite3\nfrom geocollateral.intake.sandbox import limits\n"
    program = (
        f"sys.path.insert(0, {str(root)!r})\n"
        + before
        + "\n".join(f"limits.{step}()" for step in steps)
        + f"\n{code}\n"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", "import sys\n" + program], capture_output=True, text=True, check=False
    )


OPENING = {
    "read": "open('/etc/hostname').read()",
    "write": "open('stray', 'w').write('x')",
    "low": "os.open('/etc/hostname', os.O_RDONLY)",
    "socket": "socket.socket()",
    "lookup": "socket.getaddrinfo('localhost', 80)",
    "program": "subprocess.run(['true'])",
    "shell": "os.system('true')",
    "fork": "os.fork()",
    "remove": "os.remove('stray')",
    "folder": "os.mkdir('stray')",
    "list": "os.listdir('/')",
    "import": "import wave",
    "foreign": "ctypes.CDLL(None)",
    "database": "sqlite3.connect('stray')",
    "evaluate": "eval('1 + 1')",
}


@pytest.mark.parametrize("way", OPENING)
def test_python_that_reaches_out_is_ended(root: Path, way: str) -> None:
    done = in_a_child(root, OPENING[way] + "\nprint('got through')", "close_doors")
    assert done.returncode == limits.STOPPED, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("stopped: ")


def test_what_stays_inside_goes_on(root: Path) -> None:
    code = (
        "import json; print(json.dumps([sqlite3.connect(':memory:').execute('SELECT 1').fetchone(), "
        "'东'.encode('utf-8').hex()]))"
    )
    done = in_a_child(root, code.replace("import json; ", ""), "close_doors")
    assert (
        done.returncode == limits.STOPPED or "json" in done.stderr
    )  # json was not loaded: even a name is not looked up
    done = in_a_child(root, "import json\nlimits.close_doors()\n" + code.replace("import json; ", ""))
    assert done.stdout.strip() == '[[1], "e4b89c"]', done.stderr


LIBRARY = """
libc = ctypes.CDLL(None, use_errno=True)
to_open, to_connect = libc.open, libc.socket
limits.close_doors()
print([to_open(b'/etc/hostname', 0), to_connect(2, 1, 0)])
"""


@pytest.mark.skipif(not LINUX, reason="the C library is named otherwise")
def test_the_kernel_holds_libraries_that_python_does_not_see(root: Path) -> None:
    """What GDAL, curl or an exploited parser would call."""
    assert in_a_child(root, LIBRARY).stdout.strip() == "[-1, -1]"


@pytest.mark.skipif(not LINUX, reason="Landlock and network namespaces are Linux's")
def test_landlock_alone_holds_files_where_the_kernel_has_it(root: Path) -> None:
    code = (
        "held = limits.leave_files()\ntry:\n    open('/etc/hostname')\n    print(held, 'open')\nexcept "
        "OSError as exc:\n    print(held, exc.errno)"
    )
    assert in_a_child(root, code).stdout.strip() in ("True 13", "False open")


@pytest.mark.skipif(not LINUX, reason="Landlock and network namespaces are Linux's")
def test_a_network_of_its_own_has_no_way_out(root: Path) -> None:
    code = (
        "held = limits.leave_network()\ns = socket.socket()\ns.settimeout(2)\n"
        "try:\n    s.connect(('127.0.0.1', 9))\nexcept OSError as exc:\n    print(held, exc.errno)"
    )
    assert in_a_child(root, code).stdout.strip() in ("True 101", "False 111")


@pytest.mark.skipif(not LINUX, reason="macOS does not bound the address space")
def test_memory_time_and_output_are_bounded(root: Path) -> None:
    assert "MemoryError" in in_a_child(root, "bytearray(2 << 30)", "bound_resources").stderr
    code = (
        "import resource\nfor k in ('CPU', 'FSIZE', 'CORE', 'NPROC', 'AS'): "
        "print(resource.getrlimit(getattr(resource, 'RLIMIT_' + k))[0])"
    )
    bounds = in_a_child(root, code, "bound_resources").stdout.split()
    assert bounds == [str(n) for n in (limits.CPU_SECONDS, limits.RESULT_BYTES, 0, 0, limits.MEMORY_BYTES)]


def run_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> None:
    """Let the runner start another program."""
    program = tmp_path / "program.py"
    program.write_text(code, encoding="utf-8")
    monkeypatch.setattr(runner, "CHILD", program)


@pytest.mark.parametrize(
    ("code", "error", "part"),
    [
        ("import time; time.sleep(60)", InvalidInput, "took longer than 1 s to read"),
        ("import os, time\nif os.fork(): os._exit(0)\ntime.sleep(60)", BrokenData, "ended without an answer"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", InvalidInput, "of computing to read"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", BrokenData, "ended without an answer"),
        ("import os; os._exit(71)", BrokenData, "would have opened something outside"),
        ("print('x' * 3000)", InvalidInput, "more than can be handled"),
        ("print('no answer')", BrokenData, "ended without an answer"),
        ("print('[1]')", BrokenData, "ended without an answer"),
        ("print('{}')", BrokenData, "ended without an answer"),
        ("print('{\"memory\": true}')", InvalidInput, "1 GB of memory"),
        ('print(\'{"failed": "KeyError in kml.py line 7"}\')', BrokenData, "KeyError in kml.py line 7"),
        ('print(\'{"refused": "a reason"}\')', InvalidInput, "a reason"),
        ('print(\'{"reading": {"features": [[2, 0, 0, {}, 0]]}}\')', BrokenData, "without an answer"),
    ],
)
def test_every_end_of_the_process_has_its_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, error: type[Exception], part: str
) -> None:
    run_instead(monkeypatch, tmp_path, code)
    monkeypatch.setattr(limits, "WALL_SECONDS", 1.0)
    monkeypatch.setattr(limits, "RESULT_BYTES", 2000)
    started = time.monotonic()
    with pytest.raises(error, match=part):
        runner.read_in_child(geojson(), "a.geojson")
    assert time.monotonic() - started < 20


def test_the_process_starts_with_nothing_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEOCOLLATERAL_PASSWORD", "canary")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = (
        "import os, sys, json; "
        "print(json.dumps({'refused': json.dumps([sorted(os.environ), sys.argv, sys.flags.isolated, os.getcwd()])}))"
    )
    run_instead(monkeypatch, tmp_path, code)
    with pytest.raises(InvalidInput) as caught:
        runner.read_in_child(b"content", "../secret name.geojson")
    names, argv, isolated, folder = json.loads(str(caught.value))
    assert set(names) <= {"LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "__CF_USER_TEXT_ENCODING"}
    assert argv == [str(tmp_path / "program.py")]
    assert (isolated, folder) == (1, "/")


def test_a_missing_interpreter_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(ServiceUnavailable, match="could not be started"):
        runner.read_in_child(geojson(), "a.geojson")


def test_no_library_for_geodata_is_loaded(root: Path) -> None:
    code = (
        "import geocollateral.intake.sandbox.child\nfrom geocollateral.intake.formats import "
        "FORMATS\n[f.load() for f in FORMATS.values()]\nprint(sorted({n.partition('.')[0] for n in sys.modules}))"
    )
    done = in_a_child(root, code)
    loaded = set(json.loads(done.stdout.replace("'", '"')))
    assert loaded.isdisjoint(
        {"numpy", "pandas", "pyogrio", "geopandas", "rasterio", "shapely", "pyproj", "osgeo", "fiona", "pydantic"}
    )
    assert "defusedxml" in loaded


def test_a_reading_survives_the_border() -> None:
    feature = Feature(
        number=1,
        identity="a",
        geometry={"type": "Polygon", "coordinates": [[[1.5, float("inf")]]]},
        properties={"东": [None, 10**30]},
        place="line 2",
    )
    reading = Reading(format="table", features=(feature,), crs="EPSG:4490", textual=True, notes=(("reading", "x"),))
    assert runner.decode(json.loads(json.dumps(child.encode(reading)))) == reading


def test_failures_of_readers_are_told_by_their_place_only() -> None:
    class Broken:
        title = "file"

        def parse(self, content: bytes, name: str) -> Reading:
            raise self.error

    form = Broken()
    form.error = KeyError("canary")
    assert child.answer(form, b"", "a") == {
        "failed": f"KeyError in {Path(__file__).name} line {_line_of('raise self.error')}"
    }  # type: ignore[arg-type]
    form.error = MemoryError()
    assert child.answer(form, b"", "a") == {"memory": True}  # type: ignore[arg-type]
    form.error = RecursionError()
    assert "nested too deeply" in child.answer(form, b"", "a")["refused"]  # type: ignore[arg-type]


def _line_of(text: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)
