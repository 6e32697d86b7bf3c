"""Scopes, the `claims` parameter and resources are one decision of the user."""

from __future__ import annotations

from typing import Any

from tests.kit.oauth import fields
from tests.kit.world import World

from common.contracts.clients import UpdateClient
from common.contracts.resources import CreateResource
from common.contracts.rights import Rights
from common.contracts.scopes import CreateScope
from common.contracts.userinfo import GetUserinfo

WANTED = (
    '{"userinfo": {"email": null, "phone_number": null, "birthdate": {"essential": true}},'
    ' "id_token": {"email": null, "auth_time": null}}'
)
PERSONAL: dict[str, Any] = {"phone_number": "+4930123456", "birthdate": "1990-01-02"}


async def told(world: World, token: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await world.call(GetUserinfo(token=token))).model_dump()
    return answer


async def test_claims_beyond_the_scopes_of_the_client_are_not_given(shared: World) -> None:
    """A client with the scope `openid` alone gets no other claims, first-party or not."""
    ann = await shared.person(**PERSONAL)
    client = await shared.client(scopes=["openid"])
    tokens = await shared.tokens(client, ann, scope="openid", claims=WANTED)
    assert "email" not in await shared.claims(tokens.id_token, client.client_id)
    assert {k for k, v in (await told(shared, tokens.access_token)).items() if v} == {"sub"}


async def test_consent_lists_what_claims_ask_for(shared: World) -> None:
    """Consent to `openid` is not consent to an e-mail address; `prompt=none` says so."""
    ann = await shared.person(**PERSONAL)
    client = await shared.client(first_party=False, scopes=["openid", "profile", "email"])
    page = await shared.authorize(client, ann, scope="openid")
    await shared.resume(page.request, ann, consent="allow")

    silent = await shared.authorize(client, ann, scope="openid", claims=WANTED, prompt="none")
    assert fields(silent)["error"] == "consent_required"
    page = await shared.authorize(client, ann, scope="openid", claims=WANTED)
    assert (page.kind, page.scopes) == ("consent", ["openid", "email", "profile"])
    code = fields(await shared.resume(page.request, ann, consent="allow"))["code"]
    tokens = await shared.redeem(client, code)
    assert tokens.scope == "openid"
    answer = await told(shared, tokens.access_token)
    assert (answer["birthdate"], "phone_number" in answer) == ("1990-01-02", False)
    assert "email" in await shared.claims(tokens.id_token, client.client_id)

    silent = await shared.authorize(client, ann, scope="openid", claims=WANTED, prompt="none")
    assert "code" in fields(silent)


async def test_claims_that_the_scopes_give_anyway_ask_nothing_more(shared: World) -> None:
    """Claims of requested scopes need no further consent."""
    ann = await shared.person()
    client = await shared.client(first_party=False, scopes=["openid", "email"])
    wanted = '{"id_token": {"email": null}}'
    page = await shared.authorize(client, ann, scope="openid email", claims=wanted)
    assert page.scopes == ["openid", "email"]


async def test_a_scope_of_a_permission_gives_no_claims_unless_granted(shared: World) -> None:
    """Only users who hold the permission give its claims."""
    await shared.permission("users:read")
    await shared.admin(
        CreateScope(name="calling", permission_id="users:read", claims=["phone_number"])
    )
    ann = await shared.person(**PERSONAL)
    client = await shared.client(scopes=["openid", "calling"])
    wanted = '{"userinfo": {"phone_number": null}}'
    tokens = await shared.tokens(client, ann, scope="openid calling", claims=wanted)
    assert "phone_number" not in await told(shared, tokens.access_token)
    shared.stand_ins.rbac.rights[ann.user_id] = Rights(permissions=["users:read"])
    shared.oidc.caches.drop(shared.app_id, "rights", ann.user_id)
    tokens = await shared.tokens(client, ann, scope="openid calling", claims=wanted)
    assert (await told(shared, tokens.access_token))["phone_number"] == "+4930123456"


async def test_claims_end_with_the_scope_of_the_client(shared: World) -> None:
    """A refresh gives only what the client may still have."""
    ann = await shared.person(**PERSONAL)
    client = await shared.client(scopes=["openid", "email", "offline_access"])
    wanted = '{"userinfo": {"email": null}, "id_token": {"email": null}}'
    tokens = await shared.tokens(client, ann, scope="openid offline_access", claims=wanted)
    assert "email" in await told(shared, tokens.access_token)
    await shared.admin(
        UpdateClient(client=client.id, changes={"scopes": ["openid", "offline_access"]})
    )
    tokens = await shared.refresh(client, tokens.refresh_token)
    assert "email" not in await shared.claims(tokens.id_token, client.client_id)
    assert "email" not in await told(shared, tokens.access_token)


async def test_consent_names_the_api(shared: World) -> None:
    """Consent is stored for each resource, so the page names it."""
    await shared.admin(CreateResource(identifier="https://named.test", name="Payroll"))
    ann = await shared.person()
    client = await shared.client(first_party=False)
    page = await shared.authorize(client, ann, resource="https://named.test")
    assert (page.kind, page.resources) == ("consent", ["Payroll"])
