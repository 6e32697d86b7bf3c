"""The page of the mail server: the form, the test of each step, and the state."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from tests.kit.dashboard_mail import STORED, MailService, mail_service
from tests.kit.developers import ORIGIN, TOKEN, Developers, developers, post, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.mail_sender import (
    CheckMailSender,
    DeleteMailSender,
    MailSenderCheck,
    MailSenderState,
    OwnAddressUnverified,
    PutMailSender,
)
from common.events.base import EVENTS
from common.field_errors import field_error
from common.problems import Invalid, RateLimited
from gateway.dashboard.event_lines import line_of

PAGE = "/dashboard/applications/shop/mail-sender"
HTMX = {"hx-request": "true", "hx-request-type": "partial"}
FORM = {
    "host": "smtp.example.com",
    "tls": "tls",
    "port": "",
    "user": "shop",
    "password": "hunter2 of the form",
    "from_address": "hello@shop.example",
    "from_name": "Blue Mail",
}


@pytest.fixture
def mail(world: FakeServices) -> MailService:
    return mail_service(world)


@pytest.fixture
def developer(http: httpx.AsyncClient, world: FakeServices, mail: MailService) -> Developers:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    people.permissions = ["*"]
    sign_in(http)
    return people


async def test_a_form_saves_the_sender(
    http: httpx.AsyncClient, developer: Developers, mail: MailService
) -> None:
    """An empty port and an empty name are left to their defaults. The page then says what is so."""
    answer = await post(http, PAGE, PAGE, **FORM, from_name_="")
    page = await http.get(f"{ORIGIN}{answer.headers['location']}")
    ctx, call = mail.calls[0]

    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?done=saved")
    assert isinstance(call, PutMailSender)
    assert call.sender.model_dump() == FORM | {"port": None}
    assert ctx.app_id == developer.managed["shop"].app_id
    assert "The mail server was saved." in page.text
    assert 'value="smtp.example.com"' in page.text


async def test_the_password_is_not_in_any_page(
    http: httpx.AsyncClient, developer: Developers, mail: MailService
) -> None:
    """Neither the stored one nor the typed one comes back, also not after an error."""
    mail.stored = STORED
    shown = await http.get(f"{ORIGIN}{PAGE}")
    mail.problem = Invalid(errors=[field_error("password", "password_required_again")])
    refused = await post(http, PAGE, PAGE, **FORM, version=STORED.version)
    tested = await post(http, f"{PAGE}/test", PAGE, **FORM)

    assert refused.status_code == 422
    assert "Enter the password again" in refused.text
    for page in (shown, refused, tested):
        assert "hunter2" not in page.text
        assert "********" not in page.text


async def test_typed_values_stay_after_an_error(
    http: httpx.AsyncClient, developer: Developers, mail: MailService
) -> None:
    """A field error stands at its field. Nothing is saved."""
    answer = await post(http, PAGE, PAGE, **FORM | {"port": "99999", "host": "mail.typed.example"})

    assert answer.status_code == 422
    assert "Enter a number from 1 to 65535." in answer.text
    assert 'value="mail.typed.example"' in answer.text
    assert mail.calls == []


async def test_a_test_shows_each_step(
    http: httpx.AsyncClient, developer: Developers, mail: MailService
) -> None:
    """The form is tested as it is, and not saved. htmx gets the result alone."""
    whole = await post(http, f"{PAGE}/test", PAGE, **FORM)
    token = TOKEN.search(whole.text)
    assert token
    part = await http.post(f"{ORIGIN}{PAGE}/test", data={"csrf": token[1], **FORM}, headers=HTMX)

    assert [type(call) for _, call in mail.calls] == [CheckMailSender] * 2
    assert "<html" in whole.text
    assert "<html" not in part.text
    for page in (whole, part):
        assert page.status_code == 200
        assert "The test failed" in page.text
        assert "Connect to the server" in page.text
        assert "Encrypt the connection" in page.text
        assert "Accept the message" not in page.text
    assert 'value="smtp.example.com"' in whole.text


async def test_a_test_that_arrived(
    http: httpx.AsyncClient, developer: Developers, mail: MailService
) -> None:
    """The page names the caller's address, which the form cannot choose."""
    mail.checked = MailSenderCheck(
        passed=["connect", "tls", "sender", "message"], failed=None, to="dev@example.com"
    )
    page = await post(http, f"{PAGE}/test", PAGE, **FORM, to="victim@example.com")

    assert "The test mail was sent" in page.text
    assert "dev@example.com" in page.text
    assert "victim" not in page.text + mail.calls[0][1].model_dump_json()


@pytest.mark.parametrize(
    ("problem", "status", "sentence"),
    [
        (OwnAddressUnverified(), 422, "Verify it in your account first"),
        (RateLimited(retry_after=30), 429, "Try again in 30 seconds"),
    ],
)
async def test_a_refused_test_says_why(
    http: httpx.AsyncClient,
    developer: Developers,
    mail: MailService,
    problem: OwnAddressUnverified,
    status: int,
    sentence: str,
) -> None:
    """The sentence stands in the page, and in the part that htmx replaces."""
    mail.problem = problem
    whole = await post(http, f"{PAGE}/test", PAGE, **FORM)
    token = TOKEN.search(whole.text)
    assert token
    part = await http.post(f"{ORIGIN}{PAGE}/test", data={"csrf": token[1], **FORM}, headers=HTMX)

    for page in (whole, part):
        assert page.status_code == status
        assert sentence in page.text


async def test_a_failing_sender_is_seen(
    http: httpx.AsyncClient, developer: Developers, mail: MailService
) -> None:
    """The page says why mails wait, since when, and how many."""
    state = MailSenderState(
        failing_since=datetime(2026, 1, 2, tzinfo=UTC), last_error="sign_in", waiting=1234
    )
    mail.stored = STORED.model_copy(update={"state": state})
    page = await http.get(f"{ORIGIN}{PAGE}")

    assert "E-mails wait" in page.text
    assert "refused the user or the password" in page.text
    assert "1,234" in page.text


async def test_deleting(http: httpx.AsyncClient, developer: Developers, mail: MailService) -> None:
    """The form deletes. A second time there is nothing to delete, and no error."""
    mail.stored = STORED
    first = await post(http, f"{PAGE}/delete", PAGE)
    mail.problem = None
    page = await http.get(f"{ORIGIN}{PAGE}")

    assert first.headers["location"] == f"{PAGE}?done=deleted"
    assert isinstance(mail.calls[0][1], DeleteMailSender)
    assert "Delete mail server" not in page.text


async def test_a_reader_sees_no_form(
    http: httpx.AsyncClient, developer: Developers, mail: MailService
) -> None:
    """With `settings:read` alone there is no button, and a forged form finds nothing. Without it the
    page does not exist."""
    mail.stored = STORED
    shown = await http.get(f"{ORIGIN}{PAGE}")
    token = TOKEN.search(shown.text)
    assert token
    developer.permissions = ["settings:read"]
    page = await http.get(f"{ORIGIN}{PAGE}")
    forged = [
        await http.post(f"{ORIGIN}{path}", data={"csrf": token[1], **FORM})
        for path in (PAGE, f"{PAGE}/test", f"{PAGE}/delete")
    ]
    developer.permissions = ["users:read"]
    hidden = await http.get(f"{ORIGIN}{PAGE}")

    assert page.status_code == 200
    assert "smtp.example.com" in page.text
    assert "<form" not in page.text.partition("<main")[2].partition("</main>")[0]
    assert [answer.status_code for answer in forged] == [404] * 3
    assert mail.calls == []
    assert hidden.status_code == 404


async def test_hostile_names_are_text(
    http: httpx.AsyncClient, developer: Developers, mail: MailService
) -> None:
    """Markup and attributes of htmx in stored fields are escaped."""
    hostile = '"><b hx-get="/x">\u202e'
    mail.stored = STORED.model_copy(update={"from_name": hostile, "user": hostile})
    page = await http.get(f"{ORIGIN}{PAGE}")
    developer.permissions = ["settings:read"]
    read_only = await http.get(f"{ORIGIN}{PAGE}")

    for shown in (page, read_only):
        assert '<b hx-get="/x">' not in shown.text
    assert "<bdi>&#34;&gt;&lt;b" in read_only.text


async def test_another_application_is_not_there(
    http: httpx.AsyncClient, developer: Developers, mail: MailService
) -> None:
    """The application of others has no such page."""
    page = await http.get(f"{ORIGIN}{PAGE.replace('shop', 'other')}")

    assert page.status_code == 404


async def test_a_sender_needs_a_fresh_sign_in(
    http: httpx.AsyncClient, developer: Developers, world: FakeServices
) -> None:
    """Developers prove that it is them before they type a password. Somebody who may only read is not
    asked."""
    world.let_sign_ins_age()
    form = await http.get(f"{ORIGIN}{PAGE}")
    developer.permissions = ["settings:read"]
    shown = await http.get(f"{ORIGIN}{PAGE}")

    assert form.status_code == 303
    assert form.headers["location"].startswith("/login/confirm?return_to=")
    assert shown.status_code == 200
    assert PutMailSender.fresh


def test_events_have_the_name_of_the_page() -> None:
    """The log calls the thing as its page does: mail server."""
    types = [name for name in EVENTS if name.startswith("mail_sender_")]

    assert len(types) == 4
    for name in types:
        assert line_of(name).text.startswith("Mail server ")
        assert "mail server" in (EVENTS[name].__doc__ or "")
