"""`/status/<token>`: how a request stands, and the form to withdraw it with a fresh code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import Response, request

from dsr import clocks, links, own_data, page_actions, receipts
from dsr.desk import Desk
from dsr.fulfilment import Step
from dsr.letters import catalogue
from dsr.model import RequestStatus, Right
from dsr.policy import Policy
from dsr.requests import ENDED
from pages import progress
from pages.page import Note, blueprint, code_note, current_desk, invalid, language, sent_note, show

bp = blueprint("status")

REFRESH = 5  # seconds


@bp.route("/status/<token>", methods=["GET", "POST"])
def page(token: str) -> Response:
    desk = current_desk()
    note = _post(desk, token) if request.method == "POST" else None
    with desk.db.read() as conn:
        link = links.find(desk, conn, "status", token)
        if link is None:
            return invalid()
        row = page_actions.row(conn, link.reference)
        steps = receipts.steps(desk, conn, link.reference)
    return _show(desk, row, steps, note)


def _post(desk: Desk, token: str) -> Note | None:
    """Mail a code, or withdraw with one."""
    with desk.db.write() as conn:
        link = links.find(desk, conn, "status", token)
        if link is None:
            return None
        reference = link.reference
        row = page_actions.row(conn, reference)
        lang = language(row.language)
        if not page_actions.can_withdraw(row):
            withdrawn = row.status == str(RequestStatus.WITHDRAWN)
            text = catalogue.say("page.withdraw_done" if withdrawn else "page.withdraw_too_late", lang)
            return Note(text, problem=not withdrawn, status=200 if withdrawn else 409)
        if request.form.get("do") == "send":
            return sent_note(page_actions.send_code(desk, conn, reference, page_actions.WITHDRAW), lang)
        checked = page_actions.withdraw(desk, conn, reference, request.form.get("code", ""))
        return code_note(checked, lang) or Note(catalogue.say("page.withdraw_done", lang))


def _show(desk: Desk, row: sa.Row[Any], steps: list[Step], note: Note | None) -> Response:
    policy, lang = desk.policy, language(row.language)
    zone = policy.controller.timezone
    labels = {**progress.labels(policy), own_data.NAME: own_data.LABEL}
    lines = progress.services(steps, labels, row.due_at, lang, zone)
    running = row.status == str(RequestStatus.IN_PROGRESS) and request.method == "GET"
    renewing = running and "still" not in request.args
    right = Right(row.right)
    response = show(
        "status.html",
        lang,
        "page.status_title",
        note=note,
        reference=row.reference,
        right=catalogue.word("right", right, lang),
        state=row.status,
        state_words=catalogue.word("status", row.status, lang),
        over=RequestStatus(row.status) in ENDED,
        dates=_dates(policy, row, lang),
        derivation=_derivation(policy, row, lang),
        services=lines,
        finished=sum(line.state in progress.OVER for line in lines),
        delivered=progress.delivered(steps) if right in (Right.EXPORT, Right.ACCESS) else None,
        meanings=progress.meanings(lines, lang),
        certificate=row.certificate_at is not None and right not in (Right.EXPORT, Right.ACCESS, Right.UNSUBSCRIBE),
        can_withdraw=page_actions.can_withdraw(row),
        running=running,
        renewing=renewing,
    )
    if renewing:
        # The header and not the meta element: the page offers to switch it off (WCAG 2.2.1 and 2.2.2), which
        # checkers of the markup cannot know.
        response.headers["Refresh"] = str(REFRESH)
    return response


def _dates(policy: Policy, row: sa.Row[Any], lang: str) -> list[tuple[str, str]]:
    zone = policy.controller.timezone
    moments = {
        "status_received": row.received_at,
        "status_verified": row.verified_at,
        "status_start": row.start_at if row.status == str(RequestStatus.COOLING_OFF) else None,
        "status_finished": row.finished_at,
    }
    shown = [(f"page.{key}", catalogue.moment(at, lang, zone)) for key, at in moments.items() if at]
    due = ("page.status_due", catalogue.due(row.due_at, lang, zone))
    extended = [("page.status_extended", catalogue.date(row.extended_due_at, lang, zone))] if row.extended_at else []
    later = clocks.of(policy, row).suspended_due
    suspended = [("page.status_suspended", catalogue.date(later, lang, zone))] if later and later > row.due_at else []
    return [*shown, due, *extended, *suspended]


def _derivation(policy: Policy, row: sa.Row[Any], lang: str) -> list[dict[str, str]]:
    """The steps that led to the due date; the extension only once it was made."""
    shown = []
    for step in clocks.derivation(policy, row):
        rule = str(step["rule"])
        text, written_in = _rule(rule, step["text"], lang)
        day = datetime.fromisoformat(step["date"]).replace(tzinfo=UTC)
        date = catalogue.date(day, lang, "UTC")
        shown.append({"date": date, "text": text, "lang": written_in, "article": step["article"]})
    return shown


def _rule(rule: str, english: str, lang: str) -> tuple[str, str]:
    """A rule in the person's language, or as it was recorded; and the language that it is in."""
    try:
        return catalogue.say(f"page.rule_{rule.replace('-', '_')}", lang), lang
    except KeyError:
        return english, "en"
