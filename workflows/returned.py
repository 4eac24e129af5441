"""An erased person is held again: told by a vendor's webhook, or found by looking after a back-up was restored."""

from __future__ import annotations

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from dsr import addresses, alarm, audit, ledger, own_data
from dsr.desk import Desk
from dsr.errors import DsrError, VendorError
from dsr.fulfilment import OWN_DATABASE
from dsr.messages import ContactChanged
from dsr.model import Findings, Identities
from integrations.own_database.processor import OwnDatabaseProcessor
from integrations.processor import Processor
from workflows.context import Worker

log = structlog.get_logger()
NAMED = 20  # references in one alarm


def still_held(worker: Worker, event: ContactChanged) -> bool | None:
    """Ask before anything is opened: news of a contact may be the late echo of our own erasure.

    Returns:
        None if there is nothing to do: the person was never erased, or the vendor holds nothing. Else whether the
        person may be erased without asking an agent: True only if the company's database was asked and has no
        account, which they might have opened themselves.

    Raises:
        VendorError: somebody did not answer; try again.
    """
    address, processors = addresses.normalise(event.address), worker.connections.processors
    if not address or not ledger.knows(worker.desk, worker.desk.vault.hash("address", address)):
        return None
    subject = Identities.of_email(address)
    vendor = processors.get(event.vendor)
    if vendor is not None and _find(vendor, subject).nothing:
        return None
    return _find(processors[OWN_DATABASE], subject).nothing


def _find(processor: Processor, subject: Identities) -> Findings:
    try:
        return processor.find(subject)
    except VendorError as error:
        if error.retry:
            raise
        return Findings(unknowable=error.what)  # asking again would not help, and the person must not be forgotten


def look(worker: Worker) -> list[str]:
    """Compare the ledger with the desk's database and with the company's accounts.

    An erasure that the desk's database has forgotten means that a back-up was put back: what the desk itself holds of
    the person is erased, and so is the person, if they stand among the accounts or the desk can still read their
    address. That is done once. An account that is found later, or of somebody whose erasure is remembered, may be one
    that the person has opened: an agent decides.

    Returns:
        references of the erasures that were opened.

    Raises:
        VendorError: the accounts could not be read.
    """
    desk, known = worker.desk, ledger.entries(worker.desk)
    if not known:
        return []
    forgotten, opened = ledger.lost(desk, known), []
    own = worker.connections.processors[OWN_DATABASE]
    asked = isinstance(own, OwnDatabaseProcessor)
    found = map(addresses.normalise, own.addresses()) if isinstance(own, OwnDatabaseProcessor) else ()
    accounts = {hash_: a for a in filter(None, found) if (hash_ := desk.vault.hash("address", a)) in known}
    for hash_ in sorted(forgotten.keys() | accounts):
        with desk.db.write() as conn:
            # Read before it is erased. Whether the person has come back is known only where accounts were asked.
            address = accounts.get(hash_) or own_data.address(desk, conn, hash_)
            sure = hash_ in forgotten and asked
            if hash_ in forgotten:
                _erase_own(desk, conn, hash_, forgotten[hash_])
            where = OWN_DATABASE if hash_ in accounts else own_data.NAME
            reference = address and ledger.erase_again(desk, conn, address, where, received_at=desk.now(), sure=sure)
        if reference:
            opened.append(reference)
    if forgotten or opened:
        with desk.db.write() as conn:  # together: nothing counts as dealt with that nobody was told
            new = ledger.dealt_with(desk, conn, forgotten.values())
            if new or opened:
                _alarm(worker, conn, new, opened)
    return opened


def _erase_own(desk: Desk, conn: sa.Connection, address_hash: str, reference: str) -> None:
    """Erase the desk's own rows of a person, which a back-up has brought back.

    Args:
        reference: of the erasure that it has forgotten.
    """
    if counts := own_data.erase(desk, conn, address_hash):
        why = "a restored back-up had brought back the desk's own records of an erased person"
        audit.record(desk, conn, who="desk", what="own_data.erased", reference=reference, why=why, details=counts)


def _alarm(worker: Worker, conn: sa.Connection, forgotten: list[str], opened: list[str]) -> None:
    text = f"{len(opened)} erased person(s) are held again: {_some(opened)}." if opened else ""
    if forgotten:
        text += (
            f" The desk's database does not know of {len(forgotten)} erasure(s) in the ledger, so an old back-up was"
            f" restored: {_some(forgotten)}. What the desk itself held of them is erased, but for what open"
            " requests need, and who was found is being erased again. About who turns up from now on an agent decides."
        )
    # An erasure is forgotten once and opened once in one state of the database, so no other alarm has this key.
    alarm.sound(worker.desk, conn, text.strip(), f"returned:{(opened or forgotten)[0]}")


def _some(references: list[str]) -> str:
    more = len(references) - NAMED
    return ", ".join(references[:NAMED]) + (f" and {more} more" if more > 0 else "")


def daily(worker: Worker) -> None:
    """Look, at the worker's start and once a day; what could not be read today is read tomorrow."""
    try:
        look(worker)
    except (DsrError, SQLAlchemyError) as error:
        log.error("could not look for erased persons", problem=type(error).__name__)
