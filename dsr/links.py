"""Links in mails: random tokens, kept as hashes, single use where it matters. GET never changes anything."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from typing import Any, Literal

import sqlalchemy as sa

from dsr import codes
from dsr.desk import Desk
from dsr.store.tables import links

Kind = Literal["verify", "status", "download", "not_me"]
WORD_TRIES = 5


def make(
    desk: Desk,
    conn: sa.Connection,
    kind: Kind,
    *,
    lifetime: timedelta,
    reference: str | None = None,
    conversation_id: str | None = None,
    challenge_id: str | None = None,
    word: str = "",
    token: str = "",
) -> str:
    """A new link's absolute URL.

    Args:
        token: what somebody else has already shown as the link's last part; unguessable. Default: a new one.
        word: what the page asks for; shown only in the chat.
    """
    token = token or secrets.token_hex(24)  # no hyphen: the code must be the only thing in a mail that looks like one
    now = desk.now()
    conn.execute(
        links.insert().values(
            token_hash=_hash(desk, token),
            kind=kind,
            reference=reference,
            conversation_id=conversation_id,
            challenge_id=challenge_id,
            word_hash=_word_hash(desk, token, word) if word else None,
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    return desk.url(f"{kind.replace('_', '-')}/{token}")


def find(desk: Desk, conn: sa.Connection, kind: Kind, token: str, *, lock: bool = False) -> sa.Row[Any] | None:
    """The living link of a token, or None: unknown, expired, or of another kind. `used_at` is the caller's to judge."""
    query = sa.select(links).where(links.c.token_hash == _hash(desk, token), links.c.kind == kind)
    row = conn.execute(query.with_for_update() if lock else query).first()
    return row if row is not None and row.expires_at > desk.now() else None


def word_fits(desk: Desk, conn: sa.Connection, row: sa.Row[Any], token: str, typed: str) -> bool:
    """Compare the word from the chat; counts the try, and refuses after `WORD_TRIES`."""
    if row.word_hash is None or row.tries >= WORD_TRIES:
        return False
    conn.execute(links.update().where(links.c.token_hash == row.token_hash).values(tries=row.tries + 1))
    return hmac.compare_digest(row.word_hash, _word_hash(desk, token, typed))


def use(desk: Desk, conn: sa.Connection, row: sa.Row[Any]) -> bool:
    """Mark a single-use link as used; False if somebody was faster."""
    unused = links.c.used_at.is_(None)
    done = conn.execute(links.update().where(links.c.token_hash == row.token_hash, unused).values(used_at=desk.now()))
    return done.rowcount == 1


def _hash(desk: Desk, token: str) -> str:
    return desk.vault.hash("link", token)


def _word_hash(desk: Desk, token: str, word: str) -> str:
    return desk.vault.hash("word", f"{token}\0{codes.normalise(word)}")
