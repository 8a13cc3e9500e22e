"""GeoPackage (OGC 12-128r18) through SQLite alone: real tables that are registered as features, read from memory."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import Feature, Note, Reading, clean_crs, refuse_all, require_some
from geocollateral.intake.formats.wkb import WkbFault, parse_wkb

APPLICATION_IDS = (b"GPKG", b"GP10", b"GP11")
MAX_TABLES = 1_000
MAX_COLUMNS = 1_000
MAX_STEPS = 2_000_000_000
"""Instructions of SQLite's machine that reading one file may take."""

_STEPS_AT_ONCE = 100_000
_HEADER = struct.Struct(">16sHBB")
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
_ENVELOPES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
_UNDEFINED_SRS = (-1, 0)


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """A table of features."""

    table: str
    geometry: str
    srs: int


def parse(content: bytes, name: str) -> Reading:
    """Features of all layers.

    Raises
    ------
    InvalidInput
        The file is no GeoPackage, is damaged, holds views or triggers of its own, or has faults.
    """
    content, notes = _check_header(content, name)
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            return _read(database, content, name, notes)
        except (sqlite3.Error, UnicodeDecodeError) as exc:  # SQLite's own message may hold the damaged bytes
            raise InvalidInput(
                f"{name}: expected a GeoPackage, got a damaged one or one that takes too long ({exc})."
            ) from exc


def _check_header(content: bytes, name: str) -> tuple[bytes, list[Note]]:
    """Content that can be read from memory: one that was left in write-ahead mode is set back."""
    if len(content) < 100 or content[68:72] not in APPLICATION_IDS:
        got = f"{content[68:72]!r}" if len(content) >= 100 else "no header"
        raise InvalidInput(f"{name}: expected a GeoPackage, got an SQLite file of another kind (application id {got}).")
    _, page, writes, reads = _HEADER.unpack_from(content)
    size = 65536 if page == 1 else page
    if size < 512 or len(content) % size or int.from_bytes(content[28:32], "big") not in (0, len(content) // size):
        raise InvalidInput(
            f"{name}: expected a whole GeoPackage, got one of another length than it says. Was it cut off?"
        )
    if (writes, reads) != (2, 2):
        return content, []
    note = "the GeoPackage was left open for writing (WAL); changes not written back by its program are not in it"
    return content[:18] + b"\x01\x01" + content[20:], [("warning", note)]


def _read(database: sqlite3.Connection, content: bytes, name: str, notes: list[Note]) -> Reading:
    database.deserialize(content)
    database.text_factory = bytes
    for pragma in ("trusted_schema=OFF", "query_only=ON", "cell_size_check=ON", "temp_store=MEMORY", "mmap_size=0"):
        database.execute(f"PRAGMA {pragma}")
    budget = iter(range(MAX_STEPS // _STEPS_AT_ONCE))
    database.set_progress_handler(lambda: next(budget, None) is None, _STEPS_AT_ONCE)
    layers = _layers(database, name, notes)
    columns = {layer.table: _columns(database, layer, name) for layer in layers}
    database.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY)
    features: list[Feature] = []
    faults: list[str] = []
    for layer in layers:
        features.extend(_features(database, layer, columns[layer.table], len(features), faults))
    if faults:
        raise refuse_all(name, faults)
    some = require_some(name, features, "its feature tables have no rows")
    return Reading(
        format="geopackage", features=some, crs=_crs(database, layers, name), textual=True, notes=tuple(notes)
    )


def _layers(database: sqlite3.Connection, name: str, notes: list[Note]) -> list[_Layer]:
    """Registered feature tables, once it is clear that nothing in the schema runs when they are read."""
    schema = database.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT ?", (MAX_TABLES + 1,)
    ).fetchall()
    if len(schema) > MAX_TABLES:
        raise InvalidInput(f"{name}: expected at most {MAX_TABLES:,} tables and indices in the GeoPackage, got more.")
    kinds: dict[str, tuple[str, str]] = {}
    for kind, table, _, sql in schema:
        label, words = _string(table), _string(sql or b"")
        kinds[label.lower()] = (_string(kind), words)
        if kind == b"view":
            raise InvalidInput(
                f"{name}: the GeoPackage holds a view ({label!r:.60}), which would be run. Export tables only."
            )
        if kind == b"trigger" and not label.lower().startswith(("rtree_", "trigger_", "gpkg_", "feature_count_")):
            raise InvalidInput(
                f"{name}: the GeoPackage holds a trigger of its own ({label!r:.60}). Export tables only."
            )
    if "gpkg_contents" not in kinds or "gpkg_geometry_columns" not in kinds:
        raise InvalidInput(f"{name}: expected a GeoPackage with feature tables, got none.")
    for table in ("gpkg_contents", "gpkg_geometry_columns", "gpkg_spatial_ref_sys"):
        _require_table(kinds, table, name)
    layers = _layers_found(database)
    for layer in layers:
        _require_table(kinds, layer.table, name)
    if not layers:
        raise InvalidInput(f"{name} holds no parcels: no table of it is registered as features.")
    others = _column(database, "SELECT table_name FROM gpkg_contents WHERE data_type IS NOT 'features'")
    if others:
        notes.append(("warning", f"the GeoPackage also holds {', '.join(others)[:200]}, which is not read"))
    return layers


def _require_table(kinds: dict[str, tuple[str, str]], table: str, name: str) -> None:
    kind, sql = kinds.get(table.lower(), ("", ""))
    if kind != "table" or not sql.lstrip().upper().startswith("CREATE TABLE"):
        raise InvalidInput(f"{name}: expected {table!r:.60} to be a plain table of the GeoPackage, got another thing.")


def _layers_found(database: sqlite3.Connection) -> list[_Layer]:
    rows = database.execute(
        "SELECT c.table_name, g.column_name, g.srs_id FROM gpkg_contents AS c, gpkg_geometry_columns AS g WHERE "
        "c.table_name = g.table_name AND c.data_type = 'features' ORDER BY c.rowid"
    )
    return [_Layer(table=_string(t), geometry=_string(g), srs=int(srs)) for t, g, srs in rows.fetchmany(MAX_TABLES)]


def _columns(database: sqlite3.Connection, layer: _Layer, name: str) -> list[str]:
    rows = database.execute(f"PRAGMA table_xinfo({_quoted(layer.table)})").fetchall()
    columns = [_string(row[1]) for row in rows]
    computed = [_string(row[1]) for row in rows if row[6]]
    if computed:
        raise InvalidInput(
            f"{name}: column {computed[0]!r:.60} of the GeoPackage is computed. Export plain tables only."
        )
    if layer.geometry not in columns or len(columns) > MAX_COLUMNS:
        raise sqlite3.DatabaseError(f"table {layer.table!r:.60} has no column {layer.geometry!r:.60}")
    return columns


def _features(
    database: sqlite3.Connection, layer: _Layer, columns: list[str], before: int, faults: list[str]
) -> Iterator[Feature]:
    keys = _primary(columns)
    listed = ", ".join(_quoted(column) for column in columns)
    rows = database.execute(f"SELECT {listed} FROM {_quoted(layer.table)} ORDER BY rowid")  # noqa: S608  quoted names
    for number, row in enumerate(rows, start=1):
        place = f"row {number} of layer {layer.table}"
        values = dict(zip(columns, row, strict=True))
        geometry = None
        try:
            geometry = _geometry(values.pop(layer.geometry))
        except (WkbFault, struct.error) as exc:
            faults.append(f"{place}: {exc}")
        properties: dict[str, object] = {}
        for column, value in values.items():
            if column in keys:
                continue
            try:
                properties[column] = value.decode() if isinstance(value, bytes) else value
            except UnicodeDecodeError:
                faults.append(
                    f"{place}: expected text in UTF-8 in column {column!r:.60}, got other bytes (pictures are not read)"
                )
        yield Feature(number=before + number, geometry=geometry, properties=properties, place=place)


def _primary(columns: list[str]) -> set[str]:
    """The row number that programs add; it names no parcel."""
    return {column for column in columns[:1] if column.lower() in ("fid", "ogc_fid", "rowid")}


def _geometry(blob: object) -> dict[str, object] | None:
    if blob is None:
        return None
    if not isinstance(blob, bytes) or len(blob) < 8 or blob[:2] != b"GP":
        raise WkbFault("expected a geometry of GeoPackage, got another value")
    flags = blob[3]
    if flags & 0x20:
        raise WkbFault("expected a plain geometry, got one of an extension")
    envelope = _ENVELOPES.get((flags >> 1) & 0x07)
    if envelope is None:
        raise WkbFault("expected a geometry of GeoPackage, got one with an unknown envelope")
    return parse_wkb(blob, 8 + envelope)


def _crs(database: sqlite3.Connection, layers: list[_Layer], name: str) -> str:
    declared = sorted({layer.srs for layer in layers})
    if len(declared) > 1:
        raise InvalidInput(
            f"{name}: expected one reference system for all layers, got {', '.join(map(str, declared))}. Send each "
            f"layer as a file of its own."
        )
    rows = database.execute(
        "SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys WHERE srs_id = ?", declared
    ).fetchall()
    if declared[0] in _UNDEFINED_SRS or len(rows) != 1:
        raise InvalidInput(
            f"{name}: the GeoPackage does not say in which reference system its coordinates are. Set it (such as "
            f"EPSG:4326 or EPSG:4490) and export again; it is never guessed."
        )
    organization, code, definition = rows[0]
    if isinstance(organization, bytes) and organization.upper() == b"EPSG" and isinstance(code, int):
        return f"EPSG:{code}"
    return clean_crs(_string(definition or b""), f"{name}, its reference system")


def _column(database: sqlite3.Connection, query: str) -> list[str]:
    return [_string(value) for (value,) in database.execute(query).fetchmany(MAX_TABLES)]


def _string(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
