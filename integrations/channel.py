"""The interface of a channel: a way in, and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from dsr.errors import VendorRefused
from dsr.messages import ConversationRef, Delivery, Inbound, InboundMessage, Reply, WebhookResponse
from dsr.model import Identity


class Channel(ABC):
    """A conversation platform. One instance serves all threads of a process.

    `verify`, `parse` and `respond` run in the web process: no network, no database. The rest runs in the worker.
    """

    name: ClassVar[str]  # the webhook's path and the `channel` of every ConversationRef
    label: ClassVar[str]  # as agents know it
    vendor: ClassVar[str]  # the folder; this vendor's processor is erased last for requests from here
    # What is said here leaves as mail to the person's address, by the desk's mailer; `reply` and `note` are not called.
    answers_by_mail: ClassVar[bool] = False
    unsubscribe_address: str = ""  # a mail to it unsubscribes, if this channel reads mail (RFC 2369, `mailto:`)

    @abstractmethod
    def verify(self, delivery: Delivery) -> None:
        """Check that the delivery is authentic, over the raw bytes and before reading their meaning.

        Raises:
            DeliveryRejected: signature missing, misshapen, wrong or stale.
        """

    @abstractmethod
    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        """What happened, normalised. Empty: authentic, but not for us (an agent's answer, our own echo, a ping).

        Raises:
            PayloadNotUnderstood: the shape is not one that we know.
        """

    def respond(self, delivery: Delivery) -> WebhookResponse:
        """The HTTP answer to an accepted delivery."""
        return WebhookResponse()

    def complete(self, message: InboundMessage) -> InboundMessage:
        """Add what the delivery did not carry (the author's address and how sure it is), by asking the vendor.

        Raises:
            VendorError: the vendor did not tell.
        """
        return message

    def address_of(self, identity: Identity) -> str:
        """The address of a person whom an event named by the vendor's own id alone, by asking; "" if nobody has it.

        Raises:
            VendorError: the vendor did not tell.
        """
        return ""

    @abstractmethod
    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        """Say something to the customer.

        Raises:
            VendorError: it was not said, or nobody knows (see `said`).
        """

    @abstractmethod
    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        """Tell the agents something, where the customer cannot see it; without personal data."""

    def tell_agents(self, text: str, *, reference: str | None, idempotency_key: str) -> None:
        """Post in the agents' own channel; only a platform on which agents work can.

        Args:
            reference: of the request that the text is about, for buttons.

        Raises:
            VendorError: it was not posted.
        """
        raise VendorRefused(self.vendor, "agents do not work here")

    def is_agent(self, user: str) -> bool:
        """May this user of the platform use the agents' commands?"""
        return False

    def command_response(self, text: str) -> WebhookResponse:
        """The immediate answer to an agent's command, visible to that agent alone."""
        raise VendorRefused(self.vendor, "agents do not work here")

    def answer_command(self, response_url: str, text: str) -> None:
        """Answer an agent's command, visible to that agent alone.

        Raises:
            VendorError: it was not answered.
        """
        raise VendorRefused(self.vendor, "agents do not work here")

    def said(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> bool:
        """After an interrupted try: did this reply or note arrive? Asked before it is sent again."""
        return False

    def identities(self, conversation: ConversationRef) -> tuple[Identity, ...]:
        """Identifiers at this vendor that belong to the conversation's author (its processor uses them)."""
        return ()

    def address_on_record(self, conversation: ConversationRef) -> str:
        """The address that the vendor's record of the conversation's author carries now, by asking; "" if none.

        Raises:
            VendorError: the vendor did not tell.
        """
        return self.complete(InboundMessage("", conversation, "-", datetime.now(UTC))).address

    @abstractmethod
    def check(self) -> None:
        """Make one harmless call to see that the credentials are good.

        Raises:
            VendorError: they are not, or nobody answered.
        """
