"""What agents decide: extension, refusal, un-freezing. A real desk on SQLite with a clock that the test moves."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dsr import agents, commands, extension, grounds, links, page_actions, refusal, requests
from dsr.errors import RequestError, TransitionNotAllowed, UnsupportedRequest
from dsr.letters import mails
from dsr.letters.catalogue import LANGUAGES
from dsr.letters.mandatory import LetterIncomplete
from dsr.model import RequestStatus, Right
from dsr.store.tables import audit, decisions
from tests.pages_desk import MARIA, NOW, World, make_world

S = RequestStatus
SECRET = "Frau Pop wrote this for the ninth time since 3 May"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def run(world: World, *words: str) -> tuple[int, str]:
    result = world.app.test_cli_runner().invoke(args=["dsr", *words])
    return result.exit_code, result.output


def slack(world: World, agent: str, text: str) -> str:
    with world.desk.db.write() as conn:
        return agents.answer(world.desk, conn, agent, text)


def audited(world: World, reference: str) -> list[Any]:
    with world.desk.db.read() as conn:
        return list(conn.execute(sa.select(audit).where(audit.c.reference == reference).order_by(audit.c.seq)))


# ---- extension -------------------------------------------------------------------------------------------------------


def test_an_extension_moves_the_due_date_and_mails_the_reasons_together(world: World) -> None:
    reference = world.verified(Right.EXPORT)
    before = world.row(reference)
    code, said = run(world, "extend", reference, "--reason", "complexity", "--note", "Six archives are involved.")
    assert code == 0, said
    row = world.row(reference)
    assert row.due_at == before.extended_due_at == row.extended_due_at
    assert row.extended_at == world.clock()
    letter = world.mails()[-1]
    assert "Your request is complex.\nSix archives are involved." in letter["text"]
    assert "23 February 2027" in letter["text"]
    steps = json.loads(row.derivation)["derivation"]
    assert steps[-1]["rule"] == "gdpr-extension"
    assert steps[-1]["date"] == "2027-02-23"
    last = audited(world, reference)[-1]
    assert (last.what, json.loads(last.details)["from"]) == ("request.extended", before.due_at.isoformat())
    assert "archives" not in last.why + last.details


def test_a_deadline_is_extended_once(world: World) -> None:
    reference = world.verified(Right.EXPORT)
    assert "due 23 February" in slack(world, "U1", f"extend {reference} number")
    due = world.row(reference).due_at
    assert "GDPR Art. 12(3): a deadline can be extended once only" in slack(world, "U1", f"extend {reference} number")
    assert world.row(reference).due_at == due
    assert len([m for m in world.mails() if "takes longer" in m["subject"]]) == 1


def test_after_month_one_an_extension_is_refused_by_article(world: World) -> None:
    reference = world.verified(Right.EXPORT)
    world.clock.now = world.row(reference).due_at + timedelta(seconds=1)
    code, said = run(world, "extend", reference, "--reason", "complexity")
    assert code == 1
    assert "GDPR Art. 12(3)" in said
    assert "inside one month" in said
    assert world.row(reference).extended_at is None
    world.clock.now = world.row(reference).due_at
    assert run(world, "extend", reference, "--reason", "complexity")[0] == 0, "the last second still counts"


@pytest.mark.parametrize("right", [Right.UNSUBSCRIBE, Right.OBJECTION, Right.AGE_REPORT])
def test_what_must_be_honoured_at_once_cannot_be_extended(world: World, right: Right) -> None:
    reference = world.request(right)
    assert "at once" in slack(world, "U1", f"extend {reference} number")


def test_an_extension_knows_two_reasons_and_needs_an_open_request(world: World) -> None:
    reference = world.verified(Right.EXPORT)
    assert "must be complexity or number" in slack(world, "U1", f"extend {reference} holidays")
    world.move(reference, S.COMPLETED)
    assert "has ended" in slack(world, "U1", f"extend {reference} number")


def test_an_address_that_is_not_proved_is_never_mailed_an_agents_own_words(world: World) -> None:
    claimed, frozen = world.request(Right.EXPORT), world.verified(Right.EXPORT)
    world.move(frozen, S.FROZEN)  # "this was not me": whoever typed the code may have been a stranger
    for reference in (claimed, frozen):
        said = slack(world, "U1", f"extend {reference} complexity {SECRET}")
        assert "not proved (GDPR Art. 32)" in said
        assert world.row(reference).extended_at is None
        code, said = run(world, "extend", reference, "--reason", "complexity", "--note", SECRET)
        assert (code, world.row(reference).extended_at) == (1, None), said
        assert "due 23 February" in slack(world, "U1", f"extend {reference} complexity")
        assert "Your request is complex." in world.mails()[-1]["text"]
    assert not any(SECRET in mail["text"] for mail in world.mails())


# ---- refusal ---------------------------------------------------------------------------------------------------------


def test_a_refusal_takes_two_agents_and_its_letter_says_everything(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    proposal = ("refuse", reference, "--ground", "A12ManifestlyUnfounded", "--reason", SECRET)
    assert run(world, *proposal, "--as", "ana")[0] == 0
    assert world.status(reference) == "cooling_off", "nothing happens before the second agent"
    code, said = run(world, "refuse", reference, "--confirm", "--as", "ana")
    assert code == 1
    assert "four eyes" in said
    assert run(world, "refuse", reference, "--confirm", "--as", "dan")[0] == 0
    assert world.status(reference) == "refused"
    letter = world.mails()[-1]["text"]
    for part in (SECRET, "manifestly unfounded", "GDPR Art. 12(5)(b)", "ANSPDCP", "to go to court"):
        assert part in letter


def test_what_agents_type_is_neither_in_the_audit_nor_anywhere_else_in_clear(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    slack(world, "ana", f"refuse {reference} A12ManifestlyUnfounded {SECRET}")
    slack(world, "dan", f"refuse {reference} confirm")
    assert world.status(reference) == "refused"
    why = " ".join(row.why + row.details for row in audited(world, reference))
    assert "A12ManifestlyUnfounded (GDPR Art. 12(5)(b))" in why
    assert SECRET not in world.dump()
    assert "Frau Pop" not in world.dump()
    with world.desk.db.read() as conn:
        row = conn.execute(sa.select(decisions)).one()
        assert world.desk.vault.open(conn, row.key_id, row.details_enc)["reason"] == SECRET


@pytest.mark.parametrize("right", [Right.UNSUBSCRIBE, Right.OBJECTION])
@pytest.mark.parametrize("ground", [g.id for g in grounds.all_grounds()])
def test_direct_marketing_knows_no_refusal(world: World, right: Right, ground: str) -> None:
    reference = world.request(right)
    assert "Art. 21(3)" in slack(world, "ana", f"refuse {reference} {ground} because")
    assert "no refusal" in slack(world, "dan", f"refuse {reference} confirm")


def test_an_exemption_is_of_records_never_of_a_whole_account(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    assert "never a whole account" in slack(world, "ana", f"refuse {reference} A17LegalClaims because")
    assert "is no ground against erasure" in slack(world, "ana", f"refuse {reference} A15RightsOfOthers because")
    assert "no such ground" in slack(world, "ana", f"refuse {reference} because we say so")


def test_a_ground_that_was_not_law_on_the_day_of_receipt_is_none() -> None:
    with pytest.raises(UnsupportedRequest):
        grounds.ground("A12ManifestlyUnfounded", Right.ERASURE, "refuse", datetime(2018, 5, 24, tzinfo=UTC).date())


def test_a_refusal_without_the_facts_cannot_be_sent(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    assert "lacks the reasons (Art. 12(4) GDPR)" in slack(world, "ana", f"refuse {reference} A12ManifestlyUnfounded")
    with world.desk.db.write() as conn, pytest.raises(LetterIncomplete):
        refusal.propose(world.desk, conn, "ana", reference, "A12ManifestlyUnfounded", "  ")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("lost", ["{authority}", "{reason}", "court"])
def test_a_letter_whose_text_lost_a_mandatory_part_cannot_be_sent(
    world: World, language: str, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = world.verified(Right.ERASURE, language=language)
    whole = mails.template("mail.refused_body", language)
    gone = mails.say("word.court", language) if lost == "court" else lost
    assert gone in whole
    monkeypatch.setattr(
        mails, "template", lambda key, lang: whole.replace(gone, "") if key == "mail.refused_body" else "footer"
    )
    with world.desk.db.write() as conn, pytest.raises(LetterIncomplete, match="was not sent"):
        refusal.propose(world.desk, conn, "ana", reference, "A12ManifestlyUnfounded", SECRET)


def test_every_ground_can_be_told_in_every_language() -> None:
    for ground in grounds.all_grounds():
        told = {ground.sentence(language) for language in LANGUAGES}
        assert len(told) == len(LANGUAGES)
        assert all(ground.article in sentence for sentence in told)


def test_what_has_begun_cannot_be_refused_as_a_whole(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    world.move(reference, S.IN_PROGRESS)
    assert "cannot be refused as a whole" in slack(world, "ana", f"refuse {reference} A12ManifestlyExcessive because")


# ---- un-freezing -----------------------------------------------------------------------------------------------------


def frozen(world: World) -> str:
    reference = world.verified(Right.ERASURE)
    with world.desk.db.write() as conn:
        url = links.make(world.desk, conn, "not_me", lifetime=timedelta(days=1), reference=reference)
        link = links.find(world.desk, conn, "not_me", url.rpartition("/")[2])
        assert link is not None
        assert commands.not_me(world.desk, conn, link) == [reference]
    return reference


def test_a_frozen_request_goes_on_by_a_fresh_code_alone(world: World) -> None:
    reference = frozen(world)
    assert run(world, "unfreeze", reference, "continue")[0] == 0
    row = world.row(reference)
    assert (row.status, row.verified_at, row.start_at) == ("identity_pending", None, None)
    assert "not proved yet" in slack(world, "dan", f"approve {reference}")
    world.clock.pass_(minutes=5)
    with world.desk.db.write() as conn:
        checked, _ = page_actions.confirm(world.desk, conn, reference, world.wrong_code())
    assert checked is not None
    assert checked.result == "wrong"
    assert world.status(reference) == "identity_pending"


def test_the_fresh_code_starts_the_cooling_off_time_anew(world: World) -> None:
    reference = frozen(world)
    world.clock.pass_(days=2)
    slack(world, "ana", f"unfreeze {reference} continue")
    with world.desk.db.write() as conn:
        checked, _ = page_actions.confirm(world.desk, conn, reference, world.code())
    assert checked is not None
    assert checked.result == "right"
    row = world.row(reference)
    assert row.status == "cooling_off"
    assert row.start_at > NOW + timedelta(days=2)
    assert row.verified_at == world.clock()


def test_a_frozen_request_can_be_withdrawn_and_nothing_else(world: World) -> None:
    reference = frozen(world)
    for to in (S.COOLING_OFF, S.IN_PROGRESS, S.COMPLETED):
        with pytest.raises(TransitionNotAllowed):
            world.move(reference, to)
    assert "is withdrawn" in slack(world, "ana", f"unfreeze {reference} withdraw")
    assert world.status(reference) == "withdrawn"
    assert "not frozen" in slack(world, "ana", f"unfreeze {reference} continue")


def test_an_extension_of_a_request_without_an_address_is_refused(world: World) -> None:
    reference = world.verified(Right.EXPORT)
    with world.desk.db.write() as conn:
        requests.update(conn, reference, address_enc=None)
        with pytest.raises(RequestError, match="no address"):
            extension.extend(world.desk, conn, "ana", reference, "number")
    assert MARIA not in world.dump()
