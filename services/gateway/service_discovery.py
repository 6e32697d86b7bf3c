"""The processes of all services, as they report themselves on the bus (NATS ADR-32).

Their texts come from another process: they are bounded here, and pages escape them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import Field

from common.contracts.base import Contract
from common.contracts.fields import Timestamp

SERVICES: Final = ("identity", "oidc", "rbac", "tenancy")
STATS: Final = "$SRV.STATS"
INFO: Final = "$SRV.INFO"
WITHIN: Final = 0.8
"""Seconds for all replies."""
QUIET: Final = 0.03
"""Seconds without a reply, once all known processes have answered, after which no other is expected."""
MOST_INSTANCES: Final = 100
MOST_BYTES: Final = 262_144
"""Bytes of one reply. A longer one is not read."""
MOST_ENDPOINTS: Final = 1000
MOST_TEXT: Final = 64
"""Characters of a name or version."""
REMEMBERED: Final = 60.0
"""Seconds for which a process that does not answer is still listed."""
LARGEST: Final = 2**53


class ServiceInstance(Contract):
    """One process of a service, as it reports itself. Figures count from its start."""

    service: str
    id: str = Field(description="The id that the process has on the bus.")
    replica: str = Field(description="The name of the process, from AERO2_REPLICA.")
    version: str
    answers: bool = Field(
        default=True, description="Whether it answers now. It is listed for a minute after that."
    )
    started_at: Timestamp | None = None
    contracts: int = Field(default=0, description="The contracts that it serves.")
    requests: int | None = Field(default=None, description="`null` without an answer.")
    errors: int | None = Field(default=None, description="Answers that were faults (5xx).")
    mean_ms: float | None = Field(default=None, description="The mean time of an answer.")
    running: int | None = Field(default=None, description="Calls that it works on now.")
    hash_queue: int | None = Field(
        default=None, description="Password hashes that wait or run in it now."
    )

    @property
    def label(self) -> str:
        """The name by which people tell processes apart."""
        return f"{self.service}-{self.replica}" if self.replica else self.service


@dataclass
class Replies:
    """The replies to one question to all processes, by process."""

    expected_services: Iterable[str]
    expected_ids: Iterable[str]
    infos: dict[str, dict[str, Any]] = field(default_factory=dict)
    stats: dict[str, dict[str, Any]] = field(default_factory=dict)
    nobody: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, msg: Msg) -> None:
        """Keeps a reply, unless it is too long, unreadable, or one too many."""
        if not msg.data:  # the server found nobody to ask
            self.nobody += 1
        elif len(msg.data) <= MOST_BYTES:
            self._keep(msg.data)
        self.arrived.set()

    def _keep(self, data: bytes) -> None:
        try:
            reply = orjson.loads(data)
        except orjson.JSONDecodeError:
            return
        if not isinstance(reply, dict):
            return
        id, kind = _text(reply.get("id")), _text(reply.get("type"))
        replies = self.stats if "stats" in kind else self.infos
        if id and (id in replies or len(replies) < MOST_INSTANCES):
            replies[id] = reply

    @property
    def complete(self) -> bool:
        """Whether every process has answered that was expected to."""
        names = {_text(reply.get("name")) for reply in self.stats.values()}
        return self.nobody > 1 or (
            names.issuperset(self.expected_services)
            and self.stats.keys() >= set(self.expected_ids)
            and self.stats.keys() >= self.infos.keys()
        )

    async def wait(self) -> None:
        """Returns once no other reply is expected, after WITHIN seconds at the latest."""
        deadline = asyncio.get_running_loop().time() + WITHIN
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            self.arrived.clear()
            try:
                async with asyncio.timeout(min(left, QUIET) if self.complete else left):
                    await self.arrived.wait()
            except TimeoutError:
                return


@dataclass
class ServiceDiscovery:
    """Asks all processes of the bus for their figures. It remembers who has answered, so that it
    neither waits long for all of them nor overlooks one that has fallen silent."""

    services: tuple[str, ...] = SERVICES
    """Services that are always expected."""
    own_id: str = ""
    """The id of this gateway on the bus."""
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[float, ServiceInstance]] = field(default_factory=dict)

    async def instances(self, nc: Client) -> list[ServiceInstance]:
        """Returns the processes by service and name, the silent ones included. Raises
        nats.errors.Error or OSError if the bus cannot be reached."""
        answering = [id for id, (_, instance) in self._seen.items() if instance.answers]
        replies = Replies(self.services, answering)
        inbox = nc.new_inbox()
        limit = 4 * MOST_INSTANCES
        subscription = await nc.subscribe(
            f"{inbox}.*", cb=replies.receive, pending_msgs_limit=limit
        )
        try:  # with an inbox for each question: a service may send one reply to an inbox
            await nc.publish(INFO, b"", reply=f"{inbox}.info")
            await nc.publish(STATS, b"", reply=f"{inbox}.stats")
            await replies.wait()
        finally:
            await _end(subscription)
        self._remember(replies)
        instances = [instance for _, instance in self._seen.values()]
        return sorted(instances, key=lambda each: (each.service, each.replica, each.id))

    def _remember(self, replies: Replies) -> None:
        now = self.clock()
        answered = {
            id: (now, instance_of(id, replies.infos.get(id), replies.stats.get(id)))
            for id in sorted(replies.infos.keys() | replies.stats.keys())[:MOST_INSTANCES]
        }
        silent = {
            id: (last, _silent(instance))
            for id, (last, instance) in self._seen.items()
            if id not in answered and now - last < REMEMBERED
        }
        newest = sorted(silent, key=lambda id: silent[id][0], reverse=True)
        room = max(0, MOST_INSTANCES - len(answered))
        self._seen = answered | {id: silent[id] for id in newest[:room]}


def instance_of(
    id: str, info: dict[str, Any] | None, stats: dict[str, Any] | None
) -> ServiceInstance:
    """Returns what a process reports about itself. Without `stats` it did not answer that question."""
    report = stats or info or {}
    metadata = report.get("metadata")
    endpoints = _dicts((stats or {}).get("endpoints"))
    described = ServiceInstance(
        service=_text(report.get("name")),
        id=id,
        replica=_text(metadata.get("replica")) if isinstance(metadata, dict) else "",
        version=_text(report.get("version")),
        started_at=_time(report.get("started")),
        contracts=sum(
            not _text(each.get("subject")).startswith("system.")
            for each in _dicts((info or stats or {}).get("endpoints"))
        ),
    )
    if stats is None:
        return _silent(described)
    requests = sum(_count(each.get("num_requests")) for each in endpoints)
    nanoseconds = sum(_count(each.get("processing_time")) for each in endpoints)
    process = next((data for each in endpoints if isinstance(data := each.get("data"), dict)), {})
    return described.model_copy(
        update={
            "requests": requests,
            "errors": sum(_count(each.get("num_errors")) for each in endpoints),
            "mean_ms": round(nanoseconds / requests / 1e6, 2) if requests else None,
            "running": _count_or_none(process.get("running")),
            "hash_queue": _count_or_none(process.get("hash_queue")),
        }
    )


def _silent(instance: ServiceInstance) -> ServiceInstance:
    figures = ("requests", "errors", "mean_ms", "running", "hash_queue")
    return instance.model_copy(update={"answers": False, **dict.fromkeys(figures)})


async def _end(subscription: Any) -> None:
    try:
        await subscription.unsubscribe()
    except (nats.errors.Error, OSError):  # the connection is lost, and the subscription with it
        return


def _text(value: Any) -> str:
    """Returns a text of the bus, which has printable ASCII alone: names of services have no other."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in value[:MOST_TEXT])


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < LARGEST else 0


def _count_or_none(value: Any) -> int | None:
    return _count(value) if type(value) is int else None


def _dicts(value: Any) -> list[dict[str, Any]]:
    listed = value[:MOST_ENDPOINTS] if isinstance(value, list) else []
    return [each for each in listed if isinstance(each, dict)]


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(_text(value)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
