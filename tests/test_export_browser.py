"""The page inside a package in a real browser: axe (WCAG 2.2 AA), 320 and 1280 px, light and dark."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from dsr import export
from dsr.model import DataFile, Origin, Right
from tests.pages_desk import make_world
from tests.test_pages_browser import CHROMIUM, SCREENS, WCAG, browser

__all__ = ["browser"]
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of the right of access in each language, unpacked."""
    folder = tmp_path_factory.mktemp("package")
    world = make_world(folder)
    for lang in ("en", "fr", "de"):
        reference = world.verified(Right.ACCESS, address=f"{lang}@example.com", language=lang)
        row = {"email": f"{lang}@example.com", "text": "x" * 300, "from": "ion@example.org"}
        rows = [{"id": n, **row} for n in range(9)]
        files = [
            DataFile("a very long name of a file of messages.json", iter(rows), origin=Origin.PROVIDED),
            DataFile("invoices/Rechnung & Co.pdf", content=iter([b"%PDF"]), media_type="application/pdf"),
        ]
        export.collect(world.desk, reference, "intercom", files)
        export.collect(world.desk, reference, "zendesk", [])
        world.package(reference)
        with world.desk.db.read() as conn:
            stream = export.read(world.desk, conn, reference)
        assert stream is not None
        zipfile.ZipFile(io.BytesIO(b"".join(stream))).extractall(folder / lang)
    return folder


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_the_page_of_a_package_is_accessible_and_fits(
    browser: Browser, unpacked: Path, width: int, scheme: str
) -> None:
    for lang in ("en", "fr") if (width, scheme) == (320, "light") else ("de",):
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page = context.new_page()
        page.goto(f"file://{unpacked}/{lang}/index.html")
        page.locator("summary").first.click()
        found = Axe().run(page, options=WCAG)
        assert found.violations_count == 0, f"{lang}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, lang
        context.close()


def test_a_link_opens_the_file_beside_the_page(browser: Browser, unpacked: Path) -> None:
    page = browser.new_page()
    page.goto(f"file://{unpacked}/en/index.html")
    for link in page.locator('a:not([href^="#"])').all():
        target = page.evaluate("link => new URL(link, location.href).pathname", link.get_attribute("href"))
        assert Path(unquote(target)).is_file(), target
    page.close()
