"""What a page of ours sets off: codes typed there, withdrawal, downloads, "this was not me".

The pages themselves only read a form and show what came of it. All take the caller's transaction except
`handed_out`, which is one of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dsr import audit, commands, export, identity, links, outgoing, representation, requests
from dsr.codes import find_codes
from dsr.conversation import CodeChecked
from dsr.desk import Desk
from dsr.letters import mails
from dsr.model import RequestStatus, Right
from dsr.store.tables import challenges, packages
from dsr.store.tables import links as links_table
from dsr.store.tables import requests as requests_table
from dsr.store.vault import KeyDestroyed

S = RequestStatus

# What a code mailed from a page proves; it counts for nothing else (attack G15).
WITHDRAW = "withdraw"
DOWNLOAD = "download"

_LONGEST = 200  # characters that are looked at for a code: a mail's line, with room


# ---- codes -----------------------------------------------------------------------------------------------------------


def row(conn: sa.Connection, reference: str) -> sa.Row[Any]:
    """A request without its personal columns opened: all that a page shows."""
    return conn.execute(sa.select(requests_table).where(requests_table.c.reference == reference)).one()


def send_code(desk: Desk, conn: sa.Connection, reference: str, purpose: str) -> bool:
    """Mail a code for a page to the address of a request; earlier ones of its pages are void.

    Args:
        purpose: `WITHDRAW` or `DOWNLOAD`.

    Returns:
        False if the address has had too many codes.
    """
    request = requests.get(desk, conn, reference)
    # The status link stands in the conversation too, where a stranger may read it; the download's only in the mail.
    reserved = purpose == DOWNLOAD
    to = representation.recipient(desk, conn, request) if purpose == DOWNLOAD else request.address
    address_hash = desk.vault.hash("address", to)
    issued = identity.issue(desk, conn, address_hash, [purpose], reference=reference, reserved=reserved)
    if issued is None:
        return False
    not_me = links.make(
        desk, conn, "not_me", lifetime=timedelta(days=30), reference=reference, challenge_id=issued.challenge_id
    )
    mail = mails.code_mail(to, request.row.language, issued.code, not_me, company=desk.company, on_page=True)
    outgoing.mail(desk, conn, request.row.key_id, mail, f"code:{issued.challenge_id}", reference)
    return True


def check_code(desk: Desk, conn: sa.Connection, reference: str, typed: str, purpose: str) -> CodeChecked | None:
    """Compare what was typed on a page of this request; None if it cannot be a code: that costs no try."""
    found = find_codes(typed[:_LONGEST])
    if not found:
        return None
    request = requests.get(desk, conn, reference)
    if purpose == WITHDRAW:
        whose = request.address
    else:
        whose = (representation.recipient if purpose == DOWNLOAD else representation.asked)(desk, conn, request)
    address_hash = desk.vault.hash("address", whose) if whose else request.row.address_hash or ""
    return identity.check(desk, conn, found[:1], [purpose], address_hash, reference=reference)


# ---- verify and withdraw ---------------------------------------------------------------------------------------------


def confirm(desk: Desk, conn: sa.Connection, reference: str, typed: str) -> tuple[CodeChecked | None, str]:
    """The person of a request that an agent opened types their code.

    Returns:
        how the code was found, and the reference that goes on: an older open request of the same right, if there
        is one (attack G16), else this.
    """
    request = requests.get(desk, conn, reference, lock=True)
    checked = check_code(desk, conn, reference, typed, str(request.right))
    if checked is None or checked.result != "right":
        return checked, reference
    if standin := representation.of(desk, conn, reference):
        if standin.approved:
            commands.verified(desk, conn, reference, by=standin.proof)
        return checked, reference
    if older := requests.open_duplicate(desk, conn, request):
        why = f"the same as {older}, which is open"
        requests.move(desk, conn, reference, S.WITHDRAWN, who="desk", why=why)
        return checked, older
    commands.verified(desk, conn, reference, by="code")
    return checked, reference


def can_withdraw(request: sa.Row[Any]) -> bool:
    """May the status page offer it? Not for an age report: its address is the child's, not the reporter's."""
    return (
        S(request.status) in requests.WITHDRAWABLE
        and request.address_enc is not None
        and request.right != str(Right.AGE_REPORT)
    )


def withdraw(desk: Desk, conn: sa.Connection, reference: str, typed: str) -> CodeChecked | None:
    """Withdraw a request that has not begun, if the code is right; the conversation hears of it."""
    requests.get(desk, conn, reference, lock=True)
    checked = check_code(desk, conn, reference, typed, WITHDRAW)
    if checked is not None and checked.result == "right":
        commands.withdraw(desk, conn, "customer", reference, "withdrawn on the status page, with a code")
        commands.reply_in_conversation(desk, conn, reference, f"withdrawn:{reference}", "withdrawn")
    return checked


# ---- download --------------------------------------------------------------------------------------------------------


def download_link(desk: Desk, conn: sa.Connection, token: str, *, lock: bool = False) -> sa.Row[Any] | None:
    """The row of a download link, also when it is used or its time is up: the page then says so."""
    query = sa.select(links_table).where(
        links_table.c.token_hash == desk.vault.hash("link", token), links_table.c.kind == "download"
    )
    return conn.execute(query.with_for_update() if lock else query).first()


def downloadable(desk: Desk, conn: sa.Connection, link: sa.Row[Any]) -> bool:
    """Is the package still there, and the link unused and in time?"""
    if link.used_at is not None or link.expires_at <= desk.now():
        return False
    try:
        return export.read(desk, conn, link.reference) is not None
    except KeyDestroyed:
        return False


class Copy:
    """A package on its way to the person.

    Args:
        first: its first bytes; `rest`: what follows.

    Attributes:
        whole: the last byte was taken, and whoever took it asked for more.
    """

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self._first, self._rest = first, rest
        self.whole = False

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        yield from self._rest
        self.whole = True


def hand_out(desk: Desk, conn: sa.Connection, link: sa.Row[Any], second: str) -> Copy | None:
    """The package as a plain zip; the link is spent. None: it is gone, or somebody was faster.

    Args:
        second: what the person showed besides the link (the ladder's second factor), for the audit.

    The first bytes are read before the link is spent, so that a package that cannot be opened costs nobody theirs.

    Raises:
        DsrError: the package was changed or cut.
    """
    if not downloadable(desk, conn, link):
        return None
    stream = export.read(desk, conn, link.reference)
    if stream is None:
        return None
    first = next(stream, b"")
    if not links.use(desk, conn, link):
        return None
    reference = link.reference
    conn.execute(packages.update().where(packages.c.reference == reference).values(downloaded_at=desk.now()))
    audit.record(
        desk, conn, who="customer", what="package.downloaded", reference=reference, why=f"one-time link and {second}"
    )
    return Copy(first, stream)


def handed_out(desk: Desk, link: sa.Row[Any], *, whole: bool) -> None:
    """After the download: the copy is deleted if it was sent whole; if it broke off, it can be fetched once more."""
    with desk.db.write() as conn:
        (_delete_copy if whole else _give_back)(desk, conn, link)


def _delete_copy(desk: Desk, conn: sa.Connection, link: sa.Row[Any]) -> None:
    """What was collected stays until the request is complete: a last package may be made of it."""
    reference = link.reference
    path = conn.execute(
        sa.select(packages.c.path).where(packages.c.reference == reference, packages.c.downloaded_at.is_not(None))
    ).scalar()
    if path is None:  # a later package has taken its place, which nobody has fetched
        return
    if row(conn, reference).status == str(S.COMPLETED):
        export.shred(desk, conn, reference)
        return
    Path(path).unlink(missing_ok=True)
    conn.execute(packages.update().where(packages.c.reference == reference).values(shredded_at=desk.now()))


def _give_back(desk: Desk, conn: sa.Connection, link: sa.Row[Any]) -> None:
    """The link works again until its time is up, with a fresh proof: no more with the word, if a code can be mailed."""
    reference = link.reference
    word = links_table.c.word_hash if row(conn, reference).address_enc is None else None
    given_back = conn.execute(
        links_table.update()
        .where(links_table.c.token_hash == link.token_hash, links_table.c.expires_at > desk.now())
        .values(used_at=None, word_hash=word)
    )
    if given_back.rowcount:
        conn.execute(packages.update().where(packages.c.reference == reference).values(downloaded_at=None))
        why = "the download broke off; the copy can be fetched again with a fresh proof"
        audit.record(desk, conn, who="desk", what="package.broke_off", reference=reference, why=why)


# ---- "this was not me" -----------------------------------------------------------------------------------------------


def concerned(desk: Desk, conn: sa.Connection, link: sa.Row[Any]) -> list[sa.Row[Any]]:
    """Requests that a not-me link is about: those of the address to which it was mailed, and no others.

    Somebody may have claimed several addresses in one conversation; the owner of one learns nothing of the rest.
    """
    c = requests_table.c
    if link.reference:
        return list(conn.execute(sa.select(requests_table).where(c.reference == link.reference)))
    mailed_to = sa.select(challenges.c.address_hash).where(challenges.c.id == link.challenge_id).scalar_subquery()
    query = sa.select(requests_table).where(c.conversation_id == link.conversation_id, c.address_hash == mailed_to)
    return list(conn.execute(query.order_by(c.received_at)))


def can_stop(desk: Desk, conn: sa.Connection, link: sa.Row[Any]) -> bool:
    """Is there anything left that pressing the button would stop?"""
    rows = concerned(desk, conn, link)
    if any(requests.can_freeze(r) for r in rows):
        return True
    return bool(conn.execute(sa.select(links_table.c.token_hash).where(_open_downloads(desk, rows)).limit(1)).first())


def stop(desk: Desk, conn: sa.Connection, link: sa.Row[Any]) -> bool:
    """Freeze what the link is about, void its codes, close its downloads, and tell the address what was stopped.

    Returns:
        False if nothing was left to stop.
    """
    stoppable = can_stop(desk, conn, link)
    frozen = set(commands.not_me(desk, conn, link))
    for found in concerned(desk, conn, link):
        closed = conn.execute(links_table.update().where(_open_downloads(desk, [found])).values(used_at=desk.now()))
        downloads = sa.and_(links_table.c.kind == "download", links_table.c.reference == found.reference)
        alive = links_table.c.expires_at > desk.now()  # also of a download under way: not given back if it breaks off
        conn.execute(links_table.update().where(downloads, alive).values(expires_at=desk.now()))
        if closed.rowcount:
            why = '"this was not me" was pressed'
            audit.record(desk, conn, who="customer", what="package.closed", reference=found.reference, why=why)
        if found.reference in frozen or closed.rowcount:
            _mail_stopped(desk, conn, found.reference)
    if stoppable:
        links.use(desk, conn, link)
    return stoppable


def _mail_stopped(desk: Desk, conn: sa.Connection, reference: str) -> None:
    request = requests.get(desk, conn, reference)
    if request.address:
        mail = mails.not_me_mail(request.address, request.row.language, reference=reference, company=desk.company)
        outgoing.mail(desk, conn, request.row.key_id, mail, f"stopped:{reference}", reference)


def _open_downloads(desk: Desk, rows: list[sa.Row[Any]]) -> sa.ColumnElement[bool]:
    c = links_table.c
    return sa.and_(
        c.kind == "download",
        c.reference.in_([r.reference for r in rows]),
        c.used_at.is_(None),
        c.expires_at > desk.now(),
    )
