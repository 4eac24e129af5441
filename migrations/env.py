"""Alembic's environment; the connection is handed over by `flask db upgrade`."""

from alembic import context

from dsr.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    # DBOS keeps its own tables in the same database.
    include_name=lambda name, kind, parents: kind != "table" or name in metadata.tables,
)
with context.begin_transaction():
    context.run_migrations()
