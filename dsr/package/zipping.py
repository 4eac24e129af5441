"""A zip as a stream of bytes, with the checksum and size of every member. Memory does not grow with its size."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_DATE = (1980, 1, 1, 0, 0, 0)  # one time stamp for all members: the package tells nothing about our machine
_BLOCK = 65536


@dataclass(frozen=True)
class Written:
    """One member as it stands in the archive."""

    sha256: str
    bytes: int


class Archive:
    """Members one after the other; what is written must be taken in between."""

    def __init__(self) -> None:
        self._out = _Out()
        self._zip = zipfile.ZipFile(self._out, "w", zipfile.ZIP_DEFLATED)
        self.written: dict[str, Written] = {}

    def add(self, name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Write one member; gives the archive's bytes as they come."""
        info = zipfile.ZipInfo(name, _DATE)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as member:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                member.write(chunk)
                if len(self._out.waiting) >= _BLOCK:
                    yield self._out.take()
        self.written[name] = Written(digest.hexdigest(), size)

    def close(self) -> Iterator[bytes]:
        """Write the directory; gives the rest."""
        self._zip.close()
        yield self._out.take()


class _Out(io.RawIOBase):
    """Where the zip is written to: unseekable, so that sizes and checksums follow the data."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # zipfile writes bytes, never another buffer
        self.waiting += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self.waiting)
        self.waiting.clear()
        return taken
