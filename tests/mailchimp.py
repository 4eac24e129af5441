"""What the tests of MailChimp share."""

from __future__ import annotations

from typing import Any

from dsr.model import (
    Identities,
    Instruction,
    Operation,
    Right,
)
from tests.twins import MARIA, Served

ENV = {
    "MAILCHIMP_API_KEY": "0123456789abcdef0123456789abcdef-us19",
    "MAILCHIMP_WEBHOOK_SECRET": "mailchimp-test-secret",
}
ION = "ion.ionescu@example.com"


def instruction(operation: Operation, right: Right, address: str = MARIA, **changes: str) -> Instruction:
    return Instruction("PR-TEST01", right, operation, Identities.of_email(address), "key-1", changes)


def rows_of(served: Served, kind: str, address: str = MARIA) -> list[dict[str, Any]]:
    return [row for row in served.state("mailchimp")[kind] if row["email"] == address]


def statuses(served: Served, address: str = MARIA) -> dict[str, str]:
    return {m["list_id"]: m["status"] for m in rows_of(served, "members", address)}
