"""The ends of a request: when it may act, the last line in its conversation, its package, its certificate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from dsr import (
    audit,
    clocks,
    codes,
    commands,
    export,
    fulfilment,
    holds,
    lifting,
    links,
    outgoing,
    receipts,
    representation,
    requests,
    standing,
)
from dsr.desk import Desk
from dsr.fulfilment import Farewell, Step
from dsr.letters import mails
from dsr.letters.certificate import Certificate, CertificateRow
from dsr.messages import ConversationRef
from dsr.model import Identities, Operation, RequestStatus, Right, Verdict
from dsr.requests import SubjectRequest
from dsr.store.tables import challenges, conversations
from dsr.store.tables import outgoing as outgoing_table
from dsr.store.tables import requests as requests_table

S = RequestStatus


def ready(desk: Desk, reference: str) -> SubjectRequest | None:
    """The request, if it may act now; moves it on when its waiting time is over, else sees to its waking."""
    with desk.db.write() as conn:
        request = requests.get(desk, conn, reference, lock=True)
        now, wake = desk.now(), request.row.wake_at
        if request.status is S.IDENTITY_PENDING:
            if wake and wake <= now:
                requests.move(desk, conn, reference, S.EXPIRED, who="desk", why="the person never proved who they are")
                lifting.lift(desk, conn, reference, who="desk")
            return None
        if request.status is S.COOLING_OFF:
            start = request.row.start_at
            if start is None:  # waits for its export; should that have ended without a package, it waits no longer
                if requests.get(desk, conn, request.row.after_reference).status not in requests.OPEN:
                    _start_what_waited(desk, conn, request.row.after_reference)
                return None
            if start > now:
                desk.tasks.advance(conn, reference, delay=(start - now).total_seconds() + 0.05)
                return None
            return requests.move(
                desk, conn, reference, S.IN_PROGRESS, who="desk", why="the cooling-off time is over", started_at=now
            )
        lifts = request.status is S.COMPLETED and lifting.ended(conn, request)
        if (lifts or request.status in lifting.ENDED) and not lifting.under_way(conn, reference):
            return None
        acts = (
            lifts
            or request.status in (S.IN_PROGRESS, S.PARTIALLY_COMPLETED, *lifting.ENDED)
            or (request.status is S.WAITING_FOR_AGENT and request.right is Right.AGE_REPORT)
        )
        return request if acts else None


def conversation_ref(desk: Desk, request: SubjectRequest) -> ConversationRef | None:
    if not request.row.conversation_id:
        return None
    with desk.db.read() as conn:
        row = conn.execute(sa.select(conversations).where(conversations.c.id == request.row.conversation_id)).one()
        return ConversationRef(**desk.vault.open(conn, row.key_id, row.ref_enc))


def proved_in_conversation(desk: Desk, request: SubjectRequest) -> bool:
    """Was the code typed by the conversation's author? Then that is the person; typed on a page it may not be."""
    c, row = challenges.c, request.row
    used = sa.select(c.id).where(
        c.conversation_id == row.conversation_id, c.address_hash == row.address_hash, c.used_at.is_not(None)
    )
    with desk.db.read() as conn:
        return row.conversation_id is not None and conn.execute(used.limit(1)).first() is not None


def keep_identities(desk: Desk, reference: str, found: Identities, *, several: bool) -> None:
    """Remember whom the request is about.

    Args:
        several: the own database knows several accounts; none of their identifiers is among those found.
    """
    with desk.db.write() as conn:
        request = requests.get(desk, conn, reference, lock=True)
        if not request.address:
            return  # it ended meanwhile
        key_id = request.row.key_id
        sealed = desk.vault.seal(conn, key_id, [(i.type, i.value) for i in found.all])
        requests.update(conn, reference, identities_enc=sealed)
        if several:
            details = desk.vault.seal(conn, key_id, {**request.details, "several": True})
            requests.update(conn, reference, details_enc=details)


def farewell_key(reference: str) -> str:
    return f"farewell:{reference}"


def say_farewell(desk: Desk, reference: str) -> None:
    """The last line in the conversation, before it is erased itself."""
    with desk.db.write() as conn:
        commands.reply_in_conversation(desk, conn, reference, farewell_key(reference), "farewell")


def farewell(desk: Desk, reference: str, steps: Sequence[Step]) -> Farewell:
    """How it stands with the last line. One that could not be said does not hold up the erasure."""
    if not any(step.stage == 2 for step in steps):
        return "not needed"
    with desk.db.read() as conn:
        row = conn.execute(sa.select(outgoing_table).where(outgoing_table.c.key == farewell_key(reference))).first()
    if row is None:
        return "to say"
    return "over" if row.sent_at or row.failed_at else "on its way"


def answer_by(request: SubjectRequest) -> datetime | None:
    """When the person of an erasure must have been told what was done; None once they were."""
    if request.right is not Right.ERASURE or request.status is not S.IN_PROGRESS:
        return None
    due: datetime = request.row.due_at
    return due - fulfilment.ANSWER_BEFORE


def finish(desk: Desk, reference: str, labels: Mapping[str, str]) -> bool:
    """Nothing automated is left, or only vendors' delays that outlast the deadline: end the request, or say what waits.

    Args:
        labels: processor name -> the policy's label.

    Returns:
        True if the status changed.
    """
    package = _packed(desk, reference, labels)
    with desk.db.write() as conn:
        request = requests.get(desk, conn, reference, lock=True)
        steps = receipts.steps(desk, conn, reference)
        if request.status in (S.WAITING_FOR_AGENT, S.COMPLETED, *lifting.ENDED):
            return False  # the age report's decision is an agent's; of what has ended only the lift was left
        if desk.proof.wait_for_code(request.right) and not request.verified:
            return _wait_for_proof(desk, conn, request)
        lifted = lifting.ended(conn, request)
        over = fulfilment.complete(steps) and not holds.active(desk, conn, reference)
        to = S.COMPLETED if over else S.PARTIALLY_COMPLETED
        only_held = all(s.settled and not s.by_hand for s in steps)
        if to is S.PARTIALLY_COMPLETED and request.row.answered_at is None and only_held:
            requests.update(conn, reference, answered_at=desk.now())  # only a hold is left, and the person was told
        if to is request.status:
            return False
        if request.right in (Right.EXPORT, Right.ACCESS) and (package is None or package[0] is not to):
            desk.tasks.advance(conn, reference)  # a person ended a task meanwhile: the package is made again
            return False
        now = desk.now()
        request = requests.move(
            desk, conn, reference, to, who="desk", why="no automated step is open", finished_at=now, certificate_at=now
        )
        if package is not None:
            _hand_out_package(desk, conn, request, to, package[1])
        elif not lifted and request.right not in (Right.UNSUBSCRIBE, Right.AGE_REPORT):
            # Of an age report nobody is told anything, of a lift the person was told before.
            _issue_certificate(desk, conn, request, labels)
        stands = not lifted and standing.begins(desk, conn, request)
        if to is S.COMPLETED and not stands and request.right not in (Right.EXPORT, Right.ACCESS):
            # The address has done its work; the keyed hash and the reference stay. (Of an export it goes with the
            # package, whose page may still have to mail a code.)
            requests.update(conn, reference, address_enc=None, identities_enc=None)
        return True


def _wait_for_proof(desk: Desk, conn: sa.Connection, request: SubjectRequest) -> bool:
    """Mail is stopped; the restriction waits for proof, and without it the request ends as it is."""
    age = desk.now() - request.row.received_at
    if age.total_seconds() < desk.settings.identity_expiry:
        return False
    requests.move(
        desk,
        conn,
        request.reference,
        S.COMPLETED,
        who="desk",
        why="suppressed; no proof came for a restriction",
        finished_at=desk.now(),
    )
    return True


def _packed(desk: Desk, reference: str, labels: Mapping[str, str]) -> tuple[RequestStatus, Path] | None:
    """The package of an export whose status is about to change, and to what.

    It is made before the transaction that says so: a large one takes seconds, in which SQLite lets nobody else write.
    """
    with desk.db.read() as conn:
        request = requests.get(desk, conn, reference)
        if request.right not in (Right.EXPORT, Right.ACCESS):
            return None
        to = S.COMPLETED if fulfilment.complete(receipts.steps(desk, conn, reference)) else S.PARTIALLY_COMPLETED
        if to is request.status:
            return None
        now = desk.now()
        sheet = replace(certificate(desk, conn, request, labels), finished=now, complete=to is S.COMPLETED)
    return to, export.write(desk, request, sheet)


def _hand_out_package(
    desk: Desk, conn: sa.Connection, request: SubjectRequest, status: RequestStatus, package: Path
) -> None:
    reference, row = request.reference, request.row
    to = representation.recipient(desk, conn, request)
    # A word in the same mailbox as the link would be no second factor: there the page asks for a fresh code.
    in_chat = row.conversation_id and row.channel not in desk.by_mail
    word = codes.new_word() if in_chat and to == request.address else ""
    lifetime = timedelta(seconds=desk.settings.package_expiry)
    export.register(desk, conn, request, package)
    link = links.make(desk, conn, "download", lifetime=lifetime, reference=reference, word=word)
    mail = mails.package_mail(
        to,
        row.language,
        reference=reference,
        link=link,
        expires=desk.now() + lifetime,
        company=desk.company,
    )
    outgoing.mail(desk, conn, row.key_id, mail, f"package:{reference}:{status}", reference)
    if word:
        commands.reply_in_conversation(
            desk, conn, reference, f"package:{reference}:{status}:word", "export_ready", word=word
        )
    _start_what_waited(desk, conn, reference)


def _start_what_waited(desk: Desk, conn: sa.Connection, reference: str) -> None:
    """An erasure that waited for this export begins its cooling-off time."""
    c = requests_table.c
    start = desk.now() + timedelta(seconds=desk.settings.cooling_off)
    waiting = conn.execute(
        sa.select(c.reference).where(
            c.after_reference == reference, c.status == str(S.COOLING_OFF), c.start_at.is_(None)
        )
    ).scalars()
    for other in list(waiting):
        requests.update(conn, other, start_at=start, wake_at=start)
        desk.tasks.advance(conn, other, delay=desk.settings.cooling_off)


def _issue_certificate(desk: Desk, conn: sa.Connection, request: SubjectRequest, labels: Mapping[str, str]) -> None:
    issued = certificate(desk, conn, request, labels)
    to = representation.recipient(desk, conn, request)
    mail = mails.certificate_mail(to, request.row.language, issued, company=desk.company)
    outgoing.mail(
        desk, conn, request.row.key_id, mail, f"certificate:{request.reference}:{request.status}", request.reference
    )
    audit.record(
        desk,
        conn,
        who="desk",
        what="certificate.issued",
        reference=request.reference,
        why=str(request.status),
        details={row.processor_label: str(row.verdict) for row in issued.rows},
    )
    asking = desk.channels.get(request.row.channel, "")
    steps = receipts.steps(desk, conn, request.reference)
    if all(step.settled for step in steps) and (request.right is not Right.ERASURE or not asking):
        by_hand = any(step.by_hand for step in steps)
        key = "finished" if request.status is S.COMPLETED else "partly" if by_hand else "partly_held"
        commands.reply_in_conversation(desk, conn, request.reference, f"{key}:{request.reference}", key)


def certificate(desk: Desk, conn: sa.Connection, request: SubjectRequest, labels: Mapping[str, str]) -> Certificate:
    """What is true at every processor after asking it again; names processors and dates, never values."""
    policy = desk.policy
    purposes = {p.name: p.purpose for p in policy.processors}
    order = list(labels)
    rows = []
    for row in sorted(receipts.rows(conn, request.reference), key=lambda x: (order.index(x.processor), x.operation)):
        by_hand = row.outcome == "manual" and row.status == "in_progress"
        at_vendor = row.operation == str(Operation.ERASE) and row.status in ("in_progress", "completed")
        open_ = Verdict.WITH_A_PERSON if by_hand else Verdict.AT_VENDOR if at_vendor else Verdict.ACCEPTED
        verdict = Verdict(row.verdict) if row.verdict and not by_hand else open_
        rows.append(
            CertificateRow(
                processor_label=labels[row.processor],
                purpose=purposes.get(row.processor, ""),
                verdict=verdict,
                on=row.looked_at or row.finished_at,
                until=_until(desk, row, by_hand),
                residue=receipts.residue(row),
                note="" if row.operation == str(Operation.ERASE) else row.operation,
            )
        )
    r = request.row
    return Certificate(
        reference=request.reference,
        right=request.right,
        received=r.received_at,
        verified=r.verified_at,
        finished=r.finished_at,
        due=r.due_at,
        complete=request.status is S.COMPLETED,
        rows=tuple(rows),
        controller=f"{policy.controller.name}, {policy.controller.address}",
        dpo=policy.dpo.email,
        authority=", ".join((policy.authority.name, policy.authority.address, policy.authority.site)),
        derivation="; ".join(f"{s['date']}: {s['text']}, {s['article']}" for s in clocks.derivation(policy, r)),
        timezone=policy.controller.timezone,
    )


def _until(desk: Desk, row: sa.Row[Any], by_hand: bool) -> str:
    """ISO date until which a person has the task, the vendor finishes, or the law keeps records."""
    zone = ZoneInfo(desk.policy.controller.timezone)
    if row.operation == str(Operation.ERASE) and row.verdict is None and row.next_at and not by_hand:
        return str(row.next_at.astimezone(zone).date().isoformat())
    if by_hand:
        return row.due_at.astimezone(zone).date().isoformat() if row.due_at else ""
    return max((x.until for x in receipts.residue(row) if x.kept_by_law), default="")
