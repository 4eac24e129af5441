"""`/download/<token>`: the export package, sent whole once, for the word from the chat or a fresh code."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Response, request

from dsr import links, page_actions, receipts
from dsr.desk import Desk
from dsr.letters import catalogue
from pages import progress
from pages.page import Note, blueprint, code_note, current_desk, invalid, language, sent_note, show

bp = blueprint("download")


@bp.route("/download/<token>", methods=["GET", "POST"])
def page(token: str) -> Response:
    desk = current_desk()
    if request.method == "POST":
        return _post(desk, token)
    with desk.db.read() as conn:
        link = page_actions.download_link(desk, conn, token)
        if link is None:
            return invalid()
        row = page_actions.row(conn, link.reference)
        there = page_actions.downloadable(desk, conn, link)
    return _show(desk, link, row) if there else _gone(row)


def _post(desk: Desk, token: str) -> Response:
    copy: page_actions.Copy | None = None
    with desk.db.write() as conn:
        link = page_actions.download_link(desk, conn, token, lock=True)
        if link is None:
            return invalid()
        row = page_actions.row(conn, link.reference)
        if not page_actions.downloadable(desk, conn, link):
            return _gone(row)
        note = _prove(desk, conn, link, row, token)
        if note is None:
            second = "the word from the chat" if _by_word(link) else "a fresh code"
            copy = page_actions.hand_out(desk, conn, link, second)
            if copy is None:
                return _gone(row)
    return _show(desk, link, row, note) if copy is None else _package(desk, link, copy)


def _prove(desk: Desk, conn: sa.Connection, link: sa.Row[Any], row: sa.Row[Any], token: str) -> Note | None:
    """None: the word or the code is right. Else what to say."""
    lang, form = language(row.language), request.form
    if form.get("do") == "send":
        if row.address_enc is None:
            return Note(catalogue.say("page.download_no_address", lang, contact=desk.company.contact), True, status=409)
        return sent_note(page_actions.send_code(desk, conn, row.reference, page_actions.DOWNLOAD), lang)
    if _by_word(link):
        return _word(desk, conn, link, token, form["word"], lang)
    checked = page_actions.check_code(desk, conn, row.reference, form.get("code", ""), page_actions.DOWNLOAD)
    return code_note(checked, lang)


def _by_word(link: sa.Row[Any]) -> bool:
    return "word" in request.form and link.word_hash is not None


def _word(desk: Desk, conn: sa.Connection, link: sa.Row[Any], token: str, typed: str, lang: str) -> Note | None:
    if not typed.strip():
        return Note(catalogue.say("page.word_help", lang), True, "word", 422)  # costs no try
    if links.word_fits(desk, conn, link, token, typed[:40]):
        return None
    left = links.WORD_TRIES - link.tries - 1
    key = "page.word_wrong" if left > 0 else "page.word_void"
    return Note(catalogue.say(key, lang, left=left), True, "word", 422)


def _show(desk: Desk, link: sa.Row[Any], row: sa.Row[Any], note: Note | None = None) -> Response:
    lang = language(row.language)
    with desk.db.read() as conn:
        done, asked = progress.delivered(receipts.steps(desk, conn, row.reference))
    return show(
        "download.html",
        lang,
        "page.download_title",
        note=note,
        reference=row.reference,
        expires=catalogue.moment(link.expires_at, lang, desk.policy.controller.timezone),
        word=link.word_hash is not None,
        code=row.address_enc is not None,
        delivered=(done, asked) if asked else None,
    )


def _gone(row: sa.Row[Any]) -> Response:
    lang = language(row.language)
    return show("message.html", lang, "page.download_gone_title", status=410, text="page.download_gone")


def _package(desk: Desk, link: sa.Row[Any], copy: page_actions.Copy) -> Response:
    response = Response(iter(copy), content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{link.reference}.zip"'
    response.call_on_close(lambda: page_actions.handed_out(desk, link, whole=copy.whole))
    return response
