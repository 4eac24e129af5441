"""What all pages share: language, headers, the answer to a wrong link, and a form with a code."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from flask import Blueprint, Response, current_app, make_response, render_template, request
from markupsafe import Markup, escape
from sqlalchemy.exc import SQLAlchemyError

from dsr.conversation import CodeChecked
from dsr.desk import Desk
from dsr.errors import DsrError
from dsr.letters import catalogue

log = structlog.get_logger()

NAMES = {"en": "English", "ro": "Română", "de": "Deutsch", "fr": "Français", "es": "Español"}

# No script at all, nothing from elsewhere, in nobody's frame.
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

_MAIL = Markup('<a href="mailto:{0}">{0}</a>')
_REFERENCE = Markup('<span class="reference">{0}</span>')


@dataclass(frozen=True)
class Note:
    """The result of a POST, said at the top of the page.

    Args:
        problem: it did not work; the text stands at the field named `field`, if there is one.
        status: HTTP status of the answer.
    """

    text: str
    problem: bool = False
    field: str = ""
    status: int = 200


def blueprint(name: str) -> Blueprint:
    """A blueprint with the headers and the error pages of all pages."""
    made = Blueprint(name, __name__)
    made.after_request(_headers)
    made.register_error_handler(SQLAlchemyError, _unavailable)
    made.register_error_handler(DsrError, _unavailable)
    return made


def current_desk() -> Desk:
    desk: Desk = current_app.extensions["desk"]
    return desk


def language(first: str = "", otherwise: str = "") -> str:
    """The language to answer in: the one chosen on the page, `first`, the browser's, `otherwise`, English.

    Args:
        first: the language of a request, which is the person's own.
        otherwise: what is known of a person whose browser asks for none of ours.
    """
    chosen = request.args.get("lang", "")
    if chosen in catalogue.LANGUAGES:
        return chosen
    if first:
        return catalogue.known(first)
    return request.accept_languages.best_match(catalogue.LANGUAGES) or catalogue.known(otherwise or "en")


def show(
    template: str, lang: str, title: str, *, status: int = 200, note: Note | None = None, **context: object
) -> Response:
    """A page.

    Args:
        title: key of its heading, `page.…`, or the heading itself.
        note: what came of a POST.
        context: variables of the template; those that are text keys' placeholders too.
    """
    desk = current_desk()
    values: dict[str, object] = {
        "company": desk.company.name,
        "contact": desk.company.contact,
        "authority": desk.company.authority,
        "reference": context.get("reference", ""),
    }

    def text(key: str, **params: object) -> str:
        return catalogue.say(key, lang, **(values | params))

    def marked(written: str) -> Markup:
        """The contact's address can be clicked, and the reference stands on one line."""
        html = escape(written)
        for value, element in (("contact", _MAIL), ("reference", _REFERENCE)):
            if values[value]:
                html = html.replace(escape(values[value]), element.format(values[value]))
        return html

    heading = text(title) if title.startswith("page.") else title
    html = render_template(
        template, t=text, marked=marked, lang=lang, languages=NAMES, title=heading, note=note, **(values | context)
    )
    response = make_response(html, note.status if note and status == 200 else status)
    response.headers["Content-Language"] = lang
    return response


def invalid(title: str = "page.link_invalid_title", text: str = "page.link_invalid") -> Response:
    """The one answer to a link that is unknown, of another kind, or whose time is up."""
    return show("message.html", language(), title, status=404, text=text)


def code_note(checked: CodeChecked | None, lang: str) -> Note | None:
    """What to say of a code that was not right; None if it was.

    Args:
        checked: None if what was typed cannot be a code.
    """
    if checked is None:
        return Note(catalogue.say("page.code_help", lang), True, "code", 422)
    if checked.result == "right":
        return None
    return Note(catalogue.say(f"page.code_{checked.result}", lang, left=checked.left), True, "code", 422)


def sent_note(sent: bool, lang: str) -> Note:
    """What to say after a code was asked for."""
    if sent:
        return Note(catalogue.say("page.code_sent", lang))
    return Note(catalogue.say("page.code_limit", lang), True, status=429)


def _headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CSP
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Cache-Control"] = "no-store"
    return response


def _unavailable(error: Exception) -> Response:
    """The transaction was rolled back: nothing has changed, and trying again can help."""
    log.error("a page could not be shown", problem=type(error).__name__, endpoint=request.endpoint)
    response = show("message.html", language(), "page.error_title", status=503, text="page.error")
    response.headers["Retry-After"] = "5"
    return response
