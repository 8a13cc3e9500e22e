"""Many windows of many files at once: headers, tiles and decoding overlap, each file by a thread of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from geocollateral.errors import BrokenData, MissingInput, ServiceUnavailable
from geocollateral.sources.raster import jpeg2000
from geocollateral.sources.raster.access import Access
from geocollateral.sources.raster.address import RefusedAddress
from geocollateral.sources.raster.cache import BlockCache, cache_of
from geocollateral.sources.raster.clock import SYSTEM_CLOCK, Clock
from geocollateral.sources.raster.file import Changed, TiffReader, plan_runs, segments_of
from geocollateral.sources.raster.layout import Layout, require_expected
from geocollateral.sources.raster.paste import assemble, failed
from geocollateral.sources.raster.request import RasterProfile, RasterRead, ReadFault, WindowRequest
from geocollateral.sources.raster.tiff import is_hole
from geocollateral.sources.raster.transport import Transport
from geocollateral.types import ReadCost


@dataclass(frozen=True, kw_only=True)
class _Session:
    """What the files of one call share."""

    transport: Transport
    cache: BlockCache | None
    pool: ThreadPoolExecutor

    def reader(self, href: str, version: str) -> TiffReader:
        """Reader of one file; the disk needs no cache of the disk."""
        address = self.transport.resolve(href)
        cache = None if address.kind == "file" else self.cache
        return TiffReader(address=address, version=version, transport=self.transport, cache=cache, pool=self.pool)


def read_windows(
    requests: Sequence[WindowRequest],
    access: Access,
    *,
    clock: Clock = SYSTEM_CLOCK,
    rng: random.Random | None = None,
) -> list[RasterRead]:
    """Pixels of windows at full resolution, each with what became of it.

    Parameters
    ----------
    requests
        Any number; those of one file share its header and tiles.
    access
        What may be reached, and how.
    clock, rng
        Time and jitter, for tests.

    Returns
    -------
    One read per request, in their order. Nothing is raised for one file's sake: it is ``missing`` (not there, refused,
    no answer, tiles never written) or ``corrupt`` (bytes that cannot be right, a header that contradicts the
    catalogue).

    Raises
    ------
    QuotaExceeded
        A service has no budget left: asking on would be in vain.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for position, request in enumerate(requests):
        groups.setdefault((request.href, request.version), []).append(position)
    reads: dict[int, RasterRead] = {}
    with _session(access, clock, rng) as session, _threads(access, len(groups)) as threads:
        futures = [
            threads.submit(_read_file, session, [requests[i] for i in positions]) for positions in groups.values()
        ]
        try:
            for positions, future in zip(groups.values(), futures, strict=True):
                reads.update(zip(positions, future.result(), strict=True))
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return [reads[i] for i in range(len(requests))]


def read_profile(href: str, version: str, access: Access, *, clock: Clock = SYSTEM_CLOCK) -> RasterProfile:
    """What the header of one file says.

    Raises
    ------
    InvalidInput, MissingInput, ServiceUnavailable, BrokenData
        The address is not allowed, there is no such file, it does not answer, or it is no raster that is read.
    """
    with _session(access, clock, None) as session:
        try:
            if jpeg2000.is_jpeg2000(href):
                return jpeg2000.read_profile(session.transport, session.transport.resolve(href), session.cache, version)
            return profile_of(session.reader(href, version).read_layout(overviews=True))
        except ReadFault as fault:
            kind = ServiceUnavailable if fault.transient else MissingInput if fault.status == "missing" else BrokenData
            raise kind(f"Expected a raster at {href.partition('?')[0]}: {fault.reason}.") from fault


def window_cost(requests: Sequence[WindowRequest], access: Access, *, clock: Clock = SYSTEM_CLOCK) -> ReadCost:
    """What `read_windows` of the same would transfer. Needs headers only, from the cache or fetched (and cached) now.

    The headers fetched here are not counted where a cache keeps them. A file whose header cannot be had costs nothing.
    ``scenes`` and ``processing_units`` are left 0; JPEG 2000 counts as twice its window's share of an ordinary
    compression, since its tiles are known only while they are decoded.
    """
    groups: dict[tuple[str, str], list[WindowRequest]] = {}
    for request in requests:
        groups.setdefault((request.href, request.version), []).append(request)
    with _session(access, clock, None) as session, _threads(access, len(groups)) as threads:
        costs = threads.map(partial(_cost_of_file, session), groups.values())
        return sum(costs, ReadCost())


def profile_of(layout: Layout) -> RasterProfile:
    """A header as a record."""
    import tifffile

    return RasterProfile(
        driver="tiff",
        shape=layout.shape,
        transform=layout.transform,
        crs=layout.crs,
        dtype=layout.dtype.name,
        nodata=layout.nodata,
        bands=layout.samples,
        has_alpha=layout.alpha,
        tile=layout.tile,
        compression=tifffile.COMPRESSION(layout.compression).name.lower().replace("adobe_", ""),
        overviews=layout.overviews,
    )


# ------------------------------------------------------------------------------------------------------------ one file


def _read_file(session: _Session, requests: Sequence[WindowRequest]) -> list[RasterRead]:
    """All windows of one file."""
    href, version = requests[0].href, requests[0].version
    try:
        if jpeg2000.is_jpeg2000(href):
            return jpeg2000.read_file(session.transport, session.transport.resolve(href), session.cache, requests)
        reader = session.reader(href, version)
    except RefusedAddress as exc:
        return [failed(request, ReadFault("missing", str(exc))) for request in requests]
    try:
        return _read_steadily(reader, requests, session.transport.access.params.attempts)
    except ReadFault as fault:
        return [failed(request, fault, reader if not i else None) for i, request in enumerate(requests)]


def _read_steadily(reader: TiffReader, requests: Sequence[WindowRequest], attempts: int) -> list[RasterRead]:
    """Read; where the file is replaced meanwhile, read again with its new header."""
    for attempt in range(attempts):
        try:
            return _read_once(reader, requests, anew=attempt > 0)
        except Changed as exc:
            if attempt == attempts - 1:
                raise ReadFault("corrupt", f"{exc}, {attempts} times", transient=True) from exc
    raise ReadFault("corrupt", "never tried")


def _read_once(reader: TiffReader, requests: Sequence[WindowRequest], *, anew: bool) -> list[RasterRead]:
    layout = reader.read_layout(anew=anew)
    needs: list[list[int] | ReadFault] = [_need(layout, request) for request in requests]
    tiles = reader.read_tiles(layout, sorted({i for need in needs if isinstance(need, list) for i in need}))
    reads = []
    for position, (request, need) in enumerate(zip(requests, needs, strict=True)):
        first = reader if position == 0 else None
        if isinstance(need, ReadFault):
            reads.append(failed(request, need, first))
        else:
            reads.append(assemble(layout, request, need, tiles, reader, counted=first is not None))
    return reads


def _need(layout: Layout, request: WindowRequest) -> list[int] | ReadFault:
    """Tiles that a request needs, or why it cannot be served."""
    try:
        require_expected(layout, request.expected)
        return segments_of(layout, request)
    except ReadFault as fault:
        return fault


def _cost_of_file(session: _Session, requests: Sequence[WindowRequest]) -> ReadCost:
    pixels = sum(request.shape[0] * request.shape[1] for request in requests)
    try:
        if jpeg2000.is_jpeg2000(requests[0].href):
            return jpeg2000.cost_of_file(requests)
        reader = session.reader(requests[0].href, requests[0].version)
        layout = reader.read_layout()
    except (RefusedAddress, ReadFault):
        return ReadCost()
    needs = [need for request in requests if isinstance(need := _need(layout, request), list)]
    wanted = sorted({i for need in needs for i in need if not is_hole(layout, i)})
    held = [i for i in wanted if reader.is_cached(layout, i)]
    runs = plan_runs(layout, sorted(set(wanted) - set(held)), {})
    times = 1 if layout.checked or reader.address.vouched_by(session.transport.access) else 2
    again = reader.cache is None  # then the header will be asked for once more
    header = ReadCost(requests=reader.spent.requests, bytes=reader.spent.bytes) if again else ReadCost()
    return header + ReadCost(
        requests=times * len(runs),
        bytes=times * sum(run.stop - run.start for run in runs),
        cached_bytes=sum(layout.counts[i] for i in held),
        pixels=pixels,
    )


@contextmanager
def _session(access: Access, clock: Clock, rng: random.Random | None) -> Iterator[_Session]:
    params = access.params
    with Transport(access, clock, rng) as transport, ThreadPoolExecutor(params.concurrency) as pool:
        yield _Session(transport=transport, cache=cache_of(params.cache_dir, params.cache_bytes), pool=pool)


def _threads(access: Access, files: int) -> ThreadPoolExecutor:
    """Threads that read a file each."""
    return ThreadPoolExecutor(max(1, min(access.params.concurrency, files)), thread_name_prefix="raster")
