"""The playground in a real browser: a customer's erasure from the first message to the certificate."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from demo.people import ION
from tests.house import CODE, REFERENCE, House

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
# CI must see the page; elsewhere a machine without a browser may go without.
pytestmark = pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="no Chromium on this machine")
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
PATIENCE = 30_000  # milliseconds; two busy cores


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield launched
        launched.close()


def playground(browser: Browser, house: House, width: int = 1280, scheme: str = "light") -> tuple[Page, list[str]]:
    """The page, and the list in which its errors gather."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{house.app_url}/demo")
    expect(page.locator("#processors li").first).to_be_visible(timeout=PATIENCE)
    return page, errors


def write(page: Page, text: str) -> None:
    page.get_by_label("Write as the customer").fill(text)
    page.locator("#say").get_by_role("button", name="Send").click()


def held(page: Page, processor: str) -> int:
    count = page.locator("#processors li", has_text=processor).locator(".count").text_content()
    return int(count or "-1")


def test_an_erasure_is_played_from_the_first_message_to_the_certificate(browser: Browser, house: House) -> None:
    page, errors = playground(browser, house)
    page.get_by_label("Person").select_option(ION.email)
    expect(page.locator("#processors li", has_text="MailChimp").locator(".count")).not_to_have_text("0")

    write(page, "please delete my account and everything you have on me")
    expect(page.locator("#messages .bubble.customer").last).to_contain_text("everything you have on me")
    expect(page.locator("#messages .bubble.desk").last).to_contain_text("code", timeout=PATIENCE)
    mail = page.locator("#mails details[open]")
    expect(mail.locator("summary")).to_contain_text("code", timeout=PATIENCE)
    found = CODE.search(mail.locator("pre").text_content() or "")
    assert found, "the code stands alone on a line of the mail"
    assert held(page, "Intercom") > 0

    write(page, found[1])
    request = page.locator("#requests article").filter(has_text="erasure").first
    confirmed = page.locator("#messages .bubble.desk").filter(has_text=REFERENCE)
    expect(confirmed.first).to_be_visible(timeout=PATIENCE)
    reference = REFERENCE.search(confirmed.first.text_content() or "")
    assert reference
    expect(request).to_contain_text(reference[0])
    expect(request).to_contain_text(re.compile(r"\d+ of \d+ steps done"), timeout=PATIENCE)
    expect(request).to_contain_text("completed", timeout=PATIENCE)

    expect(page.locator("#mails details[open] summary")).to_contain_text("Certificate", timeout=PATIENCE)
    certificate = page.locator("#mails details[open] pre").text_content() or ""
    for processor in house.desk.policy.processors:
        assert processor.label in certificate
    assert held(page, "MailChimp") == 0
    assert held(page, "Intercom") == 0
    expect(page.locator("#messages")).to_contain_text("does not hold this conversation any more")
    assert errors == []
    page.close()


def test_an_agent_types_a_command_and_reads_the_answer(browser: Browser, house: House) -> None:
    page, errors = playground(browser, house)
    page.get_by_label("/privacy").fill("help")
    page.locator("#command").get_by_role("button", name="Send").click()
    expect(page.locator("#answer")).to_contain_text("/privacy list", timeout=PATIENCE)
    assert errors == []
    page.close()


def test_an_idea_is_put_into_the_text_and_a_channel_can_be_chosen(browser: Browser, house: House) -> None:
    page, errors = playground(browser, house)
    page.get_by_text("Ideas").click()
    page.locator("#ideas button").first.click()
    expect(page.get_by_label("Write as the customer")).to_have_value(re.compile("delete my account"))
    slack = page.get_by_role("button", name="Slack message")
    slack.click()
    expect(slack).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Intercom")).to_have_attribute("aria-pressed", "false")
    assert errors == []
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "dark"), (320, "dark"), (1280, "light")])
def test_the_page_passes_axe_and_needs_no_sideways_scrolling(
    browser: Browser, house: House, width: int, scheme: str
) -> None:
    page, errors = playground(browser, house, width, scheme)
    found = Axe().run(page, options=WCAG)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert errors == []
    page.close()
