"""What people see in a browser. Imports `dsr` only: what needs a vendor is enqueued and read from the store.

GET and HEAD never change anything. No page needs JavaScript, sets a cookie, or shows a personal datum.
"""

from __future__ import annotations

from flask import Flask

from pages import download, home, not_me, processors, status, unsubscribe, verify


def register(app: Flask) -> None:
    """Add every page to the application."""
    for module in (home, processors, status, verify, download, not_me, unsubscribe):
        app.register_blueprint(module.bp)
