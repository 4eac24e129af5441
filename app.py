"""Where all parts meet: settings, store, vendors, pages and the command line. The only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import structlog
from dotenv import dotenv_values
from flask import Flask, Response, current_app, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import RequestEntityTooLarge

import api
import command_line
import pages
from dsr import desk as desks
from dsr import own_data
from dsr import policy as policies
from dsr import proof as ladders
from dsr.errors import ConfigurationError
from dsr.logs import configure_logs
from dsr.settings import Settings
from dsr.store.migrate import behind
from integrations import webhooks
from integrations.own_records import OwnRecords
from integrations.registry import connect

ROOT = Path(__file__).resolve().parent
log = structlog.get_logger()


def environment() -> dict[str, str]:
    """The process's variables over those of `.env`."""
    kept = {name: value for name, value in dotenv_values(ROOT / ".env").items() if value is not None}
    return {**kept, **os.environ}


def create_app(env: Mapping[str, str] | None = None) -> Flask:
    """The application.

    With wrong settings it still answers the command line, so that `flask check` can name every problem; the web
    server uses `web`, which refuses to start.

    Args:
        env: variables; default: the process's and `.env`'s.
    """
    env = environment() if env is None else env
    configure_logs(env.get("LOG_LEVEL", "INFO"))
    app = Flask(
        "privacy_desk", template_folder=str(ROOT / "pages" / "templates"), static_folder=str(ROOT / "pages" / "static")
    )
    app.extensions["env"] = env
    app.config["MAX_CONTENT_LENGTH"] = webhooks.MAX_BYTES
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    command_line.register(app)
    problems: list[str] = []
    try:
        settings = Settings.from_env(env)
    except ConfigurationError as error:
        problems += error.problems
    try:
        policy = policies.load(ROOT / env.get("POLICY_FILE", "policy.toml"))
    except ConfigurationError as error:
        problems += error.problems
    else:
        try:
            connections = connect(env, policy)
        except ConfigurationError as error:
            problems += error.problems
    try:
        proof = ladders.load(ROOT / env.get("PROOF_FILE", "dsr/proof.toml"), on=desks.utc_now().date())
    except ConfigurationError as error:
        problems += error.problems
    app.extensions["problems"] = problems
    if problems:
        return app
    desk = desks.make_desk(
        settings,
        policy,
        connections.vendor_of_channel,
        proof=proof,
        by_mail=connections.by_mail,
        unsubscribe_address=connections.unsubscribe_address,
    )
    connections.processors[own_data.NAME] = OwnRecords(desk)
    app.secret_key = settings.secret_key.get_secret_value()
    app.extensions |= {"desk": desk, "channels": connections.channels, "connections": connections}
    app.extensions["supports"] = connections.supports  # for the page that names the processors
    app.register_blueprint(webhooks.bp)
    pages.register(app)
    api.register(app)
    app.add_url_rule("/healthz", "healthz", lambda: jsonify(status="ok"))
    app.add_url_rule("/readyz", "readyz", _ready)
    app.add_url_rule("/metrics", "metrics", lambda: Response(generate_latest(), content_type=CONTENT_TYPE_LATEST))
    app.after_request(_headers)
    return app


def web() -> Flask:
    """The application for a web server.

    Raises:
        ConfigurationError: with every problem at once.
    """
    app = create_app()
    if app.extensions["problems"]:
        raise ConfigurationError(app.extensions["problems"])
    return app


def _ready() -> tuple[Response, int]:

    try:
        late = behind(current_app.extensions["desk"].db.engine)
    except SQLAlchemyError:
        return jsonify(status="the database does not answer"), 503
    return (jsonify(status="run flask db upgrade"), 503) if late else (jsonify(status="ok"), 200)


def _too_large(error: RequestEntityTooLarge) -> tuple[str, int]:
    return "too large", 413


def _headers(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    if not request.path.startswith("/static/"):
        response.headers.setdefault("Cache-Control", "no-store")
    return response
