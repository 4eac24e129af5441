"""`/verify/<token>`: the person of a request that an agent opened types the code from the mail."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Response, request

from dsr import commands, links, opening, page_actions
from dsr.desk import Desk
from dsr.letters import catalogue
from dsr.model import RequestStatus
from pages.page import Note, blueprint, code_note, current_desk, invalid, language, sent_note, show

bp = blueprint("verify")


@bp.route("/verify/<token>", methods=["GET", "POST"])
def page(token: str) -> Response:
    desk = current_desk()
    if request.method == "POST":
        return _post(desk, token)
    with desk.db.read() as conn:
        link = links.find(desk, conn, "verify", token)
        if link is None:
            return invalid()
        row = page_actions.row(conn, link.reference)
    return _show(desk, row)


def _post(desk: Desk, token: str) -> Response:
    with desk.db.write() as conn:
        link = links.find(desk, conn, "verify", token)
        if link is None:
            return invalid()
        row = page_actions.row(conn, link.reference)
        lang, note, status_link = language(row.language), None, ""
        if row.status == str(RequestStatus.IDENTITY_PENDING):
            if request.form.get("do") == "send":
                note = sent_note(opening.mail_page_code(desk, conn, row.reference), lang)
            else:
                checked, reference = page_actions.confirm(desk, conn, row.reference, request.form.get("code", ""))
                note = code_note(checked, lang)
                if note is None:
                    row = page_actions.row(conn, reference)
                if note is None and row.status == str(RequestStatus.IDENTITY_PENDING):
                    note = Note(catalogue.say("page.verify_waits", lang))  # two agents have to agree as well
                elif note is None:
                    status_link = links.make(desk, conn, "status", lifetime=commands.LINK_LIFETIME, reference=reference)
    return _show(desk, row, note, status_link)


def _show(desk: Desk, row: sa.Row[Any], note: Note | None = None, status_link: str = "") -> Response:
    lang, zone = language(row.language), desk.policy.controller.timezone
    pending = row.status == str(RequestStatus.IDENTITY_PENDING)
    title = "page.verify_done_title" if status_link else "page.verify_title"
    return show(
        "verify.html",
        lang,
        title,
        note=note,
        reference=row.reference,
        right=catalogue.word("right", row.right, lang),
        due=catalogue.date(row.due_at, lang, zone),
        start=catalogue.moment(row.start_at, lang, zone) if row.start_at else "",
        state_words=catalogue.word("status", row.status, lang),
        pending=pending,
        confirmed=row.verified_at is not None,
        status_link=status_link,
    )
