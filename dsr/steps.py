"""Carry out the steps of a turn: open, ask for proof, begin what is proved, withdraw, tell, hand over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dsr import audit, commands, conversation, identity, links, outgoing, requests
from dsr.conversation import CheckCode, Say, State
from dsr.desk import Desk
from dsr.dialogue import Stage
from dsr.letters import catalogue, mails
from dsr.messages import ConversationRef
from dsr.model import RequestStatus, Right
from dsr.wishes import COPIES

_ABOUT_THE_CODE = frozenset({"code_sent", "code_sent_again"})
_ABOUT_WHAT_FOLLOWS = frozenset({"understood_export_erasure", *(f"understood_{right}" for right in Right)})
STATUS_LINK = timedelta(days=400)  # longer than any request lives


@dataclass
class Turn:
    """One turn while its steps are carried out."""

    desk: Desk
    conn: sa.Connection
    conversation_id: str
    message_id: int
    ref: ConversationRef
    key_id: str
    language: str
    state: State
    paragraphs: list[str] = field(default_factory=list)
    unsaid: frozenset[str] = frozenset()  # what has turned out not to be true
    code: tuple[str, str, str] | None = None  # key, code and link of a code that goes with the answer
    silent: bool = False  # no more mails to an unproved address

    def say(self, key: str, **params: object) -> None:
        if key in self.unsaid:
            return
        self.paragraphs.append(catalogue.say(key, self.language, **params))

    def remember(self, reference: str) -> None:
        known = (*(r for r in self.state.references if r != reference), reference)
        self.state = replace(self.state, references=known)


def carry_out(turn: Turn, steps: list[conversation.Step]) -> None:
    for step in steps:
        if isinstance(step, CheckCode):
            waiting = turn.state
            checked = identity.check(
                turn.desk,
                turn.conn,
                step.codes,
                waiting.rights,
                turn.desk.vault.hash("address", waiting.address),
                conversation_id=turn.conversation_id,
            )
            turn.state, more = conversation.turn(waiting, checked, turn.desk.proof)
            carry_out(turn, more)
            if step.then:
                turn.state, more = conversation.turn(turn.state, step.then, turn.desk.proof)
                carry_out(turn, more)
        else:
            _ACT[type(step)](turn, step)


def _say(turn: Turn, step: Say) -> None:
    turn.say(step.key, **step.params)


def _open(turn: Turn, step: conversation.Open) -> None:
    reference = _same_open(turn, step.right, step.address) or commands.open_without_proof(
        turn.desk,
        turn.conn,
        step.right,
        step.address,
        received_at=datetime.fromisoformat(step.at),
        channel=turn.ref.channel,
        conversation_id=turn.conversation_id,
        language=turn.language,
        why=step.why,
    )
    turn.remember(reference)
    turn.say(step.then, **_facts(turn, reference))


def _same_open(turn: Turn, right: Right, address: str) -> str | None:
    """A request of this conversation that already does the same: it is attached to, not opened twice."""
    for reference in turn.state.references:
        request = requests.get(turn.desk, turn.conn, reference)
        if request.right is right and request.address == address and request.status in requests.GOING_ON:
            return reference
    return None


def _frozen(turn: Turn, address: str) -> str | None:
    """A request of this conversation of which the owner of the address said "this was not me"."""
    for reference in turn.state.references:
        request = requests.get(turn.desk, turn.conn, reference)
        if request.address == address and request.status is RequestStatus.FROZEN:
            return reference
    return None


def _facts(turn: Turn, reference: str) -> dict[str, object]:
    request = requests.get(turn.desk, turn.conn, reference)
    zone = turn.desk.policy.controller.timezone
    return {
        "reference": reference,
        "due": catalogue.date(request.row.due_at, turn.language, zone),
        "right": catalogue.word("right", request.right, turn.language),
        "status": catalogue.word("status", request.status, turn.language),
        "start": catalogue.moment(request.row.start_at, turn.language, zone) if request.row.start_at else "",
        "export": request.row.after_reference or "",
        "link": links.make(turn.desk, turn.conn, "status", lifetime=STATUS_LINK, reference=reference),
    }


def _send_code(turn: Turn, step: conversation.SendCode) -> None:
    desk, conn = turn.desk, turn.conn
    if stopped := _frozen(turn, step.address):
        # A code would only tempt the owner of the address to give it away; a person looks first.
        stage: Stage = "idle" if turn.state.stage == "code" else turn.state.stage
        turn.state = replace(turn.state, stage=stage, rights=(), address="")
        turn.unsaid = _ABOUT_THE_CODE | _ABOUT_WHAT_FOLLOWS
        _hand_over(turn, conversation.HandOver(f'more is asked after "this was not me" ({stopped})'))
        turn.say("frozen", reference=stopped)
        return
    for right in step.rights:
        if not _same_open(turn, right, step.address):
            turn.remember(
                requests.open_request(
                    desk,
                    conn,
                    right,
                    step.address,
                    received_at=datetime.fromisoformat(step.at),
                    channel=turn.ref.channel,
                    status=RequestStatus.IDENTITY_PENDING,
                    opened_by="customer",
                    conversation_id=turn.conversation_id,
                    language=turn.language,
                )
            )
    address_hash, key_id = requests.subject_key(desk, conn, step.address)
    issued = identity.issue(
        desk,
        conn,
        address_hash,
        [str(r) for r in step.rights],
        conversation_id=turn.conversation_id,
        reserved=step.signed,
    )
    if issued is None:
        commands.tell_of_limit(desk, conn, turn.state.references[-1])
        turn.say("code_limit")
        turn.unsaid, turn.silent = _ABOUT_THE_CODE, True
        return
    not_me = links.make(
        desk,
        conn,
        "not_me",
        lifetime=timedelta(days=30),
        conversation_id=turn.conversation_id,
        challenge_id=issued.challenge_id,
    )
    if turn.ref.channel in desk.by_mail and turn.ref.person == step.address:
        # One mail holds answer and code: an address that is not proved gets nothing else.
        turn.code, turn.unsaid = (f"code:{issued.challenge_id}", issued.code, not_me), _ABOUT_THE_CODE
        return
    mail = mails.code_mail(step.address, turn.language, issued.code, not_me, company=desk.company)
    outgoing.mail(desk, conn, key_id, mail, f"code:{issued.challenge_id}")


def _proved(turn: Turn, step: conversation.Proved) -> None:
    desk, conn = turn.desk, turn.conn
    after = ""
    for right in sorted(step.rights, key=lambda r: r is Right.ERASURE):  # export before erasure
        reference = _same_open(turn, right, step.address)
        if reference is None:
            continue
        waits_for = after if right is Right.ERASURE else ""
        if older := _proved_before(turn, reference):
            reference = older
            turn.remember(older)
            waits = bool(waits_for) and _postpone(turn, older, waits_for)
            then = "proved_erasure_after_export" if waits else "already_open"
        else:
            by = desk.proof.proved_by([right], signed=step.signed)
            commands.verified(desk, conn, reference, by=by, after=waits_for)
            then = "proved_erasure_after_export" if waits_for else f"proved_{right}"
        turn.say(then, **_facts(turn, reference))
        if right in COPIES:
            after = reference


def _proved_before(turn: Turn, reference: str) -> str | None:
    """The proved and open request of the same right and person: this one, asked for again, or an older one."""
    request = requests.get(turn.desk, turn.conn, reference)
    if request.verified:
        return reference
    older = requests.open_duplicate(turn.desk, turn.conn, request)
    if older:
        why = f"the same as {older}, which is open"
        requests.move(turn.desk, turn.conn, reference, RequestStatus.WITHDRAWN, who="desk", why=why)
    return older


def _postpone(turn: Turn, reference: str, export: str) -> bool:
    """Let an erasure wait for a copy that is asked for now; False if it has begun."""
    if requests.get(turn.desk, turn.conn, reference, lock=True).status is not RequestStatus.COOLING_OFF:
        return False
    requests.update(turn.conn, reference, start_at=None, after_reference=export, wake_at=turn.desk.now())
    why = f"begins when the copy is ready ({export})"
    audit.record(turn.desk, turn.conn, who="customer", what="request.postponed", reference=reference, why=why)
    return True


def is_open(desk: Desk, conn: sa.Connection, state: State, right: Right) -> bool:
    """Is a request of this conversation for this right still open?"""
    known = (requests.get(desk, conn, reference) for reference in state.references)
    return any(r.right is right and r.status in requests.OPEN for r in known)


def revocable(desk: Desk, conn: sa.Connection, state: State) -> frozenset[Right]:
    """Rights of this conversation's requests that taking back would still change, or be answered."""
    known = [requests.get(desk, conn, reference) for reference in state.references]
    return frozenset(r.right for r in known if r.row.held_by or r.status in requests.WITHDRAWABLE or _too_late(r))


def _too_late(request: requests.SubjectRequest) -> bool:
    return request.status is RequestStatus.IN_PROGRESS and request.right is Right.ERASURE


def _withdraw(turn: Turn, step: conversation.Withdraw) -> None:
    """What can be withdrawn is; nothing is said where nothing is open: the words may mean something else."""
    desk, conn = turn.desk, turn.conn
    identity.void(desk, conn, conversation_id=turn.conversation_id)
    before = len(turn.paragraphs)
    for reference in step.references:
        request = requests.get(desk, conn, reference)
        if request.row.held_by:  # a hold was an agent's decision: taking it back is too
            _hand_over(turn, conversation.HandOver(f"{reference} is to be withdrawn; its account is held"))
            turn.say("handed_over")
        elif request.status in requests.WITHDRAWABLE:
            said = "withdrawn" if request.verified else "withdrawn_pending"
            commands.withdraw(desk, conn, "customer", reference, "withdrawn in the conversation")
            turn.say(said, **_facts(turn, reference))
        elif _too_late(request):
            turn.say("too_late", **_facts(turn, reference))
    if step.pending and len(turn.paragraphs) == before:  # the request expired, the wait for its code did not
        turn.say("withdrawn_pending")


def _tell_status(turn: Turn, step: conversation.TellStatus) -> None:
    for reference in step.references:
        turn.say("status_line", **_facts(turn, reference))


def _add_child_address(turn: Turn, step: conversation.AddChildAddress) -> None:
    for reference in step.references:
        request = requests.get(turn.desk, turn.conn, reference)
        if request.right is Right.AGE_REPORT and not request.address:
            requests.set_address(turn.desk, turn.conn, reference, step.address)
            commands.act_at_once(turn.desk, turn.conn, reference)


def _hand_over(turn: Turn, step: conversation.HandOver) -> None:
    desk, conn = turn.desk, turn.conn
    about = f" about {step.right}" if step.right else ""
    text = f"Privacy Desk hands this conversation{about} to a person: {step.why}."
    outgoing.note(desk, conn, turn.ref, turn.conversation_id, turn.key_id, text, f"note:{turn.message_id}")
    outgoing.tell_agents(desk, conn, turn.key_id, f"{turn.ref.channel}: {text}", f"handover:{turn.message_id}", None)
    audit.record(desk, conn, who="desk", what="conversation.handed_over", why=step.why)


_ACT: dict[type[Any], Callable[[Turn, Any], None]] = {
    Say: _say,
    conversation.Open: _open,
    conversation.SendCode: _send_code,
    conversation.Proved: _proved,
    conversation.Withdraw: _withdraw,
    conversation.TellStatus: _tell_status,
    conversation.AddChildAddress: _add_child_address,
    conversation.HandOver: _hand_over,
}
