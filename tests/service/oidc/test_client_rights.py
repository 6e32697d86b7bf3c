"""A client never gives its administrator, its user or an API more rights than were granted."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.factories import CALLBACK
from tests.kit.oauth import ORIGIN
from tests.kit.world import World

from common.context import Caller
from common.contracts.client_secrets import (
    DeleteClientSecret,
    ListClientSecrets,
    RotateClientSecret,
)
from common.contracts.clients import CreateClient, DeleteClient, GetClient, UpdateClient
from common.contracts.oauth_errors import InvalidTarget
from common.contracts.resources import CreateResource, DeleteResource
from common.contracts.rights import Rights
from common.contracts.scopes import CreateScope, DeleteScope
from common.contracts.tokens import CheckAccessToken
from common.problems import Forbidden, Invalid, Unavailable

MANAGER = Caller("client", "client_manager", frozenset({"clients:write", "clients:delete"}))


@pytest.mark.parametrize("format", ["jwt", "opaque"])
async def test_rights_that_inform_an_api_grant_nothing_here(shared: World, format: str) -> None:
    """`include_rights` lists every permission. Our own API counts granted scopes only."""
    ann = await shared.person()
    shared.stand_ins.rbac.rights[ann.user_id] = Rights(
        permissions=["*", "users:read", "users:write"]
    )
    client = await shared.client(
        include_rights=True, access_token_format=format, scopes=["openid", "users:read"]
    )

    tokens = await shared.tokens(client, ann, scope="openid")
    held = await shared.call(CheckAccessToken(token=tokens.access_token))
    assert (held.scopes, held.permissions) == (["openid"], [])

    tokens = await shared.tokens(client, ann, scope="openid users:read")
    held = await shared.call(CheckAccessToken(token=tokens.access_token))
    assert held.permissions == ["users:read"]


@pytest.mark.fault("F4")
async def test_no_right_comes_from_rbac_while_it_is_away(shared: World) -> None:
    """While nobody can say what a user may do, a token with a scope that stands for a permission is not issued. One
    without is, and grants nothing. The refused refresh is as good as before when rbac is back."""
    ann, rbac = await shared.person(), shared.stand_ins.rbac
    rbac.rights[ann.user_id] = Rights(permissions=["users:read"])
    client = await shared.client(scopes=["openid", "users:read"])
    reading = await shared.tokens(client, ann, scope="openid users:read")
    plain = await shared.tokens(client, ann, scope="openid")
    shared.oidc.caches.clear()
    rbac.running = False
    try:
        with pytest.raises(Unavailable):
            await shared.refresh(client, reading.refresh_token)
        later = await shared.refresh(client, plain.refresh_token)
        held = await shared.call(CheckAccessToken(token=later.access_token))
        assert held.permissions == []
    finally:
        rbac.running = True

    again = await shared.refresh(client, reading.refresh_token)
    held = await shared.call(CheckAccessToken(token=again.access_token))
    assert held.permissions == ["users:read"]


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uris": [CALLBACK, "https://rp.evil.example/cb"]},
        {"name": "Renamed"},
        {"enabled": False},
        {"scopes": ["openid"]},
        {
            "jwks_uri": "https://rp.evil.example/jwks",
            "token_endpoint_auth_method": "private_key_jwt",
        },
    ],
)
async def test_a_client_with_more_rights_is_out_of_reach(
    shared: World, changes: dict[str, Any]
) -> None:
    """A caller who changes where a client's answers go can act with its rights."""
    client = await shared.client(scopes=["openid", "users:write"])
    with pytest.raises(Forbidden):
        await shared.call(UpdateClient(client=client.id, changes=changes), MANAGER)
    holder = Caller("client", "client_holder", MANAGER.permissions | {"users:write"})
    await shared.call(UpdateClient(client=client.id, changes=changes), holder)


async def test_the_secrets_of_a_client_with_more_rights_are_out_of_reach(shared: World) -> None:
    """A caller with a new secret can act as the client. Deleting a secret or the client needs the
    same rights."""
    client = await shared.client(scopes=["openid", "users:write"])
    await shared.admin(RotateClientSecret(client=client.id, overlap=60))
    secrets = (await shared.admin(ListClientSecrets(client=client.id))).secrets
    for request in (
        RotateClientSecret(client=client.id),
        DeleteClientSecret(client=client.id, secret_id=secrets[0].id),
        DeleteClient(client=client.id),
    ):
        with pytest.raises(Forbidden):
            await shared.call(request, MANAGER)
    assert (await shared.admin(ListClientSecrets(client=client.id))).secrets == secrets


async def test_acting_as_any_user_needs_every_permission(shared: World) -> None:
    """Without this rule, `account` without consent would give its creator an administrator's
    account."""
    scopes = ["openid", "account"]
    fields: dict[str, Any] = {"name": "x", "redirect_uris": [CALLBACK], "scopes": scopes}
    with pytest.raises(Forbidden):
        await shared.call(CreateClient(**fields, first_party=True), MANAGER)
    made = await shared.call(CreateClient(**fields, first_party=False), MANAGER)
    with pytest.raises(Forbidden):
        await shared.call(UpdateClient(client=made.id, changes={"first_party": True}), MANAGER)
    await shared.admin(UpdateClient(client=made.id, changes={"first_party": True}))


async def test_a_scope_cannot_hide_the_permission_of_its_name(world: World) -> None:
    """Its entry is bound to the permission, and only holders may create it."""
    await world.permission("users:write")
    with pytest.raises(Forbidden):
        await world.call(CreateScope(name="users:write"), MANAGER)
    with pytest.raises(Invalid):
        await world.admin(CreateScope(name="users:write", permission_id="clients:write"))
    made = await world.admin(CreateScope(name="users:write"))
    assert made.permission_id == "users:write"
    api = await world.admin(CreateResource(identifier="https://hiding.test", name="API"))
    with pytest.raises(Forbidden):
        await world.call(CreateScope(name="users:write", resource_id=api.id), MANAGER)
    fields: dict[str, Any] = {"name": "x", "redirect_uris": [CALLBACK]}
    with pytest.raises(Forbidden):
        await world.call(CreateClient(**fields, scopes=["openid", "users:write"]), MANAGER)


async def test_a_scope_of_one_name_at_two_apis_keeps_every_permission(world: World) -> None:
    """An unbound scope of one API does not unbind that of another."""
    await world.permission("users:write")
    await world.admin(CreateScope(name="staff", permission_id="users:write"))
    api = await world.admin(CreateResource(identifier="https://second.test", name="API"))
    await world.call(CreateScope(name="staff", resource_id=api.id), MANAGER)
    fields: dict[str, Any] = {"name": "x", "redirect_uris": [CALLBACK]}
    with pytest.raises(Forbidden):
        await world.call(CreateClient(**fields, scopes=["openid", "staff"]), MANAGER)


async def test_a_deleted_scope_is_taken_from_clients(world: World) -> None:
    """Otherwise its name could later stand for a permission."""
    scope = await world.call(CreateScope(name="reports:all"), MANAGER)
    assert scope.permission_id is None
    fields: dict[str, Any] = {"name": "x", "redirect_uris": [CALLBACK]}
    made = await world.call(CreateClient(**fields, scopes=["openid", "reports:all"]), MANAGER)
    await world.call(DeleteScope(id=scope.id), MANAGER)
    assert (await world.admin(GetClient(client=made.id))).scopes == ["openid"]


@pytest.mark.parametrize(
    "name",
    ["permissions", "roles", "org_name", "email", "email_verified", "name", "userinfo_claims"],
)
async def test_no_mapping_writes_standard_or_authorization_claims(shared: World, name: str) -> None:
    """Users write their own metadata, and resource servers would believe it."""
    fields: dict[str, Any] = {"name": "m", "redirect_uris": [CALLBACK]}
    with pytest.raises(Invalid) as error:
        await shared.admin(
            CreateClient(**fields, claims_mapping={name: "user.user_metadata.value"})
        )
    assert [one["field"] for one in error.value.extra["errors"]] == [f"claims_mapping.{name}"]


async def test_a_scope_taken_from_a_client_is_gone_at_the_next_refresh(shared: World) -> None:
    """A refresh gives only scopes that the client still has."""
    ann = await shared.person()
    shared.stand_ins.rbac.rights[ann.user_id] = Rights(permissions=["users:write"])
    client = await shared.client(scopes=["openid", "offline_access", "users:write"])
    tokens = await shared.tokens(client, ann, scope="openid offline_access users:write")
    changes = {"scopes": ["openid", "offline_access"]}
    await shared.admin(UpdateClient(client=client.id, changes=changes))
    tokens = await shared.refresh(client, tokens.refresh_token)
    assert tokens.scope == "openid offline_access"
    held = await shared.call(CheckAccessToken(token=tokens.access_token))
    assert held.permissions == []


async def test_no_token_is_made_for_a_deleted_api(shared: World) -> None:
    """The error is `invalid_target` (RFC 8707 section 2.2)."""
    ann = await shared.person()
    api = await shared.admin(CreateResource(identifier="https://gone.test", name="API"))
    client = await shared.client()
    tokens = await shared.tokens(client, ann, resource="https://gone.test", scope="offline_access")
    await shared.admin(DeleteResource(id=api.id))
    with pytest.raises(InvalidTarget):
        await shared.refresh(client, tokens.refresh_token)


async def test_unknown_scopes_are_ignored_and_the_answer_says_so(shared: World) -> None:
    """The issuer is a valid resource, as our metadata says."""
    ann = await shared.person()
    client = await shared.client()
    tokens = await shared.tokens(client, ann, scope="openid groups", resource=ORIGIN)
    assert tokens.scope == "openid"
    assert (await shared.call(CheckAccessToken(token=tokens.access_token))).audience == [ORIGIN]
