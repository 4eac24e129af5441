"""Who gets no promotional mail, and whose data go into no analytics or advertising upload."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.access import blueprint, current_desk
from api.document import answers, tree
from api.problems import Refused
from dsr import addresses, audit, preferences, suppression

bp = blueprint("api_suppressions")

MANY = 100_000
SPREAD = 1_000  # unsubscribe requests that one call may open

Written = Annotated[str, Field(max_length=1000)]
Addresses = Annotated[list[Written], Field(max_length=MANY, description="as they are written in your list")]
ListName = Annotated[
    str,
    Field(max_length=40, pattern=r"^[\w*.-]+$", description="a topic or list; `*` is all promotional mail"),
]
SUPPRESSED = (suppression.MARKETING, suppression.OBJECTION, suppression.AGE)
# Art. 21(3): who said no to direct marketing is in no audience of an advertising network either.
KINDS = {"analytics": (suppression.OBJECTION, suppression.AGE), "advertising": SUPPRESSED}


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SuppressionCheck(Asked):
    addresses: Addresses
    topic: ListName = suppression.ALL


class SuppressionChecked(BaseModel):
    checked: int
    suppressed: list[str] = Field(description="must get no promotional mail")
    unusable: list[str] = Field(description="no addresses that can be kept: nothing is known, so do not mail them")


class ObjectionCheck(Asked):
    addresses: Addresses
    purpose: Literal["analytics", "advertising"] = Field(
        default="advertising", description="for advertising, who unsubscribed from all promotional mail counts too"
    )


class Objection(BaseModel):
    address: str
    kinds: list[Literal["marketing", "objection", "age"]]
    since: datetime


class ObjectionsChecked(BaseModel):
    checked: int
    objections: list[Objection] = Field(description="leave these out of the upload")
    unusable: list[str] = Field(description="no addresses that can be kept: nothing is known, so leave them out")


class SuppressionsToAdd(Asked):
    addresses: Addresses
    topic: ListName = suppression.ALL
    tell_processors: bool = Field(
        default=True,
        description=f"open an unsubscribe request for each, which reaches every processor (at most {SPREAD} a call; "
        "for topic `*` only) unless they are being told or were within the last day; "
        "false: keep them here, for the checks above (an import of an old list)",
    )


class SuppressionsAdded(BaseModel):
    added: int = Field(description="in force now, new or not")
    requests: list[str] = Field(description="references of the requests that were opened")
    unusable: list[str]


class HeadersAsked(Asked):
    address: Written
    list: ListName = suppression.ALL


class UnsubscribeHeaders(BaseModel):
    headers: dict[str, str] = Field(description="of RFC 8058: put both into the mail, under its DKIM signature")
    footer_link: str = Field(description="for the visible link in the mail")


@bp.post("/suppressions/check")
@tree.validate(resp=answers(200, SuppressionChecked), operation_id="checkSuppressions", tags=["suppression"])
def check(json: SuppressionCheck) -> SuppressionChecked:
    """Which of up to 100,000 addresses must get no promotional mail. Ask before every campaign and import."""
    desk = current_desk()
    with desk.db.read() as conn:
        found = suppression.look_up(desk, conn, json.addresses, kinds=SUPPRESSED, topic=json.topic)
    return SuppressionChecked.model_construct(
        checked=len(json.addresses), suppressed=list(found.kinds), unusable=list(found.unusable)
    )


@bp.post("/objections/check")
@tree.validate(resp=answers(200, ObjectionsChecked), operation_id="checkObjections", tags=["suppression"])
def objections(json: ObjectionCheck) -> ObjectionsChecked:
    """Which of up to 100,000 addresses must not go into an upload to analytics or an advertising network."""
    desk = current_desk()
    with desk.db.read() as conn:
        found = suppression.look_up(desk, conn, json.addresses, kinds=KINDS[json.purpose])
    told = [
        Objection.model_construct(address=written, kinds=sorted(kinds), since=min(kinds.values()))
        for written, kinds in found.kinds.items()
    ]
    return ObjectionsChecked.model_construct(
        checked=len(json.addresses), objections=told, unusable=list(found.unusable)
    )


@bp.post("/suppressions")
@tree.validate(resp=answers(200, SuppressionsAdded), operation_id="addSuppressions", tags=["suppression"])
def add(json: SuppressionsToAdd) -> SuppressionsAdded:
    """Stop promotional mail to one or many. In force before the answer; repeating it is harmless."""
    desk = current_desk()
    usable = {a: addresses.normalise(a) for a in json.addresses}
    wanted = list(dict.fromkeys(a for a in usable.values() if a))
    spread = json.tell_processors and json.topic == suppression.ALL
    if spread and len(wanted) > SPREAD:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"at most {SPREAD} addresses a call with tell_processors; split them, or keep them here alone",
        )
    opened = [preferences.unsubscribe(desk, address, "en", channel="api") for address in wanted if spread]
    if not spread:
        with desk.db.write() as conn:
            suppression.add_many(desk, conn, wanted, topic=json.topic)
            audit.record(
                desk, conn, who="api", what="suppression.added", why="imported", details={"count": len(wanted)}
            )
    return SuppressionsAdded(
        added=len(wanted),
        requests=[reference for reference in opened if reference],
        unusable=[written for written, a in usable.items() if not a],
    )


@bp.post("/unsubscribe-headers")
@tree.validate(resp=answers(200, UnsubscribeHeaders), operation_id="unsubscribeHeaders", tags=["suppression"])
def headers(json: HeadersAsked) -> UnsubscribeHeaders:
    """The two headers (RFC 8058) and the footer link of one promotional mail to one person."""
    desk = current_desk()
    if not (address := addresses.normalise(json.address)):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "that is not an e-mail address that we can use")
    return UnsubscribeHeaders(
        headers=suppression.list_unsubscribe_headers(desk, address, json.list),
        footer_link=suppression.link(desk, address, json.list),
    )
