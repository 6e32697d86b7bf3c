"""The messages of a deleted application are erased from a real JetStream."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from nats.js.errors import NotFoundError
from tests.kit.nats_server import start
from tests.kit.world import World, open_database

from common.audit import STREAM
from common.contracts.applications import DeleteApplication
from common.outbox import Relay, ensure_stream
from common.outbox_publisher import BatchPublisher
from tenancy import provisioning
from tenancy.audit_stream import AuditStream
from tenancy.handlers import HANDLERS


async def test_its_events_go_from_the_stream(world: World, tmp_path: Path) -> None:
    """Waiting events are sent first, then all are erased. Events of other applications stay."""
    nats = start(tmp_path)
    nc = await nats.connect()
    js = nc.jetstream()
    await ensure_stream(js)
    relay_dbs = (await open_database(world.dsns, "relay", 2)).everywhere()
    relays = [Relay(each, BatchPublisher(nc, js, "tenancy")) for each in relay_dbs]
    deps = replace(world.tenancy, streams=AuditStream(js, world.tenancy.upkeep_db))
    world.bus.serve(deps, HANDLERS)
    gone, kept = await world.create_application(), await world.create_application()

    await world.call(DeleteApplication(slug=gone.slug, confirm=gone.slug), await world.operator())
    before = await world.owner.fetchval("SELECT state FROM applications WHERE id = $1", gone.id)
    running = [asyncio.create_task(relay.run()) for relay in relays]
    for _ in range(200):
        if not await world.owner.fetchval("SELECT count(*) FROM audit_outbox"):
            break
        await asyncio.sleep(0.05)
    sent = await _kept(js, gone.id)
    await world.owner.execute("UPDATE applications SET updated_at = now() - interval '1 minute'")
    await provisioning.repair(deps)
    for task, relay_db in zip(running, relay_dbs, strict=True):
        task.cancel()
        await relay_db.close()

    assert before == "deleting"
    assert sent > 0
    assert await _kept(js, gone.id) == 0
    assert await _kept(js, kept.id) > 0
    assert (
        await world.owner.fetchval("SELECT count(*) FROM applications WHERE id = $1", gone.id) == 0
    )
    await nc.close()
    nats.stop()


async def test_a_missing_stream_holds_nothing_up(world: World, tmp_path: Path) -> None:
    """Without a stream there is nothing to erase."""
    nats = start(tmp_path)
    nc = await nats.connect()
    await world.owner.execute("DELETE FROM audit_outbox")

    await AuditStream(nc.jetstream(), world.tenancy.upkeep_db).purge(
        "00000000-0000-7000-8000-000000000001", "main"
    )

    await nc.close()
    nats.stop()


async def _kept(js: object, app_id: str) -> int:
    try:
        info = await js.stream_info(STREAM, subjects_filter=f"audit.*.{app_id}.>")  # type: ignore[attr-defined]
    except NotFoundError:
        return 0
    return sum((info.state.subjects or {}).values())
