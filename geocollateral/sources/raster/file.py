"""One TIFF file: its header and the tiles of some windows, from the cache or by as few requests as that takes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geocollateral.sources.raster.address import Address
from geocollateral.sources.raster.cache import BlockCache, make_key
from geocollateral.sources.raster.layout import HEADER_BYTES, HEADER_LIMIT, Layout, parse_layout
from geocollateral.sources.raster.request import ReadFault, Took, Undecodable, WindowRequest
from geocollateral.sources.raster.tiff import Buffer, decode, is_hole
from geocollateral.sources.raster.transport import Answer, Transport

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GAP_BYTES = 1 << 16
"""Ranges nearer than this are fetched as one: at 50 ms a request, a request costs more than 64 kB."""
RUN_BYTES = 1 << 23
"""Longest range fetched as one; longer ones are better fetched side by side."""


class Changed(Exception):
    """The file is not the one whose header was read."""


@dataclass
class Spent:
    """What reading a file took so far."""

    bytes: int = 0
    requests: int = 0
    attempts: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, took: Took) -> None:
        """Book what a fetch took."""
        with self._lock:
            self.bytes += took.transferred
            self.requests += took.requests
            self.attempts = max(self.attempts, took.attempts)


@dataclass(frozen=True, kw_only=True)
class Run:
    """Tiles that are fetched by one request."""

    start: int
    stop: int
    tiles: tuple[int, ...]


@dataclass
class Tiles:
    """What was had of some tiles."""

    pixels: dict[int, NDArray[np.generic]] = field(default_factory=dict)
    stored: dict[int, Buffer] = field(default_factory=dict)
    """Compressed, as the file holds them."""
    faults: dict[int, ReadFault] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TiffReader:
    """Reads one file. Threads of `pool` may serve several files at once; they never wait for each other."""

    address: Address
    version: str
    transport: Transport
    cache: BlockCache | None
    pool: Executor
    spent: Spent = field(default_factory=Spent)

    # -------------------------------------------------------------------------------------------------------- header

    def read_layout(self, *, anew: bool = False, overviews: bool = False) -> Layout:
        """Header of the file.

        Parameters
        ----------
        anew
            Not from the cache: it did not fit the file.
        overviews
            List the reduced images too.

        Raises
        ------
        ReadFault, QuotaExceeded
            As in `Transport.fetch`.
        """
        key = make_key("header", self.address.public, self.version)
        if self.cache is not None and not anew:
            layout = _unpack_header(self.cache.get(key), overviews=overviews)
            if layout is not None:
                return layout
        parts: dict[int, bytes] = {}
        span, total, etag = (0, HEADER_BYTES), None, ""
        for _ in range(12):
            answer = self._fetch_part(span, parts, total, etag)
            total, etag = answer.total, answer.etag
            parts[span[0]] = answer.body
            found = _parse(parts, total, etag, overviews=overviews)
            if isinstance(found, Layout):
                if self.cache is not None:
                    self.cache.put(key, _pack_header(parts, total, etag))
                return found
            span = _next_span(found, total)
            if sum(map(len, parts.values())) + span[1] - span[0] > HEADER_LIMIT:
                break
        raise ReadFault("corrupt", f"the header of {self.address.public} has no end")

    def _fetch_part(self, span: tuple[int, int], parts: Mapping[int, bytes], total: int | None, etag: str) -> Answer:
        """A part of the header that leads on; bytes that do not are asked for again."""

        def accept(answer: Answer) -> None:
            if parts and (answer.total, answer.etag) != (total, etag):
                raise Undecodable("the file changed while its header was read")
            found = parse_layout({**parts, span[0]: answer.body}, answer.total, answer.etag)
            if not isinstance(found, Layout):
                _next_span(found, answer.total)

        try:
            fetched = self.transport.fetch(self.address, *span, accept)
        except ReadFault as fault:
            self.spent.add(fault.took)
            raise
        self.spent.add(fetched.took)
        return fetched.answer

    # --------------------------------------------------------------------------------------------------------- tiles

    def read_tiles(self, layout: Layout, wanted: Iterable[int]) -> Tiles:
        """Pixels of tiles; holes are in none of the tables.

        Raises
        ------
        Changed
            The file is another than its header says.
        QuotaExceeded
            As in `Transport.fetch`.
        """
        tiles = Tiles()
        lacking = []
        for index in wanted:
            if is_hole(layout, index):
                continue
            if not self._from_cache(layout, index, tiles):
                lacking.append(index)
        runs = plan_runs(layout, lacking, tiles.faults)
        if len(runs) == 1:
            self._fetch_run(layout, runs[0], tiles)
        else:
            for future in [self.pool.submit(self._fetch_run, layout, run, tiles) for run in runs]:
                future.result()
        return tiles

    def _from_cache(self, layout: Layout, index: int, tiles: Tiles) -> bool:
        if self.cache is None:
            return False
        data = self.cache.get(self._tile_key(layout, index))
        if data is None:
            return False
        try:
            tiles.pixels[index] = decode(layout, index, data)
        except Undecodable:
            return False
        tiles.stored[index] = data
        return True

    def is_cached(self, layout: Layout, index: int) -> bool:
        """Tell whether the cache has an entry of a tile."""
        return self.cache is not None and self._tile_key(layout, index) in self.cache

    def _tile_key(self, layout: Layout, index: int) -> str:
        place = f"{layout.etag} {layout.offsets[index]}+{layout.counts[index]}"
        return make_key("tile", self.address.public, self.version, place)

    def _fetch_run(self, layout: Layout, run: Run, tiles: Tiles) -> None:
        pixels: dict[int, NDArray[np.generic]] = {}
        stored: dict[int, Buffer] = {}

        def accept(answer: Answer) -> None:
            if (answer.total, answer.etag) != (layout.total, layout.etag):
                raise Changed(f"{self.address.public} was replaced while it was read")
            for index in run.tiles:
                if index not in pixels:
                    at = layout.offsets[index] - run.start
                    data = memoryview(answer.body)[at : at + layout.counts[index]]
                    pixels[index] = decode(layout, index, data)
                    stored[index] = data

        try:
            fetched = self.transport.fetch(self.address, run.start, run.stop, accept, checked=layout.checked)
            self.spent.add(fetched.took)
        except ReadFault as fault:
            self.spent.add(fault.took)
            tiles.faults.update({index: fault for index in run.tiles if index not in pixels})
        tiles.pixels.update(pixels)
        tiles.stored.update(stored)
        if self.cache is not None:
            for index, data in stored.items():
                self.cache.put(self._tile_key(layout, index), bytes(data))


def plan_runs(layout: Layout, wanted: Iterable[int], faults: dict[int, ReadFault]) -> list[Run]:
    """Ranges to fetch for tiles, near ones joined. Tiles that cannot lie in the file go to `faults`."""
    runs: list[Run] = []
    for index in sorted(wanted, key=lambda i: layout.offsets[i]):
        start, stop = layout.offsets[index], layout.offsets[index] + layout.counts[index]
        if layout.total is not None and stop > layout.total:
            faults[index] = ReadFault("corrupt", "the file is cut off: it ends before its tiles do")
        elif runs and start - runs[-1].stop <= GAP_BYTES and max(stop, runs[-1].stop) - runs[-1].start <= RUN_BYTES:
            last = runs.pop()
            runs.append(Run(start=last.start, stop=max(stop, last.stop), tiles=(*last.tiles, index)))
        else:
            runs.append(Run(start=start, stop=stop, tiles=(index,)))
    return runs


def tiles_of(layout: Layout, request: WindowRequest) -> list[tuple[int, int]]:
    """Row and column of each tile that a window meets."""
    rows, cols = request.window
    (height, width), (th, tw) = layout.shape, layout.tile
    if rows.stop > height or cols.stop > width:
        raise ReadFault("corrupt", f"the window reaches past the file's {height} x {width} pixels")
    return [
        (row, col)
        for row in range(rows.start // th, (rows.stop - 1) // th + 1)
        for col in range(cols.start // tw, (cols.stop - 1) // tw + 1)
    ]


def bands_of(layout: Layout, request: WindowRequest) -> tuple[int, ...]:
    """Bands to decode for a request: its own, and that of opacity where there is one."""
    if request.band > layout.samples:
        raise ReadFault("missing", f"there is no band {request.band}, the file has {layout.samples}")
    return (request.band, layout.samples) if layout.alpha and request.band != layout.samples else (request.band,)


def segments_of(layout: Layout, request: WindowRequest) -> list[int]:
    """Numbers of all tiles that a request needs."""
    places = tiles_of(layout, request)
    return sorted({layout.segment(row, col, band) for row, col in places for band in bands_of(layout, request)})


def _parse(parts: Mapping[int, bytes], total: int | None, etag: str, *, overviews: bool) -> Layout | tuple[int, int]:
    try:
        return parse_layout(parts, total, etag, overviews=overviews)
    except Undecodable as exc:
        raise ReadFault("corrupt", str(exc)) from exc


def _next_span(lacking: tuple[int, int], total: int | None) -> tuple[int, int]:
    """Range to fetch for what the header lacks."""
    start, stop = lacking
    if stop - start > HEADER_LIMIT or (total is not None and start >= total):
        raise Undecodable("the header points outside the file")
    stop = max(stop, start + HEADER_BYTES)
    return start, stop if total is None else min(stop, total)


def _pack_header(parts: Mapping[int, bytes], total: int | None, etag: str) -> bytes:
    meta = {"total": total, "etag": etag, "parts": [[start, len(part)] for start, part in parts.items()]}
    return json.dumps(meta).encode() + b"\n" + b"".join(parts.values())


def _unpack_header(data: bytes | None, *, overviews: bool) -> Layout | None:
    """Layout of a header in the cache; None where it is not there or of no use."""
    if data is None:
        return None
    line, _, body = data.partition(b"\n")
    meta = json.loads(line)
    parts, at = {}, 0
    for start, size in meta["parts"]:
        parts[start] = body[at : at + size]
        at += size
    try:
        found = parse_layout(parts, meta["total"], meta["etag"], overviews=overviews)
    except (Undecodable, ReadFault):
        return None
    return found if isinstance(found, Layout) else None
