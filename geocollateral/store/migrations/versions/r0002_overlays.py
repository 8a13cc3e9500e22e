"""Legal overlays, and links to result folders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from geocollateral.store.spatial import create_index
from geocollateral.store.values import Geometry, UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "overlay_layer",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("source_sha256", sa.String(64), nullable=False),
        sa.Column("recorded_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_overlay_layer"),
        sa.UniqueConstraint("name", "month", "source_sha256", name="uq_overlay_layer_name_month_source_sha256"),
    )
    op.create_table(
        "overlay_feature",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("overlay_layer_id", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("geometry", Geometry, nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_overlay_feature"),
        sa.ForeignKeyConstraint(["overlay_layer_id"], ["overlay_layer.id"], name="fk_overlay_feature_overlay_layer_id"),
    )
    op.create_index("ix_overlay_feature_overlay_layer_id", "overlay_feature", ["overlay_layer_id"])
    op.execute(create_index("overlay_feature", op.get_bind().dialect))
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("record_sha256", sa.String(64), nullable=False),
        sa.Column("recorded_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_run_project_id"),
        sa.UniqueConstraint("run_id", "project_id", "record_sha256", name="uq_run_run_id_project_id_record_sha256"),
    )
    op.create_index("ix_run_project_id", "run", ["project_id"])
