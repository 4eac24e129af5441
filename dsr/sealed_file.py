"""Files encrypted at rest, written and read as streams: AES-256-GCM over numbered chunks.

Layout: 8 random bytes, then chunks of length (4 bytes, big endian) and ciphertext. A chunk's nonce is the random
prefix and its number; the last chunk says so in its associated data, so that truncation and reordering are found.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dsr.errors import DsrError

CHUNK = 65536


class SealedWriter:
    """A write-only, unseekable file; complete only after `commit`, and then under its final name.

    Args:
        key: 32 bytes.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._temporary = path, path.with_name(f".{path.name}.{os.getpid()}.{id(self)}")
        self._file = self._temporary.open("wb")
        self._aead, self._prefix = AESGCM(key), os.urandom(8)
        self._file.write(self._prefix)
        self._number, self._waiting, self._size = 0, bytearray(), 0

    def write(self, data: bytes) -> int:
        """Take more plain bytes; returns how many."""
        self._waiting += data
        self._size += len(data)
        while len(self._waiting) > CHUNK:
            self._chunk(bytes(self._waiting[:CHUNK]), b"more")
            del self._waiting[:CHUNK]
        return len(data)

    def flush(self) -> None:
        """Nothing: a chunk is written when it is full, the rest by `commit`."""

    def close(self) -> None:
        """Nothing: leaving the block decides between the final name and removal."""

    def tell(self) -> int:
        """Plain bytes so far."""
        return self._size

    def commit(self) -> None:
        """Finish the file and give it its name; durable when this returns."""
        self._chunk(bytes(self._waiting), b"last")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self._file.close()
            self._temporary.unlink(missing_ok=True)

    def _chunk(self, plain: bytes, kind: bytes) -> None:
        sealed = self._aead.encrypt(self._prefix + struct.pack(">I", self._number), plain, kind)
        self._file.write(struct.pack(">I", len(sealed)) + sealed)
        self._number += 1


def read(path: Path, key: bytes) -> Iterator[bytes]:
    """The plain bytes of a sealed file, in chunks.

    Raises:
        DsrError: wrong key, or the file was changed or cut.
    """
    with path.open("rb") as file:
        prefix, number, last = file.read(8), 0, False
        aead = AESGCM(key)
        while length := file.read(4):
            sealed = file.read(struct.unpack(">I", length)[0])
            nonce = prefix + struct.pack(">I", number)
            last = _is_end(file)
            try:
                yield aead.decrypt(nonce, sealed, b"last" if last else b"more")
            except InvalidTag:
                raise DsrError("a sealed file was changed, cut, or belongs to another key") from None
            number += 1
        if not last:
            raise DsrError("a sealed file was cut")


def _is_end(file: io.BufferedReader) -> bool:
    return not file.peek(1)
