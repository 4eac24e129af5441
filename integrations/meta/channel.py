"""Meta's data deletion callback: a Facebook Login user wants their data deleted, and cannot be answered there.

| payload | here |
|---|---|
| `user_id`, `issued_at` | DeletionAsked with the identity `meta.user`; event id: the confirmation code |

Meta names an app-scoped user id and never an address. The desk looks for the account that this id belongs to (own
database, `external_ids`) and asks there, by mail, for proof; without one an agent looks. Meta shows the person
`META_STATUS_URL/<code>`, our status page of that request.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from dsr.errors import VendorRefused
from dsr.messages import ConversationRef, DeletionAsked, Delivery, Inbound, Reply, WebhookResponse
from dsr.model import Identity
from integrations.channel import Channel
from integrations.meta import signed_request
from integrations.meta.api import Api
from integrations.meta.settings import MetaSettings

USER = "meta.user"


class MetaDataDeletion(Channel):
    """A source of events without conversations."""

    name: ClassVar[str] = "meta/data-deletion"
    label: ClassVar[str] = "Facebook data deletion request"
    vendor: ClassVar[str] = "meta"

    def __init__(self, settings: MetaSettings) -> None:
        self._secret = settings.app_secret.get_secret_value().encode()
        self._status_url = settings.status_url.rstrip("/")
        self._api = Api(settings)

    def verify(self, delivery: Delivery) -> None:
        signed_request.check(self._secret, delivery.body)

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        asked = signed_request.read(delivery.body)
        if asked is None:
            return []
        code = asked.code(self._secret)
        asked_at = datetime.fromtimestamp(asked.issued_at, UTC) if asked.issued_at else delivery.received_at
        return [DeletionAsked(code, "meta", Identity(USER, asked.user_id), code, min(asked_at, delivery.received_at))]

    def respond(self, delivery: Delivery) -> WebhookResponse:
        """What Meta shows to the person: where to look, and a code that stays the same when it asks again."""
        asked = signed_request.read(delivery.body)
        if asked is None:
            return WebhookResponse()
        code = asked.code(self._secret)
        url = f"{self._status_url}/{code}" if self._status_url else "/"
        return WebhookResponse(
            body=json.dumps({"url": url, "confirmation_code": code}), content_type="application/json; charset=utf-8"
        )

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        raise VendorRefused("meta", "a data deletion request is no conversation: there is nowhere to answer")

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        raise VendorRefused("meta", "a data deletion request is no conversation: there is nowhere to leave a note")

    def check(self) -> None:
        self._api.check()
