"""A platform passes on that a person wants their data erased: there is no conversation to answer in, only a mailbox."""

from __future__ import annotations

import sqlalchemy as sa

from dsr import audit, commands, links, opening, requests
from dsr.desk import Desk
from dsr.messages import DeletionAsked
from dsr.model import Identities, RequestStatus, Right


def open_erasure(desk: Desk, conn: sa.Connection, asked: DeletionAsked, address: str, channel: str) -> str:
    """Open the erasure and make the status page that the platform shows to the person.

    The platform vouches for its own user, not for the owner of our account: proof is asked by mail all the same.

    Args:
        address: of the account that the platform's id belongs to, normalised; empty if no account has it: then an
            agent looks.

    Returns:
        the reference.
    """
    reference = requests.open_request(
        desk,
        conn,
        Right.ERASURE,
        address,
        received_at=asked.sent_at,
        channel=channel,
        status=RequestStatus.IDENTITY_PENDING if address else RequestStatus.WAITING_FOR_AGENT,
        opened_by=f"processor:{asked.vendor}",
        details={"why": f"asked at {asked.vendor}"},
    )
    known = Identities.of_email(address) if address else Identities()
    key_id = requests.get(desk, conn, reference).row.key_id
    whole = [(i.type, i.value) for i in known.plus([asked.identity]).all]
    requests.update(conn, reference, identities_enc=desk.vault.seal(conn, key_id, whole))
    links.make(desk, conn, "status", lifetime=commands.LINK_LIFETIME, reference=reference, token=asked.code)
    if address:
        opening.mail_page_code(desk, conn, reference)
    else:
        why = f"no account has the id that {asked.vendor} named; look for the person and open a request by address"
        audit.record(desk, conn, who="desk", what="request.unknown_person", reference=reference, why=why)
    commands.announce(desk, conn, reference)
    return reference
