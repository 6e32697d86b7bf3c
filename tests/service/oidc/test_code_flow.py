"""The code flow from request to refresh: RFC 6749 section 4.1, OpenID Connect Core section 3.1."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.kit.factories import CALLBACK
from tests.kit.oauth import ORIGIN, basic_of, fields
from tests.kit.world import World

from common.contracts.oauth_errors import (
    InvalidClient,
    InvalidGrant,
    InvalidTarget,
    InvalidToken,
    OAuthError,
    UnsupportedGrantType,
)
from common.contracts.resources import CreateResource
from common.contracts.tokens import CheckAccessToken, IntrospectToken, Tokens
from common.contracts.userinfo import GetUserinfo
from oidc.jose import half_hash


async def test_a_code_gives_tokens_that_verify(shared: World) -> None:
    """ID token and access token verify with the published keys and have the required claims."""
    client, ann = await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann, nonce="n-1")

    id_token = await shared.claims(tokens.id_token, client.client_id)
    assert id_token["sub"] == ann.user_id
    assert id_token["nonce"] == "n-1"
    assert id_token["auth_time"] == int(ann.session.auth_time.timestamp())
    assert id_token["at_hash"] == half_hash("RS256", tokens.access_token)
    assert id_token["email"].endswith("@example.com")
    access = await shared.claims(tokens.access_token)
    assert access["client_id"] == client.client_id
    assert access["scope"] == "openid email" == tokens.scope
    assert access["app_id"] == shared.app_id
    assert access["sid"] == id_token["sid"]


async def test_userinfo_tells_what_the_scopes_allow(shared: World) -> None:
    """`sub` is that of the ID token. There is no claim beyond the scopes."""
    client, ann = await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann)
    told = (await shared.call(GetUserinfo(token=tokens.access_token))).model_dump(exclude_none=True)

    assert told.keys() == {"sub", "email", "email_verified"}
    assert told["sub"] == ann.user_id


@pytest.mark.fault("F27")
async def test_a_code_is_good_once_and_a_replay_ends_its_tokens(shared: World) -> None:
    """The second use is `invalid_grant`, and the tokens of the first use are revoked."""
    client, ann = await shared.client(), await shared.person()
    code = await shared.code(client, ann)
    tokens = await shared.redeem(client, code)
    await shared.call(CheckAccessToken(token=tokens.access_token))

    with pytest.raises(InvalidGrant):
        await shared.redeem(client, code)
    with pytest.raises(InvalidToken):
        await shared.call(CheckAccessToken(token=tokens.access_token))
    with pytest.raises(InvalidGrant):
        await shared.refresh(client, tokens.refresh_token)
    assert "authorization_code_reused" in await shared.event_types()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET disabled = true WHERE id = $1",
        "UPDATE user_sessions SET revoked_at = now() WHERE user_id = $1",
        "UPDATE user_sessions SET expires_at = now() WHERE user_id = $1",
        "UPDATE user_sessions SET idle_expires_at = now() WHERE user_id = $1",
        "DELETE FROM user_sessions WHERE user_id = $1",
        "DELETE FROM users WHERE id = $1",
    ],
)
async def test_a_code_is_for_somebody_who_is_still_there(shared: World, statement: str) -> None:
    """A user, session or client that ended after the code was issued gives no tokens."""
    client, ann = await shared.client(), await shared.person()
    code = await shared.code(client, ann, scope="openid offline_access")
    await shared.owner.execute(statement, ann.user_id)

    with pytest.raises(InvalidGrant):
        await shared.redeem(client, code)


async def test_a_code_is_for_the_apis_it_was_asked_for(shared: World) -> None:
    """Only granted resources may be requested. A refused request does not use the code up (RFC 8707
    section 2.2)."""
    for name in ("a", "b", "c"):
        request = CreateResource(identifier=f"https://{name}.code.test", name=name)
        await shared.admin(request)
    client, ann = await shared.client(), await shared.person()
    both = ("resource", "https://b.code.test")
    answer = await shared.authorize(client, ann, both, resource="https://a.code.test")
    code = fields(answer)["code"]
    with pytest.raises(InvalidTarget):
        await shared.redeem(client, code, resource="https://c.code.test")

    tokens = await shared.redeem(client, code, resource="https://b.code.test")
    told = await shared.claims(tokens.access_token, "https://b.code.test")
    assert told["aud"] == "https://b.code.test"
    later = await shared.refresh(client, tokens.refresh_token)
    told = await shared.claims(later.access_token, "https://a.code.test")
    assert told["aud"] == ["https://a.code.test", "https://b.code.test"]


@pytest.mark.fault("F27")
async def test_fifty_parallel_redemptions_give_one_answer(shared: World) -> None:
    """Exactly one of fifty requests gets tokens."""
    client, ann = await shared.client(), await shared.person()
    code = await shared.code(client, ann)
    outcomes = await asyncio.gather(
        *(shared.redeem(client, code) for _ in range(50)), return_exceptions=True
    )

    assert sum(isinstance(outcome, Tokens) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, InvalidGrant) for outcome in outcomes) == 49


@pytest.mark.parametrize(
    "wrong",
    [
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": None},
        {"code_verifier": "w" * 43},
        {"code_verifier": "short"},
    ],
)
async def test_a_code_is_bound_to_its_request(shared: World, wrong: dict[str, Any]) -> None:
    """Another redirect URI or verifier is refused, and the attempt uses the code up."""
    client, ann = await shared.client(), await shared.person()
    code = await shared.code(client, ann)
    with pytest.raises(InvalidGrant):
        await shared.redeem(client, code, **wrong)
    if wrong.get("code_verifier") != "short":
        with pytest.raises(InvalidGrant):
            await shared.redeem(client, code)


async def test_a_verifier_for_a_code_without_challenge_is_refused(shared: World) -> None:
    """An attacker cannot remove PKCE from the request and send a verifier later."""
    client, ann = await shared.client(require_pkce=False), await shared.person()
    code = await shared.code(client, ann, code_challenge=None, code_challenge_method=None)

    with pytest.raises(InvalidGrant):
        await shared.redeem(client, code)


async def test_a_client_without_pkce_redeems_without_verifier(shared: World) -> None:
    """With `require_pkce` false, the code still needs the client's secret."""
    client, ann = await shared.client(require_pkce=False), await shared.person()
    code = await shared.code(client, ann, code_challenge=None, code_challenge_method=None)

    assert (await shared.redeem(client, code, code_verifier=None)).id_token


async def test_another_clients_code_is_unknown_to_it(shared: World) -> None:
    """The attempt does not use the code up for its owner."""
    client, other, ann = await shared.client(), await shared.client(), await shared.person()
    code = await shared.code(client, ann)
    with pytest.raises(InvalidGrant):
        await shared.redeem(other, code)

    assert await shared.redeem(client, code)


async def test_refresh_gives_a_successor(shared: World) -> None:
    """The old token is replaced. Subject and audience of the ID token stay."""
    client, ann = await shared.client(), await shared.person()
    first = await shared.tokens(client, ann, nonce="n")
    second = await shared.refresh(client, first.refresh_token)

    assert second.refresh_token != first.refresh_token
    claims = await shared.claims(second.id_token, client.client_id)
    assert claims["sub"] == ann.user_id
    assert "nonce" not in claims
    assert (await shared.refresh(client, second.refresh_token)).access_token


async def test_the_event_says_whose_token_it_was(shared: World) -> None:
    """The audit record, its message and the activity name the user, whom only the statement knew."""
    client, ann = await shared.client(), await shared.person()
    first = await shared.tokens(client, ann)
    await shared.refresh(client, first.refresh_token)
    rows = await shared.owner.fetch(
        "SELECT event_type, user_id, session_id FROM audit_logs WHERE user_id = $1 ORDER BY id",
        ann.user_id,
    )
    sent = await shared.owner.fetch(
        """SELECT convert_from(payload, 'UTF8')::jsonb ->> 'user_id' AS user_id, event_type
           FROM audit_outbox WHERE convert_from(payload, 'UTF8')::jsonb ->> 'user_id' = $1""",
        ann.user_id,
    )

    assert [row["event_type"] for row in rows] == ["token_issued"]
    assert {row["session_id"] for row in rows} == {ann.session.session_id}
    assert [row["event_type"] for row in sent] == ["token_issued"]
    noted = [(made.event_type, made.session_id) for made in shared.activity_of(ann.user_id)]
    assert noted == [
        ("authorization_granted", ann.session.session_id),
        ("token_refreshed", ann.session.session_id),
    ]


async def test_the_password_grant_is_not_there(shared: World) -> None:
    """The grant type is unsupported."""
    with pytest.raises(UnsupportedGrantType):
        await shared.token(await shared.client(), grant_type="password", username="a", password="b")


async def test_client_credentials_give_a_token_of_the_client(shared: World) -> None:
    """There is no user and no refresh token. Without `scope` the token has all registered scopes."""
    client = await shared.client(type="service", redirect_uris=[], scopes=["users:read", "reports"])
    tokens = await shared.token(client, grant_type="client_credentials")

    assert tokens.refresh_token is None
    assert tokens.scope == "users:read reports"
    held = await shared.call(CheckAccessToken(token=tokens.access_token))
    assert held.user_id is None
    assert held.permissions == ["users:read"]


async def test_a_wrong_secret_is_invalid_client(shared: World) -> None:
    """An unknown client gets the same error."""
    client = await shared.client()
    wrong = client.model_copy(update={"client_secret": "cs_wrong"})
    for presented in (wrong, client.model_copy(update={"client_id": "client_nobody"})):
        with pytest.raises(InvalidClient):
            await shared.token(presented, grant_type="authorization_code", code="x")


async def test_two_ways_of_authentication_are_refused(shared: World) -> None:
    """A method that is not the registered one is `invalid_client`."""
    client = await shared.client(token_endpoint_auth_method="client_secret_basic")
    with pytest.raises(OAuthError, match="more than one"):
        await shared.token(
            client, grant_type="authorization_code", code="x", client_secret=client.client_secret
        )
    posted = client.model_copy(update={"client_secret": None})
    with pytest.raises(InvalidClient):
        await shared.token(
            posted, grant_type="authorization_code", code="x", client_secret=client.client_secret
        )


async def test_a_client_has_one_name_in_a_request(shared: World) -> None:
    """The header and `client_id` must name the same client (RFC 6749 section 2.3.1)."""
    client, other, ann = await shared.client(), await shared.client(), await shared.person()
    code = await shared.code(client, ann)
    with pytest.raises(OAuthError) as error:
        await shared.redeem(client, code, client_id=other.client_id)
    assert error.value.code == "invalid_request"

    assert await shared.redeem(client, code, client_id=client.client_id)


async def test_the_response_names_its_issuer_and_state(shared: World) -> None:
    """The response has `iss`, and `state` byte for byte."""
    client, ann = await shared.client(), await shared.person()
    state = "ü&= %20+" * 200
    answer = fields(await shared.authorize(client, ann, state=state))

    assert answer["iss"] == ORIGIN
    assert answer["state"] == state


@pytest.mark.parametrize("kind", ["jwt", "opaque"])
async def test_no_scope_is_left_out(shared: World, kind: str) -> None:
    """RFC 6749 appendix A.4 has no empty scope: the member is missing in answer, token and
    introspection."""
    client = await shared.client(
        grant_types=["client_credentials"],
        redirect_uris=[],
        scopes=[],
        access_token_format=kind,
    )
    tokens = await shared.token(client, grant_type="client_credentials")
    assert tokens.scope is None

    if kind == "jwt":
        assert "scope" not in await shared.claims(tokens.access_token)
    assert client.client_secret is not None
    told = await shared.call(
        IntrospectToken(
            params=[("token", tokens.access_token)],
            basic=basic_of(client.client_id, client.client_secret),
        )
    )
    assert told.active
    assert "scope" not in told.model_dump()
    assert (await shared.call(CheckAccessToken(token=tokens.access_token))).scopes == []
