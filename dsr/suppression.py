"""Who gets no promotional mail: keyed hashes that outlive an erasure, and the tokens of unsubscribe links."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy.dialects import postgresql, sqlite

from dsr import addresses
from dsr.desk import Desk
from dsr.store.tables import suppressions

ALL = "*"
MARKETING, OBJECTION, AGE = "marketing", "objection", "age"
IMPORTED = "import"  # source of a row that came with a list; no processor knows of it
_CHUNK = 5000  # hashes in one query


def add(desk: Desk, conn: sa.Connection, address: str, *, source: str, kind: str = MARKETING, topic: str = ALL) -> bool:
    """Suppress an address; repeating it is harmless. Effective at once, before any vendor is asked.

    Returns:
        False if it was in force already, so that there is nothing to tell the processors.
    """
    newly = _insert(desk.db.sqlite).returning(suppressions.c.topic)  # a row count is not known on every database
    return conn.execute(newly, _row(desk, address, kind, topic, source)).first() is not None


def lift(desk: Desk, conn: sa.Connection, address: str, *, topic: str = ALL, kind: str = MARKETING) -> None:
    """The person wants marketing mail again. An objection or an age report is not lifted by this.

    Args:
        kind: `AGE` once two agents have found that a report was false.
    """
    s = suppressions.c
    conn.execute(
        suppressions.update()
        .where(s.address_hash == desk.vault.hash("address", address), s.topic == topic, s.kind == kind)
        .values(lifted_at=desk.now())
    )


@dataclass(frozen=True)
class Found:
    """What a look-up of many addresses found.

    Args:
        kinds: address as it was written, in the order asked -> kind of suppression -> since when.
        unusable: what is no address that we could keep: nothing is known about it, so it is not to be mailed.
    """

    kinds: Mapping[str, Mapping[str, datetime]]
    unusable: tuple[str, ...]


def look_up(
    desk: Desk,
    conn: sa.Connection,
    asked: Sequence[str],
    *,
    kinds: Iterable[str] = (MARKETING, OBJECTION, AGE),
    topic: str = ALL,
) -> Found:
    """Who of the addresses is suppressed; 100,000 are no problem.

    Args:
        topic: the list that is to be mailed: who opted out of it counts, beside those who opted out of everything.
    """
    written: dict[str, list[str]] = {}
    unusable = []
    for one in asked:
        if address := addresses.normalise(one):
            written.setdefault(desk.vault.hash("address", address), []).append(one)
        else:
            unusable.append(one)
    s, hashes = suppressions.c, list(written)
    valid = (s.lifted_at.is_(None), s.topic.in_({ALL, topic}), s.kind.in_(list(kinds)))
    query = sa.select(s.address_hash, s.kind, sa.func.min(s.since, type_=s.since.type).label("since"))
    query = query.where(*valid).group_by(s.address_hash, s.kind)
    found: dict[str, dict[str, datetime]] = {}
    for start in range(0, len(hashes), _CHUNK):
        for row in conn.execute(query.where(s.address_hash.in_(hashes[start : start + _CHUNK]))):
            for one in written[row.address_hash]:
                found.setdefault(one, {})[row.kind] = row.since
    return Found({one: found[one] for one in asked if one in found}, tuple(unusable))


def suppressed(desk: Desk, conn: sa.Connection, asked: Sequence[str]) -> list[str]:
    """Those of the addresses that must get no promotional mail, as they were written."""
    return list(look_up(desk, conn, asked).kinds)


def add_many(desk: Desk, conn: sa.Connection, many: Iterable[str], *, topic: str = ALL) -> None:
    """Suppress promotional mail for many normalised addresses. The processors are not told: that is left to `add`."""
    if rows := [_row(desk, address, MARKETING, topic, IMPORTED) for address in dict.fromkeys(many)]:
        conn.execute(_insert(desk.db.sqlite), rows)


def _row(desk: Desk, address: str, kind: str, topic: str, source: str) -> dict[str, object]:
    address_hash = desk.vault.hash("address", address)
    return {"address_hash": address_hash, "topic": topic, "kind": kind, "since": desk.now(), "source": source}


@cache
def _insert(on_sqlite: bool) -> sa.Insert:
    """A new row, or one that was lifted or imported and is in force anew; one that is in force is left as it is."""
    s = suppressions.c
    insert = sqlite.insert(suppressions) if on_sqlite else postgresql.insert(suppressions)
    return insert.on_conflict_do_update(
        index_elements=["address_hash", "topic", "kind"],
        set_={
            "since": sa.case((s.lifted_at.is_(None), s.since), else_=insert.excluded.since),
            "source": insert.excluded.source,
            "lifted_at": None,
        },
        where=sa.or_(s.lifted_at.is_not(None), sa.and_(s.source == IMPORTED, insert.excluded.source != IMPORTED)),
    )


def topics(desk: Desk, conn: sa.Connection, address: str) -> set[str]:
    """Topics that the person has opted out of (`*`: all)."""
    s = suppressions.c
    rows = conn.execute(
        sa.select(s.topic).where(
            s.address_hash == desk.vault.hash("address", address), s.lifted_at.is_(None), s.kind == MARKETING
        )
    )
    return {row.topic for row in rows}


def token(desk: Desk, address: str, list_name: str = ALL) -> str:
    """The opaque token of an unsubscribe link: no address stands in a URL, and it needs no row in the database.

    Encrypted with the DATA_KEYS, so it lives as long as the key stays in that list, also after an erasure.
    """
    return _fernet(desk).encrypt(json.dumps([address, list_name]).encode()).decode().rstrip("=")


def link(desk: Desk, address: str, list_name: str = ALL) -> str:
    """The unsubscribe page of one person: for the footer of a mail, and for its header."""
    return desk.url("unsubscribe/" + token(desk, address, list_name))


def list_unsubscribe_headers(desk: Desk, address: str, list_name: str = ALL) -> dict[str, str]:
    """The two headers of RFC 8058 for one mail; both must be covered by its DKIM signature.

    HTTPS comes first, `mailto:` after it if the desk reads mail.

    Args:
        address: normalised.
        list_name: topic or list that the mail belongs to; `*` for all promotional mail.
    """
    page = link(desk, address, list_name)
    ways = f"<{page}>"
    if desk.unsubscribe_address:  # RFC 2369 3.2; the local part of an address is too short for the token (RFC 5321)
        ways += f", <mailto:{desk.unsubscribe_address}?subject={page.rpartition('/')[2]}>"
    return {
        "List-Unsubscribe": ways,
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def read_token(desk: Desk, given: str) -> tuple[str, str] | None:
    """Address and list of a token, or None if it is not one of ours."""
    try:
        address, list_name = json.loads(_fernet(desk).decrypt((given + "=" * (-len(given) % 4)).encode()))
    except (InvalidToken, ValueError):
        return None
    return str(address), str(list_name)


def _fernet(desk: Desk) -> MultiFernet:
    return MultiFernet([Fernet(key.strip()) for key in desk.settings.data_keys.get_secret_value().split(",")])
