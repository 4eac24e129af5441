"""What all pages keep: GET and HEAD change nothing, one answer to a wrong link, strict headers, no cookie, no name."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dsr.letters import catalogue
from dsr.model import Right
from dsr.store.database import Database, make_engine
from pages.page import CSP
from tests.pages_desk import MARIA, World, make_world

KINDS = ("status", "verify", "download", "not-me")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def every_page(world: World) -> list[str]:
    """The path of every page, with living links."""
    pending, cooling = world.request(Right.ERASURE), world.verified(Right.ERASURE, address="ana@example.com")
    export = world.verified(Right.EXPORT)
    return [
        "/",
        "/processors",
        "/.well-known/security.txt",
        world.link("status", cooling),
        world.link("verify", pending),
        world.link("not_me", cooling),
        world.package(export, word="AB23CD"),
        world.unsubscribe_path(),
    ]


def test_get_head_and_options_change_nothing_however_often(world: World) -> None:
    paths = every_page(world)
    before = world.dump()
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", *["GET"] * 20):
            answer = world.client.open(path, method=method, headers={"Purpose": "prefetch"})
            assert answer.status_code == 200, path
            assert method != "HEAD" or answer.data == b""
    assert world.dump() == before


def test_every_button_pressed_without_a_code_leaves_requests_and_packages_as_they_are(world: World) -> None:
    """A mail scanner that presses everything: it may cause a code mail, nothing else."""
    pending, cooling, export = world.request(Right.ERASURE), world.verified(Right.ERASURE), world.verified(Right.EXPORT)
    paths = [world.link("status", cooling), world.link("verify", pending), world.package(export, word="AB23CD")]
    before = [tuple(world.row(reference)) for reference in (pending, cooling, export)]
    for path in paths:
        for form in ({}, {"do": "send"}, {"do": "withdraw"}, {"code": ""}, {"word": ""}, {"code": "x", "word": "x"}):
            assert world.client.post(path, data=form).status_code in (200, 422)
    assert [tuple(world.row(reference)) for reference in (pending, cooling, export)] == before
    assert world.client.post(paths[2], data={"word": "AB23CD"}).status_code == 200


def test_unknown_expired_and_foreign_links_get_one_and_the_same_page(world: World) -> None:
    reference = world.request(Right.ERASURE)
    status, verify = world.link("status", reference), world.link("verify", reference)
    token = verify.rpartition("/")[2]
    answers = [world.client.get(f"/{kind}/{'0' * 48}") for kind in KINDS]
    answers += [world.client.get(f"/status/{token}"), world.client.post(f"/not-me/{token}")]
    world.clock.pass_(days=8)
    answers += [
        world.client.get(status),
        world.client.get(verify),
        world.client.post(verify, data={"code": "2345-6789"}),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert catalogue.say("page.link_invalid_title", "en") in answers[0].text


def test_every_answer_has_strict_headers_and_no_cookie(world: World) -> None:
    for path in [*every_page(world), "/status/unknown", "/unsubscribe/unknown"]:
        for answer in (world.client.get(path), world.client.post(path)):
            if answer.status_code == 405:
                continue
            assert answer.headers["Content-Security-Policy"] == CSP
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Set-Cookie" not in answer.headers
            answer.close()


def test_no_page_has_a_script_an_inline_style_or_anything_from_elsewhere(world: World) -> None:
    for path in every_page(world):
        html = world.client.get(path).text
        assert "<script" not in html
        assert "style=" not in html
        assert 'src="http' not in html


def test_no_page_shows_the_address_not_even_masked(world: World) -> None:
    for path in every_page(world):
        html = world.client.get(path).text
        assert MARIA not in html
        assert "m***" not in html


def test_links_ignore_the_host_header(world: World) -> None:
    path = world.link("verify", world.request(Right.ERASURE))
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    world.client.post(path, data={"do": "send"}, headers=headers)
    answer = world.client.post(path, data={"code": world.code()}, headers=headers)
    assert "evil.example" not in answer.text + str(world.mails())
    assert "https://privacy.example.com/status/" in answer.text


@pytest.mark.parametrize("lang", catalogue.LANGUAGES)
def test_a_page_is_in_the_language_of_the_request_and_can_be_switched(world: World, lang: str) -> None:
    path = world.link("status", world.verified(Right.ERASURE, language=lang))
    html = world.client.get(path, headers={"Accept-Language": "ja"}).text
    assert f'<html lang="{lang}">' in html
    assert catalogue.word("right", "erasure", lang) in html
    assert catalogue.say("page.rule_gdpr_answer", lang) in html
    switched = world.client.get(f"{path}?lang=ro").text
    assert catalogue.say("page.withdraw_heading", "ro") in switched


def test_a_wrong_link_is_answered_in_the_language_of_the_browser(world: World) -> None:
    answer = world.client.get("/status/x", headers={"Accept-Language": "fr-CH, fr;q=0.9, en;q=0.8"})
    assert catalogue.say("page.link_invalid_title", "fr") in answer.text


def test_a_database_that_does_not_answer_is_503_with_retry_after(world: World, tmp_path: Path) -> None:
    path = world.link("status", world.verified(Right.ERASURE))
    object.__setattr__(world.desk, "db", Database(make_engine(f"sqlite:///{tmp_path / 'empty.sqlite'}")))
    for answer in (world.client.get(path), world.client.post(path), world.client.post(world.unsubscribe_path())):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert catalogue.say("page.error_title", "en") in answer.text


def test_home_says_what_this_is_and_whom_to_write_to(world: World) -> None:
    html = world.client.get("/", headers={"Accept-Language": "de"}).text
    assert "Ihre Daten bei IntelliMails" in html
    assert 'href="mailto:dpo@intellimails.com"' in html


def test_security_txt_is_what_rfc_9116_asks_for(world: World) -> None:
    answer = world.client.get("/.well-known/security.txt")
    assert answer.content_type == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"] == "mailto:dpo@intellimails.com"
    expires = datetime.fromisoformat(fields["Expires"])
    assert timedelta(days=360) < expires - world.clock() < timedelta(days=366)
    assert fields["Canonical"] == "https://privacy.example.com/.well-known/security.txt"
