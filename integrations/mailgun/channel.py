"""Mailgun's webhook: mail that comes in by routes (forms), and events (JSON). Answers leave by the desk's mailer.

Both are signed alike; see `signature.py`, `inbound.py` and `events.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import structlog

from dsr.errors import DeliveryRejected, PayloadNotUnderstood, VendorRefused
from dsr.messages import ConversationRef, Delivery, Evidence, Inbound, InboundMessage, Reply
from integrations.channel import Channel
from integrations.mailgun import events, inbound, signature
from integrations.mailgun.api import Api
from integrations.mailgun.settings import MailgunSettings

log = structlog.get_logger()


class MailgunChannel(Channel):
    """The desk's mailboxes, and the news of the sending domains."""

    name: ClassVar[str] = "mailgun"
    label: ClassVar[str] = "E-mail"
    vendor: ClassVar[str] = "mailgun"
    answers_by_mail: ClassVar[bool] = True

    def __init__(self, settings: MailgunSettings) -> None:
        self._key = settings.webhook_signing_key
        self._domain = settings.domain
        self._checked = settings.spam_filter
        self._api = Api(settings)
        self.unsubscribe_address = f"{inbound.UNSUBSCRIBE}@{settings.domain}" if settings.webhook_signing_key else ""

    def verify(self, delivery: Delivery) -> None:
        """The signature stands in the form's fields, or inside the JSON body in `signature`."""
        signed: Mapping[str, Any] = delivery.form
        if not _is_form(delivery):
            try:
                signed = events.signed(delivery.body)
            except PayloadNotUnderstood:
                raise DeliveryRejected("mailgun: the body holds no signature") from None
        timestamp, token, given = (signed.get(name) for name in ("timestamp", "token", "signature"))
        signature.check(self._key, timestamp, token, given, delivery.received_at)

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        """The token is the id of what happened: taking it once is what protects the body, which is not signed."""
        if not _is_form(delivery):
            return events.parse(delivery.body)
        mail, token = inbound.read(delivery.form), delivery.form.get("token", "")
        if told := inbound.unsubscribes(mail, token, self._domain):
            return [told]
        if inbound.is_automatic(mail, self._domain):
            return []
        # The Date header is the sender's to choose; Mailgun posts within seconds.
        found = inbound.message(mail, token, delivery.received_at, checked=self._checked)
        return [found] if found else []

    def complete(self, message: InboundMessage) -> InboundMessage:
        """Compare with the copy that Mailgun keeps: its signature does not cover what was posted.

        A copy of another author makes it no message at all; where the copy has expired, the sender is only a claim.
        """
        if not message.stored:
            return message
        domain, _, key = message.stored.partition("/")
        copy = self._api.stored_message(domain, key)
        if copy is None:
            return replace(message, evidence=Evidence.CLAIM if message.address else Evidence.NONE)
        fields = {name: value for name, value in copy.items() if isinstance(value, str)}
        fields["message-headers"] = json.dumps(copy.get("message-headers") or [])
        mail = inbound.read(fields)
        sole = mail.authors[0] if len(mail.authors) == 1 else ""
        if sole != message.address or mail.message_id != message.message_id:
            log.warning("a mail differs from Mailgun's copy and is dropped", channel=self.name)
            return replace(message, text="", subject="")
        evidence = inbound.evidence(mail, checked=self._checked)
        return replace(message, text=mail.text, subject=inbound.subject(mail), evidence=evidence)

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        raise VendorRefused("mailgun", "a mail is answered by the desk's mailer")

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        raise VendorRefused("mailgun", "a note about a mail is sent by the desk's mailer")

    def check(self) -> None:
        self._api.check()


def _is_form(delivery: Delivery) -> bool:
    kind = delivery.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("multipart/form-data", "application/x-www-form-urlencoded")
