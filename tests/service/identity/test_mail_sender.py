"""An application's own mail server: who sets it, where its password goes, and what a test tells."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.kit.callers import ADMIN, as_user
from tests.kit.certificates import certified
from tests.kit.mail_servers import MailServer, free_port, mail_server, silent_server
from tests.kit.world import World

from common.context import Caller
from common.contracts.mail_sender import (
    CheckMailSender,
    DeleteMailSender,
    GetMailSender,
    MailSenderFields,
    MailSenderNotFound,
    OwnAddressUnverified,
    PutMailSender,
)
from common.contracts.mail_templates import PutTemplate, TemplateText
from common.contracts.roles import NotHeld
from common.contracts.sessions import FreshSignInNeeded
from common.egress import Egress
from common.ids import DASHBOARD
from common.outgoing_http import OutgoingHttp
from common.problems import Forbidden, Invalid, RateLimited
from common.testing import context
from identity import mail_sender_check, smtp

MAY = frozenset({"settings:read", "settings:write"})
SECRET = "hunter2-of-the-mail-server"


def fields(port: int | None = 2525, **more: Any) -> MailSenderFields:
    values = {
        "host": "127.0.0.1",
        "port": port,
        "tls": "none",
        "user": "shop",
        "password": SECRET,
        "from_address": "hello@shop.example",
        "from_name": "Blue Shop Mail",
    }
    return MailSenderFields.model_validate(values | more)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        running.accepts = SECRET
        yield running


@pytest.fixture
async def me(world: World) -> Caller:
    """A user who may change settings."""
    return as_user(await world.sign_in(await world.user("me@example.com")), permissions=MAY)


async def test_the_password_is_never_shown(world: World) -> None:
    """It is sealed in the row. Replies show asterisks, and the audit log has names of fields only."""
    with pytest.raises(MailSenderNotFound):
        await world.call(GetMailSender(), ADMIN)
    stored = await world.call(PutMailSender(sender=fields()), ADMIN)
    shown = await world.call(GetMailSender(), ADMIN)
    row = await world.owner.fetchrow("SELECT * FROM mail_senders WHERE app_id = $1", world.app_id)
    changed = [data for kind, data in await world.events() if kind == "mail_sender_changed"]

    assert stored == shown
    assert (shown.password, shown.user, shown.from_address) == (
        "********",
        "shop",
        "hello@shop.example",
    )
    assert shown.state.failing_since is None
    assert row is not None
    assert SECRET not in str(dict(row)) + shown.model_dump_json() + json.dumps(changed)
    assert SECRET not in repr(fields())
    (event,) = changed
    assert "password" in event["fields"]
    assert "shop.example" not in json.dumps(event)


async def test_the_same_settings_again_change_nothing(world: World) -> None:
    """Without a change there is no event. The asterisks keep the password."""
    await world.call(PutMailSender(sender=fields()), ADMIN)
    await world.call(PutMailSender(sender=fields(password="********")), ADMIN)
    await world.call(PutMailSender(sender=fields(password=None)), ADMIN)

    assert await world.event_types("mail_sender_changed") == ["mail_sender_changed"]


@pytest.mark.parametrize(
    "change",
    [{"host": "127.0.0.2"}, {"port": 2526}, {"tls": "starttls"}, {"user": "another"}],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("password", [None, "", "********"])
async def test_the_stored_password_goes_to_no_other_server(
    world: World, me: Caller, change: dict[str, Any], password: str | None
) -> None:
    """Neither saving nor a test uses it if the server or the user changed. Nothing is stored."""
    await world.call(PutMailSender(sender=fields()), ADMIN)
    before = await world.call(GetMailSender(), ADMIN)
    changed = fields(**change, password=password)
    for refused in (
        await world.refused(PutMailSender(sender=changed), ADMIN),
        await world.refused(CheckMailSender(sender=changed), me),
    ):
        assert isinstance(refused, Invalid)
        (error,) = refused.extra["errors"]
        assert (error["field"], error["code"]) == ("password", "password_required_again")

    assert await world.call(GetMailSender(), ADMIN) == before


async def test_another_sender_address_keeps_the_password(
    world: World, me: Caller, server: MailServer
) -> None:
    """The address and the name of the sender are no part of the server."""
    await world.call(PutMailSender(sender=fields(server.port)), ADMIN)
    changed = fields(server.port, password=None, from_name=None, from_address="b@shop.example")
    await world.call(PutMailSender(sender=changed), ADMIN)
    checked = await world.call(CheckMailSender(), me)

    assert checked.failed is None
    assert server.passwords == [SECRET]
    assert server.received[0]["From"] == "Blue Shop <b@shop.example>"


async def test_an_empty_port_is_the_default_of_the_tls_mode(world: World) -> None:
    """The same server with and without its port is one server. The other mode has another port."""
    stored = await world.call(PutMailSender(sender=fields(None, tls="starttls")), ADMIN)
    same = fields(587, tls="starttls", password=None)
    again = await world.call(PutMailSender(sender=same), ADMIN)
    moved = await world.call(PutMailSender(sender=fields(None, tls="tls")), ADMIN)

    assert (stored.port, again.port, moved.port) == (587, 587, 465)
    assert await world.event_types("mail_sender_changed") == ["mail_sender_changed"] * 2


async def test_mail_is_never_plain(world: World, me: Caller) -> None:
    """Without TLS nothing is saved or tested, unless the operator allows private addresses."""
    before = world.identity.http
    world.replace_deps("identity", http=OutgoingHttp(Egress()))
    saved = await world.refused(PutMailSender(sender=fields()), ADMIN)
    checked = await world.refused(CheckMailSender(sender=fields()), me)
    world.replace_deps("identity", http=before)

    for refused in (saved, checked):
        assert isinstance(refused, Invalid)
        assert refused.extra["errors"][0]["code"] == "mail_tls_required"


async def test_only_settings_rights_are_not_enough_to_get_all_mails(
    world: World, me: Caller
) -> None:
    """The codes of all users go through the server. Somebody with fewer rights than a user cannot
    choose it, and nobody without the permission can see it."""
    assert isinstance(await world.refused(PutMailSender(sender=fields()), me), NotHeld)
    stranger = as_user(await world.sign_in(await world.user()))
    for request in (GetMailSender(), DeleteMailSender(), CheckMailSender()):
        assert isinstance(await world.refused(request, stranger), Forbidden)

    assert isinstance(await world.refused(GetMailSender(), ADMIN), MailSenderNotFound)


async def test_a_test_mail_goes_to_the_caller_alone(
    world: World, me: Caller, server: MailServer
) -> None:
    """No field of the request names a recipient. A developer gets it at their Dashboard address."""
    assert set(CheckMailSender.model_fields) == {"sender"}
    checked = await world.call(CheckMailSender(sender=fields(server.port)), me)
    developer = await world.user("dev@example.com", DASHBOARD)
    by_developer = await world.call(
        CheckMailSender(sender=fields(server.port)), Caller("developer", developer.id, MAY)
    )

    assert checked.model_dump() == {
        "passed": ["connect", "sign_in", "sender", "message"],
        "failed": None,
        "to": "me@example.com",
    }
    assert by_developer.to == "dev@example.com"
    assert server.recipients == ["me@example.com", "dev@example.com"]
    assert server.received[0]["From"] == "Blue Shop Mail <hello@shop.example>"
    assert server.received[0]["Subject"] == "Test e-mail of Blue Shop"


async def test_an_unverified_address_gets_no_test_mail(world: World, server: MailServer) -> None:
    """A key has no address, and an address without proof may be anybody's."""
    user = await world.user("eve@example.com", email_verified=False)
    unverified = Caller("user", user.id, MAY)
    for caller in (ADMIN, unverified):
        refused = await world.refused(CheckMailSender(sender=fields(server.port)), caller)
        assert isinstance(refused, OwnAddressUnverified)

    assert server.connections == 0


async def test_five_test_mails_in_a_minute(world: World, me: Caller, server: MailServer) -> None:
    """The sixth is refused, and the server is not called."""
    request = CheckMailSender(sender=fields(server.port))
    for _ in range(5):
        await world.call(request, me)

    assert isinstance(await world.refused(request, me), RateLimited)
    assert len(server.received) == 5


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", False),
        ("localhost", False),
        ("10.0.0.8", False),
        ("169.254.169.254", False),
        ("nowhere.invalid", False),
        ("127.0.0.1", True),
    ],
)
async def test_no_address_inside_can_be_found(
    world: World,
    me: Caller,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    private: bool,
) -> None:
    """An address inside, a name that does not exist and a closed port have one answer, after one
    time. Nothing inside is connected to."""
    for module in (smtp, mail_sender_check):
        monkeypatch.setattr(module, "CONNECT_WITHIN", 0.3)
    before = world.identity.http
    world.replace_deps("identity", http=OutgoingHttp(Egress(private)))
    with mail_server() as inside:
        port = free_port() if private else inside.port
        began = time.monotonic()
        checked = await world.call(
            CheckMailSender(sender=fields(port, host=host, tls="starttls")), me
        )
        took = time.monotonic() - began
    world.replace_deps("identity", http=before)

    assert (checked.passed, checked.failed) == ([], "connect")
    assert took >= 0.3
    assert inside.connections == 0


async def test_the_name_is_resolved_once(server: MailServer) -> None:
    """The connection goes to the address that was checked, whatever the name leads to later."""
    names = []

    async def resolve(host: str, port: int) -> str:
        names.append(host)
        return "127.0.0.1"

    client = await smtp.Smtp(
        "mail.shop.example", server.port, "none", resolve=resolve, name="shop.example"
    ).open([])
    await client.ehlo()
    await smtp.leave(client)

    assert names == ["mail.shop.example"]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("refuse", "passed", "failed"),
    [
        ({"MAIL": "550 no"}, ["connect", "sign_in"], "sender"),
        ({"MAIL": "530 sign in"}, ["connect", "sign_in"], "sign_in"),
        ({"RCPT": "550 no"}, ["connect", "sign_in", "sender"], "message"),
        (
            {"DATA": "554 <script>internal.host</script>"},
            ["connect", "sign_in", "sender"],
            "message",
        ),
    ],
)
async def test_the_step_that_failed(
    world: World,
    me: Caller,
    server: MailServer,
    refuse: dict[str, str],
    passed: list[str],
    failed: str,
) -> None:
    """A test names the step by a word of ours, and no word of the server."""
    server.refuse = refuse
    checked = await world.call(CheckMailSender(sender=fields(server.port)), me)

    assert (checked.failed, server.received) == (failed, [])
    assert checked.passed == [step for step in passed if step != failed]


async def test_a_wrong_password_and_missing_tls(
    world: World, me: Caller, server: MailServer
) -> None:
    """The steps before the failure are named. Without STARTTLS the password is not sent."""
    wrong = CheckMailSender(sender=fields(server.port, password="wrong"))
    plain = CheckMailSender(sender=fields(server.port, tls="starttls"))
    first = await world.call(wrong, me)
    sent = list(server.passwords)
    second = await world.call(plain, me)

    assert (first.passed, first.failed) == (["connect"], "sign_in")
    assert (second.passed, second.failed) == (["connect"], "tls")
    assert server.passwords == sent


@pytest.mark.parametrize("mode", ["tls", "starttls"])
async def test_the_certificate_is_checked(
    world: World, me: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """A certificate that nobody vouches for ends the test before the password is sent. With the
    authority, the test mail arrives."""
    pem, context = certified(tmp_path)
    option = {"ssl_context": context} if mode == "tls" else {"tls_context": context}
    with mail_server(**option) as server:
        server.accepts = SECRET
        request = CheckMailSender(sender=fields(server.port, host="localhost", tls=mode))
        untrusted = await world.call(request, me)
        sent = list(server.passwords)
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        trusted = await world.call(request, me)

    assert (untrusted.failed, sent) == ("tls", [])
    assert trusted.failed is None
    assert trusted.passed == ["connect", "tls", "sign_in", "sender", "message"]


async def test_a_silent_server_ends_the_test(
    world: World, me: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that says nothing is one that cannot be connected to."""
    for module in (smtp, mail_sender_check):
        monkeypatch.setattr(module, "CONNECT_WITHIN", 0.3)
    async with silent_server() as port:
        checked = await world.call(CheckMailSender(sender=fields(port)), me)

    assert (checked.passed, checked.failed) == ([], "connect")


@pytest.mark.parametrize(
    "value",
    [
        {"host": "a b"},
        {"host": "mail.example\r\nX: y"},
        {"host": ""},
        {"host": "-x"},
        {"port": 0},
        {"port": 70_000},
        {"tls": "maybe"},
        {"from_address": "nobody"},
        {"from_address": "ä@example.com"},
        {"from_name": "a\nBcc: x@y.z"},
        {"from_name": "Shop\u202e"},
    ],
)
def test_malformed_fields_are_refused(value: dict[str, Any]) -> None:
    """No field can add a header or a command."""
    with pytest.raises(ValueError, match="1 validation error"):
        fields(**value)


async def test_a_slow_server_ends_the_test_in_time(world: World, me: Caller) -> None:
    """The caller learns which step failed before their deadline, not only that time is up."""
    ctx = replace(context(world.app_id, me), deadline=time.monotonic() + 1.8)
    async with silent_server() as port:
        request = CheckMailSender(sender=fields(port))
        checked = await mail_sender_check.check(world.identity, ctx, request)

    assert checked.failed == "connect"
    assert ctx.remaining() > 0


async def test_a_sender_needs_a_fresh_sign_in(world: World, me: Caller) -> None:
    """The codes of all users go through it, so a stolen session is not enough to set one."""
    stale = replace(me, permissions=frozenset({"*"}), proven_at=int(time.time()) - 3600)
    request = PutMailSender(sender=fields())

    with pytest.raises(FreshSignInNeeded):
        await world.call(request, stale)
    with pytest.raises(MailSenderNotFound):
        await world.call(GetMailSender(), ADMIN)


async def test_the_test_mail_has_the_text_of_the_application(
    world: World, me: Caller, server: MailServer
) -> None:
    """Its template can be changed like that of every other mail."""
    text = TemplateText(subject="Hello from us", text="It works", html="<p>It works</p>")
    await world.call(PutTemplate(kind="mail_sender_test", locale="en", template=text), ADMIN)
    checked = await world.call(CheckMailSender(sender=fields(server.port)), me)

    assert checked.failed is None
    assert [message["Subject"] for message in server.received] == ["Hello from us"]
