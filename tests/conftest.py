"""What every test lives in: no network but loopback, no writing outside its own folder, and marks for what it needs."""

from __future__ import annotations

import importlib.metadata
import ipaddress
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent
REALDATA = ROOT.parent / "shared" / "data"
CI = os.environ.get("CI", "").lower() not in ("", "0", "false")
ORDER = ("unit", "property", "architecture", "contract", "oracles", "e2e")
"""Folders in the order they are run: what is quick and points at one module comes first."""

# ------------------------------------------------------------------------------------------------------------- settings

set_hypothesis_home_dir(ROOT / ".hypothesis")
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
hypothesis.settings.load_profile("ci" if CI else "dev")

# For what is not Python's own socket (GDAL's curl, child processes): a proxy that refuses, but for loopback.
for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
    os.environ[name] = "http://127.0.0.1:9"
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"
os.environ["PROJ_NETWORK"] = "OFF"
os.environ["MPLBACKEND"] = "Agg"
os.environ["MPLCONFIGDIR"] = str(ROOT / ".pytest_cache" / "matplotlib")


# --------------------------------------------------------------------------------------------------------------- guards


class GuardError(RuntimeError):
    """A test reached for what no test may touch. Not an OSError: code that survives those must not hide it."""


def require_loopback(host: object, *, lookup: bool = False) -> None:
    """Refuse every host that is not this machine; its own name and bare numbers may be looked up, that asks no one."""
    text = host.decode() if isinstance(host, bytes) else host
    if text in (None, "", "localhost"):
        return
    if lookup and text == socket.gethostname():
        return
    try:
        if ipaddress.ip_address(str(text)).is_loopback or lookup:
            return
    except ValueError:
        pass
    raise GuardError(f"tests reach loopback only, this one asked for {text!r}")


def guard_network(event: str, args: tuple[Any, ...]) -> None:
    """Audit hook: see every connection and every look-up that Python makes, whatever library asks for it."""
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        require_loopback(args[0], lookup=True)
    elif event in ("socket.connect", "socket.sendto"):
        sock, address = args[:2]
        # Connecting a datagram socket sends nothing: it is how libraries ask which address is theirs.
        silent = event == "socket.connect" and sock.type == socket.SOCK_DGRAM
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not silent:
            require_loopback(address[0])


CACHES = frozenset({"__pycache__", ".pytest_cache", ".hypothesis"})
writable: list[Path] = []
"""Folders that tests may write to; empty while no test runs."""


def require_own_folder(path: object) -> None:
    """Refuse to write where another test, the repository or the user would see it."""
    if isinstance(path, int) or not path:
        return
    target = Path(os.path.abspath(os.fsdecode(path)))  # type: ignore[arg-type]  # noqa: PTH100  resolve() would open links
    if CACHES.isdisjoint(target.parts) and not any(target.is_relative_to(folder) for folder in writable):
        raise GuardError(f"tests write to tmp_path only, this one to {target}")


WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def guard_files(event: str, args: tuple[Any, ...]) -> None:
    """Audit hook: see every file that Python opens to write, every folder made, every file moved or removed."""
    if not writable:
        return
    if (event == "open" and isinstance(args[2], int) and args[2] & WRITING) or event in ("os.mkdir", "os.remove"):
        require_own_folder(args[0])
    elif event == "os.rename":
        require_own_folder(args[0])
        require_own_folder(args[1])


sys.addaudithook(guard_network)
sys.addaudithook(guard_files)


@pytest.fixture(scope="session", autouse=True)
def only_own_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Send temporary files to pytest's folder, then let nothing be written elsewhere."""
    temporary = tmp_path_factory.mktemp("tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr(tempfile, "tempdir", str(temporary))
        patch.setenv("XDG_CACHE_HOME", str(temporary / "cache"))
        patch.setenv("XDG_DATA_HOME", str(temporary / "data"))
        writable.extend([tmp_path_factory.getbasetemp().resolve(), Path("/dev"), Path("/proc")])
        yield
        writable.clear()


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each test in its own empty folder, so that relative paths cannot reach the repository."""
    monkeypatch.chdir(tmp_path)


# ------------------------------------------------------------------------------------------------------ what tests need


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome, by the variable CHROMIUM or on the PATH."""
    named = os.environ.get("CHROMIUM")
    names = (named,) if named else ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def has_sample() -> bool:
    """Tell whether the wheel that carries the sample imagery is installed."""
    return any(True for _ in importlib.metadata.distributions(name="nrt"))


def has_postgis() -> bool:
    """Tell whether a PostgreSQL server with PostGIS is installed, whatever its version."""
    return any(Path("/usr").glob("share/postgresql/*/extension/postgis.control"))


def has_moto() -> bool:
    """Tell whether moto's server was installed beside the environment of the tests."""
    return (Path(sys.prefix) / "moto" / "bin" / "moto_server").is_file()


NEEDS: dict[str, tuple[Callable[[], object], str]] = {
    "chromium": (find_chromium, "no Chromium or Chrome was found: .ci/os-packages.sh, or CHROMIUM=/path"),
    "nginx": (
        lambda: shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin"),
        "no nginx was found: .ci/os-packages.sh",
    ),
    "postgis": (has_postgis, "no PostgreSQL with PostGIS was found: .ci/os-packages.sh"),
    "s3": (has_moto, "moto's server is not installed: .ci/install.sh test"),
    "sample": (has_sample, "the sample imagery is not installed: .ci/install.sh test"),
    "realdata": (
        REALDATA.is_dir,
        "real series and labels are not here: no ../shared/data beside the repository",
    ),
}
"""Mark -> how to see that the need is met, and what to say where it is not."""
MAY_LACK_IN_CI = frozenset({"realdata"})


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose need is not met; in CI that is a failure, since CI sets everything up."""
    for mark, (is_met, reason) in NEEDS.items():
        if item.get_closest_marker(mark) and not is_met():
            if CI and mark not in MAY_LACK_IN_CI:
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the folders in order; within a folder the random order stays."""

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        return ORDER.index(folder) if folder in ORDER else len(ORDER)

    items.sort(key=place)


# ------------------------------------------------------------------------------------------------------------- fixtures


@pytest.fixture(scope="session")
def root() -> Path:
    """Folder of the repository, to read from."""
    return ROOT


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder of real series and labels; mark the test ``realdata``."""
    return REALDATA


@pytest.fixture
def page() -> Iterator[Page]:
    """Page of a fresh browser that knows no host but this one; mark the test ``chromium``."""
    from playwright.sync_api import sync_playwright

    rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox", rules])
        page = browser.new_page()
        page.set_default_timeout(120_000)  # a busy machine is no failure
        yield page
        browser.close()
