"""Value models, and the chain of what people decided on them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from geocollateral.store.values import UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "model",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("asset_class", sa.String(32), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("trainer", sa.String(200), nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
        sa.Column("recorded_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_model"),
        sa.UniqueConstraint("key", name="uq_model_key"),
    )
    op.create_table(
        "model_event",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("previous_sha256", sa.String(64), nullable=False),
        sa.Column("entry_sha256", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("recorded_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_model_event"),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name="fk_model_event_model_id"),
        sa.UniqueConstraint("number", name="uq_model_event_number"),
        sa.UniqueConstraint("previous_sha256", name="uq_model_event_previous_sha256"),
        sa.UniqueConstraint("entry_sha256", name="uq_model_event_entry_sha256"),
    )
    op.create_index("ix_model_event_model_id", "model_event", ["model_id"])
