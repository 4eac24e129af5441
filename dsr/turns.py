"""Take a conversation's turns: run the pure `conversation.turn` and carry out its steps, one transaction a message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dsr import addresses, age, audit, by_mail, commands, conversation, identity, links, outgoing, requests
from dsr.codes import only_a_code
from dsr.conversation import CheckCode, Said, Say, State
from dsr.desk import Desk
from dsr.inbox import load
from dsr.letters import catalogue, mails
from dsr.messages import ConversationRef, Evidence, InboundMessage, Reply
from dsr.model import RequestStatus, Right
from dsr.store.tables import conversations, messages
from intents import clean, detect

_ABOUT_THE_CODE = frozenset({"code_sent", "code_sent_again"})
STATUS_LINK = timedelta(days=400)  # longer than any request lives
Complete = Callable[[InboundMessage], InboundMessage]


def take_turns(desk: Desk, conversation_id: str, complete: Complete) -> None:
    """Handle every waiting message of one author's conversation, in the order of arrival.

    Safe to run twice and at the same time: a message is handled in the transaction that marks it so.

    Args:
        complete: asks the channel for what the delivery did not carry; may raise a `VendorError`.
    """
    while True:
        with desk.db.read() as conn:
            waiting = conn.execute(
                sa.select(messages)
                .where(messages.c.conversation_id == conversation_id, messages.c.handled_at.is_(None))
                .order_by(messages.c.id)
                .limit(1)
            ).first()
            if waiting is None:
                return
            message = load(waiting.kind, desk.vault.open(conn, waiting.key_id, waiting.body_enc))
            state = _state(desk, conn, conversation_id)
        if not isinstance(message, InboundMessage):
            raise TypeError(f"a {waiting.kind} stands in a conversation; only what a customer wrote belongs there")
        said = _understand(message, state, complete)
        with desk.db.write() as conn:
            mine = conn.execute(
                messages.update()
                .where(messages.c.id == waiting.id, messages.c.handled_at.is_(None))
                .values(handled_at=desk.now())
            )
            if mine.rowcount and said is not None:
                _take_turn(desk, conn, conversation_id, waiting.id, said, message.conversation)


def _state(desk: Desk, conn: sa.Connection, conversation_id: str) -> State:
    row = conn.execute(sa.select(conversations).where(conversations.c.id == conversation_id)).one()
    return State.load(desk.vault.open(conn, row.key_id, row.state_enc))


def _understand(message: InboundMessage, state: State, complete: Complete) -> Said | None:
    """What the message says, or None if it is none of our business: then no vendor is asked for anything.

    An event without words does not tell whose business it is; there the vendor is asked for them first.
    """
    wordless = not message.text.strip()
    if wordless:
        message = replace(complete(message), stored="")
    detection = detect(message.text, context=state.asked or None)
    text = by_mail.above(clean(message.text).new)
    idle = state.stage == "idle" and not state.references
    quiet = not (detection.intents or detection.unsure or detection.signals & {"rectification", "status", "reminder"})
    if idle and quiet and not only_a_code(text):
        return None
    if (not message.address and not wordless) or message.stored:
        told = complete(message)
        if told.text != message.text:  # the vendor's own copy counts
            return _understand(replace(told, stored=""), state, complete) if told.text else None
        message = told
    return Said(
        text=text,
        detection=detection,
        address=addresses.normalise(message.address),
        at=message.sent_at.isoformat(),
        of_self="age_report" in detection.intents and age.speaks_of_self(text),
        signed=message.evidence is Evidence.SIGNED,
    )


@dataclass
class _Turn:
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


def _take_turn(
    desk: Desk, conn: sa.Connection, conversation_id: str, message_id: int, said: Said, came: ConversationRef
) -> None:
    row = conn.execute(sa.select(conversations).where(conversations.c.id == conversation_id).with_for_update()).one()
    state = State.load(desk.vault.open(conn, row.key_id, row.state_enc))
    language = _language(row.language, state, said)
    ref = ConversationRef(**desk.vault.open(conn, row.key_id, row.ref_enc))
    if came.references:  # of a mail: answers follow the newest one
        ref = replace(ref, mailbox=came.mailbox, references=came.references)
    turn = _Turn(desk, conn, conversation_id, message_id, ref, row.key_id, language, state)
    if state.stage != "code" and only_a_code(said.text):
        turn.say("code_elsewhere")
    else:
        turn.state, steps = conversation.turn(state, said, desk.proof)
        _carry_out(turn, steps)
    if turn.paragraphs or turn.code:
        _answer(turn, Reply("\n\n".join(dict.fromkeys(turn.paragraphs)), language))
    conn.execute(
        conversations.update()
        .where(conversations.c.id == conversation_id)
        .values(
            state_enc=desk.vault.seal(conn, row.key_id, turn.state.dump()),
            address_hash=_whose(desk, turn.state.address or said.address) or row.address_hash,
            ref_enc=desk.vault.seal(conn, row.key_id, asdict(ref)),
            language=language,
            updated_at=desk.now(),
        )
    )


def _whose(desk: Desk, address: str) -> str | None:
    return desk.vault.hash("address", address) if address else None


def _answer(turn: _Turn, reply: Reply) -> None:
    """Say it; by mail, a code that was asked for goes along."""
    desk, conn, ref, key = turn.desk, turn.conn, turn.ref, f"turn:{turn.message_id}"
    if ref.channel in desk.by_mail:
        if turn.code:
            key, code, link = turn.code
            mail = by_mail.answer(
                desk, ref, turn.conversation_id, reply.text, reply.language, code=code, not_me_link=link
            )
            outgoing.mail(desk, conn, turn.key_id, mail, key)
            return
        if not ref.person:
            text = (
                f"{ref.channel}: somebody asks for a privacy right and left no e-mail address; please ask them for it."
            )
            outgoing.tell_agents(desk, conn, turn.key_id, text, f"no-address:{turn.message_id}", None)
            return
        if turn.silent:
            return
    outgoing.reply(desk, conn, ref, turn.conversation_id, turn.key_id, reply, key)


def _language(known: str, state: State, said: Said) -> str:
    """The person's language: detected where there is enough text, else as before; English if we do not speak it."""
    fresh = state.stage == "idle" and not state.references
    if not (fresh or said.detection.intents) or len(said.text) < 8:
        return known
    return said.detection.language if said.detection.language in catalogue.LANGUAGES else "en"


def _carry_out(turn: _Turn, steps: list[conversation.Step]) -> None:
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
            _carry_out(turn, more)
        else:
            _ACT[type(step)](turn, step)


def _say(turn: _Turn, step: Say) -> None:
    turn.say(step.key, **step.params)


def _open(turn: _Turn, step: conversation.Open) -> None:
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


def _same_open(turn: _Turn, right: Right, address: str) -> str | None:
    """A request of this conversation that already does the same: it is attached to, not opened twice."""
    for reference in turn.state.references:
        request = requests.get(turn.desk, turn.conn, reference)
        if request.right is right and request.address == address and request.status in requests.OPEN:
            return reference
    return None


def _facts(turn: _Turn, reference: str) -> dict[str, object]:
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


def _send_code(turn: _Turn, step: conversation.SendCode) -> None:
    desk, conn = turn.desk, turn.conn
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


def _proved(turn: _Turn, step: conversation.Proved) -> None:
    desk, conn = turn.desk, turn.conn
    after = ""
    for right in sorted(step.rights, key=lambda r: r is Right.ERASURE):  # export before erasure
        reference = _same_open(turn, right, step.address)
        if reference is None:
            continue
        request = requests.get(desk, conn, reference)
        if duplicate := requests.open_duplicate(desk, conn, request):
            requests.move(
                desk,
                conn,
                reference,
                RequestStatus.WITHDRAWN,
                who="desk",
                why=f"the same as {duplicate}, which is open",
            )
            turn.remember(duplicate)
            turn.say("already_open", **_facts(turn, duplicate))
            continue
        by = desk.proof.proved_by([right], signed=step.signed)
        commands.verified(desk, conn, reference, by=by, after=after if right is Right.ERASURE else "")
        then = f"proved_{right}" if not (after and right is Right.ERASURE) else "proved_erasure_after_export"
        turn.say(then, **_facts(turn, reference))
        if right is Right.EXPORT:
            after = reference


def _withdraw(turn: _Turn, step: conversation.Withdraw) -> None:
    """What can be withdrawn is; nothing is said where nothing is open: the words may mean something else."""
    desk, conn = turn.desk, turn.conn
    identity.void(desk, conn, conversation_id=turn.conversation_id)
    for reference in step.references:
        request = requests.get(desk, conn, reference)
        if request.row.held_by:  # a hold was an agent's decision: taking it back is too
            _hand_over(turn, conversation.HandOver(f"{reference} is to be withdrawn; its account is held"))
            turn.say("handed_over")
        elif request.status in requests.WITHDRAWABLE:
            said = "withdrawn" if request.verified else "withdrawn_pending"
            commands.withdraw(desk, conn, "customer", reference, "withdrawn in the conversation")
            turn.say(said, **_facts(turn, reference))
        elif request.status is RequestStatus.IN_PROGRESS and request.right is Right.ERASURE:
            turn.say("too_late", **_facts(turn, reference))


def _tell_status(turn: _Turn, step: conversation.TellStatus) -> None:
    for reference in step.references:
        turn.say("status_line", **_facts(turn, reference))


def _add_child_address(turn: _Turn, step: conversation.AddChildAddress) -> None:
    for reference in step.references:
        request = requests.get(turn.desk, turn.conn, reference)
        if request.right is Right.AGE_REPORT and not request.address:
            requests.set_address(turn.desk, turn.conn, reference, step.address)
            commands.act_at_once(turn.desk, turn.conn, reference)


def _hand_over(turn: _Turn, step: conversation.HandOver) -> None:
    desk, conn = turn.desk, turn.conn
    about = f" about {step.right}" if step.right else ""
    text = f"Privacy Desk hands this conversation{about} to a person: {step.why}."
    outgoing.note(desk, conn, turn.ref, turn.conversation_id, turn.key_id, text, f"note:{turn.message_id}")
    outgoing.tell_agents(desk, conn, turn.key_id, f"{turn.ref.channel}: {text}", f"handover:{turn.message_id}", None)
    audit.record(desk, conn, who="desk", what="conversation.handed_over", why=step.why)


_ACT: dict[type[Any], Callable[[_Turn, Any], None]] = {
    Say: _say,
    conversation.Open: _open,
    conversation.SendCode: _send_code,
    conversation.Proved: _proved,
    conversation.Withdraw: _withdraw,
    conversation.TellStatus: _tell_status,
    conversation.AddChildAddress: _add_child_address,
    conversation.HandOver: _hand_over,
}
