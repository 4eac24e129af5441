"""What the MailChimp twin holds about made-up people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.mailchimp.twin_members import new, now, put
from integrations.twin import Person

if TYPE_CHECKING:
    from integrations.mailchimp.twin import MailchimpTwin

AUDIENCES = {"a1newsletter": "Newsletter", "b2customers": "Customers", "c3webinars": "Webinars"}
STORE = "intellimails-shop"
# The statuses of the second and third audience, by turns; "" = not in it.
SECOND = ("", "pending", "unsubscribed", "transactional", "")
THIRD = ("", "", "cleaned", "", "archived")


def seed(twin: MailchimpTwin, people: list[Person]) -> None:
    """Everybody subscribes to the newsletter; the first is in all audiences and has bought something."""
    for id, name in AUDIENCES.items():
        twin.records["lists"][id] = {"id": id, "name": name, "stats": {"member_count": len(people)}, "_links": []}
    twin.records["stores"][STORE] = {"id": STORE, "list_id": "b2customers", "name": "Shop", "currency_code": "EUR"}
    for n, person in enumerate(people):
        first = person.email == "maria.pop@example.com"
        second, third = ("pending", "archived") if first else (SECOND[n % 5], THIRD[n % 5])
        if person.email == "ion.ionescu@example.com":  # newsletter only
            second = third = ""
        for audience, status in zip(AUDIENCES, ("subscribed", second, third), strict=True):
            if status:
                put(twin, audience, _member(twin, audience, person, status, 5 if first else 1))
        if person.account_id and (first or second):
            _customer(twin, person, 4 if first else 1)
    for id, entry in list(twin.records["index"].items()):
        twin.records["index"][id] = {**entry, "since": 0.0}  # seeded long ago: the index knows them


def _member(twin: MailchimpTwin, audience: str, person: Person, status: str, activity: int) -> dict[str, Any]:
    given, _, family = person.name.rpartition(" ")
    fields = {"FNAME": given or family, "LNAME": family if given else "", "COMPANY": person.company, "PHONE": ""}
    member = new(audience, person.email, status, fields)
    member["language"] = person.language
    member["tags"] = [{"id": int(twin.new_id("tag")), "name": "customer", "date_added": now()}]
    member["notes"] = [{"id": int(twin.new_id("note")), "created_at": now(), "note": "Met at the spring webinar."}]
    member["activity"] = [
        {
            "activity_type": "open",
            "created_at_timestamp": now(),
            "campaign_id": f"c{n:04}",
            "campaign_title": f"News {n}",
        }
        for n in range(activity)
    ]
    member["events"] = [{"name": "signed_up", "occurred_at": now(), "properties": {"plan": "trial"}}]
    return member


def _customer(twin: MailchimpTwin, person: Person, orders: int) -> None:
    given, _, family = person.name.rpartition(" ")
    customer = {
        "id": person.account_id,
        "store_id": STORE,
        "email_address": person.email,
        "email": person.email,
        "opt_in_status": True,
        "company": person.company,
        "first_name": given or family,
        "last_name": family if given else "",
        "orders_count": orders,
        "total_spent": 49.0 * orders,
        "created_at": now(),
    }
    twin.records["customers"][f"{STORE}/{person.account_id}"] = customer
    for n in range(orders):
        id = f"order-{person.account_id}-{n}"
        twin.records["orders"][f"{STORE}/{id}"] = {
            "id": id,
            "store_id": STORE,
            "customer": customer,
            "order_total": 49.0,
            "currency_code": "EUR",
            "processed_at_foreign": now(),
            "billing_address": {"name": person.name, "city": "Cluj-Napoca"},
        }
