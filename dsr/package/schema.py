"""A JSON Schema (draft 2020-12) of rows, worked out while they pass by; its size does not grow with their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DRAFT = "https://json-schema.org/draft/2020-12/schema"
DEEPEST = 6  # below it a schema allows anything
WIDEST = 200  # names at one place; with about twice as many it is a dictionary, not a record


@dataclass
class Shape:
    """What was seen at one place."""

    types: set[str] = field(default_factory=set)
    objects: int = 0
    properties: dict[str, Shape] = field(default_factory=dict)
    present: dict[str, int] = field(default_factory=dict)
    open: bool = False
    items: Shape | None = None

    def see(self, value: object, depth: int = 0) -> None:
        """Take one more value into account; anything that JSON does not know counts as a text."""
        if value is None:
            self.types.add("null")
        elif isinstance(value, bool):
            self.types.add("boolean")
        elif isinstance(value, int):
            self.types.add("integer")
        elif isinstance(value, float):
            self.types.add("number")
        elif isinstance(value, Mapping):
            self.types.add("object")
            self._see_object(value, depth)
        elif isinstance(value, (list, tuple)):
            self.types.add("array")
            if depth < DEEPEST:
                self.items = self.items or Shape()
                for item in value:
                    self.items.see(item, depth + 1)
        else:
            self.types.add("string")

    def _see_object(self, value: Mapping[Any, object], depth: int) -> None:
        self.objects += 1
        if self.open or depth >= DEEPEST or len(self.properties) + len(value) > 2 * WIDEST:
            self.open, self.properties, self.present = True, {}, {}
            return
        for key, inner in value.items():
            name = str(key)
            if name not in self.properties:
                self.properties[name], self.present[name] = Shape(), 0
            self.properties[name].see(inner, depth + 1)
            self.present[name] += 1

    def schema(self) -> dict[str, Any]:
        """The schema of everything seen: every row fits, and names that every object has are required."""
        if not self.types:
            return {}
        types = sorted(self.types - {"integer"} if "number" in self.types else self.types)
        found: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
        if self.properties:
            found["properties"] = {name: shape.schema() for name, shape in self.properties.items()}
            found["required"] = sorted(n for n, count in self.present.items() if count == self.objects)
        if self.items is not None:
            found["items"] = self.items.schema()
        return found


def of_rows(row: Shape, title: str) -> dict[str, Any]:
    """The schema of a file: an array of such rows."""
    return {"$schema": DRAFT, "title": title, "type": "array", "items": row.schema()}
