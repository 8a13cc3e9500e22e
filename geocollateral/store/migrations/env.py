"""What alembic runs: migrations on the connection handed over by `database.upgrade`, in its transaction."""

from alembic import context

from geocollateral.store.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
