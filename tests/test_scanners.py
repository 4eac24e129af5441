"""A mail scanner with a real browser: it opens every link, fetches ahead, types nonsense, and presses every button."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, sync_playwright

from dsr.model import Right
from dsr.store import tables
from integrations.twin import serve
from tests.house import free_ports
from tests.pages_desk import World, make_world
from tests.test_representation import LAWYER, asked_by_customer, check, link

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
WORD = "AB23CD"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    world = make_world(tmp_path_factory.mktemp("scanners"))
    port = free_ports()
    stop = serve(world.app, port)
    yield world, f"http://127.0.0.1:{port}"
    stop()


def _verify(world: World) -> str:
    return world.link("verify", world.request(Right.ERASURE, "scanned.verify@example.com"))


def _verify_of_a_lawyer(world: World) -> str:
    check(world, asked_by_customer(world))
    return link(world, LAWYER, "verify")


def _withdraw(world: World) -> str:
    return world.link("status", world.verified(Right.ERASURE, address="scanned.withdraw@example.com"))


def _download(world: World) -> str:
    return world.package(world.verified(Right.EXPORT, address="scanned.download@example.com"), word=WORD)


def told(world: World) -> dict[str, Any]:
    """What a scanner must not change: requests, packages, which links and codes are used. Mailed codes may be new."""
    kept = {"requests": tables.requests, "packages": tables.packages, "suppressions": tables.suppressions}
    with world.desk.db.read() as conn:
        found: dict[str, Any] = {
            name: sorted(map(repr, conn.execute(sa.select(table)))) for name, table in kept.items()
        }
        for name, table in {"links": tables.links, "codes": tables.challenges}.items():
            used = sa.select(sa.func.count()).where(table.c.used_at.is_not(None))
            found[name] = conn.execute(used).scalar_one()
    return found


def press_everything(page: Page, address: str) -> int:
    """Open, fetch ahead, and press each button once, every field filled with something."""
    page.goto(address)
    page.evaluate(
        "a => { const ahead = document.createElement('link'); ahead.rel = 'prefetch'; ahead.href = a; "
        "document.head.append(ahead) }",
        address,
    )
    for method in ("HEAD", "OPTIONS", *["GET"] * 20):
        assert page.request.fetch(address, method=method, headers={"Sec-Purpose": "prefetch"}).status == 200
    buttons = page.get_by_role("button").count()
    for number in range(buttons):
        page.goto(address)
        page.evaluate("document.querySelectorAll('[required]').forEach(e => e.removeAttribute('required'))")
        for index in range(page.get_by_role("textbox").count()):
            page.get_by_role("textbox").nth(index).fill("unsubscribe")
        page.get_by_role("button").nth(number).click()
    return buttons


@pytest.mark.parametrize("page_of", [_verify, _verify_of_a_lawyer, _withdraw, _download])
def test_a_browser_that_presses_every_button_confirms_withdraws_and_fetches_nothing(
    browser: Browser, served: tuple[World, str], page_of: Callable[[World], str]
) -> None:
    world, base = served
    path = page_of(world)
    before = told(world)
    page = browser.new_page()
    assert press_everything(page, base + path) >= 2
    page.close()
    assert told(world) == before


def test_what_is_safe_is_done_by_a_press_and_not_by_a_look(browser: Browser, served: tuple[World, str]) -> None:
    """Unsubscribing and "this was not me" act on POST alone."""
    world, base = served
    reference = world.verified(Right.ERASURE, address="scanned.notme@example.com")
    not_me, unsubscribe = world.link("not_me", reference), world.unsubscribe_path("scanned.out@example.com")
    page = browser.new_page()
    before = told(world)
    for path in (not_me, unsubscribe):
        page.goto(base + path)
        for _ in range(20):
            page.request.get(base + path)
    assert told(world) == before
    press_everything(page, base + not_me)
    assert world.status(reference) == "frozen"
    page.goto(base + unsubscribe)
    page.get_by_role("button", name="Unsubscribe from everything").click()
    assert told(world)["suppressions"] != before["suppressions"]
    page.close()


def test_after_all_that_the_person_still_gets_through(browser: Browser, served: tuple[World, str]) -> None:
    world, base = served
    path = _download(world)
    page = browser.new_page()
    press_everything(page, base + path)
    page.close()
    assert world.client.post(path, data={"word": WORD}).content_type == "application/zip"
