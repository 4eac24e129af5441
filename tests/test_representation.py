"""Somebody acts for another, or lost the mailbox: other proofs, four eyes, a notice to the owner, never by itself."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dsr import acting, commands, finishing, representation, requests
from dsr.errors import RequestError, TransitionNotAllowed, UnsupportedRequest
from dsr.model import RequestStatus, Right
from dsr.store import tables
from tests.pages_desk import CODE, MARIA, World, make_world

LAWYER = "avocat@cabinet.example.org"
EVIDENCE = {
    "lawyer": ("power_of_attorney", "bar_register"),
    "parent": ("birth_certificate", "id_shown"),
    "heir": ("death_certificate", "certificate_of_inheritance"),
    "owner": ("account_id", "signed_channel"),
}
SECRET = "AB 123456"  # a number on a document


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def check(world: World, reference: str, who: str = "lawyer", agent: str = "U1", address: str = LAWYER) -> str:
    with world.desk.db.write() as conn:
        return acting.check(world.desk, conn, agent, reference, who, address, EVIDENCE[who])


def approve(world: World, reference: str, agent: str = "U2") -> str:
    with world.desk.db.write() as conn:
        return commands.approve(world.desk, conn, agent, reference)


def link(world: World, address: str, kind: str) -> str:
    texts = [m["text"] for m in world.mails(address)]
    found = [m.group() for t in texts if (m := re.search(rf"https?://\S+/{kind}/\w+", t))]
    return world.path(found[-1])


def code_of(world: World, address: str) -> str:
    return [m[1] for mail in world.mails(address) if (m := CODE.search(mail["text"]))][-1]


def type_code(world: World, address: str = LAWYER) -> str:
    page = world.client.post(link(world, address, "verify"), data={"code": code_of(world, address)})
    assert page.status_code == 200
    return page.get_data(as_text=True)


def asked_by_customer(world: World, right: Right = Right.EXPORT) -> str:
    """A request that waits for proof and in which no agent has had a hand."""
    with world.desk.db.write() as conn:
        return requests.open_request(
            world.desk, conn, right, MARIA, received_at=world.clock(), channel="zendesk",
            status=RequestStatus.IDENTITY_PENDING, opened_by="customer",
        )  # fmt: skip


# ---- acting for another ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code_first", [True, False])
def test_it_takes_evidence_two_agents_and_a_code_whatever_comes_last(world: World, code_first: bool) -> None:
    reference = asked_by_customer(world)
    check(world, reference)
    if code_first:
        assert "Two people in our team" in type_code(world)
        assert world.row(reference).verified_at is None, "the code alone begins nothing"
        approve(world, reference)
    else:
        approve(world, reference)
        assert world.row(reference).verified_at is None, "the agents alone begin nothing"
        type_code(world)
    for address in (MARIA, LAWYER):
        assert any("/status/" in m["text"] for m in world.mails(address)), "both hear that it begins"
    row = world.row(reference)
    assert (row.status, row.verified_by, row.approved_by) == ("in_progress", "lawyer+code", "agent:U2")


def test_who_looked_at_the_evidence_cannot_approve_it_nor_can_who_opened_the_request(world: World) -> None:
    reference = asked_by_customer(world)
    check(world, reference, agent="U1")
    type_code(world)
    with pytest.raises(TransitionNotAllowed, match="four eyes"):
        approve(world, reference, agent="U1")
    opened = world.request(Right.EXPORT, "other@example.com")  # by agent U1
    check(world, opened, agent="U2")
    with pytest.raises(TransitionNotAllowed, match="four eyes"):
        approve(world, opened, agent="U1")
    assert world.status(reference) == world.status(opened) == "identity_pending"


def test_without_evidence_looked_at_an_approval_replaces_no_proof(world: World) -> None:
    with pytest.raises(TransitionNotAllowed, match="cannot replace proof"):
        approve(world, asked_by_customer(world))


@pytest.mark.parametrize(
    ("who", "address", "evidence", "why"),
    [
        ("neighbour", LAWYER, ("id_shown",), "nobody acts as neighbour"),
        ("lawyer", LAWYER, ("power_of_attorney", SECRET), "no such evidence"),
        ("lawyer", LAWYER, ("power_of_attorney", "power_of_attorney"), "2 of these are needed"),
        ("lawyer", MARIA, EVIDENCE["lawyer"], "another one than that on the records"),
        ("lawyer", "nobody", EVIDENCE["lawyer"], "another one than that on the records"),
    ],
)
def test_what_is_not_in_the_table_proves_nothing(
    world: World, who: str, address: str, evidence: tuple[str, ...], why: str
) -> None:
    reference = asked_by_customer(world)
    with world.desk.db.write() as conn, pytest.raises((UnsupportedRequest, RequestError), match=why):
        acting.check(world.desk, conn, "U1", reference, who, address, evidence)
    assert not world.mails(LAWYER)


def test_package_and_certificate_go_to_whoever_acts_and_to_nobody_else(world: World) -> None:
    reference = asked_by_customer(world, Right.ERASURE)
    check(world, reference)
    type_code(world)
    approve(world, reference)
    with world.desk.db.write() as conn:
        request = requests.get(world.desk, conn, reference)
        assert representation.recipient(world.desk, conn, request) == LAWYER
        finishing._issue_certificate(world.desk, conn, request, {})
    assert [m for m in world.mails(LAWYER) if "Certificate" in m["subject"]]
    assert not [m for m in world.mails(MARIA) if "Certificate" in m["subject"]]


def test_the_code_of_a_download_goes_to_whoever_acts(world: World) -> None:
    reference = asked_by_customer(world)
    check(world, reference)
    type_code(world)
    approve(world, reference)
    path = world.package(reference)
    before = len(world.mails())
    world.client.post(path, data={"do": "send"})
    assert len(world.mails()) == before, "nothing to the address on the records"
    assert world.client.post(path, data={"code": code_of(world, LAWYER)}).content_type == "application/zip"


def test_a_package_stays_with_the_person_if_the_person_proved_it_after_all(world: World) -> None:
    reference = asked_by_customer(world)
    check(world, reference)
    approve(world, reference)
    with world.desk.db.write() as conn:
        commands.verified(world.desk, conn, reference, by="code")  # typed in the person's own conversation
        request = requests.get(world.desk, conn, reference)
        assert representation.recipient(world.desk, conn, request) == MARIA


def test_only_kinds_of_evidence_are_kept_and_the_address_is_encrypted(world: World) -> None:
    reference = asked_by_customer(world)
    check(world, reference)
    dump = world.dump()
    assert LAWYER not in dump
    with world.desk.db.read() as conn:
        a = tables.audit.c
        why = conn.execute(sa.select(a.why).where(a.what == "acting.proposed")).scalar_one()
    assert why.startswith("lawyer: power_of_attorney, bar_register checked; nothing stored")


@pytest.mark.parametrize("who", list(EVIDENCE))
def test_the_owner_is_told_and_stops_everything_with_one_press(world: World, who: str) -> None:
    reference = asked_by_customer(world)
    check(world, reference, who)
    type_code(world)
    notice = world.mails()[-1]
    assert reference in notice["text"]
    assert LAWYER not in notice["text"]
    assert world.client.get(link(world, MARIA, "not-me")).status_code == 200
    assert world.status(reference) == "identity_pending", "looking changes nothing"
    world.client.post(link(world, MARIA, "not-me"))
    assert world.status(reference) == "frozen"
    world.clock.pass_(days=30)
    with pytest.raises(TransitionNotAllowed):
        approve(world, reference)
    with world.desk.db.read() as conn:
        assert representation.of(world.desk, conn, reference) is None


# ---- a lost mailbox --------------------------------------------------------------------------------------------------


def test_a_lost_mailbox_is_recovered_slowly_by_two_agents_and_never_by_itself(world: World) -> None:
    reference = asked_by_customer(world)
    said = check(world, reference, "owner")
    assert (world.clock() + timedelta(days=7)).date().isoformat() in said
    type_code(world)
    with pytest.raises(TransitionNotAllowed, match="has been told and may object until"):
        approve(world, reference)
    world.clock.pass_(days=6, hours=23)
    with pytest.raises(TransitionNotAllowed, match="may object"):
        approve(world, reference)
    world.clock.pass_(hours=2)
    assert world.status(reference) == "identity_pending", "time alone begins nothing"
    approve(world, reference)
    assert world.row(reference).verified_by == "owner+code"


# ---- by command ------------------------------------------------------------------------------------------------------


def test_agents_say_it_in_slack_and_operators_on_the_command_line(world: World) -> None:
    reference, other = asked_by_customer(world), asked_by_customer(world, Right.ERASURE)
    with world.desk.db.write() as conn:
        typed = [reference, "lawyer", f"<mailto:{LAWYER}|{LAWYER}>", *EVIDENCE["lawyer"]]
        said = acting.COMMANDS["acting"](world.desk, conn, "U1", typed)
        with pytest.raises(RequestError, match="say `/privacy acting"):
            acting.COMMANDS["acting"](world.desk, conn, "U1", [reference, "owner", LAWYER, "account_id"])
    assert "noted as checked" in said
    assert LAWYER not in said
    options = [x for kind in EVIDENCE["owner"] for x in ("--evidence", kind)]
    done = world.app.test_cli_runner().invoke(args=["dsr", "recover", other, LAWYER, *options, "--as", "ana"])
    assert done.exit_code == 0, done.output
    assert "Another agent can approve from" in done.output
