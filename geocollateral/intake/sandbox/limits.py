"""What the process that reads a user's file may use, and how that is enforced.

The process limits itself before it sees the first byte of the file. Only the standard library is used.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Callable

CPU_SECONDS = 10
WALL_SECONDS = 18.0
MEMORY_BYTES = 1 << 30
RESULT_BYTES = 250_000_000
STOPPED = 71
"""Exit code of a process that was stopped by its audit hook."""

OPEN_FILES = 3
"""Standard input, output and error: with all of them open, the kernel lets no other file and no socket be opened."""

HARMLESS_EVENTS = frozenset({
    "object.__getattr__", "object.__setattr__", "object.__delattr__", "array.__new__", "builtins.id", "sys._getframe",
    "sys.unraisablehook", "sys.excepthook", "sqlite3.connect/handle", "cpython._PySys_ClearAuditHooks",
    "cpython.PyInterpreterState_Clear",
})  # fmt: skip
"""Audit events that reach nothing outside the process. Every other one ends it."""

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS = 38
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_LANDLOCK_VERSION = 1
_LANDLOCK_FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Rights over files by the first version of Landlock that knows them."""


def bound_resources() -> list[str]:
    """Bound time, memory, output and child processes of this process; names of what could be bounded."""
    wanted = {
        "cpu": (resource.RLIMIT_CPU, CPU_SECONDS),
        "memory": (resource.RLIMIT_AS, MEMORY_BYTES),
        "output": (resource.RLIMIT_FSIZE, RESULT_BYTES),
        "core": (resource.RLIMIT_CORE, 0),
        "processes": (getattr(resource, "RLIMIT_NPROC", resource.RLIMIT_CORE), 0),
    }
    bounded = []
    for name, (kind, size) in wanted.items():
        try:
            resource.setrlimit(kind, (size, size + (name == "cpu")))
        except (ValueError, OSError):  # macOS refuses to bound the address space
            continue
        bounded.append(name)
    return bounded


def leave_network() -> bool:
    """Move this process into a network of its own, without any interface; False where the system does not let it."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return any(libc.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET))


def leave_files() -> bool:
    """Give up all rights over files and TCP by Landlock; False where the kernel has none."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version < 1:
        return False
    files = max(mask for first, mask in _LANDLOCK_FILES.items() if first <= version)
    attributes = (ctypes.c_uint64 * 2)(files, 3 if version >= 4 else 0)
    size = ctypes.c_size_t(16 if version >= 4 else 8)
    ruleset = libc.syscall(_LANDLOCK_CREATE, attributes, size, 0)
    if ruleset < 0:
        return False
    refused = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)
    return int(refused) == 0


def close_doors() -> None:
    """Let no file and no socket be opened from now on, by whatever library, and end the process where Python tries."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    sys.addaudithook(_watch(os._exit))


def _watch(stop: Callable[[int], object]) -> Callable[[str, tuple[object, ...]], None]:
    def hook(event: str, args: tuple[object, ...]) -> None:
        if event in HARMLESS_EVENTS or (event == "sqlite3.connect" and args[0] == ":memory:"):
            return
        os.write(2, f"stopped: {event} {args!r:.200}".encode(errors="replace"))
        stop(STOPPED)

    return hook
