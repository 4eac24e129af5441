"""What comes in and what goes out: deliveries, messages, agents' commands, replies and mails. Nothing here acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from dsr.model import Identity


@dataclass(frozen=True)
class Delivery:
    """One HTTP delivery of a webhook, as it came: bytes before meaning.

    Args:
        headers: names in lower case.
        form: parsed form fields (first values), if the body is a form.
        received_at: when we received it.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    form: Mapping[str, str]
    received_at: datetime


@dataclass(frozen=True)
class WebhookResponse:
    status: int = 200
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class Evidence(StrEnum):  # how sure the channel is of the address it hands over
    NONE = "none"  # no address
    CLAIM = "claim"  # typed by the visitor, or a forgeable header
    SIGNED = "signed"  # the channel vouches for it (signed identity, confirmed workspace address, aligned DKIM)


@dataclass(frozen=True)
class ConversationRef:
    """Where to answer.

    Args:
        channel: the channel's name (its webhook path), e.g. `intercom`, `zendesk-messaging`.
        id: the conversation's id at the vendor, whatever the channel needs to answer in it.
        person: the person's id at the vendor (contact, user), if known; where the answer goes by mail, their address.
        mailbox: of mail: the address of ours that was written to, "" if not one that we answer from.
        references: of mail: the thread's Message-Ids with their brackets, oldest first, separated by a space.
    """

    channel: str
    id: str
    person: str = ""
    mailbox: str = ""
    references: str = ""


@dataclass(frozen=True)
class InboundMessage:
    """A customer wrote something.

    Args:
        event_id: the vendor's id of the event: the key of de-duplication within the channel.
        text: as the vendor sent it; `intents` cleans it.
        address: an e-mail address that the channel attached to the author; a claim unless evidence says more.
        sent_at: the channel's own timestamp, where the legal clock starts; aware.
        subject: of the mail or ticket that its author began with this message; empty in an answer.
        message_id: of a mail: a second key of de-duplication, should the same mail be delivered twice.
        stored: the vendor keeps a copy under this key, which `Channel.complete` compares before anything is done.
    """

    event_id: str
    conversation: ConversationRef
    text: str
    sent_at: datetime
    address: str = ""
    evidence: Evidence = Evidence.NONE
    author_name: str = ""
    external_id: str = ""
    subject: str = ""
    message_id: str = ""
    stored: str = ""


@dataclass(frozen=True)
class AgentCommand:
    """An agent typed a command or pressed a button in Slack."""

    event_id: str
    agent: str
    text: str
    response_url: str
    sent_at: datetime


@dataclass(frozen=True)
class ContactChanged:
    """A vendor tells that a contact was created or changed: an erased person may have come back."""

    event_id: str
    vendor: str
    address: str
    identity: Identity | None = None


@dataclass(frozen=True)
class SuppressionReported:
    """A vendor tells that a person unsubscribed or complained there; it spreads to the other senders.

    Args:
        address: empty if the vendor names the person by an id of its own alone (then `identity` is given).
        token: of an unsubscribe mail (RFC 8058's `mailto:`): if it is one of ours, it names the address.
    """

    event_id: str
    vendor: str
    address: str
    reason: str = "unsubscribe"
    identity: Identity | None = None
    token: str = ""


@dataclass(frozen=True)
class DeletionAsked:
    """A platform tells that one of its users wants their data erased; it names them by an id of its own.

    Args:
        code: what the platform shows to the person; our status page is found by it.
        sent_at: when the person asked: the legal clock starts there; aware.
    """

    event_id: str
    vendor: str
    identity: Identity
    code: str
    sent_at: datetime


Inbound = InboundMessage | AgentCommand | ContactChanged | SuppressionReported | DeletionAsked


@dataclass(frozen=True)
class Reply:
    """What we say in a conversation: plain text with blank lines between paragraphs.

    Args:
        text: what the person reads.
        language: ISO 639-1.
    """

    text: str
    language: str = "en"


@dataclass(frozen=True)
class Mail:
    """A mail to one person.

    Args:
        kind: `code`, `certificate`, `package`, `notice`…, for the log and for metrics.
        headers: further headers (`List-Unsubscribe`, `In-Reply-To`).
        sender: the mailbox of ours that it answers for; "" for the desk's usual sender.
        conversation: our id of the conversation that it belongs to; stands in its Message-Id, so that the answer to it
            finds back.
    """

    to: str
    subject: str
    text: str
    html: str
    kind: str
    headers: Mapping[str, str] = field(default_factory=dict)
    sender: str = ""
    conversation: str = ""
