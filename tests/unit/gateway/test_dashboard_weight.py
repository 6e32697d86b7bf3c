"""What a page of the Dashboard weighs, and how often it calls services. The pages come from the route table,
and every list is full."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.kit.dashboard_pages import (
    DashboardPage,
    browsing,
    full_dashboard,
    shown_pages,
    transferred,
)
from tests.kit.fake_services import FakeServices

MOST_BYTES = 60_000
"""Of a page with all that it loads, as it is sent to a browser with an empty cache."""
MOST_CALLS = 8
"""Of a page to services. A call for each row of a list would be fifty."""


@pytest.fixture(scope="module")
def full() -> FakeServices:
    return full_dashboard()


@pytest.fixture
async def browser(full: FakeServices) -> AsyncIterator[httpx.AsyncClient]:
    async with browsing(full) as client:
        yield client


@pytest.mark.parametrize("page", shown_pages(), ids=lambda page: page.template)
async def test_a_page_is_light(
    browser: httpx.AsyncClient, full: FakeServices, page: DashboardPage
) -> None:
    """A page with its files is below 60 kB, and calls services a few times, however long its list is."""
    answer = await browser.get(page.path)
    full.bus.calls.clear()
    weight = await transferred(browser, page.path)

    assert answer.status_code == 200, answer.text
    assert weight.sent + weight.files < MOST_BYTES, weight
    assert len(full.bus.calls) <= MOST_CALLS, full.bus.calls
