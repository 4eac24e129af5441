"""The proof ladder: what the table asks, what it cannot be made to ask, and that the desk reads it."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import create_app
from dsr import identity, inbox, turns
from dsr.errors import ConfigurationError
from dsr.messages import ConversationRef, Evidence, InboundMessage
from dsr.model import Operation, Right
from dsr.proof import DEFAULT, RISK_OF, load
from dsr.store import tables
from tests.pages_desk import MARIA, World, make_world

TODAY = date(2026, 11, 23)
TABLE = DEFAULT.read_text("utf-8")
LADDER = load(on=TODAY)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def rung(right: str, does: str) -> str:
    """The row of the table as it is written."""
    found = re.search(rf'\[\[rung\]\]\nright = "{right}"\ndoes = "{does}"\n(?:.+\n)+', TABLE)
    assert found
    return found.group()


def changed(tmp_path: Path, old: str, new: str) -> Path:
    assert TABLE.count(old) == 1, old
    path = tmp_path / "proof.toml"
    path.write_text(TABLE.replace(old, new), encoding="utf-8")
    return path


# ---- what it asks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("right", [Right.UNSUBSCRIBE, Right.OBJECTION, Right.AGE_REPORT])
@pytest.mark.parametrize("signed", [False, True])
def test_stopping_mail_and_reporting_a_child_ask_nothing(right: Right, signed: bool) -> None:
    assert LADDER.asked(right, Operation.SUPPRESS, signed=signed) == ()
    assert LADDER.at_once(right)


def test_erasure_asks_a_code_and_everything_in_one_file_a_second_factor() -> None:
    assert LADDER.asked(Right.ERASURE, Operation.ERASE) == ("code",)
    for right in (Right.EXPORT, Right.ACCESS):
        assert LADDER.asked(right, Operation.EXPORT) == ("code", "second factor")
        assert LADDER.second_factor(right)
    assert identity.LIFETIME.total_seconds() <= LADDER.second_factor_minutes * 60 <= 15 * 60


def test_what_a_channel_vouches_for_is_one_step_and_no_more() -> None:
    assert LADDER.asked(Right.ERASURE, Operation.ERASE, signed=True) == ("signed", "code")
    assert LADDER.proved_by([Right.ERASURE], signed=True) == "signed+code"
    assert LADDER.proved_by([Right.ERASURE], signed=False) == "code"


def test_every_row_names_an_article_and_a_reason_for_a_lawyer() -> None:
    for row in LADDER.rungs:
        assert re.search(r"Art\. \d", row.article), row.right
        assert row.why.endswith(".")
        assert row.risk == RISK_OF[row.does]
    for standin in LADDER.standins:
        assert "GDPR" in standin.article


def test_a_row_with_a_later_date_counts_from_that_day(tmp_path: Path) -> None:
    later = rung("erasure", "erase").replace("2018-05-25", "2027-01-01").replace('["signed", "code"]', '["code"]')
    path = tmp_path / "proof.toml"
    path.write_text(f"{TABLE}\n{later}", encoding="utf-8")
    assert load(path, on=date(2026, 12, 31)).proved_by([Right.ERASURE], signed=True) == "signed+code"
    assert load(path, on=date(2027, 1, 1)).proved_by([Right.ERASURE], signed=True) == "code"


# ---- what it cannot be made to ask -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "does", "old", "new", "complaint"),
    [
        ("erasure", "erase", 'claim = ["code"]', "claim = []", "erasure × erase: claim must ask for code"),
        ("erasure", "erase", '["signed", "code"]', '["signed"]', "erasure × erase: signed must ask for code"),
        ("restriction", "restrict", 'claim = ["code"]', "claim = []", "restriction × restrict: claim must ask"),
        ("export", "export", 'claim = ["code", "second factor"]', 'claim = ["code"]', "must ask for second factor"),
        ("unsubscribe", "suppress", "claim = []", 'claim = ["code"]', "must have no wall (GDPR Art. 21(3), 12(2))"),
        ("age_report", "suppress", "claim = []", 'claim = ["code"]', "must have no wall"),
        ("age_report", "restrict", 'claim = ["two agents"]', "claim = []", "must ask for two agents"),
        ("erasure", "erase", 'risk = "destroy"', 'risk = "none"', "erasure × erase: the risk is destroy"),
        ("erasure", "erase", 'claim = ["code"]', 'claim = ["code", "signed"]', "claim cannot ask for signed"),
        ("erasure", "erase", 'claim = ["code"]', 'claim = ["passport"]', "rung.5.claim.0: Input should be"),
        ("erasure", "erase", 'does = "erase"', 'does = "export"', "erasure × export: this right does no such thing"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, right: str, does: str, old: str, new: str, complaint: str) -> None:
    row = rung(right, does)
    assert old in row
    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        load(changed(tmp_path, row, row.replace(old, new)), on=TODAY)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("second_factor_minutes = 15", "second_factor_minutes = 60", "second_factor_minutes"),
        (rung("access", "export"), "", "nothing says what access × export asks"),
        (
            'evidence = ["billing_contact", "account_id", "signed_channel"]',
            'evidence = ["name"]',
            "needs more",
        ),
        ('who = "owner"', 'who = "neighbour"', "standin.3.who"),
        ("second_factor_minutes = 15", "second_factor_minutes = = 15", "is not TOML"),
    ],
)
def test_a_table_with_a_gap_or_a_slip_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        load(changed(tmp_path, old, new), on=TODAY)


def test_the_desk_does_not_start_with_a_bad_table_and_says_why(tmp_path: Path) -> None:
    row = rung("erasure", "erase")
    path = changed(tmp_path, row, row.replace('claim = ["code"]', "claim = []"))
    app = create_app({"PROOF_FILE": str(path)})
    assert any("proof.toml: erasure × erase: claim must ask for code" in p for p in app.extensions["problems"])
    assert not any("proof.toml" in p for p in create_app({}).extensions["problems"])


# ---- that the desk reads it ------------------------------------------------------------------------------------------


def say(world: World, text: str, evidence: Evidence, event: str, address: str = MARIA) -> None:
    desk, ref = world.desk, ConversationRef("slack", "D1", "T1:U1")
    message = InboundMessage(event, ref, text, desk.now(), address, evidence)
    assert inbox.store(desk, "slack", [message]) == 1
    with desk.db.write() as conn:
        conversation, _ = inbox.conversation_of(desk, conn, ref, ref.person)
    turns.take_turns(desk, conversation, lambda m: m)


def the_request(world: World) -> sa.Row[tuple[object, ...]]:
    with world.desk.db.read() as conn:
        return conn.execute(sa.select(tables.requests)).one()


@pytest.mark.parametrize(("evidence", "by"), [(Evidence.SIGNED, "signed+code"), (Evidence.CLAIM, "code")])
def test_a_request_says_whether_the_channel_vouched_for_the_address(world: World, evidence: Evidence, by: str) -> None:
    say(world, "Please delete my account and all my personal data.", evidence, "1")
    assert the_request(world).verified_at is None, "the channel's word alone starts nothing"
    say(world, world.code(), evidence, "2")
    assert the_request(world).verified_by == by


def test_the_channels_word_for_one_address_says_nothing_of_another(world: World) -> None:
    say(
        world,
        f"Please delete my account and all my personal data. My address is {MARIA}",
        Evidence.SIGNED,
        "1",
        "a@b.ro",
    )
    say(world, MARIA, Evidence.SIGNED, "2", "a@b.ro")
    say(world, world.code(), Evidence.SIGNED, "3", "a@b.ro")
    assert the_request(world).verified_by == "code"


@pytest.mark.parametrize(("form", "said"), [("word", "the word from the chat"), ("code", "a fresh code")])
def test_the_audit_says_which_second_factor_opened_a_package(world: World, form: str, said: str) -> None:
    reference = world.verified(Right.EXPORT)
    path = world.package(reference, word="ABC234")
    assert world.client.post(path, data={}).status_code == 422, "the link alone is no second factor"
    if form == "code":
        world.client.post(path, data={"do": "send"})
    answer = world.client.post(path, data={form: "ABC234" if form == "word" else world.code()})
    assert answer.content_type == "application/zip"
    with world.desk.db.read() as conn:
        a = tables.audit.c
        why = conn.execute(sa.select(a.why).where(a.reference == reference, a.what == "package.downloaded")).scalar()
    assert why == f"one-time link and {said}"
