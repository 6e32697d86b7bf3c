"""The work that a page of the Dashboard causes, counted: times would depend on the machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
from jinja2 import Environment
from tests.kit.dashboard_pages import DashboardPage, full_dashboard, shown_pages
from tests.kit.developers import ORIGIN
from tests.kit.fake_services import settings

from common.contracts.applications import Applications
from common.contracts.base import Contract
from common.contracts.clients import Clients
from common.contracts.organizations import Organizations
from gateway.build import build
from gateway.dashboard.visit import PLATFORM
from gateway.pages.languages import Language
from gateway.state import Gateway

MOST_SENTENCES = 250
"""Sentences of a page that are looked up while it is written. The rows of a list have a thousand words."""
MOST_TEMPLATES = 20
"""Templates that a page loads, with each import of macros."""


@pytest.fixture(scope="module")
def app() -> object:
    return build(Gateway(settings(), full_dashboard().bus))


@pytest.fixture
async def browser(app: object) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"accept": "text/html", "cookie": "aero2_session=t_dev"}
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers) as client:
        yield client


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts sentences that are looked up, and templates that are loaded."""
    counts: Counter[str] = Counter()
    translate, get_template = Language.translate, Environment.get_template

    def count_sentence(self: Language, text: str, **values: object) -> str:
        counts["sentences"] += 1
        return translate(self, text, **values)

    def count_template(self: Environment, *args: object, **more: object) -> object:
        counts["templates"] += 1
        return get_template(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Language, "translate", count_sentence)
    monkeypatch.setattr(Environment, "get_template", count_template)
    return counts


@pytest.mark.parametrize("page", shown_pages(), ids=lambda page: page.template)
async def test_a_row_looks_nothing_up(
    browser: httpx.AsyncClient, counted: Counter[str], page: DashboardPage
) -> None:
    """A long list loads no template and looks up no fixed sentence for each of its rows."""
    answer = await browser.get(page.path)

    assert answer.status_code == 200, answer.text
    assert counted["sentences"] <= MOST_SENTENCES, counted
    assert counted["templates"] <= MOST_TEMPLATES, counted


@pytest.mark.parametrize(
    "end", ["/dashboard", "/dashboard/new", "/start", "/clients", "/applications"]
)
async def test_a_list_checks_only_what_it_shows(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """The pages that show some fields of clients, applications or teams check no whole one of a list."""
    replies: list[type] = []
    validate = Contract.model_validate_json.__func__  # type: ignore[attr-defined]

    def count_reply(cls: type[Contract], text: bytes) -> Contract:
        replies.append(cls)
        return validate(cls, text)  # type: ignore[no-any-return]

    monkeypatch.setattr(Contract, "model_validate_json", classmethod(count_reply))
    page = next(
        page for page in shown_pages() if page.template.endswith(end) and PLATFORM not in page.path
    )
    await browser.get(page.path)

    assert replies
    assert not [reply for reply in replies if reply in (Applications, Clients, Organizations)]


class CountedName(str):
    """The name of a role, which counts how often it is made safe for HTML."""

    __slots__ = ()
    escaped: Counter[str] = Counter()

    def __html__(self) -> str:
        CountedName.escaped[str(self)] += 1
        return str(self)


@pytest.mark.parametrize("tab", ["members", "invitations", "domains"])
async def test_a_role_is_written_once(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tab: str
) -> None:
    """The roles to choose from are made into options once, however many rows offer them."""

    async def many_roles(visit: object) -> dict[str, str]:
        return {f"role{number}": CountedName(f"Role {number}") for number in range(100)}

    CountedName.escaped.clear()
    for module in ("organization_members", "organization_invitations", "organization_domains"):
        monkeypatch.setattr(f"gateway.dashboard.{module}.member_roles", many_roles)
    ends = f"/dashboard/applications/{{slug}}/organizations/{{org_id}}/{tab}"
    page = next(page for page in shown_pages() if page.template == ends)
    answer = await browser.get(page.path)

    assert answer.text.count("Role 99<") >= (1 if tab == "invitations" else 20)
    assert set(CountedName.escaped.values()) == {1}
