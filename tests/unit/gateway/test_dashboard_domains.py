"""Domains, the danger zone and mails in the Dashboard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.kit.dashboard_settings import MAIL as STORED_MAIL
from tests.kit.dashboard_settings import OwnApplication, own_application
from tests.kit.developers import ORIGIN, TOKEN, post, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.applications import DeleteApplication, TransferApplication
from common.contracts.domains import (
    AddCustomDomain,
    RemoveCustomDomain,
    SetPrimaryDomain,
    VerifyCustomDomain,
)
from common.contracts.mail_templates import PutTemplate, SendTestMail
from common.ids import new_id
from gateway.dashboard.mail_names import MAIL_NAMES
from identity.mail_texts import MAILS

SHOP = "/dashboard/applications/shop"
DOMAINS, DANGER, MAIL = f"{SHOP}/domains", f"{SHOP}/danger", f"{SHOP}/mail/sign_in/en"
HTMX = {"hx-request": "true", "hx-request-type": "partial"}


@pytest.fixture
def own(http: httpx.AsyncClient, world: FakeServices) -> OwnApplication:
    application = own_application(world)
    sign_in(http)
    return application


async def test_a_domain_is_added(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The page shows the records to copy. A name that is none stays in the form."""
    answer = await post(http, DOMAINS, DOMAINS, domain="login.example.com")
    page = await http.get(f"{ORIGIN}{DOMAINS}")
    refused = await post(http, DOMAINS, DOMAINS, domain="no domain")

    assert own.requests == [AddCustomDomain(domain="login.example.com")]
    assert answer.headers["location"] == f"{DOMAINS}?done=added"
    assert "_aero2.x" in page.text
    assert "aero2=1" in page.text
    assert refused.status_code == 422
    assert 'value="no domain"' in refused.text


async def test_records_are_checked_in_place(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """htmx gets the one domain with what was found; without it the list is shown again."""
    domain = own.add_domain()
    path = f"{DOMAINS}/{domain.id}/check"
    token = TOKEN.search((await http.get(f"{ORIGIN}{DOMAINS}")).text)
    assert token
    part = await http.post(f"{ORIGIN}{path}", data={"csrf": token[1]}, headers=HTMX)
    plain = await http.post(f"{ORIGIN}{path}", data={"csrf": token[1]})

    assert "<html" not in part.text
    assert f'id="domain-{domain.id}"' in part.text
    assert "Verified" in part.text
    assert plain.headers["location"] == f"{DOMAINS}?done=checked"
    assert own.requests == [VerifyCustomDomain(id=domain.id)] * 2


@pytest.mark.parametrize(
    ("act", "call"), [("primary", SetPrimaryDomain), ("remove", RemoveCustomDomain)]
)
async def test_a_domain_is_changed_after_a_question(
    http: httpx.AsyncClient, own: OwnApplication, act: str, call: type
) -> None:
    """The question changes nothing."""
    domain = own.add_domain(verified=True)
    path = f"{DOMAINS}/{domain.id}/{act}"

    assert domain.domain in (await http.get(f"{ORIGIN}{path}")).text
    assert own.changes == []
    assert (await post(http, path, path)).status_code == 303
    assert own.requests == [call(id=domain.id)]


@pytest.mark.parametrize("act", ["primary", "remove"])
async def test_a_foreign_domain_does_not_exist(
    http: httpx.AsyncClient, own: OwnApplication, act: str
) -> None:
    """An id that the application does not have is a page that was not found."""
    own.add_domain()

    assert (await http.get(f"{ORIGIN}{DOMAINS}/{new_id()}/{act}")).status_code == 404
    assert (await post(http, f"{DOMAINS}/{new_id()}/check", DOMAINS)).status_code == 404
    assert own.changes == []


async def test_a_reader_changes_no_domain(http: httpx.AsyncClient, world: FakeServices) -> None:
    """Without `domains:write` there is no button, and a forged form finds nothing."""
    own = own_application(world, "domains:read")
    domain = own.add_domain(verified=True)
    sign_in(http)
    page = await http.get(f"{ORIGIN}{DOMAINS}")

    assert domain.domain in page.text
    assert f"{DOMAINS}/{domain.id}" not in page.text
    for path in (DOMAINS, f"{DOMAINS}/own-host", f"{DOMAINS}/{domain.id}/remove"):
        forged = await post(http, path, "/dashboard/new", domain="a.example.com")
        assert forged.status_code == 404
    assert own.changes == []


async def test_a_deletion_needs_the_slug(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The service compares what was typed. A wrong slug stays in the form, and nothing is deleted."""
    wrong = await post(http, f"{DANGER}/delete", DANGER, confirm="shopp")
    assert wrong.status_code == 422
    assert 'id="confirm-error"' in wrong.text
    assert 'value="shopp"' in wrong.text
    assert own.changes == []

    answer = await post(http, f"{DANGER}/delete", DANGER, confirm="shop")
    ctx, request = own.changes[0]
    assert answer.headers["location"] == "/dashboard"
    assert request == DeleteApplication(slug="shop", confirm="shop")
    assert ctx.caller.kind == "user"


async def test_a_transfer_to_another_team(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The form lists the teams in which the developer may create applications."""
    other = own.people.teams[0]
    page = await http.get(f"{ORIGIN}{DANGER}")
    answer = await post(http, f"{DANGER}/transfer", DANGER, owner_org_id=other.id)

    assert f'<option value="{other.id}"' in page.text
    assert answer.headers["location"] == f"{DANGER}?done=transferred"
    assert own.requests == [TransferApplication(slug="shop", owner_org_id=other.id)]


async def test_the_danger_zone_needs_a_fresh_sign_in(
    http: httpx.AsyncClient, own: OwnApplication, world: FakeServices
) -> None:
    """Developers prove that it is them before they read the page."""
    for known, session in world.sessions.items():
        old = {"auth_time": datetime.now(UTC) - timedelta(hours=1), "factor_times": {}}
        world.sessions[known] = session.model_copy(update=old)
    page = await http.get(f"{ORIGIN}{DANGER}")

    assert page.headers["location"].startswith("/login/confirm")


async def test_a_reader_has_no_danger_zone(http: httpx.AsyncClient, world: FakeServices) -> None:
    """Somebody who may only read this application finds neither page nor forms."""
    own = own_application(world, "settings:read")
    sign_in(http)

    assert (await http.get(f"{ORIGIN}{DANGER}")).status_code == 404
    forged = await post(http, f"{DANGER}/delete", "/dashboard/new", confirm="shop")
    assert forged.status_code == 404
    assert own.changes == []


def test_every_mail_has_a_name() -> None:
    """The list names each kind of mail in words."""
    assert set(MAIL_NAMES) == set(MAILS)


async def test_a_mail_is_changed(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The list leads to each mail, and its form replaces the text. An empty part is refused."""
    listed = await http.get(f"{ORIGIN}{SHOP}/mail")
    seen = {"version": STORED_MAIL.version, "subject": "Hi"}
    empty = await post(http, MAIL, MAIL, **seen, text="", html="<p>mine</p>")
    answer = await post(http, MAIL, MAIL, **seen, text="a\r\nb", html="<p>x</p>")
    request = own.requests[0]

    assert f'href="{MAIL}"' in listed.text
    assert empty.status_code == 422
    assert "&lt;p&gt;mine&lt;/p&gt;" in empty.text
    assert answer.headers["location"] == f"{MAIL}?done=saved"
    assert isinstance(request, PutTemplate)
    assert request.template.text == "a\nb"


async def test_a_preview_of_a_mail_is_inert(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The mail has a page of its own, where nothing can act, also when it is opened directly."""
    hostile = "<script>alert(1)</script><form action=/x><img src=https://evil.example/p>"
    stored = await http.get(f"{ORIGIN}{MAIL}/page")
    typed = await post(http, f"{MAIL}/page", MAIL, subject="Hi", text="x", html=hostile)

    assert hostile in typed.text
    for answer in (stored, typed):
        policy = answer.headers["content-security-policy"].split("; ")
        assert {"sandbox", "default-src 'none'", "form-action 'none'", "img-src 'none'"} <= set(
            policy
        )
        assert f"frame-ancestors {ORIGIN}" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_test_mail_goes_to_the_developer_alone(
    http: httpx.AsyncClient, own: OwnApplication, world: FakeServices
) -> None:
    """No field of the form names another address. Without a proven one, nothing is sent."""
    for known, session in world.sessions.items():
        proven = {"email": "ada@example.com", "email_verified": True}
        world.sessions[known] = session.model_copy(update=proven)
    answer = await post(http, f"{MAIL}/test", MAIL, to="victim@example.com")

    assert answer.headers["location"] == f"{MAIL}?done=sent"
    assert own.requests == [SendTestMail(kind="sign_in", locale="en")]


async def test_an_unknown_mail_is_not_found(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """Neither kind nor language of the path is passed on unseen."""
    for path in ("nothing/en", "sign_in/xx", "sign_in/xx/page"):
        assert (await http.get(f"{ORIGIN}{SHOP}/mail/{path}")).status_code == 404


async def test_an_unproven_address_gets_no_test_mail(
    http: httpx.AsyncClient, own: OwnApplication, world: FakeServices
) -> None:
    """It may be somebody else's: the developer only typed it."""
    for known, session in world.sessions.items():
        world.sessions[known] = session.model_copy(update={"email": "victim@example.com"})
    page = await http.get(f"{ORIGIN}{MAIL}")
    forged = await post(http, f"{MAIL}/test", MAIL)

    assert f'action="{MAIL}/test"' not in page.text
    assert (forged.status_code, own.requests) == (404, [])
