"""Whether all servers of a NATS cluster are healthy and have the whole stream.

Each server is asked by itself, as the user of the account $SYS: the leader's word alone would hide a server
that knows nothing of the stream.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import nats.errors
import orjson

from common.audit import STREAM
from common.nats_client import NatsClient

ANSWERS_WITHIN: Final = 2.0
"""Seconds to wait for the answers of all servers."""
LOOK_EVERY: Final = 0.5
"""Seconds between two looks."""


@dataclass(frozen=True)
class ServerState:
    """The state of one server, in its own words."""

    name: str
    fault: str | None
    """Why it is not healthy, in its own words."""
    meta_leader: str | None
    last_seq: int | None
    """The last message of the stream that this server has, or None if it has no copy."""
    behind: tuple[str, ...] | None
    """If it leads the stream: the servers whose copies are not current."""
    replicas: int | None = None
    """How many copies the stream is to have, if this server has one."""


@dataclass(frozen=True)
class ClusterState:
    """The states of the servers that answered. `expected` is how many there should be."""

    expected: int
    servers: tuple[ServerState, ...]

    @property
    def last_seq(self) -> int:
        """The last message that any server has."""
        return max((server.last_seq or 0 for server in self.servers), default=0)

    def fault(self, target: int) -> str | None:
        """Returns why the cluster would not survive the loss of a server, or None. Every copy must reach to
        message `target`: while there is traffic, the ends of the copies differ at each look."""
        names = [server.name for server in self.servers]
        if len(set(names)) != self.expected or len(names) != self.expected:
            return f"{len(names)} of {self.expected} servers answer: {', '.join(sorted(names))}"
        for server in self.servers:
            if server.fault:
                return f"{server.name} is not healthy: {server.fault}"
        if len({server.meta_leader for server in self.servers} - {None, ""}) != 1:
            return "the servers have no common leader"
        return self._stream_fault(target)

    def _stream_fault(self, target: int) -> str | None:
        copies = [server for server in self.servers if server.last_seq is not None]
        if not copies:
            return None  # no service has made the stream yet
        leaders = [server for server in copies if server.behind is not None]
        if len(leaders) != 1:
            return "the stream has no leader"
        if leaders[0].behind:
            return f"not current: {', '.join(leaders[0].behind)}"
        if len(copies) < (leaders[0].replicas or 1):
            return f"{len(copies)} servers have a copy of the stream, not {leaders[0].replicas}"
        for server in copies:
            if server.last_seq is not None and server.last_seq < target:
                return f"{server.name} has the stream up to {server.last_seq} of {target}"
        return None


async def cluster_state(nc: NatsClient, expected: int) -> ClusterState:
    """Asks all servers. Those that do not answer in time are left out."""
    detail = orjson.dumps({"accounts": True, "streams": True, "config": True})
    answers, health = await asyncio.gather(
        _ask_all(nc, "JSZ", detail, expected), _ask_all(nc, "HEALTHZ", b"{}", expected)
    )
    names = answers.keys() & health.keys()
    servers = [_server_state(name, answers[name], health[name]) for name in sorted(names)]
    return ClusterState(expected, tuple(servers))


async def wait_current(
    nc: NatsClient, expected: int, within: float, report: Callable[[str], None]
) -> ClusterState | None:
    """Waits until the cluster would survive the loss of a server. Returns None if it does not come to that in
    `within` seconds. `report` is called with each new reason to wait."""
    ends = time.monotonic() + within
    state = await cluster_state(nc, expected)
    target, reported = state.last_seq, None
    while fault := state.fault(target):
        if fault != reported:
            report(fault)
            reported = fault
        if time.monotonic() >= ends:
            return None
        await asyncio.sleep(LOOK_EVERY)
        state = await cluster_state(nc, expected)
    return state


async def _ask_all(
    nc: NatsClient, question: str, body: bytes, expected: int
) -> dict[str, dict[str, Any]]:
    """Returns the data of each server's answer by the server's name."""
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox)
    answers: dict[str, dict[str, Any]] = {}
    try:
        await nc.publish(f"$SYS.REQ.SERVER.PING.{question}", body, reply=inbox)
        async with asyncio.timeout(ANSWERS_WITHIN):
            while len(answers) < expected:
                answer = orjson.loads((await subscription.next_msg(ANSWERS_WITHIN)).data)
                answers[answer["server"]["name"]] = answer.get("data") or answer.get("error") or {}
    except (TimeoutError, nats.errors.Error):
        pass
    finally:
        await subscription.unsubscribe()
    return answers


def _server_state(name: str, jetstream: dict[str, Any], health: dict[str, Any]) -> ServerState:
    streams = [
        stream
        for account in jetstream.get("account_details") or []
        for stream in account.get("stream_detail") or []
        if stream["name"] == STREAM
    ]
    stream = streams[0] if streams else None
    healthy = health.get("status") == "ok"
    return ServerState(
        name=name,
        fault=None if healthy else str(health.get("error") or health.get("status") or "no answer"),
        meta_leader=(jetstream.get("meta_cluster") or {}).get("leader"),
        last_seq=stream["state"]["last_seq"] if stream else None,
        behind=_behind(name, stream),
        replicas=stream["config"]["num_replicas"] if stream else None,
    )


def _behind(name: str, stream: dict[str, Any] | None) -> tuple[str, ...] | None:
    """Returns the copies that are not current, if this server leads the stream."""
    cluster = (stream or {}).get("cluster") or {}
    if cluster.get("leader") != name:
        return None
    replicas = cluster.get("replicas") or []
    return tuple(r["name"] for r in replicas if not r.get("current") or r.get("offline"))
