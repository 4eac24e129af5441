"""The description of the API: `/api/openapi.json`, made from the same models that check every call."""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel, ValidationError
from spectree import Response as Answers
from spectree import SecurityScheme, SpecTree
from spectree.models import SecureType, SecuritySchemeData

from api import problems
from api.problems import Problem

bp = Blueprint("api_document", __name__)


def _before(request: Any, response: Any, error: Exception | None, instance: Any, adapter: Any) -> None:
    if isinstance(error, ValidationError):
        raise problems.misshapen(error)


def _after(*_: object) -> None:
    """spectree's own hook logs what was wrong with an answer; ours are models, and cannot be."""


tree = SpecTree(
    "flask",
    title="Privacy Desk",
    description="For the company's own systems: suppression, objections, and requests of data subjects.",
    version="1",
    mode="strict",
    annotations=True,
    before=_before,
    after=_after,
    validation_error_model=Problem,
    naming_strategy=lambda model: model.__name__,
    nested_naming_strategy=lambda parent, child: child,
    security_schemes=[
        SecurityScheme(name="token", data=SecuritySchemeData(type=SecureType.HTTP, scheme="bearer")),
    ],
    security={"token": []},
)


def answers(status: int, model: type[BaseModel], *more: int) -> Answers:
    """The documented answers of a call: its own, and the problems that any call can meet.

    Args:
        more: statuses of problems that only this call has.
    """
    refusals = {f"HTTP_{code}": Problem for code in (400, 401, 413, 415, 422, 503, *more)}
    return Answers(**{f"HTTP_{status}": model}, **refusals)


@bp.get("/api/openapi.json")
def openapi() -> Response:
    """Needs no token: it tells what may be asked, not about anybody."""
    return jsonify(described())


@cache
def described() -> dict[str, Any]:
    """The OpenAPI document; problems have a media type of their own (RFC 9457)."""
    found: dict[str, Any] = tree.spec
    for operations in found["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    answer["content"] = {"application/problem+json": answer["content"]["application/json"]}
    return found
