"""A STAC catalogue in one stac-geoparquet file: the embedded catalogue, searched without any server."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import Any

from geocollateral.errors import BrokenData, MissingInput
from geocollateral.sources.bounds import Box
from geocollateral.sources.catalogue.instants import search_interval
from geocollateral.sources.catalogue.static import with_absolute_assets
from geocollateral.sources.raster.access import Access
from geocollateral.types import Period


@dataclass(frozen=True, kw_only=True)
class ParquetCatalogue:
    """Items of a stac-geoparquet file. Pickles; the file is opened in each call and closed there."""

    path: Path

    def features(self, boxes: Sequence[Box], period: Period, collections: Sequence[str]) -> list[dict[str, Any]]:
        """Items as JSON that may meet any box in the period and a day around it; assets' addresses are absolute.

        Row groups and rows are picked by bounding box and time, before any item is made. Boxes of items near 180
        degrees are not trusted: whoever is wider than half the globe is given out too, to be judged by its own frame.

        Raises
        ------
        MissingInput
            There is no such file.
        BrokenData
            It is no stac-geoparquet file.
        """
        import pyarrow as pa
        from stac_geoparquet.arrow import stac_table_to_items

        data = self._open()
        try:
            table = data.to_table(filter=_filter(data.schema, boxes, period, collections))
            features = list(stac_table_to_items(table))
        except (pa.ArrowException, OSError, ValueError, KeyError) as exc:
            raise BrokenData(f"{self.path.name} cannot be read as stac-geoparquet: {str(exc)[:200]}") from exc
        return [with_absolute_assets(_without_nulls(feature), str(self.path)) for feature in features]

    def look(self, access: Access) -> str:
        """Read what the file says of its columns and rows. Raises as `features`."""
        return f"{self._open().count_rows()} items"

    def _open(self) -> Any:
        import pyarrow as pa
        import pyarrow.dataset as ds

        if not self.path.is_file():
            raise MissingInput(f"There is no file {self.path}.")
        try:
            data = ds.dataset(self.path, format="parquet")
        except (pa.ArrowException, OSError) as exc:
            raise BrokenData(f"{self.path.name} is no Parquet file, or is cut short: {str(exc)[:200]}") from exc
        lacking = [name for name in ("id", "bbox", "assets") if name not in data.schema.names]
        if lacking:
            raise BrokenData(f"{self.path.name} is no stac-geoparquet file: it lacks the columns {lacking}.")
        return data

    def sha256(self) -> str:
        """SHA-256 of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _filter(schema: Any, boxes: Sequence[Box], period: Period, collections: Sequence[str]) -> Any:
    """Arrow expression of what may be wanted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    tests = []
    if collections and "collection" in schema.names:
        tests.append(pc.field("collection").isin(list(collections)))
    if pa.types.is_struct(schema.field("bbox").type):
        west, south, east, north = (pc.field("bbox", name) for name in ("xmin", "ymin", "xmax", "ymax"))
        meets = [(west <= e) & (east >= w) & (south <= n) & (north >= s) for w, s, e, n in boxes]
        tests.append(reduce(or_, [*meets, (east - west) > 180, west > east]))
    start, end = search_interval(period)
    if "datetime" in schema.names and pa.types.is_timestamp(schema.field("datetime").type):
        kind, instant = schema.field("datetime").type, pc.field("datetime")
        # Items without a datetime have an interval; those few are judged one by one.
        if start is not None:
            tests.append((instant >= pa.scalar(start).cast(kind)) | instant.is_null())
        if end is not None:
            tests.append((instant <= pa.scalar(end).cast(kind)) | instant.is_null())
    return reduce(and_, tests) if tests else None


def _without_nulls(value: Any) -> Any:
    """JSON without members that are null: a column of a table has a place in every row, an item has what it has."""
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value if v is not None]
    return value
