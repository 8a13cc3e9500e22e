"""Tables of the registry. Rows are only ever added: what changes becomes a new revision beside the old one.

A borrower's name stands in a table of its own, so that a database can keep it from those who work with outlines.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from geocollateral.store.values import Geometry, Money, UtcTime

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _of(table: str, *, nullable: bool = False, index: bool = True) -> Column[int]:
    return Column(f"{table}_id", Integer, ForeignKey(f"{table}.id"), nullable=nullable, index=index)


def _recorded_at() -> Column[object]:
    return Column("recorded_at", UtcTime, nullable=False)


def _sha256(name: str) -> Column[str]:
    return Column(name, String(64), nullable=False)


BRANCH = Table("branch", METADATA, _id(), Column("key", String(64), nullable=False, unique=True))

BORROWER = Table("borrower", METADATA, _id(), Column("key", String(200), nullable=False, unique=True))

BORROWER_NAME = Table(
    "borrower_name",
    METADATA,
    _id(),
    _of("borrower", index=False),
    Column("revision", Integer, nullable=False),
    Column("name", String(200), nullable=False),
    _recorded_at(),
    UniqueConstraint("borrower_id", "revision"),
)

PROJECT = Table(
    "project",
    METADATA,
    _id(),
    _of("branch", index=False),
    Column("name", String(200), nullable=False),
    _recorded_at(),
    UniqueConstraint("branch_id", "name"),
)

LOAN = Table(
    "loan",
    METADATA,
    _id(),
    _of("branch", index=False),
    Column("key", String(200), nullable=False),
    UniqueConstraint("branch_id", "key"),
)

LOAN_REVISION = Table(
    "loan_revision",
    METADATA,
    _id(),
    _of("loan", index=False),
    Column("revision", Integer, nullable=False),
    _of("borrower", nullable=True),
    Column("amount", Money),
    Column("balance", Money),
    Column("currency", String(3)),
    Column("starts_on", Date),
    Column("falls_due_on", Date),
    _sha256("source_sha256"),
    _recorded_at(),
    UniqueConstraint("loan_id", "revision"),
    CheckConstraint("(amount IS NULL AND balance IS NULL) OR currency IS NOT NULL", name="money_has_currency"),
)

PARCEL = Table(
    "parcel",
    METADATA,
    _id(),
    _of("project", index=False),
    Column("name", String(64), nullable=False),
    UniqueConstraint("project_id", "name"),
)

PARCEL_REVISION = Table(
    "parcel_revision",
    METADATA,
    _id(),
    _of("parcel", index=False),
    Column("revision", Integer, nullable=False),
    Column("geometry", Geometry, nullable=False),
    Column("area_m2", Float, nullable=False),
    Column("asset_class", String(32), nullable=False),
    Column("claims", JSON, nullable=False),
    _sha256("content_sha256"),
    _sha256("source_sha256"),
    _recorded_at(),
    UniqueConstraint("parcel_id", "revision"),
    CheckConstraint("area_m2 > 0", name="has_area"),
)

PLEDGE = Table(
    "pledge",
    METADATA,
    _id(),
    _of("parcel", index=False),
    Column("number", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    _of("loan", nullable=True),
    Column("pledged_from", Date, nullable=False),
    Column("pledged_to", Date),
    _recorded_at(),
    UniqueConstraint("parcel_id", "number", "revision"),
    CheckConstraint("pledged_to IS NULL OR pledged_to > pledged_from", name="ends_after_start"),
)

RELEASE = Table(
    "pledge_release",
    METADATA,
    _id(),
    _of("parcel", index=False),
    Column("number", Integer, nullable=False),
    Column("released_on", Date, nullable=False),
    _recorded_at(),
    UniqueConstraint("parcel_id", "number"),
)

OVERLAY_LAYER = Table(
    "overlay_layer",
    METADATA,
    _id(),
    Column("name", String(200), nullable=False),
    Column("source", Text, nullable=False),
    Column("month", String(7), nullable=False),
    _sha256("source_sha256"),
    _recorded_at(),
    UniqueConstraint("name", "month", "source_sha256"),
)

OVERLAY_FEATURE = Table(
    "overlay_feature",
    METADATA,
    _id(),
    _of("overlay_layer"),
    Column("number", Integer, nullable=False),
    Column("geometry", Geometry, nullable=False),
    Column("attributes", JSON, nullable=False),
)

RUN = Table(
    "run",
    METADATA,
    _id(),
    Column("run_id", String(64), nullable=False),
    _of("project"),
    Column("as_of", Date, nullable=False),
    Column("folder", Text, nullable=False),
    _sha256("record_sha256"),
    _recorded_at(),
    UniqueConstraint("run_id", "project_id", "record_sha256"),
)

MODEL = Table(
    "model",
    METADATA,
    _id(),
    Column("key", String(64), nullable=False, unique=True),
    Column("asset_class", String(32), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("trainer", String(200), nullable=False),
    Column("folder", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("seal", Text, nullable=False),
    _recorded_at(),
)

MODEL_EVENT = Table(
    "model_event",
    METADATA,
    _id(),
    _of("model"),
    Column("number", Integer, nullable=False, unique=True),
    Column("previous_sha256", String(64), nullable=False, unique=True),
    Column("entry_sha256", String(64), nullable=False, unique=True),
    Column("body", Text, nullable=False),
    _recorded_at(),
)
"""The audit chain of models: each entry holds the digest of the one before it."""

INDEXED = (PARCEL_REVISION, OVERLAY_FEATURE)
"""Tables with a spatial index on their column ``geometry``."""
