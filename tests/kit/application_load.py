"""Recorded load on one application of several, and the application."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

import httpx
from tests.kit.history import ABSENT, Act, Operation
from tests.kit.recorded_load import RecordedLoad
from tests.kit.system import PASSWORD, System

from aero2.demo import CALLBACKS, SLUG, USER


@dataclass
class ApplicationSystem(System):
    """A deployment, with another application in the place of the demo."""

    application: dict[str, str] = field(default_factory=dict)

    @property
    def demo(self) -> dict[str, str]:
        return self.application

    def origin(self, slug: str) -> str:
        return super().origin(self.application["slug"] if slug == SLUG else slug)


async def create_application(
    system: System, operator_key: str, slug: str, home: str
) -> ApplicationSystem:
    """Makes an application with a user and a client, as the demo has them, in a database cluster."""
    dashboard = {"authorization": f"Bearer {operator_key}"}
    async with system.http("dashboard", headers=dashboard) as http:
        content = {"name": slug.title(), "slug": slug, "home": home}
        app = await _created(http, "/api/applications", content)
    assert app["home"] == home
    key = next(key["key"] for key in app["api_keys"] if key["key_type"] == "secret")
    application = {"slug": slug, "app_id": app["id"], "secret_key": key, "user_password": PASSWORD}
    made = ApplicationSystem(system.deployment, application)
    async with made.backend() as http:
        user = {"email": USER, "email_verified": True, "password": PASSWORD}
        await _created(http, "/api/users", user)
        client = {
            "name": "Load",
            "redirect_uris": CALLBACKS,
            "grant_types": ["authorization_code", "refresh_token"],
            "first_party": True,
            "scopes": ["openid", "offline_access"],
        }
        new = await _created(http, "/api/clients", client)
    application |= {name: new[name] for name in ("client_id", "client_secret")}
    return made


async def _created(http: httpx.AsyncClient, path: str, content: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post(path, json=content)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


@dataclass
class ApplicationLoad(RecordedLoad):
    """The load, and people of whom every second one signs out again."""

    refused: set[int] = field(default_factory=set)
    """The operations, by their ids, that were answered with a clean refusal."""

    def _refuse(self, operation: Operation, answer: httpx.Response) -> NoReturn:
        self.refused.add(id(operation))
        super()._refuse(operation, answer)

    async def _sign_in(self, worker: int) -> None:
        await super()._sign_in(worker)
        session, cookies = self.sessions[-1]
        if len(self.sessions) % 2:
            return
        operation = self.history.invoke("sign-outs", Act.END, session, ABSENT, client=worker)
        headers = {"origin": self.system.origin(SLUG)}
        async with self.system.http(SLUG, cookies=cookies, headers=headers) as http:
            request = http.post("/api/auth/signout", json={})
            await self._answer(operation, request, 200)
        operation.ok()
