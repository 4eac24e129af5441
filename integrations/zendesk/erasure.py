"""Erasing a person at Zendesk, in an order that a crash cannot break.

Messaging users and suspended mail; the person's words in other people's tickets (redacted); the person's tickets; and
only when these are gone, the users. Each deletion is two-step and permanent:
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#delete-tickets-permanently
https://developer.zendesk.com/api-reference/ticketing/users/users/#permanently-delete-user

A user with open tickets cannot be deleted. They are deleted, not solved first: solving would send the person mails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice

from dsr.errors import VendorAnswerUnexpected, VendorRefused
from dsr.model import (
    Identities,
    Identity,
    Operation,
    Receipt,
    ReceiptStatus,
    Residue,
    done,
    manual,
    no_match,
)
from integrations.zendesk.api import PERMANENT_USER_DELETIONS, TICKET_DELETIONS, Object, SupportApi, path_id
from integrations.zendesk.instructions import INSTRUCTIONS
from integrations.zendesk.lookup import (
    TICKET,
    Holding,
    comments_elsewhere,
    deleted_ticket_ids,
    holding,
    suspended,
    tickets,
)
from integrations.zendesk.payload import ident, text
from integrations.zendesk.sunco import SuncoApi

JOURNAL = "privacy-desk is deleting the tickets "
BATCH = 100  # tickets named in one journal entry
SOON, DAILY = 0.01, 1.0  # vendor's days until a job, a deletion across products is asked for again

STAFF = (
    "This person is an agent or administrator of the Zendesk account: first make them an end user "
    "(Admin Center > People > Team members). Then: "
)
REDACTED = Residue("comments in other people's tickets", "their text is redacted; the tickets belong to other people")


@dataclass
class Plan:
    """What is still to be done; travels as the receipt's handle (ids only, no addresses).

    Args:
        users: Support users to delete when the jobs are over.
        waiting: users whose permanent deletion was accepted.
        people: messaging users whose deletion was accepted.
        jobs: job -> ticket that it deletes for good.
        counts: what was done so far.
        by_hand: what a person must do besides.
    """

    users: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    by_hand: list[str] = field(default_factory=list)

    def count(self, kind: str, n: int = 1) -> None:
        if n:
            self.counts[kind] = self.counts.get(kind, 0) + n

    def handle(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def erase(support: SupportApi, sunco: SuncoApi | None, subject: Identities) -> Receipt:
    """Start, and finish if Zendesk finishes at once."""
    held = holding(support, sunco, subject)
    if held.doubtful:
        return manual("More than one person may be meant. " + INSTRUCTIONS[Operation.ERASE])
    if held.staff:
        return manual(STAFF + INSTRUCTIONS[Operation.ERASE])
    plan = Plan(users=[*held.users, *held.deleted], waiting=list(held.gone))
    if held.unreached:
        plan.by_hand.append("delete the messaging profile and its conversations, for messaging is not connected")
    if sunco:
        for id in held.people:
            sunco.delete_user(id)
            plan.people.append(id)
            plan.count("messaging users")
    for mail in suspended(support, subject):
        _delete_suspended(support, ident(mail, "id"), subject)
        plan.count("suspended tickets")
    residue = _redact(support, held, plan)
    touched = _delete_tickets(support, held, subject, plan)
    if held.nobody and not held.gone and not plan.counts and not plan.by_hand and not touched:
        return no_match("No user, ticket or messaging profile carries the address or the account id.")
    receipt = proceed(support, sunco, plan, residue)
    identities = (*held.identities(), *(Identity(TICKET, id) for id in touched))
    return Receipt(**{**receipt.__dict__, "identities": identities})


def status(support: SupportApi, sunco: SuncoApi | None, receipt: Receipt) -> Receipt:
    """Ask after jobs and go on.

    Raises:
        VendorAnswerUnexpected: the handle is not one of ours.
    """
    try:
        plan = Plan(**json.loads(receipt.handle))
    except (ValueError, TypeError):
        raise VendorAnswerUnexpected("zendesk", "a receipt without a handle of ours") from None
    return proceed(support, sunco, plan, receipt.residue)


def proceed(support: SupportApi, sunco: SuncoApi | None, plan: Plan, residue: tuple[Residue, ...]) -> Receipt:
    """The next steps that are possible now: tickets' jobs, then users, then Zendesk's deletion in all its products."""
    plan.jobs = dict(_unfinished(support, plan.jobs))
    if not plan.jobs:
        for id in plan.users:
            _delete_user(support, id)
            plan.count("users")
        plan.waiting, plan.users = [*plan.waiting, *plan.users], []
        plan.waiting = [id for id in plan.waiting if not _gone_everywhere(support, id)]
    plan.people = [id for id in plan.people if sunco is None or sunco.user(id) is not None]
    if plan.by_hand and not plan.jobs:
        return manual(
            "; ".join(plan.by_hand).capitalize() + ". All else is deleted. " + INSTRUCTIONS[Operation.ERASE],
            counts=plan.counts, residue=residue,
        )  # fmt: skip
    if plan.jobs or plan.waiting or plan.people:
        return Receipt(
            ReceiptStatus.IN_PROGRESS,
            counts=plan.counts,
            residue=residue,
            note="Zendesk is deleting.",
            ready_after_days=SOON if plan.jobs or not plan.waiting else DAILY,
            handle=plan.handle(),
        )
    return done(plan.counts, residue=residue)


def _redact(support: SupportApi, held: Holding, plan: Plan) -> tuple[Residue, ...]:
    """Take the person's words out of other people's tickets. Needs the Agent Workspace: else a person does it."""
    refused: dict[str, None] = {}
    for ticket, comment in list(comments_elsewhere(support, held)):
        attachments = comment.get("attachments")
        files = [text(a, "content_url") for a in attachments] if isinstance(attachments, list) else []
        words = text(comment, "html_body") or text(comment, "body")
        body: Object = {"ticket_id": int(ticket), "html_body": f"<redact>{words}</redact>"}
        if files:
            body["external_attachment_urls"] = files
        try:
            support.one("PUT", f"comment_redactions/{path_id(ident(comment, 'id'))}", "comment", json=body)
        except VendorRefused as error:
            if error.status in (401, 404):
                raise
            refused[ticket] = None
        else:
            plan.count("redacted comments")
    if refused:
        plan.by_hand.append(f"redact this person's comments in tickets {', '.join(refused)}, for the API refused to")
    return (REDACTED,) if refused or plan.counts.get("redacted comments") else ()


def _delete_tickets(support: SupportApi, held: Holding, subject: Identities, plan: Plan) -> list[str]:
    """Soft, then for good. Returns the ids.

    A soft-deleted ticket no longer leads to its requester. So before a ticket is touched its id is written into the
    notes of the user, who is deleted last: a second try reads there what the first had begun.
    """
    begun = [id for user in held.users.values() for id in _journal(user)]
    known = {*subject.of(TICKET), *begun}
    remains = deleted_ticket_ids(support) & known if known else set()
    for id in sorted(remains):
        _delete_for_good(support, id, plan)
    touched = sorted(remains)
    waiting = iter(list(dict.fromkeys(ident(t, "id") for t in tickets(support, held, "requested"))))
    while batch := list(islice(waiting, BATCH)):
        for user in held.users:
            note = {"user": {"notes": f"{JOURNAL}{' '.join(batch)}"}}
            support.one("PUT", f"users/{path_id(user)}", "user", json=note)
        for id in batch:
            TICKET_DELETIONS.wait()
            path = f"tickets/{path_id(id)}"
            support.delete(path, lambda path=path: support.look(path, "ticket") is not None)  # type: ignore[misc]
            _delete_for_good(support, id, plan)
        touched += batch
    return touched


def _delete_for_good(support: SupportApi, id: str, plan: Plan) -> None:
    path = f"deleted_tickets/{path_id(id)}"
    job = support.delete(path, lambda: id in deleted_ticket_ids(support), key="job_status")
    if job:
        if not ident(job, "id"):
            raise VendorAnswerUnexpected("zendesk", "accepted a permanent deletion without naming its job")
        plan.jobs[ident(job, "id")] = id
    plan.count("tickets")


def _unfinished(support: SupportApi, jobs: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Jobs that still run; a failed or forgotten one is started again if its ticket is still there."""
    for job, ticket in jobs.items():
        found = support.look(f"job_statuses/{path_id(job)}", "job_status")
        state = text(found, "status")
        if state in ("queued", "working"):
            yield job, ticket
        elif found is None or state in ("failed", "killed"):
            again = Plan()
            if ticket in deleted_ticket_ids(support):
                _delete_for_good(support, ticket, again)
            yield from again.jobs.items()
        elif state != "completed":
            raise VendorAnswerUnexpected("zendesk", "a job in a state that we do not know")


def _delete_user(support: SupportApi, id: str) -> None:
    """Soft, then for good. A second soft deletion answers 404 or 422 (which of them is not documented)."""

    def active() -> bool:
        user = support.look(f"users/{path_id(id)}", "user")
        return user is not None and user.get("active") is not False

    def recoverable() -> bool:
        return support.look(f"deleted_users/{path_id(id)}", "deleted_user") is not None

    support.delete(f"users/{path_id(id)}", active, key="user", gone=(404, 422))
    PERMANENT_USER_DELETIONS.wait()
    support.delete(f"deleted_users/{path_id(id)}", recoverable, key="deleted_user")


def _gone_everywhere(support: SupportApi, id: str) -> bool:
    """Has every Zendesk product deleted the user?

    The list holds entries of `application` and `action`. That the last action is called `complete` is not certain: with
    another word the receipt stays in progress, and is never taken for done.
    """
    found = support.look_list(f"users/{path_id(id)}/compliance_deletion_statuses", "compliance_deletion_statuses")
    if found is None:
        return True  # Zendesk does not know the user at all
    said = {(text(entry, "application"), text(entry, "action")) for entry in found}
    products = {application for application, _ in said if application != "all"}
    complete = {application for application, action in said if action in ("complete", "completed")}
    return "all" in complete or (bool(products) and products <= complete)


def _delete_suspended(support: SupportApi, id: str, subject: Identities) -> None:
    def still_there() -> bool:
        return any(ident(mail, "id") == id for mail in suspended(support, subject))

    support.delete(f"suspended_tickets/{path_id(id)}", still_there)


def _journal(user: Object) -> list[str]:
    note = text(user, "notes")
    return re.findall(r"\d+", note) if note.startswith(JOURNAL) else []
