"""The administration of clients: the answer names every mistake with its field."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.factories import CALLBACK
from tests.kit.oauth import fields
from tests.kit.world import World

from common.acr import MAIL, ONE_FACTOR, PASSWORD
from common.context import Caller
from common.contracts.client_origins import ListOrigins
from common.contracts.client_secrets import (
    DeleteClientSecret,
    ListClientSecrets,
    RotateClientSecret,
)
from common.contracts.clients import (
    ClientNotFound,
    CreateClient,
    DeleteClient,
    GetClient,
    ListClients,
    UpdateClient,
)
from common.contracts.consents import (
    ListClientGrants,
    ListMyGrants,
    ListUserGrants,
    RevokeMyGrant,
    RevokeUserGrant,
)
from common.contracts.discovery import GetConfiguration
from common.contracts.oauth_errors import InvalidClient
from common.contracts.resources import CreateResource, ListResources, ResourceTaken
from common.contracts.rights import Rights
from common.contracts.scopes import (
    CreateScope,
    DeleteScope,
    ListScopes,
    ScopeTaken,
    UnknownPermission,
)
from common.contracts.userinfo import GetUserinfo
from common.contracts.users import UserNotFound
from common.field_errors import field_error
from common.ids import new_id
from common.problems import BadRequest, Conflict, Forbidden, Invalid

EC = {
    "keys": [
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }
    ]
}
"""RFC 7515 A.3."""
P384 = {"keys": [EC["keys"][0] | {"crv": "P-384"}]}
WRITER = Caller("client", "client_writer", frozenset({"clients:write"}))


def named(error: pytest.ExceptionInfo[Invalid]) -> set[str]:
    return {one["field"] for one in error.value.extra["errors"]}


async def test_a_client_is_made_with_a_secret_shown_once(shared: World) -> None:
    """The client_id begins with `client_`. The secret has 256 random bits, and its PBKDF2 hash is
    stored."""
    client = await shared.client()
    assert client.client_id.startswith("client_")
    assert client.client_secret is not None
    assert len(client.client_secret) == 46

    shown = await shared.admin(GetClient(client=client.id))
    assert "client_secret" not in shown.model_dump()
    assert shown == await shared.admin(GetClient(client=client.client_id))
    stored = await shared.owner.fetchrow(
        "SELECT secret_hash, secret_sealed FROM oauth_client_secrets WHERE client_id = $1",
        client.client_id,
    )
    assert stored is not None
    assert stored["secret_hash"].startswith("pbkdf2-sha256$100000$")
    assert stored["secret_sealed"] is None


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"redirect_uris": ["http://rp.example.com/cb"]}, "redirect_uris.0"),
        ({"redirect_uris": [CALLBACK, CALLBACK + "#x"]}, "redirect_uris.1"),
        ({"redirect_uris": ["/cb"]}, "redirect_uris.0"),
        ({"redirect_uris": ["https://*.example.com/cb"]}, "redirect_uris.0"),
        ({"redirect_uris": ["https://a@evil.test/cb"]}, "redirect_uris.0"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "redirect_uris.0"),
        ({"redirect_uris": ["com.example.app:/cb"]}, "redirect_uris.0"),
        ({"redirect_uris": []}, "redirect_uris"),
        ({"type": "native", "redirect_uris": ["app:/cb"]}, "redirect_uris.0"),
        ({"type": "spa", "require_pkce": False}, "require_pkce"),
        ({"type": "service", "grant_types": ["authorization_code"]}, "grant_types"),
        (
            {"type": "spa", "token_endpoint_auth_method": "client_secret_basic"},
            "token_endpoint_auth_method",
        ),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "jwks"),
        ({"jwks": {"keys": [{"kty": "RSA", "n": "x", "e": "AQAB", "d": "x"}]}}, "jwks"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "x"}]}}, "jwks"),
        ({"jwks": {"keys": [{"kty": "RSA", "x5c": ["x" * 70_000]}]}}, "jwks"),
        ({"claims_mapping": {f"c{n}": "user.id" for n in range(51)}}, "claims_mapping"),
        ({"token_endpoint_auth_alg": "HS256"}, "token_endpoint_auth_alg"),
        ({"claims_mapping": {"sub": "user.email"}}, "claims_mapping.sub"),
        ({"claims_mapping": {"x": "user.password"}}, "claims_mapping.x"),
        ({"claims_mapping": {"x": "user.__class__.__mro__"}}, "claims_mapping.x"),
        ({"claims_mapping": {"x": "{{7*7}}"}}, "claims_mapping.x"),
        ({"backchannel_logout_uri": "http://rp.example.com/out"}, "backchannel_logout_uri"),
        ({"backchannel_logout_uri": "https://rp.test:99999/out"}, "backchannel_logout_uri"),
        ({"backchannel_logout_uri": "https://rp.test/\x7fout"}, "backchannel_logout_uri"),
        ({"redirect_uris": ["https://[::1/cb"]}, "redirect_uris.0"),
        ({"redirect_uris": ["https://rp.test:70000/cb"]}, "redirect_uris.0"),
        ({"jwks_uri": "https://rp.test:99999/jwks"}, "jwks_uri"),
        ({"jwks_uri": "https:///jwks"}, "jwks_uri"),
        ({"logo_uri": "https://rp.test/a b"}, "logo_uri"),
        ({"default_resources": ["https://[::1/api"]}, "default_resources.0"),
        (
            {"refresh_token_lifetime": 100, "refresh_token_max_lifetime": 60},
            "refresh_token_max_lifetime",
        ),
        (
            {"subject_type": "pairwise", "redirect_uris": [CALLBACK, "https://b.example.com/cb"]},
            "sector_identifier",
        ),
        ({"default_acr_values": ["phr"]}, "default_acr_values.0"),
        ({"default_acr_values": [ONE_FACTOR, ""]}, "default_acr_values.1"),
        ({"default_resources": ["https://nobody.test/api"]}, "default_resources.0"),
        ({"grant_types": []}, "grant_types"),
        ({"grant_types": ["client_credentials"], "scopes": ["openid"]}, "scopes.0"),
        ({"type": "service", "scopes": ["reports", "email"]}, "scopes.1"),
        ({"contacts": ["ann@example.com", "nobody"]}, "contacts.1"),
        ({"allowed_origins": ["https://a.test:443"]}, "allowed_origins.0"),
        ({"allowed_origins": ["https://a.test:99999"]}, "allowed_origins.0"),
        ({"jwks": EC, "jwks_uri": "https://rp.test/jwks"}, "jwks_uri"),
        ({"jwks": P384, "token_endpoint_auth_method": "private_key_jwt"}, "jwks"),
        (
            {
                "jwks": EC,
                "token_endpoint_auth_method": "private_key_jwt",
                "token_endpoint_auth_alg": "RS256",
            },
            "jwks",
        ),
        ({"backchannel_logout_uri": "https://localhost/out"}, "backchannel_logout_uri"),
        ({"backchannel_logout_uri": "http://127.0.0.1:9/out"}, "backchannel_logout_uri"),
        ({"backchannel_logout_uri": "https://10.1.2.3/out"}, "backchannel_logout_uri"),
        ({"jwks_uri": "http://rp.example.com/jwks"}, "jwks_uri"),
        ({"claims_mapping": {"x": "user.email.domain"}}, "claims_mapping.x"),
        ({"claims_mapping": {"x": {"from": "user.email", "into": []}}}, "claims_mapping.x"),
        ({"claims_mapping": {"x": {"from": "user.email", "in": []}}}, "claims_mapping.x"),
    ],
)
async def test_a_wrong_client_is_refused(shared: World, fields: dict[str, Any], wrong: str) -> None:
    """Each mistake names its field."""
    with pytest.raises(Invalid) as error:
        await shared.client(**fields)

    assert wrong in named(error)


@pytest.mark.parametrize(
    "fields",
    [
        {"default_acr_values": [PASSWORD, MAIL]},
        {"grant_types": ["client_credentials"], "redirect_uris": []},
        {"contacts": ["ann@example.com"], "allowed_origins": ["http://localhost:443"]},
        {"jwks": EC, "token_endpoint_auth_method": "private_key_jwt"},
        {"jwks": P384},
        {"backchannel_logout_uri": "https://rp.example.com/out"},
        {"claims_mapping": {"x": "user.address.country", "y": "org.public_metadata.a.b"}},
        {"claims_mapping": {"x": {"from": "rights.roles", "in": ["id_token"]}}},
    ],
)
async def test_what_can_work_is_taken(shared: World, fields: dict[str, Any]) -> None:
    """The same rules accept valid clients."""
    made = await shared.client(**fields)

    assert made.model_dump(include=set(fields)) == fields


async def test_a_class_that_the_application_does_not_offer_is_refused(world: World) -> None:
    """The error names its place and the classes that are supported."""
    world.configure(world.app_id, auth_methods=["password"])
    with pytest.raises(Invalid) as error:
        await world.client(default_acr_values=[PASSWORD, MAIL])

    assert error.value.extra["errors"] == [
        field_error("default_acr_values.1", "acr_not_offered", offered=f"{ONE_FACTOR}, {PASSWORD}")
    ]


async def test_what_was_wrong_before_stops_no_other_change(world: World) -> None:
    """A client can be disabled although its application has changed since. New mistakes are
    refused, and old ones if their field changes."""
    client = await world.client(default_acr_values=[MAIL])
    world.configure(world.app_id, auth_methods=["password"])
    world.oidc.tenants.on_invalidation(world.app_id, "application", world.app_id)

    changed = await world.admin(UpdateClient(client=client.id, changes={"enabled": False}))
    wrong = {"contacts": ["nobody"], "default_acr_values": [PASSWORD, MAIL]}
    with pytest.raises(Invalid) as error:
        await world.admin(UpdateClient(client=client.id, changes=wrong))

    assert not changed.enabled
    assert named(error) == {"contacts.0", "default_acr_values.1"}


async def test_all_mistakes_are_named_at_once(shared: World) -> None:
    """Nobody has to try five times."""
    with pytest.raises(Invalid) as error:
        await shared.client(redirect_uris=["x", "y"], allowed_origins=["https://a.test/path"])

    assert named(error) == {"redirect_uris.0", "redirect_uris.1", "allowed_origins.0"}


async def test_a_change_keeps_what_it_does_not_name(shared: World) -> None:
    """Other fields stay. A change with a mistake is refused as a whole."""
    client = await shared.client(scopes=["openid", "email"])
    changed = await shared.admin(UpdateClient(client=client.id, changes={"name": "New"}))
    assert (changed.name, changed.scopes) == ("New", ["openid", "email"])
    with pytest.raises(Invalid):
        await shared.admin(UpdateClient(client=client.id, changes={"redirect_uris": ["x"]}))
    with pytest.raises(Invalid) as error:
        await shared.admin(UpdateClient(client=client.id, changes={"client_id": "mine"}))
    assert named(error) == {"client_id"}

    assert (await shared.admin(GetClient(client=client.id))).redirect_uris == [CALLBACK]


async def test_a_change_works_at_once_on_every_replica(shared: World) -> None:
    """Caches drop the client before the answer."""
    client, ann = await shared.client(), await shared.person()
    assert (await shared.authorize(client, ann)).kind == "redirect"
    other = "https://rp.example.com/other"
    await shared.replica.bus.call(
        shared.ctx(Caller("secret_key", "k", frozenset({"*"}))),
        UpdateClient(client=client.id, changes={"redirect_uris": [other]}),
    )

    assert (await shared.authorize(client, ann)).kind == "error"
    assert (await shared.authorize(client, ann, redirect_uri=other)).kind == "redirect"


async def test_a_rotated_secret_is_dead_at_once_or_later(shared: World) -> None:
    """With an overlap both secrets are valid. Without one the old secret is invalid at once, even
    if it was cached."""
    client = await shared.client(type="service", redirect_uris=[])
    grant: dict[str, Any] = {"grant_type": "client_credentials"}
    await shared.token(client, **grant)
    second = await shared.admin(RotateClientSecret(client=client.id, overlap=60))
    fresh = client.model_copy(update={"client_secret": second.client_secret})
    await shared.token(client, **grant)
    await shared.token(fresh, **grant)

    third = await shared.admin(RotateClientSecret(client=client.id))
    for dead in (client, fresh):
        with pytest.raises(InvalidClient):
            await shared.token(dead, **grant)
    assert await shared.token(
        client.model_copy(update={"client_secret": third.client_secret}), **grant
    )
    listed = (await shared.admin(ListClientSecrets(client=client.id))).secrets
    assert [one.id for one in listed] == [third.id]
    with pytest.raises(Conflict):
        await shared.admin(DeleteClientSecret(client=client.id, secret_id=third.id))


async def test_a_deleted_client_takes_its_grants_along(shared: World) -> None:
    """Foreign keys delete its grants, and the client is unknown at once."""
    client, ann = await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann)
    await shared.admin(DeleteClient(client=client.client_id))
    with pytest.raises(ClientNotFound):
        await shared.admin(GetClient(client=client.id))
    with pytest.raises(InvalidClient):
        await shared.refresh(client, tokens.refresh_token)

    left = await shared.owner.fetchval(
        "SELECT count(*) FROM token_families WHERE client_id = $1", client.client_id
    )
    assert left == 0


async def test_clients_are_listed_page_by_page(world: World) -> None:
    """Clients come in the order of creation. The cursor of another list is refused."""
    made = [(await world.client(name=f"C{n}")).id for n in range(5)]
    first = await world.admin(ListClients(limit=3))
    rest = await world.admin(ListClients(limit=3, cursor=first.next))

    assert [client.id for client in first.clients + rest.clients] == made
    assert rest.next is None
    with pytest.raises(BadRequest):
        await world.admin(ListClientGrants(client=made[0], cursor=first.next))


async def test_a_client_gets_no_permission_that_its_maker_lacks(shared: World) -> None:
    """A scope that stands for a permission needs the permission."""
    with pytest.raises(Forbidden):
        await shared.call(
            CreateClient(name="x", redirect_uris=[CALLBACK], scopes=["openid", "users:write"]),
            WRITER,
        )
    made = await shared.call(
        CreateClient(name="x", redirect_uris=[CALLBACK], scopes=["clients:write"]), WRITER
    )
    with pytest.raises(Forbidden):
        await shared.call(
            UpdateClient(client=made.id, changes={"scopes": ["clients:write", "users:read"]}),
            WRITER,
        )
    with pytest.raises(Forbidden):
        await shared.call(CreateScope(name="reading", permission_id="users:read"), WRITER)


async def test_administration_needs_its_permission(shared: World) -> None:
    """The permission to read does not allow changes."""
    reader = Caller("client", "client_reader", frozenset({"clients:read"}))
    await shared.call(ListClients(), reader)
    with pytest.raises(Forbidden):
        await shared.call(CreateClient(name="x", redirect_uris=[CALLBACK]), reader)


async def test_scopes_and_resources(world: World) -> None:
    """Names are unique, permissions must exist, and discovery lists the scopes."""
    api = await world.admin(CreateResource(identifier="https://api.test", name="API"))
    with pytest.raises(ResourceTaken):
        await world.admin(CreateResource(identifier="https://api.test", name="again"))
    with pytest.raises(Invalid):
        await world.admin(CreateResource(identifier="https://api.test#x", name="fragment"))
    scope = await world.admin(CreateScope(name="reports", resource_id=api.id))
    with pytest.raises(ScopeTaken):
        await world.admin(CreateScope(name="reports", resource_id=api.id))
    with pytest.raises(ScopeTaken):
        await world.admin(CreateScope(name="openid"))
    with pytest.raises(UnknownPermission):
        await world.admin(CreateScope(name="x", permission_id="no:such"))
    assert [one.name for one in (await world.admin(ListResources())).resources] == ["API"]
    assert "reports" in (await world.call(GetConfiguration())).model_dump()["scopes_supported"]

    await world.admin(DeleteScope(id=scope.id))
    assert (await world.admin(ListScopes())).scopes == []
    assert "reports" not in (await world.call(GetConfiguration())).model_dump()["scopes_supported"]


async def test_users_see_and_withdraw_what_they_allowed(shared: World) -> None:
    """Users see and withdraw their own consents only."""
    client, ann = await shared.client(first_party=False), await shared.person()
    asked = await shared.authorize(client, ann)
    await shared.resume(asked.request, ann, consent="allow")
    me = Caller("user", ann.user_id)
    mine = (await shared.call(ListMyGrants(), me)).grants
    assert [(grant.client_id, grant.scopes) for grant in mine] == [
        (client.client_id, ["openid", "email"])
    ]
    bob = Caller("user", (await shared.person()).user_id)
    with pytest.raises(ClientNotFound):
        await shared.call(RevokeMyGrant(client_id=client.client_id), bob)

    await shared.call(RevokeMyGrant(client_id=client.client_id), me)
    assert (await shared.call(ListMyGrants(), me)).grants == []


async def test_administrators_see_and_withdraw_what_a_user_allowed(shared: World) -> None:
    """Administrators see the grants of one user. Revoking one takes the user's tokens, and is
    recorded once."""
    client, ann = await shared.client(first_party=False), await shared.person()
    other = (await shared.person()).user_id
    asked = await shared.authorize(client, ann)
    await shared.resume(asked.request, ann, consent="allow")
    grants = (await shared.admin(ListUserGrants(user_id=ann.user_id))).grants
    assert [(one.client_id, one.user_id) for one in grants] == [(client.client_id, ann.user_id)]
    assert (await shared.admin(ListUserGrants(user_id=other))).grants == []
    with pytest.raises(UserNotFound):
        await shared.admin(ListUserGrants(user_id=new_id()))
    with pytest.raises(ClientNotFound):
        await shared.admin(RevokeUserGrant(user_id=other, client_id=client.client_id))
    with pytest.raises(Forbidden):
        await shared.call(RevokeUserGrant(user_id=other, client_id="x"), WRITER)
    assert (await shared.admin(ListUserGrants(user_id=ann.user_id))).grants == grants

    revoke = RevokeUserGrant(user_id=ann.user_id, client_id=client.client_id)
    before = len(await shared.events())
    await shared.admin(revoke)
    with pytest.raises(ClientNotFound):
        await shared.admin(revoke)
    assert (await shared.admin(ListUserGrants(user_id=ann.user_id))).grants == []
    assert [name for name, _ in (await shared.events())[before:]] == ["grant_revoked"]


async def test_pairwise_subjects(shared: World) -> None:
    """Subjects are equal within a sector and differ across sectors. They are never the user's id."""
    ann = await shared.person()
    pairwise = {"subject_type": "pairwise"}
    one, same = await shared.client(**pairwise), await shared.client(**pairwise)
    other = await shared.client(sector_identifier="other.example.com", **pairwise)
    subs = []
    for client in (one, same, other):
        tokens = await shared.tokens(client, ann)
        subs.append((await shared.claims(tokens.id_token, client.client_id))["sub"])

    assert subs[0] == subs[1] != subs[2]
    assert ann.user_id not in subs


async def test_mapped_claims(shared: World) -> None:
    """User metadata is in the tokens that the mapping names."""
    mapping = {
        "plan": "user.public_metadata.plan",
        "nick": {"from": "user.nickname", "in": ["id_token"]},
        "gone": "user.public_metadata.no.such",
    }
    client = await shared.client(claims_mapping=mapping)
    ann = await shared.person(public_metadata='{"plan": "gold"}', nickname="Annie")
    tokens = await shared.tokens(client, ann)
    id_token = await shared.claims(tokens.id_token, client.client_id)
    access = await shared.claims(tokens.access_token)

    assert (id_token["plan"], id_token["nick"]) == ("gold", "Annie")
    assert access["plan"] == "gold"
    assert not {"nick", "gone"} & access.keys()


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_client_chooses_its_algorithms(shared: World, alg: str) -> None:
    """The application gets a key when the first client needs it."""
    client = await shared.client(id_token_alg=alg, access_token_alg=alg, userinfo_alg=alg)
    tokens = await shared.tokens(client, await shared.person())

    assert (await shared.claims(tokens.id_token, client.client_id))["token_use"] == "id"
    assert (await shared.claims(tokens.access_token))["token_use"] == "access"


async def test_rights_travel_where_the_client_wants_them(shared: World) -> None:
    """With `include_rights`, access tokens have the user's roles and permissions."""
    client, ann = await shared.client(include_rights=True), await shared.person()
    shared.stand_ins.rbac.rights[ann.user_id] = Rights(roles=["admin"], permissions=["users:read"])
    access = await shared.claims((await shared.tokens(client, ann)).access_token)

    assert (access["roles"], access["permissions"]) == (["admin"], ["users:read"])


async def test_the_claims_parameter(shared: World) -> None:
    """Requested claims are in the ID token and at UserInfo (OpenID Connect Core 5.5)."""
    from common.contracts.userinfo import GetUserinfo

    client, ann = await shared.client(), await shared.person(nickname="Annie")
    wanted = '{"id_token": {"nickname": {"essential": true}}, "userinfo": {"name": null}}'
    tokens = await shared.tokens(client, ann, scope="openid", claims=wanted)
    id_token = await shared.claims(tokens.id_token, client.client_id)
    told = (await shared.call(GetUserinfo(token=tokens.access_token))).model_dump(exclude_none=True)

    assert id_token["nickname"] == "Annie"
    assert told == {"sub": ann.user_id, "name": "Ann Example"}


@pytest.mark.parametrize("identifier", ["https://[::1/x", "https://a.test:99999/", "x", "a:#"])
async def test_a_malformed_resource_identifier_is_refused(shared: World, identifier: str) -> None:
    """A malformed URI is refused and causes no error of ours (RFC 8707 section 2)."""
    with pytest.raises(Invalid) as error:
        await shared.admin(CreateResource(identifier=identifier, name="API"))

    assert named(error) == {"identifier"}


async def test_origins_of_clients_are_told_while_the_clients_are_enabled(world: World) -> None:
    """Gateways are told to read the origins again when they change."""
    system = Caller("system", None, frozenset({"*"}))

    async def told() -> list[str]:
        return sorted((await world.call(ListOrigins(), system)).origins)

    await world.client()
    assert "origin" not in {noun for _, noun, _ in world.invalidation.published}
    one = await world.client(allowed_origins=["https://a.test", "https://b.test"])
    two = await world.client(allowed_origins=["https://b.test", "https://c.test"])
    assert await told() == ["https://a.test", "https://b.test", "https://c.test"]
    await world.admin(UpdateClient(client=one.id, changes={"allowed_origins": []}))
    assert await told() == ["https://b.test", "https://c.test"]
    await world.admin(UpdateClient(client=two.id, changes={"enabled": False}))
    assert await told() == []
    assert sum(noun == "origin" for _, noun, _ in world.invalidation.published) == 4
    with pytest.raises(Forbidden):
        await world.admin(ListOrigins())


async def test_an_id_token_may_tell_no_more_than_was_asked(shared: World) -> None:
    """With `asked`, the ID token has only the user's claims that `claims` names. It is still a
    valid hint (OpenID Connect Core 5.4)."""
    client = await shared.client(id_token_claims="asked", scopes=["openid", "profile", "email"])
    ann = await shared.person()
    asked = {"scope": "openid profile email", "nonce": "n"}
    tokens = await shared.tokens(client, ann, **asked)
    told = await shared.claims(tokens.id_token, client.client_id)
    assert told.keys() == {
        *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "acr", "amr")
    }
    more = await shared.tokens(client, ann, claims='{"id_token": {"email": null}}', **asked)
    told_more = await shared.claims(more.id_token, client.client_id)
    assert told_more.keys() - told.keys() == {"email"}

    hinted = await shared.authorize(client, ann, prompt="none", id_token_hint=tokens.id_token)
    assert "code" in fields(hinted)


async def test_a_signed_userinfo_is_no_hint(shared: World) -> None:
    """It is a JWT of ours for the same client, but not an ID token."""
    client = await shared.client(userinfo_alg="RS256", id_token_claims="asked")
    ann = await shared.person()
    tokens = await shared.tokens(client, ann)
    told = await shared.call(GetUserinfo(token=tokens.access_token))

    answer = await shared.authorize(client, ann, prompt="none", id_token_hint=told.jwt)
    assert fields(answer)["error"] == "login_required"


async def test_the_active_organization_is_in_the_tokens_while_its_user_is_a_member(
    shared: World,
) -> None:
    """Tokens have `org_id` and `org_role`. After the membership ends, the next token does not."""
    client, ann = await shared.client(include_rights=True), await shared.person()
    org_id = ann.session.session_id[:-4] + "0f0f"
    for statement in (
        """INSERT INTO organization_roles (app_id, id, name) VALUES ($1, 'member', 'Member')
           ON CONFLICT DO NOTHING""",
        f"""INSERT INTO organizations (app_id, id, slug, name)
            VALUES ($1, '{org_id}', 'acme', 'Acme')""",
        f"""INSERT INTO organization_members (app_id, org_id, user_id)
            VALUES ($1, '{org_id}', '{ann.user_id}')""",
    ):
        await shared.owner.execute(statement, shared.app_id)
    shared.stand_ins.rbac.rights[ann.user_id] = Rights(org_permissions=["reports:read"])
    ann.session = ann.session.model_copy(update={"org_id": org_id})
    tokens = await shared.tokens(client, ann)
    access = await shared.claims(tokens.access_token)
    assert (access["org_id"], access["org_role"]) == (org_id, "member")
    assert access["org_permissions"] == ["reports:read"]
    assert (await shared.claims(tokens.id_token, client.client_id))["org_id"] == org_id

    await shared.owner.execute("DELETE FROM organization_members WHERE app_id = $1", shared.app_id)
    later = await shared.claims((await shared.refresh(client, tokens.refresh_token)).access_token)
    assert not {"org_id", "org_role", "org_permissions"} & later.keys()
