"""What each hosted page weighs and costs: `python -m bench.pages` prints the table of docs/pages.md.

One gateway in this process with services that answer from memory, so the CPU is the gateway's own:
routing, language, template, policy.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import time

import httpx
from tests.kit.fake_services import FakeServices, serve, settings
from tests.kit.people import LINK, People, person

from common import logs
from gateway.build import build
from gateway.state import Gateway

ROUNDS = 300
PAGES = {
    "Sign in": "/login",
    "Sign up": "/signup",
    "Reset": "/reset",
    "Mailed link": f"/login/link?token={LINK}",
    "Owner link": f"/welcome?token={LINK}",
    "Profile": "/account",
    "Password": "/account/password",
    "Sessions": "/account/sessions",
    "Your data": "/account/data",
    "Accounts": "/accounts",
    "Sign out": "/logout",
    "Not found": "/nothing",
}
LOADED = re.compile(r'(?:href|src)="(/(?:static|brand)/[^"#]+)')


async def main() -> None:
    logs.configure("bench", "error")
    world = serve(FakeServices())
    tenant = world.add("demo")
    People(world)
    person(world, tenant, "t1")
    transport = httpx.ASGITransport(app=build(Gateway(settings(), world.bus)))  # type: ignore[arg-type]
    headers = {"accept": "text/html", "cookie": "aero2_session=t1"}
    print("| page | HTML, bytes (gzip) | with all it loads, gzip | gateway CPU, µs |")
    print("|---|---|---|---|")
    async with httpx.AsyncClient(
        transport=transport, base_url="http://demo.localhost:8080", headers=headers
    ) as http:
        for name, path in PAGES.items():
            asked = path + ("?add=1" if path == "/login" else "")
            page = await http.get(asked)
            loaded = sum([await weight(http, url) for url in set(LOADED.findall(page.text))])
            small = len(gzip.compress(page.content))
            cost = await cpu(http, asked) - await cpu(http, "/static/favicon.svg")
            print(
                f"| {name} | {len(page.content):,} ({small:,}) | {small + loaded:,} | {cost:,.0f} |"
            )


async def weight(http: httpx.AsyncClient, url: str) -> int:
    return len(gzip.compress((await http.get(url)).content))


async def cpu(http: httpx.AsyncClient, path: str) -> float:
    """Microseconds of this process a request, the client's share included."""
    before = time.process_time()
    for _ in range(ROUNDS):
        await http.get(path)
    return (time.process_time() - before) / ROUNDS * 1e6


if __name__ == "__main__":
    asyncio.run(main())
