"""The names of STAC sources, and what is looked at when one is opened or checked.

``earth-search``, ``planetary-computer``, ``cdse``; ``stac:URL#COLLECTION,COLLECTION``; the path of a folder, a
``catalog.json``, an item collection or a stac-geoparquet file. After a service's name a colon and collections choose
others than its default.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from geocollateral.errors import GeocollateralError, InvalidInput, MissingInput
from geocollateral.sources.catalogue.api import ApiCatalogue, require_collections
from geocollateral.sources.catalogue.documents import DocumentClient
from geocollateral.sources.catalogue.parquet import ParquetCatalogue
from geocollateral.sources.catalogue.services import COPERNICUS, LICENCE, SERVICES, CatalogService
from geocollateral.sources.catalogue.static import StaticCatalogue
from geocollateral.sources.raster.access import Access, AccessParams
from geocollateral.sources.raster.address import origin_of
from geocollateral.sources.schemes import CHECKS, SOURCES, SourceRequest, parse_options
from geocollateral.sources.stac import StacOptions, StacSource
from geocollateral.types import Source, SourceCheck

REVISIT_DAYS = 5.0
"""Of Sentinel-2 with two satellites."""
ITEM_SEARCH = "item-search"
"""Every conformance class of item search holds this word."""
USUAL_OPTICAL = ("sentinel-2-c1-l2a", "sentinel-2-l2a")
USUAL_RADAR = ("sentinel-1-rtc",)
"""Collections read of an API that is not known by name, where none are named: the first of each that it has."""
FOLDER_DOCUMENTS = ("catalog.json", "collection.json", "items.parquet")
"""What a folder is read by, first come first."""


@SOURCES.register("stac")
def open_stac(request: SourceRequest) -> Source:
    """A STAC API, static catalogue, item collection or stac-geoparquet file, by its address or path.

    Raises
    ------
    InvalidInput
        The address is of no such thing.
    MissingInput
        There is nothing at that path, or no collection of that name.
    ServiceUnavailable
        A service does not answer.
    """
    return _looked_at(_stac_source(request))


@CHECKS.register("stac")
def check_stac(request: SourceRequest) -> list[SourceCheck]:
    """What can be said of a STAC API, catalogue or file without reading imagery."""
    try:
        source = _stac_source(request)
    except GeocollateralError as exc:
        return [SourceCheck(name="reachable", ok=False, detail=str(exc))]
    return list(_check(source, None))


def open_service(service: CatalogService, request: SourceRequest) -> Source:
    """A known service, looked at once.

    Raises
    ------
    MissingInput
        It has no collection of that name.
    ServiceUnavailable
        It does not answer.
    """
    return _looked_at(_service_source(service, request))


def check_service(service: CatalogService, request: SourceRequest) -> list[SourceCheck]:
    """What can be said of a known service without reading imagery."""
    try:
        source = _service_source(service, request)
    except GeocollateralError as exc:
        return [SourceCheck(name="options", ok=False, detail=str(exc))]
    return list(_check(source, service))


def _register(service: CatalogService) -> None:
    def open_named(request: SourceRequest) -> Source:
        return open_service(service, request)

    def check_named(request: SourceRequest) -> list[SourceCheck]:
        return check_service(service, request)

    SOURCES.register(service.name)(open_named)
    CHECKS.register(service.name)(check_named)


for _service in SERVICES.values():
    _register(_service)


def _looked_at(source: StacSource) -> StacSource:
    if isinstance(source.catalogue, ApiCatalogue):
        if not source.options.collections:
            return _with_usual_collections(source, source.catalogue)
        require_collections(source.catalogue, source.options.collections, source.access)
    else:
        source.catalogue.look(source.access)
    return source


def _with_usual_collections(source: StacSource, catalogue: ApiCatalogue) -> StacSource:
    """The source with collections picked: an API's whole stock holds much that only looks like ours."""
    known = catalogue.collection_ids(DocumentClient(source.access))
    asked = ((USUAL_OPTICAL, source.options.optical), (USUAL_RADAR, source.options.radar))
    picked = tuple(name for usual, wanted in asked if wanted for name in [n for n in usual if n in known][:1])
    if not picked:
        raise InvalidInput(
            f"Name the collections of {source.name} after a #: it has none of "
            f"{', '.join(USUAL_OPTICAL + USUAL_RADAR)}, but {', '.join(known[:12]) or 'none at all'}."
        )
    return replace(source, options=source.options.model_copy(update={"collections": picked}))


def _check(source: StacSource, service: CatalogService | None) -> Iterator[SourceCheck]:
    """Checks in the order in which they may fail; nothing is asked of a service that does not answer."""
    if service is not None:
        yield _credentials(service)
    if not isinstance(source.catalogue, ApiCatalogue):
        try:
            yield SourceCheck(name="reachable", ok=True, detail=source.catalogue.look(source.access))
        except GeocollateralError as exc:
            yield SourceCheck(name="reachable", ok=False, detail=str(exc))
        return
    client = DocumentClient(source.access)
    try:
        landing = source.catalogue.landing(client)
    except GeocollateralError as exc:
        yield SourceCheck(name="reachable", ok=False, detail=f"{exc} Check the network and the address.")
        return
    yield SourceCheck(name="reachable", ok=True, detail=str(landing.get("title") or landing.get("id") or "answers"))
    classes = [str(c) for c in landing.get("conformsTo") or []]
    searches = any(ITEM_SEARCH in c for c in classes)
    said = (
        "offers item search"
        if searches
        else "does not say that it offers item search: is it the landing page of an API?"
    )
    yield SourceCheck(name="conforms", ok=searches, detail=said)
    for name in source.options.collections:
        yield _collection(source.catalogue, name, client)


def _collection(catalogue: ApiCatalogue, name: str, client: DocumentClient) -> SourceCheck:
    try:
        if catalogue.has_collection(name, client):
            return SourceCheck(name=f"collection {name}", ok=True, detail="is there")
        known = ", ".join([c for c in catalogue.collection_ids(client) if "sentinel" in c][:12]) or "none of Sentinel"
        detail = f"is not there; the service has {known}. Name another after the source, such as #COLLECTION."
    except GeocollateralError as exc:
        detail = str(exc)
    return SourceCheck(name=f"collection {name}", ok=False, detail=detail)


def _credentials(service: CatalogService) -> SourceCheck:
    lacking = [name for name in service.credentials if not os.environ.get(name)]
    # A shared credentials file serves as well as the environment.
    if lacking and os.environ.get("AWS_PROFILE") and all(name.startswith("AWS_") for name in lacking):
        return SourceCheck(name="credentials", ok=True, detail="those of the profile AWS_PROFILE are used")
    if lacking:
        return SourceCheck(name="credentials", ok=False, detail=f"not set: {', '.join(lacking)}. {service.advice}")
    if service.credentials:
        return SourceCheck(name="credentials", ok=True, detail=f"{', '.join(service.credentials)} are set")
    return SourceCheck(name="credentials", ok=True, detail=f"none needed. {service.advice}".strip())


def _service_source(service: CatalogService, request: SourceRequest) -> StacSource:
    options = parse_options(StacOptions, request.options, service.name)
    named = _names(request.what) or options.collections
    default = (*(service.optical if options.optical else ()), *(service.radar if options.radar else ()))
    params = request.access
    if service.s3_endpoint and params.s3_endpoint is None:
        params = params.model_copy(update={"s3_endpoint": service.s3_endpoint, "s3_region": service.s3_region})
    return StacSource(
        name=service.name,
        title=service.title,
        licence=service.licence,
        attribution=service.attribution,
        catalogue=ApiCatalogue(url=service.url),
        access=Access(
            origins=frozenset({origin_of(service.url), *service.origins}), signer=service.signer, params=params
        ),
        options=options.model_copy(update={"collections": named or default}),
        revisit_days=REVISIT_DAYS,
    )


def _stac_source(request: SourceRequest) -> StacSource:
    options = parse_options(StacOptions, request.options, "stac")
    # A path that is there is taken whole: a folder may have a # in its name.
    where, _, names = (request.what, "", "") if Path(request.what).exists() else request.what.partition("#")
    options = options.model_copy(update={"collections": _names(names) or options.collections})
    if "://" in where:
        return _remote_source(where, options, request.access)
    return _local_source(Path(where), options, request.access)


def _remote_source(where: str, options: StacOptions, params: AccessParams) -> StacSource:
    service = next((s for s in SERVICES.values() if s.url.rstrip("/") == where.rstrip("/")), None)
    access = Access(
        origins=frozenset({origin_of(where), *(service.origins if service else ())}),
        signer=service.signer if service else None,
        params=params,
    )
    is_document = where.rpartition("?")[0].endswith(".json") or where.endswith((".json", ".geojson"))
    is_static = is_document or where.startswith("s3://")
    catalogue = StaticCatalogue(root=where) if is_static else ApiCatalogue(url=where)
    return _unknown_source(where.partition("?")[0], catalogue, access, options)


def _local_source(path: Path, options: StacOptions, params: AccessParams) -> StacSource:
    if not path.exists():
        raise MissingInput(f"There is no STAC catalogue {path}.")
    document = path.resolve()
    if path.is_dir():
        document = next((document / name for name in FOLDER_DOCUMENTS if (document / name).is_file()), document)
        if document.is_dir():
            raise InvalidInput(f"Expected a folder with {' or '.join(FOLDER_DOCUMENTS)}, got {path}.")
    access = Access(folders=(document.parent,), params=params)
    catalogue: ParquetCatalogue | StaticCatalogue
    if document.suffix in (".parquet", ".geoparquet"):
        catalogue = ParquetCatalogue(path=document)
    elif document.suffix in (".json", ".geojson"):
        catalogue = StaticCatalogue(root=str(document))
    else:
        raise InvalidInput(f"Expected a folder, a .json or a .parquet file of STAC, got {path}.")
    return _unknown_source(f"stac:{path.name}", catalogue, access, options)


def _unknown_source(
    name: str, catalogue: ApiCatalogue | StaticCatalogue | ParquetCatalogue, access: Access, options: StacOptions
) -> StacSource:
    return StacSource(
        name=name if name.startswith("stac:") else f"stac:{name}",
        title=f"STAC catalogue {name.removeprefix('stac:')}",
        licence=f"as stated by the catalogue; {LICENCE}",
        attribution=COPERNICUS,
        catalogue=catalogue,
        access=access,
        options=options,
        revisit_days=REVISIT_DAYS if isinstance(catalogue, ApiCatalogue) else None,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
