"""A steady, mixed load: people, relying parties, a backend, a developer and a reader of events."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from bench.deployment import Deployment
from bench.http import Response
from bench.soak.developer import Developer
from bench.workloads import DemoApplication, basic, code_flow

PEOPLE: Final = 40
"""Users that sign in again and again. Their number is fixed, as is what is kept of each."""
REFUSED: Final = (429, 503)
STREAM_READ: Final = 20.0
"""Seconds after which the reader of events connects again."""
PAGES: Final = ("", "/users", "/clients", "/audit", "/roles", "/settings")
"""Pages of an application on the Dashboard."""


class Refused(Exception):
    """The deployment refused cleanly, since it or the machine is busy."""


@dataclass
class Tally:
    """What the load did: acts that were done and refused by kind, and the failures in words."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


@dataclass
class SoakLoad:
    """The load on one deployment. Every act happens at its pace, however long the last one took."""

    demo: DemoApplication
    developer: Developer
    people: list[tuple[str, str]]
    tally: Tally = field(default_factory=Tally)
    number: int = 0

    @property
    def deployment(self) -> Deployment:
        return self.demo.deployment

    def start(self) -> list[asyncio.Task[None]]:
        """Starts the load. The caller cancels the tasks."""
        acts: list[tuple[str, Callable[[], Awaitable[int]], float]] = [
            ("person", self.person, 0.5),
            ("backend", self.backend, 0.5),
            ("dashboard", self.dashboard, 1.0),
            ("events", self.events, 0.1),
        ]
        return [asyncio.create_task(self.repeat(*act), name=act[0]) for act in acts]

    async def repeat(self, kind: str, act: Callable[[], Awaitable[int]], pace: float) -> None:
        """Acts again and again, each time `pace` seconds after the last beginning, or later."""
        while True:
            began = time.monotonic()
            try:
                self.tally.done[kind] += await act()
            except Refused:
                self.tally.refused[kind] += 1
            except (OSError, EOFError, RuntimeError) as error:
                self.tally.failures.append(f"{kind}: {type(error).__name__}: {str(error)[:300]}")
            await asyncio.sleep(max(0.0, began + pace - time.monotonic()))

    async def person(self) -> int:
        """A person signs in in a new browser, and opens an application that reads userinfo and refreshes.
        Every second one signs out; the others leave. Returns the requests."""
        self.number += 1
        user = self.people[self.number % PEOPLE]
        http, rp = self.demo.connection(), self.demo.connection()
        try:
            try:
                tokens = await code_flow(replace(self.demo, users=[user]), http, 0)
            except RuntimeError as error:
                raise (
                    Refused if any(str(code) in str(error) for code in REFUSED) else error
                ) from None
            for _ in range(2):
                bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
                for _ in range(3):
                    expect(await rp.get("/oauth2/userinfo", **bearer), 200)
                form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
                answer = expect(await rp.post("/oauth2/token", form, **basic(self.demo.web())), 200)
                tokens = json.loads(answer.body)
            expect(await http.get("/api/auth/session"), 200)
            if self.number % 2:
                origin = f"http://{http.host}"
                expect(await http.send("POST", "/api/auth/signout", b"", Origin=origin), 200)
            return http.sent + rp.sent
        finally:
            http.close()
            rp.close()

    async def backend(self) -> int:
        """A backend creates a user, changes them, lists, and deletes them. Returns the requests."""
        http = self.demo.connection()
        bearer = {"Authorization": f"Bearer {self.deployment.secret_key}"}
        headers = bearer | {"Content-Type": "application/json"}
        try:
            user = json.dumps({"email": f"soak-{secrets.token_hex(8)}@example.com"}).encode()
            answer = expect(await http.send("POST", "/api/users", user, **headers), 201)
            path = f"/api/users/{json.loads(answer.body)['id']}"
            metadata = json.dumps({"public_metadata": {"plan": "soak"}}).encode()
            expect(await http.send("PATCH", path, metadata, **headers), 200)
            expect(await http.get("/api/users?limit=20", **bearer), 200)
            expect(await http.get("/api/audit?limit=20", **bearer), 200)
            expect(await http.send("DELETE", path, b"", **bearer), 200, 204)
            return http.sent
        finally:
            http.close()

    async def dashboard(self) -> int:
        """A developer looks at a page. Returns the requests."""
        self.developer.looked += 1
        path = self.developer.path + PAGES[self.developer.looked % len(PAGES)]
        http = self.developer.connection()
        try:
            expect(await http.get(path, Accept="text/html"), 200)
            return http.sent
        finally:
            http.close()

    async def events(self) -> int:
        """A program reads the stream of events for a while. Returns the lines."""
        host, lines = self.deployment.host, 0
        reader, writer = await asyncio.open_connection("127.0.0.1", self.deployment.port)
        try:
            writer.write(
                f"GET /api/audit/stream HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n"
                f"Authorization: Bearer {self.deployment.secret_key}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            expect(Response(int(head.split(b" ")[1]), {}, head), 200)
            try:
                async with asyncio.timeout(STREAM_READ):
                    while await reader.readline():
                        lines += 1
            except TimeoutError:
                return lines
            raise RuntimeError("the stream of events ended")
        finally:
            writer.close()


def expect(response: Response, *statuses: int) -> Response:
    """Returns the response. Raises Refused if it is a clean refusal, and RuntimeError if it has another
    status than these."""
    if response.status in REFUSED:
        raise Refused
    if response.status not in statuses:
        raise RuntimeError(f"{response.status} {response.body[:200]!r}")
    return response


async def prepared(deployment: Deployment, developer: Developer) -> SoakLoad:
    """Creates the people and the client, with short lifetimes, so that much expires in a run."""
    demo = DemoApplication(deployment)
    with deployment.api() as api:
        short = {"session_ttl": 120, "session_idle_ttl": 120, "audit_retention_days": 1}
        api.put("/api/settings", json=short).raise_for_status()
    demo.client(
        "web",
        redirect_uris=["https://rp.example/callback"],
        grant_types=["authorization_code", "refresh_token"],
        scopes=["openid", "email", "offline_access"],
        first_party=True,
        access_token_lifetime=60,
        refresh_token_lifetime=120,
        refresh_token_max_lifetime=120,
    )
    people = [await asyncio.to_thread(demo.user, number) for number in range(PEOPLE)]
    return SoakLoad(demo, developer, people)
