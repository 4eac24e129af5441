"""What Intercom would hold about the seeded people."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from integrations.intercom.twin_shapes import Object, escape
from integrations.twin import Person

if TYPE_CHECKING:
    from integrations.intercom.twin import IntercomTwin

DAY = 86400
RICHLY = "maria.pop@example.com"  # three contacts and five conversations: duplicates, an archived one, pages
KINDS = (("91", "Newsletter", "opt_out"), ("92", "Offers", "opt_out"), ("93", "Product research", "opt_in"))
TALKS = (
    ("How do I verify a list of 2,000 addresses?", "Choose Upload in the left menu, then CSV."),
    ("My invoice for May shows the wrong company name.", "We corrected it; you will find it under Billing."),
    ("The import stops at 90 %.", "Thank you, we restarted the job and it went through."),
)


def seed(twin: IntercomTwin, people: Iterable[Person]) -> None:
    """One user contact each; `RICHLY` also a lead, an archived contact, conversations, a ticket, notes and a rating."""
    for id, name, consent in KINDS:
        twin.records["subscription_types"][id] = {"id": id, "name": name, "consent_type": consent}
    for person in people:
        contact = twin.new_contact(person.email, person.name, "user", person.account_id)
        if person.email == RICHLY:
            _richly(twin, person, contact)


def _richly(twin: IntercomTwin, person: Person, user: Object) -> None:
    now = int(time.time())
    user |= {
        "phone": "+40721000111",
        "subscriptions": {"93": "opt_in"},
        "notes": [_note(n, user["id"], now) for n in range(1, 5)],
        "events": [
            {
                "type": "event",
                "id": f"event-{n}",
                "event_name": "uploaded-list",
                "created_at": now - n * DAY,
                "user_id": user["external_id"],
                "intercom_user_id": user["id"],
                "email": user["email"],
            }
            for n in range(7)
        ],
    }
    twin.records["contacts"][user["id"]] = user
    lead = twin.new_contact(person.email, person.name.split()[0], "lead")
    archived = twin.new_contact(person.email, person.name, "lead")
    twin.records["contacts"][archived["id"]] = {**archived, "archived": True}
    for n, (question, answer) in enumerate(TALKS):
        _talk(twin, user, question, answer, now - (30 - n) * DAY)
    _talk(twin, lead, "Do you have a discount for charities?", "Yes: write to us with your statute.", now - 60 * DAY)
    last = _talk(
        twin, archived, "I would like to close my trial.", "Done; you can come back at any time.", now - 400 * DAY
    )
    twin.records["ratings"][last["id"]] = {
        "id": last["id"],
        "conversation_id": last["id"],
        "contact_id": archived["id"],
        "rating": 4,
        "remark": "quick and kind",
    }
    ticket = twin.new_id("ticket", 700)
    twin.records["tickets"][ticket] = {
        "type": "ticket",
        "id": ticket,
        "ticket_id": ticket,
        "category": "Customer",
        "ticket_attributes": {"_default_title_": "Wrong company name on the invoice"},
        "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": user["id"]}]},
        "created_at": now - 29 * DAY,
        "open": False,
    }


def _talk(twin: IntercomTwin, contact: Object, question: str, answer: str, at: int) -> Object:
    agent = {"type": "admin", "id": "7001", "name": "Andrei", "email": "andrei@example.org"}
    conversation = twin.new_conversation(contact, f"<p>{escape(question)}</p>", at=at)
    conversation["parts"] = [twin.new_part(agent, f"<p>{escape(answer)}</p>", at=at + 600)]
    twin.records["conversations"][conversation["id"]] = conversation
    return conversation


def _note(n: int, contact_id: str, now: int) -> Object:
    author = {"type": "admin", "id": "7001", "name": "Andrei", "email": "andrei@example.org"}
    contact = {"type": "contact", "id": contact_id}
    body = f"<p>Called about plan {n}.</p>"
    return {
        "type": "note",
        "id": str(n),
        "created_at": now - n * DAY,
        "contact": contact,
        "author": author,
        "body": body,
    }
