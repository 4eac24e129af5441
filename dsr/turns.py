"""Take a conversation's turns: run the pure `conversation.turn` and carry out its steps, one transaction a message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

import sqlalchemy as sa

from dsr import addresses, age, by_mail, conversation, outgoing, subject_line
from dsr.codes import only_a_code
from dsr.conversation import HandOver, Said, Say, State
from dsr.desk import Desk
from dsr.errors import RequestError
from dsr.inbox import load
from dsr.letters import catalogue
from dsr.messages import ConversationRef, Evidence, InboundMessage, Reply
from dsr.model import Right
from dsr.steps import Turn, carry_out, is_open, revocable
from dsr.store.tables import conversations, messages
from intents import clean, detect

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
            first = not _anything_before(conn, conversation_id, waiting.id)
        if not isinstance(message, InboundMessage):
            raise TypeError(f"a {waiting.kind} stands in a conversation; only what a customer wrote belongs there")
        said = _understand(message, state, complete) if first else _understand_later(message, state, complete)
        try:
            _handle(desk, conversation_id, waiting.id, message, said)
        except RequestError as refusal:  # nothing of the turn has happened; the next messages must not wait behind it
            _handle(desk, conversation_id, waiting.id, message, said, refused=str(refusal))


def _handle(
    desk: Desk, conversation_id: str, message_id: int, message: InboundMessage, said: Said | None, *, refused: str = ""
) -> None:
    with desk.db.write() as conn:
        mine = conn.execute(
            messages.update()
            .where(messages.c.id == message_id, messages.c.handled_at.is_(None))
            .values(handled_at=desk.now())
        )
        if mine.rowcount and said is not None:
            _take_turn(desk, conn, conversation_id, message_id, said, message.conversation, refused)


def _state(desk: Desk, conn: sa.Connection, conversation_id: str) -> State:
    row = conn.execute(sa.select(conversations).where(conversations.c.id == conversation_id)).one()
    return State.load(desk.vault.open(conn, row.key_id, row.state_enc))


def _anything_before(conn: sa.Connection, conversation_id: str, message_id: int) -> bool:
    m = messages.c
    earlier = sa.select(m.id).where(m.conversation_id == conversation_id, m.id < message_id)
    return conn.execute(earlier.limit(1)).first() is not None


def _understand(message: InboundMessage, state: State, complete: Complete) -> Said | None:
    """What message and subject say, or None if it is none of our business: then no vendor is asked for anything.

    An event without words does not tell whose business it is; there the vendor is asked for them first.
    """
    wordless = not message.text.strip()
    if wordless:
        message = replace(complete(message), stored="")
    heading = subject_line.read(message.subject, message.text)
    detection = detect(f"{heading}\n\n{message.text}" if heading else message.text, context=state.asked or None)
    text = by_mail.above(clean(message.text).new)
    if heading and not only_a_code(text):
        text = f"{heading}\n\n{text}".rstrip()
    idle = state.stage == "idle" and not state.references
    quiet = not (detection.intents or detection.unsure or detection.signals & {"rectification", "status", "reminder"})
    if idle and quiet and not only_a_code(text):
        return None
    if (not message.address and not wordless) or message.stored:
        told = complete(message)
        if (told.text, told.subject) != (message.text, message.subject):  # the vendor's own copy counts
            return _understand(replace(told, stored=""), state, complete) if told.text or told.subject else None
        message = told
    return Said(
        text=text,
        detection=detection,
        address=addresses.normalise(message.address),
        at=message.sent_at.isoformat(),
        of_self="age_report" in detection.intents and age.speaks_of_self(text),
        signed=message.evidence is Evidence.SIGNED,
    )


def _understand_later(message: InboundMessage, state: State, complete: Complete) -> Said | None:
    """What a further message says: its subject is that of the first, whoever wrote it."""
    return _understand(replace(message, subject=""), state, lambda m: replace(complete(m), subject=""))


def _take_turn(
    desk: Desk,
    conn: sa.Connection,
    conversation_id: str,
    message_id: int,
    said: Said,
    came: ConversationRef,
    refused: str,
) -> None:
    """Carry out a message's turn; or give it to a person, if a move that it asks for was refused."""
    row = conn.execute(sa.select(conversations).where(conversations.c.id == conversation_id).with_for_update()).one()
    state = State.load(desk.vault.open(conn, row.key_id, row.state_enc))
    language = _language(row.language, state, said)
    ref = ConversationRef(**desk.vault.open(conn, row.key_id, row.ref_enc))
    if came.references:  # of a mail: answers follow the newest one
        ref = replace(ref, mailbox=came.mailbox, references=came.references)
    turn = Turn(desk, conn, conversation_id, message_id, ref, row.key_id, language, state)
    if refused:
        carry_out(turn, [HandOver(f"a move was refused ({refused})"), Say("handed_over")])
    elif not state.awaits_code and only_a_code(said.text):
        turn.say("code_elsewhere")
    else:
        access_open = is_open(desk, conn, state, Right.ACCESS)
        said = replace(said, open=revocable(desk, conn, state), access_open=access_open)
        turn.state, steps = conversation.turn(state, said, desk.proof)
        carry_out(turn, steps)
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


def _answer(turn: Turn, reply: Reply) -> None:
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
