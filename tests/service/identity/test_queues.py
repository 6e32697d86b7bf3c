"""The system counts the waiting mails and events of all applications."""

from __future__ import annotations

import math

import pytest
from tests.kit.callers import ADMIN
from tests.kit.world import World

from common import metrics
from common.context import SYSTEM_CALLER
from common.contracts.queues import GetQueues, Queues
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden, Unavailable
from identity import queues


async def counted(world: World) -> Queues:
    return await world.call(GetQueues(), SYSTEM_CALLER, DASHBOARD)


async def event(world: World, service: str, seconds: int) -> None:
    await world.owner.execute(
        "INSERT INTO audit_outbox (app_id, event_id, event_type, payload, service, created_at)"
        " VALUES ($1, $2, 'login', '', $3, now() - make_interval(secs => $4))",
        world.other_app_id,
        new_id(),
        service,
        seconds,
    )


async def mail(world: World, seconds: int, *, given_up: bool = False) -> None:
    await world.owner.execute(
        "INSERT INTO mail_outbox (app_id, id, kind, locale, sealed, created_at, failed_at)"
        " VALUES ($1, $2, 'test', 'en', '', now() - make_interval(secs => $3),"
        "         CASE WHEN $4 THEN now() END)",
        world.app_id,
        new_id(),
        seconds,
        given_up,
    )


async def test_each_queue_has_its_length_and_age(world: World) -> None:
    await world.owner.execute("DELETE FROM audit_outbox; DELETE FROM mail_outbox")
    await event(world, "oidc", 500)
    await event(world, "oidc", 5)
    await mail(world, 70)
    await mail(world, 9000, given_up=True)

    found = await counted(world)

    lengths = {service: queue.waiting for service, queue in found.relay.items()}
    assert lengths == {"identity": 0, "oidc": 2, "rbac": 0, "tenancy": 0}
    assert 500 <= found.relay["oidc"].age < 560
    assert found.relay["rbac"].age == 0
    assert found.mail.waiting == 1
    assert 70 <= found.mail.age < 130


async def test_the_metrics_follow_the_queues(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lengths and ages follow the rows, and are unknown while the database is down."""
    await world.owner.execute("DELETE FROM audit_outbox; DELETE FROM mail_outbox")
    await event(world, "rbac", 50)
    await mail(world, 70)

    await queues.export(world.identity)
    assert metrics.OUTBOX_WAITING.labels("rbac")._value.get() == 1
    assert 50 <= metrics.OUTBOX_AGE.labels("rbac")._value.get() < 110
    assert metrics.OUTBOX_WAITING.labels("oidc")._value.get() == 0
    assert metrics.MAIL_WAITING._value.get() == 1
    assert 70 <= metrics.MAIL_AGE._value.get() < 130

    async def away(_: object) -> Queues:
        raise Unavailable

    monkeypatch.setattr(queues, "measure", away)
    with pytest.raises(Unavailable):
        await queues.export(world.identity)
    assert math.isnan(metrics.OUTBOX_WAITING.labels("rbac")._value.get())
    assert math.isnan(metrics.MAIL_AGE._value.get())


async def test_nobody_from_outside_may_count(world: World) -> None:
    assert isinstance(await world.refused(GetQueues(), ADMIN, DASHBOARD), Forbidden)
