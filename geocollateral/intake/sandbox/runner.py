"""Starts the process that reads a file, ends it in time, and distrusts its answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal

from geocollateral.errors import BrokenData, InvalidInput, ServiceUnavailable
from geocollateral.intake.features import Feature, Note, Reading
from geocollateral.intake.sandbox import limits

CHILD = Path(__file__).with_name("child.py")
_KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Without which some builds of Python do not start."""
_NOTE_KINDS: Mapping[str, Literal["repair", "warning", "reading"]] = {
    "repair": "repair",
    "warning": "warning",
    "reading": "reading",
}


def read_in_child(content: bytes, name: str) -> Reading:
    """What a file holds, found out by a process that can do nothing else.

    Parameters
    ----------
    content
        Bytes of the file.
    name
        Of the file: its ending says the format, and messages name it. It is never used as a path.

    Raises
    ------
    InvalidInput
        The file is not what its name says, has faults, or takes more time or memory than a file of parcels may.
    BrokenData
        The process failed in a way that is a defect of ours or an attack.
    ServiceUnavailable
        The process could not be started.
    """
    with tempfile.TemporaryFile() as job, tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as trouble:
        job.write(json.dumps({"name": name}).encode() + b"\n")
        job.write(content)
        job.seek(0)
        code = _run(job, answer, trouble, name)
        answer.seek(0)
        return _take(answer.read(limits.RESULT_BYTES + 1), code, name)


def _run(job: BinaryIO, answer: BinaryIO, trouble: BinaryIO, name: str) -> int:
    environment = {key: os.environ[key] for key in _KEPT_ENVIRONMENT if key in os.environ}
    command = [sys.executable, "-I", "-X", "utf8", str(CHILD)]
    try:
        process = subprocess.Popen(  # noqa: S603  the command has no part of the user's
            command, stdin=job, stdout=answer, stderr=trouble, env=environment, cwd="/", start_new_session=True
        )
    except OSError as exc:
        raise ServiceUnavailable(f"The process that reads {name} could not be started: {exc.strerror or exc}.") from exc
    try:
        return process.wait(limits.WALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise InvalidInput(
            f"{name}: took longer than {limits.WALL_SECONDS:g} s to read and was given up. Split it, or thin out the "
            f"vertices."
        ) from None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it may have started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError:  # macOS answers so for a group that has only ended processes left
        pass
    process.wait()


def _take(answer: bytes, code: int, name: str) -> Reading:
    if code == -signal.SIGXCPU:
        raise InvalidInput(
            f"{name}: took more than {limits.CPU_SECONDS} s of computing to read and was given up. Split it, or thin "
            f"out the vertices."
        )
    if code == limits.STOPPED:
        raise BrokenData(
            f"{name}: reading it was stopped, since it would have opened something outside the file. Nothing of it was "
            f"accepted."
        )
    if len(answer) >= limits.RESULT_BYTES:
        raise InvalidInput(f"{name}: holds more than can be handled at once. Split it into several files.")
    try:
        return open_answer(dict(json.loads(answer)), name)
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise BrokenData(
            f"{name}: the process that read it ended without an answer (code {code}). Nothing of it was accepted. "
            f"Please report the file."
        ) from exc


def open_answer(message: Mapping[str, Any], name: str) -> Reading:
    """The reading in an answer of the child.

    Raises
    ------
    InvalidInput, BrokenData
        It holds none, for a reason that it gives.
    ValueError, TypeError, KeyError
        It is no answer of the child.
    """
    if "refused" in message:
        raise InvalidInput(str(message["refused"]))
    if "memory" in message:
        raise InvalidInput(
            f"{name}: takes more than {limits.MEMORY_BYTES >> 30} GB of memory to read. Split it, or thin out the "
            f"vertices."
        )
    if "failed" in message:
        raise BrokenData(
            f"{name}: reading it failed by a defect of ours ({message['failed']!s:.100}). Nothing of it was accepted. "
            f"Please report the file."
        )
    return decode(message["reading"])


def decode(reading: Mapping[str, Any]) -> Reading:
    """A reading from the JSON values of `child.encode`, every part of the type it must have.

    Raises
    ------
    ValueError, TypeError, KeyError
        The values are not those of a reading.
    """
    features = []
    for place, (number, identity, geometry, properties, where) in enumerate(reading["features"], start=1):
        if number != place or not isinstance(properties, dict) or not isinstance(where, str):
            raise ValueError(f"feature {place} is none")
        features.append(
            Feature(number=number, identity=identity, geometry=geometry, properties=properties, place=where)
        )
    crs, form = reading["crs"], reading["format"]
    notes: list[Note] = [(_NOTE_KINDS[kind], str(text)) for kind, text in reading["notes"]]
    if not (crs is None or isinstance(crs, str)) or not isinstance(form, str):
        raise TypeError("a reading names its format and its reference system as text")
    return Reading(format=form, features=tuple(features), crs=crs, textual=bool(reading["textual"]), notes=tuple(notes))
