"""ZIP archives, distrusted: limits hold for the bytes that come out, not for what the archive says of itself."""

from __future__ import annotations

import io
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Mapping

from geocollateral.errors import InvalidInput

MAX_UNPACKED = 300_000_000
"""Bytes that may come out of an archive."""
MAX_RATIO = 100
"""Unpacked bytes per byte of the archive, beyond `RATIO_FROM`."""
RATIO_FROM = 1_000_000
MAX_ENTRIES = 50
MAX_NAME = 200

_CHUNK = 1 << 20
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ARCHIVES = (".zip", ".kmz", ".rar", ".7z", ".gz", ".tgz", ".bz2", ".xz", ".tar")
_DRIVE = re.compile(r"^[A-Za-z]:")
_FLAG_ENCRYPTED, _FLAG_UTF8 = 0x1, 0x800


class Archive:
    """A ZIP archive whose directory was checked.

    Parameters
    ----------
    content
        Bytes of the archive.
    name
        Of the file, for messages.

    Raises
    ------
    InvalidInput
        The archive is broken or breaks a limit.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self.name = name
        self._packed = len(content)
        self._unpacked = 0
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, RuntimeError, ValueError, struct.error, OSError) as exc:
            raise InvalidInput(f"{name}: expected a ZIP archive, got a broken one ({exc}). Pack it again.") from exc
        entries = self._zip.infolist()
        if len(entries) > MAX_ENTRIES:
            raise InvalidInput(f"{name}: expected at most {MAX_ENTRIES} entries in the archive, got {len(entries):,}.")
        for entry in entries:
            _require_plain(entry, name)
        _require_apart(entries, content, self._zip.start_dir, name)
        self._entries = {_true_name(entry): entry for entry in entries if not entry.is_dir()}
        _require_unique([_true_name(entry) for entry in entries], name)
        declared = sum(entry.file_size for entry in entries)
        if declared > MAX_UNPACKED:
            raise InvalidInput(
                f"{name}: expected at most {MAX_UNPACKED // 10**6} MB unpacked, got {declared / 1e6:,.0f} MB."
            )

    @property
    def names(self) -> list[str]:
        """Files in it, in its order; folders are left out."""
        return list(self._entries)

    def read(self, member: str) -> bytes:
        """Bytes of one of its files.

        Raises
        ------
        InvalidInput
            More comes out than is allowed, or the file is broken.
        """
        parts: list[bytes] = []
        try:
            with self._zip.open(self._entries[member]) as file:
                while chunk := file.read(_CHUNK):
                    parts.append(chunk)
                    self._count(len(chunk))
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            RuntimeError,
            struct.error,
            OSError,
        ) as exc:
            raise InvalidInput(f"{self.name}: {member!r:.80} in the archive is broken ({exc}). Pack it again.") from exc
        return b"".join(parts)

    def _count(self, size: int) -> None:
        self._unpacked += size
        if self._unpacked > MAX_UNPACKED:
            raise InvalidInput(f"{self.name}: expected at most {MAX_UNPACKED // 10**6} MB unpacked, got more.")
        if self._unpacked > RATIO_FROM and self._unpacked > MAX_RATIO * self._packed:
            raise InvalidInput(
                f"{self.name}: expected an archive that unpacks to at most {MAX_RATIO} times its size, got more. Is it "
                f"a zip bomb?"
            )


def _true_name(entry: zipfile.ZipInfo) -> str:
    """Name of an entry; one without the mark of UTF-8 is in GBK where it was packed on a Chinese Windows."""
    if entry.flag_bits & _FLAG_UTF8:
        return entry.filename
    raw = entry.orig_filename.encode("cp437", errors="replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return entry.filename


def _require_plain(entry: zipfile.ZipInfo, name: str) -> None:
    """An entry is a plain file or folder under a harmless relative name."""
    shown = f"{_true_name(entry)!r:.80}"
    parts = entry.orig_filename.replace("\\", "/").split("/")
    if not entry.filename:  # Python 3.11 and 3.12 stumble over it themselves
        raise InvalidInput(f"{name}: expected names in the archive, got an entry without one. Pack it again.")
    if "\x00" in entry.orig_filename or not all(c.isprintable() for c in _true_name(entry)):
        raise InvalidInput(f"{name}: expected printable names in the archive, got {shown}.")
    if ".." in parts or entry.orig_filename.startswith(("/", "\\")) or _DRIVE.match(entry.orig_filename):
        raise InvalidInput(
            f"{name}: expected names within the archive, got {shown}, which points outside. Pack it again."
        )
    if "\\" in entry.orig_filename or len(entry.orig_filename) > MAX_NAME or len(parts) > 10:
        raise InvalidInput(f"{name}: expected short names with forward slashes in the archive, got {shown}.")
    mode = entry.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InvalidInput(f"{name}: expected files in the archive, got {shown}, which is a link or a device.")
    if entry.flag_bits & _FLAG_ENCRYPTED:
        raise InvalidInput(f"{name}: {shown} in the archive is encrypted. Pack it again without a password.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidInput(f"{name}: {shown} in the archive is packed in a way that is not read. Pack it as plain ZIP.")
    if entry.is_dir() and entry.file_size:
        raise InvalidInput(f"{name}: {shown} in the archive is a folder with content of its own. Pack it again.")
    if _true_name(entry).lower().endswith(_ARCHIVES):
        raise InvalidInput(f"{name}: {shown} is an archive within the archive, which is not opened. Send it by itself.")


def _require_unique(names: Iterable[str], name: str) -> None:
    seen: set[str] = set()
    for each in names:
        folded = unicodedata.normalize("NFKC", each).casefold().rstrip("/")
        if folded in seen:
            raise InvalidInput(f"{name}: {each!r:.80} is in the archive twice.")
        seen.add(folded)


def _require_apart(entries: list[zipfile.ZipInfo], content: bytes, directory: int, name: str) -> None:
    """Entries follow each other from the first byte to the directory without sharing a byte."""
    end = 0
    for entry in sorted(entries, key=lambda each: each.header_offset):
        start = entry.header_offset
        header = content[start : start + _LOCAL_HEADER.size]
        if start < end or len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise InvalidInput(
                f"{name}: entries of the archive overlap or do not lie where they should. Pack it again."
            )
        if end == 0 and start != 0:
            raise InvalidInput(f"{name}: expected a ZIP archive, got other content before its first entry.")
        _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        end = start + _LOCAL_HEADER.size + name_length + extra_length + entry.compress_size
    if end > directory:
        raise InvalidInput(f"{name}: entries of the archive overlap or do not lie where they should. Pack it again.")


def skip_clutter(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Names that may mean something, and what operating systems leave behind."""
    kept: list[str] = []
    clutter: list[str] = []
    for name in names:
        base = name.rpartition("/")[2]
        junk = (
            name.startswith("__MACOSX/")
            or base.startswith("._")
            or base.lower() in (".ds_store", "thumbs.db", "desktop.ini")
        )
        (clutter if junk else kept).append(name)
    return kept, clutter


def by_ending(names: Iterable[str]) -> Mapping[str, list[str]]:
    """Names by their last ending, in lower case with the dot."""
    found: dict[str, list[str]] = {}
    for name in names:
        base = name.rpartition("/")[2]
        found.setdefault("." + base.rpartition(".")[2].lower() if "." in base else "", []).append(name)
    return found
