"""The route of users' tokens at identity providers: who gets one, and that nobody stores the answer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.identities import IdentityNotFound
from common.contracts.provider_tokens import GetProviderToken, ProviderToken
from common.ids import new_id

USER, LINK = new_id(), new_id()
PATH = f"/api/users/{USER}/identities/{LINK}/token"
SECRET = "gho_secret"


class Tokens:
    """Answers for identity. The link is one of the application `demo`."""

    def __init__(self, app_id: str) -> None:
        self.app_id = app_id
        self.requests: list[GetProviderToken] = []

    async def get(self, _: Any, ctx: Context, request: GetProviderToken) -> ProviderToken:
        self.requests.append(request)
        if ctx.app_id != self.app_id:
            raise IdentityNotFound
        return ProviderToken(access_token=SECRET, scopes=["repo"])


@pytest.fixture
def tokens(world: FakeServices) -> Tokens:
    tenant = world.add("demo")
    world.key(tenant, "sk_live_1")
    world.session(tenant, "plain", "users:read")
    world.key(world.add("other"), "sk_live_2")
    fake = Tokens(tenant.app_id)
    world.bus.serve(None, {GetProviderToken: fake.get})
    return fake


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def test_the_backend_gets_the_token(http: httpx.AsyncClient, tokens: Tokens) -> None:
    """The path names the user and the link. No cache keeps the answer."""
    answer = await http.get(PATH, headers=bearer("sk_live_1"))
    assert answer.status_code == 200
    assert answer.json()["access_token"] == SECRET
    assert answer.headers["cache-control"] == "no-store"
    (request,) = tokens.requests
    assert (request.user_id, request.link_id) == (USER, LINK)


async def test_another_applications_key_gets_none(http: httpx.AsyncClient, tokens: Tokens) -> None:
    """Neither at this host nor at its own, which does not know the link."""
    here = await http.get(PATH, headers=bearer("sk_live_2"))
    assert here.status_code == 404
    assert tokens.requests == []
    there = await http.get(f"http://other.localhost:8080{PATH}", headers=bearer("sk_live_2"))
    assert there.status_code == 404
    assert SECRET not in here.text + there.text


async def test_a_user_without_the_permission_gets_none(
    http: httpx.AsyncClient, tokens: Tokens
) -> None:
    """Neither does nobody. The service is not asked."""
    http.cookies.set("aero2_session", "plain", domain="demo.localhost")
    refused = await http.get(PATH)
    assert refused.status_code == 403
    http.cookies.clear()
    assert (await http.get(PATH)).status_code == 401
    assert tokens.requests == []
