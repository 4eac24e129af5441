"""The use-cases, shared by the conversation, Slack, pages, API and command line. All take the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dsr import (
    audit,
    four_eyes,
    identity,
    lifting,
    links,
    outgoing,
    representation,
    requests,
    resubscription,
    suppression,
)
from dsr.deadlines import Regime
from dsr.desk import Desk
from dsr.errors import NotVerified, RequestError, TransitionNotAllowed
from dsr.letters import catalogue, mails
from dsr.messages import ConversationRef, Reply
from dsr.model import RequestStatus, Right
from dsr.store.tables import conversations, receipts
from dsr.store.tables import requests as requests_table

S = RequestStatus

NEEDS_AGENT = frozenset({Right.AGE_REPORT, Right.RECTIFICATION})  # a person decides what is done
_SUPPRESSION_KIND = {
    Right.UNSUBSCRIBE: suppression.MARKETING,
    Right.OBJECTION: suppression.OBJECTION,
    Right.AGE_REPORT: suppression.AGE,
}
LINK_LIFETIME = timedelta(days=400)


def open_without_proof(
    desk: Desk,
    conn: sa.Connection,
    right: Right,
    address: str,
    *,
    received_at: datetime,
    channel: str,
    conversation_id: str | None = None,
    language: str = "en",
    why: str = "",
    opened_by: str = "customer",
    regime: Regime = "gdpr",
) -> str:
    """Open a request whose first operation needs no proof, and let it act at once.

    Returns:
        the reference.
    """
    reference = requests.open_request(
        desk,
        conn,
        right,
        address,
        received_at=received_at,
        channel=channel,
        status=S.WAITING_FOR_AGENT if right in NEEDS_AGENT else S.IN_PROGRESS,
        opened_by=opened_by,
        conversation_id=conversation_id,
        language=language,
        details={"why": why},
        regime=regime,
    )
    act_at_once(desk, conn, reference)
    if right is not Right.UNSUBSCRIBE:
        announce(desk, conn, reference)
    return reference


def act_at_once(desk: Desk, conn: sa.Connection, reference: str) -> None:
    """Set the suppression now, in this transaction; the processors follow."""
    request = requests.get(desk, conn, reference)
    if request.address and request.right in _SUPPRESSION_KIND:
        resubscription.give_way(desk, conn, reference)
        suppression.add(desk, conn, request.address, source=request.row.channel, kind=_SUPPRESSION_KIND[request.right])
    desk.tasks.advance(conn, reference)


def verified(
    desk: Desk, conn: sa.Connection, reference: str, *, by: str, after: str = "", who: str = "customer"
) -> None:
    """The person is proved: erasure waits its cooling-off time, everything else starts.

    Args:
        by: what proved the person, e.g. `code`; an agent's id for a proof by hand.
        after: reference of the export that an erasure waits for.

    Raises:
        TransitionNotAllowed: it is frozen, has begun or has ended.
    """
    request = requests.get(desk, conn, reference, lock=True)
    if request.status is S.FROZEN:
        raise TransitionNotAllowed(
            '"this was not me" was pressed: it goes on after an agent has looked, by a fresh code'
        )
    now = desk.now()
    proof: dict[str, Any] = {"verified_at": now, "verified_by": by}
    if request.right is Right.ERASURE:
        start = None if after else now + timedelta(seconds=desk.settings.cooling_off)
        requests.move(
            desk,
            conn,
            reference,
            S.COOLING_OFF,
            who=who,
            why=f"identity proved by {by}",
            start_at=start,
            after_reference=after or None,
            wake_at=start or now,  # the sweep looks now and then after one that waits for its export
            **proof,
        )
        if start:
            desk.tasks.advance(conn, reference, delay=desk.settings.cooling_off)
    elif request.status is S.IDENTITY_PENDING:
        to = S.WAITING_FOR_AGENT if request.right in NEEDS_AGENT else S.IN_PROGRESS
        requests.move(desk, conn, reference, to, who=who, why=f"identity proved by {by}", wake_at=now, **proof)
        desk.tasks.advance(conn, reference)
    else:  # an objection whose suppression is under way: now the restriction may follow
        requests.update(conn, reference, wake_at=now, **proof)
        audit.record(desk, conn, who=who, what="request.verified", reference=reference, why=f"identity proved by {by}")
        desk.tasks.advance(conn, reference)
    _mail_verified(desk, conn, reference)
    announce(desk, conn, reference)


def _mail_verified(desk: Desk, conn: sa.Connection, reference: str) -> None:
    """To the address on the records, and to whoever acts for its owner."""
    request = requests.get(desk, conn, reference)
    for number, to in enumerate(dict.fromkeys((request.address, representation.recipient(desk, conn, request)))):
        key = f"verified:{reference}" + (":acting" if number else "")
        _mail_verified_to(desk, conn, request, to, key)


def _mail_verified_to(desk: Desk, conn: sa.Connection, request: requests.SubjectRequest, to: str, key: str) -> None:
    reference = request.reference
    mail = mails.verified_mail(
        to,
        request.row.language,
        reference=reference,
        right=request.right,
        start=request.row.start_at,
        due=request.row.due_at,
        status_link=links.make(desk, conn, "status", lifetime=LINK_LIFETIME, reference=reference),
        not_me_link=links.make(desk, conn, "not_me", lifetime=timedelta(days=30), reference=reference),
        company=desk.company,
    )
    outgoing.mail(desk, conn, request.row.key_id, mail, key, reference)


def announce(desk: Desk, conn: sa.Connection, reference: str) -> None:
    """Tell the agents' channel about a new request: masked address, due date."""
    r = requests.get(desk, conn, reference)
    zone = desk.policy.controller.timezone
    state = "a person decides" if r.status is S.WAITING_FOR_AGENT else str(r.status).replace("_", " ")
    text = (
        f"{reference}: {str(r.right).replace('_', ' ')} asked for in {r.row.channel}"
        f" by {r.row.address_masked or 'somebody unnamed'}, "
        f"due {catalogue.date(r.row.due_at, 'en', zone)} ({state})"
    )
    outgoing.tell_agents(desk, conn, r.row.key_id, text, f"announce:{reference}", reference)


def tell_of_limit(desk: Desk, conn: sa.Connection, reference: str) -> None:
    """No more codes for an address today: the agents can help an honest person in. Told once a day and address."""
    row = requests.get(desk, conn, reference).row
    text = (
        f"{reference}: codes to {row.address_masked} have reached their limit; somebody may be asking in the person's "
        f"name. If the person writes: `/privacy code {reference}` mails one that is counted apart."
    )
    key = f"limit:{row.address_hash}:{desk.now().date().isoformat()}"
    outgoing.tell_agents(desk, conn, row.key_id, text, key, reference)


def approve(desk: Desk, conn: sa.Connection, agent: str, reference: str) -> str:
    """An agent lets a waiting request go on: cut short nothing, skip no proof.

    An age report: the account is held (restriction pushed to the processors). Anything else that waits for an
    agent: carried out, if the person is proved.

    Returns:
        what happened, for the agent.

    Raises:
        TransitionNotAllowed: nothing waits for an agent, or the law or four eyes forbid it.
    """
    request = requests.get(desk, conn, reference, lock=True)
    who = f"agent:{agent}"
    four_eyes.forbid_own(desk, conn, agent, request)
    if request.right is Right.AGE_REPORT and request.status is S.WAITING_FOR_AGENT:
        if not request.address:
            raise TransitionNotAllowed("the report names no account yet")
        requests.update(conn, reference, held_by=who, approved_by=who, wake_at=desk.now())
        audit.record(
            desk, conn, who=who, what="request.held", reference=reference, why="account of a child held (GDPR Art. 8)"
        )
        desk.tasks.advance(conn, reference)
        return "the account is being held at every processor"
    if request.status is S.IDENTITY_PENDING:
        return _approve_standin(desk, conn, agent, reference)
    if request.status is not S.WAITING_FOR_AGENT:
        raise TransitionNotAllowed(f"nothing waits for an agent here ({request.status})")
    if request.right is Right.RECTIFICATION:
        raise TransitionNotAllowed("say what is to be corrected: flask dsr rectify (values do not belong into Slack)")
    requests.move(desk, conn, reference, S.IN_PROGRESS, who=who, why="approved", approved_by=who, wake_at=desk.now())
    desk.tasks.advance(conn, reference)
    return "approved; it is being carried out"


def _approve_standin(desk: Desk, conn: sa.Connection, agent: str, reference: str) -> str:
    """Somebody acts for the person: a second agent agrees, and with the code typed the request begins."""
    proof = representation.approve(desk, conn, agent, reference)
    requests.update(conn, reference, approved_by=f"agent:{agent}")
    if not proof:
        return "approved; it begins when the code mailed to whoever acts is typed"
    verified(desk, conn, reference, by=proof, who=f"agent:{agent}")
    return "approved; it is being carried out"


def rectify(desk: Desk, conn: sa.Connection, agent: str, reference: str, changes: Mapping[str, str]) -> None:
    """An agent enters what is to be corrected, as the person has told; it is carried out at every processor.

    Args:
        changes: field (`name`, `email`, `phone`, `company`, `address`…) -> new value.

    Raises:
        TransitionNotAllowed: no rectification, or it does not wait for an agent.
        NotVerified: the person is not proved.
    """
    request = requests.get(desk, conn, reference, lock=True)
    if request.right is not Right.RECTIFICATION or request.status is not S.WAITING_FOR_AGENT:
        raise TransitionNotAllowed("only a rectification that waits for an agent can be given changes")
    if not request.verified:
        raise NotVerified("the person is not proved; somebody else's data must not be changed (GDPR Art. 12(6))")
    details = desk.vault.seal(conn, request.row.key_id, {**request.details, "changes": dict(changes)})
    who = f"agent:{agent}"
    requests.move(
        desk,
        conn,
        reference,
        S.IN_PROGRESS,
        who=who,
        why=f"changes entered: {', '.join(sorted(changes))}",
        details_enc=details,
        approved_by=who,
        wake_at=desk.now(),
    )
    desk.tasks.advance(conn, reference)


def withdraw(desk: Desk, conn: sa.Connection, who: str, reference: str, why: str) -> None:
    """Withdraw a request that has not begun, or was frozen. A restriction that it pushed is lifted again.

    Raises:
        TransitionNotAllowed: it has begun or ended.
    """
    requests.move(desk, conn, reference, S.WITHDRAWN, who=who, why=why)
    identity.void(desk, conn, reference=reference)
    lifting.lift(desk, conn, reference, who=who)


def not_me(desk: Desk, conn: sa.Connection, link: sa.Row[Any]) -> list[str]:
    """ "This was not me": freeze what the link is about, void its codes, tell the agents.

    Returns:
        references of the requests that were frozen.
    """
    c = requests_table.c
    if link.reference:
        where = c.reference == link.reference
        identity.void(desk, conn, reference=link.reference)
    else:
        where = c.conversation_id == link.conversation_id
    if link.conversation_id:
        identity.void(desk, conn, conversation_id=link.conversation_id)
    frozen = []
    for row in conn.execute(sa.select(requests_table).where(where)).all():
        if requests.can_freeze(row):
            request = requests.move(
                desk,
                conn,
                row.reference,
                S.FROZEN,
                who="customer",
                why='"this was not me" was pressed',
                frozen_from=row.status,
            )
            frozen.append(row.reference)
            representation.drop(conn, row.reference)
            text = f'{row.reference}: the owner of the address says "this was not me". It is frozen; please look.'
            if restricted := lifting.pushed(conn, row.reference):
                text += f" Data are restricted at {len(restricted)} processors: withdraw {row.reference} lifts that."
            outgoing.tell_agents(desk, conn, request.row.key_id, text, f"notme:{row.reference}", row.reference)
    return frozen


def complete_task(desk: Desk, conn: sa.Connection, agent: str, reference: str, processor: str, operation: str) -> None:
    """An agent has done by hand what a processor's API cannot.

    Whether an erasure by hand left nothing is asked once, where the processor can be asked; said a second time, the
    agent's word stands.

    Raises:
        RequestError: no such open task.
    """
    r = receipts.c
    done = conn.execute(
        receipts.update()
        .where(
            r.reference == reference,
            r.processor == processor,
            r.operation == operation,
            r.outcome == "manual",
            r.status == "in_progress",
        )
        .values(
            status="completed",
            finished_at=desk.now(),
            owner=f"agent:{agent}",
            verdict=sa.case((sa.and_(r.operation == "erase", r.owner.is_(None)), None), else_="accepted"),
            next_at=None,
            attempts=0,
        )
    )
    if not done.rowcount:
        raise RequestError(f"{reference} has no open task {operation} at {processor}")
    audit.record(
        desk,
        conn,
        who=f"agent:{agent}",
        what="task.completed",
        reference=reference,
        why=f"{operation} at {processor} by hand",
    )
    requests.update(conn, reference, wake_at=desk.now())
    desk.tasks.advance(conn, reference)


def reply_in_conversation(
    desk: Desk, conn: sa.Connection, reference: str, key: str, text_key: str, **params: object
) -> None:
    """Say something about a request in the conversation it came from, if it came from one."""
    request = requests.get(desk, conn, reference)
    if not request.row.conversation_id:
        return
    row = conn.execute(sa.select(conversations).where(conversations.c.id == request.row.conversation_id)).one()
    ref = ConversationRef(**desk.vault.open(conn, row.key_id, row.ref_enc))
    words = {
        "reference": reference,
        "right": catalogue.word("right", request.right, request.row.language),
        **params,
    }
    message = Reply(catalogue.say(text_key, request.row.language, **words), request.row.language)
    outgoing.reply(desk, conn, ref, row.id, row.key_id, message, key, reference)
