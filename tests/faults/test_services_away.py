"""No process of a service runs. What needs it is refused with 503, and never granted because nobody says no."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
from tests.faults.conftest import Doubled
from tests.kit.application_load import ApplicationSystem, create_application
from tests.kit.fault_report import FaultReport
from tests.kit.history import Act
from tests.kit.recorded_load import RecordedLoad
from tests.kit.system import PASSWORD, System, fresh_email

from aero2.transfers import gate
from common.homes import MAIN

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

REQUESTS = 15
"""Of each kind, while the service is away."""
CACHED_FOR = 60.0
"""Seconds, more than any right or session is in memory."""
DISCOVERY = "/.well-known/openid-configuration"
PUBLIC = (DISCOVERY, "/oauth2/jwks.json", "/login")


@asynccontextmanager
async def away(doubled: Doubled, service: str, fault: FaultReport) -> AsyncIterator[None]:
    """Kills all processes of a service, and starts them again."""
    names = doubled.services.of(service)
    for name in names:
        doubled.services.stop(name, signal.SIGKILL)
    try:
        yield
    finally:
        before = {name: doubled.services.readies(name) for name in names}
        doubled.services.start(*names)
        for name in names:
            await asyncio.to_thread(doubled.services.wait_ready, name, before[name])
        fault.strike()


async def asked(fault: FaultReport, kind: str, request: Awaitable[httpx.Response]) -> int:
    """Sends a request that is counted, and returns the status of its answer."""
    operation = fault.history.invoke(kind, Act.ASK)
    answer = await request
    if answer.is_success:
        operation.ok()
    else:
        operation.refused(answer.status_code, answer.text)
    if answer.status_code == 503:
        assert "retry-after" in answer.headers, answer.text
    return answer.status_code


async def becomes(
    fault: FaultReport, http: httpx.AsyncClient, path: str, status: int, *before: int
) -> None:
    """Asks until the answer has a status. Earlier answers have one of `before`."""
    ends = time.monotonic() + CACHED_FOR
    while (said := await asked(fault, "requests", http.get(path))) != status:
        assert said in before, said
        assert time.monotonic() < ends, said
        await asyncio.sleep(0.2)


async def person(doubled: Doubled, *permissions: str) -> httpx.AsyncClient:
    """Returns the browser of somebody who has signed in, and has these permissions."""
    email = fresh_email()
    async with doubled.backend() as backend:
        new = {"email": email, "email_verified": True, "password": PASSWORD}
        user = (await backend.post("/api/users", json=new)).json()["id"]
        if permissions:
            role = {"name": email.partition("@")[0], "permissions": permissions}
            made = await backend.post("/api/roles", json=role)
            assert made.status_code == 201, made.text
            given = {"role_id": made.json()["id"]}
            answer = await backend.post(f"/api/users/{user}/roles", json=given)
            assert answer.status_code == 200, answer.text
    return await signed_in(doubled, email)


async def signed_in(doubled: Doubled, email: str) -> httpx.AsyncClient:
    async with doubled.browser() as browser:
        await browser.sign_in(email, PASSWORD)
        cookies = dict(browser.http.cookies)
    headers = {"origin": doubled.origin("demo")}
    return doubled.http("demo", cookies=cookies, headers=headers)


@pytest.mark.fault("F4")
async def test_rights_while_no_rbac_runs(doubled: Doubled, fault: FaultReport) -> None:
    """Who has a right keeps it for as long as it is in memory, and then gets 503. Who has none never gets through,
    neither by a session whose rights were known nor by one that nobody has looked at. Roles cannot be read or
    given. Tokens of clients go on."""
    fault.watch(doubled)
    load = RecordedLoad(doubled, workers=1, kinds=("tokens", "refreshes"), history=fault.history)
    reader, visitor = await person(doubled, "users:read"), await person(doubled)
    stranger = await person(doubled)  # whose session the gateways have not seen
    async with load.running(), reader, visitor, stranger, doubled.backend() as backend:
        assert (await reader.get("/api/users")).status_code == 200
        assert (await visitor.get("/api/users")).status_code == 403
        async with away(doubled, "rbac", fault):
            for _ in range(REQUESTS):
                for one in (visitor, stranger):
                    said = await asked(fault, "without rights", one.get("/api/users"))
                    assert said in (403, 503), said
            await becomes(fault, reader, "/api/users", 503, 200)
            for one in (visitor, stranger):
                await becomes(fault, one, "/api/users", 503, 403)
            role = {"name": "made without rbac"}
            assert await asked(fault, "roles", backend.get("/api/roles")) == 503
            assert await asked(fault, "roles", backend.post("/api/roles", json=role)) == 503
            await load.more(REQUESTS)
        await fault.works_again(load.kinds)
        await becomes(fault, reader, "/api/users", 200, 503)
        for one in (visitor, stranger):
            await becomes(fault, one, "/api/users", 403, 503)
        roles = (await backend.get("/api/roles?limit=100")).json()["roles"]
        assert role["name"] not in {each["name"] for each in roles}
    assert load.wrong == []
    await load.compare()
    await fault.settle()


async def served(app: ApplicationSystem) -> set[int]:
    """Returns the statuses of requests that need the rows of the application."""
    async with app.backend() as backend, app.http() as http:
        auth = (app.demo["client_id"], app.demo["client_secret"])
        form = {"grant_type": "refresh_token", "refresh_token": "unknown"}
        answers = [
            await backend.get("/api/users"),
            await backend.post("/api/users", json={"email": fresh_email()}),
            await http.post("/oauth2/token", data=form, auth=auth),
        ]
    return {answer.status_code for answer in answers}


async def known(app: System) -> None:
    """Lets both gateways know the host, and what they show of it."""
    async with app.http(headers={"connection": "close"}, follow_redirects=True) as http:
        for path in PUBLIC * 16:  # each on a connection of its own
            assert (await http.get(path)).status_code == 200


@pytest.mark.fault("F5")
async def test_hosts_while_no_tenancy_runs(doubled: Doubled, fault: FaultReport) -> None:
    """Known hosts are served. An unknown one gets 503. An application that was deleted right before does not
    answer, and one that an operator closes meanwhile lets nobody in from that moment on, and also not when
    tenancy is back: the database says so, and no cache is asked."""
    fault.watch(doubled)
    key = doubled.deployment.operator_key()
    deleted, closed = [
        await create_application(doubled, key, fresh_email(name).partition("@")[0], MAIN)
        for name in ("deleted", "closed")
    ]
    load = RecordedLoad(doubled, workers=1, kinds=("tokens",), history=fault.history)
    async with load.running():
        for app in (doubled, deleted, closed):
            await known(app)
        dashboard = {"authorization": f"Bearer {key}"}
        slug = deleted.demo["slug"]
        async with doubled.http("dashboard", headers=dashboard) as http:
            answer = await http.delete(f"/api/applications/{slug}?confirm={slug}")
            assert answer.status_code == 200, answer.text
        async with away(doubled, "tenancy", fault):
            db = await asyncpg.connect(doubled.deployment.owner_dsn())
            assert await gate.close(db, closed.demo["app_id"])
            for _ in range(REQUESTS):
                await hosts_are_as_they_were(doubled, fault, deleted)
                assert {200, 201, 400}.isdisjoint(await served(closed))
            await load.more(REQUESTS)
        await fault.works_again(load.kinds)
        for _ in range(REQUESTS):
            assert {200, 201, 400}.isdisjoint(await served(closed))
        async with deleted.http() as http:
            await becomes(fault, http, DISCOVERY, 404, 503)
        await db.close()
    assert load.wrong == []
    await fault.settle()


async def hosts_are_as_they_were(
    doubled: Doubled, fault: FaultReport, deleted: ApplicationSystem
) -> None:
    """A known host is served, an unknown one gets 503, and a deleted application does not answer."""
    async with doubled.http("demo") as http:
        for path in PUBLIC:
            answer = await http.get(path, follow_redirects=True)
            assert answer.status_code == 200, (path, answer.text)
    async with doubled.http(fresh_email("unknown").partition("@")[0]) as http:
        assert await asked(fault, "unknown hosts", http.get(DISCOVERY)) == 503
    async with deleted.http() as http:
        assert await asked(fault, "deleted applications", http.get(DISCOVERY)) in (404, 503)
