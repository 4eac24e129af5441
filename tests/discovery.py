"""Checks calls and answers against a Google discovery document, where one lies beside the repository.

https://developers.google.com/discovery/v1/type-format
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from tests.openapi import SPECS


class Discovery:
    """A discovery document: its methods by path, its schemas as JSON Schema, closed to unknown fields."""

    def __init__(self, name: str) -> None:
        file = SPECS / name
        if not file.exists():
            pytest.skip(f"no specification beside the repository: {name}")
        document = json.loads(file.read_text())
        self.schemas = {name: _as_json_schema(schema) for name, schema in document["schemas"].items()}
        self.methods = list(_methods(document))

    def problems(self, method: str, path: str, sent: Any, status: int, answer: Any) -> list[str]:
        found = [m for m in self.methods if m["httpMethod"] == method and _pattern(m).fullmatch(path.lstrip("/"))]
        if not found:
            return [f"{method} {path}: no such method"]
        checked = [("request", found[0].get("request"), sent)]
        if status < 300:
            checked.append(("answer", found[0].get("response"), answer))
        problems = []
        for what, reference, value in checked:
            if reference and value is not None:
                schema = {**self.schemas[reference["$ref"]], "definitions": self.schemas}
                errors = jsonschema.Draft7Validator(schema).iter_errors(value)
                problems += [f"{method} {path} {what}: {e.message[:200]}" for e in errors]
        return problems


def _methods(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from _methods(inner)


def _pattern(method: dict[str, Any]) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/:]+", re.escape(method.get("flatPath") or method["path"])))


def _as_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {"$ref": f"#/definitions/{schema['$ref']}"}
    made = {k: v for k, v in schema.items() if k in ("type", "enum", "pattern")}
    if "properties" in schema:
        made["properties"] = {name: _as_json_schema(inner) for name, inner in schema["properties"].items()}
        made["additionalProperties"] = False
    if "items" in schema:
        made["items"] = _as_json_schema(schema["items"])
    return made
