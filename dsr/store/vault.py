"""Encryption of personal columns, and keyed hashes for look-up.

Each person (before that: each conversation) has a key of their own, wrapped by the DATA_KEYS. Destroying that key
makes what it protected unreadable wherever it still lies: in freed pages, in logs of the database, in copies of files.
A whole back-up of the database holds the wrapped key as well, and is readable until it is deleted or DATA_KEYS are.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from dsr.errors import DsrError
from dsr.store.tables import keys

FRESH = 64


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
        self._fresh: OrderedDict[str, bytes] = OrderedDict()  # keys made here just now, to be used in a moment

    def hash(self, kind: str, value: str) -> str:
        """Keyed hash of a value; `kind` keeps equal values of different meaning apart."""
        return hmac.digest(self._hash_key, f"{kind}\0{value}".encode(), "sha256").hex()

    def new_key(self, conn: sa.Connection) -> str:
        id, raw = secrets.token_hex(16), Fernet.generate_key()
        conn.execute(keys.insert(), {"id": id, "wrapped": self._master.encrypt(raw), "created_at": self._now()})
        self._fresh[id] = raw
        while len(self._fresh) > FRESH:
            self._fresh.popitem(last=False)
        return id

    def destroy(self, conn: sa.Connection, key_id: str) -> None:
        """Overwrite a key with nothing; its row stays, and says when."""
        self._fresh.pop(key_id, None)
        conn.execute(keys.update().where(keys.c.id == key_id).values(wrapped=None, destroyed_at=self._now()))

    def alive(self, conn: sa.Connection, key_id: str) -> bool:
        return conn.execute(sa.select(keys.c.wrapped).where(keys.c.id == key_id)).scalar() is not None

    def seal(self, conn: sa.Connection, key_id: str, value: Any) -> bytes:
        """Encrypt a JSON value with a person's key."""
        return self._key(conn, key_id).encrypt(json.dumps(value, ensure_ascii=False).encode())

    def open(self, conn: sa.Connection, key_id: str, sealed: bytes | None) -> Any:
        """Decrypt what `seal` made; None, and what was emptied since, is None.

        Raises:
            KeyDestroyed: the key is gone.
        """
        return None if not sealed else json.loads(self._key(conn, key_id).decrypt(sealed))

    def file_key(self, conn: sa.Connection, key_id: str) -> bytes:
        """32 bytes for encrypting this person's files, derived from their key."""
        return hmac.new(self._raw(conn, key_id), b"files", sha256).digest()

    def _key(self, conn: sa.Connection, key_id: str) -> Fernet:
        return Fernet(self._raw(conn, key_id))

    def _raw(self, conn: sa.Connection, key_id: str) -> bytes:
        if fresh := self._fresh.get(key_id):
            return fresh
        wrapped = conn.execute(sa.select(keys.c.wrapped).where(keys.c.id == key_id)).scalar()
        if wrapped is None:
            raise KeyDestroyed("the key is destroyed")
        try:
            return self._master.decrypt(wrapped)
        except InvalidToken:
            raise DsrError("none of the DATA_KEYS opens this record") from None
