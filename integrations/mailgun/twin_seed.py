"""What the Mailgun twin holds about made-up people, and how it shows domains and stored messages."""

from __future__ import annotations

import hashlib
import secrets
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from integrations.mailgun import twin_lists
from integrations.twin import Person

if TYPE_CHECKING:
    from integrations.mailgun.twin import MailgunTwin

NAMES = ("newsletter", "product-updates", "webinars", "beta")


def rfc2822(at: float | None = None) -> str:
    return formatdate(at, usegmt=True)


def seed(twin: MailgunTwin, people: list[Person]) -> None:
    """Four mailing lists; everybody on the first, the first person on two, and some mail sent to each."""
    marketing = twin.domains[-1] if len(twin.domains) == 1 else twin.domains[1]
    for n, name in enumerate(NAMES):
        address = f"{name}@{marketing}"
        twin.records["lists"][address] = {
            "address": address,
            "name": name.replace("-", " ").capitalize(),
            "description": "",
            "access_level": "readonly",
            "reply_preference": "list",
            "created_at": rfc2822(1700000000 + n * 86400),
            "members_count": len(people) if n == 0 else 0,
        }
    for person in people:
        first = person.email == "maria.pop@example.com"
        chosen = NAMES[:2] if first else (NAMES[0],) if _pick(person, 3) else (NAMES[0], NAMES[2])
        for name in chosen:
            fields = {"language": person.language, "account_id": person.account_id, "company": person.company}
            twin_lists.put_member(
                twin, f"{name}@{marketing}", person.email, name=person.name, vars={k: v for k, v in fields.items() if v}
            )
        for n in range(3 if first else 1):
            _sent(twin, marketing, person, n)


def _sent(twin: MailgunTwin, domain: str, person: Person, n: int) -> None:
    """A campaign mail of some minutes ago: accepted, delivered, opened; its body is stored."""
    at, key = time.time() - 60 * (n + 1), secrets.token_urlsafe(24)
    id = f"{int(at)}.{secrets.token_hex(6)}@{domain}"
    sender = f"IntelliMails <news@{domain}>"
    subject = f"What is new, part {n + 1}"
    headers = {"message-id": id, "from": sender, "to": person.email, "subject": subject}
    for delay, event in enumerate(("accepted", "delivered", "opened")):
        twin.new_event(
            domain,
            event,
            timestamp=at + delay,
            recipient=person.email,
            tags=["campaign"],
            message={"headers": headers, "attachments": [], "size": 1200},
            **({"storage": {"key": key}} if event != "opened" else {"ip": "203.0.113.7"}),
        )
    twin.records["stored"][key] = {
        "id": f"<{id}>",
        "from": sender,
        "to": person.email,
        "subject": subject,
        "text": f"Hello {person.name}, here is what is new.",
        "html": "",
        "date": rfc2822(at),
    }


def _pick(person: Person, of: int) -> int:
    return hashlib.sha256(person.email.encode()).digest()[0] % of


def domain(name: str) -> dict[str, Any]:
    """`GET /v4/domains/{name}`."""
    return {
        "id": hashlib.sha256(name.encode()).hexdigest()[:24],
        "name": name,
        "state": "active",
        "type": "custom",
        "created_at": rfc2822(1700000000),
        "is_disabled": False,
        "require_tls": True,
        "skip_verification": False,
        "smtp_login": f"postmaster@{name}",
        "spam_action": "disabled",
        "use_automatic_sender_security": True,
        "web_prefix": "email",
        "web_scheme": "https",
        "wildcard": False,
        "encrypt_incoming_message": False,
        "message_ttl": 259200,
    }


def stored(mail: dict[str, Any]) -> dict[str, Any]:
    """`GET /v3/domains/{domain}/messages/{key}`."""
    headers = {"From": mail["from"], "To": mail["to"], "Subject": mail["subject"], "Message-Id": mail["id"]}
    listed = mail["headers"] if isinstance(mail.get("headers"), list) else [[n, v] for n, v in headers.items()]
    return {
        **headers,
        "Date": mail["date"],
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "quoted-printable",
        "Mime-Version": "1.0",
        "X-Mailgun-Tag": "",
        "X-Mailgun-Template-Name": "",
        "X-Mailgun-Template-Variables": "",
        "sender": mail["from"],
        "recipients": mail["to"],
        "body-plain": mail["text"],
        "body-html": mail["html"],
        "stripped-text": mail["text"],
        "stripped-html": mail["html"],
        "stripped-signature": "",
        "message-headers": listed,
    }
