"""`/not-me/<token>`: the owner of an address stops what somebody else asked for in its name. Acts on POST alone."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Response, request

from dsr import links, page_actions
from dsr.letters import catalogue
from dsr.model import RequestStatus
from pages.page import blueprint, current_desk, invalid, language, show

bp = blueprint("not_me")


@bp.route("/not-me/<token>", methods=["GET", "POST"])
def page(token: str) -> Response:
    desk = current_desk()
    post = request.method == "POST"
    with desk.db.write() if post else desk.db.read() as conn:
        link = links.find(desk, conn, "not_me", token)
        if link is None:
            return invalid()
        now = page_actions.stop(desk, conn, link) if post else False
        rows = page_actions.concerned(desk, conn, link)
        waiting = not post and page_actions.can_stop(desk, conn, link)
    lang = language(rows[0].language if rows else "")
    stopped = now or link.used_at is not None or any(r.status == str(RequestStatus.FROZEN) for r in rows)
    if waiting:
        return show("not_me.html", lang, "page.not_me_title", stopped=[], waiting=True)
    if not stopped:
        return show("message.html", lang, "page.not_me_title", text="page.not_me_expired")
    return show("not_me.html", lang, "page.not_me_done_title", stopped=_named(rows, lang), waiting=False)


def _named(rows: list[sa.Row[Any]], lang: str) -> list[str]:
    return [
        catalogue.say(
            "page.not_me_stopped", lang, reference=row.reference, right=catalogue.word("right", row.right, lang)
        )
        for row in rows
        if row.status == str(RequestStatus.FROZEN)
    ]
