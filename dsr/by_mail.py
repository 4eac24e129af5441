"""Conversations that are answered by mail: the desk's own mailboxes, and channels in which nothing can be said.

What is said before the person is proved goes to an address that may be somebody else's (a From line is forgeable), so
it holds nothing but the answer, and there are few of them an hour, code mails counted in (threats.md, G2 and G19).
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from dsr import addresses, identity
from dsr.desk import Desk
from dsr.letters import mails
from dsr.messages import ConversationRef, Mail
from dsr.store.tables import outgoing, requests

KEPT = 10  # Message-Ids of a thread: the first, and the newest
UNPROVED = "unproved:"  # how the keys of answers to an unproved address begin
# Our own Message-Ids, as `integrations.mail` makes them of a mail with a conversation.
_OURS = re.compile(r"<([0-9a-f]{32})\.[0-9a-f]{40}@[^<>\s]+>")


def named_in(references: str) -> list[str]:
    """Ids of the conversations that a mail answers in, by our own Message-Ids in its references; newest first.

    Whoever knows such a Message-Id has had a mail of that conversation; the caller compares the author all the same.
    """
    return list(dict.fromkeys(reversed(_OURS.findall(references))))


def above(text: str) -> str:
    """What stands above the first line of a mail of ours, should a program have sent it back without marking it.

    Its code was typed by nobody. The text layer finds the line where lines are left; here it is found anywhere.
    """
    return text.partition("##-")[0].rstrip()


def own_mailboxes(desk: Desk) -> frozenset[str]:
    """The policy's mailboxes, from which we answer and to which we never do."""
    found = (desk.policy.dpo.email, desk.policy.controller.support)
    return frozenset(addresses.normalise(address) for address in found)


def answer(
    desk: Desk,
    ref: ConversationRef,
    conversation_id: str,
    text: str,
    language: str,
    *,
    code: str = "",
    not_me_link: str = "",
) -> Mail:
    """The mail that says something in the conversation, threaded, from the mailbox that was written to."""
    mail = mails.answer_mail(ref.person, language, text, company=desk.company, code=code, not_me_link=not_me_link)
    return threaded(desk, mail, ref, conversation_id)


def note(desk: Desk, ref: ConversationRef, text: str) -> Mail:
    """A note for the people behind the mailbox, in the thread that they have got a copy of; without personal data."""
    to = _sender(desk, ref) or desk.policy.dpo.email
    mail = mails.answer_mail(to, "en", text, company=desk.company)
    return threaded(desk, replace(mail, kind="note", headers={}), ref, "")


def threaded(desk: Desk, mail: Mail, ref: ConversationRef, conversation_id: str) -> Mail:
    """The mail as part of a thread (RFC 5322 3.6.4)."""
    known = ref.references.split()
    chain = known if len(known) <= KEPT else [known[0], *known[1 - KEPT :]]
    headers = {"In-Reply-To": chain[-1], "References": " ".join(chain)} if chain else {}
    return replace(mail, headers={**mail.headers, **headers}, sender=_sender(desk, ref), conversation=conversation_id)


def _sender(desk: Desk, ref: ConversationRef) -> str:
    """A mailbox of the policy, or "" for the desk's usual sender: the recipient of a mail is not ours to trust."""
    return ref.mailbox if ref.mailbox in own_mailboxes(desk) else ""


def lane(desk: Desk, address: str) -> str:
    """The lane of all mails to one address: they leave in order."""
    return f"mail:{desk.vault.hash('lane', address)[:24]}"


def allowed_key(desk: Desk, conn: sa.Connection, ref: ConversationRef, conversation_id: str, key: str) -> str:
    """The key under which an answer may leave; "" if too much has gone to an address that is not proved.

    Proved is an address by a request of this conversation: who proves another one in somebody's name proves nothing
    for theirs.
    """
    r = requests.c
    mine = sa.and_(r.conversation_id == conversation_id, r.address_hash == desk.vault.hash("address", ref.person))
    if conn.execute(sa.select(r.reference).where(mine, r.verified_at.is_not(None)).limit(1)).first():
        return key
    return f"{UNPROVED}{key}" if _one_more(desk, conn, ref.person) else ""


def _one_more(desk: Desk, conn: sa.Connection, address: str) -> bool:
    """May one more mail go to an address that nobody has proved? Code mails and answers count together."""
    identity.one_at_a_time(desk, conn, desk.vault.hash("address", address))
    o, now = outgoing.c, desk.now()
    counted = sa.or_(o.key.startswith(UNPROVED), o.key.startswith("code:"))
    recent = sa.select(sa.func.count(), sa.func.count(sa.case((o.created_at > now - timedelta(hours=1), 1)))).where(
        o.lane == lane(desk, address), counted, o.created_at > now - timedelta(days=1)
    )
    day, hour = conn.execute(recent).one()
    return bool(hour < identity.PER_HOUR and day < identity.PER_DAY)
