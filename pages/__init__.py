"""What people see in a browser. Imports `dsr` only: what needs a vendor is enqueued and read from the store."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add every page to the application."""
