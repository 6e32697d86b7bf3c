"""The checker of authorization URLs: it says what the endpoint says, and has no effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.kit.callers import ADMIN
from tests.kit.factories import CALLBACK
from tests.kit.oauth import ORIGIN, fields
from tests.kit.world import World

from common.context import Caller
from common.contracts.authorization_check import (
    AuthorizationRuleResult,
    AuthorizationUrlReport,
    CheckAuthorizationUrl,
)
from common.contracts.clients import UpdateClient
from common.problems import Forbidden
from common.testing import context
from oidc.authorization_check import ORDER, PASSED, RULES, STEPS

ENDPOINT = f"{ORIGIN}/oauth2/authorize"


def refusal(report: AuthorizationUrlReport) -> AuthorizationRuleResult:
    """Returns the rule that refuses, after all before it passed and none after it was reached."""
    index = [rule.outcome for rule in report.rules].index("refused")
    assert {rule.outcome for rule in report.rules[:index]} <= {"passed"}
    assert {rule.outcome for rule in report.rules[index + 1 :]} <= {"not_reached"}
    assert [rule.rule for rule in report.rules] == list(ORDER)
    return report.rules[index]


async def check(world: World, url: str) -> AuthorizationUrlReport:
    report = await world.admin(CheckAuthorizationUrl(url=url))
    assert isinstance(report, AuthorizationUrlReport)
    return report


async def effects(world: World) -> list[int]:
    """Returns the number of rows that authorization requests leave behind."""
    tables = ("authorization_requests", "authorization_codes", "audit_outbox", "consents")
    return [await world.owner.fetchval(f"SELECT count(*) FROM {name}") for name in tables]


def test_each_step_that_concerns_the_url_is_a_rule() -> None:
    """A new step of the endpoint needs a rule and a sentence."""
    assert set(RULES) == set(STEPS)
    assert set(ORDER) == set(PASSED)


async def test_a_good_url_is_accepted(shared: World) -> None:
    """Every rule passes, and nothing is stored or announced."""
    client = await shared.client()
    before = await effects(shared)
    report = await check(shared, f"{ENDPOINT}?{urlencode(shared.request(client))}")

    assert report.accepted
    assert report.client_id == client.client_id
    assert report.error_goes_to is None
    assert [(rule.rule, rule.outcome) for rule in report.rules] == [
        (rule, "passed") for rule in ORDER
    ]
    assert await effects(shared) == before


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("client", {"client_id": None}),
        ("client", {"client_id": "client_unknown"}),
        ("client", {"client_id": "x" * 300}),
        ("redirect_uri", {"redirect_uri": None}),
        ("redirect_uri", {"redirect_uri": "https://rp.example.com/CB"}),
        ("redirect_uri", {"redirect_uri": CALLBACK + "/"}),
        ("redirect_uri", {"redirect_uri": "https://[broken"}),
        ("response_mode", {"response_mode": "web_message"}),
        ("request_object", {"request": "e30.e30."}),
        ("request_object", {"request_uri": "https://rp.example.com/r"}),
        ("response_type", {"response_type": None}),
        ("response_type", {"response_type": "token"}),
        ("response_type", {"response_type": "code id_token"}),
        ("pkce", {"code_challenge": None, "code_challenge_method": None}),
        ("pkce", {"code_challenge_method": "plain"}),
        ("pkce", {"code_challenge": "short"}),
        ("scope", {"scope": "openid phone"}),
        ("scope", {"scope": "openid users:write"}),
        ("scope", {"scope": "admin"}),
        ("resource", {"resource": "https://api.unknown.test"}),
        ("prompt", {"prompt": "none login"}),
        ("prompt", {"max_age": "-1"}),
        ("claims", {"claims": "[1]"}),
        ("acr_values", {"claims": '{"id_token": {"acr": {"essential": true, "value": "no"}}}'}),
        ("id_token_hint", {"id_token_hint": "e30.e30.e30", "prompt": "none"}),
    ],
)
async def test_it_says_what_the_endpoint_says(
    shared: World, rule: str, changed: dict[str, Any]
) -> None:
    """The refusal has the error and the sentence of the endpoint, and goes to the same place."""
    client = await shared.client()
    sent = shared.request(client, **changed)
    answer = await shared.authorize(client, await shared.person(), **changed)
    before = await effects(shared)
    report = await check(shared, f"{ENDPOINT}?{urlencode(sent)}")
    refused = refusal(report)

    assert not report.accepted
    assert refused.rule == rule
    if report.error_goes_to == "user":
        assert (answer.error, answer.error_description) == (refused.error, refused.detail)
    else:
        told = fields(answer)
        assert (told["error"], told["error_description"]) == (refused.error, refused.detail[:300])
    assert await effects(shared) == before


async def test_a_repeated_parameter_is_refused(shared: World) -> None:
    """Of two values, the endpoint takes none."""
    client = await shared.client()
    query = urlencode([*shared.request(client).items(), ("scope", "email")])

    assert refusal(await check(shared, f"{ENDPOINT}?{query}")).rule == "repeated_parameters"


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://other.example.test/oauth2/authorize?client_id=a", "address"),
        (ENDPOINT.replace("https:", "http:") + "?client_id=a", "address"),
        (f"{ORIGIN}/oauth2/token?client_id=a", "address"),
        (f"{ORIGIN}@evil.test/oauth2/authorize?client_id=a", "address"),
        ("//other.example.test/oauth2/authorize?client_id=a", "address"),
        ("https://[::1/oauth2/authorize", "address"),
        ("client_id=a", "address"),
        ("javascript:alert(1)", "address"),
        (f"{ENDPOINT}?{'a=b&' * 200}", "parameters"),
        (f"{ENDPOINT}?client_id=%FF", "parameters"),
        (f"{ENDPOINT}?client_id=%00", "parameters"),
        (ENDPOINT, "client"),
        ("/oauth2/authorize", "client"),
        (f"  {ENDPOINT.replace('https', 'HTTPS')}?client_id=a\n", "client"),
    ],
)
async def test_another_address_is_refused_first(shared: World, url: str, rule: str) -> None:
    """The URL must lead to the endpoint of this application, and be readable."""
    report = await check(shared, url)

    assert refusal(report).rule == rule
    assert report.client_id is None
    assert report.error_goes_to == "user"


@pytest.mark.parametrize(
    ("sent", "word"),
    [
        ("https://rp.example.com/CB", "case"),
        (CALLBACK + "/", "slash"),
        ("http://rp.example.com/cb", "scheme"),
        ("https://rp.example.com:8443/cb", "port"),
        (CALLBACK + "?x=1", "query"),
        ("https://rp.example.com/callback", "path"),
    ],
)
async def test_a_hint_names_the_difference(shared: World, sent: str, word: str) -> None:
    """A redirect URI that is nearly right comes with the registered one, and what differs."""
    client = await shared.client(redirect_uris=["https://other.example.org/x", CALLBACK])
    query = urlencode(shared.request(client, redirect_uri=sent))
    hint = refusal(await check(shared, f"{ENDPOINT}?{query}")).hint or ""

    assert CALLBACK in hint
    assert word in hint


async def test_a_disabled_client_is_named(shared: World) -> None:
    """Users are told that the client is unknown. Its developer reads that it is disabled."""
    client = await shared.client()
    await shared.admin(UpdateClient(client=client.client_id, changes={"enabled": False}))
    refused = refusal(await check(shared, f"{ENDPOINT}?{urlencode(shared.request(client))}"))

    assert refused.detail == "the client is unknown"
    assert "disabled" in (refused.hint or "")


async def test_it_needs_the_right_to_read_clients(shared: World) -> None:
    """The hints name registered addresses, so a caller must be allowed to read clients."""
    for permissions in (frozenset({"clients:write"}), frozenset[str]()):
        caller = Caller("secret_key", ADMIN.id, permissions)
        with pytest.raises(Forbidden):
            await shared.call(CheckAuthorizationUrl(url=ENDPOINT), caller)


async def test_the_issuer_of_the_url_is_the_one_that_answers(shared: World) -> None:
    """The check is asked for on the Dashboard's host, too. `resource` is compared with the issuer of the
    URL, as the endpoint there does, and not with the host of the question."""
    client = await shared.client()
    query = urlencode(shared.request(client, resource=ORIGIN))
    elsewhere = replace(context(shared.app_id, ADMIN), origin="https://dashboard.id.example.org")
    for url in (f"{ENDPOINT}?{query}", f"/oauth2/authorize?{query}"):
        report = await shared.call(CheckAuthorizationUrl(url=url), elsewhere)
        assert report.accepted
