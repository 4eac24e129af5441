"""One click by a mail program (RFC 8058), and the page with one button, topics and a way back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from dsr import identity, preferences, receipts, suppression
from dsr.letters import catalogue
from dsr.model import Operation, RequestStatus, Right
from dsr.store import tables
from tests.pages_desk import MARIA, World, make_world
from tests.postgres import postgres

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


def test_a_click_long_after_tells_the_senders_again_because_one_has_taken_the_person_up_again(world: World) -> None:
    world.client.post(world.unsubscribe_path(), data=ONE_CLICK)
    world.clock.pass_(days=20)
    world.client.post(world.unsubscribe_path(), data=ONE_CLICK)
    assert len(opened(world)) == 1, "the senders are still being told"
    (first,) = opened(world)
    world.move(first, RequestStatus.COMPLETED)
    for _ in range(3):
        world.client.post(world.unsubscribe_path(), data=ONE_CLICK)
    assert sorted(map(world.status, opened(world))) == ["completed", "in_progress"]


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


# ---- asked by address ------------------------------------------------------------------------------------------------


def ask(world: World, address: str, **more: object) -> str:
    answer = world.client.post("/unsubscribe", data={"address": address}, **more)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    return answer.text


def test_who_no_longer_has_the_mail_types_an_address_and_gets_the_page_by_mail(world: World) -> None:
    ask(world, " Maria.Pop@Example.com", headers={"Accept-Language": "ro"})
    assert not suppressed(world), "typing an address changes nothing"
    (mail,) = world.mails()
    assert mail["subject"] == catalogue.say("mail.unsubscribe_link_subject", "ro", company="IntelliMails")
    (link,) = [line for line in mail["text"].splitlines() if "/unsubscribe/" in line]
    assert MARIA not in link
    path = world.path(link)
    assert world.client.get(path).status_code == 200
    assert not suppressed(world), "opening the page changes nothing"
    world.client.post(path, data=ONE_CLICK)
    assert suppressed(world)


def test_the_answer_is_the_same_whether_or_not_the_address_is_known_or_had_too_many(world: World) -> None:
    world.verified(Right.ERASURE)
    known, unknown = ask(world, MARIA), ask(world, "nobody@example.net")
    for _ in range(4):
        assert ask(world, MARIA) == known == unknown
    assert len(world.mails("nobody@example.net")) == 1


def test_known_and_unknown_cost_the_same_statements(world: World) -> None:
    world.verified(Right.ERASURE, address="known@example.com")
    said: list[list[str]] = []
    sa.event.listen(world.desk.db.engine, "before_cursor_execute", lambda *a: said[-1].append(a[2].split("_uuid")[0]))
    for address in ("known@example.com", "nobody@example.net"):
        said.append([])
        ask(world, address)
    assert said[0] == said[1]
    assert said[0]


def test_an_address_gets_three_mails_an_hour_and_ten_a_day_codes_included(world: World) -> None:
    world.request(Right.ERASURE)
    with world.desk.db.write() as conn:
        identity.issue(world.desk, conn, world.desk.vault.hash("address", MARIA), ["erasure"], reference="PR-000000")
    for _ in range(5):
        ask(world, MARIA)
    assert len(world.mails()) == 2
    for _ in range(30):
        world.clock.pass_(hours=1)
        ask(world, MARIA)
    assert 10 < len(world.mails()) <= 2 * 10 + 1


@pytest.mark.parametrize("address", ["", "nobody", "a@b", "x" * 5000 + "@example.com"])
def test_what_is_no_address_is_said_at_the_field_and_no_mail_goes_out(world: World, address: str) -> None:
    answer = world.client.post("/unsubscribe", data={"address": address})
    assert answer.status_code == 422
    assert say("page.unsubscribe_address_wrong") in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert world.mails(address) == []


def test_asking_with_get_or_head_mails_nothing(world: World) -> None:
    before = world.dump()
    for call in (world.client.get, world.client.head):
        assert call(f"/unsubscribe?address={MARIA}").status_code == 200
    assert world.dump() == before


# ---- as mailbox providers send it, and what came of it ---------------------------------------------------------------

BOUNDARY = "----=_Part_93_1423.1795000000000"
MULTIPART = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--{BOUNDARY}--\r\n'
)
PROVIDERS = {
    # RFC 8058 section 3.2 allows both; Gmail sends the one, Yahoo the other.
    "gmail": ("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click", {"User-Agent": "Google-Gmail"}),
    "yahoo": (f"multipart/form-data; boundary={BOUNDARY}", MULTIPART, {"User-Agent": "YahooMailProxy; one-click"}),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_bytes_of_a_mailbox_provider_unsubscribe_once_however_often_they_come(world: World, provider: str) -> None:
    kind, body, headers = PROVIDERS[provider]
    answers = [
        world.client.post(
            world.unsubscribe_path(), data=body.encode(), content_type=kind, headers=headers | {"Accept": "*/*"}
        )
        for _ in range(3)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert not any("Set-Cookie" in answer.headers or "Location" in answer.headers for answer in answers)
    assert suppressed(world)
    assert len(opened(world)) == 1


def test_the_page_and_the_status_page_tell_how_it_stands_at_each_sender(world: World) -> None:
    path = world.unsubscribe_path()
    first = world.client.post(path, data=ONE_CLICK).text
    assert say("page.status_services_heading") in first
    (reference,) = opened(world)
    with world.desk.db.write() as conn:
        steps = [("mailchimp", Operation.SUPPRESS, 1), ("hubspot", Operation.SUPPRESS, 1)]
        receipts.plan(world.desk, conn, reference, steps, world.clock())
        of_one = tables.receipts.c.processor == "mailchimp"
        conn.execute(tables.receipts.update().where(of_one).values(status="completed", outcome="done"))
    for html in (world.client.get(path).text, world.client.get(world.link("status", reference)).text):
        assert "MailChimp" in html
        assert "HubSpot" in html
        assert say("page.status_progress", done=1, total=2) in html
        assert catalogue.word("step", "completed", "en") in html


def test_two_clicks_at_the_same_moment_open_one_request_on_postgresql(tmp_path: Path) -> None:
    with postgres() as url:
        world = make_world(tmp_path, DATABASE_URL=url)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: preferences.unsubscribe(world.desk, MARIA, "en"), range(8)))
        assert len([reference for reference in found if reference]) == 1
        (first,) = opened(world)
        world.move(first, RequestStatus.COMPLETED)
        world.clock.pass_(days=2)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: preferences.unsubscribe(world.desk, MARIA, "en"), range(8)))
        assert len([reference for reference in found if reference]) == 1
        assert len(opened(world)) == 2
        world.desk.db.engine.dispose()
