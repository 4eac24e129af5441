"""Bring a database to the present shape: our tables by Alembic, the engine's by DBOS. Safe to run again.

Alembic is imported where it is used: it is slow to load, and a web process needs it only when asked `/readyz`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from dbos import DBOS

if TYPE_CHECKING:
    from alembic.config import Config

ROOT = Path(__file__).resolve().parents[2]


def config(conn: sa.Connection | None = None) -> Config:
    """Alembic's configuration, with the connection that `migrations/env.py` works on."""
    from alembic.config import Config

    found = Config()
    found.set_main_option("script_location", str(ROOT / "migrations"))
    found.attributes["connection"] = conn
    return found


def upgrade(engine: sa.Engine) -> None:
    """Migrate to the newest revision."""
    from alembic import command

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
