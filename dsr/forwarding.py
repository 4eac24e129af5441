"""Requests of people who get mail from a customer of the company: the customer is the controller (Art. 4(7), 28(3)(e)).

Their rows are suppressed or erased in that list like any other; the customer's account is mailed a notice with the one
thing that it needs, the recipient's address, which is its own data. The person, once proved, is told who the controller
is; before proof nothing they read depends on whether an address stands in a list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from dsr import audit, outgoing, representation, requests
from dsr.desk import Desk
from dsr.errors import NotVerified, RequestError, TransitionNotAllowed
from dsr.fulfilment import OWN_DATABASE, Step
from dsr.letters import mails
from dsr.model import ReceiptStatus, Right
from dsr.requests import SubjectRequest

KEPT = "customers"  # in the request's details
# About a child nobody is told anything; everything else is the controller's to answer.
FORWARDED = frozenset(Right) - {Right.AGE_REPORT}
_ACCOUNT = re.compile(r"[\w.:-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Customer:
    """A customer of the company, the controller of its lists.

    Args:
        account: id in the company's database.
        address: of the account.
        company: its name; empty if it has given none.
    """

    account: str
    address: str
    company: str


def concerns(right: Right, *, account_holder: bool) -> bool:
    """Is a request of this person for the customers in whose lists the address stands?

    An account holder asks the company as controller; only what stops mail is meant for every list.
    """
    return right in FORWARDED and (right in (Right.UNSUBSCRIBE, Right.OBJECTION) or not account_holder)


def keep(desk: Desk, reference: str, customers: Sequence[Customer]) -> None:
    """Remember the customers, before their rows change; sealed with the person's key."""
    with desk.db.write() as conn:
        request = requests.get(desk, conn, reference, lock=True)
        others = [asdict(c) for c in customers if c.address.strip().lower() != request.address]
        if others:
            details = desk.vault.seal(conn, request.row.key_id, {**request.details, KEPT: others})
            requests.update(conn, reference, details_enc=details)


def forward_kept(desk: Desk, request: SubjectRequest, steps: Sequence[Step]) -> None:
    """Tell the customers, once what the desk does in their lists is done; repeated, it tells nobody twice."""
    kept = request.details.get(KEPT)
    own = [step for step in steps if step.processor == OWN_DATABASE]
    if not kept or not own or any(step.status is not ReceiptStatus.COMPLETED for step in own):
        return
    if request.right is not Right.UNSUBSCRIBE and not request.verified:
        return
    with desk.db.write() as conn:
        send(desk, conn, requests.get(desk, conn, request.reference), [Customer(**c) for c in kept], who="desk")


def send(desk: Desk, conn: sa.Connection, request: SubjectRequest, customers: Sequence[Customer], *, who: str) -> int:
    """Mail each customer the notice, and the proved person who the controllers are; each once a request.

    Returns:
        how many customers had not been told yet.
    """
    reference, row, told = request.reference, request.row, []
    for customer in customers:
        key = f"forward:{reference}:{_short(desk, customer)}"
        if not outgoing.is_new(conn, key):
            continue
        notice = mails.forwarded_mail(
            customer.address,
            row.language,
            reference=reference,
            right=request.right,
            recipient=request.address,
            received=row.received_at,
            company=desk.company,
        )
        outgoing.mail(desk, conn, row.key_id, notice, key, reference)
        told.append(customer)
    names = list(dict.fromkeys(c.company for c in told if c.company))
    if names and request.verified:
        to = representation.recipient(desk, conn, request)
        mail = mails.controller_mail(to, row.language, reference=reference, names=names, company=desk.company)
        outgoing.mail(desk, conn, row.key_id, mail, f"controller:{reference}:{_short(desk, told[0])}", reference)
    if told:
        why = f"told {len(told)} customers, who are the controllers of their lists (GDPR Art. 28(3)(e))"
        audit.record(desk, conn, who=who, what="request.forwarded", reference=reference, why=why)
    return len(told)


def by_hand(desk: Desk, conn: sa.Connection, agent: str, reference: str, account: str) -> str:
    """An agent forwards a request to a customer whom the database does not show; the worker looks the account up.

    Args:
        account: the customer's account id, never an address.

    Returns:
        what happens, for the agent.

    Raises:
        RequestError: that is no account id.
        TransitionNotAllowed: this request is not forwarded, or its address is gone.
        NotVerified: the person is not proved.
    """
    if not _ACCOUNT.fullmatch(account):
        raise RequestError("name the customer by its account id, not by an address")
    request = requests.get(desk, conn, reference, lock=True)
    if request.right not in FORWARDED:
        raise TransitionNotAllowed("nobody is told of a report about a child")
    if not request.address:
        raise TransitionNotAllowed("the desk does not know the address any more; the customer could not act")
    if request.right is not Right.UNSUBSCRIBE and not request.verified:
        raise NotVerified("the person is not proved; a claim is not passed on (GDPR Art. 12(6))")
    desk.tasks.forward(conn, reference, account)
    audit.record(desk, conn, who=f"agent:{agent}", what="forward.asked", reference=reference, why="by hand")
    return "the customer is told as soon as its account is found; if there is none, the agents' channel says so"


def not_found(desk: Desk, reference: str, account: str) -> None:
    """The account that an agent named does not exist."""
    with desk.db.write() as conn:
        text = f"{reference}: not forwarded, the company's database has no account of this id with an address."
        key_id = requests.get(desk, conn, reference).row.key_id
        key = f"forward:none:{reference}:{desk.vault.hash('customer', account)[:16]}:{desk.now().isoformat()}"
        outgoing.tell_agents(desk, conn, key_id, text, key, reference)


def _short(desk: Desk, customer: Customer) -> str:
    return desk.vault.hash("customer", customer.account)[:32]
