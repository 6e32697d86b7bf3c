"""The copies of the audit stream: how many servers have one, and a safe way to change that.

Configurations travel as JSON, not as nats-py's classes. Those know fewer fields than a server may have,
and an update without a field takes it away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import nats.errors
import orjson

from aero2.failures import CommandError
from common.audit import STREAM
from common.nats_client import NatsClient

CHANGED: Final = "aero2_replicas_changed"
"""Metadata of the stream: when its copies were last changed."""
REST: Final = timedelta(seconds=60)
"""A change soon after another one may give a stream that no server leads (nats-server issue 7774)."""
LOOK_EVERY: Final = 0.5
"""Seconds between two looks."""
ANSWERS_WITHIN: Final = 5.0
"""Seconds to wait for JetStream."""
NOT_FOUND: Final = 10_059
"""JetStream's error for a stream that does not exist."""


class NoAnswer(CommandError):
    """JetStream did not answer: perhaps no server leads at the moment."""


@dataclass(frozen=True)
class StreamStatus:
    """The state of the stream, as its leader knows it."""

    replicas: int
    leader: str | None
    """None on a server that is in no cluster, too."""
    behind: tuple[str, ...]
    """Servers whose copies are not current."""
    messages: int
    bytes: int
    last_seq: int
    since: str
    """When the oldest message came."""
    consumers: tuple[str, ...] = ()
    """Consumers of an operator. No service has one."""


async def stream_status(nc: NatsClient) -> StreamStatus:
    """Raises CommandError if the stream is missing, and NoAnswer."""
    info = await _ask(nc, f"STREAM.INFO.{STREAM}")
    names = (await _ask(nc, f"CONSUMER.NAMES.{STREAM}", {})).get("consumers") or []
    return _status(info, tuple(sorted(names)))


async def change_replicas(
    nc: NatsClient, replicas: int, within: float, report: Callable[[str], None]
) -> StreamStatus:
    """Gives the stream so many copies, and waits until all are current. `report` is called with what happens.

    Raises CommandError if a copy is not current, if the last change was a short time ago, if NATS
    refuses, or if it takes too long.
    """
    info = await _ask(nc, f"STREAM.INFO.{STREAM}")
    config, before = info["config"], info["config"]["num_replicas"]
    if before == replicas:
        report(f"The number of copies is {replicas} already.")
    else:
        _check(info)
        config["num_replicas"] = replicas
        config.setdefault("metadata", {})[CHANGED] = datetime.now(UTC).isoformat()
        await _ask(nc, f"STREAM.UPDATE.{STREAM}", config)
        report(f"From {before} to {replicas} copies.")
    return await _wait_current(nc, replicas, within, report)


def _check(info: dict[str, Any]) -> None:
    """Raises CommandError if the copies may not be changed now. That includes a copy that is behind: at a change to
    fewer copies, NATS chooses which one goes, and may keep the one that is behind."""
    changed = (info["config"].get("metadata") or {}).get(CHANGED)
    if changed and datetime.now(UTC) - datetime.fromisoformat(changed) < REST:
        raise CommandError(
            f"The number of copies was changed less than {REST.seconds} seconds ago. A second change "
            "so soon could leave the stream without a leader."
        )
    if waits := _waits(info, _status(info)):
        raise CommandError(f"{waits}. Wait until every copy is current, then try again.")


async def _wait_current(
    nc: NatsClient, replicas: int, within: float, report: Callable[[str], None]
) -> StreamStatus:
    ends, reported = time.monotonic() + within, ""
    while True:
        try:
            info = await _ask(nc, f"STREAM.INFO.{STREAM}")
            waits = _waits(info, _status(info))
            if not waits and info["config"]["num_replicas"] == replicas:
                return await stream_status(nc)
        except NoAnswer as error:  # a leader is being chosen
            waits = str(error)
        if waits != reported:
            report(waits)
            reported = waits
        if time.monotonic() >= ends:
            raise CommandError(f"Not every copy is current after {within:g} s. {waits}")
        await asyncio.sleep(LOOK_EVERY)


def _waits(info: dict[str, Any], status: StreamStatus) -> str:
    """Returns why a server of the stream may not be lost now, or nothing."""
    if "cluster" not in info:
        return ""  # a server alone
    if not status.leader:
        return "The stream has no leader"
    if status.behind:
        return f"Not current: {', '.join(status.behind)}"
    others = len(info["cluster"].get("replicas") or [])
    if others != status.replicas - 1:
        return f"{others + 1} servers have a copy, not {status.replicas}"
    return ""


def _status(info: dict[str, Any], consumers: tuple[str, ...] = ()) -> StreamStatus:
    cluster, state = info.get("cluster") or {}, info["state"]
    others = cluster.get("replicas") or []
    return StreamStatus(
        replicas=info["config"]["num_replicas"],
        leader=cluster.get("leader"),
        behind=tuple(o["name"] for o in others if not o.get("current") or o.get("offline")),
        messages=state["messages"],
        bytes=state["bytes"],
        last_seq=state["last_seq"],
        since=state["first_ts"] if state["messages"] else "",
        consumers=consumers,
    )


async def _ask(nc: NatsClient, what: str, body: object = None) -> dict[str, Any]:
    """Returns the answer of JetStream's API (ADR-1 of NATS). Raises CommandError or NoAnswer."""
    payload = b"" if body is None else orjson.dumps(body)
    try:
        message = await nc.request(f"$JS.API.{what}", payload, timeout=ANSWERS_WITHIN)
    except (nats.errors.Error, OSError, TimeoutError) as error:
        raise NoAnswer(f"JetStream does not answer ({type(error).__name__}).") from None
    answer: dict[str, Any] = orjson.loads(message.data)
    if refusal := answer.get("error"):
        if refusal.get("err_code") == NOT_FOUND:
            raise CommandError(f"There is no stream {STREAM}: no service has made it yet.")
        raise CommandError(f"JetStream refused: {refusal.get('description')}.")
    return answer
