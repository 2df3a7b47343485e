"""Alembic's entry: the app's engine and metadata; one transaction a migration."""

from alembic import context
from flask import current_app

database = current_app.extensions["migrate"].db


def render_item(kind, item, _context):
    """A WordColumn is text in a migration: the vocabulary lives in its CHECK."""
    return "sa.Text()" if kind == "type" and type(item).__name__ == "WordColumn" else False


def run() -> None:
    with database.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            transaction_per_migration=True,
            compare_type=True,
            render_item=render_item,
        )
        with context.begin_transaction():
            # Two starts at once must not migrate side by side.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7225011)")
            context.run_migrations()
        connection.commit()


run()
