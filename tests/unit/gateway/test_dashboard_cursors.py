"""A place in a list that the list does not know: the address leads to the first page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.kit.dashboard_pages import browsing, full_dashboard, shown_pages
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.base import Request
from common.cursors import BadCursor

SHOP = "/dashboard/applications/shop"
FEWEST_LISTS = 20
PART = {"hx-request": "true", "hx-request-type": "partial"}


@pytest.fixture
def full() -> FakeServices:
    """Every list is full, and accepts no cursor."""
    full = full_dashboard()
    answer = full.bus.raw

    async def refuse(ctx: Context, request: Request[Any]) -> bytes:
        if getattr(request, "cursor", None) is None:
            return await answer(ctx, request)
        full.bus.calls.append(request)
        raise BadCursor

    full.bus.raw = refuse  # type: ignore[method-assign]
    return full


@pytest.fixture
async def browser(full: FakeServices) -> AsyncIterator[httpx.AsyncClient]:
    async with browsing(full) as client:
        yield client


def has_cursor(full: FakeServices) -> bool:
    return any(getattr(call, "cursor", None) for call in full.bus.calls)


async def test_every_list_leads_to_its_first_page(
    browser: httpx.AsyncClient, full: FakeServices
) -> None:
    """Every page of the route table that reads a cursor redirects to itself without it. All other
    parameters stay."""
    lists = []
    for page in shown_pages():
        full.bus.calls.clear()
        answer = await browser.get(f"{page.path}?q=a+%26b&cursor=old")
        if has_cursor(full):
            lists.append(page.template)
            assert answer.status_code == 303, page
            assert answer.headers["location"] == f"{page.path}?q=a+%26b", page

    assert len(lists) >= FEWEST_LISTS, lists


async def test_two_lists_of_one_page_begin_again(browser: httpx.AsyncClient) -> None:
    """The matrix of roles and permissions has two places in its address."""
    answer = await browser.get(f"{SHOP}/roles?kind=organization&after=old&cursor=older")

    assert answer.headers["location"] == f"{SHOP}/roles?kind=organization"


async def test_htmx_loads_the_first_page(browser: httpx.AsyncClient) -> None:
    """The pager of an open page gets the same redirect as htmx follows it."""
    answer = await browser.get(f"{SHOP}/users?state=disabled&cursor=old", headers=PART)

    assert answer.status_code == 204
    assert answer.headers["hx-redirect"] == f"{SHOP}/users?state=disabled"


@pytest.mark.parametrize("cursor", ["a" * 201, "%C3%BC", "a%0Ab", "%F0%9F%98%80"])
async def test_a_text_that_cannot_be_a_cursor(browser: httpx.AsyncClient, cursor: str) -> None:
    """A text that the contract refuses is as bad as one that the list refuses."""
    answer = await browser.get(f"{SHOP}/audit?type=login&cursor={cursor}")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{SHOP}/audit?type=login"


async def test_hostile_parameters_stay_parameters(browser: httpx.AsyncClient) -> None:
    """Names and values of the address are encoded again, whatever they are."""
    query = "path=%2F%2Fevil.example&here=x&%0D%0Aset-cookie=a&q=%22%3E&cursor=old"
    answer = await browser.get(f"{SHOP}/users?{query}")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{SHOP}/users?path=%2F%2Fevil.example&here=x&")
    assert "%0D%0Aset-cookie=a" in answer.headers["location"]
    assert "set-cookie" not in answer.headers


async def test_no_redirect_to_itself(browser: httpx.AsyncClient, full: FakeServices) -> None:
    """A list that refuses even its first page is an error."""

    async def refuse(ctx: Context, request: Request[Any]) -> bytes:
        if request.subject == "identity.user.list":
            raise BadCursor
        return await answer(ctx, request)

    answer = full.bus.raw
    full.bus.raw = refuse  # type: ignore[method-assign]
    page = await browser.get(f"{SHOP}/users?q=a")

    assert page.status_code == BadCursor.status
