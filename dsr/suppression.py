"""Who gets no promotional mail: keyed hashes that outlive an erasure, and the tokens of unsubscribe links."""

from __future__ import annotations

import json
from collections.abc import Iterable

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from dsr import addresses
from dsr.desk import Desk
from dsr.store.tables import suppressions

ALL = "*"
MARKETING, OBJECTION, AGE = "marketing", "objection", "age"


def add(desk: Desk, conn: sa.Connection, address: str, *, source: str, kind: str = MARKETING, topic: str = ALL) -> None:
    """Suppress an address; repeating it is harmless. Effective at once, before any vendor is asked."""
    s = suppressions.c
    address_hash = desk.vault.hash("address", address)
    where = (s.address_hash == address_hash, s.topic == topic, s.kind == kind)
    if conn.execute(sa.select(s.topic).where(*where)).first():
        conn.execute(
            suppressions.update().where(*where, s.lifted_at.is_not(None)).values(lifted_at=None, since=desk.now())
        )
        return
    conn.execute(
        suppressions.insert().values(address_hash=address_hash, topic=topic, kind=kind, since=desk.now(), source=source)
    )


def lift(desk: Desk, conn: sa.Connection, address: str, *, topic: str = ALL) -> None:
    """The person wants marketing mail again. An objection or an age report is not lifted by this."""
    s = suppressions.c
    conn.execute(
        suppressions.update()
        .where(s.address_hash == desk.vault.hash("address", address), s.topic == topic, s.kind == MARKETING)
        .values(lifted_at=desk.now())
    )


def suppressed(
    desk: Desk, conn: sa.Connection, asked: Iterable[str], *, kinds: Iterable[str] = (MARKETING, OBJECTION, AGE)
) -> list[str]:
    """Those of the addresses that must not be mailed, as they were written. Chunked: 100,000 are no problem."""
    by_hash: dict[str, list[str]] = {}
    for written in asked:
        if address := addresses.normalise(written):
            by_hash.setdefault(desk.vault.hash("address", address), []).append(written)
    s, hashes, found = suppressions.c, list(by_hash), []
    for start in range(0, len(hashes), 5000):
        rows = conn.execute(
            sa.select(s.address_hash)
            .distinct()
            .where(
                s.address_hash.in_(hashes[start : start + 5000]),
                s.lifted_at.is_(None),
                s.topic == ALL,
                s.kind.in_(list(kinds)),
            )
        )
        for row in rows:
            found += by_hash[row.address_hash]
    return found


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


def list_unsubscribe_headers(desk: Desk, address: str, list_name: str = ALL) -> dict[str, str]:
    """The two headers of RFC 8058 for one mail; both must be covered by its DKIM signature.

    Args:
        address: normalised.
        list_name: topic or list that the mail belongs to; `*` for all promotional mail.
    """
    return {
        "List-Unsubscribe": f"<{desk.url('unsubscribe/' + token(desk, address, list_name))}>",
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
