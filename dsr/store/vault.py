"""Encryption of personal columns, and keyed hashes for look-up.

Each person (before that: each conversation) has a key of their own, wrapped by the DATA_KEYS. Destroying that key
makes every copy of the person's columns unreadable, back-ups included.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from dsr.errors import DsrError
from dsr.store.tables import keys


class KeyDestroyed(DsrError):
    """The person's key is gone: what it protected cannot be read any more."""


class Vault:
    """Args:
    data_keys: Fernet keys, newest first; older ones can still unwrap.
    hash_key: secret of the keyed hashes.
    """

    def __init__(self, data_keys: str, hash_key: str, now: Callable[[], datetime]) -> None:
        self._master = MultiFernet([Fernet(key.strip()) for key in data_keys.split(",")])
        self._hash_key = hash_key.encode()
        self._now = now

    def hash(self, kind: str, value: str) -> str:
        """Keyed hash of a value; `kind` keeps equal values of different meaning apart."""
        return hmac.new(self._hash_key, f"{kind}\0{value}".encode(), sha256).hexdigest()

    def new_key(self, conn: sa.Connection) -> str:
        id = secrets.token_hex(16)
        conn.execute(
            keys.insert().values(id=id, wrapped=self._master.encrypt(Fernet.generate_key()), created_at=self._now())
        )
        return id

    def destroy(self, conn: sa.Connection, key_id: str) -> None:
        conn.execute(keys.update().where(keys.c.id == key_id).values(wrapped=None, destroyed_at=self._now()))

    def seal(self, conn: sa.Connection, key_id: str, value: Any) -> bytes:
        """Encrypt a JSON value with a person's key."""
        return self._key(conn, key_id).encrypt(json.dumps(value, ensure_ascii=False).encode())

    def open(self, conn: sa.Connection, key_id: str, sealed: bytes | None) -> Any:
        """Decrypt what `seal` made; None stays None.

        Raises:
            KeyDestroyed: the key is gone.
        """
        return None if sealed is None else json.loads(self._key(conn, key_id).decrypt(sealed))

    def file_key(self, conn: sa.Connection, key_id: str) -> bytes:
        """32 bytes for encrypting this person's files, derived from their key."""
        return hmac.new(self._raw(conn, key_id), b"files", sha256).digest()

    def _key(self, conn: sa.Connection, key_id: str) -> Fernet:
        return Fernet(self._raw(conn, key_id))

    def _raw(self, conn: sa.Connection, key_id: str) -> bytes:
        wrapped = conn.execute(sa.select(keys.c.wrapped).where(keys.c.id == key_id)).scalar()
        if wrapped is None:
            raise KeyDestroyed("the key is destroyed")
        try:
            return self._master.decrypt(wrapped)
        except InvalidToken:
            raise DsrError("none of the DATA_KEYS opens this record") from None
