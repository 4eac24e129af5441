"""The only door in: size cap, authenticity over the raw bytes, meaning, store once, answer.

No detection and no vendor call happens here: the answer must be quick, and everything slow must survive a kill.
"""

from __future__ import annotations

import io

import structlog
from flask import Blueprint, Response, current_app, request
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from dsr import agents, inbox
from dsr.desk import Desk
from dsr.errors import DeliveryRejected, PayloadNotUnderstood
from dsr.messages import AgentCommand, Delivery, WebhookResponse
from integrations.channel import Channel

log = structlog.get_logger()
bp = Blueprint("webhooks", __name__)

MAX_BYTES = 2**20  # the largest honest delivery is a long mail; more is 413 before anything is read
RECEIVED = Counter("privacy_desk_deliveries_total", "Webhook deliveries", ["channel", "outcome"])
# What a parser raises when an authentic body has a shape that nobody thought of.
_MISSHAPEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)


@bp.route("/webhooks/<path:name>", methods=["GET", "POST"])
def webhook(name: str) -> Response:
    """A vendor's delivery; `name` is the channel's."""
    return receive(name)


@bp.route("/slack/events", methods=["POST"])
def slack() -> Response:
    """Slack's events, commands and interactivity."""
    return receive("slack")


def receive(name: str) -> Response:
    channels: dict[str, Channel] = current_app.extensions["channels"]
    desk: Desk = current_app.extensions["desk"]
    channel = channels.get(name)
    if channel is None:
        return _plain(404, "no such channel, or it is not configured")
    delivery = _delivery(desk)
    try:
        channel.verify(delivery)
    except DeliveryRejected as error:
        return _rejected(name, str(error))
    except (TypeError, ValueError):  # UnicodeError is one: a header that is no text
        return _rejected(name, "malformed")
    try:
        happened = list(channel.parse(delivery))
    except PayloadNotUnderstood as error:
        return _quarantine(desk, channel, delivery, str(error))
    except _MISSHAPEN as error:
        return _quarantine(desk, channel, delivery, f"unexpected shape ({type(error).__name__})")
    if len(happened) == 1 and isinstance(happened[0], AgentCommand):
        return _command(desk, channel, delivery, happened[0])
    try:
        new = inbox.store(desk, name, happened)
    except SQLAlchemyError as error:
        return _unavailable(name, error)
    RECEIVED.labels(name, "stored" if new else "nothing new").inc()
    return _http(channel.respond(delivery))


def _command(desk: Desk, channel: Channel, delivery: Delivery, command: AgentCommand) -> Response:
    """An agent's command: reading is answered at once, changing is stored and answered by the worker.

    A pressed button is always answered by the worker: Slack shows no response body of one.
    """
    if not channel.is_agent(command.agent):
        RECEIVED.labels(channel.name, "not an agent").inc()
        return _http(channel.command_response(agents.SORRY))
    try:
        if agents.is_read_only(command.text) and "command" in delivery.form:
            with desk.db.read() as conn:
                return _http(channel.command_response(agents.answer(desk, conn, command.agent, command.text)))
        inbox.store(desk, channel.name, [command])
    except SQLAlchemyError as error:
        return _unavailable(channel.name, error)
    RECEIVED.labels(channel.name, "stored").inc()
    return _http(channel.respond(delivery))


def _delivery(desk: Desk) -> Delivery:
    body = request.get_data(cache=True, parse_form_data=False)
    headers = {name.lower(): value for name, value in request.headers.items()}
    form = read_form(body, request.headers.get("Content-Type", ""))
    return Delivery(request.method, request.path, headers, request.args.to_dict(), body, form, desk.now())


def read_form(body: bytes, content_type: str) -> dict[str, str]:
    """The fields of a form, without its files; none if the content type is not a form's."""
    kind, parameters = parse_options_header(content_type)
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return {}
    _, fields, _ = FormDataParser(max_form_parts=500).parse(io.BytesIO(body), kind, len(body), parameters)
    return fields.to_dict()


def _quarantine(desk: Desk, channel: Channel, delivery: Delivery, reason: str) -> Response:
    """A refusal would only make the sender try again, and in the end stop; the operator looks."""
    try:
        content_type = delivery.headers.get("content-type", "")
        inbox.put_in_quarantine(desk, channel.name, reason, delivery.body, content_type)
    except SQLAlchemyError as error:
        return _unavailable(channel.name, error)
    log.warning("not understood", channel=channel.name, reason=reason)
    RECEIVED.labels(channel.name, "quarantine").inc()
    return _plain(200, "kept for the operator")


def _rejected(name: str, reason: str) -> Response:
    log.warning("delivery rejected", channel=name, reason=reason)
    RECEIVED.labels(name, "rejected").inc()
    return _plain(401, "not authentic")


def _unavailable(name: str, error: SQLAlchemyError) -> Response:
    log.error("not stored", channel=name, problem=type(error).__name__)
    RECEIVED.labels(name, "unavailable").inc()
    answer = _plain(503, "not stored; please send it again")
    answer.headers["Retry-After"] = "5"
    return answer


def _plain(status: int, text: str) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")


def _http(answer: WebhookResponse) -> Response:
    return Response(answer.body, answer.status, content_type=answer.content_type, headers=dict(answer.headers))
