"""One click by a mail program (RFC 8058), and the page with one button, topics and a way back."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from dsr import suppression
from dsr.letters import catalogue
from dsr.model import Right
from dsr.store import tables
from tests.pages_desk import MARIA, World, make_world

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def say(key: str, **params: object) -> str:
    return catalogue.say(key, "en", company="IntelliMails", contact="dpo@intellimails.com", **params)


def suppressed(world: World, address: str = MARIA) -> bool:
    with world.desk.db.read() as conn:
        return suppression.suppressed(world.desk, conn, [address]) == [address]


def opened(world: World) -> list[str]:
    with world.desk.db.read() as conn:
        return list(conn.execute(sa.select(tables.requests.c.reference)).scalars())


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_acts_at_once_without_cookie_or_redirect(world: World, content_type: str) -> None:
    answer = world.client.post(world.unsubscribe_path(), data=ONE_CLICK, content_type=content_type)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "Location" not in answer.headers
    assert suppressed(world)
    (reference,) = opened(world)
    row = world.row(reference)
    assert (row.right, row.channel, row.status) == ("unsubscribe", "unsubscribe", "in_progress")


def test_the_header_that_a_mail_carries_leads_here(world: World) -> None:
    headers = suppression.list_unsubscribe_headers(world.desk, MARIA)
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = world.path(headers["List-Unsubscribe"].strip("<>"))
    body = headers["List-Unsubscribe-Post"]
    world.client.post(path, data=body, content_type="application/x-www-form-urlencoded")
    assert suppressed(world)


@pytest.mark.parametrize("body", ["", "anything", "List-Unsubscribe=", "do=unknown", "do=topics", '{"a": 1}'])
def test_every_other_post_unsubscribes_too_because_that_is_the_safe_direction(world: World, body: str) -> None:
    kind = "text/plain" if body.startswith(("any", "{")) else "application/x-www-form-urlencoded"
    assert world.client.post(world.unsubscribe_path(), data=body, content_type=kind).status_code == 200
    assert suppressed(world)


def test_a_damaged_multipart_body_unsubscribes_as_well(world: World) -> None:
    answer = world.client.post(
        world.unsubscribe_path(), data=b"--x\r\nbroken", content_type="multipart/form-data; boundary=x"
    )
    assert answer.status_code == 200
    assert suppressed(world)


def test_one_click_wins_over_anything_else_in_the_body(world: World) -> None:
    world.client.post(world.unsubscribe_path(), data=ONE_CLICK | {"do": "resubscribe", "topic": "newsletter"})
    assert suppressed(world)


def test_clicking_again_opens_nothing_new(world: World) -> None:
    for _ in range(5):
        assert world.client.post(world.unsubscribe_path(), data=ONE_CLICK).status_code == 200
    assert len(opened(world)) == 1


def test_a_link_of_one_list_stops_everything(world: World) -> None:
    world.client.post(world.unsubscribe_path(list_name="newsletter"), data=ONE_CLICK)
    assert suppressed(world)


def test_the_link_works_after_the_persons_erasure(world: World) -> None:
    path = world.unsubscribe_path()
    reference = world.verified(Right.ERASURE)
    with world.desk.db.write() as conn:
        conn.execute(tables.requests.update().values(address_enc=None))
        conn.execute(tables.subjects.delete())
        world.desk.vault.destroy(conn, world.row(reference).key_id)
    assert world.client.post(path, data=ONE_CLICK).status_code == 200
    assert suppressed(world)


def test_nobody_else_is_unsubscribed(world: World) -> None:
    world.client.post(world.unsubscribe_path(), data=ONE_CLICK)
    assert not suppressed(world, "maria.popa@example.com")


@pytest.mark.parametrize("token", ["x", "a" * 180, "gAAAAA", "..%2f..%2fetc", "%00"])
def test_a_token_that_is_not_ours_is_404_and_says_how_to_ask(world: World, token: str) -> None:
    for answer in (
        world.client.get(f"/unsubscribe/{token}"),
        world.client.post(f"/unsubscribe/{token}", data=ONE_CLICK),
    ):
        assert answer.status_code == 404
    assert opened(world) == []


def test_the_page_of_a_wrong_token_names_the_mailbox(world: World) -> None:
    html = world.client.get("/unsubscribe/x").text
    assert "mailto:dpo@intellimails.com" in html


def test_a_changed_token_is_not_ours(world: World) -> None:
    path = world.unsubscribe_path()
    assert world.client.post(path[:-5] + "AAAAA", data=ONE_CLICK).status_code == 404


def test_the_page_has_one_button_and_the_policys_topics(world: World) -> None:
    html = world.client.get(world.unsubscribe_path()).text
    assert say("page.unsubscribe_button") in html
    assert html.count('type="checkbox"') == len(world.desk.policy.topics) == html.count(" checked")
    assert say("page.unsubscribe_topic_product_news") in html


def test_topics_are_kept_and_shown_and_no_request_is_opened(world: World) -> None:
    path = world.unsubscribe_path()
    answer = world.client.post(path, data={"do": "topics", "topic": ["newsletter", "unknown"]})
    assert say("page.unsubscribe_topics_done") in answer.text
    with world.desk.db.read() as conn:
        assert suppression.topics(world.desk, conn, MARIA) == {"product_news", "offers"}
    assert world.client.get(path).text.count(" checked") == 1
    world.client.post(path, data={"do": "topics", "topic": ["newsletter", "offers"]})
    assert world.client.get(path).text.count(" checked") == 2
    assert not suppressed(world)
    assert opened(world) == []


def test_subscribing_again_lifts_the_suppression_and_unsubscribing_works_anew(world: World) -> None:
    path = world.unsubscribe_path()
    world.client.post(path, data=ONE_CLICK)
    assert say("page.unsubscribe_resubscribe_button") in world.client.get(path).text
    answer = world.client.post(path, data={"do": "resubscribe"})
    assert say("page.unsubscribe_resubscribed") in answer.text
    assert not suppressed(world)
    world.client.post(path, data=ONE_CLICK)
    assert suppressed(world)
    assert len(opened(world)) == 2


def test_an_objection_is_not_lifted_by_subscribing_again(world: World) -> None:
    with world.desk.db.write() as conn:
        suppression.add(world.desk, conn, MARIA, source="chat", kind=suppression.OBJECTION)
    world.client.post(world.unsubscribe_path(), data=ONE_CLICK)
    world.client.post(world.unsubscribe_path(), data={"do": "resubscribe"})
    assert suppressed(world)


def test_the_language_is_the_browsers_then_the_persons_then_english(world: World) -> None:
    path = world.unsubscribe_path()
    titles = {lang: catalogue.say("page.unsubscribe_title", lang) for lang in catalogue.LANGUAGES}
    assert f"<h1>{titles['en']}</h1>" in world.client.get(path).text
    world.verified(Right.ERASURE, language="ro")
    assert f"<h1>{titles['ro']}</h1>" in world.client.get(path).text
    assert f"<h1>{titles['de']}</h1>" in world.client.get(path, headers={"Accept-Language": "de-AT,de;q=0.9"}).text
    assert f"<h1>{titles['fr']}</h1>" in world.client.get(f"{path}?lang=fr", headers={"Accept-Language": "de"}).text
