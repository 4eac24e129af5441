"""The export package: collected from every processor, encrypted at rest, handed out once as a plain zip.

The key of a request's files is random and lies beside them, sealed with the person's own key: when that key is
destroyed, or the folder removed, the package and all that was collected for it cannot be opened any more.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from dsr import receipts, requests, sealed_file
from dsr.desk import Desk
from dsr.letters.certificate import Certificate
from dsr.model import DataFile, Right
from dsr.package import writer
from dsr.package.masking import Masker
from dsr.package.spool import Spool, portable
from dsr.requests import SubjectRequest
from dsr.store.tables import packages

_PACKAGE = "package.zip.age"
_KEY = "key"


def folder(desk: Desk, reference: str) -> Path:
    return Path(desk.settings.package_folder) / reference


def collect(desk: Desk, reference: str, processor: str, files: Iterable[DataFile]) -> dict[str, int]:
    """Spool everything that a processor exports; doing it again replaces it.

    Returns:
        file name -> rows (or 1 for an attachment).
    """
    with desk.db.read() as conn:
        request = requests.get(desk, conn, reference)
        subject = request.identities.plus(receipts.identities(desk, conn, reference))
        key = _key(desk, conn, request)
    company = desk.policy.controller.support.rpartition("@")[2]
    wanted = portable(files) if request.right is Right.EXPORT else files
    spool = Spool(folder(desk, reference) / f"{processor}.spool", key)
    members = spool.fill(wanted, Masker(subject, company, key.encode()))
    return {member.name: 1 if member.rows is None else member.rows for member in members}


def write(desk: Desk, request: SubjectRequest, sheet: Certificate) -> Path:
    """Make the package of what was collected; a later one replaces it. Long work: in no transaction.

    Args:
        sheet: what became of the request at every processor.
    """
    with desk.db.read() as conn:
        key = _key(desk, conn, request)
    where = folder(desk, request.reference)
    path = where / _PACKAGE
    spools = Spool.all(where, key)
    sealed_file.write(path, writer.package(spools, request, sheet, desk.policy, desk.now()), key)
    return path


def register(desk: Desk, conn: sa.Connection, request: SubjectRequest, path: Path) -> None:
    """From now on the package that was written can be downloaded."""
    now = desk.now()
    values = {
        "path": str(path),
        "key_id": request.row.key_id,
        "bytes": path.stat().st_size,
        "created_at": now,
        "expires_at": now + timedelta(seconds=desk.settings.package_expiry),
        "downloaded_at": None,
        "shredded_at": None,
    }
    conn.execute(packages.delete().where(packages.c.reference == request.reference))
    conn.execute(packages.insert().values(reference=request.reference, **values))


def read(desk: Desk, conn: sa.Connection, reference: str) -> Iterator[bytes] | None:
    """The package's plain zip as a stream; None if it is gone or expired. Takes no lock; call `handed_out` first.

    Raises:
        KeyDestroyed: the person's key is gone.
    """
    row = conn.execute(sa.select(packages).where(packages.c.reference == reference)).first()
    if row is None or row.shredded_at or row.expires_at <= desk.now() or not Path(row.path).exists():
        return None
    key = desk.vault.open(conn, row.key_id, (Path(row.path).parent / _KEY).read_bytes())
    return sealed_file.read(Path(row.path), key)


def shred(desk: Desk, conn: sa.Connection, reference: str) -> None:
    """Remove a package, its spools and their key."""
    shutil.rmtree(folder(desk, reference), ignore_errors=True)
    conn.execute(packages.update().where(packages.c.reference == reference).values(shredded_at=desk.now()))


def _key(desk: Desk, conn: sa.Connection, request: SubjectRequest) -> str:
    """The key of a request's files; made when first asked for, by whichever of several processors comes first."""
    path = folder(desk, request.reference) / _KEY
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{_KEY}.{secrets.token_hex(8)}")
        fresh.write_bytes(desk.vault.seal(conn, request.row.key_id, sealed_file.new_key()))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return str(desk.vault.open(conn, request.row.key_id, path.read_bytes()))
