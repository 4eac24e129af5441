"""An erased person is held again: told by a vendor's webhook, or found by looking after a back-up was restored."""

from __future__ import annotations

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from dsr import addresses, alarm, ledger
from dsr.errors import VendorError
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

    An erasure that the desk's database has forgotten means that a back-up was put back: who stands among the accounts
    then is erased again. That is done once. An account that is found later, or of somebody whose erasure is remembered,
    may be one that the person has opened: an agent decides.

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
    found = []
    if isinstance(own, OwnDatabaseProcessor):
        found = [a for a in own.addresses() if desk.vault.hash("address", a.strip().lower()) in known]
    for address in filter(None, map(addresses.normalise, found)):
        sure = desk.vault.hash("address", address) in forgotten
        with desk.db.write() as conn:
            reference = ledger.erase_again(desk, conn, address, OWN_DATABASE, received_at=desk.now(), sure=sure)
        if reference:
            opened.append(reference)
    if forgotten or opened:
        with desk.db.write() as conn:  # together: nothing counts as dealt with that nobody was told
            new = ledger.dealt_with(desk, conn, forgotten.values())
            if new or opened:
                _alarm(worker, conn, new, opened)
    return opened


def _alarm(worker: Worker, conn: sa.Connection, forgotten: list[str], opened: list[str]) -> None:
    text = f"{len(opened)} erased person(s) stand in the company's database again: {_some(opened)}." if opened else ""
    if forgotten:
        text += (
            f" The desk's database does not know of {len(forgotten)} erasure(s) in the ledger, so an old back-up was"
            f" restored: {_some(forgotten)}. Who was found is being erased again; about who turns up from now on an"
            " agent decides."
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
    except (VendorError, SQLAlchemyError) as error:
        log.error("could not look for erased persons", problem=type(error).__name__)
