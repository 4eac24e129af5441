"""Who the controller of a recipient's data is: asked of the company's own database, and told."""

from __future__ import annotations

from dsr import forwarding, requests, resubscription
from dsr.fulfilment import OWN_DATABASE
from dsr.model import Identities, Right
from dsr.requests import SubjectRequest
from integrations.own_database.processor import OwnDatabaseProcessor
from workflows.context import Worker


def remember(worker: Worker, request: SubjectRequest, found: Identities) -> None:
    """Note in whose lists the address stands, before anything changes there.

    Raises:
        VendorError: the database did not answer.
    """
    if request.row.channel == resubscription.CHANNEL:
        return  # it asks for mail, not for its end
    own = worker.connections.processors[OWN_DATABASE]
    holder = bool(found.of("account_id"))
    if isinstance(own, OwnDatabaseProcessor) and forwarding.concerns(request.right, account_holder=holder):
        still = request.right is Right.UNSUBSCRIBE  # who says it again and again gives nobody work
        forwarding.keep(worker.desk, request.reference, own.customers_of(request.address, still_mailed=still))


def by_hand(worker: Worker, reference: str, account: str) -> None:
    """An agent named the customer.

    Raises:
        VendorError: the database did not answer.
    """
    own = worker.connections.processors[OWN_DATABASE]
    customer = own.customer(account) if isinstance(own, OwnDatabaseProcessor) else None
    if customer is None:
        forwarding.not_found(worker.desk, reference, account)
        return
    with worker.desk.db.write() as conn:
        request = requests.get(worker.desk, conn, reference, lock=True)
        if request.address:
            forwarding.send(worker.desk, conn, request, [customer], who="desk")
