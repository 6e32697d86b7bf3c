"""Load whose answers are recorded, so that what was acknowledged can be compared with what is there later.

load = RecordedLoad(system)
async with load.running():
    ...                                 # kill something
    await load.works_again()
await load.compare()                    # fails if something acknowledged is lost

Every request is an operation of `load.history`, which a test of a fault takes from its report.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from urllib.parse import parse_qs, urlsplit

import httpx
from nats.js import JetStreamContext
from tests.kit.history import ABSENT, PRESENT, Act, History, Operation
from tests.kit.oauth import challenge
from tests.kit.stream_events import counted_events
from tests.kit.system import PASSWORD, Browser, System, fresh_email

from aero2.demo import CALLBACKS

WORKS_WITHIN: Final = 120.0
"""Seconds, long enough for a busy machine."""
PAUSE: Final = 0.1
"""Seconds after a refusal. A client waits, too."""
KINDS: Final = ("users", "sign-ins", "refreshes")
GRACE: Final = 9.0
"""Seconds for which a client sends a refresh again that had no answer: less than oidc's `refresh_grace`."""
CLEAN: Final = frozenset({429, 503, 504})
"""Statuses of a clean refusal."""


class Refused(Exception):
    """The request failed as it may: 503 or 504, or a connection that ended. Whether it had an effect is
    unknown."""


@dataclass
class RecordedLoad:
    """People who sign in, clients that refresh their tokens, and a backend that creates users. Further kinds are
    `sign-outs` (of sessions of their own), `tokens` (client credentials), `log` (reads the audit log) and
    `lists` (reads users)."""

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
    kinds: Sequence[str] = KINDS
    history: History = field(default_factory=History)
    pause: float = 0.0
    """Seconds between the requests of a worker."""
    signed_out: int = 0
    """Clients that had to sign in again, because a refresh had no answer for longer than the grace."""
    person: str = field(default_factory=fresh_email)
    """The address of the user who signs in. The load creates them."""
    _emails: dict[str, str] = field(default_factory=dict)
    """The address of each user that was acknowledged, by their id."""
    _unanswered: dict[str, float] = field(default_factory=dict)
    """When a refresh token was sent for the first time, if there was no answer."""
    _last: dict[str, float] = field(default_factory=dict)
    _going: bool = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the load until the context ends."""
        await self._first_user()
        if "refreshes" in self.kinds:
            await self._first_tokens()
        tasks = [
            asyncio.create_task(self._work(kind, worker))
            for kind in self.kinds
            for worker in range(self.workers)
        ]
        try:
            await self.works_again()
            yield
        finally:
            self._going = False
            await asyncio.gather(*tasks)

    async def works_again(self, times: int = 5) -> None:
        """Waits until each kind has succeeded some more times."""
        before = {kind: self.succeeded(kind) for kind in self.kinds}
        ends = time.monotonic() + WORKS_WITHIN
        while any(self.succeeded(kind) < count + times for kind, count in before.items()):
            assert time.monotonic() < ends, self.report()
            await asyncio.sleep(0.05)

    async def more(self, times: int) -> None:
        """Waits until so many more requests of each kind have ended, with success or without."""
        before = {kind: self.statuses[kind].total() for kind in self.kinds}
        ends = time.monotonic() + WORKS_WITHIN
        while any(self.statuses[kind].total() < n + times for kind, n in before.items()):
            assert time.monotonic() < ends, self.report()
            await asyncio.sleep(0.05)

    def succeeded(self, kind: str) -> int:
        return self.statuses.get(kind, Counter())["ok"]

    async def compare(self) -> None:
        """Fails if a user, a session or a refresh token that was acknowledged is not there, if something that
        was refused is there, or if an answer was wrong."""
        assert self.wrong == [], self.wrong[:3]
        users = [o.key for o in self.history.operations if o.kind == "users"]
        async with self.system.backend() as backend:
            for email in users:
                await self._look(backend, "/api/users/by-email", email, email=email)
        for session, cookies in self.sessions:
            async with self.system.http("demo", cookies=cookies) as http:
                await self._look(http, "/api/auth/session", session)
        for client in range(len(self.tokens)):
            await self.refresh(client)
        self.history.check()

    async def compare_events(self, js: JetStreamContext) -> None:
        """Waits until each user and each session that was acknowledged has its event on the stream. Notes those
        that have none, or several."""
        subject = f"audit.*.{self.system.demo['app_id']}.>"
        ids = set(self.users)
        created = await counted_events(js, "user_created", "user_id", ids, subject=subject)
        emails = Counter({self._emails.get(id, id): number for id, number in created.items()})
        self.history.compare_events("users", emails)
        ids = {session for session, _ in self.sessions}
        logins = await counted_events(js, "login", "session_id", ids, subject=subject)
        self.history.compare_events("sign-ins", logins)
        self.history.check()

    def report(self) -> str:
        """Returns what was sent, as Markdown."""
        lines = ["| | succeeded | refused | longest pause, s |", "|---|---:|---:|---:|"]
        for kind, seen in self.statuses.items():
            refused = sum(seen.values()) - seen["ok"]
            lines.append(f"| {kind} | {seen['ok']} | {refused} | {self.longest.get(kind, 0):.1f} |")
        return "\n".join(lines)

    async def _work(self, kind: str, worker: int) -> None:
        once: Callable[[int], Awaitable[object]] = {
            "users": self._create,
            "sign-ins": self._sign_in,
            "sign-outs": self._sign_in_and_out,
            "refreshes": self.refresh,
            "tokens": self._client_token,
            "log": self.ask("log", "/api/audit"),
            "lists": self.ask("lists", "/api/users"),
        }[kind]
        seen = self.statuses.setdefault(kind, Counter())
        while self._going:
            try:
                await once(worker)
            except Refused as refusal:
                seen[str(refusal)] += 1
                await asyncio.sleep(PAUSE)
            else:
                seen["ok"] += 1
                now = time.monotonic()
                pause = now - self._last.get(kind, now)
                self._last[kind] = now
                self.longest[kind] = max(pause, self.longest.get(kind, 0.0))
            await asyncio.sleep(self.pause)

    async def _answer(
        self, operation: Operation, request: Awaitable[httpx.Response], expected: int
    ) -> httpx.Response:
        """Returns an answer that is a success, and notes any other. Raises Refused if it is a clean refusal."""
        try:
            answer = await request
        except httpx.TransportError as error:
            operation.info()
            raise Refused(type(error).__name__) from None
        if answer.status_code != expected:
            self._refuse(operation, answer)
        return answer

    def _refuse(self, operation: Operation, answer: httpx.Response) -> NoReturn:
        """Notes a refusal, and that it was wrong if it was not clean. Raises Refused."""
        operation.refused(answer.status_code, answer.text)
        path = answer.request.url.path
        if answer.status_code == 503 and "retry-after" not in answer.headers:
            self.wrong.append(f"503 without Retry-After: {path}")
        elif answer.status_code not in CLEAN or "traceback" in answer.text.lower():
            said = f"{answer.status_code} {answer.text[:300]}"
            self.wrong.append(f"{answer.request.method} {path}: {said}")
        elif answer.status_code == 503 and not re.search(r'"code"|"error"|<html', answer.text):
            self.wrong.append(f"503 without a reason: {path} {answer.text[:300]}")
        raise Refused(str(answer.status_code))

    async def _look(self, http: httpx.AsyncClient, path: str, key: str, **query: str) -> None:
        """Reads back whether something is there."""
        operation = self.history.invoke("read back", Act.READ, key)
        answer = await http.get(path, params=query)
        assert answer.status_code in (200, 401, 404), answer.text
        operation.ok(PRESENT if answer.status_code == 200 else ABSENT)

    async def _create(self, worker: int) -> None:
        email = fresh_email("load")
        operation = self.history.invoke("users", Act.WRITE, email, PRESENT, client=worker)
        async with self.system.backend() as backend:
            request = backend.post("/api/users", json={"email": email})
            answer = await self._answer(operation, request, 201)
        operation.ok()
        self.users.append(answer.json()["id"])
        self._emails[self.users[-1]] = email

    async def _sign_in(self, worker: int) -> tuple[str, dict[str, str]]:
        name = f"sign-in {len(self.history.operations)}"
        operation = self.history.invoke("sign-ins", Act.WRITE, name, PRESENT, client=worker)
        failures: list[httpx.Response] = []

        async def note(response: httpx.Response) -> None:
            if response.status_code >= 500:
                await response.aread()
                failures.append(response)

        async with self.system.http("demo", event_hooks={"response": [note]}) as http:
            browser = Browser(self.system, self.system.origin("demo"), http)
            try:
                await browser.sign_in(self.person, PASSWORD)
                answer = await http.get("/api/auth/session")
            except httpx.TransportError as error:
                operation.info()
                raise Refused(type(error).__name__) from None
            except AssertionError:
                if not failures:
                    raise
            if failures:
                self._refuse(operation, failures[-1])
            if answer.status_code != 200:
                self._refuse(operation, answer)
            operation.key = answer.json()["id"]
            operation.ok()
            self.sessions.append((operation.key, dict(http.cookies)))
            return self.sessions[-1]

    async def _sign_in_and_out(self, worker: int) -> None:
        await self.sign_out(*await self._sign_in(worker), worker)

    async def sign_out(self, session: str, cookies: dict[str, str], worker: int = 0) -> None:
        """Ends a session. Raises Refused if it may still be alive."""
        operation = self.history.invoke("sign-outs", Act.END, session, client=worker)
        headers = {"origin": self.system.origin("demo")}
        async with self.system.http("demo", cookies=cookies, headers=headers) as http:
            await self._answer(operation, http.post("/api/auth/signout"), 200)
        operation.ok()

    async def _first_user(self) -> None:
        """Creates the person who signs in."""
        new = {"email": self.person, "email_verified": True, "password": PASSWORD}
        async with self.system.backend() as backend:
            answer = await backend.post("/api/users", json=new)
        assert answer.status_code == 201, answer.text

    async def _first_tokens(self) -> None:
        for _ in range(self.workers):
            async with self.system.browser("demo") as browser:
                await browser.sign_in(self.person, PASSWORD)
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
            self.history.invoke("codes", Act.TAKE, code),
            grant_type="authorization_code",
            code=code,
            code_verifier=verifier,
            redirect_uri=CALLBACKS[0],
        )
        return str(answer["refresh_token"])

    async def _token(self, operation: Operation, **form: str) -> dict[str, Any]:
        demo = self.system.demo
        auth = (demo["client_id"], demo["client_secret"])
        async with self.system.http("demo") as http:
            request = http.post("/oauth2/token", data=form, auth=auth)
            answer = await self._answer(operation, request, 200)
        content: dict[str, Any] = answer.json()
        operation.ok(content.get("refresh_token"))
        return content

    async def refresh(self, client: int) -> None:
        """Refreshes. A refresh without an answer may have used the token, and a used token that is sent after the
        grace ends its family. So the client then signs in."""
        token, now = self.tokens[client], self.history.clock()
        if now - self._unanswered.get(token, now) > GRACE:
            await self._sign_in_again(client)
            return
        operation = self.history.invoke("refreshes", Act.TAKE, token, client=client)
        try:
            answer = await self._token(operation, grant_type="refresh_token", refresh_token=token)
        except Refused:
            self._unanswered.setdefault(token, operation.invoked)
            raise
        self.tokens[client] = answer["refresh_token"]

    async def _sign_in_again(self, client: int) -> None:
        """Gets a new refresh token for a client that has lost its own."""
        self.signed_out += 1
        async with self.system.browser("demo") as browser:
            try:
                await browser.sign_in(self.person, PASSWORD)
                self.tokens[client] = await self._redeem(browser)
            except (httpx.TransportError, AssertionError) as error:
                raise Refused("503") from error

    async def _client_token(self, worker: int) -> None:
        operation = self.history.invoke("tokens", Act.ASK, client=worker)
        await self._token(operation, grant_type="client_credentials")

    def ask(self, kind: str, path: str) -> Callable[[int], Awaitable[None]]:
        async def ask(worker: int) -> None:
            operation = self.history.invoke(kind, Act.ASK, client=worker)
            async with self.system.backend() as backend:
                await self._answer(operation, backend.get(path), 200)
            operation.ok()

        return ask
