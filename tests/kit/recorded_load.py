"""Load whose answers are recorded, so that what was acknowledged can be compared with what is there later.

load = RecordedLoad(system)
async with load.running():
    ...                                 # kill something
    await load.works_again()
await load.compare()                    # fails if something acknowledged is lost
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
from tests.kit.oauth import challenge
from tests.kit.system import Browser, System, fresh_email

from aero2.demo import CALLBACKS, USER

WORKS_WITHIN: Final = 120.0
"""Seconds, long enough for a busy machine."""
PAUSE: Final = 0.1
"""Seconds after a refusal. A client waits, too."""


class Refused(Exception):
    """The request failed as it may: 503 or 504, or a connection that ended. Whether it had an effect is
    unknown."""


@dataclass
class RecordedLoad:
    """People who sign in, clients that refresh their tokens, and a backend that creates users."""

    system: System
    workers: int = 2
    """Of each kind."""
    users: list[str] = field(default_factory=list)
    sessions: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Ids of sessions, with the cookies that prove them."""
    tokens: list[str] = field(default_factory=list)
    """The newest refresh token of each client."""
    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    """Answers that a failure does not excuse."""
    longest: dict[str, float] = field(default_factory=dict)
    """Seconds between two successes of a kind, at most."""
    _last: dict[str, float] = field(default_factory=dict)
    _going: bool = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the load until the context ends."""
        await self._first_tokens()
        tasks = [
            asyncio.create_task(self._work("users", self._create)) for _ in range(self.workers)
        ]
        tasks += [
            asyncio.create_task(self._work("sign-ins", self._sign_in)) for _ in range(self.workers)
        ]
        for client in range(self.workers):
            tasks.append(asyncio.create_task(self._work("refreshes", self._refresher(client))))
        try:
            await self.works_again()
            yield
        finally:
            self._going = False
            await asyncio.gather(*tasks)

    async def works_again(self, times: int = 5) -> None:
        """Waits until each kind has succeeded some more times."""
        before = {kind: self.succeeded(kind) for kind in ("users", "sign-ins", "refreshes")}
        ends = time.monotonic() + WORKS_WITHIN
        while any(self.succeeded(kind) < count + times for kind, count in before.items()):
            assert time.monotonic() < ends, self.report()
            await asyncio.sleep(0.05)

    def succeeded(self, kind: str) -> int:
        return self.statuses.get(kind, Counter())["ok"]

    async def compare(self) -> None:
        """Fails if a user, a session or a refresh token that was acknowledged is not there, or if an answer
        was wrong."""
        assert self.wrong == []
        async with self.system.backend() as backend:
            for user in self.users:
                answer = await backend.get(f"/api/users/{user}")
                assert answer.status_code == 200, f"acknowledged and lost: user {user}"
        for session, cookies in self.sessions:
            async with self.system.http("demo", cookies=cookies) as http:
                answer = await http.get("/api/auth/session")
            assert answer.status_code == 200, (
                f"acknowledged and lost: session {session}: {answer.text}"
            )
            assert answer.json()["id"] == session
        for client in range(self.workers):
            await self._refresher(client)()

    def report(self) -> str:
        """Returns what was sent, as Markdown."""
        lines = ["| | succeeded | refused | longest pause, s |", "|---|---:|---:|---:|"]
        for kind, seen in self.statuses.items():
            refused = sum(seen.values()) - seen["ok"]
            lines.append(f"| {kind} | {seen['ok']} | {refused} | {self.longest.get(kind, 0):.1f} |")
        return "\n".join(lines)

    async def _work(self, kind: str, once: Callable[[], Awaitable[None]]) -> None:
        seen = self.statuses.setdefault(kind, Counter())
        while self._going:
            try:
                await once()
            except Refused as refusal:
                seen[str(refusal)] += 1
                await asyncio.sleep(PAUSE)
            else:
                seen["ok"] += 1
                now = time.monotonic()
                pause = now - self._last.get(kind, now)
                self._last[kind] = now
                self.longest[kind] = max(pause, self.longest.get(kind, 0.0))

    def _check(self, answer: httpx.Response, *expected: int) -> None:
        """Raises Refused for a clean refusal, and notes every other answer that is not expected."""
        if answer.status_code in expected:
            return
        if answer.status_code == 503 and "retry-after" not in answer.headers:
            self.wrong.append(f"503 without Retry-After: {answer.request.url.path}")
        elif answer.status_code not in (503, 504) or "traceback" in answer.text.lower():
            path = answer.request.url.path
            self.wrong.append(
                f"{answer.request.method} {path}: {answer.status_code} {answer.text[:300]}"
            )
        raise Refused(str(answer.status_code))

    async def _create(self) -> None:
        async with self.system.backend() as backend:
            answer = await _sent(backend.post("/api/users", json={"email": fresh_email("load")}))
        self._check(answer, 201)
        self.users.append(answer.json()["id"])

    async def _sign_in(self) -> None:
        answers: list[httpx.Response] = []

        async def note(response: httpx.Response) -> None:
            if response.status_code >= 500:
                await response.aread()
                answers.append(response)

        async with self.system.http("demo", event_hooks={"response": [note]}) as http:
            browser = Browser(self.system, self.system.origin("demo"), http)
            try:
                await browser.sign_in(USER, self.system.demo["user_password"])
                answer = await _sent(http.get("/api/auth/session"))
            except httpx.TransportError as error:
                raise Refused(type(error).__name__) from None
            except AssertionError:
                if not answers:
                    raise
                self._check(answers[-1])
            for one in answers:
                self._check(one)
            self._check(answer, 200)
            self.sessions.append((answer.json()["id"], dict(http.cookies)))

    async def _first_tokens(self) -> None:
        for _ in range(self.workers):
            async with self.system.browser("demo") as browser:
                await browser.sign_in(USER, self.system.demo["user_password"])
                self.tokens.append(await self._redeem(browser))

    async def _redeem(self, browser: Browser) -> str:
        verifier, demo = secrets.token_urlsafe(48), self.system.demo
        question: dict[str, Any] = {
            "response_type": "code",
            "client_id": demo["client_id"],
            "redirect_uri": CALLBACKS[0],
            "scope": "openid offline_access",
            "prompt": "consent",
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        query = str(httpx.QueryParams(question))
        page = await browser.get(f"/oauth2/authorize?{query}")
        if not page.away:
            page = await browser.submit(page, consent="allow")
        [code] = parse_qs(urlsplit(page.url).query)["code"]
        answer = await self._token(
            grant_type="authorization_code",
            code=code,
            code_verifier=verifier,
            redirect_uri=CALLBACKS[0],
        )
        return str(answer["refresh_token"])

    async def _token(self, **form: str) -> dict[str, Any]:
        demo = self.system.demo
        async with self.system.http("demo") as http:
            answer = await _sent(
                http.post(
                    "/oauth2/token", data=form, auth=(demo["client_id"], demo["client_secret"])
                )
            )
        self._check(answer, 200)
        content: dict[str, Any] = answer.json()
        return content

    def _refresher(self, client: int) -> Callable[[], Awaitable[None]]:
        async def refresh() -> None:
            answer = await self._token(
                grant_type="refresh_token", refresh_token=self.tokens[client]
            )
            self.tokens[client] = answer["refresh_token"]

        return refresh


async def _sent(request: Awaitable[httpx.Response]) -> httpx.Response:
    """Returns the answer. Raises Refused if there is none."""
    try:
        return await request
    except httpx.TransportError as error:
        raise Refused(type(error).__name__) from None
