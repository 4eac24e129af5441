"""Requests of data subjects, for the company's own site: open one, see how it stands. Never a personal datum."""

from __future__ import annotations

import json as json_
from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, Field

from api.access import blueprint, current_desk
from api.document import answers, tree
from api.suppressions import Asked, Written
from dsr import opening, receipts, requests
from dsr.deadlines import Regime
from dsr.desk import Desk
from dsr.errors import TooManyCodes
from dsr.model import RequestStatus, Right
from dsr.store.tables import requests as table

bp = blueprint("api_requests")

Language = Literal["en", "ro", "de", "fr", "es"]
PAGE = 100


class RequestToOpen(Asked):
    address: Written
    right: Right
    language: Language = Field(default="en", description="of the mails that the person gets")
    regime: Regime = Field(default="gdpr", description="the law whose time limits count")


class Dates(BaseModel):
    received: datetime
    due: datetime = Field(description="last moment of the legal time limit (GDPR Art. 12(3))")
    verified: datetime | None = Field(description="when the person was proved; null if not or not needed")
    starts: datetime | None = Field(description="end of an erasure's cooling-off time")
    finished: datetime | None


class Shown(BaseModel):
    """A request in a list."""

    reference: str = Field(pattern=r"^PR-[0-9A-Z]{6}$")
    right: Right
    status: RequestStatus
    channel: str
    dates: Dates


class Kept(BaseModel):
    """What a processor keeps anyway."""

    what: str
    why: str
    until: str
    kept_by_law: bool


class Step(BaseModel):
    """The receipt of one operation at one processor."""

    processor: str
    operation: str
    status: str
    outcome: str | None
    verdict: str | None
    finished: datetime | None
    keeps: list[Kept]


class ShownInFull(Shown):
    """A request with its receipts."""

    receipts: list[Step]


class Page(BaseModel):
    requests: list[Shown]
    next: str | None = Field(description="give it as `after` for the next page; null on the last")


class Paging(BaseModel):
    limit: Annotated[int, Field(ge=1, le=1000)] = PAGE
    after: str = Field(default="", max_length=40, description="`next` of the page before")


@bp.post("/requests")
@tree.validate(resp=answers(201, Shown, 409, 429), operation_id="openRequest", tags=["requests"])
def open_(json: RequestToOpen) -> tuple[Shown, int]:
    """Open a request of somebody who asked on your site while signed in. The person proves themselves by a code from
    a mail; what needs no proof (unsubscribe, objection, age report) acts at once. A form that is open to everybody
    must not lead here: strangers could use up the codes that are reserved for the person."""
    desk = current_desk()
    with desk.db.write() as conn:
        reference, sent = opening.open_for(
            desk,
            conn,
            json.right,
            json.address,
            channel="api",
            opened_by="api",
            language=json.language,
            regime=json.regime,
        )
        if not sent:
            raise TooManyCodes("this address has had too many codes; please try again in an hour")
        row = requests.get(desk, conn, reference).row
    return Shown(**_shown(row)), 201


@bp.get("/requests/<reference>")
@tree.validate(
    resp=answers(200, ShownInFull, 404),
    operation_id="showRequest",
    tags=["requests"],
    path_parameter_descriptions={"reference": "as in the mails, such as PR-7K3M9Q"},
)
def one(reference: str) -> ShownInFull:
    """Status, dates and receipts of a request."""
    desk = current_desk()
    with desk.db.read() as conn:
        known = requests.normalise_reference(reference)
        return ShownInFull(**_shown(requests.get(desk, conn, known).row), receipts=_steps(conn, known))


@bp.get("/requests")
@tree.validate(resp=answers(200, Page), operation_id="listRequests", tags=["requests"])
def open_ones(query: Paging) -> Page:
    """Open requests, the most urgent first."""
    rows = _open(current_desk(), query)
    shown = [Shown(**_shown(row)) for row in rows[: query.limit]]
    return Page(requests=shown, next=shown[-1].reference if len(rows) > query.limit else None)


def _open(desk: Desk, paging: Paging) -> list[sa.Row[Any]]:
    """One more than asked for, if there are more. A page goes on behind a request also when that one has ended."""
    c = table.c
    states = [*requests.OPEN, RequestStatus.PARTIALLY_COMPLETED]
    query = sa.select(table).where(c.status.in_([str(s) for s in states]))
    with desk.db.read() as conn:
        if paging.after:
            last = requests.get(desk, conn, requests.normalise_reference(paging.after)).row
            behind = sa.or_(c.due_at > last.due_at, sa.and_(c.due_at == last.due_at, c.reference > last.reference))
            query = query.where(behind)
        return list(conn.execute(query.order_by(c.due_at, c.reference).limit(paging.limit + 1)))


def _shown(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "reference": row.reference,
        "right": row.right,
        "status": row.status,
        "channel": row.channel,
        "dates": Dates(
            received=row.received_at,
            due=row.due_at,
            verified=row.verified_at,
            starts=row.start_at,
            finished=row.finished_at,
        ),
    }


def _steps(conn: sa.Connection, reference: str) -> list[Step]:
    return [
        Step(
            processor=row.processor,
            operation=row.operation,
            status=row.status,
            outcome=row.outcome,
            verdict=row.verdict,
            finished=row.finished_at,
            keeps=[Kept(**kept) for kept in json_.loads(row.residue)],
        )
        for row in receipts.rows(conn, reference)
    ]
