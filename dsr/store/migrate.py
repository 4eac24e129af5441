"""Bring a database to the present shape: our tables by Alembic, the engine's by DBOS. Safe to run again."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from dbos import DBOS

ROOT = Path(__file__).resolve().parents[2]


def config(conn: sa.Connection | None = None) -> Config:
    found = Config()
    found.set_main_option("script_location", str(ROOT / "migrations"))
    found.attributes["connection"] = conn
    return found


def upgrade(engine: sa.Engine) -> None:
    """Migrate to the newest revision."""
    with engine.begin() as conn:
        command.upgrade(config(conn), "head")
    DBOS.migrate(engine.url.render_as_string(hide_password=False))


def behind(engine: sa.Engine) -> bool:
    """Has the database not been migrated to what this code needs?"""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with engine.connect().execution_options(reading=True) as conn:
        there = MigrationContext.configure(conn).get_current_revision()
    return there != ScriptDirectory.from_config(config()).get_current_head()
