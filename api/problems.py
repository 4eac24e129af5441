"""Refusals in one shape: problem details (RFC 9457). None holds an address or a token."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from flask import Blueprint, Response
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from dsr.errors import DsrError, RequestError, RequestNotFound, TooManyCodes, UnsupportedRequest

log = structlog.get_logger()

# Of several that fit, the first. Everything else that a request cannot do is a conflict with its state.
_STATUS: Mapping[type[DsrError], HTTPStatus] = {
    RequestNotFound: HTTPStatus.NOT_FOUND,
    TooManyCodes: HTTPStatus.TOO_MANY_REQUESTS,
    UnsupportedRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    RequestError: HTTPStatus.CONFLICT,
}
_RETRY_AFTER = {HTTPStatus.SERVICE_UNAVAILABLE: 5, HTTPStatus.TOO_MANY_REQUESTS: 3600}  # seconds


class Wrong(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="its place in the body, such as `addresses.3`")
    problem: str


class Problem(BaseModel):
    """Why nothing was done (RFC 9457). Nothing has changed."""

    title: str
    status: int
    detail: str = Field(description="what happened, for a person; names the article where the law refuses")
    errors: list[Wrong] = Field(default=[], description="the fields that are wrong")


class Refused(Exception):
    """Ends a call with a problem."""

    def __init__(self, status: HTTPStatus, detail: str, errors: list[Wrong] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.problem = Problem(title=status.phrase, status=status, detail=detail, errors=errors or [])


def misshapen(error: ValidationError) -> Refused:
    """A body that is not as documented. Names the fields, repeats no value."""
    found = error.errors(include_input=False, include_context=False, include_url=False)
    wrong = [Wrong(field=".".join(map(str, e["loc"])), problem=e["msg"]) for e in found[:20]]
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "the call is not as documented", wrong)


def handle(bp: Blueprint) -> None:
    """Answer what goes wrong in a blueprint with problems."""
    bp.register_error_handler(Refused, _refused)
    bp.register_error_handler(DsrError, _dsr)
    bp.register_error_handler(SQLAlchemyError, _unavailable)
    bp.register_error_handler(HTTPException, _http)
    bp.register_error_handler(RequestEntityTooLarge, _http)  # the application has an answer of its own to this one


def _refused(error: Refused) -> Response:
    response = Response(error.problem.model_dump_json(), error.status, content_type="application/problem+json")
    if error.status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if seconds := _RETRY_AFTER.get(error.status):
        response.headers["Retry-After"] = str(seconds)
    return response


def _dsr(error: DsrError) -> Response:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), None)
    if status is None:
        return _unavailable(error)
    return _refused(Refused(status, str(error)))


def _unavailable(error: Exception) -> Response:
    """The transaction was rolled back: nothing has changed, and trying again can help."""
    log.error("an API call failed", problem=type(error).__name__)
    return _refused(Refused(HTTPStatus.SERVICE_UNAVAILABLE, "not done; please try again"))


def _http(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or 500)
    return _refused(Refused(status, error.description or status.phrase))
