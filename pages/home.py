"""What this is, how to reach the data protection officer, and how to report a weakness (RFC 9116)."""

from __future__ import annotations

from datetime import UTC, timedelta

from flask import Response

from dsr.letters.catalogue import LANGUAGES
from pages.page import blueprint, current_desk, language, show

bp = blueprint("home")

_A_YEAR = timedelta(days=364)  # RFC 9116, 2.5.5: less than a year ahead is recommended


@bp.get("/")
def index() -> Response:
    policy = current_desk().policy
    return show(
        "home.html", language(), "page.home_title", controller=policy.controller, authority_site=policy.authority.site
    )


@bp.get("/.well-known/security.txt")
def security() -> Response:
    """Whom to tell about a weakness."""
    desk = current_desk()
    expires = (desk.now() + _A_YEAR).astimezone(UTC).replace(microsecond=0)
    lines = (
        f"Contact: mailto:{desk.company.contact}",
        f"Expires: {expires.isoformat().replace('+00:00', 'Z')}",
        f"Preferred-Languages: {', '.join(LANGUAGES)}",
        f"Canonical: {desk.url('.well-known/security.txt')}",
    )
    return Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
