"""What the desk itself holds about a person, as one more holder: looked up, exported, erased.

What an open request needs is left alone: its columns, its conversation, its mails that wait, a package that can still
be fetched. The rest goes; of each request stay reference, right, dates, outcomes and the keyed hash of the address.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dsr import lifting
from dsr.desk import Desk
from dsr.model import DataFile, Origin, RequestStatus
from dsr.requests import ENDED
from dsr.store.tables import (
    challenges,
    conversations,
    decisions,
    links,
    messages,
    outgoing,
    packages,
    receipts,
    requests,
)

NAME, LABEL = "privacy_desk", "Privacy Desk (records of privacy requests)"  # as a processor
GONE = b""  # where a column must not be NULL: the text is gone, the row stays
_ENDED = tuple(str(status) for status in ENDED)
q, c, m, o = requests.c, conversations.c, messages.c, outgoing.c


@dataclass(frozen=True)
class Held:
    """What the desk holds of a person and no open request needs.

    Args:
        requests: references of ended requests that still have a personal column.
        conversations: ids.
        messages: how many messages stand in those conversations.
        mails: ids of rows of `outgoing` whose text is still there.
    """

    requests: Sequence[str]
    conversations: Sequence[str]
    messages: int
    mails: Sequence[int]

    @property
    def counts(self) -> dict[str, int]:
        found = {
            "requests": len(self.requests),
            "conversations": len(self.conversations),
            "messages": self.messages,
            "mails": len(self.mails),
        }
        return {kind: count for kind, count in found.items() if count}


def find(desk: Desk, conn: sa.Connection, address_hash: str) -> Held:
    """What an erasure would remove."""
    all_ = conn.execute(sa.select(requests).where(q.address_hash == address_hash)).all()
    over = [row for row in all_ if not needed(desk, conn, row)]
    open_ = {row.reference for row in all_} - {row.reference for row in over}
    personal = (q.address_enc, q.identities_enc, q.details_enc)
    # Of what still restricts, the columns stay: without them nobody could see to it that it does (dsr.standing).
    over = [row for row in over if row.look_at is None]
    columns = [row.reference for row in over if row.address_masked or any(getattr(row, p.key) for p in personal)]
    spoken = _conversations(conn, address_hash, open_)
    lines = conn.execute(sa.select(sa.func.count()).where(m.conversation_id.in_(spoken))).scalar_one()
    keys = {row.key_id for row in all_}
    keys |= set(conn.execute(sa.select(c.key_id).where(c.id.in_(spoken))).scalars())
    sent = conn.execute(
        sa.select(o.id).where(
            o.key_id.in_(keys),
            sa.or_(o.reference.is_(None), o.reference.not_in(open_)),
            sa.or_(o.sent_at.is_not(None), o.failed_at.is_not(None)),
            o.body_enc != GONE,
        )
    ).scalars()
    return Held(columns, spoken, lines, list(sent))


def address(desk: Desk, conn: sa.Connection, address_hash: str) -> str:
    """The address behind the hash, if a request still has it; empty if none has."""
    kept = sa.select(q.key_id, q.address_enc).where(q.address_hash == address_hash, q.address_enc.is_not(None))
    row = conn.execute(kept.order_by(q.received_at.desc()).limit(1)).first()
    return (desk.vault.open(conn, row.key_id, row.address_enc) or "") if row else ""


def needed(desk: Desk, conn: sa.Connection, request: sa.Row[Any]) -> bool:
    """Is the request open, or is something of it still on its way or to be fetched?"""
    if request.status not in _ENDED or lifting.under_way(conn, request.reference):
        return True
    p = packages.c
    fetchable = sa.select(p.reference).where(p.shredded_at.is_(None), p.expires_at > desk.now())
    unsent = sa.select(o.id).where(o.sent_at.is_(None), o.failed_at.is_(None))
    return bool(
        conn.execute(fetchable.where(p.reference == request.reference)).first()
        or conn.execute(unsent.where(o.reference == request.reference)).first()
        or lifting.under_way(conn, request.reference)
    )


def _conversations(conn: sa.Connection, address_hash: str, open_: set[str]) -> list[str]:
    """Where the person has written or is spoken of, but for what is at work."""
    spoken = sa.union(
        sa.select(c.id).where(c.address_hash == address_hash),
        sa.select(q.conversation_id).where(q.address_hash == address_hash, q.conversation_id.is_not(None)),
    )
    at_work = sa.or_(
        sa.exists().where(q.conversation_id == c.id, sa.or_(q.status.not_in(_ENDED), q.reference.in_(open_))),
        sa.exists().where(m.conversation_id == c.id, m.handled_at.is_(None)),
        sa.exists().where(o.key_id == c.key_id, o.sent_at.is_(None), o.failed_at.is_(None)),
    )
    return list(conn.execute(sa.select(c.id).where(c.id.in_(spoken), ~at_work)).scalars())


def erase(desk: Desk, conn: sa.Connection, address_hash: str) -> dict[str, int]:
    """Erase what no open request needs; safe to repeat. Returns the counts."""
    held = find(desk, conn, address_hash)
    clear_requests(conn, held.requests)
    drop_conversations(desk, conn, held.conversations)
    clear_mails(conn, held.mails)
    return held.counts


def clear_requests(conn: sa.Connection, references: Sequence[str], *, all_columns: bool = True) -> None:
    """Empty the personal columns of requests, and of their receipts what may name somebody at a vendor.

    Args:
        all_columns: False keeps `details` (what was asked for, in words), the masked address, and agents' reasons.
    """
    values: dict[str, Any] = {"address_enc": None, "identities_enc": None}
    if all_columns:
        values |= {"details_enc": None, "address_masked": ""}
        conn.execute(decisions.update().where(decisions.c.reference.in_(references)).values(details_enc=GONE))
    conn.execute(requests.update().where(q.reference.in_(references)).values(**values))
    # The job of a step that was cancelled, or ended by hand, still has its handle, and a task its words.
    done = {"identities_enc": None, "handle": "", "note": "", "problem": None}
    conn.execute(receipts.update().where(receipts.c.reference.in_(references)).values(**done))


def drop_conversations(desk: Desk, conn: sa.Connection, ids: Sequence[str]) -> None:
    """Remove conversations with their messages, and destroy their keys."""
    if not ids:
        return
    keys = conn.execute(sa.select(c.key_id).where(c.id.in_(ids))).scalars().all()
    conn.execute(messages.delete().where(m.conversation_id.in_(ids)))
    conn.execute(challenges.delete().where(challenges.c.conversation_id.in_(ids)))
    conn.execute(links.delete().where(links.c.conversation_id.in_(ids)))
    conn.execute(outgoing.update().where(o.key_id.in_(keys)).values(body_enc=GONE))
    conn.execute(requests.update().where(q.conversation_id.in_(ids)).values(conversation_id=None))
    conn.execute(conversations.delete().where(c.id.in_(ids)))
    for key_id in keys:
        desk.vault.destroy(conn, key_id)


def clear_mails(conn: sa.Connection, ids: Sequence[int]) -> None:
    conn.execute(outgoing.update().where(o.id.in_(ids)).values(body_enc=GONE))


def export(desk: Desk, conn: sa.Connection, address_hash: str) -> Iterator[DataFile]:
    """The person's requests, and the messages that they wrote where they proved who they are.

    A conversation in which somebody merely claimed the address is not theirs to read.
    """
    rows = conn.execute(sa.select(requests).where(q.address_hash == address_hash).order_by(q.received_at)).all()
    yield DataFile(
        "requests.json", rows=(_request(conn, row) for row in rows), origin=Origin.PROVIDED, names_others=False
    )
    proved = {row.conversation_id for row in rows if row.conversation_id and row.verified_at}
    written = conn.execute(
        sa.select(messages).where(m.conversation_id.in_(proved), m.kind == "InboundMessage").order_by(m.id)
    ).all()
    yield DataFile("messages.json", rows=(_message(desk, conn, row) for row in written), origin=Origin.PROVIDED)


def _request(conn: sa.Connection, row: sa.Row[Any]) -> dict[str, object]:
    r = receipts.c
    steps = conn.execute(sa.select(r.processor, r.operation, r.status, r.outcome).where(r.reference == row.reference))
    dates = ("received_at", "verified_at", "due_at", "started_at", "finished_at")
    return {
        "reference": row.reference,
        "right": row.right,
        "status": RequestStatus(row.status),
        "asked_in": row.channel,
        "language": row.language,
        **{name: value.isoformat() for name in dates if (value := getattr(row, name))},
        "outcomes": [dict(step._mapping) for step in steps],
    }


def _message(desk: Desk, conn: sa.Connection, row: sa.Row[Any]) -> dict[str, object]:
    body = desk.vault.open(conn, row.key_id, row.body_enc)
    written = {name: body.get(name, "") for name in ("author_name", "address", "subject", "text")}
    return {"channel": row.channel, "sent_at": row.sent_at.isoformat(), **written}
