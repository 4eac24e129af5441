"""Opening a request for a person who is not in a conversation: by an agent, by the company's own site, on a page.

Proof is asked from the person, by a code in a mail; who opens a request proves nothing. All take the caller's
transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast, get_args

import sqlalchemy as sa

from dsr import addresses, commands, deadlines, identity, links, outgoing, representation, requests
from dsr.deadlines import Regime
from dsr.desk import Desk
from dsr.errors import RequestError, UnsupportedRequest
from dsr.letters import mails
from dsr.model import RequestStatus, Right

OLDEST = timedelta(days=366)  # an older day of receipt is a slip of the pen; so late a letter deserves a person's look


def open_by_agent(
    desk: Desk,
    conn: sa.Connection,
    agent: str,
    address: str,
    right_name: str,
    regime: str = "gdpr",
    received: str = "",
) -> str:
    """An agent opens a request for a person; proof is asked from the person, never from the agent.

    Args:
        regime: `gdpr`, or `ccpa` for a person whom Californian law protects.
        received: when it reached the company (a letter, a call), from which the deadline counts (GDPR Art. 12(3)):
            an ISO date in the controller's time zone, or a moment; empty: now.

    Raises:
        UnsupportedRequest: no such right, or no such regime.
        RequestError: not an e-mail address; the receipt is no date, still to come, or more than a year ago.
    """
    spoken = {"delete": "erasure", "forget": "erasure", "object": "objection", "age": "age_report"}
    name = spoken.get(right_name.lower(), right_name.lower())
    if name not in {str(r) for r in Right}:
        raise UnsupportedRequest(f"no such right; known: {', '.join(str(r) for r in Right)}")
    if regime.lower() not in get_args(Regime):
        raise UnsupportedRequest(f"no such regime; known: {', '.join(get_args(Regime))}")
    law = cast(Regime, regime.lower())
    reference, _ = open_for(
        desk,
        conn,
        Right(name),
        address,
        channel="agent",
        opened_by=f"agent:{agent}",
        regime=law,
        received_at=_receipt(desk, received) if received else None,
    )
    return reference


def _receipt(desk: Desk, typed: str) -> datetime:
    now = desk.now()
    try:
        received = deadlines.parse_received(typed, desk.policy.controller.timezone)
    except ValueError:
        raise RequestError("give the day of receipt as 2026-11-20") from None
    if received > now:
        raise RequestError("the day of receipt is still to come")
    if received < now - OLDEST:
        raise RequestError("the day of receipt is more than a year ago; is the year right?")
    return received


def open_for(
    desk: Desk,
    conn: sa.Connection,
    right: Right,
    address: str,
    *,
    channel: str,
    opened_by: str,
    language: str = "en",
    regime: Regime = "gdpr",
    received_at: datetime | None = None,
) -> tuple[str, bool]:
    """Open a request for a person who is not in a conversation; a code asks the person for proof by mail.

    Args:
        received_at: when it reached the company, if that was before now.

    Returns:
        the reference, and False if proof is needed and the address has had too many codes.

    Raises:
        RequestError: not an e-mail address.
    """
    address, received_at = addresses.normalise(address), received_at or desk.now()
    if not address:
        raise RequestError("that is not an e-mail address that we can use")
    if desk.proof.at_once(right):
        opened = commands.open_without_proof(
            desk,
            conn,
            right,
            address,
            received_at=received_at,
            channel=channel,
            language=language,
            opened_by=opened_by,
            regime=regime,
        )
        return opened, True
    reference = requests.open_request(
        desk,
        conn,
        right,
        address,
        received_at=received_at,
        channel=channel,
        status=RequestStatus.IDENTITY_PENDING,
        opened_by=opened_by,
        language=language,
        regime=regime,
    )
    sent = mail_page_code(desk, conn, reference, reserved=opened_by == "api" or opened_by.startswith("agent:"))
    commands.announce(desk, conn, reference)
    return reference, sent


def mail_page_code(desk: Desk, conn: sa.Connection, reference: str, *, reserved: bool = True) -> bool:
    """Mail the person of a request a fresh code, to be typed on the request's verify page.

    Args:
        reserved: no stranger can cause this mail (see `identity.issue`): an agent or the company's own site did.

    Returns:
        False if the address has had too many codes.
    """
    request = requests.get(desk, conn, reference)
    purpose = [str(request.right)]
    to = representation.asked(desk, conn, request)
    address_hash = desk.vault.hash("address", to)
    issued = identity.issue(desk, conn, address_hash, purpose, reference=reference, reserved=reserved)
    if issued is None:
        return False
    lifetime = timedelta(days=30)
    acts = to != request.address
    mail = mails.agent_opened_mail(
        to,
        request.row.language,
        reference=reference,
        right=request.right,
        code=issued.code,
        link=links.make(desk, conn, "verify", lifetime=lifetime, reference=reference),
        not_me_link=links.make(
            desk, conn, "not_me", lifetime=lifetime, reference=reference, challenge_id=issued.challenge_id
        ),
        company=desk.company,
        for_another=acts,
    )
    outgoing.mail(desk, conn, request.row.key_id, mail, f"code:{issued.challenge_id}", reference)
    return True
