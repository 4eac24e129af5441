"""The services that process data for the company (Art. 13(1)(e)): made from the policy and from what is connected."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, current_app

from dsr import register
from dsr.letters import catalogue
from dsr.model import Operation, Support
from pages.page import blueprint, current_desk, language, show

bp = blueprint("processors")


@bp.get("/processors")
def index() -> Response:
    supports: Mapping[str, Mapping[Operation, Support]] = current_app.extensions["supports"]
    lang = language()

    def phrases(english: str | tuple[str, ...]) -> list[tuple[str, str]]:
        """Each part with the language that it is in."""
        parts = english.split(", ") if isinstance(english, str) else english
        return [catalogue.phrase(part, lang) for part in parts]

    def how(support: Support) -> str:
        by_desk = support in (Support.NATIVE, Support.COMPOSED)
        return f"page.processors_{'desk' if by_desk else support}"

    found = register.recipients(current_desk().policy, supports)
    return show("processors.html", lang, "page.processors_title", services=found, phrases=phrases, how=how)
