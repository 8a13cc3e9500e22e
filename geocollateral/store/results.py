"""Write a result folder so that nobody ever sees half of one.

All files go to a hidden folder beside the final place, are flushed to the disk, and only then get the final name. A
reader, or a second run after a power cut, finds the whole new result, the whole old one, or none.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from geocollateral.errors import BrokenData, InvalidInput, MissingInput, ServiceUnavailable
from geocollateral.store.artifacts import RUN_FILE, require_declared

RESULT_KIND = "geocollateral-result"
"""Value of ``kind`` in our ``run.json``: what the writer asks for before it replaces a folder."""

FORMAT_VERSION = 1


def write_result_folder(
    files: Mapping[str, bytes], out: str | os.PathLike[str], *, run: Mapping[str, Any], overwrite: bool = False
) -> Path:
    """Write the files of a run and its ``run.json``, all or nothing.

    Parameters
    ----------
    files
        Content by name inside the folder (``/`` between parts); every name is declared in `artifacts.ARTIFACTS`.
    out
        The folder to be. Its parent is made where missing.
    run
        Content of ``run.json``; ``kind``, ``format`` and ``outputs`` are added here.
    overwrite
        Whether a result folder already there may be replaced. Any other folder is always left alone, except an empty
        one, which is used.

    Returns
    -------
    The folder.

    Raises
    ------
    InvalidInput
        Something is in the way at ``out``.
    BrokenData
        A file name is not declared, or two names are one on a file system that ignores case.
    ServiceUnavailable
        The file system did not do its part (full, read-only, not permitted).
    """
    _require_names(files)
    out = Path(os.path.abspath(out))  # noqa: PTH100  (resolve() would follow a link that stands in the way)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _restore_interrupted_swap(out)
        _require_replaceable(out, overwrite)
        partial = _sibling(out, "partial")
        try:
            _fill(partial, files, run)
            _put_in_place(partial, out)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    except OSError as exc:
        raise ServiceUnavailable(f"could not write the result to {out}: {exc.strerror or exc}") from exc
    return out


def require_writable(out: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Check that `write_result_folder` will find nothing in its way: to be asked before the work, not after it.

    Raises
    ------
    InvalidInput
        Something is in the way at ``out``.
    ServiceUnavailable
        The folder it would stand in cannot be written to.
    """
    out = Path(os.path.abspath(out))  # noqa: PTH100  (as above)
    # The root of a file system has no parents; it is then in its own way.
    parent = next((folder for folder in out.parents if os.path.lexists(folder)), out)
    try:
        if not parent.is_dir():
            raise InvalidInput(f"{out} cannot be made: {parent} is no folder; name another")
        _require_replaceable(out, overwrite)
    except OSError as exc:
        raise ServiceUnavailable(f"could not look at {out}: {exc.strerror or exc}") from exc
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ServiceUnavailable(f"could not write the result to {out}: no permission to write in {parent}")


def read_run(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Content of the ``run.json`` of a result folder.

    Raises
    ------
    MissingInput
        There is no such folder, or it is not one of ours.
    """
    run = _run_of(Path(folder))
    if run is None:
        raise MissingInput(f"{folder} is not a geocollateral result folder: no {RUN_FILE} of ours in it")
    return run


def read_outputs(folder: str | os.PathLike[str], names: Iterable[str], *, record_sha256: str) -> dict[str, bytes]:
    """Content of some files of a result folder, each as its ``run.json`` states it; files that it has not are left out.

    Parameters
    ----------
    record_sha256
        What ``run.json`` is known to be.

    Raises
    ------
    MissingInput
        It is no result folder.
    BrokenData
        ``run.json`` or a file is not what it was.
    """
    folder = Path(folder)
    outputs = read_run(folder)["outputs"]
    found = _digest((folder / RUN_FILE).read_bytes())["sha256"]
    if found != record_sha256:
        raise BrokenData(f"{folder / RUN_FILE} has SHA-256 {found[:12]}…, the registry says {record_sha256[:12]}…")
    content = {}
    for name in names:
        if name in outputs:
            content[name] = (folder / name).read_bytes() if (folder / name).is_file() else b""
            if _digest(content[name]) != outputs[name]:
                raise BrokenData(f"{folder / name} is missing, or is not what {RUN_FILE} says it was")
    return content


def find_damage(folder: str | os.PathLike[str]) -> list[str]:
    """What differs between a result folder and its ``run.json``, one sentence per file; empty when sound."""
    folder = Path(folder)
    outputs: Mapping[str, Mapping[str, Any]] = read_run(folder)["outputs"]
    present = _files_in(folder)
    damage = [f"{name} is not named in {RUN_FILE}" for name in sorted(present - set(outputs))]
    for name, expected in outputs.items():
        if name not in present:
            damage.append(f"{name} is missing")
        elif (found := _digest((folder / name).read_bytes())) != expected:
            damage.append(f"{name} has SHA-256 {found['sha256'][:12]}…, {RUN_FILE} says {expected['sha256'][:12]}…")
    return damage


def _files_in(folder: Path) -> set[str]:
    """Names of the files in a result folder but for ``run.json``."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()} - {RUN_FILE}


def _digest(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _run_of(folder: Path) -> dict[str, Any] | None:
    """The ``run.json`` of a folder if it is one of ours, else None."""
    try:
        run = json.loads((folder / RUN_FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return run if isinstance(run, dict) and run.get("kind") == RESULT_KIND else None


def _require_names(files: Mapping[str, bytes]) -> None:
    seen: dict[str, str] = {}
    for name in files:
        parts = PurePosixPath(name).parts
        if name == RUN_FILE or ".." in parts or name != "/".join(parts) or "\\" in name or "\0" in name:
            raise BrokenData(f"{name!r} cannot be the name of a file in a result folder")
        require_declared(name)
        # macOS and Windows would silently keep one of the two.
        if (other := seen.setdefault(name.casefold(), name)) != name:
            raise BrokenData(f"{other!r} and {name!r} are one file on a file system that ignores case")


def _require_replaceable(out: Path, overwrite: bool) -> None:
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not out.is_dir():
        raise InvalidInput(f"{out} is in the way: expected a folder to be made, found a file or a link; name another")
    if not any(out.iterdir()):
        return
    run = _run_of(out)
    if run is None:
        raise InvalidInput(
            f"{out} holds files that are not a geocollateral result (no {RUN_FILE} of ours); it is left as it is: "
            "name another folder"
        )
    if not overwrite:
        raise InvalidInput(f"{out} already holds a result; name another folder, or ask to overwrite it")
    if strangers := sorted(_files_in(out) - set(run.get("outputs", {}))):
        raise InvalidInput(
            f"{out} holds files that no run of ours wrote ({', '.join(strangers[:3])}); it is left as it is: "
            "move them away, or name another folder"
        )


def _sibling(out: Path, role: str) -> Path:
    """A new name beside ``out``: on the same file system, so that a rename is one step."""
    return out.with_name(f".{out.name}.{role}-{secrets.token_hex(4)}")


def _fill(partial: Path, files: Mapping[str, bytes], run: Mapping[str, Any]) -> None:
    partial.mkdir()
    for name in sorted(files):
        _write_durably(partial / name, files[name])
    outputs = {name: _digest(files[name]) for name in sorted(files)}
    record = {**run, "kind": RESULT_KIND, "format": FORMAT_VERSION, "outputs": outputs}
    try:
        text = json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise BrokenData(f"{RUN_FILE} can hold JSON values only: {exc}") from exc
    _write_durably(partial / RUN_FILE, text.encode() + b"\n")
    for folder in {(partial / name).parent for name in files} | {partial}:
        _sync_folder(folder)


def _write_durably(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; a no-op where folders cannot be opened (Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(partial: Path, out: Path) -> None:
    """Give the finished folder its name; an old result steps aside first and is deleted last."""
    if not out.exists() or not any(out.iterdir()):
        if out.exists():
            out.rmdir()
        partial.rename(out)
        _sync_folder(out.parent)
        return
    aside = _sibling(out, "replaced")
    out.rename(aside)
    try:
        partial.rename(out)
    except BaseException:
        aside.rename(out)
        raise
    _sync_folder(out.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _restore_interrupted_swap(out: Path) -> None:
    """Bring back the old result of a run that was killed between the two renames of a swap."""
    if os.path.lexists(out):
        return
    stepped_aside = sorted(p for p in out.parent.glob(f".{glob.escape(out.name)}.replaced-*") if _run_of(p) is not None)
    if stepped_aside:
        stepped_aside[-1].rename(out)
