"""Step-up: a client that wants two factors has the user asked for the missing one alone (RFC 9470)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from tests.kit.factories import Person
from tests.kit.oauth import basic_of, fields
from tests.kit.world import World

from common.acr import MAIL, ONE_FACTOR, PASSWORD, TWO_FACTORS
from common.contracts.clients import NewClient
from common.contracts.discovery import GetConfiguration
from common.contracts.sessions import Factor
from common.contracts.tokens import CheckAccessToken, IntrospectToken

ESSENTIAL = json.dumps({"id_token": {"acr": {"essential": True, "value": TWO_FACTORS}}})
WAYS_TO_ASK = [{"acr_values": TWO_FACTORS}, {"claims": ESSENTIAL}]


async def with_app(world: World, **session: Any) -> Person:
    """Returns a user with an authenticator app, who signed in with a password alone."""
    ann = await world.person()
    await world.totp(ann.user_id)
    shown = {"shown": {"password": 0}} | session
    return Person(ann.user_id, await world.session(ann.user_id, **shown))


async def stepped_up(world: World, person: Person, *, password: int = 0, totp: int = 0) -> Person:
    """Returns the same user after both factors, shown so many seconds before now."""
    shown: dict[Factor, int] = {"password": password, "totp": totp}
    session = await world.session(
        person.user_id, ago=min(password, totp), acr=TWO_FACTORS, shown=shown
    )
    return Person(person.user_id, session)


async def id_token(world: World, client: NewClient, code: str) -> Any:
    return await world.claims((await world.redeem(client, code)).id_token, client.client_id)


@pytest.mark.parametrize("params", WAYS_TO_ASK)
async def test_only_the_second_factor_is_missing(shared: World, params: dict[str, str]) -> None:
    """A session with the first factor is asked for the second. The tokens then name two factors, and
    when the second was shown."""
    client, ann = await shared.client(), await with_app(shared, ago=600)
    asked = await shared.authorize(client, ann, **params)
    assert (asked.kind, asked.way) == ("step_up", None)

    ann = await stepped_up(shared, ann, password=600)
    done = await shared.resume(asked.request, ann)
    claims = await id_token(shared, client, fields(done)["code"])
    assert claims["acr"] == TWO_FACTORS
    assert claims["auth_time"] == int(ann.session.auth_time.timestamp())
    assert "mfa" in claims["amr"]


@pytest.mark.parametrize("name", [TWO_FACTORS, PASSWORD, ONE_FACTOR])
async def test_two_factors_satisfy_what_follows_from_them(shared: World, name: str) -> None:
    """A session of password and authenticator app is of every class that is true of it."""
    client, ann = await shared.client(), await with_app(shared)
    ann = await stepped_up(shared, ann)
    answer = await shared.authorize(client, ann, acr_values=name)

    assert (await id_token(shared, client, fields(answer)["code"]))["acr"] == name
    assert (await shared.authorize(client, ann, acr_values=MAIL)).kind == "sign_in"


async def test_a_wish_is_no_error(shared: World) -> None:
    """A user who does not show the second factor continues with the real class, and is not asked again
    in this session."""
    client, ann = await shared.client(), await with_app(shared)
    asked = await shared.authorize(client, ann, acr_values=TWO_FACTORS)
    done = await shared.resume(asked.request, ann)
    assert (await id_token(shared, client, fields(done)["code"]))["acr"] == PASSWORD

    again = await shared.authorize(client, ann, acr_values=TWO_FACTORS)
    assert "code" in fields(again)


async def test_an_essential_class_is_obeyed(shared: World) -> None:
    """An essential class in `claims` is asked for each time. Without it there is no code."""
    client, ann = await shared.client(), await with_app(shared)
    for _ in range(2):
        asked = await shared.authorize(client, ann, claims=ESSENTIAL)
        assert asked.kind == "step_up"
        refused = fields(await shared.resume(asked.request, ann))
        assert refused["error"] == "unmet_authentication_requirements"
        assert "code" not in refused


async def test_prompt_none_shows_nothing(shared: World) -> None:
    """With `prompt=none` an essential class is `login_required`, and a wish is left out."""
    client, ann = await shared.client(), await with_app(shared)
    must = await shared.authorize(client, ann, prompt="none", claims=ESSENTIAL)
    wish = await shared.authorize(client, ann, prompt="none", acr_values=TWO_FACTORS)

    assert fields(must)["error"] == "login_required"
    assert (await id_token(shared, client, fields(wish)["code"]))["acr"] == PASSWORD


@pytest.mark.parametrize("prompt", [None, "none"])
async def test_no_factor_and_no_way_to_get_one(shared: World, prompt: str | None) -> None:
    """With second factors switched off, a user without one cannot satisfy an essential class."""
    client, ann = await shared.client(), await shared.person()
    must = await shared.authorize(client, ann, prompt=prompt, claims=ESSENTIAL)
    wish = await shared.authorize(client, ann, prompt=prompt, acr_values=TWO_FACTORS)

    assert fields(must)["error"] == "unmet_authentication_requirements"
    assert "code" in fields(wish)


async def test_a_user_without_a_factor_enrols_on_the_way(world: World) -> None:
    """Where users can have a second factor, one without any is sent to set it up."""
    world.configure(world.app_id, mfa_policy="optional")
    client, ann = await world.client(), await world.person()

    assert (await world.authorize(client, ann, claims=ESSENTIAL)).kind == "step_up"


async def test_discovery_promises_what_can_be_reached(world: World) -> None:
    """Two factors are listed if users can have second factors or passkeys."""
    listed = {}
    for policy, methods in (
        ("off", ["password"]),
        ("optional", ["password"]),
        ("off", ["passkey"]),
    ):
        world.configure(world.app_id, mfa_policy=policy, auth_methods=methods)
        found = (await world.call(GetConfiguration())).model_dump()["acr_values_supported"]
        listed[policy, methods[0]] = TWO_FACTORS in found

    assert listed == {
        ("off", "password"): False,
        ("optional", "password"): True,
        ("off", "passkey"): True,
    }


async def test_the_second_factor_must_be_recent(shared: World) -> None:
    """With two factors, `max_age` counts from the second one: a new password does not make an old
    second factor recent."""
    client, ann = await shared.client(), await with_app(shared)
    ann = await stepped_up(shared, ann, password=5, totp=900)
    params = {"acr_values": TWO_FACTORS, "max_age": "300"}
    asked = await shared.authorize(client, ann, **params)
    assert asked.kind == "step_up"
    assert (await shared.resume(asked.request, ann)).kind == "step_up"
    silent = await shared.authorize(client, ann, prompt="none", **params)
    assert fields(silent)["error"] == "login_required"

    ann = await stepped_up(shared, ann, password=5)
    done = await shared.resume(asked.request, ann)
    claims = await id_token(shared, client, fields(done)["code"])
    assert claims["auth_time"] >= time.time() - 60
    plain = await shared.authorize(
        client, await stepped_up(shared, ann, password=5, totp=900), max_age="300"
    )
    assert "code" in fields(plain)


@pytest.mark.parametrize("params", [{}, *WAYS_TO_ASK])
async def test_max_age_zero_asks_once(shared: World, params: dict[str, str]) -> None:
    """`max_age=0` leads to one question, and then to the code."""
    client, ann = await shared.client(), await with_app(shared, ago=600, shown={"password": 600})
    asked = await shared.authorize(client, ann, max_age="0", **params)
    assert asked.kind == ("step_up" if params else "sign_in")

    ann = await stepped_up(shared, ann, password=600)
    assert "code" in fields(await shared.resume(asked.request, ann))


async def test_prompt_login_asks_for_everything(shared: World) -> None:
    """`prompt=login` is a sign-in from the start, whatever the session has."""
    client, ann = await shared.client(), await with_app(shared)
    ann = await stepped_up(shared, ann)
    asked = await shared.authorize(client, ann, prompt="login", acr_values=TWO_FACTORS)

    assert (asked.kind, asked.reauthenticate) == ("sign_in", True)
    again = await stepped_up(shared, ann)
    assert "code" in fields(await shared.resume(asked.request, again))


async def test_a_provider_that_asked_nobody_is_not_recent(shared: World) -> None:
    """A provider that does not say when it asked its user does not satisfy `max_age`. A mail does."""
    client, ann = await shared.client(), await shared.person()
    session = await shared.session(ann.user_id, acr=ONE_FACTOR, shown={"provider": 0})
    session = session.model_copy(update={"factor_times": {"provider": 0}})
    ann = Person(ann.user_id, session)
    assert "code" in fields(await shared.authorize(client, ann))
    asked = await shared.authorize(client, ann, max_age="300")
    assert (asked.kind, asked.way) == ("sign_in", "mail")

    by_mail = Person(ann.user_id, await shared.session(ann.user_id, acr=MAIL, shown={"mail": 0}))
    assert "code" in fields(await shared.resume(asked.request, by_mail))


async def test_the_first_sign_in_by_a_provider_needs_no_second_one(shared: World) -> None:
    """Without `max_age`, a user who comes back from a provider is signed in."""
    client, ann = await shared.client(), await shared.person()
    asked = await shared.authorize(client, None)
    session = await shared.session(ann.user_id, acr=ONE_FACTOR)
    session = session.model_copy(update={"factor_times": {"provider": 0}})

    done = await shared.resume(asked.request, Person(ann.user_id, session))
    assert "code" in fields(done)


async def test_tokens_tell_how_their_user_signed_in(shared: World) -> None:
    """Access tokens and introspection have `acr`, `amr` and `auth_time` of the sign-in; a refresh moves
    none of them. Our own API learns the factors of the session."""
    client, ann = await shared.client(), await with_app(shared)
    ann = await stepped_up(shared, ann, password=600, totp=300)
    params = {"scope": "openid offline_access", "acr_values": TWO_FACTORS}
    tokens = await shared.tokens(client, ann, **params)
    later = await shared.refresh(client, tokens.refresh_token)
    for token in (tokens.access_token, later.access_token):
        told = (
            await shared.call(
                IntrospectToken(
                    params=[("token", token)],
                    basic=basic_of(client.client_id, client.client_secret or ""),
                )
            )
        ).model_dump()
        assert (told["acr"], "mfa" in told["amr"]) == (TWO_FACTORS, True)
        assert told["auth_time"] == int(ann.session.auth_time.timestamp())
    checked = await shared.call(CheckAccessToken(token=tokens.access_token))
    assert checked.acr == TWO_FACTORS
    assert checked.factor_times == ann.session.factor_times
    assert checked.second_factors == ["totp"]
