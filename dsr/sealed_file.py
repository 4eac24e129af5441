"""Files encrypted at rest, written and read as streams, in the age format (https://age-encryption.org/v1).

The payload is sealed in numbered chunks of 64 KiB, so that a changed, cut or reordered file is found where it is
wrong. With its key a file opens in the standard `age` tool too.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyrage

from dsr.errors import DsrError

_BLOCK = 65536
_AHEAD = 4  # blocks that are decrypted before somebody takes them


def new_key() -> str:
    """A fresh X25519 identity, `AGE-SECRET-KEY-1…`."""
    return str(pyrage.x25519.Identity.generate())


def write(path: Path, chunks: Iterable[bytes], key: str) -> None:
    """Seal what `chunks` gives; durable and complete when this returns, and nothing under this name before.

    Args:
        key: from `new_key`.

    Raises:
        Exception: whatever `chunks` raises; then nothing is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    source = _Source(iter(chunks))
    try:
        with temporary.open("wb") as file:
            pyrage.encrypt_io(source, file, [_identity(key).to_public()])
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except Exception as error:
        raise source.error or error from None  # what the source raised, which age would wrap
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path, key: str) -> Iterator[bytes]:
    """The plain bytes of a sealed file, in chunks.

    Raises:
        DsrError: wrong key, or the file was changed or cut.
    """
    identity, blocks = _identity(key), _Blocks()
    thread = threading.Thread(target=blocks.fill, args=(path, identity), daemon=True)
    thread.start()
    try:
        while block := blocks.queue.get():
            yield block
        if blocks.error is not None:
            raise DsrError("a sealed file was changed, cut, or belongs to another key") from None
    finally:
        blocks.stop()
        thread.join()


def _identity(key: str) -> Any:
    return pyrage.x25519.Identity.from_str(key)


class _Source:
    """What age reads from: the chunks as one stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._waiting = chunks, bytearray()
        self.error: Exception | None = None

    def read(self, size: int) -> bytes:
        try:
            while len(self._waiting) < size and (chunk := next(self._chunks, None)) is not None:
                self._waiting += chunk
        except Exception as error:
            self.error = error
            raise
        block = bytes(self._waiting[:size])
        del self._waiting[:size]
        return block


class _Blocks:
    """What age writes to, in a thread of its own, because it pushes where a download pulls."""

    def __init__(self) -> None:
        self.queue: queue.Queue[bytes] = queue.Queue(_AHEAD)  # an empty block is the end
        self.error: Exception | None = None
        self._waiting, self._stopped = bytearray(), False

    def fill(self, path: Path, identity: Any) -> None:
        try:
            with path.open("rb") as file:
                pyrage.decrypt_io(file, self, [identity])
            if self._waiting:
                self._put(bytes(self._waiting))
        except Exception as error:
            self.error = error
        with suppress(BrokenPipeError):
            self._put(b"")

    def write(self, data: bytes) -> int:
        self._waiting += data
        if len(self._waiting) >= _BLOCK:
            self._put(bytes(self._waiting))
            self._waiting.clear()
        return len(data)

    def flush(self) -> None:
        """Nothing: a block goes on when it is full, the rest at the end."""

    def stop(self) -> None:
        """Nobody reads any more."""
        self._stopped = True

    def _put(self, block: bytes) -> None:
        while not self._stopped:
            try:
                return self.queue.put(block, timeout=0.05)
            except queue.Full:
                continue
        raise BrokenPipeError
