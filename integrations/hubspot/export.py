"""Everything that HubSpot holds about a person, as files of an export package.

HubSpot has no export of one person by API, so the pieces are read one after another, page by page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dsr.model import DataFile, Identities, Origin
from dsr.package.masking import MESSAGE
from integrations.hubspot.api import Api, Object, path_id
from integrations.hubspot.lookup import ACTIVITIES, TICKETS, Holding, linked, threads

# kind -> properties that hold what was said, written or agreed
PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "notes": ("hs_timestamp", "hs_note_body"),
    "emails": ("hs_timestamp", "hs_email_direction", "hs_email_subject", "hs_email_text"),
    "calls": ("hs_timestamp", "hs_call_title", "hs_call_body", "hs_call_duration", "hs_call_direction"),
    "meetings": ("hs_timestamp", "hs_meeting_title", "hs_meeting_body", "hs_meeting_start_time"),
    "tasks": ("hs_timestamp", "hs_task_subject", "hs_task_body", "hs_task_status"),
    "communications": ("hs_timestamp", "hs_communication_channel_type", "hs_communication_body"),
    TICKETS: ("createdate", "subject", "content", "hs_pipeline_stage"),
    "deals": ("createdate", "dealname", "amount", "dealstage"),
    "companies": ("name", "domain"),
}
OURS = frozenset({"notes", "tasks", "deals"})  # written by the company about the person


def files(api: Api, held: Holding, subject: Identities) -> Iterator[DataFile]:
    """The files; a row is read when it is asked for."""
    addresses = held.addresses | {e.strip().lower() for e in subject.of("email")}
    yield DataFile("contacts.json", _contacts(api, held), origin=Origin.PROVIDED)
    for kind in (*ACTIVITIES, TICKETS, "deals", "companies"):
        origin = Origin.DERIVED if kind in OURS else Origin.OBSERVED
        yield DataFile(f"{kind}.json", _linked(api, held, kind), origin=origin)
    yield DataFile("conversations.json", _conversations(api, held, addresses), origin=Origin.PROVIDED)
    yield DataFile("subscriptions.json", _subscriptions(api, addresses), origin=Origin.PROVIDED)
    yield DataFile("form_submissions.json", _submissions(api, addresses), origin=Origin.PROVIDED)


def _contacts(api: Api, held: Holding) -> Iterator[Mapping[str, object]]:
    """Every property with its history; a contact in the recycle bin with what a single look shows."""
    yield from api.read("contacts", list(held.contacts), api.contact_properties(), history=True)
    yield from held.archived.values()


def _linked(api: Api, held: Holding, kind: str) -> Iterator[Mapping[str, object]]:
    yield from api.read(kind, linked(api, held, kind), PROPERTIES[kind], history=False)


def _conversations(api: Api, held: Holding, addresses: set[str]) -> Iterator[Mapping[str, object]]:
    for thread in threads(api, held):
        for message in api.messages(str(thread["id"])):
            yield masked({"threadId": thread["id"], **message}, addresses)


def masked(message: Object, addresses: set[str]) -> Object:
    """A message without what belongs to others: colleagues lose their names, other customers their words.

    HubSpot names the writer of an e-mail by address; a chat has one visitor, the contact of the thread.
    """
    senders = [_sender(s) for s in message.get("senders") or []]
    written_by = {s["address"] for s in senders if s["address"]}
    by_another = message.get("direction") == "INCOMING" and bool(written_by) and not written_by & addresses
    kept: Object = {
        **{k: v for k, v in message.items() if k not in ("recipients", "client")},
        "senders": [{"kind": s["kind"]} for s in senders],
    }
    if by_another:
        kept |= {"text": MESSAGE, "richText": None, "subject": None, "attachments": []}
    return kept


def _sender(sender: Any) -> dict[str, str]:
    found = sender if isinstance(sender, dict) else {}
    address = str((found.get("deliveryIdentifier") or {}).get("value") or "").lower()
    kinds = {"V": "visitor", "E": "e-mail", "A": "agent", "B": "bot", "I": "integration", "S": "system"}
    return {"kind": kinds.get(str(found.get("actorId"))[:1], "other"), "address": address}


def _subscriptions(api: Api, addresses: set[str]) -> Iterator[Mapping[str, object]]:
    for address in sorted(addresses):
        yield from api.subscriptions(address)


def _submissions(api: Api, addresses: set[str]) -> Iterator[Mapping[str, object]]:
    """Submitted forms in which one of the addresses stands as the e-mail; HubSpot filters them by nothing."""
    for form in api.pages("marketing/v3/forms/"):
        for sent in api.pages(f"form-integrations/v1/submissions/forms/{_form_id(form)}"):
            values = {str(v.get("name")): v.get("value") for v in sent.get("values") or []}
            if str(values.get("email") or "").strip().lower() in addresses:
                yield {"form": form.get("name"), "submittedAt": sent.get("submittedAt"), "values": values}


def _form_id(form: Object) -> str:
    """A GUID."""
    return "-".join(path_id(part) for part in str(form.get("id")).split("-"))
