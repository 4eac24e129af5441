"""Who may call: a bearer token, compared in constant time before anything of the body is read."""

from __future__ import annotations

import hmac
from hashlib import sha256
from http import HTTPStatus

from flask import Blueprint, current_app, request

from api import problems
from api.problems import Refused
from dsr.desk import Desk

MAX_BYTES = 32 * 2**20  # 100,000 addresses of the greatest length (254) and some punctuation are 26 MB


def blueprint(name: str) -> Blueprint:
    """A blueprint whose every call needs a token, and whose refusals are problems."""
    made = Blueprint(name, __name__, url_prefix="/api/v1")
    made.before_request(_check)
    problems.handle(made)
    return made


def current_desk() -> Desk:
    desk: Desk = current_app.extensions["desk"]
    return desk


def _check() -> None:
    """Raises:
    Refused: no token, a wrong one, or a body that is too large or no JSON.
    """
    settings = current_desk().settings.api_tokens
    if settings is None:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the API is off: API_TOKENS is not set")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not _known(given.strip(), settings.get_secret_value()):
        raise Refused(HTTPStatus.UNAUTHORIZED, "a bearer token of API_TOKENS is needed")
    request.max_content_length = MAX_BYTES
    if request.method == "POST":
        request.get_json()  # no JSON: 400 or 415; kept for the call itself


def _known(given: str, tokens: str) -> bool:
    """Digests of equal length are compared, each with each: the time tells neither length nor place of a token."""
    digest = sha256(given.encode("utf-8", "surrogateescape")).digest()
    known = [sha256(token.strip().encode()).digest() for token in tokens.split(",")]
    return sum(hmac.compare_digest(digest, one) for one in known) > 0
