"""Store of byte strings on disk: compressed tiles, headers and answers of services, by what was asked for.

An entry is one file: SHA-256 of key and value, then the value. It is written beside its place, synced and renamed
there, so that a reader sees all of it or nothing, whoever is killed when; and its digest is checked at every read, so
that what the disk changed is fetched anew. Several processes may share a folder. Entries that were not used for longest
go first; a reader that has an entry open keeps it. Where nothing can be written (a full disk, a read-only folder) the
run goes on without.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIGEST_BYTES = 32
PARTIAL = ".partial"
STALE_SECONDS = 3600.0
"""A partial file this old belongs to nobody alive."""
TOUCH_SECONDS = 600.0
"""An entry's time of use is noted to this precision."""
KEEP = 0.9
"""Share of the bound that is left after clearing."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CacheStats:
    """What a cache did since it was opened."""

    hits: int
    misses: int
    rejected: int
    """Entries that failed their digest; they count as misses too."""
    written: int
    disabled: str
    """Why nothing is written any more; ``""`` while it is."""


def make_key(kind: str, *parts: str) -> str:
    """Key of a value: what was asked for, without any signature.

    Parameters
    ----------
    kind
        What the value is: ``header``, ``tile``, ``answer``. Kinds never meet.
    parts
        Address without query, version of the item, range or request body.
    """
    digest = hashlib.sha256()
    for part in (kind, *parts):
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


class BlockCache:
    """Values by key in a folder, bounded in size. Threads and processes may share it.

    Parameters
    ----------
    folder
        Made at the first write.
    max_bytes
        The folder is kept under this, but for what others are writing at the same time.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._counts = {"hits": 0, "misses": 0, "rejected": 0, "written": 0}
        self._disabled = ""
        self._held: int | None = None
        self._serial = 0

    def __contains__(self, key: str) -> bool:
        """Tell whether there is an entry, without vouching for it."""
        return self._path(key).exists()

    def get(self, key: str) -> bytes | None:
        """Value of a key; None where there is none or its digest is wrong (then it is removed)."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                entry = file.read()
                used = os.fstat(file.fileno()).st_mtime
        except OSError:
            self._count("misses")
            return None
        value = entry[DIGEST_BYTES:]
        if _digest(key, value) != entry[:DIGEST_BYTES]:
            self._count("misses", "rejected")
            with suppress(OSError):
                path.unlink()
            return None
        self._count("hits")
        if abs(_wall_clock() - used) > TOUCH_SECONDS:
            with suppress(OSError):
                os.utime(path)
        return value

    def put(self, key: str, value: bytes) -> None:
        """Store a value. Never raises for the disk's sake: the first failure ends writing, and is said once."""
        if self._disabled:
            return
        path = self._path(key)
        with self._lock:
            self._serial += 1
            partial = path.with_name(f"{key}.{os.getpid()}-{threading.get_ident()}-{self._serial}{PARTIAL}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                _write_synced(partial, _digest(key, value) + value)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
            self._count("written")
            self._make_room(len(value) + DIGEST_BYTES)
        except OSError as exc:
            self._disable(exc)

    @property
    def stats(self) -> CacheStats:
        """Hits, misses and writes so far."""
        with self._lock:
            return CacheStats(**self._counts, disabled=self._disabled)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def _count(self, *names: str) -> None:
        with self._lock:
            for name in names:
                self._counts[name] += 1

    def _disable(self, exc: OSError) -> None:
        with self._lock:
            first, self._disabled = not self._disabled, exc.strerror or type(exc).__name__
        if first:
            _log.warning("The block cache %s takes no more (%s); the run goes on without.", self.folder, self._disabled)

    def _make_room(self, added: int) -> None:
        """Count what was added; when the bound is passed look at the whole folder and clear it."""
        with self._lock:
            if self._held is not None:
                self._held += added
                if self._held <= self.max_bytes:
                    return
            entries = sorted(self._entries())
            held = sum(size for _, size, _ in entries)
            if held > self.max_bytes:
                for _, size, path in entries:
                    if held <= KEEP * self.max_bytes:
                        break
                    with suppress(OSError):
                        path.unlink()
                    held -= size
            self._held = held

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Time of last use, size and path of every entry; partial files of the dead are removed."""
        now = _wall_clock()
        for path in self.folder.glob("??/*"):
            with suppress(OSError):
                status = path.stat()
                if path.suffix != PARTIAL:
                    yield status.st_mtime, status.st_size, path
                elif now - status.st_mtime > STALE_SECONDS:
                    path.unlink()


@functools.lru_cache(maxsize=8)
def cache_of(folder: Path | None, max_bytes: int) -> BlockCache | None:
    """The cache of this process for a folder; None where no folder is named."""
    return None if folder is None else BlockCache(folder, max_bytes)


def _digest(key: str, value: bytes) -> bytes:
    """Over the key too: an entry that got another's name is not taken."""
    digest = hashlib.sha256(bytes.fromhex(key))
    digest.update(value)
    return digest.digest()


def _write_synced(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        view: Any = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _wall_clock() -> float:
    """Seconds since 1970, to compare with the times of files; nothing is decided by it but what is cleared first."""
    return time.time()
