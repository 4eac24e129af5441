"""What HubSpot would hold about the seeded people."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from integrations.twin import Person

if TYPE_CHECKING:
    from integrations.hubspot.twin import HubspotTwin

Object = dict[str, Any]

DAY = 86400
RICHLY = "maria.pop@example.com"  # activities of every kind, a ticket, conversations and forms: enough for pages
FORM = "2b5f6d1c-9d3a-4c70-8f5e-0c7a3b1de001"
STANDARD = ("email", "hs_additional_emails", "firstname", "lastname", "phone", "company", "account_id")
TALKS = (
    ("Can I see a demo for 200,000 addresses?", "With pleasure: does Thursday suit you?"),
    ("Which plan fits a shop with two brands?", "Business; it has two sending domains."),
    ("Please send me the offer again.", "It is on its way to you."),
    ("Is there a discount for a year in advance?", "Yes, ten per cent."),
)


def seed(twin: HubspotTwin, people: Iterable[Person]) -> None:
    """One contact each; `RICHLY` with everything that hangs on a contact."""
    for name in STANDARD:
        twin.records["properties"][name] = {"name": name, "label": name, "type": "string", "fieldType": "text"}
    twin.records["forms"][FORM] = {"id": FORM, "name": "Talk to sales", "formType": "hubspot"}
    twin.new_record("companies", [], name="IntelliMails customers", domain="example.com")
    for person in people:
        first, _, last = person.name.partition(" ")
        contact = twin.new_contact(
            {
                "email": person.email,
                "firstname": first,
                "lastname": last,
                "company": person.company,
                "account_id": person.account_id,
            }
        )
        if person.email == RICHLY:
            _richly(twin, person, contact)
        else:
            twin.new_record("notes", [contact["id"]], hs_note_body="Met at the fair", hs_timestamp=_at(40))


def _richly(twin: HubspotTwin, person: Person, contact: Object) -> None:
    id = contact["id"]
    for n in range(4):
        twin.new_record("notes", [id], hs_note_body=f"Wants a call about plan {n}", hs_timestamp=_at(30 - n))
    twin.new_record(
        "emails", [id], hs_email_subject="Your offer", hs_email_text="Dear Maria, …", hs_email_direction="EMAIL"
    )
    twin.new_record("calls", [id], hs_call_title="First call", hs_call_body="Two brands, 200,000 addresses")
    twin.new_record("meetings", [id], hs_meeting_title="Demo", hs_meeting_body="Showed the import")
    twin.new_record("tasks", [id], hs_task_subject="Call Maria back", hs_task_body="Friday morning")
    twin.new_record("tickets", [id], subject="Wrong company name on the offer", content="It should be Pop SRL.")
    twin.new_record("deals", [id], dealname="Business plan, yearly", amount="1200", dealstage="contractsent")
    twin.new_record("companies", [id], name=person.company or "Pop SRL", domain="pop.example")
    for n, (question, answer) in enumerate(TALKS):
        thread = twin.new_id("thread", 9100)
        twin.records["threads"][thread] = {
            "id": thread,
            "contact": id,
            "status": "CLOSED",
            "inboxId": "481",
            "originalChannelId": "1000",
            "createdAt": _at(60 - n),
            "archived_at": 0.0,
            "messages": [
                message(f"{thread}1", "INCOMING", "V-7100", question, _at(60 - n)),
                message(f"{thread}2", "OUTGOING", "A-5001", answer, _at(60 - n), name="Andrei"),
            ],
        }
    for n in range(2):
        sent = str(n + 1)
        twin.records["submissions"][sent] = {
            "id": sent,
            "form": FORM,
            "email": person.email,
            "submittedAt": int((time.time() - (90 - n) * DAY) * 1000),
            "values": [{"name": "email", "value": person.email}, {"name": "message", "value": f"Question {n}"}],
            "pageUrl": "https://intellimails.com/contact",
        }


def message(id: str, direction: str, actor: str, text: str, at: str, *, name: str = "", address: str = "") -> Object:
    """One message of a thread.

    Args:
        actor: `V-…` a visitor, `A-…` an agent.
        address: of the writer of an e-mail.
    """
    sender: Object = {"actorId": actor, "name": name or None}
    if address:
        sender["deliveryIdentifier"] = {"type": "HS_EMAIL_ADDRESS", "value": address}
    return {
        "id": id,
        "type": "MESSAGE",
        "direction": direction,
        "createdAt": at,
        "senders": [sender],
        "recipients": [],
        "text": text,
        "richText": f"<p>{text}</p>",
        "truncationStatus": "NOT_TRUNCATED",
        "attachments": [],
        "client": {"clientType": "HUBSPOT"},
    }


def _at(days_ago: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days_ago * DAY))
