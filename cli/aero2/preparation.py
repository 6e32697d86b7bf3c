"""Prepares a running platform at every start of `aero2 up`: the demo application, and an owner link while
there is no operator."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import asyncpg

from aero2 import demo, demo_provider
from aero2.connection import connected
from aero2.embedded.secrets import FILE, stored
from aero2.nats_access import CLI
from aero2.owner import owner_link
from aero2.platform import Platform
from aero2.summary import Summary
from common.ids import DASHBOARD
from common.problems import Busy, TooLate, Unavailable


async def prepare(platform: Platform, within: float) -> Summary:
    """Makes what is missing, and tries again for `within` seconds while services are too busy to answer."""
    deadline = time.monotonic() + within
    while True:
        try:
            return await _prepare(platform)
        except (Busy, TooLate, Unavailable):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.5)


async def _prepare(platform: Platform) -> Summary:
    """Makes the demo application if it is missing, and an owner link if there is no operator."""
    secrets = platform.secrets

    def keep(credentials: demo.Known) -> None:
        if credentials != secrets.demo:
            secrets.demo = dict(credentials)
            # The passwords may have been replaced since this process read them.
            platform.folder.write(FILE, stored(platform.folder) | {"demo": secrets.demo})

    login, password = secrets.nats_login(CLI)
    async with connected(platform.nats.url, password, login) as bus:
        demo_data, provider_app = await asyncio.gather(
            demo.ensure(bus, secrets.demo, keep), demo_provider.application(bus)
        )
        acme = await demo_provider.ensure(
            bus, demo_data, provider_app, credentials=secrets.demo, keep=keep
        )
        operated = await _is_operated(platform)
        link = None if operated else await owner_link(bus)
    if not await _has_first_password(platform, demo_data.app_id, demo.USER):
        demo_data = replace(demo_data, user_password="")
    if acme and not await _has_first_password(platform, acme.app_id, acme.user):
        acme = replace(acme, user_password="")
    return Summary(
        dashboard_url=f"{platform.scheme}://dashboard.{platform.authority}",
        owner_link=link,
        mail_url=platform.mail_url,
        domain=platform.authority,
        demo=demo_data,
        acme=acme,
        port=platform.port,
        folder=platform.folder.root,
        ca=platform.caddy.authority if platform.caddy else None,
    )


async def _is_operated(platform: Platform) -> bool:
    """Returns whether the deployment has an operator."""
    return await _fetch_flag(
        platform,
        "SELECT EXISTS (SELECT FROM user_roles WHERE app_id = $1 AND role_id = 'operator')",
        DASHBOARD,
    )


async def _has_first_password(platform: Platform, app_id: str, email: str) -> bool:
    """Returns whether a user still has the password that they were created with."""
    return await _fetch_flag(
        platform,
        """
        SELECT p.changed_at = p.created_at
        FROM users u JOIN passwords p ON p.app_id = u.app_id AND p.user_id = u.id
        WHERE u.app_id = $1 AND u.email = $2
        """,
        app_id,
        email,
    )


async def _fetch_flag(platform: Platform, statement: str, *values: str) -> bool:
    dsn = platform.postgres.url("postgres", platform.secrets.superuser)
    db = await asyncpg.connect(dsn, timeout=10)
    try:
        return bool(await db.fetchval(statement, *values))
    finally:
        await db.close()
