"""Branches, borrowers, projects, loans, parcels and pledges."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from geocollateral.store.spatial import create_index
from geocollateral.store.values import Geometry, Money, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    op.create_table(
        "branch",
        _id(),
        sa.Column("key", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_branch"),
        sa.UniqueConstraint("key", name="uq_branch_key"),
    )
    op.create_table(
        "borrower",
        _id(),
        sa.Column("key", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_borrower"),
        sa.UniqueConstraint("key", name="uq_borrower_key"),
    )
    op.create_table(
        "borrower_name",
        _id(),
        _number("borrower_id"),
        _number("revision"),
        sa.Column("name", sa.String(200), nullable=False),
        _recorded_at(),
        sa.PrimaryKeyConstraint("id", name="pk_borrower_name"),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name="fk_borrower_name_borrower_id"),
        sa.UniqueConstraint("borrower_id", "revision", name="uq_borrower_name_borrower_id_revision"),
    )
    op.create_table(
        "project",
        _id(),
        _number("branch_id"),
        sa.Column("name", sa.String(200), nullable=False),
        _recorded_at(),
        sa.PrimaryKeyConstraint("id", name="pk_project"),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name="fk_project_branch_id"),
        sa.UniqueConstraint("branch_id", "name", name="uq_project_branch_id_name"),
    )
    op.create_table(
        "loan",
        _id(),
        _number("branch_id"),
        sa.Column("key", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_loan"),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name="fk_loan_branch_id"),
        sa.UniqueConstraint("branch_id", "key", name="uq_loan_branch_id_key"),
    )
    op.create_table(
        "loan_revision",
        _id(),
        _number("loan_id"),
        _number("revision"),
        _number("borrower_id", nullable=True),
        sa.Column("amount", Money),
        sa.Column("balance", Money),
        sa.Column("currency", sa.String(3)),
        sa.Column("starts_on", sa.Date),
        sa.Column("falls_due_on", sa.Date),
        _sha256("source_sha256"),
        _recorded_at(),
        sa.PrimaryKeyConstraint("id", name="pk_loan_revision"),
        sa.ForeignKeyConstraint(["loan_id"], ["loan.id"], name="fk_loan_revision_loan_id"),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name="fk_loan_revision_borrower_id"),
        sa.UniqueConstraint("loan_id", "revision", name="uq_loan_revision_loan_id_revision"),
        sa.CheckConstraint(
            "(amount IS NULL AND balance IS NULL) OR currency IS NOT NULL", name="ck_loan_revision_money_has_currency"
        ),
    )
    op.create_index("ix_loan_revision_borrower_id", "loan_revision", ["borrower_id"])
    op.create_table(
        "parcel",
        _id(),
        _number("project_id"),
        sa.Column("name", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_parcel"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_parcel_project_id"),
        sa.UniqueConstraint("project_id", "name", name="uq_parcel_project_id_name"),
    )
    op.create_table(
        "parcel_revision",
        _id(),
        _number("parcel_id"),
        _number("revision"),
        sa.Column("geometry", Geometry, nullable=False),
        sa.Column("area_m2", sa.Float, nullable=False),
        sa.Column("asset_class", sa.String(32), nullable=False),
        sa.Column("claims", sa.JSON, nullable=False),
        _sha256("content_sha256"),
        _sha256("source_sha256"),
        _recorded_at(),
        sa.PrimaryKeyConstraint("id", name="pk_parcel_revision"),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcel.id"], name="fk_parcel_revision_parcel_id"),
        sa.UniqueConstraint("parcel_id", "revision", name="uq_parcel_revision_parcel_id_revision"),
        sa.CheckConstraint("area_m2 > 0", name="ck_parcel_revision_has_area"),
    )
    op.create_table(
        "pledge",
        _id(),
        _number("parcel_id"),
        _number("number"),
        _number("revision"),
        _number("loan_id", nullable=True),
        sa.Column("pledged_from", sa.Date, nullable=False),
        sa.Column("pledged_to", sa.Date),
        _recorded_at(),
        sa.PrimaryKeyConstraint("id", name="pk_pledge"),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcel.id"], name="fk_pledge_parcel_id"),
        sa.ForeignKeyConstraint(["loan_id"], ["loan.id"], name="fk_pledge_loan_id"),
        sa.UniqueConstraint("parcel_id", "number", "revision", name="uq_pledge_parcel_id_number_revision"),
        sa.CheckConstraint("pledged_to IS NULL OR pledged_to > pledged_from", name="ck_pledge_ends_after_start"),
    )
    op.create_index("ix_pledge_loan_id", "pledge", ["loan_id"])
    op.create_table(
        "pledge_release",
        _id(),
        _number("parcel_id"),
        _number("number"),
        sa.Column("released_on", sa.Date, nullable=False),
        _recorded_at(),
        sa.PrimaryKeyConstraint("id", name="pk_pledge_release"),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcel.id"], name="fk_pledge_release_parcel_id"),
        sa.UniqueConstraint("parcel_id", "number", name="uq_pledge_release_parcel_id_number"),
    )
    op.execute(create_index("parcel_revision", op.get_bind().dialect))


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, nullable=False)


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=nullable)


def _recorded_at() -> sa.Column[object]:
    return sa.Column("recorded_at", UtcTime, nullable=False)


def _sha256(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(64), nullable=False)
