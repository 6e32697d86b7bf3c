"""Mails go to a real SMTP server, in the application's branding, and none is lost."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.kit.callers import ADMIN, as_user
from tests.kit.world import World
from tests.service.identity.conftest import mailers_of

from common import mail
from common.context import Caller
from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.mail_sender import OwnAddressUnverified
from common.contracts.mail_templates import (
    ListTemplates,
    PreviewTemplate,
    PutTemplate,
    ResetTemplate,
    SendTestMail,
    TemplateInvalid,
    TemplateText,
)
from common.testing import context
from identity import sender_connections
from identity.mailer import PLATFORM, Mailer


@dataclass
class Inbox:
    """The mails that an SMTP server received. `answers` are its replies to the next mails instead
    of 250."""

    received: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    greetings: int = 0
    """How many connections said EHLO."""

    async def handle_EHLO(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        self.greetings += 1
        session.host_name = hostname
        return responses

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        return "250 OK"


@dataclass
class Post:
    mailers: list[Mailer]
    """One for each cluster, that of the world's application first."""
    inbox: Inbox
    controller: Controller

    @property
    def mailer(self) -> Mailer:
        return self.mailers[0]


@pytest.fixture
async def post(world: World) -> AsyncIterator[Post]:
    """The mailers, and an SMTP server on a port of its own."""
    await world.owner.execute("DELETE FROM mail_outbox")
    inbox = Inbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield Post(mailers_of(world, port), inbox, controller)
    if not controller.loop.is_closed():
        controller.stop(no_assert=True)


def _text(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


async def test_a_commit_wakes_the_mailer_if_its_request_queued_mail(
    world: World, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit of another request, in between, neither wakes it too early nor takes the wake-up
    away."""
    woken: list[str] = []
    monkeypatch.setattr(post.mailer.worker, "wake", lambda: woken.append("mailer"))
    on_commit = post.mailer.waking(lambda: woken.append("relay"))
    db = replace(world.identity.db, on_commit=on_commit)
    ctx = context(world.app_id)
    letter = mail.Mail("eve@example.com", "login_code", "en", {"code": "1"})

    async def other() -> None:
        async with db.transaction(ctx):
            pass

    async with db.transaction(ctx) as tx:
        await mail.enqueue(tx, ctx, world.identity.sealer, letter)
        await asyncio.create_task(other(), context=contextvars.Context())
        assert woken == ["relay"]
    assert woken == ["relay", "relay", "mailer"]
    await other()
    assert woken == ["relay", "relay", "mailer", "relay"]


async def test_the_mailer_looks_when_another_service_queued_mail(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ignores what else changes."""
    woken: list[int] = []
    monkeypatch.setattr(post.mailer.worker, "wake", lambda: woken.append(1))
    post.mailer.on_invalidation("app", "user", "*")
    assert woken == []
    post.mailer.on_invalidation("app", mail.NOUN, "*")
    assert woken == [1]


async def test_a_code_arrives_and_signs_in(world: World, post: Post) -> None:
    """The mail has the code in text and HTML, a link with the stored origin, and the application as
    sender. Its code signs in, and its row is deleted."""
    flow = await world.call(StartEmailCode(email="eve@example.com"))
    assert await post.mailer.deliver_batch() == 1
    (message,) = post.inbox.received
    code = message["Subject"][:7]
    await world.call(SignInWithCode(flow=flow.flow, code=code))

    assert message["To"] == "eve@example.com"
    assert message["From"] == "Blue Shop <no-reply@id.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        text = _text(message, kind)
        assert code in text
        assert "https://shop.id.example.org/login/link?token=" in text
        assert "evil" not in text
    assert await world.mails() == []


async def _send(world: World, post: Post, *users: str) -> None:
    """Sends one mail after the other."""
    for user in users:
        await world.call(StartEmailCode(email=f"{user}@example.com"))
        await post.mailer.deliver_batch()


async def test_mails_share_a_connection(world: World, post: Post) -> None:
    """The next mail goes over the connection of the one before, but not for ever."""
    await _send(world, post, "a", "b", "c")
    assert (len(post.inbox.received), post.inbox.greetings) == (3, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sender_connections, "MOST_MAILS", 4)
        await _send(world, post, "d", "e")
    assert (len(post.inbox.received), post.inbox.greetings) == (5, 2)


async def test_a_refused_mail_does_not_reach_the_next_one(world: World, post: Post) -> None:
    """A server that refuses a mail keeps its connection; one that wants a pause loses it. The next
    mail arrives either way, and alone."""
    post.inbox.answers = ["554 no", "451 later"]
    await _send(world, post, "a", "b", "c")
    (message,) = post.inbox.received
    assert message["To"] == "c@example.com"
    assert post.inbox.greetings == 2


async def test_a_connection_that_the_server_ended_delays_no_mail(world: World, post: Post) -> None:
    await _send(world, post, "a")
    for client in (idle := post.mailer.connections._idle[PLATFORM]):
        client.close()
    assert idle
    await _send(world, post, "b")
    assert (len(post.inbox.received), post.inbox.greetings) == (2, 2)


async def test_languages(world: World, post: Post) -> None:
    """A mail is in the user's language or else in the application's. The German one is in German."""
    await world.call(StartEmailCode(email="a@example.com", locale="de-AT"))
    await post.mailer.deliver_batch()
    world.configure(world.app_id, default_locale="de")
    await world.call(StartEmailCode(email="b@example.com"))
    await post.mailer.deliver_batch()

    for message in post.inbox.received:
        assert "ist Ihr Code für Blue Shop" in message["Subject"]
        assert 'lang="de"' in _text(message, "html")


async def test_a_server_that_is_away_loses_nothing(world: World, post: Post) -> None:
    """While the server is down or answers 4xx the mail waits, longer after each try. Then it
    arrives once."""
    await world.call(StartEmailCode(email="a@example.com"))
    post.inbox.answers = ["451 try later"]
    await post.mailer.deliver_batch()
    assert await post.mailer.deliver_batch() == 0
    assert post.mailer.server is not None
    port = post.mailer.server.port
    post.controller.stop()
    await _due(world)
    await post.mailer.deliver_batch()
    waiting = await world.owner.fetchrow(
        "SELECT * FROM mail_outbox WHERE app_id = $1", world.app_id
    )
    again = Controller(post.inbox, hostname="127.0.0.1", port=port)
    again.start()
    await _due(world)
    await post.mailer.deliver_batch()
    again.stop(no_assert=True)

    assert waiting is not None
    assert (waiting["attempts"], waiting["failed_at"]) == (2, None)
    assert len(post.inbox.received) == 1
    assert await world.mails() == []


async def _due(world: World) -> None:
    await world.owner.execute("UPDATE mail_outbox SET next_attempt_at = now()")


async def test_a_mail_refused_for_good_is_kept_and_marked(world: World, post: Post) -> None:
    """After a 5xx the mail is not sent again. Its row is kept with the reason."""
    await world.call(StartEmailCode(email="a@example.com"))
    post.inbox.answers = ["550 no such user"]
    await post.mailer.deliver_batch()
    await _due(world)
    assert await post.mailer.deliver_batch() == 0
    row = await world.owner.fetchrow("SELECT * FROM mail_outbox WHERE app_id = $1", world.app_id)

    assert row is not None
    assert row["failed_at"] is not None
    assert "550" in row["last_error"]


async def test_a_mail_whose_code_has_expired_is_not_sent(world: World, post: Post) -> None:
    """If the server was down until the code expired, the mail is not sent. Its row is kept and
    marked."""
    await world.call(StartEmailCode(email="ada@example.com"))
    left = await world.owner.fetchval("SELECT expires_at - created_at FROM mail_outbox")
    assert left == timedelta(minutes=10)
    await world.owner.execute("UPDATE mail_outbox SET expires_at = now()")

    assert await post.mailer.deliver_batch() == 1
    assert await post.mailer.deliver_batch() == 0

    assert post.inbox.received == []
    row = await world.owner.fetchrow("SELECT failed_at, last_error FROM mail_outbox")
    assert row is not None
    assert row["failed_at"] is not None
    assert row["last_error"] == "its code or link has expired"


@pytest.mark.fault("F19")
async def test_a_mailer_that_dies_leaves_the_mail(world: World, post: Post) -> None:
    """If a mailer dies before it sends a leased mail, the mail is sent after a minute with the same
    Message-ID. Another mailer does not send it before."""
    from identity.queries import mails

    await world.call(StartEmailCode(email="a@example.com"))
    async with world.mail_db.unbound_transaction() as db:
        (leased,) = await mails.lease(db, limit=10, busy=[])
    assert await post.mailer.deliver_batch() == 0
    await _due(world)
    await post.mailer.deliver_batch()

    assert post.inbox.received[0]["Message-ID"] == f"<{leased.id}@id.example.org>"


async def test_a_name_is_never_a_template_or_an_advertisement(world: World, post: Post) -> None:
    """A name that a visitor typed is not evaluated, and becomes neither HTML nor a header nor an
    advertisement."""
    names = ["{{ 7 * 7 }}", "<b>Bob</b>", "win at evil.example", "Zoë O'Neil", "a\nBcc: x@y.z"]
    for number, name in enumerate(names):
        letter = mail.Mail(
            f"u{number}@example.com", "sign_up", "en",
            {"name": name, "code": "1", "link": "", "minutes": 10, "device": "<i>x</i>", "ip": ""},
        )  # fmt: skip
        ctx = context(world.app_id)
        async with world.identity.db.transaction(ctx) as tx:
            await mail.enqueue(tx, ctx, world.identity.sealer, letter)
        await post.mailer.deliver_batch()
    texts = [_text(message, "plain") for message in post.inbox.received]
    pages = [_text(message, "html") for message in post.inbox.received]

    assert all("49" not in text and "evil" not in text and "Bob" not in text for text in texts)
    assert "Hello Zoë O'Neil," in texts[3]
    assert all("<i>x</i>" not in page for page in pages)
    assert all(message["Bcc"] is None for message in post.inbox.received)


async def test_an_application_writes_its_own_mail(world: World, post: Post) -> None:
    """A template of the application replaces the default for its kind and language, until it is
    deleted. Other applications keep the default."""
    source = TemplateText(
        subject="Psst {{ code }}", text="Code: {{ code }}", html="<p>{{ code }}</p>"
    )
    put = PutTemplate(kind="sign_in", locale="en", template=source)
    assert (await world.call(put, caller=ADMIN)).custom
    for app in (world.app_id, world.other_app_id):
        await world.call(StartEmailCode(email="a@example.com"), app_id=app)
    for mailer in post.mailers:
        await mailer.deliver_batch()
    subjects = sorted(str(message["Subject"]) for message in post.inbox.received)
    listed = await world.call(ListTemplates(), caller=ADMIN)
    await world.call(ResetTemplate(kind="sign_in", locale="en"), caller=ADMIN)
    after = await world.call(ListTemplates(), caller=ADMIN)

    assert subjects[1].startswith("Psst ")
    assert "is your code" in subjects[0]
    assert [(t.kind, t.locale) for t in listed.templates if t.custom] == [("sign_in", "en")]
    assert not any(t.custom for t in after.templates)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 7 * 7 }}",
        "{% for x in code %}{% endfor %}",
        "{{ code.__class__ }}",
        "{{ cycler.__init__ }}",
        "{{ range(9) }}",
        "{% include 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{{ code | tojson }}",
        "{{ secret }}",
        "{% if code %}",
        "{{ code['x'] }}",
        "{{ 'a' * 999999999 }}",
        "{{ name" + "|upper" * 180 + " }}",
        "{{ " + "(" * 3000 + "name" + ")" * 3000 + " }}",
        "{{ " + "not " * 5000 + "name }}",
        "{% if name %}" * 900 + "{% endif %}" * 900,
        "{{ name }}" * 501,
        "neither code nor link, so nobody could sign in",
    ],
)
async def test_templates_are_caged(world: World, text: str) -> None:
    """A template can print a value and branch, and nothing else."""
    source = TemplateText(subject="x", text=text, html="{{ code }}")
    for asked in (
        PutTemplate(kind="sign_in", locale="en", template=source),
        PreviewTemplate(kind="sign_in", locale="en", template=source),
    ):
        problem = await world.refused(asked, caller=ADMIN)

        assert isinstance(problem, TemplateInvalid)
        assert [error["field"] for error in problem.extra["errors"]] == ["text"]


async def test_a_stored_template_over_the_bound_is_never_compiled(world: World, post: Post) -> None:
    """A template that is older than the size limit does not delay the mail. The default is sent at
    the first try."""
    deep = "{{ code" + "|upper" * 180 + " }}"
    await world.owner.execute(
        "INSERT INTO mail_templates (app_id, kind, locale, subject, text_body, html_body)"
        " VALUES ($1, 'sign_in', 'en', 's', $2, $2)",
        world.app_id,
        deep,
    )
    await world.call(StartEmailCode(email="a@example.com"))
    await post.mailer.deliver_batch()

    assert ["is your code" in str(message["Subject"]) for message in post.inbox.received] == [True]


async def test_every_mail_renders_in_every_language(world: World) -> None:
    """Every kind of mail in every language has a subject of one line, text, HTML, and no open
    braces."""
    listed = await world.call(ListTemplates(), caller=ADMIN)
    for template in listed.templates:
        request = PreviewTemplate(kind=template.kind, locale=template.locale)
        shown = await world.call(request, caller=ADMIN)

        assert 0 < len(shown.subject) < 120
        assert "Blue Shop" in shown.text
        assert "{{" not in shown.text + shown.html
        put = PutTemplate(
            kind=template.kind,
            locale=template.locale,
            template=TemplateText(subject=template.subject, text=template.text, html=template.html),
        )
        assert (
            await world.call(put, ADMIN, world.other_app_id)
        ).custom  # a default template passes the check for custom ones


async def test_test_mail(world: World, post: Post) -> None:
    """A test mail with sample values goes to the caller. Ten are allowed in ten minutes."""
    session = await world.sign_in(await world.user("me@example.com"))
    me = as_user(session, permissions=frozenset({"apps:write"}))
    await world.call(SendTestMail(kind="reset", locale="de"), caller=me)
    await post.mailer.deliver_batch()

    (mail,) = post.inbox.received
    assert (mail["To"], mail["Subject"]) == (
        "me@example.com",
        "Neues Passwort für Blue Shop wählen",
    )


async def test_a_test_mail_needs_an_address_of_ones_own(world: World, post: Post) -> None:
    """Keys have none, and an address that nobody proved may be somebody else's. Nothing is sent."""
    user = await world.user("victim@example.com", email_verified=False)
    unproven = Caller("user", user.id, frozenset({"apps:write"}))
    for caller in (ADMIN, unproven):
        refused = await world.refused(SendTestMail(kind="reset", locale="de"), caller)
        assert isinstance(refused, OwnAddressUnverified)
    await post.mailer.deliver_batch()

    assert post.inbox.received == []


async def test_only_mail_wakes_the_mailer(world: World, post: Post) -> None:
    """A commit wakes the mailer at once if it wrote a mail, and does not wake it otherwise."""
    mail.enqueued.set(False)  # fixtures and tests share a context, which requests never do
    commits: list[int] = []
    committed = post.mailer.waking(lambda: commits.append(1))
    committed()
    before = post.mailer.worker._woken.is_set()
    await world.call(StartEmailCode(email="a@example.com"))
    committed()

    assert (before, post.mailer.worker._woken.is_set(), len(commits)) == (False, True, 2)
