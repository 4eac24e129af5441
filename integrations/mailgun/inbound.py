"""Mail that comes in by a Mailgun route, as a message of the person in its From line.

https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http; RFC 5322, 3834, 2369.

| what | where |
|---|---|
| headers | `message-headers` (JSON), else `body-mime`, else the form's fields of the same names |
| author | the one address in the one `From`; `Reply-To` is not looked at |
| words | `body-plain`, else `body-html` (the text layer takes quotes and signature away) |
| thread | `References`, else `In-Reply-To`, else its own `Message-Id`; without one, the author |
| kept copy | `message-url`, where the route has the action `store` |
| attachments | not read, not fetched, not kept |
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import getaddresses
from urllib.parse import unquote, urlsplit

from dsr.addresses import normalise
from dsr.errors import PayloadNotUnderstood
from dsr.messages import ConversationRef, Evidence, InboundMessage, SuppressionReported

UNSUBSCRIBE = "unsubscribe"  # local part of the address whose mail unsubscribes, with `+TOKEN` or the token as subject
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,250}>", re.ASCII)
_ROBOTS = re.compile(r"(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?)(?:[+=-].*)?@", re.IGNORECASE)
_SIGNED_BY = re.compile(r"(?:^|;)\s*d\s*=\s*([^;\s]+)", re.IGNORECASE)
# A header of a robot or a list -> the values with which a mail is one all the same written by a person.
_AUTOMATIC: Mapping[str, frozenset[str]] = {
    "auto-submitted": frozenset({"no"}),
    "x-autoreply": frozenset({"no"}),
    "x-autorespond": frozenset(),
    "list-id": frozenset(),
    "list-unsubscribe": frozenset(),
    "x-failed-recipients": frozenset(),
}
_BULK = frozenset({"bulk", "list", "junk", "auto_reply"})


@dataclass(frozen=True)
class InboundMail:
    """One mail, normalised as far as headers go.

    Args:
        headers: lower-case name -> every value, in order.
        stored: domain and key of Mailgun's own copy, with a slash between; "" if it keeps none.
    """

    headers: Mapping[str, tuple[str, ...]]
    envelope_from: str
    recipients: tuple[str, ...]
    plain: str
    html: str
    stored: str

    def header(self, name: str) -> str:
        """The value of a header that stands once, "" otherwise."""
        values = self.headers.get(name, ())
        return values[0].strip() if len(values) == 1 else ""

    @property
    def authors(self) -> tuple[str, ...]:
        """The addresses of every From line, normalised; "" for one that is none. Display names count for nothing."""
        found = getaddresses(list(self.headers.get("from", ())))
        return tuple(dict.fromkeys(normalise(address) for _, address in found))

    @property
    def message_id(self) -> str:
        found = _MESSAGE_ID.findall(self.header("message-id"))
        return found[0] if len(found) == 1 else ""

    @property
    def references(self) -> tuple[str, ...]:
        """The mails before it, oldest first."""
        before = " ".join((*self.headers.get("references", ()), *self.headers.get("in-reply-to", ())))
        return tuple(dict.fromkeys(_MESSAGE_ID.findall(before)))

    @property
    def text(self) -> str:
        return self.plain if self.plain.strip() else self.html


def read(form: Mapping[str, str]) -> InboundMail:
    """The fields of a route's POST.

    Raises:
        PayloadNotUnderstood: headers of another shape than documented, or none.
    """
    headers, plain, html = _headers(form), form.get("body-plain", ""), form.get("body-html", "")
    if raw := form.get("body-mime", ""):
        headers, plain, html = _mime(raw)
    if not headers.get("from"):
        raise PayloadNotUnderstood("mailgun: a mail without a From line")
    recipients = tuple(r for r in (normalise_recipient(r) for r in form.get("recipient", "").split(",")) if r)
    path = [unquote(part) for part in urlsplit(form.get("message-url", "")).path.split("/")]
    stored = f"{path[-3]}/{path[-1]}" if len(path) > 3 and path[-2] == "messages" else ""
    return InboundMail(headers, form.get("sender", ""), recipients, plain, html, stored)


def normalise_recipient(address: str) -> str:
    """Lower case, but for a token after the plus sign, which knows both cases."""
    local, _, domain = address.strip().rpartition("@")
    box, plus, tag = local.partition("+")
    return f"{box.lower()}{plus}{tag}@{domain.lower()}" if local else ""


def is_automatic(mail: InboundMail, own_domain: str) -> bool:
    """Written by a robot, a list, a mail server or ourselves: never answered (RFC 3834 2)."""
    if mail.envelope_from.strip() in ("", "<>") or _ROBOTS.match(mail.envelope_from.strip("< ")):
        return True
    if any(_ROBOTS.match(author) or author.endswith(f"@{own_domain}") for author in mail.authors):
        return True
    for name, by_hand in _AUTOMATIC.items():
        values = {value.split(";")[0].strip().lower() for value in mail.headers.get(name, ())}
        if values - by_hand:
            return True
    if {value.strip().lower() for value in mail.headers.get("precedence", ())} & _BULK:
        return True
    return mail.header("content-type").lower().startswith("multipart/report")


def evidence(mail: InboundMail, *, checked: bool) -> Evidence:
    """SIGNED only if Mailgun says that DKIM passed and every signature is by the author's own domain.

    Mailgun tells one result and not for which signature: a forger may sign with a domain of their own beside a false
    signature in the author's, so all must be aligned. Without its spam filter Mailgun adds no result, and one that
    stands there is the sender's own word.

    Args:
        checked: the spam filter is on.
    """
    if not mail.authors or "" in mail.authors:
        return Evidence.NONE if not any(mail.authors) else Evidence.CLAIM
    if not checked or len(mail.authors) != 1:
        return Evidence.CLAIM
    passed = mail.header("x-mailgun-dkim-check-result").lower() == "pass"
    domain = mail.authors[0].rpartition("@")[2]
    signers = [m[1].lower() for value in mail.headers.get("dkim-signature", ()) for m in _SIGNED_BY.finditer(value)]
    aligned = bool(signers) and all(domain == d or domain.endswith(f".{d}") for d in signers)
    return Evidence.SIGNED if passed and aligned else Evidence.CLAIM


def unsubscribes(mail: InboundMail, token: str, own_domain: str) -> SuppressionReported | None:
    """What a mail to the unsubscribe address tells; None if it is to another one.

    The safe direction needs no proof: without a token of ours the author's own address is meant. A robot's mail counts
    only with a token: mail programs send it by themselves, but a bounce unsubscribes nobody.
    """
    for recipient in mail.recipients:
        local, _, domain = recipient.rpartition("@")
        box, _, tag = local.partition("+")
        if box == UNSUBSCRIBE and domain == own_domain:
            subject = mail.header("subject").split()
            author = mail.authors[0] if len(mail.authors) == 1 and not is_automatic(mail, own_domain) else ""
            return SuppressionReported(token, "mailgun", author, token=tag or (subject[-1] if subject else ""))
    return None


def message(mail: InboundMail, token: str, sent_at: datetime, *, checked: bool) -> InboundMessage | None:
    """The mail as a message; None if there is nobody to answer.

    A From line with several addresses is answered at the first and names nobody: the person is asked for one.

    Args:
        token: of the signature: the event's id, because each is taken once.
        sent_at: when it arrived.
    """
    usable = [author for author in mail.authors if author]
    if not usable:
        return None
    sole = usable[0] if len(mail.authors) == 1 else ""
    thread = mail.references[0] if mail.references else mail.message_id or f"sender:{usable[0]}"
    chain = (*mail.references, mail.message_id) if mail.message_id else mail.references
    ref = ConversationRef(
        "mailgun",
        hashlib.sha256(thread.encode()).hexdigest()[:40],
        person=usable[0],
        mailbox=next((r for r in mail.recipients if "+" not in r), ""),
        references=" ".join(dict.fromkeys(chain)),
    )
    return InboundMessage(
        event_id=token,
        conversation=ref,
        text=mail.text,
        sent_at=sent_at,
        address=sole,
        evidence=evidence(mail, checked=checked),
        subject=subject(mail),
        message_id=mail.message_id,
        stored=mail.stored,
    )


def subject(mail: InboundMail) -> str:
    """The subject of a mail that begins a thread; in an answer it is not the author's own."""
    return "" if mail.references else mail.header("subject")


def _headers(form: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    given = form.get("message-headers", "")
    if not given:
        return {name.lower(): (value,) for name, value in form.items() if name.lower() != "sender"}
    try:
        pairs = json.loads(given)
        found: dict[str, tuple[str, ...]] = {}
        for name, value in pairs:
            key = str(name).lower()
            found[key] = (*found.get(key, ()), str(value))
    except (ValueError, TypeError, RecursionError):
        raise PayloadNotUnderstood("mailgun: the headers have another shape than documented") from None
    return found


def _mime(raw: str) -> tuple[dict[str, tuple[str, ...]], str, str]:
    """Headers, plain text and HTML of a whole mail (RFC 5322, 2045)."""
    parsed = email.message_from_bytes(raw.encode("utf-8", "surrogateescape"), policy=email.policy.default)
    if not isinstance(parsed, EmailMessage):
        raise PayloadNotUnderstood("mailgun: the raw mail cannot be read")
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in parsed.items():
        headers[name.lower()] = (*headers.get(name.lower(), ()), str(value))
    return headers, _content(parsed, "plain"), _content(parsed, "html")


def _content(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # an unknown character set
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
