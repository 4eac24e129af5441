"""The pages in a real browser: axe (WCAG 2.2 AA), 320 and 1280 px, light and dark, five languages, keyboard only.

Axe sees every page in English on two screens, and in the other languages those pages that differ most. Set
PAGES_SCREENSHOTS to a folder to run the whole product instead and keep a picture of each.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from dsr import receipts
from dsr.letters import catalogue
from dsr.model import Operation, RequestStatus, Right
from dsr.store import tables
from integrations.twin import serve
from tests.house import free_ports
from tests.pages_desk import World, make_world

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
SCREENS = [(320, "light"), (320, "dark"), (1280, "light"), (1280, "dark")]
WORD = "AB23CD"
PICTURES = os.environ.get("PAGES_SCREENSHOTS", "")
MOST_TEXT = ("status-running", "download", "unsubscribe", "unsubscribe-done", "unsubscribe-again")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    world = make_world(tmp_path_factory.mktemp("pages"))
    port = free_ports()
    stop = serve(world.app, port)
    yield world, f"http://127.0.0.1:{port}"
    stop()


def in_progress(world: World, address: str, **more: str) -> str:
    """An erasure under way, with every kind of outcome among its services."""
    reference = world.verified(Right.ERASURE, address=address, **more)
    world.move(reference, RequestStatus.IN_PROGRESS)
    names = ["own_database", *(p.name for p in world.desk.policy.processors)]
    r = tables.receipts.c
    found = {
        "own_database": {"status": "completed", "outcome": "partial", "verdict": "kept"},
        "intercom": {"status": "completed", "outcome": "done", "verdict": "gone"},
        "zendesk": {"status": "completed", "outcome": "done"},
        "mailgun": {"status": "completed", "outcome": "done", "verdict": "accepted"},
        **{n: {"status": "in_progress", "outcome": "manual"} for n in names[4:12]},
    }
    with world.desk.db.write() as conn:
        receipts.plan(
            world.desk, conn, reference, [(n, Operation.ERASE, 1) for n in names], world.row(reference).due_at
        )
        for name, values in found.items():
            conn.execute(tables.receipts.update().where(r.reference == reference, r.processor == name).values(**values))
    return reference


def unsubscribed(world: World, address: str, *, again: bool = False) -> str:
    """The page of somebody whose unsubscribing is done at one sender, with a person at another, waiting at the rest.

    Args:
        again: they have subscribed again since.
    """
    path, r = world.unsubscribe_path(address), tables.receipts.c
    world.client.post(path)
    with world.desk.db.write() as conn:
        mine = tables.requests.c.address_hash == world.desk.vault.hash("address", address)
        reference = conn.execute(sa.select(tables.requests.c.reference).where(mine)).scalar_one()
        steps = [(n, Operation.SUPPRESS, 1) for n in ("mailchimp", "mailgun", "hubspot", "intercom", "microsoft")]
        receipts.plan(world.desk, conn, reference, steps, world.clock())
        for name, values in {
            "mailchimp": {"status": "completed", "outcome": "done"},
            "hubspot": {"status": "in_progress", "outcome": "manual"},
        }.items():
            conn.execute(tables.receipts.update().where(r.reference == reference, r.processor == name).values(**values))
    if again:
        world.clock.pass_(seconds=1)
        world.client.post(path, data={"do": "resubscribe"})
    return path


def pages(world: World, lang: str) -> dict[str, str]:
    """Name of every page and state -> path."""

    def person(name: str) -> str:
        return f"{name}.{lang}@example.com"

    gone = world.package(world.verified(Right.EXPORT, address=person("gone"), language=lang), word=WORD)
    world.client.post(gone, data={"word": WORD}, buffered=True)
    stopped = world.link("not_me", world.verified(Right.ERASURE, address=person("stopped"), language=lang))
    world.client.post(stopped)
    export = world.verified(Right.EXPORT, address=person("export"), language=lang)
    found = {
        "home": "/",
        "wrong": "/status/x",
        "status-running": world.link("status", in_progress(world, person("running"), language=lang)),
        "status-waiting": world.link("status", world.verified(Right.ERASURE, address=person("w"), language=lang)),
        "verify": world.link("verify", world.request(Right.ERASURE, person("verify"), language=lang)),
        "download": world.package(export, word=WORD),
        "download-gone": gone,
        "not-me": world.link("not_me", world.verified(Right.ERASURE, address=person("notme"), language=lang)),
        "not-me-done": stopped,
        "unsubscribe-ask": "/unsubscribe",
        "unsubscribe": world.unsubscribe_path(person("maria")),
        "unsubscribe-done": unsubscribed(world, person("out")),
        "unsubscribe-again": unsubscribed(world, person("again"), again=True),
    }
    # `still`: a page that renews itself would do so under the eyes of axe
    return {name: f"{path}?lang={lang}&still=1" for name, path in found.items()}


def look(page: Page, name: str, axe: Axe) -> None:
    """No finding of axe."""
    found = axe.run(page, options=WCAG)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


@pytest.mark.parametrize("lang", catalogue.LANGUAGES)
def test_every_page_passes_axe_on_small_and_large_light_and_dark_screens(
    browser: Browser, served: tuple[World, str], lang: str
) -> None:
    world, base = served
    axe = Axe()
    at = catalogue.LANGUAGES.index(lang)
    chosen = (SCREENS[0], SCREENS[3]) if lang == "en" else (SCREENS[at % 4],)
    page = browser.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    for name, path in pages(world, lang).items():
        page.goto(base + path)
        assert page.locator("html").get_attribute("lang") == lang
        for width, scheme in SCREENS:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} is too wide"
            if PICTURES or ((width, scheme) in chosen and (lang == "en" or name in MOST_TEXT)):
                look(page, f"{name}-{lang}-{width}-{scheme}", axe)
    page.close()
    assert [p for p in problems if "status of 404" not in p and "status of 410" not in p] == []


def test_a_problem_is_announced_and_the_field_has_the_focus(browser: Browser, served: tuple[World, str]) -> None:
    world, base = served
    path = world.link("verify", world.request(Right.ERASURE, "problem@example.com"))
    page = browser.new_page(viewport={"width": 320, "height": 800})
    page.goto(base + path)
    page.get_by_role("button", name="Mail me a code").click()
    assert "on its way" in page.get_by_role("status").inner_text()
    look(page, "verify-sent", Axe())
    page.get_by_label("Code from the mail").fill("2345-6789")
    page.get_by_role("button", name="Confirm").click()
    assert "Tries left: 4" in page.get_by_role("alert").inner_text()
    assert page.evaluate("document.activeElement.id") == "code"
    look(page, "verify-wrong", Axe())
    page.close()


def press_tab_to(page: Page, name: str) -> None:
    """Tab until the control with this name has the focus; every stop must be visible."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "none":
            raise AssertionError("a control has the focus and does not show it")
        if page.evaluate("document.activeElement.id || document.activeElement.innerText").strip() == name:
            return
    raise AssertionError(f"{name} cannot be reached with the keyboard")


def test_everything_can_be_done_with_the_keyboard_alone(browser: Browser, served: tuple[World, str]) -> None:
    world, base = served
    reference = world.request(Right.ERASURE)
    page = browser.new_page()
    page.goto(base + world.link("verify", reference))
    press_tab_to(page, "Mail me a code")
    page.keyboard.press("Enter")
    page.get_by_text("on its way").wait_for()
    press_tab_to(page, "code")
    page.keyboard.type(world.code())
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your request is confirmed").wait_for()
    assert world.status(reference) == "cooling_off"

    page.goto(base + world.link("status", reference))
    press_tab_to(page, "How the date was worked out")
    page.keyboard.press("Enter")
    page.get_by_text("One month from receipt").wait_for()
    press_tab_to(page, "Mail me a code")
    page.keyboard.press("Space")
    page.get_by_text("on its way").wait_for()
    press_tab_to(page, "code")
    page.keyboard.type(world.code())
    press_tab_to(page, "Withdraw")
    page.keyboard.press("Enter")
    page.get_by_text("The request is withdrawn").wait_for()
    assert world.status(reference) == "withdrawn"

    page.goto(base + world.unsubscribe_path("tab@example.com"))
    press_tab_to(page, "Unsubscribe from everything")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    press_tab_to(page, "Subscribe again")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="You are subscribed again").wait_for()
    page.close()


def test_the_zip_arrives_in_a_browser_and_the_page_then_says_that_it_is_gone(
    browser: Browser, served: tuple[World, str]
) -> None:
    world, base = served
    reference = world.verified(Right.EXPORT, address="zip@example.com")
    path = world.package(reference, word=WORD)
    page = browser.new_page()
    page.goto(base + path)
    page.get_by_label("Word from the conversation").fill(WORD.lower())
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").first.click()
    assert download.value.suggested_filename == f"{reference}.zip"
    assert download.value.path().read_bytes()[:2] == b"PK"
    page.reload()
    page.get_by_role("heading", name="No longer there").wait_for()
    page.close()


def test_the_running_page_renews_itself_and_stops_when_asked(browser: Browser, served: tuple[World, str]) -> None:
    world, base = served
    page = browser.new_page()
    path = world.link("status", in_progress(world, "renew@example.com"))
    answer = page.goto(base + path)
    assert answer is not None
    assert answer.headers["refresh"] == "5"
    page.get_by_role("link", name="Stop renewing").click()
    page.get_by_role("link", name="Renew by itself").wait_for()
    page.close()
