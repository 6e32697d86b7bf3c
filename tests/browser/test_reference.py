"""/docs in a browser: its search, and links to its objects."""

from __future__ import annotations

from tests.browser.conftest import Site
from tests.browser.test_pages import too_wide


async def test_the_reference_is_searched(site: Site) -> None:
    """Entries with every word are shown and counted; a link to an object opens it; the page fits a
    telephone."""
    async with site.visit() as look:
        page = look.page
        await look.go("/docs#schema-Client")
        assert await page.locator("#schema-Client").evaluate("entry => entry.open")
        await page.fill("#search", "rotate secret")
        assert await page.locator("section details:visible").count() == 1
        assert await page.inner_text(".search output") == "1"
        await page.fill("#search", "")
        assert await page.locator("section details:visible").count() > 100
        await page.evaluate("document.querySelector('#schema-Client').open = false")
        await page.set_viewport_size({"width": 320, "height": 800})
        assert await too_wide(page) == []
