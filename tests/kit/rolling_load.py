"""People and machines that use a deployment while its processes are replaced."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.kit.strict_client import Lost, StrictClient, Tally
from tests.kit.system import PASSWORD, System, fresh_email

CALLBACK = "https://rp.example.com/cb"
SELDOM = 1.5
"""Seconds between the requests of a client that is idle most of the time."""


@dataclass
class RelyingParty:
    """A client of the demo application with a refresh token."""

    id: str
    secret: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Basic {b64encode(f'{self.id}:{self.secret}'.encode()).decode()}"}


@dataclass
class Load:
    """What runs. Every request counts, and none is sent twice."""

    system: System
    email: str
    parties: list[RelyingParty]
    tally: Tally = field(default_factory=Tally)
    going: bool = True
    created: int = 0

    def client(self, *, keeps: bool = True) -> StrictClient:
        return StrictClient(self.system.deployment.port, f"demo.{self.system.domain}", keeps)

    @property
    def key(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.system.demo['secret_key']}"}

    async def sign_in(self, client: StrictClient) -> None:
        """A person signs in with a password."""
        content = {"email": self.email, "password": PASSWORD}
        headers = {"origin": self.system.origin("demo")}
        answer = await client.ask("POST", "/api/auth/signin", content=content, headers=headers)
        self.tally.add("sign-in", answer, 200)

    async def write(self, client: StrictClient) -> None:
        """A backend creates a user."""
        content = {"email": fresh_email("rolling")}
        answer = await client.ask("POST", "/api/users", content=content, headers=self.key)
        self.tally.add("write", answer, 201)
        self.created += answer.status == 201

    async def read(self, client: StrictClient) -> None:
        """A backend reads users."""
        answer = await client.ask("GET", "/api/users?limit=1", headers=self.key)
        self.tally.add("read", answer, 200)

    def refresh(self, party: RelyingParty) -> Callable[[StrictClient], Awaitable[None]]:
        """Returns how a relying party refreshes its tokens."""

        async def refresh(client: StrictClient) -> None:
            form = {"grant_type": "refresh_token", "refresh_token": party.refresh_token}
            answer = await client.ask("POST", "/oauth2/token", form=form, headers=party.headers)
            self.tally.add("refresh", answer, 200)
            if answer.status == 200:
                party.refresh_token = answer.json()["refresh_token"]

        return refresh

    async def repeat(
        self, act: Callable[[StrictClient], Awaitable[None]], pause: float, *, keeps: bool = True
    ) -> None:
        """Acts again and again."""
        client = self.client(keeps=keeps)
        while self.going:
            try:
                await act(client)
            except Lost as lost:
                self.tally.failures.append(str(lost))
            await asyncio.sleep(pause)
        client.close()


async def _prepared(system: System, parties: int) -> Load:
    """Returns a load with a user and relying parties of its own."""
    email = fresh_email()
    async with system.backend() as api, system.browser() as browser, system.http() as rp:
        new = {"email": email, "email_verified": True, "password": PASSWORD}
        assert (await api.post("/api/users", json=new)).status_code == 201
        await browser.sign_in(email, PASSWORD)
        made = []
        for number in range(parties):
            client = {
                "name": f"RP {number}",
                "redirect_uris": [CALLBACK],
                "require_pkce": False,
                "first_party": True,
            }
            registered = (await api.post("/api/clients", json=client)).json()
            query = {
                "client_id": registered["client_id"],
                "redirect_uri": CALLBACK,
                "response_type": "code",
                "scope": "openid offline_access",
            }
            page = await browser.get(f"/oauth2/authorize?{urlencode(query)}")
            form = {
                "grant_type": "authorization_code",
                "code": parse_qs(urlsplit(page.url).query)["code"][0],
                "redirect_uri": CALLBACK,
            }
            auth = (registered["client_id"], registered["client_secret"])
            tokens = (await rp.post("/oauth2/token", data=form, auth=auth)).json()
            made.append(RelyingParty(*auth, tokens["refresh_token"]))
    return Load(system, email, made)


@asynccontextmanager
async def rolling_load(system: System, parties: int = 2) -> AsyncIterator[Load]:
    """Runs a load until the end of the context: sign-ins, refreshes, reads and writes, on kept connections
    and on new ones, and by clients that send seldom."""
    load = await _prepared(system, parties)
    tasks = [
        asyncio.create_task(load.repeat(load.sign_in, 0.3)),
        asyncio.create_task(load.repeat(load.write, 0.05)),
        asyncio.create_task(load.repeat(load.read, 0.02)),
        asyncio.create_task(load.repeat(load.write, 0.05, keeps=False)),
        asyncio.create_task(load.repeat(load.read, 0.02, keeps=False)),
        asyncio.create_task(load.repeat(load.read, SELDOM)),
        asyncio.create_task(load.repeat(load.write, SELDOM)),
        *(asyncio.create_task(load.repeat(load.refresh(party), 0.1)) for party in load.parties),
    ]
    try:
        yield load
    finally:
        load.going = False
        await asyncio.gather(*tasks)
