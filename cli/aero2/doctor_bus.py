"""Checks of `aero2 doctor` that ask NATS, and read its configuration."""

from __future__ import annotations

import re
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from aero2 import nats_access
from aero2.doctor_findings import Finding, failure, ok, skipped, warning
from aero2.doctor_target import Target
from common.audit import STREAM
from common.nats_tls import client_context
from common.settings import servers

OPTIONS: Final[dict[str, Any]] = {
    "allow_reconnect": False,
    "max_reconnect_attempts": 1,  # 0 would be without end
    "reconnect_time_wait": 0.1,
    "connect_timeout": 4,
}
NO_STREAM: Final = "Start a service: its relay makes the stream. Look at its log: `outbox waits`."


async def check_bus(target: Target) -> list[Finding]:
    """NATS must refuse strangers, and keep the stream of audit events on as many servers as it should."""
    if not target.nats_url:
        return skipped("bus", "set AERO2_NATS_URL and AERO2_NATS_PASSWORD to look at NATS")
    if await _lets_strangers_in(target):
        return failure(
            "bus",
            "NATS accepts connections without a password: anybody who reaches it is every service.",
            "Use the users and permissions of deploy/nats.conf.",
        )
    problems: list[Exception] = []
    for user, password in target.nats_logins:
        nc = await _connect(target, problems, user=user, password=password)
        if nc is not None:
            try:
                return await _stream(nc)
            finally:
                await nc.close()
    return failure(
        "bus",
        f"NATS cannot be reached as the user `cli`: {problems[0]}.",
        "See that it runs, and that AERO2_NATS_PASSWORD is the password of `cli`.",
    )


async def _lets_strangers_in(target: Target) -> bool:
    nc = await _connect(target, [])
    if nc is not None:
        await nc.close()
    return nc is not None


async def _connect(
    target: Target, problems: list[Exception], user: str | None = None, password: str | None = None
) -> Client | None:
    """Returns a connection, or None. Adds to `problems` why there is none."""
    nc = Client()

    async def keep(error: Exception) -> None:
        problems.append(error)

    try:
        await nc.connect(
            servers(target.nats_url),
            user=user,
            password=password,
            tls=client_context(target.nats_authority),
            inbox_prefix=nats_access.inbox(nats_access.CLI).encode(),
            error_cb=keep,
            **OPTIONS,
        )
    except (nats.errors.Error, OSError, TimeoutError, ValueError) as error:
        problems.append(error)
        return None
    return nc


async def _stream(nc: Client) -> list[Finding]:
    try:
        info = await nc.jetstream(timeout=5).stream_info(STREAM)
    except NotFoundError:
        return failure("bus", f"The stream {STREAM} of audit events is missing.", NO_STREAM)
    except ServiceUnavailableError:
        return failure(
            "bus",
            "JetStream is off: audit events wait in the database.",
            "Add `jetstream` to the configuration of NATS (deploy/nats.conf), and to the account.",
        )
    except (APIError, nats.errors.Error, TimeoutError) as error:
        return failure(
            "bus",
            f"The stream {STREAM} does not answer: {error or type(error).__name__}.",
            "Most servers of NATS must run, so that the stream has a leader.",
        )
    replicas = info.config.num_replicas or 1
    others = len((info.cluster.replicas if info.cluster else None) or [])
    cluster = max(len(nc.discovered_servers) + 1, others + 1)
    if cluster >= 3 and replicas < 3:
        return warning(
            "bus",
            f"The stream has {replicas} copy, and NATS has {cluster} servers.",
            f"nats stream edit {STREAM} --replicas 3, and AERO2_STREAM_REPLICAS=3.",
        )
    return ok("bus", f"NATS asks for passwords, and has the stream {STREAM} with {replicas} copy.")


async def check_sync_interval(target: Target) -> list[Finding]:
    """An acknowledged event must be on the disk. The default of NATS is two minutes."""
    if target.nats_config is None:
        return skipped("sync_interval", "name the configuration of NATS with --nats-config")
    text = re.sub(r"(?m)(^|\s)(#|//).*$", "", target.nats_config.read_text())
    match = re.search(r"\bsync(?:_interval)?\s*[:=]?\s*[\"']?(\w+)", text)
    if match and match[1] == "always":
        return ok("sync_interval", "NATS writes to the disk before it acknowledges.")
    value = match[1] if match else "two minutes, the default"
    return failure(
        "sync_interval",
        f"NATS syncs its disk after {value}: a crash of the machine loses acknowledged events.",
        "Set `sync_interval: always` in the block `jetstream`.",
    )
