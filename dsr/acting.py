"""The agents' path for somebody who acts for another, and for a lost mailbox: `/privacy acting`, `/privacy recover`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta

import sqlalchemy as sa

from dsr import identity, links, opening, outgoing, representation, requests
from dsr.desk import Desk
from dsr.errors import RequestError
from dsr.letters import mails

HELP = """`/privacy acting REF lawyer|parent|heir EMAIL EVIDENCE…` you have looked at it; another agent approves
`/privacy recover REF EMAIL EVIDENCE…` the mailbox is lost: other proofs, a notice to the old address, another agent"""


def check(
    desk: Desk, conn: sa.Connection, agent: str, reference: str, who: str, address: str, evidence: Sequence[str]
) -> str:
    """Record what an agent has checked, tell the address on the records, and mail whoever acts a code.

    Args:
        who: `lawyer`, `parent`, `heir`, or `owner` (of a lost mailbox).
        address: where whoever acts can be reached; proved by a code.
        evidence: kinds, as in `proof.toml`; never a document, a number or a name.

    Returns:
        what happened, for the agent.

    Raises:
        RequestError: not possible; see `representation.check`.
    """
    found = representation.check(desk, conn, agent, reference, who, address, evidence)
    request = requests.get(desk, conn, reference)
    identity.void(desk, conn, reference=reference)
    not_me = links.make(desk, conn, "not_me", lifetime=timedelta(days=60), reference=reference)
    notice = mails.standin_notice_mail(
        request.address,
        request.row.language,
        reference=reference,
        right=request.right,
        who=who,
        not_before=found.not_before,
        not_me_link=not_me,
        company=desk.company,
    )
    outgoing.mail(desk, conn, request.row.key_id, notice, f"standin:{reference}:{desk.now().isoformat()}", reference)
    sent = opening.mail_page_code(desk, conn, reference)
    code = "they have been mailed a code" if sent else "their address has had too many codes: `code` mails one later"
    day = found.not_before.date().isoformat()
    return f"noted as checked; {code}. Another agent can approve from {day} on (four eyes)"


def _acting(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) < 4 or arguments[1].lower() == "owner":
        raise RequestError("say `/privacy acting REF lawyer|parent|heir EMAIL EVIDENCE…`")
    return _checked(desk, conn, agent, arguments[0], arguments[1].lower(), arguments[2], arguments[3:])


def _recover(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) < 3:
        raise RequestError("say `/privacy recover REF EMAIL EVIDENCE…`")
    return _checked(desk, conn, agent, arguments[0], "owner", arguments[1], arguments[2:])


def _checked(
    desk: Desk, conn: sa.Connection, agent: str, typed: str, who: str, email: str, evidence: Sequence[str]
) -> str:
    reference = requests.normalise_reference(typed)
    address = re.sub(r"^<mailto:([^|>]+)(\|[^>]*)?>$", r"\1", email)  # as Slack writes one
    kinds = [kind.lower() for kind in evidence]
    return f"{reference}: {check(desk, conn, agent, reference, who, address, kinds)}."


COMMANDS: dict[str, Callable[[Desk, sa.Connection, str, list[str]], str]] = {"acting": _acting, "recover": _recover}
