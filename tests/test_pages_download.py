"""The download page: the word from the chat or a fresh code, once, as a stream; and "this was not me"."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dsr import export, identity
from dsr.letters import catalogue
from dsr.model import DataFile, RequestStatus, Right
from dsr.store import tables
from tests.pages_desk import MARIA, World, make_world

S = RequestStatus
WORD = "AB23CD"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def say(key: str, **params: object) -> str:
    return catalogue.say(key, "en", **params)


def with_package(world: World, word: str = "") -> tuple[str, str]:
    """Reference and path of an export whose package is ready."""
    reference = world.verified(Right.EXPORT)
    rows = [{"id": i, "note": "x" * 500} for i in range(400)]
    export.collect(world.desk, reference, "intercom", iter([DataFile("contact.json", rows=iter(rows))]))
    return reference, world.package(reference, word=word)


def package(world: World, reference: str) -> sa.Row[Any]:
    with world.desk.db.read() as conn:
        return conn.execute(sa.select(tables.packages).where(tables.packages.c.reference == reference)).one()


# ---- with the word ---------------------------------------------------------------------------------------------------


def test_the_word_from_the_chat_gives_the_zip_once_and_never_again(world: World) -> None:
    reference, path = with_package(world, WORD)
    assert "30 November 2026" in world.client.get(path).text
    answer = world.client.post(path, data={"word": "ab-23 cd"}, buffered=True)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{reference}.zip"'
    assert answer.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        assert len(json.loads(archive.read("intercom/contact.json"))) == 400
    assert package(world, reference).downloaded_at == world.clock()
    for again in (world.client.get(path), world.client.post(path, data={"word": WORD})):
        assert again.status_code == 410
        assert say("page.download_gone") in again.text


def test_the_zip_is_streamed_and_the_copy_is_deleted_when_the_stream_ends(world: World) -> None:
    reference, path = with_package(world, WORD)
    answer = world.client.post(path, data={"word": WORD})
    assert answer.is_streamed
    assert Path(package(world, reference).path).exists()
    assert zipfile.ZipFile(io.BytesIO(answer.data)).testzip() is None
    answer.close()
    assert not Path(package(world, reference).path).exists()
    assert package(world, reference).shredded_at is not None


def broken_off(world: World, path: str, proof: dict[str, str]) -> None:
    """A download of which only the first bytes arrive."""
    answer = world.client.post(path, data=proof)
    assert answer.content_type == "application/zip"
    next(answer.iter_encoded())
    answer.close()


def test_a_download_that_breaks_off_can_be_fetched_again_with_a_fresh_proof(world: World) -> None:
    reference, path = with_package(world, WORD)
    broken_off(world, path, {"word": WORD})
    assert Path(package(world, reference).path).exists()
    assert package(world, reference).downloaded_at is None
    assert world.client.post(path, data={"word": WORD}).status_code == 422  # the word has been used
    world.client.post(path, data={"do": "send"})
    code = world.code()
    broken_off(world, path, {"code": code})
    assert world.client.post(path, data={"code": code}).status_code == 422
    world.client.post(path, data={"do": "send"})
    answer = world.client.post(path, data={"code": world.code()}, buffered=True)
    assert zipfile.ZipFile(io.BytesIO(answer.data)).testzip() is None
    assert world.client.get(path).status_code == 410
    assert not Path(package(world, reference).path).exists()


def test_without_an_address_the_word_still_opens_what_broke_off(world: World) -> None:
    reference, path = with_package(world, WORD)
    with world.desk.db.write() as conn:
        conn.execute(tables.requests.update().where(tables.requests.c.reference == reference).values(address_enc=None))
    broken_off(world, path, {"word": WORD})
    assert world.client.post(path, data={"word": WORD}, buffered=True).content_type == "application/zip"
    assert world.client.get(path).status_code == 410


def test_a_download_that_breaks_off_after_its_time_is_not_given_back(world: World) -> None:
    _, path = with_package(world, WORD)
    answer = world.client.post(path, data={"word": WORD})
    world.clock.pass_(days=8)
    answer.close()
    assert world.client.get(path).status_code == 410


def test_a_later_package_is_not_deleted_by_the_download_of_the_one_before(world: World) -> None:
    reference, path = with_package(world, WORD)
    answer = world.client.post(path, data={"word": WORD})
    later = world.package(reference, word=WORD)
    assert answer.data
    answer.close()
    assert world.client.get(later).status_code == 200


def test_what_was_collected_stays_for_a_later_package_until_the_request_is_complete(world: World) -> None:
    reference, path = with_package(world, WORD)
    world.client.post(path, data={"word": WORD}, buffered=True)
    assert (export.folder(world.desk, reference) / "intercom.spool").exists()
    path = world.package(reference, word=WORD)
    world.move(reference, S.COMPLETED)
    world.client.post(path, data={"word": WORD}, buffered=True)
    assert not export.folder(world.desk, reference).exists()


def test_five_wrong_words_spend_the_word_and_the_package_stays(world: World) -> None:
    reference, path = with_package(world, WORD)
    for left in (4, 3, 2, 1):
        answer = world.client.post(path, data={"word": "ZZZZZZ"})
        assert answer.status_code == 422
        assert say("page.word_wrong", left=left) in answer.text
    assert say("page.word_void") in world.client.post(path, data={"word": "ZZZZZZ"}).text
    assert say("page.word_void") in world.client.post(path, data={"word": WORD}).text
    assert package(world, reference).downloaded_at is None


def test_an_empty_word_costs_no_try(world: World) -> None:
    _, path = with_package(world, WORD)
    for _ in range(6):
        assert world.client.post(path, data={"word": " "}).status_code == 422
    assert world.client.post(path, data={"word": WORD}).content_type == "application/zip"


def test_two_at_the_same_moment_get_one_package_between_them(world: World) -> None:
    _, path = with_package(world, WORD)
    statuses: list[int] = []

    def take() -> None:
        answer = world.app.test_client().post(path, data={"word": WORD}, buffered=True)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 410, 410, 410, 410, 410]


# ---- with a code -----------------------------------------------------------------------------------------------------


def test_without_a_conversation_a_fresh_code_opens_the_package(world: World) -> None:
    reference, path = with_package(world)
    html = world.client.get(path).text
    assert 'name="word"' not in html
    assert say("page.code_sent") in world.client.post(path, data={"do": "send"}).text
    assert world.client.post(path, data={"code": world.wrong_code()}).status_code == 422
    assert package(world, reference).downloaded_at is None
    assert world.client.post(path, data={"code": world.code()}).content_type == "application/zip"


def test_who_lost_the_word_can_have_a_code_mailed(world: World) -> None:
    """As the mail promises; a fresh proof of the address is the other second factor."""
    _, path = with_package(world, WORD)
    world.client.post(path, data={"do": "send"})
    assert world.client.post(path, data={"code": world.code()}).content_type == "application/zip"


def test_a_link_without_a_word_is_not_opened_by_any_word(world: World) -> None:
    reference, path = with_package(world)
    for word in ("", WORD, "None"):
        assert world.client.post(path, data={"word": word}).status_code == 422
    assert package(world, reference).downloaded_at is None


def test_a_code_mailed_to_withdraw_downloads_nothing(world: World) -> None:
    reference, path = with_package(world)
    with world.desk.db.write() as conn:
        issued = identity.issue(world.desk, conn, world.row(reference).address_hash, ["withdraw"], reference=reference)
    assert issued is not None
    assert world.client.post(path, data={"code": issued.code}).status_code == 422
    assert package(world, reference).downloaded_at is None


def test_without_word_and_without_address_the_page_names_whom_to_write_to(world: World) -> None:
    reference, path = with_package(world)
    with world.desk.db.write() as conn:
        conn.execute(tables.requests.update().where(tables.requests.c.reference == reference).values(address_enc=None))
    assert "mailto:dpo@intellimails.com" in world.client.get(path).text
    assert world.client.post(path, data={"do": "send"}).status_code == 409


# ---- gone ------------------------------------------------------------------------------------------------------------


def test_an_expired_package_is_410_and_says_so(world: World) -> None:
    _, path = with_package(world, WORD)
    world.clock.pass_(days=8)
    for answer in (world.client.get(path), world.client.post(path, data={"word": WORD})):
        assert answer.status_code == 410
        assert say("page.download_gone_title") in answer.text


def test_a_package_whose_key_is_destroyed_is_gone(world: World) -> None:
    reference, path = with_package(world, WORD)
    with world.desk.db.write() as conn:
        world.desk.vault.destroy(conn, world.row(reference).key_id)
    assert world.client.get(path).status_code == 410


def test_a_damaged_package_costs_nobody_their_link(world: World) -> None:
    reference, path = with_package(world, WORD)
    file = Path(package(world, reference).path)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert world.client.post(path, data={"word": WORD}).status_code == 503
    file.write_bytes(whole)
    assert world.client.post(path, data={"word": WORD}).content_type == "application/zip"


# ---- this was not me -------------------------------------------------------------------------------------------------


def test_not_me_acts_on_post_alone_and_says_so_again(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    path = world.link("not_me", reference)
    assert say("page.not_me_button") in world.client.get(path).text
    assert world.status(reference) == "cooling_off"
    mails = len(world.mails())
    for _ in range(3):
        answer = world.client.post(path)
        assert answer.status_code == 200
        assert say("page.not_me_done") in answer.text
        assert say("page.not_me_stopped", reference=reference, right="deletion of your data") in answer.text
    assert world.status(reference) == "frozen"
    assert [mail["subject"] for mail in world.mails()[mails:]] == [say("mail.not_me_done_subject", reference=reference)]
    assert say("page.not_me_done") in world.client.get(path).text


def test_not_me_voids_the_code_that_is_under_way(world: World) -> None:
    reference = world.request(Right.ERASURE)
    verify = world.link("verify", reference)
    world.client.post(verify, data={"do": "send"})
    (url,) = [word for word in world.mails()[-1]["text"].split() if "/not-me/" in word]
    world.client.post(world.path(url))
    world.client.post(verify, data={"code": world.code()})
    assert world.status(reference) == "frozen"
    assert world.row(reference).verified_at is None


def test_not_me_closes_a_download_that_was_not_taken_yet(world: World) -> None:
    reference, path = with_package(world, WORD)
    world.move(reference, S.PARTIALLY_COMPLETED)
    assert say("page.not_me_done") in world.client.post(world.link("not_me", reference)).text
    assert world.client.post(path, data={"word": WORD}).status_code == 410
    assert package(world, reference).downloaded_at is None


def test_not_me_during_a_download_leaves_nothing_to_fetch_again_when_it_breaks_off(world: World) -> None:
    reference, path = with_package(world, WORD)
    answer = world.client.post(path, data={"word": WORD})
    world.client.post(world.link("not_me", reference))
    answer.close()
    assert world.client.get(path).status_code == 410


def test_not_me_after_the_end_says_that_it_is_over(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    path = world.link("not_me", reference)
    world.move(reference, S.WITHDRAWN)
    for answer in (world.client.get(path), world.client.post(path)):
        assert say("page.not_me_expired", contact="").split(".")[0] in answer.text
    assert world.status(reference) == "withdrawn"


def test_the_owner_of_one_address_learns_nothing_of_others_claimed_in_the_same_conversation(world: World) -> None:
    mine, other = world.request(Right.ERASURE), world.request(Right.ERASURE, "other@example.com")
    with world.desk.db.write() as conn:
        desk = world.desk
        key = desk.vault.new_key(conn)
        conn.execute(
            tables.conversations.insert().values(
                id="c1", channel="intercom", external_hash="x", key_id=key, ref_enc=b"", updated_at=desk.now()
            )
        )
        conn.execute(tables.requests.update().values(conversation_id="c1"))
        issued = identity.issue(desk, conn, desk.vault.hash("address", MARIA), ["erasure"], conversation_id="c1")
        assert issued is not None
    path = world.link("not_me", conversation_id="c1", challenge_id=issued.challenge_id, lifetime=timedelta(days=30))
    answer = world.client.post(path)
    assert mine in answer.text
    assert other not in answer.text
    assert (world.status(mine), world.status(other)) == ("frozen", "frozen")  # the conversation is an impostor's
    assert world.mails("other@example.com") == []
    assert len(world.mails()) == 1
