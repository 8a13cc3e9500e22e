"""The program of the process that reads one file: a job on standard input, the answer on standard output.

`runner` starts it by its path in an isolated interpreter. The order matters: (1) bound what the process may use,
(2) take the job, (3) load the one reader that is needed, (4) give up files and network, (5) look into the file.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import unicodedata
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import Reading
from geocollateral.intake.formats import Format, choose_format
from geocollateral.intake.sandbox import limits

ENCODINGS = (
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "gb18030",
    "gbk",
    "cp437",
    "cp1252",
    "latin-1",
    "big5",
    "ascii",
)
"""Loaded before files are given up: Python reads them from disk when they are first used."""


def main() -> None:
    """Answer one job and end the process."""
    held = limits.bound_resources()
    held += ["network"] if limits.leave_network() else []
    header = json.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    _load_encodings()
    try:
        form = choose_format(content, header["name"])
        form.load()
    except InvalidInput as exc:
        _send({"refused": str(exc)})
        return
    held += ["files"] if limits.leave_files() else []
    limits.close_doors()
    _send(answer(form, content, header["name"]) | {"held": held})


def answer(form: Format, content: bytes, name: str) -> dict[str, Any]:
    """The reading of a file as JSON values, or why there is none."""
    try:
        return {"reading": encode(form.parse(content, name))}
    except InvalidInput as exc:
        return {"refused": str(exc)}
    except RecursionError:
        return {"refused": f"{name}: expected a {form.title}, got content nested too deeply."}
    except MemoryError:
        return {"memory": True}
    except Exception as exc:
        place = exc.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = "" if place is None else f"{Path(place.tb_frame.f_code.co_filename).name} line {place.tb_lineno}"
        return {"failed": f"{type(exc).__name__} in {where}"}


def encode(reading: Reading) -> dict[str, Any]:
    """A reading as JSON values."""
    features = [[f.number, f.identity, f.geometry, f.properties, f.place] for f in reading.features]
    return {
        "format": reading.format,
        "features": features,
        "crs": reading.crs,
        "textual": reading.textual,
        "notes": reading.notes,
    }


def _load_encodings() -> None:
    for encoding in ENCODINGS:
        "a".encode(encoding)
    unicodedata.normalize("NFKC", "a")
    sqlite3.connect(":memory:").close()


def _send(message: dict[str, Any]) -> None:
    """Write the answer and end at once: nothing of the interpreter is left to run."""
    code = 0
    try:
        sys.stdout.buffer.write(json.dumps(message).encode())
        sys.stdout.buffer.flush()
    except MemoryError:
        code = 1
        os.write(1, b'{"memory": true}')
    except OSError:  # larger than an answer may be
        code = 1
    os._exit(code)


if __name__ == "__main__":
    main()
