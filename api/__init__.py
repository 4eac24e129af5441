"""The HTTP API for the company's own systems: JSON, a bearer token, described at `/api/openapi.json`.

Imports `dsr` only. No address stands in a URL or a log; every refusal is a problem (RFC 9457).
"""

from __future__ import annotations

from flask import Flask

from api import document, requests, suppressions


def register(app: Flask) -> None:
    """Add the API to the application."""
    for module in (suppressions, requests, document):
        app.register_blueprint(module.bp)
