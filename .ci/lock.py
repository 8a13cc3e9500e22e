"""Write the locks from pyproject.toml and requirements-moto.in, for every Python allowed, with hashes.

    python .ci/lock.py                 add what is new in pyproject.toml, keep every version already locked
    python .ci/lock.py --upgrade       take the newest versions that pyproject.toml allows
    python .ci/lock.py --upgrade NAME  let only these packages move

Needs `uv` on the PATH, and the network. All extras are solved together, so that any two of them fit one environment.
uv's own lock names hosts for every file and so cannot be committed; what is exported from it names none. The S3 server
of the tests is solved apart, into requirements-moto.lock: its needs contradict ours.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {"requirements.lock": [], "requirements-dev.lock": ["--extra", "dev"]}
S3_SERVER = ("requirements-moto.in", "requirements-moto.lock")
PIN = re.compile(r"^(?P<name>[a-z0-9._-]+)(?:\[[^]]*])?==(?P<version>\S+)(?P<marker> ; .+?)? \\$", re.MULTILINE)


def read_pins(free: list[str]) -> list[str]:
    """Requirements that hold every locked version, but for the packages named free."""
    path = ROOT / "requirements-dev.lock"
    found = PIN.finditer(path.read_text(encoding="utf-8")) if path.exists() else ()
    return [f"{p['name']}=={p['version']}{p['marker'] or ''}" for p in found if p["name"] not in free]


def solve(work: Path, pins: list[str], uv: str) -> None:
    """Resolve in a copy, so that the pins never enter the project's own file."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    held = f"[tool.uv]\nconstraint-dependencies = {json.dumps(pins)}\n"
    if "[tool.uv]\n" not in text:
        sys.exit("pyproject.toml has no [tool.uv] table to put the pins into")
    (work / "pyproject.toml").write_text(text.replace("[tool.uv]\n", held, 1), encoding="utf-8")
    for name in ("README.md", "geocollateral/__init__.py"):  # the build backend reads the version there
        (work / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, work / name)
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run([uv, "lock", "--quiet", "--project", str(work)], check=True, env=env)
    form = ["--no-emit-project", "--no-header", "--no-annotate", "--format", "requirements.txt", "--group", "build"]
    for name, extras in LOCKS.items():
        command = [uv, "export", "--quiet", "--frozen", "--project", str(work), *form, *extras, "-o", str(work / name)]
        subprocess.run(command, check=True, env=env)


def solve_s3_server(work: Path, uv: str, *, keep: bool) -> None:
    """Compile the lock of the environment that moto's server has for itself; `keep` holds the versions locked."""
    source, name = S3_SERVER
    if keep and (ROOT / name).exists():
        shutil.copy(ROOT / name, work / name)  # uv prefers what the output file holds
    oldest = re.search(r"\d+\.\d+", requires_python())
    command = [uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-emit-index-url"]
    command += ["--no-annotate", "--no-header", "--python-version", oldest[0] if oldest else "3.11"]
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run([*command, str(ROOT / source), "-o", str(work / name)], check=True, env=env)


def main() -> None:
    """Solve, then replace both locks together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", nargs="*", metavar="NAME", help="packages that may move; none named means all")
    options = parser.parse_args()
    uv = shutil.which(os.environ.get("UV", "uv"))
    if uv is None:
        sys.exit("uv was not found. Install it (any Python: pip install uv) or name it: UV=/path/to/uv make lock")
    pins = [] if options.upgrade == [] else read_pins(options.upgrade or [])
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        try:
            solve(work, pins, uv)
            solve_s3_server(work, uv, keep=options.upgrade is None)
        except subprocess.CalledProcessError as error:
            sys.exit(
                f"uv ended with code {error.returncode}. If a locked version is in the way: make lock UPGRADE=NAME"
            )
        for name in (*LOCKS, S3_SERVER[1]):
            text = (work / name).read_text(encoding="utf-8")
            if "://" in text:
                sys.exit(f"{name} would name a host; it was not written")
            (ROOT / name).write_text(text, encoding="utf-8")
            print(f"{name}: {len(PIN.findall(text))} pins for Python {requires_python()}")


def requires_python() -> str:
    """Range of Python versions that the locks serve."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"])


if __name__ == "__main__":
    main()
