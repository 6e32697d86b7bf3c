"""Request objects (RFC 9101): what the client has signed counts, and nothing before that is proven."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio
from tests.kit.client_keys import ClientKey
from tests.kit.factories import CALLBACK, Person
from tests.kit.oauth import ORIGIN, fields
from tests.kit.postgres import Postgres
from tests.kit.world import World
from tests.service.oidc.conftest import start_world

from common.contracts.authorization import Authorization, Authorize
from common.contracts.authorization_check import CheckAuthorizationUrl
from common.contracts.clients import NewClient
from common.contracts.oauth_errors import InvalidRequestObject, OAuthError
from common.contracts.pushed_requests import PushAuthorization
from common.problems import Invalid
from common.testing import LocalBus

KEY = ClientKey()
AT_CALLBACK = {"redirect_uri": CALLBACK}


@pytest_asyncio.fixture(scope="module")
async def shared(postgres: Postgres) -> AsyncIterator[World]:
    """An application that takes pushed and signed requests, and signs responses."""
    name = postgres.clone()
    world = await start_world(postgres.dsns(name))
    world.app_id = await world.application(
        pushed_authorization_requests=True,
        request_objects=True,
        signed_authorization_responses=True,
    )
    yield world
    await world.close()
    postgres.drop(name)


async def signing_client(world: World, key: ClientKey = KEY, **more: Any) -> NewClient:
    return await world.client(jwks=key.jwks, **more)


def signed(world: World, client: NewClient, key: ClientKey = KEY, **changes: Any) -> str:
    """Returns a valid request object, but for the changes."""
    return key.request_object(world.request(client), ORIGIN, **changes)


async def send(
    world: World,
    client: NewClient,
    request_object: str,
    person: Person | None = None,
    *,
    bus: LocalBus | None = None,
    outside: dict[str, str] | None = None,
) -> Authorization:
    params = {"client_id": client.client_id, "request": request_object} | (outside or {})
    session = person.session if person else None
    call = Authorize(params=list(params.items()), session=session)
    answer = await (bus or world.bus).call(world.ctx(), call)
    assert isinstance(answer, Authorization)
    return answer


def refused(answer: Authorization) -> str | None:
    """Returns the error of a page that is shown to the user: nobody is redirected."""
    assert (answer.kind, answer.location) == ("error", None)
    return answer.error


@pytest.mark.parametrize("typ", ["oauth-authz-req+jwt", "application/oauth-authz-req+jwt", "JWT"])
@pytest.mark.parametrize("alg", ["ES256", "PS256", "RS256", "EdDSA"])
async def test_the_parameters_inside_count(shared: World, alg: str, typ: str) -> None:
    key, ann = ClientKey(alg), await shared.person()
    client = await signing_client(shared, key)
    request_object = signed(shared, client, key, typ=typ, state="inside")

    answer = fields(await send(shared, client, request_object, ann))
    assert answer["state"] == "inside"
    assert (await shared.redeem(client, answer["code"])).id_token


async def test_what_differs_outside_does_not_count(shared: World) -> None:
    """Only client_id has to agree. A parameter that is outside alone is in no answer."""
    client, ann = await signing_client(shared), await shared.person()
    outside = {"redirect_uri": "https://evil.example", "scope": "openid phone", "state": "evil"}
    answer = await send(shared, client, signed(shared, client, state=None), ann, outside=outside)
    assert str(answer.location).startswith(CALLBACK)
    assert "state" not in fields(answer)


async def test_values_are_those_of_json(shared: World) -> None:
    """Numbers, objects and lists in the object are what their texts would be in an address."""
    client, ann = await signing_client(shared), await shared.person()
    claims = {"id_token": {"email": None}}
    request_object = signed(shared, client, max_age=3600, claims=claims, unknown=[1])
    answer = fields(await send(shared, client, request_object, ann))
    assert (await shared.redeem(client, answer["code"])).id_token


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example"},
        {"aud": None},
        {"aud": [ORIGIN, "https://other.example"]},
        {"iss": "somebody"},
        {"iss": None},
        {"client_id": "somebody"},
        {"client_id": None},
        {"exp": 1},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 2**33},
        {"nbf": 2**33},
        {"iat": 2**33},
        {"jti": 7},
        {"jti": "x", "exp": None},
        {"request": "e30.e30.e30"},
        {"request_uri": "https://rp.example.com/r"},
        {"state": "\0"},
        {"typ": "at+jwt"},
        {"typ": "client-authentication+jwt"},
    ],
    ids=str,
)
async def test_a_wrong_object_is_an_error_page(shared: World, changes: dict[str, Any]) -> None:
    """Nothing says where an answer could go."""
    client = await signing_client(shared)
    answer = await send(shared, client, signed(shared, client, **changes), outside=AT_CALLBACK)
    assert refused(answer) == "invalid_request_object"


async def test_it_is_no_client_assertion(shared: World) -> None:
    """An object whose sub is the client could authenticate it, and browsers see the object."""
    client = await signing_client(shared)
    answer = await send(shared, client, signed(shared, client, sub=client.client_id))
    assert refused(answer) == "invalid_request_object"


async def test_alg_none_is_refused(shared: World) -> None:
    client = await signing_client(shared)
    claims = shared.request(client) | {"iss": client.client_id, "aud": ORIGIN}
    unsigned = jwt.encode(claims, "", "none")
    for request_object in (unsigned, unsigned + "e30"):
        assert refused(await send(shared, client, request_object)) == "invalid_request_object"


async def test_the_registered_algorithm_is_the_only_one(shared: World) -> None:
    ps256, es256 = ClientKey("PS256", "p"), ClientKey("ES256", "e")
    both = {"keys": [*ps256.jwks["keys"], *es256.jwks["keys"]]}
    client = await shared.client(jwks=both, request_object_signing_alg="PS256")
    answer = await send(shared, client, signed(shared, client, es256))
    assert refused(answer) == "invalid_request_object"
    assert (await send(shared, client, signed(shared, client, ps256))).kind == "sign_in"


async def test_the_key_of_another_client_is_refused(shared: World) -> None:
    client = await signing_client(shared)
    answer = await send(shared, client, signed(shared, client, ClientKey()))
    assert refused(answer) == "invalid_request_object"


async def test_the_secret_is_no_key(shared: World) -> None:
    """HS256 with the public key, or with the secret, is not among the algorithms."""
    client = await signing_client(shared)
    claims = shared.request(client) | {"iss": client.client_id, "aud": ORIGIN}
    forged = jwt.encode(claims, "x" * 40, "HS256", headers={"kid": "k1"})
    assert refused(await send(shared, client, forged)) == "invalid_request_object"


@pytest.mark.parametrize("mode", ["jwt", "form_post", "fragment"])
async def test_a_forged_object_chooses_no_response_mode(shared: World, mode: str) -> None:
    client = await signing_client(shared)
    forged = signed(shared, client, ClientKey(), response_mode=mode)
    answer = await send(shared, client, forged, outside=AT_CALLBACK)
    assert refused(answer) == "invalid_request_object"


async def test_a_proven_object_chooses_it(shared: World) -> None:
    """A request that is refused after that has its error inside the JWT."""
    client = await signing_client(shared)
    wrong = signed(shared, client, response_mode="jwt", scope="openid phone")
    answer = fields(await send(shared, client, wrong))
    assert answer.keys() == {"response"}
    claims = await shared.claims(answer["response"], client.client_id)
    assert claims["error"] == "invalid_scope"


async def test_both_parameters_are_refused(shared: World) -> None:
    client = await signing_client(shared)
    for uri in ("urn:ietf:params:oauth:request_uri:x", "https://rp.example.com/r"):
        answer = await send(shared, client, signed(shared, client), outside={"request_uri": uri})
        assert refused(answer) == "invalid_request"


@pytest.mark.parametrize("objects", [True, False])
async def test_an_address_is_never_called(shared: World, objects: bool) -> None:
    """`request_uri` by reference is refused, with and without request objects (CVE-2020-10770)."""
    world = shared
    if not objects:
        world.app_id, before = await world.application(), world.app_id
    client = await signing_client(world)
    answer = await world.authorize(client, None, request_uri="http://169.254.169.254")
    if not objects:
        world.app_id = before
    assert fields(answer)["error"] == "request_uri_not_supported"


async def test_a_jti_makes_one_code(shared: World) -> None:
    """A reload before sign-in continues. After the code, the object is an error page."""
    client, ann = await signing_client(shared), await shared.person()
    request_object = signed(shared, client, jti="once")
    first = await send(shared, client, request_object)
    second = await send(shared, client, request_object)
    assert (first.kind, second.kind) == ("sign_in", "sign_in")
    assert "code" in fields(await shared.resume(second.request, await shared.person()))
    assert (await shared.resume(first.request, await shared.person())).error == "sign_in_over"
    assert refused(await send(shared, client, request_object, ann)) == "invalid_request_object"


async def test_two_replicas_note_one_jti(shared: World) -> None:
    client, ann = await signing_client(shared), await shared.person()
    request_object = signed(shared, client, jti="at once")
    buses = [shared.bus, shared.replica.bus] * 3
    answers = await asyncio.gather(
        *(send(shared, client, request_object, ann, bus=bus) for bus in buses)
    )
    assert sum(answer.kind == "redirect" for answer in answers) == 1


async def test_without_jti_it_is_like_any_address(shared: World) -> None:
    client, ann = await signing_client(shared), await shared.person()
    request_object = signed(shared, client)
    for _ in range(2):
        assert "code" in fields(await send(shared, client, request_object, ann))


async def test_a_pushed_object_is_used_up(shared: World) -> None:
    """The object is proven when it is pushed. Its `jti` is noted with the same statement."""
    client, ann = await signing_client(shared, type="spa"), await shared.person()
    params = [("client_id", client.client_id), ("state", "outside")]
    params.append(("request", signed(shared, client, jti="pushed", state="inside")))
    pushed = await shared.call(PushAuthorization(params=params))
    outside = [("client_id", client.client_id), ("request_uri", pushed.request_uri)]
    answer = await shared.call(Authorize(params=outside, session=ann.session))
    assert fields(answer)["state"] == "inside"
    with pytest.raises(InvalidRequestObject, match="used before"):
        await shared.call(PushAuthorization(params=params))


async def test_a_client_may_demand_a_signature(shared: World) -> None:
    """Neither an address nor a pushed request without an object is enough (section 10.5)."""
    client = await signing_client(shared, type="spa", require_signed_request_object=True)
    ann = await shared.person()
    assert fields(await shared.authorize(client, ann))["error"] == "invalid_request"
    plain = list(shared.request(client).items())
    with pytest.raises(OAuthError, match="sign"):
        await shared.call(PushAuthorization(params=plain))
    opened = await send(shared, client, signed(shared, client))
    assert "code" in fields(await shared.resume(opened.request, await shared.person()))


async def test_without_keys_or_setting_objects_are_not_supported(shared: World) -> None:
    """The error goes to the client, as before."""
    client = await shared.client()
    answer = await send(shared, client, "e30.e30.", outside=shared.request(client))
    assert fields(answer)["error"] == "request_not_supported"
    with pytest.raises(Invalid) as wrong:
        await shared.client(require_signed_request_object=True)
    assert wrong.value.extra["errors"][0]["code"] == "signed_requests_need_keys"
    with pytest.raises(Invalid) as wrong:
        await signing_client(shared, request_object_signing_alg="RS256")
    assert wrong.value.extra["errors"][0]["code"] == "algorithm_without_key"


async def test_the_checker_proves_objects(shared: World) -> None:
    client = await signing_client(shared)
    url = f"{ORIGIN}/oauth2/authorize?client_id={client.client_id}&request="
    good = await shared.admin(CheckAuthorizationUrl(url=url + signed(shared, client)))
    assert good.accepted
    forged = await shared.admin(
        CheckAuthorizationUrl(url=url + signed(shared, client, ClientKey()))
    )
    refusal = next(rule for rule in forged.rules if rule.outcome == "refused")
    assert (refusal.rule, forged.error_goes_to) == ("signed_request", "user")
