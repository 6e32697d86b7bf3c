"""Pushed authorization requests (RFC 9126): what is pushed counts, for one code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.kit.client_keys import ClientKey
from tests.kit.factories import CALLBACK, Person
from tests.kit.oauth import ORIGIN, basic_of, fields
from tests.kit.postgres import Postgres
from tests.kit.round_trips import recorded_round_trips
from tests.kit.world import World
from tests.service.oidc.conftest import start_world

from common.contracts.authorization import Authorization, Authorize
from common.contracts.authorization_check import CheckAuthorizationUrl
from common.contracts.clients import NewClient, UpdateClient
from common.contracts.oauth_errors import (
    InvalidClient,
    InvalidRequestUri,
    OAuthError,
    PushedRequestsAreOff,
    SignInOver,
)
from common.contracts.pushed_requests import PushAuthorization, PushedAuthorization
from common.problems import Invalid
from common.sweeps import sweep
from common.testing import LocalBus
from oidc.queries.sweeps import EXPIRED

PUSHED = "urn:ietf:params:oauth:request_uri:"


@pytest_asyncio.fixture(scope="module")
async def shared(postgres: Postgres) -> AsyncIterator[World]:
    """An application that takes pushed requests."""
    name = postgres.clone()
    world = await start_world(postgres.dsns(name))
    world.app_id = await world.application(pushed_authorization_requests=True, request_objects=True)
    yield world
    await world.close()
    postgres.drop(name)


async def push(
    world: World, client: NewClient, *more: tuple[str, str], **params: Any
) -> PushedAuthorization:
    """Pushes a valid request, with Basic authentication if the client has a secret."""
    sent = list(world.request(client, **params).items()) + list(more)
    basic = basic_of(client.client_id, client.client_secret) if client.client_secret else None
    pushed = await world.call(PushAuthorization(params=sent, basic=basic))
    assert isinstance(pushed, PushedAuthorization)
    return pushed


async def visit(
    world: World,
    client_id: str,
    request_uri: str,
    person: Person | None,
    *,
    bus: LocalBus | None = None,
    outside: dict[str, str] | None = None,
) -> Authorization:
    """Comes with the name of a pushed request, as a browser does."""
    params = {"client_id": client_id, "request_uri": request_uri} | (outside or {})
    session = person.session if person else None
    call = Authorize(params=list(params.items()), session=session)
    answer = await (bus or world.bus).call(world.ctx(), call)
    assert isinstance(answer, Authorization)
    return answer


async def move_back(world: World, client: NewClient, seconds: int) -> None:
    """Makes every request of a client older."""
    await world.owner.execute(
        "UPDATE authorization_requests SET expires_at = expires_at - make_interval(secs => $2),"
        " visited_at = visited_at - make_interval(secs => $2) WHERE client_id = $1",
        client.client_id,
        seconds,
    )


async def test_the_pushed_parameters_lead_to_a_code(shared: World) -> None:
    """The answer is that of section 2.2, and the code is redeemed as any other."""
    client, ann = await shared.client(), await shared.person()
    pushed = await push(shared, client, state="mine")

    assert pushed.request_uri.startswith(PUSHED)
    assert len(pushed.request_uri.removeprefix(PUSHED)) >= 43  # 256 bits
    assert pushed.expires_in == 60
    answer = fields(await visit(shared, client.client_id, pushed.request_uri, ann))
    assert answer["state"] == "mine"
    assert (await shared.redeem(client, answer["code"])).id_token


async def test_what_is_stored_names_nothing(shared: World) -> None:
    """The row has a hash of the name, and no credential of the client."""
    client = await shared.client(token_endpoint_auth_method="client_secret_post")
    sent = [*shared.request(client).items(), ("client_secret", client.client_secret or "")]
    pushed = await shared.call(PushAuthorization(params=sent))

    row = await shared.owner.fetchrow(
        "SELECT * FROM authorization_requests WHERE client_id = $1", client.client_id
    )
    assert row is not None
    assert client.client_secret
    assert client.client_secret not in str(dict(row))
    assert pushed.request_uri.removeprefix(PUSHED) not in str(dict(row))


async def test_it_opens_twice_before_sign_in_and_makes_one_code(shared: World) -> None:
    """A reload continues. Of both requests, one gets the code."""
    client = await shared.client()
    pushed = await push(shared, client)

    first = await visit(shared, client.client_id, pushed.request_uri, None)
    second = await visit(shared, client.client_id, pushed.request_uri, None)
    assert (first.kind, second.kind) == ("sign_in", "sign_in")
    assert "code" in fields(await shared.resume(second.request, await shared.person()))
    late = await shared.resume(first.request, await shared.person())
    assert (late.kind, late.error) == ("error", SignInOver.code)


async def test_two_replicas_make_one_code(shared: World) -> None:
    """Browsers come to both at once with one name."""
    client, ann = await shared.client(), await shared.person()
    pushed = await push(shared, client)
    buses = [shared.bus, shared.replica.bus] * 3
    answers = await asyncio.gather(
        *(visit(shared, client.client_id, pushed.request_uri, ann, bus=bus) for bus in buses)
    )

    assert sum(answer.kind == "redirect" for answer in answers) == 1
    assert {answer.kind for answer in answers} == {"redirect", "error"}
    count = "SELECT count(*) FROM authorization_codes WHERE client_id = $1"
    assert await shared.owner.fetchval(count, client.client_id) == 1


async def test_opened_in_time_it_waits_for_the_user(shared: World) -> None:
    """After the first visit, sign-in may take as long as with any other request, and a reload works. The
    sweep leaves it alone."""
    client = await shared.client()
    pushed = await push(shared, client)
    opened = await visit(shared, client.client_id, pushed.request_uri, None)
    await move_back(shared, client, 300)
    await sweep(shared.sweep_db, EXPIRED)

    again = await visit(shared, client.client_id, pushed.request_uri, None)
    assert again.kind == "sign_in"
    assert "code" in fields(await shared.resume(opened.request, await shared.person()))


async def test_a_spent_one_ends_before_any_sign_in(shared: World) -> None:
    """Nobody signs in for nothing."""
    client, ann = await shared.client(), await shared.person()
    pushed = await push(shared, client)
    await visit(shared, client.client_id, pushed.request_uri, ann)

    for person in (None, ann):
        again = await visit(shared, client.client_id, pushed.request_uri, person)
        assert (again.kind, again.error) == ("error", InvalidRequestUri.code)


async def test_a_refusal_of_the_user_spends_it(shared: World) -> None:
    """The user said no: the same name leads to no second question."""
    client, ann = await shared.client(first_party=False), await shared.person()
    pushed = await push(shared, client)
    asked = await visit(shared, client.client_id, pushed.request_uri, ann)
    denied = await shared.resume(asked.request, ann, consent="deny")

    assert fields(denied)["error"] == "access_denied"
    again = await visit(shared, client.client_id, pushed.request_uri, ann)
    assert (again.kind, again.error) == ("error", InvalidRequestUri.code)


@pytest.mark.parametrize("visited", [False, True])
async def test_it_expires(shared: World, visited: bool) -> None:
    """Without a visit after a minute, with one after half an hour. The sweep deletes its row."""
    client = await shared.client()
    pushed = await push(shared, client)
    if visited:
        await visit(shared, client.client_id, pushed.request_uri, None)
    await move_back(shared, client, 1801 if visited else 61)

    late = await visit(shared, client.client_id, pushed.request_uri, None)
    assert (late.kind, late.error) == ("error", InvalidRequestUri.code)
    await move_back(shared, client, 3600)
    await sweep(shared.sweep_db, EXPIRED)
    count = "SELECT count(*) FROM authorization_requests WHERE client_id = $1"
    assert await shared.owner.fetchval(count, client.client_id) == 0


@pytest.mark.parametrize("name", [PUSHED, PUSHED + "x" * 43, PUSHED + "x" * 300])
async def test_an_unknown_name_is_an_error_page(shared: World, name: str) -> None:
    client = await shared.client()
    answer = await visit(shared, client.client_id, name, None, outside={"redirect_uri": CALLBACK})
    assert (answer.kind, answer.error) == ("error", InvalidRequestUri.code)


async def test_the_name_of_a_waiting_request_is_no_pushed_one(shared: World) -> None:
    """Their hashes have keys of their own, in both directions."""
    client, ann = await shared.client(), await shared.person()
    waiting = await shared.authorize(client, None)
    pushed = await push(shared, client)

    answer = await visit(shared, client.client_id, PUSHED + str(waiting.request), ann)
    assert (answer.kind, answer.error) == ("error", InvalidRequestUri.code)
    resumed = await shared.resume(pushed.request_uri.removeprefix(PUSHED), ann)
    assert (resumed.kind, resumed.error) == ("error", SignInOver.code)


async def test_another_client_cannot_use_it(shared: World) -> None:
    client, other, ann = await shared.client(), await shared.client(), await shared.person()
    pushed = await push(shared, client)

    answer = await visit(shared, other.client_id, pushed.request_uri, ann)
    assert (answer.kind, answer.error) == ("error", InvalidRequestUri.code)
    assert "code" in fields(await visit(shared, client.client_id, pushed.request_uri, ann))


async def test_parameters_outside_do_not_count(shared: World) -> None:
    """`state` in the address alone is in no answer, and a changed one changes nothing."""
    client, ann = await shared.client(), await shared.person()
    pushed = await push(shared, client, state=None)
    changed = {"state": "evil", "redirect_uri": "https://evil.example", "scope": "openid phone"}

    answer = await visit(shared, client.client_id, pushed.request_uri, ann, outside=changed)
    assert str(answer.location).startswith(CALLBACK)
    assert "state" not in fields(answer)


async def test_a_public_client_pushes_with_its_id_alone(shared: World) -> None:
    client, ann = await shared.client(type="spa"), await shared.person()
    pushed = await push(shared, client)
    answer = fields(await visit(shared, client.client_id, pushed.request_uri, ann))
    assert (await shared.redeem(client, answer["code"])).access_token


async def test_a_client_pushes_with_an_assertion(shared: World) -> None:
    """Its audience is the issuer. The assertion is used up."""
    key = ClientKey()
    client = await shared.client(token_endpoint_auth_method="private_key_jwt", jwks=key.jwks)
    proof = key.assertion(client.client_id, ORIGIN)
    sent = [*shared.request(client).items(), *proof.items()]
    assert (await shared.call(PushAuthorization(params=sent))).expires_in == 60
    with pytest.raises(InvalidClient):
        await shared.call(PushAuthorization(params=sent))


async def test_a_confidential_client_needs_its_secret(shared: World) -> None:
    client = await shared.client()
    for basic in (None, basic_of(client.client_id, "wrong")):
        call = PushAuthorization(params=list(shared.request(client).items()), basic=basic)
        with pytest.raises(InvalidClient):
            await shared.call(call)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"request_uri": PUSHED + "x"}, "invalid_request"),
        ({"request_uri": "http://169.254.169.254/"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "openid phone"}, "invalid_scope"),
        ({"resource": "https://api.unknown.test"}, "invalid_target"),
        ({"response_mode": "jwt"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
    ],
)
async def test_what_would_be_refused_is_not_pushed(
    shared: World, params: dict[str, str], error: str
) -> None:
    """The client learns it at once, and nothing is stored."""
    client = await shared.client()
    with pytest.raises(OAuthError) as refused:
        await push(shared, client, **params)
    assert refused.value.code == error
    count = "SELECT count(*) FROM authorization_requests WHERE client_id = $1"
    assert await shared.owner.fetchval(count, client.client_id) == 0


async def test_a_repeated_parameter_is_refused(shared: World) -> None:
    client = await shared.client()
    with pytest.raises(OAuthError, match="more than once"):
        await push(shared, client, ("scope", "openid"))


async def test_a_client_may_demand_it(shared: World) -> None:
    """Then nothing else works (section 6), and the error goes to the client."""
    client, ann = await shared.client(), await shared.person()
    changes = {"require_pushed_authorization_requests": True}
    await shared.admin(UpdateClient(client=client.id, changes=changes))

    refused = fields(await shared.authorize(client, ann))
    assert refused["error"] == "invalid_request"
    assert "push" in refused["error_description"]
    pushed = await push(shared, client)
    opened = await visit(shared, client.client_id, pushed.request_uri, None)
    assert "code" in fields(await shared.resume(opened.request, await shared.person()))


async def test_an_application_has_it_switched_off(world: World) -> None:
    """That is the default. A client cannot demand it then, and no name is looked up."""
    client = await world.client()
    with pytest.raises(PushedRequestsAreOff):
        await push(world, client)
    answer = await visit(world, client.client_id, PUSHED + "x", None)
    assert (answer.kind, answer.error) == ("error", InvalidRequestUri.code)
    with pytest.raises(Invalid) as refused:
        await world.client(require_pushed_authorization_requests=True)
    assert refused.value.extra["errors"][0]["code"] == "setting_required"


async def test_the_checker_changes_nothing(shared: World) -> None:
    """It says what the endpoint would say. The name is as unvisited as before."""
    client, ann = await shared.client(), await shared.person()
    pushed = await push(shared, client)
    url = f"{ORIGIN}/oauth2/authorize?client_id={client.client_id}&request_uri="
    report = await shared.admin(CheckAuthorizationUrl(url=url + pushed.request_uri))
    assert report.accepted
    row = await shared.owner.fetchrow(
        "SELECT visited_at, used_at FROM authorization_requests WHERE client_id = $1",
        client.client_id,
    )
    assert row is not None
    assert (row["visited_at"], row["used_at"]) == (None, None)
    await visit(shared, client.client_id, pushed.request_uri, ann)
    spent = await shared.admin(CheckAuthorizationUrl(url=url + pushed.request_uri))
    refusal = next(rule for rule in spent.rules if rule.outcome == "refused")
    assert (refusal.rule, refusal.error) == ("pushed_request", InvalidRequestUri.code)
    assert spent.error_goes_to == "user"


async def test_its_cost_is_one_round_trip_each(shared: World) -> None:
    """Pushing writes once. A visit by a signed-in user notes the visit, reads what the code needs, and
    stores the code with the same statement that spends the name."""
    client, ann = await shared.client(type="spa"), await shared.person()
    await visit(shared, client.client_id, (await push(shared, client)).request_uri, ann)
    with recorded_round_trips() as pushing:
        pushed = await push(shared, client)
    with recorded_round_trips() as visiting:
        await visit(shared, client.client_id, pushed.request_uri, ann)
    assert (len(pushing), len(visiting)) == (1, 3)
