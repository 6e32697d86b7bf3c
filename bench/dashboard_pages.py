"""Weight, CPU and first byte of every page of the Dashboard, in an application that is full of things.

Weight and CPU are those of one gateway in this process, whose services answer from memory. The first byte
is that of a deployment (`aero2 up`), which is started for it.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from dataclasses import dataclass
from http.cookiejar import CookieJar

import httpx
from tests.kit.dashboard_pages import (
    BROWSER,
    OK,
    DashboardPage,
    browsing,
    full_dashboard,
    shown_pages,
    transferred,
)
from tests.kit.system import PASSWORD, Loopback

from bench.deployment import Deployment, free_port, started_deployment
from bench.http import Connection
from common import logs

ROUNDS = 30
"""Requests of each page."""
OPERATORS = "/dashboard/platform"
"""Pages that developers do not have."""
FROM_HERE = {"accept": "text/html", "accept_encoding": "gzip", "sec_fetch_site": "same-origin"}
ADDRESS = "bench@example.com"


@dataclass(frozen=True)
class Cost:
    """What a page costs: bytes of its HTML as sent, bytes with all files that it loads, and the least CPU
    of one request, in milliseconds."""

    page: DashboardPage
    html: int
    sent: int
    loaded: int
    cpu_ms: float


async def costs() -> list[Cost]:
    """Measures every page."""
    async with browsing(full_dashboard()) as http:
        around = await least_cpu(http, "/static/dashboard-mark.svg")
        return [await cost(http, page, around) for page in shown_pages()]


async def cost(http: httpx.AsyncClient, page: DashboardPage, around: float) -> Cost:
    """Measures one page. `around` is the CPU of the client and of the parts that every response has."""
    weight = await transferred(http, page.path)
    cpu = await least_cpu(http, page.path) - around
    return Cost(page, weight.html, weight.sent, weight.sent + weight.files, cpu * 1e3)


async def least_cpu(http: httpx.AsyncClient, path: str) -> float:
    """Returns the least CPU seconds that a request costs this process."""
    measured = []
    for _ in range(ROUNDS):
        before = time.process_time()
        await http.get(path, headers=BROWSER)
        measured.append(time.process_time() - before)
    return min(measured)


async def first_bytes() -> dict[str, float]:
    """Returns the median milliseconds until the first byte, by the template of the path: of the pages that
    need no id, in a new application of a running deployment."""
    with started_deployment(free_port()) as deployment:
        session, slug = await developer_session(deployment)
        connection = Connection(deployment.port, f"dashboard.localhost:{deployment.port}", session)
        return {
            page.template: await _first_byte(connection, page.template.replace("{slug}", slug))
            for page in shown_pages()
            if page.template.count("{") == page.template.count("{slug}")
            and not page.template.startswith(OPERATORS)
        }


async def _first_byte(connection: Connection, path: str) -> float:
    measured = []
    for _ in range(ROUNDS):
        before = time.perf_counter()
        page = await connection.get(path, **FROM_HERE)
        if page.status != OK:
            raise RuntimeError(f"{path} answered {page.status}: {page.headers.get('location')}")
        measured.append(time.perf_counter() - before)
    return statistics.median(measured) * 1e3


async def developer_session(deployment: Deployment) -> tuple[dict[str, str], str]:
    """Creates a developer with an application. Returns the cookies of their session and the slug."""
    assert deployment.data is not None
    origin = f"http://dashboard.localhost:{deployment.port}"
    key = _operator_key(deployment)
    async with httpx.AsyncClient(transport=Loopback(), base_url=origin, timeout=30) as http:
        person = {"email": ADDRESS, "password": PASSWORD, "email_verified": True}
        bearer = {"authorization": f"Bearer {key}"}
        (await http.post("/api/users", json=person, headers=bearer)).raise_for_status()
        own = {"origin": origin}
        signed_in = {"email": ADDRESS, "password": PASSWORD}
        (await http.post("/api/auth/signin", json=signed_in, headers=own)).raise_for_status()
        created = await http.post("/api/applications", json={"name": "Bench"}, headers=own)
        created.raise_for_status()
        slug = created.json()["slug"]
        while (await http.get(f"/api/applications/{slug}")).json()["state"] != "active":
            await asyncio.sleep(0.1)
        return _values(http.cookies.jar), slug


def _operator_key(deployment: Deployment) -> str:
    assert deployment.data is not None
    keys = json.loads((deployment.data / "dashboard-keys.json").read_text())
    return str(keys["secret_key"])


def _values(jar: CookieJar) -> dict[str, str]:
    return {cookie.name: cookie.value or "" for cookie in jar}


async def print_table() -> None:
    """Prints a row for each page."""
    measured, waits = await costs(), await first_bytes()
    print(
        "| page | HTML, bytes (sent) | with all it loads, sent | gateway CPU, ms | first byte, ms |"
    )
    print("|---|---|---|---|---|")
    for each in measured:
        path = each.page.template.removeprefix("/dashboard/applications/{slug}")
        wait = f"{waits[each.page.template]:.1f}" if each.page.template in waits else "–"
        print(
            f"| `{path or '/'}` | {each.html:,} ({each.sent:,}) | {each.loaded:,} | "
            f"{each.cpu_ms:.1f} | {wait} |"
        )


if __name__ == "__main__":
    logs.configure("bench", "error")
    asyncio.run(print_table())
