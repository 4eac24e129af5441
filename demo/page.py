"""The playground page and the small JSON doors that it uses."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("demo", __name__, url_prefix="/demo", template_folder="templates", static_folder="static")
