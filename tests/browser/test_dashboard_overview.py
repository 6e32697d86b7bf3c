"""The overview of an application and the way to another one, in Chromium."""

from __future__ import annotations

import pytest
from tests.browser.dashboard_people import DESK, KEYBOARD, PHONE, SIZES, AtDashboard, screens
from tests.kit.dashboard_developer import Developer

SIDE_BY_SIDE = 960
"""The width in pixels from which the list of pages is always shown."""
FOCUS = "document.activeElement.id"
HAS_FOCUS = "what => document.activeElement.matches(what)"
IN_VIEW = """what => {
    const box = document.querySelector(what).getBoundingClientRect();
    return box.left >= 0 && box.right <= document.documentElement.clientWidth;
}"""


@pytest.mark.parametrize("screen", screens(DESK, *SIZES, *KEYBOARD))
async def test_the_charts(ada: AtDashboard) -> None:
    """Another period replaces the charts in place: the focus stays on its link, and the address opens the
    same. Each chart has a name, a description, and a table with a row for each bar. Back leads to the
    period of before."""
    await ada.open()
    current = ada.page.locator("#usage nav [aria-current=true]")
    assert await current.get_attribute("id") == "window-7d"
    await ada.look("charts")
    await ada.press(ada.at("#window-30d"))
    await ada.page.wait_for_url("**?window=30d")
    await ada.page.locator("#window-30d[aria-current=true]").wait_for()
    assert await ada.page.evaluate(FOCUS) == "window-30d"

    cards = ada.page.locator("#usage section.card")
    assert await cards.count() == 4
    for number in range(4):
        card = cards.nth(number)
        svg = card.get_by_role("img")
        name, says = (await svg.get_attribute("aria-labelledby") or "").split()
        for part in (name, says):
            assert await card.locator(f"#{part}").text_content()
        assert await svg.locator("g.day").count() == 30
    card = cards.first
    table = card.locator("table")
    assert await table.is_hidden()
    await card.locator("summary").focus()
    await ada.page.keyboard.press("Enter")
    await table.wait_for()
    assert await table.locator("tbody tr").count() == 30
    box = await card.locator(".scroll").bounding_box()
    assert box
    assert box["height"] <= 320
    await ada.look("charts-table")

    other = await ada.tab()
    await other.page.goto(ada.page.url)
    await other.page.locator("#window-30d[aria-current=true]").wait_for()
    await other.page.close()
    await ada.page.go_back()
    await ada.page.locator("#window-7d[aria-current=true]").wait_for()
    assert "window=" not in ada.page.url


@pytest.mark.parametrize("screen", screens(DESK, *KEYBOARD))
async def test_the_switcher(ada: AtDashboard, lighthouse: Developer) -> None:
    """The menu finds an application while its name is typed. The first one is exposed as active, arrows
    move on, Enter opens it, and Escape closes the menu: the focus returns to its button."""
    await ada.open()
    if ada.screen.width < SIDE_BY_SIDE:
        await ada.press(ada.page.locator("[popovertarget=rooms]"))
    opener, query = ada.page.locator("#switch"), ada.page.locator("#switch-query")
    await opener.focus()
    await ada.page.keyboard.press("Space")
    await query.wait_for()
    assert await opener.get_attribute("aria-expanded") == "true"
    assert await ada.page.evaluate(FOCUS) == "switch-query"
    await ada.page.locator("#switch-results [role=option]").nth(1).wait_for()
    await ada.look("switcher")
    await ada.page.keyboard.press("Escape")
    await query.wait_for(state="hidden")
    await ada.page.wait_for_function(HAS_FOCUS, arg="#switch")

    await ada.page.keyboard.press("Enter")
    await query.wait_for()
    await ada.page.keyboard.type("lightho")
    options = ada.page.locator("#switch-results [role=option]")
    await options.nth(1).wait_for(state="detached")
    await options.filter(has_text="lighthouse").wait_for()
    active = await query.get_attribute("aria-activedescendant")
    assert active
    assert await options.first.get_attribute("id") == active
    await ada.page.keyboard.press("Enter")
    await ada.page.wait_for_url(f"**/dashboard/applications/{lighthouse.slug}")
    await ada.sees("lighthouse", "h1, header.top, nav.rooms")


@pytest.mark.parametrize("screen", [PHONE], ids=str)
async def test_the_switcher_on_a_phone(ada: AtDashboard, lighthouse: Developer) -> None:
    """The menu opens within the sheet of the pages, fits on the screen, and a touch opens an application.
    Escape closes the menu, then the sheet, and each gives the focus back to its button."""
    await ada.open()
    await ada.page.locator("[popovertarget=rooms]").click()
    await ada.page.locator("#switch").click()
    await ada.page.locator("#switch-query").wait_for()
    await ada.page.keyboard.press("Escape")
    await ada.page.locator("#switch-query").wait_for(state="hidden")
    await ada.page.wait_for_function(HAS_FOCUS, arg="#switch")
    await ada.page.keyboard.press("Escape")
    await ada.page.locator("#rooms").wait_for(state="hidden")
    await ada.page.wait_for_function(HAS_FOCUS, arg="[popovertarget=rooms]")

    await ada.page.locator("[popovertarget=rooms]").click()
    await ada.page.locator("#switch").click()
    option = ada.page.locator("#switch-results [role=option]", has_text="lighthouse")
    await option.wait_for()
    # It moves with the sheet, which slides in.
    await ada.page.wait_for_function(IN_VIEW, arg="#switcher")
    await ada.look("switcher-phone")
    await option.click()
    await ada.page.wait_for_url(f"**/dashboard/applications/{lighthouse.slug}")
    assert await ada.page.locator("#rooms").is_hidden()
