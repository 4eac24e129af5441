"""Recipients of customers' mail: the customer, the controller, is told; who that is, the person learns when proved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dsr import commands, forwarding, receipts, requests, resubscription, retention
from dsr.desk import utc_now
from dsr.letters import mails
from dsr.letters.catalogue import LANGUAGES
from dsr.model import RequestStatus, Right
from dsr.store import tables
from tests.clocked import Office, office
from tests.twins import MARIA
from workflows import forwarding as looking_up
from workflows import request

S = RequestStatus
LENA = "lena.berg@example.com"  # a customer without a company name
READER = "reader@example.net"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as made:
        subscribe(made, "acc-maria", "one")
        yield made


def subscribe(desk: Office, account: str, row: str) -> None:
    """The reader stands in a customer's list."""
    columns = {"id": row, "account_id": account, "email": READER, "name": "Rita Reader", "suppressed": False}
    with desk.served.twins["own_database"]._engine().begin() as conn:  # type: ignore[attr-defined]
        conn.execute(sa.table("subscribers", *map(sa.column, columns)).insert().values(columns))


def lists(desk: Office) -> list[dict[str, Any]]:
    return [row for row in desk.served.twins["own_database"].state()["subscribers"] if row["email"] == READER]


def unsubscribed(desk: Office) -> str:
    with desk.desk.db.write() as conn:
        reference = commands.open_without_proof(
            desk.desk, conn, Right.UNSUBSCRIBE, READER, received_at=desk.now(), channel="agent"
        )
    desk.settle(reference)
    return reference


def notices(desk: Office, to: str = MARIA) -> list[dict[str, Any]]:
    return desk.mails(to, "recipient of")


def test_after_the_suppression_the_customer_is_told_once_and_only_what_it_needs(desk: Office) -> None:
    reference = unsubscribed(desk)
    assert all(row["suppressed"] for row in lists(desk))
    (notice,) = notices(desk)
    assert READER in notice["text"]
    assert reference in notice["text"]
    assert "no more mails" in notice["text"]
    assert "stopped mails to this address" in notice["text"]
    assert "Rita" not in notice["text"] + notice["html"], "nothing else is told"
    request.advance(desk.worker, reference)
    forwarding.forward_kept(desk.desk, kept(desk, reference), steps(desk, reference))
    assert len(notices(desk)) == 1
    assert "request.forwarded" in desk.audited(reference)


def kept(desk: Office, reference: str) -> requests.SubjectRequest:
    with desk.desk.db.read() as conn:
        return requests.get(desk.desk, conn, reference)


def steps(desk: Office, reference: str) -> Any:
    with desk.desk.db.read() as conn:
        return receipts.steps(desk.desk, conn, reference)


def test_who_unsubscribes_learns_no_name_for_nothing_was_proved(desk: Office) -> None:
    unsubscribed(desk)
    assert all("Pop SRL" not in m["text"] for m in desk.mails(READER))


def test_who_says_it_again_gives_the_customer_no_second_mail(desk: Office) -> None:
    unsubscribed(desk)
    unsubscribed(desk)
    assert len(notices(desk)) == 1


def test_who_wants_mail_again_is_not_passed_on_as_wanting_none(desk: Office) -> None:
    with desk.desk.db.write() as conn:
        reference = requests.open_request(
            desk.desk, conn, Right.UNSUBSCRIBE, READER, received_at=desk.now(), channel=resubscription.CHANNEL,
            status=S.IN_PROGRESS, opened_by="customer",
        )  # fmt: skip
    request.advance(desk.worker, reference)
    assert "customers" not in kept(desk, reference).details


def test_every_customer_with_the_address_in_a_list_is_told(desk: Office) -> None:
    subscribe(desk, "acc-lena", "two")
    unsubscribed(desk)
    assert len(notices(desk)) == len(notices(desk, LENA)) == 1


def test_before_proof_nobody_is_told_anything(desk: Office) -> None:
    with desk.desk.db.write() as conn:
        reference = requests.open_request(
            desk.desk, conn, Right.ERASURE, READER, received_at=desk.now(), channel="agent",
            status=S.IDENTITY_PENDING, opened_by="customer",
        )  # fmt: skip
    request.advance(desk.worker, reference)
    assert notices(desk) == []
    assert desk.mails(READER) == []
    assert "not proved" in desk.slack("ana", f"forward {reference} acc-maria")


def test_a_proved_recipients_erasure_is_forwarded_and_the_controller_named(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE, READER)
    desk.settle(reference)
    (notice,) = notices(desk)
    assert "deletion of their data" in notice["text"]
    assert "removed this address from your list" in notice["text"]
    assert lists(desk) == []
    (told,) = desk.mails(READER, "Who is responsible")
    assert "Pop SRL" in told["text"]
    assert reference in told["text"]
    assert MARIA not in told["text"], "the company, not the account"


@pytest.mark.parametrize("right", [Right.EXPORT, Right.RESTRICTION])
def test_what_is_not_done_in_the_list_is_said_so(desk: Office, right: Right) -> None:
    desk.settle(desk.proved(right, READER))
    (notice,) = notices(desk)
    assert "changed nothing in your list" in notice["text"]
    assert len(desk.mails(READER, "Pop SRL")) == 1


def test_an_objection_is_forwarded_when_it_is_proved(desk: Office) -> None:
    with desk.desk.db.write() as conn:
        reference = commands.open_without_proof(
            desk.desk, conn, Right.OBJECTION, READER, received_at=desk.now(), channel="agent"
        )
    desk.settle(reference)
    assert notices(desk) == []
    with desk.desk.db.write() as conn:
        commands.verified(desk.desk, conn, reference, by="code")
    desk.settle(reference)
    assert len(notices(desk)) == len(desk.mails(READER, "Pop SRL")) == 1


def test_an_account_holders_own_erasure_tells_no_other_customer(desk: Office) -> None:
    columns = {"id": "own", "account_id": "acc-maria", "email": LENA, "name": "Lena", "suppressed": False}
    with desk.served.twins["own_database"]._engine().begin() as conn:  # type: ignore[attr-defined]
        conn.execute(sa.table("subscribers", *map(sa.column, columns)).insert().values(columns))
    desk.settle(desk.proved(Right.ERASURE, LENA))
    assert notices(desk) == []


def test_a_report_about_a_child_is_told_to_nobody(desk: Office) -> None:
    with desk.desk.db.write() as conn:
        reference = commands.open_without_proof(
            desk.desk, conn, Right.AGE_REPORT, READER, received_at=desk.now(), channel="agent"
        )
    request.advance(desk.worker, reference)
    assert notices(desk) == []
    assert "nobody is told" in desk.slack("ana", f"forward {reference} acc-maria")


def test_an_agent_forwards_by_hand_by_account_id_alone(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = desk.proved(Right.EXPORT, "somebody.else@example.net")
    desk.settle(reference)
    asked: list[str] = []
    monkeypatch.setattr(type(desk.desk.tasks), "forward", lambda _, conn, ref, account: asked.append(account))
    assert "not by an address" in desk.slack("ana", f"forward {reference} {MARIA}")
    assert "told as soon as" in desk.slack("ana", f"forward {reference} acc-maria")
    code, said = desk.run("forward", reference, "acc-maria")
    assert code == 0, said
    assert asked == ["acc-maria", "acc-maria"]
    for account in (*asked, "acc-nobody"):
        looking_up.by_hand(desk.worker, reference, account)
    (notice,) = notices(desk)
    assert "somebody.else@example.net" in notice["text"]
    assert len(desk.mails("somebody.else@example.net", "Pop SRL")) == 1


def test_whose_list_it_was_goes_with_the_request(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE, READER)
    desk.settle(reference)
    r = tables.receipts.c
    with desk.desk.db.write() as conn:
        conn.execute(
            tables.receipts.update().where(r.outcome == "manual").values(status="completed", verdict="accepted")
        )
    desk.advance(reference, S.COMPLETED)
    with desk.desk.db.write() as conn:
        conn.execute(tables.outgoing.update().values(sent_at=desk.now()))
    retention.settle(desk.desk, reference)
    assert desk.row(reference).details_enc is None
    with desk.desk.db.read() as conn:
        bodies = [r.body_enc for r in conn.execute(sa.select(tables.outgoing)) if r.reference == reference]
    assert bodies
    assert not any(bodies), "the notice is gone with its recipient"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("right", sorted(forwarding.FORWARDED))
def test_every_right_can_be_told_to_a_customer_in_every_language(language: str, right: Right) -> None:
    company = mails.Company("IntelliMails", "dpo@example.com", "ANSPDCP", "Europe/Bucharest")
    mail = mails.forwarded_mail(
        MARIA, language, reference="PR-ABC123", right=right, recipient=READER, received=utc_now(), company=company
    )
    assert READER in mail.text
    assert "{" not in mail.text
