"""The end of what the desk holds itself: every kind after its time (`retention.toml`), requests after their proof.

A request that has ended loses its personal columns as soon as its last mail is out and its package gone: an erasure
takes all that the desk holds of the person with it, any other keeps what was asked for until its proof period is over.
When that holds for every request of the person, their key is destroyed. What stays is in clear and names nobody:
reference, right, dates, outcomes, the keyed hash.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dsr import audit, export, own_data, standing
from dsr.desk import Desk
from dsr.model import RequestStatus, Right
from dsr.requests import ENDED
from dsr.rules import rule
from dsr.store.tables import (
    challenges,
    conversations,
    links,
    messages,
    outgoing,
    packages,
    quarantine,
    requests,
    subjects,
    workers,
)

PROOF = "ro-proof-period"
CHUNK = 500  # rows in one transaction
ROUNDS = 200  # chunks of one kind in one purge: what is left waits for the next
AGAIN = timedelta(minutes=10)
_ENDED = tuple(str(status) for status in ENDED)
q, c, m, o = requests.c, conversations.c, messages.c, outgoing.c


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_name("retention.toml").read_text(encoding="utf-8"))


@cache
def periods() -> dict[str, timedelta]:
    """How long each kind of row is kept: the names of `retention.toml`."""
    return {kind: timedelta(days=entry["days"]) for kind, entry in _table().items()}


def described() -> list[tuple[str, str]]:
    """What is kept and until when, in words, for the register of processing."""
    return [(entry["what"], f"days from when it was {entry['since']}: {entry['days']}") for entry in _table().values()]


def proof_ends(desk: Desk, ended: datetime) -> datetime:
    """When nobody can ask for proof of a request any more."""
    if desk.settings.proof_period is not None:
        return ended + timedelta(seconds=desk.settings.proof_period)
    year = ended.year + rule(PROOF, ended.date()).years
    try:
        return ended.replace(year=year)
    except ValueError:  # 29 February
        return ended.replace(year=year, month=3, day=1)


# -- requests and persons ----------------------------------------------------------------------------------------------


def settle(desk: Desk, reference: str) -> None:
    """Take the next step of an ended request towards its end; safe to repeat, and harmless while it is open."""
    with desk.db.write() as conn:
        row = conn.execute(sa.select(requests).where(q.reference == reference).with_for_update()).first()
        if row is None or row.status not in _ENDED:
            return
        now, ended = desk.now(), row.finished_at or desk.now()
        wake = None
        if own_data.needed(desk, conn, row):
            p = packages.c
            expires = conn.execute(sa.select(p.expires_at).where(p.reference == reference)).scalar()
            wake = expires if expires and expires > now else now + AGAIN
        elif row.look_at is not None:  # it still restricts: the person must be found again (dsr.standing)
            wake = max(row.look_at, now + AGAIN)
        elif (until := proof_ends(desk, ended)) > now:
            _drop_address(desk, conn, row)
            wake = until
        else:
            _drop_address(desk, conn, row)
            own_data.clear_requests(conn, [reference])
        conn.execute(requests.update().where(q.reference == reference).values(finished_at=ended, wake_at=wake))
        if wake is None:
            _destroy_key(desk, conn, row)


def _drop_address(desk: Desk, conn: sa.Connection, row: sa.Row[Any]) -> None:
    own_data.clear_requests(conn, [row.reference], all_columns=False)
    if row.right == Right.ERASURE and row.status == RequestStatus.COMPLETED and row.address_hash:
        before = q.received_at <= (row.finished_at or desk.now())  # a new account is another matter
        standing.end(desk, conn, sa.and_(q.address_hash == row.address_hash, before))
        own_data.erase(desk, conn, row.address_hash)


def _destroy_key(desk: Desk, conn: sa.Connection, row: sa.Row[Any]) -> None:
    """The person's key goes with the last of their requests that has nothing more to come."""
    waiting = sa.select(q.reference).where(
        q.key_id == row.key_id, sa.or_(q.status.not_in(_ENDED), q.wake_at.is_not(None))
    )
    unsent = sa.select(o.id).where(o.key_id == row.key_id, o.sent_at.is_(None), o.failed_at.is_(None))
    if conn.execute(waiting).first() or not desk.vault.alive(conn, row.key_id):
        return
    if conn.execute(unsent).first():
        conn.execute(requests.update().where(q.reference == row.reference).values(wake_at=desk.now() + AGAIN))
        return
    if row.address_hash:
        own_data.erase(desk, conn, row.address_hash)
        conn.execute(subjects.delete().where(subjects.c.address_hash == row.address_hash))
    conn.execute(outgoing.update().where(o.key_id == row.key_id).values(body_enc=own_data.GONE))
    desk.vault.destroy(conn, row.key_id)
    audit.record(
        desk,
        conn,
        who="desk",
        what="key.destroyed",
        reference=row.reference,
        why="the last task and the proof period are over",
    )


def settle_due(desk: Desk) -> int:
    """Settle ended requests whose time has come; returns how many, at most `CHUNK`."""
    with desk.db.read() as conn:
        due = sa.select(q.reference).where(q.wake_at <= desk.now(), q.status.in_(_ENDED)).order_by(q.wake_at)
        references = conn.execute(due.limit(CHUNK)).scalars().all()
    for reference in references:
        settle(desk, reference)
    if references:
        desk.db.checkpoint()
    return len(references)


# -- rows that have outlived their use ---------------------------------------------------------------------------------

Ids = list[Any]


def purge(desk: Desk) -> dict[str, int]:
    """Remove what is older than its retention, in chunks; returns how many rows of each kind."""
    removed: dict[str, int] = {}
    for kind, (which, remove) in _KINDS.items():
        for _ in range(ROUNDS):
            with desk.db.read() as conn:
                ids = list(conn.execute(which(desk).limit(CHUNK)).scalars())
            if ids:
                with desk.db.write() as conn:
                    remove(desk, conn, ids)
            removed[kind] = removed.get(kind, 0) + len(ids)
            if len(ids) < CHUNK:
                break
    if any(removed.values()):
        desk.db.checkpoint()
    return removed


def _before(desk: Desk, kind: str) -> datetime:
    return desk.now() - periods()[kind]


def _passing(desk: Desk) -> sa.Select[Any]:
    idle = sa.exists().where(c.id == m.conversation_id, c.state_enc.is_(None))
    return sa.select(m.id).where(m.handled_at < _before(desk, "passing"), sa.or_(m.conversation_id.is_(None), idle))


def _conversations(desk: Desk) -> sa.Select[Any]:
    at_work = sa.or_(
        sa.exists().where(m.conversation_id == c.id),
        sa.exists().where(q.conversation_id == c.id, q.status.not_in(_ENDED)),
        sa.exists().where(o.key_id == c.key_id, o.sent_at.is_(None), o.failed_at.is_(None)),
    )
    idle = sa.and_(c.state_enc.is_(None), c.updated_at < _before(desk, "passing"))
    return sa.select(c.id).where(sa.or_(idle, c.updated_at < _before(desk, "conversations")), ~at_work)


def _mails(desk: Desk) -> sa.Select[Any]:
    return sa.select(o.id).where(
        sa.func.coalesce(o.sent_at, o.failed_at) < _before(desk, "mails"), o.body_enc != own_data.GONE
    )


def _remove_messages(desk: Desk, conn: sa.Connection, ids: Ids) -> None:
    alone = conn.execute(sa.select(m.key_id).where(m.id.in_(ids), m.conversation_id.is_(None))).scalars()
    keys = list(alone)
    conn.execute(messages.delete().where(m.id.in_(ids)))
    for key_id in keys:
        desk.vault.destroy(conn, key_id)


def _remove_quarantined(desk: Desk, conn: sa.Connection, ids: Ids) -> None:
    keys = conn.execute(sa.select(quarantine.c.key_id).where(quarantine.c.id.in_(ids))).scalars().all()
    conn.execute(quarantine.delete().where(quarantine.c.id.in_(ids)))
    for key_id in keys:
        desk.vault.destroy(conn, key_id)


def _shred(desk: Desk, conn: sa.Connection, ids: Ids) -> None:
    for reference in ids:
        export.shred(desk, conn, reference)


def _rows(column: sa.Column[Any], since: sa.Column[Any], kind: str) -> tuple[Callable[..., Any], Callable[..., None]]:
    """Rows of a table that hold no key of their own."""
    return (
        lambda desk: sa.select(column).where(since < _before(desk, kind)),
        lambda desk, conn, ids: conn.execute(column.table.delete().where(column.in_(ids))),
    )


# kind -> the ids that have outlived it, and what is done with them. Messages go before their conversations.
_KINDS: dict[str, tuple[Callable[[Desk], sa.Select[Any]], Callable[[Desk, sa.Connection, Ids], None]]] = {
    "packages": (
        lambda desk: sa.select(packages.c.reference).where(
            packages.c.expires_at <= desk.now(), packages.c.shredded_at.is_(None)
        ),
        _shred,
    ),
    "passing": (_passing, _remove_messages),
    "messages": (lambda desk: sa.select(m.id).where(m.handled_at < _before(desk, "messages")), _remove_messages),
    "conversations": (_conversations, own_data.drop_conversations),
    "mails": (_mails, lambda desk, conn, ids: own_data.clear_mails(conn, ids)),
    "challenges": _rows(challenges.c.id, challenges.c.expires_at, "challenges"),
    "links": _rows(links.c.token_hash, links.c.expires_at, "links"),
    "quarantine": (
        lambda desk: sa.select(quarantine.c.id).where(quarantine.c.received_at < _before(desk, "quarantine")),
        _remove_quarantined,
    ),
    "workers": _rows(workers.c.executor_id, workers.c.seen_at, "workers"),
}
