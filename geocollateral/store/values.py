"""Column types that keep money exact, times in UTC and outlines as outlines, alike on SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import shapely
from sqlalchemy import BigInteger, DateTime, Dialect, LargeBinary
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from geocollateral.errors import BrokenData, InvalidInput

MONEY_DECIMALS = 4
"""As many as the finest currency of ISO 4217 has."""
WGS84 = 4326


class Money(TypeDecorator[Decimal]):
    """A sum as a whole number of 1/10,000 of its currency's unit: no database rounds it."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Whole number of the smallest unit."""
        return None if value is None else int(exact_money(value).scaleb(MONEY_DECIMALS))

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """The sum in its currency."""
        return None if value is None else Decimal(value).scaleb(-MONEY_DECIMALS)


def exact_money(value: float | Decimal) -> Decimal:
    """A sum as it was written, never rounded.

    Raises
    ------
    InvalidInput
        It has more decimals than any currency.
    """
    money = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not money.is_finite() or money != round(money, MONEY_DECIMALS):
        raise InvalidInput(f"Expected a sum of money with at most {MONEY_DECIMALS} decimals, got {value}.")
    return round(money, MONEY_DECIMALS)


class UtcTime(TypeDecorator[dt.datetime]):
    """An instant. One without a time zone is refused; what is read is in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """In UTC; without the zone on SQLite, which has no column for it."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise BrokenData(f"expected a time with a time zone, got {value.isoformat()}")
        there = value.astimezone(dt.UTC)
        return there if dialect.name == "postgresql" else there.replace(tzinfo=None)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """In UTC, with its zone."""
        if value is None:
            return None
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)


class PostGis(UserDefinedType[str]):
    """``geometry(Geometry,4326)``; psycopg passes the hexadecimal form both ways."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """As it stands in CREATE TABLE."""
        return f"geometry(Geometry,{WGS84})"


class Geometry(TypeDecorator[shapely.Geometry]):
    """An outline in WGS 84: well-known binary on SQLite, a PostGIS geometry on PostgreSQL."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column of each database."""
        return dialect.type_descriptor(PostGis() if dialect.name == "postgresql" else LargeBinary())

    def process_bind_param(self, value: shapely.Geometry | None, dialect: Dialect) -> Any:
        """WKB, or EWKB in hexadecimal digits."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return shapely.to_wkb(shapely.set_srid(value, WGS84), hex=True, include_srid=True)
        return shapely.to_wkb(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> shapely.Geometry | None:
        """The outline."""
        return None if value is None else shapely.set_srid(shapely.from_wkb(value), 0)
