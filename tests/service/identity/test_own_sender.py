"""Mails through an application's own server: they wait while it fails, and delay nobody else's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.kit.callers import ADMIN
from tests.kit.mail_servers import MailServer, free_port, mail_server, silent_server
from tests.kit.world import World
from tests.service.identity.conftest import mailers_of

from common.contracts.email_codes import StartEmailCode
from common.contracts.mail_sender import (
    DeleteMailSender,
    GetMailSender,
    MailSenderFields,
    MailSenderState,
    PutMailSender,
)
from common.egress import Egress
from common.outgoing_http import OutgoingHttp
from common.testing import context
from identity import kept_sender, own_sender, smtp
from identity.mailer import BATCH, GIVE_UP, Mailer
from identity.queries import mail_senders


@dataclass
class Post:
    """The mailers, the platform's server, and one of an application."""

    world: World
    mailers: list[Mailer]
    """One for each cluster, that of the world's application first."""
    platform: MailServer
    own: MailServer

    @property
    def mailer(self) -> Mailer:
        return self.mailers[0]

    async def deliver(self) -> None:
        """Delivers a batch of each cluster."""
        for mailer in self.mailers:
            await mailer.deliver_batch()

    async def put(self, port: int | None = None, app_id: str | None = None, **more: Any) -> None:
        values = {"host": "127.0.0.1", "port": port or self.own.port, "tls": "none"}
        values |= {"from_address": "hello@shop.example", "from_name": "Blue Mail"}
        sender = MailSenderFields.model_validate(values | more)
        await self.world.call(PutMailSender(sender=sender), ADMIN, app_id)

    async def write(self, *names: str, app_id: str | None = None) -> None:
        """Puts a mail to each name into the outbox."""
        for name in names:
            await self.world.call(StartEmailCode(email=f"{name}@example.com"), app_id=app_id)

    async def state(self) -> MailSenderState:
        return (await self.world.call(GetMailSender(), ADMIN)).state

    async def outbox(self) -> list[Any]:
        rows = "SELECT * FROM mail_outbox WHERE app_id = $1 ORDER BY seq"
        return list(await self.world.owner.fetch(rows, self.world.app_id))

    async def due(self) -> None:
        """Ends every pause."""
        await self.world.owner.execute("UPDATE mail_outbox SET next_attempt_at = now()")
        await self.world.owner.execute(
            "UPDATE mail_senders SET paused_until = now() WHERE paused_until IS NOT NULL"
        )


@pytest.fixture
def platform() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def own() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
async def post(world: World, platform: MailServer, own: MailServer) -> AsyncIterator[Post]:
    await world.owner.execute("DELETE FROM mail_outbox")
    mailers = mailers_of(world, platform.port, OutgoingHttp(Egress(private=True)))
    yield Post(world, mailers, platform, own)
    for mailer in mailers:
        await mailer.own.settled()


async def test_the_own_server_sends(post: Post) -> None:
    """Its mails have its sender. Other applications go on with the platform's server."""
    await post.put()
    await post.write("ann")
    await post.write("bob", app_id=post.world.other_app_id)
    await post.deliver()

    (mine,), (others,) = post.own.received, post.platform.received
    assert (mine["From"], mine["To"]) == ("Blue Mail <hello@shop.example>", "ann@example.com")
    assert mine["Message-ID"].endswith("@shop.example>")
    assert (others["To"], others["From"]) == (
        "bob@example.com",
        "Blue Shop <no-reply@id.example.org>",
    )
    assert await post.outbox() == []


async def test_mails_share_a_connection(post: Post) -> None:
    """The next mail takes the open connection. Changed settings get another one."""
    await post.put()
    for name in ("ann", "bob"):
        await post.write(name)
        await post.mailer.deliver_batch()
    shared = post.own.connections
    await post.put(from_name=None)
    await post.write("cid")
    await post.mailer.deliver_batch()

    assert (shared, post.own.connections) == (1, 2)
    assert len(post.own.received) == 3


async def test_mails_wait_while_the_sender_fails(post: Post) -> None:
    """Nothing goes out by the platform's server, no try is counted, and the developer is told once.
    When the server is back, all mails go out."""
    await post.put(free_port())
    await post.write("ann", "bob", "cid")
    assert await post.mailer.deliver_batch() == 3
    assert await post.mailer.deliver_batch() == 0
    waiting, state = await post.outbox(), await post.state()
    await post.due()
    await post.mailer.deliver_batch()
    events = await post.world.event_types("mail_sender_failed", "mail_sender_recovered")

    assert [row["failed_at"] for row in waiting] == [None] * 3
    assert [row["attempts"] for row in waiting] == [0] * 3
    assert (state.last_error, state.waiting) == ("connect", 3)
    assert state.failing_since is not None
    assert state.waiting_since is not None
    assert post.platform.received == []
    assert events == ["mail_sender_failed"]

    await post.put()
    await post.due()
    await post.mailer.deliver_batch()
    assert len(post.own.received) == 3
    assert (await post.state()).failing_since is None


async def test_one_mail_tries_a_sender_that_failed(post: Post) -> None:
    """After the pause one mail goes first. If it arrives, the failure is over and the others
    follow."""
    await post.put()
    post.own.refuse = {"MAIL": "451 not now"}
    await post.write("ann", "bob", "cid")
    await post.mailer.deliver_batch()
    post.own.refuse = {}
    await post.due()
    await post.mailer.deliver_batch()
    first = len(post.own.received)
    await post.due()
    await post.mailer.deliver_batch()

    assert (first, len(post.own.received)) == (1, 3)
    assert (await post.state()).failing_since is None
    events = await post.world.event_types("mail_sender_failed", "mail_sender_recovered")
    assert events == ["mail_sender_failed", "mail_sender_recovered"]


async def test_a_failing_sender_pauses_longer_each_time(post: Post) -> None:
    """Each failure in a row waits longer, up to a quarter of an hour, and all mails with it."""
    await post.put(free_port())
    await post.write("ann", "bob")
    pauses = []
    for _ in range(6):
        await post.mailer.deliver_batch()
        pauses.append(
            await post.world.owner.fetchval(
                "SELECT round(extract(epoch FROM paused_until - now()))::int FROM mail_senders"
                " WHERE app_id = $1",
                post.world.app_id,
            )
        )
        await post.due()

    assert pauses == sorted(pauses)
    assert pauses[0] in (4, 5)
    assert pauses[-1] in (899, 900)


async def test_a_silent_server_delays_no_other_application(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More mails than a batch holds are under way to a server that says nothing. The mails of the
    other application go out meanwhile."""
    monkeypatch.setattr(smtp, "CONNECT_WITHIN", 2.0)
    async with silent_server() as port:
        await post.put(port)
        await post.write(*(f"a{number}" for number in range(BATCH + 2)))
        await post.write("bob", app_id=post.world.other_app_id)
        began = time.monotonic()
        for _ in range(4):
            for mailer in post.mailers:
                await mailer._round()
        took = time.monotonic() - began
        under_way = len(post.mailer.own._tasks)
        others = [message["To"] for message in post.platform.received]
        await post.mailer.own.settled()

    assert others == ["bob@example.com"]
    assert took < 2.0
    assert under_way == own_sender.MOST_AT_ONCE
    assert (await post.state()).last_error == "connect"


async def test_two_failing_applications_have_a_pause_each(post: Post) -> None:
    """The breaker of one application stays closed when that of another opens."""
    other = post.world.other_app_id
    await post.put(free_port())
    await post.put(app_id=other)
    await post.write("ann")
    await post.write("bob", app_id=other)
    await post.deliver()

    assert [message["To"] for message in post.own.received] == ["bob@example.com"]
    assert (await post.state()).waiting == 1
    assert await post.world.event_types("mail_sender_failed", app_id=other) == []


async def test_a_late_failure_of_older_settings_does_not_count(post: Post) -> None:
    """A mail that fails with the old settings does not pause the new sender."""
    await post.put(free_port())
    ctx = context(post.world.app_id)
    async with post.world.identity.db.reader(ctx) as db:
        older = await mail_senders.get(db, app_id=ctx.app_id)
    assert older is not None
    await post.put()
    async with post.world.identity.db.transaction(ctx) as tx:
        assert await mail_senders.fail(tx, row=older, step="connect") is None

    assert (await post.state()).failing_since is None


async def test_a_refused_message_does_not_pause_the_sender(post: Post) -> None:
    """A recipient that the server refuses concerns one mail only. It is kept with the reason."""
    await post.put()
    post.own.refuse = {"RCPT": "550 no such user"}
    await post.write("ann")
    await post.mailer.deliver_batch()
    (row,) = await post.outbox()

    assert row["failed_at"] is not None
    assert (await post.state()).failing_since is None
    assert await post.world.event_types("mail_sender_failed") == []


async def test_mails_do_not_wait_for_ever(post: Post) -> None:
    """A mail whose code has expired, or that is three days old, is given up."""
    await post.put(free_port())
    await post.write("ann", "bob", "cid")
    await post.world.owner.execute(
        "UPDATE mail_outbox SET created_at = now() - interval '4 days'"
        " WHERE seq = (SELECT min(seq) FROM mail_outbox)"
    )
    await post.mailer.deliver_batch()

    assert [row["failed_at"] is None for row in await post.outbox()] == [False, True, True]
    assert (await post.state()).waiting == 2


async def test_a_deleted_sender_hands_its_mails_over(post: Post) -> None:
    """Only the developer's own act sends them by the platform's server."""
    await post.put(free_port())
    await post.write("ann")
    await post.mailer.deliver_batch()
    await post.world.call(DeleteMailSender(), ADMIN)
    await post.due()
    await post.mailer.deliver_batch()

    assert [message["To"] for message in post.platform.received] == ["ann@example.com"]


async def test_an_address_inside_gets_no_mail(post: Post) -> None:
    """The mailer checks the address of the server too, not only the test."""
    post.mailer.http = OutgoingHttp(Egress())
    await post.put()
    await post.write("ann")
    await post.mailer.deliver_batch()

    assert post.own.connections == 0
    assert (await post.state()).last_error == "connect"


async def test_a_platform_without_a_server_keeps_its_mails(post: Post) -> None:
    """They wait without a counted try, and applications with a server of their own send."""
    for mailer in post.mailers:
        mailer.server = None
    await post.put()
    await post.write("ann")
    await post.write("bob", app_id=post.world.other_app_id)
    await post.deliver()

    assert [message["To"] for message in post.own.received] == ["ann@example.com"]
    row = await post.world.owner.fetchrow("SELECT attempts, failed_at FROM mail_outbox")
    assert row is not None
    assert (row["attempts"], row["failed_at"]) == (0, None)


async def test_a_sender_that_is_set_again_gets_connections_of_its_own(
    post: Post, platform: MailServer
) -> None:
    """No mail goes out over a connection to the server of a sender that was deleted."""
    await post.put()
    await post.write("ann")
    await post.mailer.deliver_batch()
    await post.world.call(DeleteMailSender(), ADMIN)
    await post.put(platform.port)
    await post.write("bob")
    await post.mailer.deliver_batch()

    assert [message["To"] for message in post.own.received] == ["ann@example.com"]
    assert [message["To"] for message in platform.received] == ["bob@example.com"]


async def test_a_reply_that_comes_late_is_no_reply_to_the_next_mail(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection on which a reply is missing takes no other mail: the commands of that mail would get
    the replies of this one."""
    monkeypatch.setattr(kept_sender, "CONVERSATION", 0.3)
    await post.put()
    post.own.delays = {"DATA": 0.6}
    await post.write("ann")
    await post.mailer.deliver_batch()
    post.own.delays = {}
    await asyncio.sleep(0.5)
    await post.due()
    await post.mailer.deliver_batch()

    assert post.own.connections == 2
    assert await post.outbox() == []


async def test_a_mail_that_the_server_cannot_take_is_given_up(post: Post) -> None:
    """If the server breaks off in the middle of one mail, the mail may be the reason. So its tries count,
    it comes after the others, and it does not pause the sender for three days."""
    await post.put()
    await post.write("poison", "bob")
    post.own.breaks_off = "poison@"
    for _ in range(4):
        await post.mailer.deliver_batch()
        await post.due()
    (row,) = await post.outbox()
    delivered = [message["To"] for message in post.own.received]
    await post.world.owner.execute("UPDATE mail_outbox SET attempts = $1", GIVE_UP)
    await post.due()
    await post.mailer.deliver_batch()
    (last,) = await post.outbox()

    assert delivered == ["bob@example.com"]
    assert row["attempts"] >= 2
    assert last["failed_at"] is not None
