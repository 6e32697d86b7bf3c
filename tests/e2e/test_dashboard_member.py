"""A member of a team on the Dashboard's pages, compared with an admin: what they see, they may do, and what they
may not do does not exist for them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

import pytest
from tests.kit.dashboard_developer import Developer, developer
from tests.kit.dashboard_things import fill
from tests.kit.system import System

ID: Final = re.compile(r"^[0-9a-f-]{32,36}$|^.{40,}$")
MAIL: Final = re.compile(r"/mail/[a-z_]+/[a-z]+")
STREAMS: Final = ("/live", "/export")
"""Ends of paths that are no pages."""


@dataclass
class _Form:
    """A form of a page, and the fields that it has without typing. `can_send`: it has a button."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    can_send: bool = False


class _Page(HTMLParser):
    """The links and forms of a page. A button with an address of its own is a form of its own."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.forms: list[_Form] = []
        self.by_id: dict[str, _Form] = {}
        self.open_form: _Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        form = self.by_id.get(values["form"]) if "form" in values else self.open_form
        if tag == "a" and "href" in values:
            self.links.append(urljoin(self.path, values["href"]))
        elif tag == "form":
            action = urljoin(self.path, values.get("action", self.path))
            self.open_form = _Form(values.get("method", "get"), action)
            self.forms.append(self.open_form)
            self.by_id[values.get("id", "")] = self.open_form
        elif tag == "input" and form and "name" in values:
            form.fields[values["name"]] = values.get("value", "")
        elif tag == "button" and form and values.get("type", "submit") == "submit":
            if "formaction" in values:
                action = urljoin(self.path, values["formaction"])
                self.forms.append(_Form(form.method, action, form.fields, can_send=True))
            else:
                form.can_send = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open_form = None


@dataclass
class Walk:
    """Every kind of page of an application that links lead to, for one person."""

    person: Developer
    home: str
    refused: list[str] = field(default_factory=list)
    forms: dict[str, _Form] = field(default_factory=dict)
    """The first form with each kind of address to which forms post."""

    async def all(self) -> Walk:
        """Opens the pages and collects their forms."""
        waiting, seen = [self.home], {self.home}
        while waiting:
            page = await self._open(waiting.pop())
            for form in page.forms:
                if form.method == "post" and form.can_send:
                    self.forms.setdefault(kind(form.action), form)
            for link in page.links:
                if self._is_ours(link) and kind(link) not in seen:
                    seen.add(kind(link))
                    waiting.append(link)
        return self

    async def _open(self, path: str) -> _Page:
        answer = await self.person.open("GET", path)
        page = _Page(path)
        if answer.status_code == 200:
            page.feed(answer.text)
        else:
            self.refused.append(f"{path}: {answer.status_code}")
        return page

    def _is_ours(self, path: str) -> bool:
        bare = urlsplit(path).path
        return (bare + "/").startswith(f"{self.home}/") and not bare.endswith(STREAMS)

    async def post(self, form: _Form) -> int:
        """Posts a form with what it has, as this person. Returns the status."""
        http = self.person.browser.http
        headers = {"origin": self.person.browser.origin, "accept": "text/html"}
        fields = form.fields | {"csrf": self.person.token}
        return (await http.post(form.action, headers=headers, data=fields)).status_code


def kind(path: str) -> str:
    """Returns the path without what makes one thing another."""
    bare = MAIL.sub("/mail/{}", urlsplit(path).path)
    return "/".join("{}" if ID.match(part) else part for part in bare.split("/"))


@pytest.fixture(scope="module")
async def admin(system: System) -> AsyncIterator[Developer]:
    async with developer(system, "admin") as ada:
        await fill(system, ada)
        yield ada


@pytest.fixture(scope="module")
async def member(system: System, admin: Developer) -> AsyncIterator[Developer]:
    """A developer with a team of their own, who is a `member` of the admin's team."""
    operator = {"authorization": f"Bearer {system.deployment.operator_key()}"}
    async with AsyncExitStack() as stack:
        bob = await stack.enter_async_context(developer(system, "member"))
        http = await stack.enter_async_context(system.http("dashboard", headers=operator))
        application = (await http.get(f"/api/applications/{admin.slug}")).json()
        user = (await http.get("/api/users/by-email", params={"email": bob.email})).json()
        added = await http.post(
            f"/api/organizations/{application['owner_org_id']}/members",
            json={"user_id": user["id"], "role": "member"},
        )
        assert added.status_code == 201, added.text
        yield bob


async def test_a_member_sees_only_what_they_may_use(admin: Developer, member: Developer) -> None:
    """Each link of the member's pages leads to a page, and none of their forms is refused for its rights.
    A form that only the admin sees finds nothing when the member sends it."""
    home = f"/dashboard/applications/{admin.slug}"
    ours, theirs = await Walk(admin, home).all(), await Walk(member, home).all()
    assert (ours.refused, theirs.refused) == ([], [])
    assert len(theirs.forms) < len(ours.forms)

    answers = {name: await theirs.post(form) for name, form in theirs.forms.items()}
    assert {name: status for name, status in answers.items() if status in (403, 404)} == {}
    forged = {
        name: await theirs.post(form)
        for name, form in ours.forms.items()
        if name not in theirs.forms
    }
    assert {name: status for name, status in forged.items() if status != 404} == {}
    assert len(forged) > 20
