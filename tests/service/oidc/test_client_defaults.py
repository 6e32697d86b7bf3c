"""A client created with a name and redirect URIs works with stock libraries. Further fields make it
stricter, and never looser than RFC 9700 allows."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.kit.factories import CALLBACK
from tests.kit.oauth import basic_of, fields
from tests.kit.world import World

from common.contracts.clients import CreateClient, NewClient, UpdateClient
from common.contracts.oauth_errors import InvalidClient, InvalidGrant, OAuthError
from common.contracts.tokens import ExchangeToken
from common.problems import Invalid

BARE: dict[str, Any] = {"code_challenge": None, "code_challenge_method": None}


async def stock(world: World, **fields: Any) -> NewClient:
    made = await world.admin(CreateClient(name="Stock", redirect_uris=[CALLBACK], **fields))
    assert isinstance(made, NewClient)
    return made


@pytest.mark.parametrize(
    ("registered", "sent", "error"),
    [
        ({}, {"nonce": "n"}, None),
        ({}, {}, "invalid_request"),
        ({}, {"nonce": ""}, "invalid_request"),
        ({}, {"nonce": "n", "scope": "email"}, "invalid_request"),
        ({}, {"nonce": "n", "scope": None}, "invalid_request"),
        ({"require_pkce": True}, {"nonce": "n"}, "invalid_request"),
        ({"require_pkce": False}, {}, None),
        ({"type": "spa"}, {"nonce": "n"}, "invalid_request"),
        ({"type": "native"}, {"nonce": "n"}, "invalid_request"),
        ({"token_endpoint_auth_method": "none"}, {"nonce": "n"}, "invalid_request"),
    ],
)
async def test_when_pkce_may_be_left_out(
    shared: World, registered: dict[str, Any], sent: dict[str, Any], error: str | None
) -> None:
    """A confidential client of OpenID Connect may use its nonce instead (RFC 9700 section 2.1.1)."""
    client = await stock(shared, **registered)

    told = fields(await shared.authorize(client, await shared.person(), **BARE | sent))

    assert told.get("error") == error
    assert ("code" in told) == (error is None)


async def test_a_challenge_that_was_sent_counts(shared: World) -> None:
    """A client that may leave PKCE out, and uses it, cannot be made to redeem without it."""
    client, ann = await stock(shared), await shared.person()

    code = await shared.code(client, ann, nonce="n")
    with pytest.raises(InvalidGrant):
        await shared.redeem(client, code, code_verifier=None)

    code = await shared.code(client, ann, nonce="n", **BARE)
    with pytest.raises(InvalidGrant):
        await shared.redeem(client, code)


async def test_a_client_made_strict_refuses_codes_without_a_challenge(shared: World) -> None:
    client, ann = await stock(shared), await shared.person()
    code = await shared.code(client, ann, nonce="n", **BARE)

    await shared.admin(UpdateClient(client=client.id, changes={"require_pkce": True}))

    with pytest.raises(OAuthError):
        await shared.redeem(client, code, code_verifier=None)


@pytest.mark.parametrize("type", ["spa", "native"])
async def test_a_public_client_cannot_be_freed_of_pkce(shared: World, type: str) -> None:
    for method in (None, "none"):
        with pytest.raises(Invalid) as refused:
            await stock(shared, type=type, require_pkce=False, token_endpoint_auth_method=method)
        assert [error["field"] for error in refused.value.extra["errors"]] == ["require_pkce"]


@pytest.mark.parametrize(
    ("method", "by_basic", "by_body"),
    [
        (None, True, True),
        ("client_secret_basic", True, False),
        ("client_secret_post", False, True),
        ("client_secret_jwt", False, False),
    ],
)
async def test_how_a_secret_may_be_sent(
    shared: World, method: str | None, by_basic: bool, by_body: bool
) -> None:
    """Without a registered method both ways work. With one only that way does."""
    client = await stock(shared, token_endpoint_auth_method=method)
    assert client.client_secret is not None
    ann = await shared.person()
    named = [("client_id", client.client_id)]
    secret = [*named, ("client_secret", client.client_secret)]
    wrong = [*named, ("client_secret", client.client_secret + "x")]
    ways: list[tuple[list[tuple[str, str]], str | None, bool]] = [
        ([], basic_of(client.client_id, client.client_secret), by_basic),
        (secret, None, by_body),
        ([], basic_of(client.client_id, "wrong"), False),
        (wrong, None, False),
        (named, None, False),
    ]
    for params, basic, works in ways:
        code = await shared.code(client, ann)
        given = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", "v" * 43),
        ]
        request = ExchangeToken(params=given + params, basic=basic)
        if works:
            assert (await shared.call(request)).access_token
        else:
            with pytest.raises(InvalidClient):
                await shared.call(request)


async def test_two_ways_at_once_are_refused(shared: World) -> None:
    client = await stock(shared)
    assert client.client_secret is not None
    given = [("grant_type", "client_credentials"), ("client_secret", client.client_secret)]
    with pytest.raises(OAuthError, match="more than one method"):
        await shared.call(
            ExchangeToken(params=given, basic=basic_of(client.client_id, client.client_secret))
        )


async def test_a_client_of_ones_own_asks_for_no_consent(shared: World) -> None:
    """Consent is asked for only if the client is not first-party."""
    ann = await shared.person()
    assert "code" in fields(await shared.authorize(await stock(shared), ann))

    asked = await shared.authorize(await stock(shared, first_party=False), ann)
    assert asked.kind == "consent"


def request_object(payload: object, *, signature: str = "") -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, payload)]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, signature])


@pytest.mark.parametrize("signature", ["", "c2ln"])
@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
async def test_a_refused_request_object_is_answered_as_it_asks(
    shared: World, mode: str, signature: str
) -> None:
    client = await stock(shared)
    inside = {"response_mode": mode, "state": "inside", "nonce": "n", "redirect_uri": "https://x"}
    answer = await shared.authorize(
        client, None, state=None, request=request_object(inside, signature=signature), **BARE
    )

    assert answer.kind == ("form_post" if mode == "form_post" else "redirect")
    assert answer.location is not None
    assert answer.location.startswith(CALLBACK)
    assert ("#" in answer.location) == (mode == "fragment")
    told = fields(answer)
    assert (told["error"], told["state"]) == ("request_not_supported", "inside")
    assert told.keys() == {"error", "error_description", "state", "iss"}


@pytest.mark.parametrize(
    "request_",
    [
        request_object({"response_mode": ["form_post"], "state": 5}),
        request_object({"response_mode": "web_message", "state": ""}),
        request_object({"response_mode": {}, "state": None}),
        request_object([1]),
        request_object("x"),
        "e30." + base64.urlsafe_b64encode(b"[" * 9000).decode() + ".",
        request_object({"state": "s" * 20_000}),
        "e30.A.",
        "e30.\u00e9.",
        "e30",
        "a.b.c.d.e",
        "...",
    ],
)
async def test_a_request_object_that_cannot_be_read_changes_nothing(
    shared: World, request_: str
) -> None:
    answer = await shared.authorize(await stock(shared), None, request=request_)

    assert answer.kind == "redirect"
    told = fields(answer)
    assert (told["error"], told["state"]) == ("request_not_supported", "st")
