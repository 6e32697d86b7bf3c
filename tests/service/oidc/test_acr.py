"""The classes of sign-in (`acr`): a requested class is tried if it can be reached, and tokens
always name the real one (OpenID Connect Core 3.1.2.1 and 5.5.1.1, RFC 9470)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.kit.factories import Person
from tests.kit.oauth import basic_of, fields
from tests.kit.world import World

from common.acr import MAIL, ONE_FACTOR, PASSWORD, TWO_FACTORS
from common.contracts.clients import NewClient
from common.contracts.discovery import GetConfiguration
from common.contracts.tokens import IntrospectToken


def claim(request: Any) -> str:
    return json.dumps({"id_token": {"acr": request}})


def essential(*values: str) -> str:
    return claim({"essential": True, "values": values})


async def by_mail(world: World) -> Person:
    """Returns a user who signed in by a code from a mail."""
    ann = await world.person()
    return Person(ann.user_id, await world.session(ann.user_id, ago=60, acr=MAIL))


async def again(world: World, person: Person, acr: str) -> Person:
    """Returns the same user after another sign-in."""
    return Person(person.user_id, await world.session(person.user_id, acr=acr))


async def acr_of(world: World, client: NewClient, code: str) -> Any:
    tokens = await world.redeem(client, code)
    return (await world.claims(tokens.id_token, client.client_id))["acr"]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({}, PASSWORD),
        ({"acr_values": PASSWORD}, PASSWORD),
        ({"acr_values": ONE_FACTOR}, ONE_FACTOR),
        ({"acr_values": f"{MAIL} {ONE_FACTOR} {PASSWORD}"}, ONE_FACTOR),
        ({"acr_values": "1 2"}, PASSWORD),
        ({"claims": claim(None)}, PASSWORD),
        ({"claims": claim({"essential": True})}, PASSWORD),
        ({"claims": essential("phr", ONE_FACTOR)}, ONE_FACTOR),
        ({"claims": claim({"essential": True, "value": PASSWORD})}, PASSWORD),
        ({"claims": essential(ONE_FACTOR), "acr_values": PASSWORD}, ONE_FACTOR),
    ],
)
async def test_a_session_that_satisfies_it_is_enough(
    shared: World, params: dict[str, str], told: str
) -> None:
    """`acr` is the first requested value that is true. If none is true or requested, it is the most
    exact one."""
    client, ann = await shared.client(), await shared.person()
    code = fields(await shared.authorize(client, ann, **params))["code"]

    assert await acr_of(shared, client, code) == told


async def test_tokens_and_introspection_tell_it(shared: World) -> None:
    """Tokens and introspection have `acr` beside `auth_time`, for opaque tokens too (RFC 9068
    section 2.2.1, RFC 9470 section 6.2)."""
    for kind in ("jwt", "opaque"):
        client = await shared.client(access_token_format=kind)
        tokens = await shared.tokens(client, await shared.person(), acr_values=ONE_FACTOR)
        if kind == "jwt":
            assert (await shared.claims(tokens.access_token))["acr"] == ONE_FACTOR
        answer = await shared.call(
            IntrospectToken(
                params=[("token", tokens.access_token)],
                basic=basic_of(client.client_id, client.client_secret or ""),
            )
        )
        told = answer.model_dump()
        assert (told["acr"], told["amr"]) == (ONE_FACTOR, ["pwd"])
        assert told["auth_time"] > 0


async def test_a_refreshed_token_keeps_it(shared: World) -> None:
    """A refresh does not change `acr`, because the sign-in is the same (OpenID Connect Core 12.2)."""
    client, ann = await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann, scope="openid offline_access", acr_values=ONE_FACTOR)
    later = await shared.refresh(client, tokens.refresh_token)

    assert (await shared.claims(later.id_token, client.client_id))["acr"] == ONE_FACTOR
    assert (await shared.claims(later.access_token))["acr"] == ONE_FACTOR


@pytest.mark.parametrize(
    "params", [{"acr_values": f"phr {PASSWORD}"}, {"claims": essential(PASSWORD)}]
)
async def test_another_sign_in_is_asked_for(shared: World, params: dict[str, str]) -> None:
    """The user is sent to the way of signing in that reaches the class. The old session does not
    count (RFC 9470 section 5)."""
    client, ann = await shared.client(), await by_mail(shared)
    first = await shared.authorize(client, ann, **params)
    assert (first.kind, first.way, first.reauthenticate) == ("sign_in", "password", True)
    assert (await shared.resume(first.request, ann)).kind == "sign_in"

    done = await shared.resume(first.request, await again(shared, ann, PASSWORD))
    assert await acr_of(shared, client, fields(done)["code"]) == PASSWORD


async def test_the_first_sign_in_is_in_the_right_way(shared: World) -> None:
    """A user who is not signed in signs in once, in the requested way."""
    client = await shared.client()

    assert (await shared.authorize(client, None, acr_values=MAIL)).way == "mail"
    assert (await shared.authorize(client, None, acr_values=f"1 {PASSWORD}")).way == "password"
    assert (await shared.authorize(client, None, acr_values=f"{ONE_FACTOR} {MAIL}")).way is None
    assert (await shared.authorize(client, None)).way is None


async def test_an_unmet_voluntary_class_still_gives_a_code(shared: World) -> None:
    """A voluntary request is tried once. Then the code is issued with the real class."""
    client, ann = await shared.client(), await by_mail(shared)
    first = await shared.authorize(client, ann, acr_values=PASSWORD)
    done = await shared.resume(first.request, await again(shared, ann, MAIL))

    assert await acr_of(shared, client, fields(done)["code"]) == MAIL


@pytest.mark.parametrize("default", [True, False])
async def test_a_voluntary_class_is_tried_once_in_a_session(shared: World, default: bool) -> None:
    """A user who signs in by mail only is asked once in a session, whichever client requests the
    class. A new session is asked again."""
    wish: dict[str, Any] = {} if default else {"acr_values": PASSWORD}
    own = {"default_acr_values": [PASSWORD]} if default else {}
    client, other, ann = await shared.client(**own), await shared.client(), await by_mail(shared)
    first = await shared.authorize(client, ann, **wish)
    assert (first.kind, first.way) == ("sign_in", "password")
    ann = await again(shared, ann, MAIL)
    done = await shared.resume(first.request, ann)
    assert await acr_of(shared, client, fields(done)["code"]) == MAIL

    for one in (client, other, client):
        answer = await shared.authorize(one, ann, **(wish or {"acr_values": PASSWORD}))
        assert await acr_of(shared, one, fields(answer)["code"]) == MAIL
    listed = claim({"values": [PASSWORD]})
    assert "code" in fields(await shared.authorize(other, ann, claims=listed))

    later = await again(shared, ann, MAIL)
    assert (await shared.authorize(client, later, **wish)).kind == "sign_in"


async def test_a_class_is_tried_once_for_a_client_of_the_session(shared: World) -> None:
    """Also if the client was used in the session before, without a wish. Another class is remembered
    beside the first one."""
    client, ann = await shared.client(), await by_mail(shared)
    await shared.tokens(client, ann)
    for wish in (PASSWORD, TWO_FACTORS):
        asked = await shared.authorize(client, ann, acr_values=wish)
        if asked.kind == "step_up":
            await shared.resume(asked.request, ann)
        elif asked.kind == "sign_in":
            ann = await again(shared, ann, MAIL)
            await shared.tokens(client, ann)
            assert "code" in fields(await shared.resume(asked.request, ann))

    for wish in (PASSWORD, f"{PASSWORD} {TWO_FACTORS}"):
        assert "code" in fields(await shared.authorize(client, ann, acr_values=wish))


async def test_a_tried_class_does_not_stop_other_requests(shared: World) -> None:
    """Another class is still tried, an essential one is tried each time, and `prompt=login` always
    asks."""
    client, ann = await shared.client(), await by_mail(shared)
    first = await shared.authorize(client, ann, acr_values=PASSWORD)
    ann = await again(shared, ann, MAIL)
    await shared.resume(first.request, ann)

    for _ in range(2):
        must = await shared.authorize(client, ann, claims=essential(PASSWORD))
        assert (must.kind, must.way) == ("sign_in", "password")
    refused = await shared.resume(must.request, await again(shared, ann, MAIL))
    assert fields(refused)["error"] == "unmet_authentication_requirements"
    anew = await shared.authorize(client, ann, acr_values=PASSWORD, prompt="login")
    assert (anew.kind, anew.way) == ("sign_in", "password")
    pat = await again(shared, ann, PASSWORD)
    assert (await shared.authorize(client, pat, acr_values=MAIL)).kind == "sign_in"


async def test_an_unmet_essential_class_is_an_error(shared: World) -> None:
    """An essential class that was not reached is an error of its own (section 5.5.1.1)."""
    client, ann = await shared.client(), await by_mail(shared)
    first = await shared.authorize(client, ann, claims=essential(PASSWORD))
    done = await shared.resume(first.request, await again(shared, ann, MAIL))

    assert fields(done)["error"] == "unmet_authentication_requirements"
    assert "code" not in fields(done)


@pytest.mark.parametrize("prompt", [None, "none", "login"])
async def test_an_essential_class_that_nobody_can_earn(shared: World, prompt: str | None) -> None:
    """The request is refused at once, so that nobody signs in without result."""
    client, ann = await shared.client(), await shared.person()
    for person in (ann, None):
        answer = await shared.authorize(client, person, prompt=prompt, claims=essential("phr"))
        assert fields(answer)["error"] == "unmet_authentication_requirements"


async def test_nobody_is_shown_anything_with_prompt_none(shared: World) -> None:
    """With `prompt=none`, an essential class that the user could reach is `login_required`, and a
    voluntary one gives the real class."""
    client, ann = await shared.client(), await by_mail(shared)
    silent = await shared.authorize(client, ann, prompt="none", claims=essential(PASSWORD))
    assert fields(silent)["error"] == "login_required"

    wish = await shared.authorize(client, ann, prompt="none", acr_values=PASSWORD)
    assert await acr_of(shared, client, fields(wish)["code"]) == MAIL


async def test_what_the_application_has_switched_off_is_not_promised(world: World) -> None:
    """A disabled method is neither in discovery nor on a page. A session that used it still
    satisfies its class."""
    world.configure(world.app_id, auth_methods=["email_code"])
    found = await world.call(GetConfiguration())
    assert found.model_dump()["acr_values_supported"] == [ONE_FACTOR, MAIL]

    client, ann = await world.client(), await by_mail(world)
    wish = await world.authorize(client, ann, acr_values=PASSWORD)
    assert await acr_of(world, client, fields(wish)["code"]) == MAIL
    must = await world.authorize(client, ann, claims=essential(PASSWORD))
    assert fields(must)["error"] == "unmet_authentication_requirements"
    bob = await world.person()
    assert "code" in fields(await world.authorize(client, bob, claims=essential(PASSWORD)))


async def test_discovery_lists_them(shared: World) -> None:
    """The most general class comes first: it is true of every session."""
    found = await shared.call(GetConfiguration())

    assert found.model_dump()["acr_values_supported"] == [
        ONE_FACTOR,
        PASSWORD,
        MAIL,
        TWO_FACTORS,
    ]


async def test_a_session_from_before_classes_were_kept(shared: World) -> None:
    """A session without a stored class has the most general one."""
    client, ann = await shared.client(), await shared.person()
    ann = Person(ann.user_id, replace_acr(ann))
    told = fields(await shared.authorize(client, ann))["code"]
    assert await acr_of(shared, client, told) == ONE_FACTOR

    assert (await shared.authorize(client, ann, acr_values=PASSWORD)).kind == "sign_in"


def replace_acr(person: Person) -> Any:
    return person.session.model_copy(update={"acr": None})


async def test_a_client_has_default_acr_values(shared: World) -> None:
    """default_acr_values count unless the request has others (Dynamic Client Registration 1.0
    section 2)."""
    client = await shared.client(default_acr_values=[ONE_FACTOR])
    ann = await shared.person()
    code = fields(await shared.authorize(client, ann))["code"]
    assert await acr_of(shared, client, code) == ONE_FACTOR

    code = fields(await shared.authorize(client, ann, acr_values=PASSWORD))["code"]
    assert await acr_of(shared, client, code) == PASSWORD


@pytest.mark.parametrize(
    "request_", [{"values": "x"}, {"values": [1]}, {"value": {}}, {"value": None}, {"values": None}]
)
async def test_a_malformed_acr_claim_is_an_error(shared: World, request_: Any) -> None:
    """A malformed `acr` claim is an error and is not ignored."""
    client, ann = await shared.client(), await shared.person()
    answer = await shared.authorize(client, ann, claims=claim(request_))

    assert fields(answer)["error"] == "invalid_request"


async def test_a_browser_may_not_choose_its_class(shared: World) -> None:
    """The class comes from the session. An unknown class satisfies only itself."""
    client, ann = await shared.client(), await shared.person()
    ann = replace(ann, session=ann.session.model_copy(update={"acr": "phr"}))
    answer = await shared.authorize(client, ann, claims=essential("phr"))

    assert fields(answer)["error"] == "unmet_authentication_requirements"
