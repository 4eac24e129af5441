"""The ledger of erased persons: keyed hashes in a database of its own, outside the back-ups of the desk's.

Written before the first destructive call of an erasure. When an old state comes back, from a back-up or by a vendor
that synchronises again, the ledger still knows whom it must not hold, and the person is erased anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from dsr import audit, commands, requests
from dsr.desk import Desk
from dsr.model import RequestStatus, Right
from dsr.store.database import make_engine
from dsr.store.tables import Instant, deliveries, receipts, subjects
from dsr.store.tables import requests as requests_table

S = RequestStatus
BY_LEDGER = "ledger"  # what proved the person: an earlier, proved erasure
CHUNK = 500

erased = sa.Table(
    "erased",
    sa.MetaData(),
    sa.Column("address_hash", sa.String(64), primary_key=True),
    sa.Column("reference", sa.String(12), primary_key=True),
    sa.Column("at", Instant, nullable=False),
)


@lru_cache
def _engine(url: str) -> sa.Engine:
    engine = make_engine(url, pool_size=2)
    with engine.begin() as conn:
        conn.execute(CreateTable(erased, if_not_exists=True))
    return engine


def remember(desk: Desk, address_hash: str, reference: str) -> None:
    """Note that this person is about to be erased; doing it twice has one effect.

    Raises:
        SQLAlchemyError: it was not noted, and nothing may be erased.
    """
    mine = (erased.c.address_hash == address_hash, erased.c.reference == reference)
    try:
        with _engine(desk.settings.ledger_url).begin() as conn:
            if not conn.execute(sa.select(erased.c.at).where(*mine)).first():
                conn.execute(erased.insert().values(address_hash=address_hash, reference=reference, at=desk.now()))
    except IntegrityError:
        return  # another worker, at the same moment


def knows(desk: Desk, address_hash: str) -> bool:
    """Has this person been erased?"""
    with _engine(desk.settings.ledger_url).connect().execution_options(reading=True) as conn:
        return conn.execute(sa.select(erased.c.at).where(erased.c.address_hash == address_hash)).first() is not None


def entries(desk: Desk) -> dict[str, str]:
    """Every erased person's hash -> reference of the newest erasure."""
    with _engine(desk.settings.ledger_url).connect().execution_options(reading=True) as conn:
        rows = conn.execute(sa.select(erased.c.address_hash, erased.c.reference).order_by(erased.c.at))
        return {row.address_hash: row.reference for row in rows}


def lost(desk: Desk, known: Mapping[str, str]) -> dict[str, str]:
    """Those of `entries` whose erasure the desk's database knows nothing of: an old state of it was put back.

    What was `dealt_with` since is known: that a person stands somewhere again is then no work of the back-up.
    """
    there: set[str] = set()
    references = list(known.values())
    q, d = requests_table.c, deliveries.c
    with desk.db.read() as conn:
        for i in range(0, len(references), CHUNK):
            asked = q.reference.in_(references[i : i + CHUNK])
            there |= set(conn.execute(sa.select(q.reference).where(asked, q.verified_at.is_not(None))).scalars())
            noted = sa.select(d.event_id).where(d.channel == BY_LEDGER, d.event_id.in_(references[i : i + CHUNK]))
            there |= set(conn.execute(noted).scalars())
    return {hash_: reference for hash_, reference in known.items() if reference not in there}


def dealt_with(desk: Desk, conn: sa.Connection, references: Iterable[str]) -> list[str]:
    """Note, once, that the desk's database had forgotten these erasures, and that what follows from it was done.

    It stands in the database that was put back, so that putting it back once more forgets it too.

    Returns:
        those that were not noted yet, sorted.
    """
    insert = sqlite.insert if desk.db.sqlite else postgresql.insert
    new = []
    for reference in sorted(references):
        row = insert(deliveries).values(channel=BY_LEDGER, event_id=reference, received_at=desk.now())
        if conn.execute(row.on_conflict_do_nothing()).rowcount:
            new.append(reference)
            why = "the desk's database did not know this erasure: an old state of it was put back"
            audit.record(desk, conn, who="desk", what="ledger.forgotten", reference=reference, why=why)
    return new


def erase_again(
    desk: Desk, conn: sa.Connection, address: str, vendor: str, *, received_at: datetime, sure: bool
) -> str | None:
    """Open a new erasure for somebody who was erased and is held again.

    Args:
        address: normalised.
        vendor: name of the processor where the person turned up; `own_data.NAME` for the desk itself.
        received_at: when that was told or found.
        sure: False if the person may have come back of their own will (there is an account again): an agent decides.

    Returns:
        the reference; None if an erasure is under way there already, or an agent has let the person stay.
    """
    address_hash, _ = requests.subject_key(desk, conn, address)
    conn.execute(sa.select(subjects).where(subjects.c.address_hash == address_hash).with_for_update())  # one at a time
    if _under_way(conn, address_hash, vendor) or _may_stay(desk, conn, address_hash):
        return None
    reference = requests.open_request(
        desk,
        conn,
        Right.ERASURE,
        address,
        received_at=received_at,
        channel=BY_LEDGER,
        status=S.IN_PROGRESS if sure else S.WAITING_FOR_AGENT,
        opened_by=f"processor:{vendor}",
    )
    requests.update(conn, reference, verified_at=desk.now(), verified_by=BY_LEDGER)
    audit.record(
        desk,
        conn,
        who=f"processor:{vendor}",
        what="ledger.found",
        reference=reference,
        why="an erased person is held again",
        details={"automatic": sure},
    )
    desk.tasks.advance(conn, reference)
    commands.announce(desk, conn, reference)
    return reference


def _under_way(conn: sa.Connection, address_hash: str, vendor: str) -> bool:
    """Is an erasure at work, or one still to be done at this vendor?"""
    q, r = requests_table.c, receipts.c
    opened = sa.select(q.reference).where(*_erasures(address_hash), q.status.in_([str(s) for s in requests.OPEN]))
    unfinished = (
        sa.select(q.reference)
        .join(receipts, r.reference == q.reference)
        .where(
            *_erasures(address_hash),
            r.processor == vendor,
            r.operation == "erase",
            r.status.not_in(["completed", "cancelled"]),
        )
    )
    return any(conn.execute(query.limit(1)).first() for query in (opened, unfinished))


def _may_stay(desk: Desk, conn: sa.Connection, address_hash: str) -> bool:
    """Has an agent let the person stay, and has no other erasure begun since that was asked?

    The answer is about the return that was found then. Who is erased once more after it is watched for anew.
    """
    q = requests_table.c
    let = sa.select(q.reference, q.verified_at).where(
        *_erasures(address_hash), q.verified_by == BY_LEDGER, q.status.in_([str(S.WITHDRAWN), str(S.REFUSED)])
    )
    stays = conn.execute(let).all()
    if not stays:
        return False
    with _engine(desk.settings.ledger_url).connect().execution_options(reading=True) as there:
        begun = there.execute(sa.select(erased).where(erased.c.address_hash == address_hash)).all()
    return any(
        all(other.at <= asked.verified_at for other in begun if other.reference != asked.reference) for asked in stays
    )


def _erasures(address_hash: str) -> tuple[sa.ColumnElement[bool], ...]:
    q = requests_table.c
    return q.address_hash == address_hash, q.right == str(Right.ERASURE), q.verified_at.is_not(None)
