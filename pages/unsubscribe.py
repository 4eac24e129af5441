"""`/unsubscribe/<token>`: one click by a mail program (RFC 8058), or a page with one button.

Every POST that does not ask for something else unsubscribes: that is the safe direction. It answers 200 at once,
without a cookie, a redirect or a CSRF token: the token in the address is all that a mail program has. A token that is
not ours is 404 for every method: 200 would tell a mailbox provider that somebody was unsubscribed who was not, and it
says nothing about anybody, since only we can make a token that opens. `/unsubscribe` mails the link.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from flask import Response, request

from dsr import addresses, preferences, resubscription, suppression
from dsr.desk import Desk
from dsr.letters import catalogue
from dsr.policy import Topic
from pages import progress
from pages.page import Note, blueprint, current_desk, invalid, language, show

bp = blueprint("unsubscribe")

_LONGEST = 1000  # characters of a typed address that are looked at


@bp.route("/unsubscribe", methods=["GET", "POST"])
def ask() -> Response:
    """For a recipient who no longer has a mail of ours: the link goes to the address that is typed."""
    lang, note = language(), None
    if request.method == "POST":
        desk = current_desk()
        if address := addresses.normalise(request.form.get("address", "")[:_LONGEST]):
            with desk.db.write() as conn:
                preferences.mail_link(desk, conn, address, lang)
            return show("message.html", lang, "page.unsubscribe_asked_title", text="page.unsubscribe_asked")
        note = Note(catalogue.say("page.unsubscribe_address_wrong", lang), True, "address", 422)
    return show("unsubscribe_ask.html", lang, "page.unsubscribe_title", note=note)


@bp.route("/unsubscribe/<token>", methods=["GET", "POST"])
def page(token: str) -> Response:
    desk = current_desk()
    address = preferences.recipient(desk, token)
    if address is None:
        return invalid("page.unsubscribe_title", "page.unsubscribe_invalid")
    if request.method == "POST":
        return _post(desk, address)
    with desk.db.read() as conn:
        lang = language(otherwise=preferences.language_of(desk, conn, address))
        out = suppression.topics(desk, conn, address)
        lines = _services(desk, conn, address, lang, again=suppression.ALL not in out)
    title = "page.unsubscribe_done_title" if suppression.ALL in out else "page.unsubscribe_title"
    return _page(desk, lang, title, out, lines=lines)


def _post(desk: Desk, address: str) -> Response:
    lang, form = language(), request.form
    wanted = set(form.getlist("topic"))
    if "List-Unsubscribe" not in form and form.get("do") == "resubscribe":
        with desk.db.write() as conn:
            again = resubscription.subscribe_again(desk, conn, address, lang)
        if again:
            return _show(desk, address, lang, "page.unsubscribe_resubscribed_title")
        stays = Note(catalogue.say("page.unsubscribe_not_again", lang, contact=desk.company.contact), True)
        return _show(desk, address, lang, "page.unsubscribe_title", stays)
    if "List-Unsubscribe" not in form and form.get("do") == "topics" and wanted:
        with desk.db.write() as conn:
            preferences.choose_topics(desk, conn, address, wanted)
        saved = Note(catalogue.say("page.unsubscribe_topics_done", lang))
        return _show(desk, address, lang, "page.unsubscribe_title", saved)
    preferences.unsubscribe(desk, address, lang)
    return _page(desk, lang, "page.unsubscribe_done_title", {suppression.ALL})


def _show(desk: Desk, address: str, lang: str, title: str, note: Note | None = None) -> Response:
    """The page after (or before) what its title says."""
    with desk.db.read() as conn:
        out = suppression.topics(desk, conn, address)
        lines = _services(desk, conn, address, lang, again=suppression.ALL not in out)
    return _page(desk, lang, title, out, note, lines)


def _services(desk: Desk, conn: sa.Connection, address: str, lang: str, *, again: bool) -> list[progress.Service]:
    """How far the person's latest word is at each sender; none if it was another one than the page is about."""
    carried_out = preferences.carried_out(desk, conn, address, again=again)
    if carried_out is None:
        return []
    due, steps = carried_out
    return progress.services(steps, progress.labels(desk.policy), due, lang, desk.policy.controller.timezone)


def _page(
    desk: Desk, lang: str, title: str, out: set[str], note: Note | None = None, lines: Sequence[progress.Service] = ()
) -> Response:
    return show(
        "unsubscribe.html",
        lang,
        title,
        note=note,
        out=suppression.ALL in out,
        again=title == "page.unsubscribe_resubscribed_title",
        services=lines,
        finished=sum(line.state in progress.OVER for line in lines),
        meanings=progress.meanings(lines, lang),
        topics=[(topic.id, _name(topic, lang), topic.id not in out) for topic in desk.policy.topics],
    )


def _name(topic: Topic, lang: str) -> str:
    """A topic in the person's language; the policy's own words where the catalogues do not know it."""
    try:
        return catalogue.say(f"page.unsubscribe_topic_{topic.id}", lang)
    except KeyError:
        return topic.description
