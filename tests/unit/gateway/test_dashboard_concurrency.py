"""Forms of the Dashboard whose save loses against another one in the same moment."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from tests.kit.dashboard_clients import fake_clients
from tests.kit.dashboard_mail import STORED, mail_service
from tests.kit.dashboard_organizations import organization_pages
from tests.kit.dashboard_providers import fake_providers
from tests.kit.dashboard_roles import role_pages
from tests.kit.dashboard_settings import OwnApplication, own_application
from tests.kit.dashboard_users import people_of
from tests.kit.developers import ORIGIN, Developers, developers, post, sign_in
from tests.kit.fake_services import FakeServices

from common import conditions
from common.context import Context
from common.contracts.applications import UpdateApplication
from common.contracts.base import Request
from common.contracts.clients import UpdateClient
from common.contracts.identity_providers import UpdateIdentityProvider
from common.contracts.mail_sender import PutMailSender
from common.contracts.mail_templates import PutTemplate
from common.contracts.organizations import UpdateOrganization
from common.contracts.permissions import UpdatePermission
from common.contracts.roles import UpdateRole
from common.contracts.settings_change import UpdateSettings
from common.contracts.users import UpdateUser
from common.contracts.versioned import ChangedMeanwhile
from gateway.dashboard.setting_fields import version

HOME: Final = "/dashboard/applications/shop"
SENDER: Final = {"host": "mine.example", "tls": "tls", "from_address": "mine@example.com"}
Build = Callable[[Developers], str]
"""Serves what a page shows, and returns the page's path."""


def _mail_sender(people: Developers) -> str:
    mail_service(people.world).stored = STORED
    return f"{HOME}/mail-sender"


PAGES: Final[list[tuple[type[Request[Any]], Build, dict[str, str]]]] = [
    (
        UpdateClient,
        lambda people: f"{HOME}/clients/{fake_clients(people).add('client_a').client_id}",
        {"name": "mine"},
    ),
    (
        UpdateIdentityProvider,
        lambda people: f"{HOME}/providers/{fake_providers(people).add('acme').id}/edit",
        {"client_id": "mine"},
    ),
    (
        UpdateRole,
        lambda people: f"{HOME}/roles/{role_pages(people).roles['editor'].id}",
        {"name": "mine"},
    ),
    (
        UpdatePermission,
        lambda people: f"{HOME}/roles/permissions/{[*role_pages(people).permissions][1]}",
        {"description": "mine"},
    ),
    (
        UpdateOrganization,
        lambda people: f"{HOME}/organizations/{organization_pages(people).organization.id}",
        {"name": "mine", "slug": "acme", "logo_url": ""},
    ),
    (
        UpdateUser,
        lambda people: f"{HOME}/users/{people_of(people, '*').add().id}",
        {"name": "mine"},
    ),
    (
        UpdateUser,
        lambda people: f"{HOME}/users/{people_of(people, '*').add().id}/data",
        {"public_metadata": '{"mine": 1}'},
    ),
    (PutMailSender, _mail_sender, SENDER),
]


class Lost:
    """A service that another editor reaches first, `times` times. After that, `handler` answers."""

    def __init__(self, world: FakeServices, contract: type[Request[Any]], times: int = 9) -> None:
        self.handler, deps = world.bus.handlers[contract]
        self.times, self.calls = times, 0
        world.bus.serve(deps, {contract: self.answer})

    async def answer(self, deps: Any, ctx: Context, request: Request[Any]) -> Any:
        assert conditions.is_conditional()
        self.calls += 1
        if self.calls <= self.times:
            raise ChangedMeanwhile(etag='"theirs"')
        return await self.handler(deps, ctx, request)


async def hidden_version(http: httpx.AsyncClient, page: str) -> str:
    shown = await http.get(f"{ORIGIN}{page}")
    found = re.search(r'name="version" value="([^"]+)"', shown.text)
    assert found, shown.text[:2000]
    return html.unescape(found[1])


@pytest.mark.parametrize(("contract", "build", "typed"), PAGES)
async def test_who_loses_the_race_is_told(
    contract: type[Request[Any]],
    build: Build,
    typed: dict[str, str],
    *,
    http: httpx.AsyncClient,
    world: FakeServices,
) -> None:
    """The form has the current version, but the service refuses it. The page answers 412, keeps what was
    typed, and nothing is saved."""
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    people.permissions = ["*"]
    sign_in(http)
    page = build(people)
    fields = typed | {"version": await hidden_version(http, page)}
    lost = Lost(world, contract)
    answer = await post(http, page, page, **fields)

    assert answer.status_code == 412, answer.text[:2000]
    assert "mine" in html.unescape(answer.text)
    assert lost.calls == 1


async def test_a_mail_text_that_loses_the_race(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """The page shows what was typed, and beside each part what is stored now."""
    own_application(world)
    sign_in(http)
    page = f"{HOME}/mail/sign_in/en"
    text = {"subject": "mine", "text": "{{ code }}", "html": "mine"}
    old = await post(http, page, page, **text, version="older")
    lost = Lost(world, PutTemplate)
    answer = await post(http, page, page, **text, version=await hidden_version(http, page))

    for told in (old, answer):
        assert told.status_code == 412
        assert 'value="mine"' in told.text
        assert "Saved meanwhile: Hi" in told.text
        assert told.text.count("Saved meanwhile:") == 2 * 2  # beside two parts, and in the summary
    assert lost.calls == 1


async def test_a_test_mail_keeps_the_version_of_the_form(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """A test shows the form again with what was typed. It must not get the version of a sender that the
    developer has not seen: the save after it is told."""
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    people.permissions = ["*"]
    sign_in(http)
    service, page = mail_service(world), f"{HOME}/mail-sender"
    tested = await post(http, f"{page}/test", page, **SENDER, version="")
    service.stored = STORED
    late = await post(http, f"{page}/test", page, **SENDER, version="")
    saved = await post(http, page, page, **SENDER, version="")

    assert (tested.status_code, late.status_code, saved.status_code) == (200, 200, 412)
    assert 'name="version" value=""' in late.text
    assert "Saved meanwhile: smtp.example.com" in saved.text


def _branding(own: OwnApplication) -> dict[str, str]:
    tenant = own.people.managed["shop"]
    values = {"name": tenant.name} | {k: v or "" for k, v in tenant.branding.model_dump().items()}
    before = {f"before.{name}": version(value) for name, value in values.items()}
    return values | before | {"primary_color": "#111111"}


def _passwords(own: OwnApplication) -> dict[str, str]:
    return {"password_min_length": "12", "before.password_min_length": version(8)}


@pytest.mark.parametrize(
    ("contract", "path", "page", "form"),
    [
        (UpdateApplication, "/branding", "/branding", _branding),
        (UpdateSettings, "/settings/passwords", "/settings", _passwords),
    ],
)
async def test_other_fields_of_the_same_moment(
    contract: type[Request[Any]],
    path: str,
    page: str,
    form: Callable[[OwnApplication], dict[str, str]],
    *,
    http: httpx.AsyncClient,
    world: FakeServices,
) -> None:
    """Somebody saves other fields in the same moment. The form is compared once more and saved. If this
    goes on, the developer is told."""
    own = own_application(world)
    sign_in(http)
    once = Lost(world, contract, times=1)
    saved = await post(http, HOME + path, HOME + page, **form(own))
    own.stored.clear()
    own.people.managed["shop"] = own.people.managed["shop"].model_copy(
        update={"branding": type(own.people.managed["shop"].branding)()}
    )
    always = Lost(world, contract)
    http.headers["accept"] = "text/html"
    told = await post(http, HOME + path, HOME + page, **form(own))

    assert (saved.status_code, once.calls) == (303, 2)
    assert (told.status_code, always.calls) == (412, 3)
    assert "Somebody else was faster" in told.text


def test_one_wording_for_every_form() -> None:
    """What a form says if the thing was changed meanwhile stands in two places only: the guard of the forms,
    and the piece of templates with the same sentence."""
    root = Path(__file__).parents[3] / "services/gateway"
    files = [*(root / "dashboard").rglob("*.py"), *(root / "templates/dashboard").rglob("*.html")]
    words = re.compile(
        r"Saved meanwhile: |Stored now|(?:Some(?:body|one)|else) (?:has )?changed this", re.I
    )
    names = {file.name for file in files if words.search(_texts(file))}

    assert names == {"form_guard.py", "guard_parts.html"}


def _texts(file: Path) -> str:
    """Returns the texts of messages in a module, and everything in a template."""
    text = file.read_text()
    if file.suffix == ".html":
        return text
    return " ".join(re.findall(r'(?:N_|translate)\(\s*((?:"[^"]*"\s*)+)', text))
