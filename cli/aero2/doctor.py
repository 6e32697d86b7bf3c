"""`aero2 doctor`: looks for the usual mistakes of a deployment. It changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

import asyncpg
import httpx
import nats.errors

from aero2.doctor_bus import check_bus, check_sync_interval
from aero2.doctor_cluster import check_cluster
from aero2.doctor_database import (
    check_backup,
    check_clock,
    check_connections,
    check_durability,
    check_master_key,
    check_pooler,
    check_row_level_security,
    check_schema,
    check_sessions,
)
from aero2.doctor_findings import Finding, Level
from aero2.doctor_machine import check_disk, check_secret_files
from aero2.doctor_mail import check_mail
from aero2.doctor_target import Connection, Target, open_database
from aero2.doctor_web import check_certificate, check_public_url, check_wildcard_dns
from aero2.failures import CommandError

WITHIN: Final = 15.0
"""Seconds for one check."""
FAULTS: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    nats.errors.Error,
    httpx.HTTPError,
    CommandError,
)
Check = Callable[[Target], Awaitable[list[Finding]]]
DatabaseCheck = Callable[[Target, Connection], Awaitable[list[Finding]]]

CHECKS: Final[dict[str, Check]] = {
    "public_url": check_public_url,
    "wildcard_dns": check_wildcard_dns,
    "certificate": check_certificate,
    "bus": check_bus,
    "sync_interval": check_sync_interval,
    "mail": check_mail,
    "secret_files": check_secret_files,
    "disk": check_disk,
}
DATABASE_CHECKS: Final[dict[str, DatabaseCheck]] = {
    "pooler": check_pooler,
    "cluster": check_cluster,
    "clock": check_clock,
    "schema": check_schema,
    "row_level_security": check_row_level_security,
    "master_key": check_master_key,
    "durability": check_durability,
    "connections": check_connections,
    "backup": check_backup,
    "client_address": check_sessions,
}


async def examine(target: Target, only: tuple[str, ...] = ()) -> list[Finding]:
    """Returns what each check found, in a fixed order. `only` names the checks to run, and is empty for
    all. A check that cannot be carried out is a finding, too. Raises CommandError for an unknown name."""
    if unknown := set(only) - {*CHECKS, *DATABASE_CHECKS}:
        raise CommandError(
            f"There is no check {', '.join(sorted(unknown))}. There are: "
            f"{', '.join([*CHECKS, *DATABASE_CHECKS])}."
        )
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        if not only or name in only:
            findings += await _run(name, check(target))
    named = [name for name in DATABASE_CHECKS if not only or name in only]
    for each in target.databases() if named else []:
        findings += await _of_database(each, named)
    return findings


async def _of_database(target: Target, names: list[str]) -> list[Finding]:
    """Runs checks on the connection to one cluster. If there are several, the findings name it."""
    cluster = target.cluster if target.clusters else ""
    return [replace(each, cluster=cluster) for each in await _on_one_connection(target, names)]


async def _on_one_connection(target: Target, names: list[str]) -> list[Finding]:
    """Without the connection, the checks have one finding together."""
    async with AsyncExitStack() as stack:
        try:
            db = await stack.enter_async_context(open_database(target))
        except FAULTS as error:
            return [_unreachable("database", error)]
        if db is None:
            why = "set AERO2_OWNER_DATABASE_URL, or name a data folder, to look at the database"
            return [Finding("database", Level.SKIPPED, why)]
        return [
            finding
            for name in names
            for finding in await _run(name, DATABASE_CHECKS[name](target, db))
        ]


async def _run(name: str, check: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        async with asyncio.timeout(WITHIN):
            return await check
    except FAULTS as error:
        return [_unreachable(name, error)]


def _unreachable(name: str, error: Exception) -> Finding:
    """Passwords are never in it: DSNs are not part of what these libraries raise."""
    reason = str(error).split("\n", 1)[0] or type(error).__name__
    return Finding(
        name,
        Level.FAILURE,
        f"this could not be looked at: {reason}",
        "See that the server runs and that this machine may reach it.",
    )


def worst(findings: list[Finding]) -> Iterator[Finding]:
    """Returns the findings that make the command fail."""
    return (finding for finding in findings if finding.level is Level.FAILURE)
