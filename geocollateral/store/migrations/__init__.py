"""Migrations of the registry (alembic). They ship with the package, so that the wheel can make and mend a database."""

HEAD = "0003"
"""The revision this version works with."""
