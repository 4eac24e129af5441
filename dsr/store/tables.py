"""Every table: one MetaData, the source of Alembic's migrations.

Columns whose name ends in `_enc` are encrypted with the key of the person (before that: of the conversation)
that stands in `key_id`; columns whose name ends in `_hash` are keyed hashes for look-up.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text


class Instant(sa.TypeDecorator[datetime]):
    """An aware moment, kept in UTC; SQLite has no time zones of its own."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData()

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("wrapped", LargeBinary),  # NULL once destroyed
    Column("created_at", Instant, nullable=False),
    Column("destroyed_at", Instant),
)

subjects = Table(  # a person, by proved or claimed address
    "subjects",
    metadata,
    Column("address_hash", String(64), primary_key=True),
    Column("key_id", String(32), ForeignKey("keys.id"), nullable=False),
)

deliveries = Table(  # what was seen, so that twice is once; kept for ever (no personal data)
    "deliveries",
    metadata,
    Column("channel", String(40), primary_key=True),
    Column("event_id", String(200), primary_key=True),
    Column("received_at", Instant, nullable=False),
)

quarantine = Table(  # authentic, not understood
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel", String(40), nullable=False),
    Column("reason", Text, nullable=False),
    Column("body_hash", String(64), nullable=False, unique=True),
    Column("key_id", String(32), ForeignKey("keys.id"), nullable=False),
    Column("body_enc", LargeBinary),
    Column("received_at", Instant, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("channel", String(40), nullable=False),
    Column("external_hash", String(64), nullable=False),
    Column("address_hash", String(64), index=True),  # whose address was claimed or attached last
    Column("key_id", String(32), ForeignKey("keys.id"), nullable=False),
    Column("ref_enc", LargeBinary, nullable=False),
    Column("state_enc", LargeBinary),
    Column("language", String(8), nullable=False, server_default="en"),
    Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("channel", "external_hash"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel", String(40), nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("conversation_id", String(32), ForeignKey("conversations.id"), index=True),  # NULL for events without one
    Column("kind", String(30), nullable=False),
    Column("key_id", String(32), ForeignKey("keys.id"), nullable=False),
    Column("body_enc", LargeBinary, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("handled_at", Instant),
    sa.UniqueConstraint("channel", "event_id"),
)
Index(
    "messages_waiting",
    messages.c.conversation_id,
    messages.c.id,
    sqlite_where=messages.c.handled_at.is_(None),
    postgresql_where=messages.c.handled_at.is_(None),
)

outgoing = Table(  # replies, notes and mails: written with the state that causes them, then sent in order
    "outgoing",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(120), nullable=False, unique=True),  # the idempotency key
    Column("lane", String(80), nullable=False),  # rows of one lane go out one after the other
    Column("kind", String(20), nullable=False),  # reply, note, mail, agents, respond
    Column("channel", String(40), nullable=False),
    Column("key_id", String(32), ForeignKey("keys.id"), nullable=False, index=True),
    Column("body_enc", LargeBinary, nullable=False),  # empty once its retention is over
    Column("reference", String(12)),
    Column("created_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", Instant, nullable=False),
    Column("leased_until", Instant),
    Column("leased_by", String(80)),
    Column("sent_at", Instant),
    Column("failed_at", Instant),
    Column("problem", Text),
)
Index(
    "outgoing_waiting",
    outgoing.c.lane,
    outgoing.c.id,
    sqlite_where=outgoing.c.sent_at.is_(None) & outgoing.c.failed_at.is_(None),
    postgresql_where=outgoing.c.sent_at.is_(None) & outgoing.c.failed_at.is_(None),
)

challenges = Table(  # codes that prove control of an address
    "challenges",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("conversation_id", String(32)),  # NULL: typed on a page
    Column("reference", String(12)),
    Column("address_hash", String(64), nullable=False, index=True),
    Column("purpose", String(200), nullable=False),  # the rights, sorted, comma-separated
    Column("code_hash", String(64), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("voided_at", Instant),
    # asked for where only the address's owner or an agent can ask: counted apart from what anybody may ask for
    Column("reserved", Boolean, nullable=False, server_default=sa.false()),
)

links = Table(  # single-use links; the token itself is only in the mail
    "links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("kind", String(20), nullable=False),  # verify, status, download, not_me
    Column("reference", String(12)),
    Column("conversation_id", String(32)),
    Column("challenge_id", String(32)),
    Column("word_hash", String(64)),  # the short word shown only in the chat
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)

requests = Table(
    "requests",
    metadata,
    Column("reference", String(12), primary_key=True),
    Column("right", String(20), nullable=False),
    Column("status", String(24), nullable=False, index=True),
    Column("regime", String(10), nullable=False, server_default="gdpr"),
    Column("channel", String(40), nullable=False),
    Column("vendor", String(40), nullable=False, server_default=""),  # whose processor comes last
    Column("conversation_id", String(32), ForeignKey("conversations.id"), index=True),
    Column("language", String(8), nullable=False, server_default="en"),
    Column("address_hash", String(64), index=True),
    Column("key_id", String(32), ForeignKey("keys.id"), nullable=False),
    Column("address_enc", LargeBinary),
    Column("address_masked", String(120), nullable=False, server_default=""),  # m***@e***.com, for agents
    Column("identities_enc", LargeBinary),
    Column("details_enc", LargeBinary),  # JSON: reasons of the detection, changes to make, reporter
    Column("received_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("extended_due_at", Instant, nullable=False),
    Column("extended_at", Instant),
    Column("derivation", Text, nullable=False),  # JSON of the deadline
    Column("proof_asked_at", Instant),
    Column("verified_at", Instant),
    # when to ask again whether what it restricted still stands; NULL: nothing of it stands (dsr.standing)
    Column("look_at", Instant, index=True),
    Column("verified_by", String(80)),  # "code", "signed+code", or the agent
    Column("opened_by", String(80), nullable=False),
    Column("approved_by", String(80)),
    Column("held_by", String(80)),
    Column("after_reference", String(12)),  # linked: starts when that one is done (export before erasure)
    Column("start_at", Instant),  # end of the cooling-off time
    Column("started_at", Instant),
    Column("stage", String(20), nullable=False, server_default=""),  # of the fulfilment
    # when the person had an answer for everything but what is held on a legal ground (the end comes after the hold)
    Column("answered_at", Instant),
    Column("finished_at", Instant),
    Column("certificate_at", Instant),
    Column("frozen_from", String(24)),
    Column("wake_at", Instant, index=True),  # when there is something to do next
    Column("warn_at", Instant, index=True),  # when to warn next that it is due
)

receipts = Table(
    "receipts",
    metadata,
    Column("reference", String(12), ForeignKey("requests.reference"), primary_key=True),
    Column("processor", String(40), primary_key=True),
    Column("operation", String(12), primary_key=True),
    Column("stage", Integer, nullable=False, server_default="0"),
    Column("status", String(12), nullable=False),
    Column("outcome", String(10)),
    Column("counts", Text, nullable=False, server_default="{}"),
    Column("held_before", Text),  # JSON: kind -> how many, from the look before
    Column("residue", Text, nullable=False, server_default="[]"),
    Column("note", Text, nullable=False, server_default=""),
    Column("handle", Text, nullable=False, server_default=""),  # of a job at the vendor; may name users there
    Column("identities_enc", LargeBinary),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", Instant),
    Column("leased_until", Instant),
    Column("leased_by", String(80)),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("looks", Integer, nullable=False, server_default="0"),  # second looks that still found something
    Column("looked_at", Instant),  # the second look
    Column("verdict", String(16)),
    Column("problem", Text),
    Column("owner", String(80)),
    Column("due_at", Instant),
)

decisions = Table(  # four eyes: what one agent proposes, another one decides
    "decisions",
    metadata,
    Column("reference", String(12), ForeignKey("requests.reference"), primary_key=True),
    Column("kind", String(20), primary_key=True),  # refusal, child
    Column("key_id", String(32), ForeignKey("keys.id"), nullable=False),
    Column("details_enc", LargeBinary, nullable=False),  # JSON: ground and reasons
    Column("proposed_by", String(80), nullable=False),
    Column("proposed_at", Instant, nullable=False),
    Column("decided_by", String(80)),
    Column("decided_at", Instant),
)

holds = Table(  # what an erasure must leave alone for now, and on what ground
    "holds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reference", String(12), ForeignKey("requests.reference"), nullable=False, index=True),
    Column("processor", String(40), nullable=False),
    Column("kind", String(40), nullable=False, server_default=""),  # of record; empty: all that is there
    Column("ground", String(60), nullable=False),
    Column("owner", String(80), nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False, index=True),
    Column("ended_at", Instant),
    Column("ended_by", String(80)),
)

packages = Table(
    "packages",
    metadata,
    Column("reference", String(12), ForeignKey("requests.reference"), primary_key=True),
    Column("path", Text, nullable=False),
    Column("key_id", String(32), ForeignKey("keys.id"), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("downloaded_at", Instant),
    Column("shredded_at", Instant),
)

suppressions = Table(  # outlives erasure: a keyed hash is all that is left
    "suppressions",
    metadata,
    Column("address_hash", String(64), primary_key=True),
    Column("topic", String(40), primary_key=True, server_default="*"),
    Column("kind", String(20), primary_key=True, server_default="marketing"),  # marketing, objection, age
    Column("since", Instant, nullable=False),
    Column("source", String(40), nullable=False),
    Column("lifted_at", Instant),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String(80), nullable=False),
    Column("what", String(60), nullable=False),
    Column("reference", String(12), index=True),
    Column("why", Text, nullable=False),
    Column("details", Text, nullable=False, server_default="{}"),
    # the chain, see dsr/audit.py
    Column("prev_hash", String(64), nullable=False, server_default=""),
    Column("commitment", String(64), nullable=False, server_default=""),
    Column("hash", String(64), nullable=False, server_default=""),
)

workers = Table(
    "workers",
    metadata,
    Column("executor_id", String(80), primary_key=True),
    Column("seen_at", Instant, nullable=False),
)
