"""The formats that are read, one file each. Nothing here imports a library for geodata: bytes go in, features come out.

To add a format, write a module with ``parse(content, name) -> Reading`` and enter it in `FORMATS`. It must not open
anything: in the child process no file and no address can be opened when it runs.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import Reading
from geocollateral.registry import Registry

Content = Literal["ZIP", "SQLite", "XML", "JSON", "text"]
"""What the first bytes of a file say it is."""

_MAGIC: tuple[tuple[bytes, Content | None, str], ...] = (
    (b"PK\x03\x04", "ZIP", "a ZIP archive (a zipped shapefile, KMZ or spreadsheet?)"),
    (b"PK\x05\x06", "ZIP", "an empty ZIP archive"),
    (b"SQLite format 3\x00", "SQLite", "a GeoPackage or another SQLite file"),
    (b"\x00\x00\x27\x0a", None, "one file of a shapefile. Send all of them (.shp, .shx, .dbf, .prj) zipped together"),
    (b"%PDF", None, "a PDF"),
    (b"\xd0\xcf\x11\xe0", None, "an old Office file (.xls, .doc?)"),
    (b"Rar!", None, "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", None, "a 7z archive"),
    (b"\x1f\x8b", None, "a gzip archive"),
    (b"II*\x00", None, "a TIFF image"),
    (b"MM\x00*", None, "a TIFF image"),
    (b"\x89PNG", None, "a PNG image"),
    (b"\xff\xd8\xff", None, "a JPEG image"),
)
_SECTION = re.compile(rb"\[\s*[\x80-\xff]")
"""``[属性描述]``, in any encoding: a heading, which no JSON begins with."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format: how its files are called, what they begin with, and where its reader is."""

    title: str
    extensions: tuple[str, ...]
    """In lower case, with the dot."""
    content: Content
    module: str
    """Loaded on first use, so that the child process starts quickly."""

    def load(self) -> Callable[[bytes, str], Reading]:
        """The reader, imported."""
        return cast("Callable[[bytes, str], Reading]", importlib.import_module(self.module).parse)

    def parse(self, content: bytes, name: str) -> Reading:
        """Features of the bytes of a file, under the name that messages give it."""
        return self.load()(content, name)


FORMATS: Registry[Format] = Registry("format")


def _enter(name: str, title: str, extensions: tuple[str, ...], content: Content) -> None:
    FORMATS.register(name)(
        Format(title=title, extensions=extensions, content=content, module=f"geocollateral.intake.formats.{name}")
    )


_enter("geojson", "GeoJSON file", (".geojson", ".json"), "JSON")
_enter("shapefile", "zipped shapefile", (".zip",), "ZIP")
_enter("kml", "KML file", (".kml",), "XML")
_enter("kmz", "KMZ file", (".kmz",), "ZIP")
_enter("geopackage", "GeoPackage", (".gpkg",), "SQLite")
_enter("table", "table (CSV)", (".csv", ".tsv"), "text")
_enter("coordinates", "text of coordinates", (".txt",), "text")


def choose_format(content: bytes, name: str) -> Format:
    """Format of a file whose name and content agree.

    Raises
    ------
    InvalidInput
        The extension is not one of ours, the file is empty, or it holds something else than its name says.
    """
    suffix = "." + name.rpartition(".")[2].lower() if "." in name else ""
    named = [entry for entry in FORMATS.values() if suffix in entry.extensions]
    if not named:
        raise InvalidInput(
            f"{name}: expected a file of parcels that ends in {', '.join(extensions())}, got "
            f"{f'the ending {suffix!r:.20}' if suffix else 'no ending'}. Export one of these formats."
        )
    form = named[0]
    if not content.strip():
        raise InvalidInput(f"{name} is empty. Expected a {form.title}.")
    found, words = look_at(content)
    if found == form.content or (found == "text" and form.content == "JSON"):  # the JSON reader says where it ends
        return form
    if found is not None and found != "text" and form.content == "text":
        words = {"JSON": "JSON", "XML": "XML"}.get(found, words)
    hint = _hint(found)
    raise InvalidInput(f"{name}: expected a {form.title}, got {words}.{hint}")


def look_at(content: bytes) -> tuple[Content | None, str]:
    """What a file begins with, and the same in words; None where it is nothing we read."""
    for magic, kind, words in _MAGIC:
        if content.startswith(magic):
            return kind, words
    start = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        start = content[:4096].decode("utf-16", errors="replace").lstrip("\ufeff \t\r\n").encode()
    if start.startswith(b"<"):
        return "XML", "XML (KML, GML?)"
    if start.startswith((b"{", b"[")) and not _SECTION.match(start):
        return "JSON", "JSON"
    return "text", "text"


def extensions() -> list[str]:
    """All endings that are read."""
    return [ending for entry in FORMATS.values() for ending in entry.extensions]


def _hint(found: Content | None) -> str:
    fitting = [entry for entry in FORMATS.values() if entry.content == found]
    if not fitting or found == "text":
        return ""
    return " If it is a " + "; if a ".join(f"{entry.title}, name it {entry.extensions[0]}" for entry in fitting) + "."
