"""What the tests of Zendesk share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from dsr.model import Operation
from integrations.zendesk import VENDOR
from integrations.zendesk.twin import ZendeskTwin
from integrations.zendesk.twin_messaging import ZendeskMessagingTwin
from integrations.zendesk.twin_seed import messaging_id, support_id
from tests.contracts import ProcessorContract
from tests.twins import MARIA

FIXTURES = Path(__file__).parent / "fixtures" / "zendesk"

SUPPORT_ENV = {
    "ZENDESK_SUBDOMAIN": "intellimails",
    "ZENDESK_EMAIL": "privacy.desk@intellimails.example",
    "ZENDESK_API_TOKEN": "support-api-token-of-the-test",
    "ZENDESK_WEBHOOK_SECRET": "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",  # Zendesk's own, for "test webhook"
    "ZENDESK_CALLS_PER_MINUTE": "10000",  # as fast as the twin allows
}
MESSAGING_ENV = {
    "ZENDESK_MESSAGING_APP_ID": "5d8cff3cd55b040010928b5b",
    "ZENDESK_MESSAGING_KEY_ID": "app_5e2b4b1c9a7e4b0010bbbbbb",
    "ZENDESK_MESSAGING_KEY_SECRET": "messaging-key-secret-of-the-test",
    "ZENDESK_MESSAGING_WEBHOOK_SECRET": "messaging-webhook-secret-of-the-test",
}
ENV = {**SUPPORT_ENV, **MESSAGING_ENV}

TWINS = (ZendeskTwin, ZendeskMessagingTwin)
WORDS = "I see the same since Monday, Maria."  # hers, in another person's ticket


def urls(base_url: str) -> dict[str, str]:
    return {
        "ZENDESK_API_URL": f"{base_url}/zendesk",
        "ZENDESK_MESSAGING_API_URL": f"{base_url}/zendesk-messaging",
    }


def recorded(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def loaded(name: str) -> Any:
    return json.loads(recorded(name))


def effect_in_support(operation: Operation, state: Mapping[str, Any]) -> bool:
    """Does the Support twin's state show what the operation does to Maria?"""
    hers = [u for u in state["users"] if u["email"] == MARIA]
    if operation is Operation.ERASE:
        ids = (support_id(MARIA), support_id(MARIA) + 1)
        kept = json.dumps({kind: rows for kind, rows in state.items() if kind != "requests"})
        tickets = [t for kind in ("tickets", "deleted_tickets") for t in state[kind] if t["requester_id"] in ids]
        return f'"{MARIA}"' not in kept and WORDS not in kept and not tickets
    if operation is Operation.SUPPRESS:
        return all("privacy_no_marketing" in u["tags"] for u in hers)
    if operation is Operation.RESTRICT:
        return all(u["suspended"] and "privacy_restricted" in u["tags"] for u in hers)
    if operation is Operation.LIFT:
        return not any(u["suspended"] or "privacy_restricted" in u["tags"] for u in hers)
    return all((u["name"], u["phone"]) == ("Maria Ionescu", "+40 722 333 444") for u in hers)


def effect_in_messaging(operation: Operation, state: Mapping[str, Any]) -> bool:
    """Does the messaging twin's state show what the operation does to Maria?"""
    hers = [u for u in state["users"] if u["email"] == MARIA]
    if operation is Operation.ERASE:
        talks = [c for c in state["conversations"] if messaging_id(MARIA) in c["participants"]]
        return not hers and not talks
    if operation is Operation.SUPPRESS:
        return all(u["metadata"].get("privacy_no_marketing") is True for u in hers)
    if operation in (Operation.RESTRICT, Operation.LIFT):
        wanted = operation is Operation.RESTRICT
        return all(u["metadata"].get("privacy_restricted") is wanted for u in hers)
    return all(u["profile"]["surname"] == "Ionescu" for u in hers)


class ZendeskContract(ProcessorContract):
    """The processors' contract with both twins; which of them has the faults is the subclass's."""

    vendor, env, twins = VENDOR, ENV, TWINS
    changes: ClassVar = {"name": "Maria Ionescu", "phone": "+40 722 333 444"}

    def environment(self, base_url: str) -> dict[str, str]:
        return urls(base_url)
