"""`python -m bench.pages` prints the tables of docs/pages.md: size and CPU of each hosted page, and of each
page of the Dashboard (bench/dashboard_pages.py).

Runs one gateway in this process. Its services answer from memory, so the CPU is that of the gateway:
routing, language, template and Content-Security-Policy.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import time

import httpx
from tests.kit.fake_services import FakeServices, serve, settings
from tests.kit.people import LINK, People, person

from bench import dashboard_pages
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
    """Prints the tables."""
    logs.configure("bench", "error")
    await hosted_pages()
    print()
    await dashboard_pages.print_table()


async def hosted_pages() -> None:
    """Prints a row for each hosted page."""
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
            address = path + ("?add=1" if path == "/login" else "")
            page = await http.get(address)
            loaded = sum(
                [await compressed_size(http, url) for url in set(LOADED.findall(page.text))]
            )
            compressed = len(gzip.compress(page.content))
            cost = await cpu(http, address) - await cpu(http, "/static/favicon.svg")
            print(
                f"| {name} | {len(page.content):,} ({compressed:,}) | {compressed + loaded:,} | {cost:,.0f} |"
            )


async def compressed_size(http: httpx.AsyncClient, url: str) -> int:
    """Returns the bytes of a file after gzip."""
    return len(gzip.compress((await http.get(url)).content))


async def cpu(http: httpx.AsyncClient, path: str) -> float:
    """Returns the CPU µs that one request costs this process. They include the client."""
    before = time.process_time()
    for _ in range(ROUNDS):
        await http.get(path)
    return (time.process_time() - before) / ROUNDS * 1e6


if __name__ == "__main__":
    asyncio.run(main())
