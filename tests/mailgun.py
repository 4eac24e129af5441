"""What the tests of Mailgun share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsr.model import (
    Identities,
    Instruction,
    Operation,
    Right,
)
from tests.twins import MARIA, Served

ENV = {
    "MAILGUN_API_KEY": "key-0123456789abcdef",
    "MAILGUN_DOMAIN": "mg.example.com",
    "MAILGUN_MARKETING_DOMAINS": "news.example.com, offers.example.com",
    "MAILGUN_WEBHOOK_SIGNING_KEY": "mailgun-test-key",
}
MARKETING = ("news.example.com", "offers.example.com")
ION = "ion.ionescu@example.com"
SPEC = Path(__file__).parents[2] / "shared" / "specs" / "mailgun" / "openapi.yaml"


def instruction(operation: Operation, right: Right, address: str = MARIA, **changes: str) -> Instruction:
    return Instruction("PR-TEST01", right, operation, Identities.of_email(address), "key-1", changes)


def rows_of(served: Served, kind: str, address: str) -> list[Mapping[str, Any]]:
    return [row for row in served.state("mailgun")[kind] if row["email"] == address]
