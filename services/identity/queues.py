"""The queues of events and mails, for `GET /health` and the metrics."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import Final

from common import metrics
from common.context import Context
from common.contracts.queues import GetQueues, Queue, Queues
from common.periodic import FAULTS, run_periodically
from identity.deps import Deps
from identity.queries import queues

SERVICES: Final = ["identity", "oidc", "rbac", "tenancy"]
"""Those with an audit outbox."""
MEASURED_EVERY: Final = 15.0
"""Seconds."""
PATIENCE: Final = 0.5
"""Seconds for a cluster beside `main`."""


async def get(deps: Deps, ctx: Context, request: GetQueues) -> Queues:
    """Returns the queues as the database has them, since a relay or mailer that hangs cannot report
    itself."""
    return await measure(deps)


async def measure_periodically(deps: Deps) -> None:
    """Keeps the metrics of the queues up to date."""
    gauges = (metrics.OUTBOX_WAITING, metrics.OUTBOX_AGE, metrics.MAIL_WAITING, metrics.MAIL_AGE)
    metrics.maintain(*gauges)
    await run_periodically(
        partial(export, deps), every=MEASURED_EVERY, name="queues", immediately=True
    )


async def export(deps: Deps) -> None:
    """Sets the metrics. They are NaN if the database does not answer, since old numbers would
    mislead."""
    try:
        current = await measure(deps)
    except FAULTS:
        for writer in SERVICES:
            _set(writer, math.nan, math.nan)
        _set_mail(math.nan, math.nan)
        raise
    for writer, queue in current.relay.items():
        _set(writer, queue.waiting, queue.age)
    _set_mail(current.mail.waiting, current.mail.age)


def _set(writer: str, waiting: float, age: float) -> None:
    metrics.OUTBOX_WAITING.labels(writer).set(waiting)
    metrics.OUTBOX_AGE.labels(writer).set(age)


def _set_mail(waiting: float, age: float) -> None:
    metrics.MAIL_WAITING.set(waiting)
    metrics.MAIL_AGE.set(age)


async def measure(deps: Deps) -> Queues:
    """Returns the lengths and ages of all queues, those of all clusters together."""
    main, *others = deps.everywhere()
    total = await _measure_one(main)
    measured = await asyncio.gather(*map(_measure_if_there, others))
    states = {}
    for each, queues_there in zip(others, measured, strict=True):
        states[each.db.home] = "unreachable" if queues_there is None else "ok"
        if queues_there is not None:
            total = _sum(total, queues_there)
    return total.model_copy(update={"clusters": states})


async def _measure_if_there(deps: Deps) -> Queues | None:
    """Returns the queues of a cluster, or None if it does not answer in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _measure_one(deps)
    except FAULTS:
        return None


async def _measure_one(deps: Deps) -> Queues:
    async with deps.relay_db.unbound_transaction() as db:
        relay = await queues.outbox(db, services=SERVICES)
    async with deps.mail_db.unbound_transaction() as db:
        mail = await queues.mail(db)
    return Queues(
        relay={one.service: Queue(waiting=one.waiting, age=one.age) for one in relay},
        mail=Queue(waiting=mail.waiting, age=mail.age),
    )


def _sum(one: Queues, other: Queues) -> Queues:
    return Queues(
        relay={name: _both(queue, other.relay[name]) for name, queue in one.relay.items()},
        mail=_both(one.mail, other.mail),
    )


def _both(one: Queue, other: Queue) -> Queue:
    return Queue(waiting=one.waiting + other.waiting, age=max(one.age, other.age))
