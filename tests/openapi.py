"""Checks calls and answers against a vendor's OpenAPI 3.0 specification, where one lies beside the repository."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from integrations import transport

SPECS = Path(__file__).parents[2] / "shared" / "specs"


class Specification:
    """One specification. `path` is below the folder of specifications; the test is skipped when it is not there."""

    def __init__(self, path: str) -> None:
        file = SPECS / path
        if not file.exists():
            pytest.skip(f"no specification beside the repository: {path}")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._document = _nullable(yaml.load(file.read_text(), Loader=loader))  # both are safe loaders
        self._templates = [
            (re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template.split("?")[0])) + "$"), operations)
            for template, operations in self._document["paths"].items()
        ]
        # `/contacts/search` before `/contacts/{id}`
        self._templates.sort(key=lambda found: "[^/]+" in found[0].pattern)

    def problems(self, method: str, path: str, sent: Any, status: int, answer: Any) -> list[str]:
        """What the specification has against one exchange; an answer without a schema has nothing against it."""
        where = f"{method} {path} {status}"
        operation = next((ops.get(method.lower()) for made, ops in self._templates if made.match(path)), None)
        if operation is None:
            return [f"{where}: no such operation"]
        wanted = _schema(operation.get("requestBody"))
        found = self._against(wanted, sent, f"{where} request") if wanted and sent is not None else []
        response = operation["responses"].get(str(status)) or operation["responses"].get("default")
        if response is None:
            return found + ([] if status >= 400 else [f"{where}: an undocumented status"])
        return found + self._against(_schema(response), answer, f"{where} answer")

    def _against(self, schema: Any, value: Any, where: str) -> list[str]:
        if schema is None:
            return []
        root = {**schema, "components": self._document["components"]}
        validator = jsonschema.Draft202012Validator(root)
        return [f"{where}: {'/'.join(map(str, e.path))}: {e.message[:200]}" for e in validator.iter_errors(value)]


def recording(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any, int, Any]]:
    """Every exchange from now on: method, path below the base address, JSON sent, status, JSON answered."""
    exchanges: list[tuple[str, str, Any, int, Any]] = []
    usual = transport.Transport.call

    def call(self: transport.Transport, method: str, path: str, **more: Any) -> transport.Answer:
        answer = usual(self, method, path, **more)
        below = urlsplit(path).path.removeprefix(urlsplit(self.base_url).path) if "://" in path else path.split("?")[0]
        body = json.loads(answer.content) if answer.content else None
        exchanges.append((method, "/" + below.lstrip("/"), more.get("json"), answer.status, body))
        return answer

    monkeypatch.setattr(transport.Transport, "call", call)
    return exchanges


def _schema(holder: Any) -> Any:
    content = (holder or {}).get("content", {})
    return next((media.get("schema") for kind, media in content.items() if "json" in kind), None)


def _nullable(value: Any) -> Any:
    """OpenAPI 3.0's `nullable` as JSON Schema says it."""
    if isinstance(value, list):
        return [_nullable(item) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {k: _nullable(v) for k, v in value.items() if k not in ("nullable", "example", "examples")}
    return {"anyOf": [inner, {"type": "null"}]} if value.get("nullable") is True else inner
