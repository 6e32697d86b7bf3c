"""Identifiers of resources (RFC 8707 section 2, RFC 3986 section 6.2.3)."""

from __future__ import annotations

import pytest
from tests.kit.oauth import ORIGIN, fields
from tests.kit.world import World

from common.contracts.oauth_errors import InvalidTarget
from common.contracts.resources import CreateResource, ListResources, ResourceTaken
from common.problems import Invalid

MISTAKES = [
    "javascript:alert(1)",
    "https://a.example/ x",
    "https://user:secret@a.example/",
    "https://user@a.example",
    "https://A.example/",
    "https://a.example:443/",
    "https:///path",
    "https://a.example/#x",
    "a.example",
    "urn:x",
    ORIGIN,
    f"{ORIGIN}/",
]


@pytest.mark.parametrize("identifier", MISTAKES)
async def test_a_malformed_identifier_is_refused(shared: World, identifier: str) -> None:
    """The error names the field, and nothing is stored."""
    with pytest.raises(Invalid) as refused:
        await shared.admin(CreateResource(identifier=identifier, name="API"))

    assert refused.value.extra["errors"][0]["field"] == "identifier"
    made = (await shared.admin(ListResources())).resources
    assert identifier not in [each.identifier for each in made]


async def test_two_spellings_are_one_api(shared: World) -> None:
    """An identifier with an empty path and one with a slash are the same."""
    await shared.admin(CreateResource(identifier="https://one.example", name="API"))
    with pytest.raises(ResourceTaken):
        await shared.admin(CreateResource(identifier="https://one.example/", name="API"))

    await shared.admin(CreateResource(identifier="https://one.example/v1", name="API"))
    await shared.admin(CreateResource(identifier="https://one.example:8443/", name="API"))
    await shared.admin(CreateResource(identifier="urn:example:api", name="API"))


async def test_a_slash_after_the_host_does_not_matter(shared: World) -> None:
    """Clients request `https://mcp.x/` for `https://mcp.x`. The audience is as registered."""
    client, ann = await shared.client(first_party=True), await shared.person()
    for registered, requested in (
        ("https://short.example", "https://short.example/"),
        ("https://long.example/", "https://long.example"),
    ):
        await shared.admin(CreateResource(identifier=registered, name="MCP"))
        code = await shared.code(client, ann, resource=requested)
        tokens = await shared.redeem(client, code, resource=requested)
        assert (await shared.claims(tokens.access_token, registered))["aud"] == registered
        tokens = await shared.refresh(client, tokens.refresh_token, resource=requested)
        assert (await shared.claims(tokens.access_token, registered))["aud"] == registered


async def test_a_path_is_another_resource(shared: World) -> None:
    """A slash at its end counts, and a host is not its paths."""
    client, ann = await shared.client(first_party=True), await shared.person()
    await shared.admin(CreateResource(identifier="https://paths.example/mcp", name="MCP"))
    for requested in (
        "https://paths.example/mcp/",
        "https://paths.example",
        "https://paths.example/",
        "https://paths.example//mcp",
        "https://PATHS.example/mcp",
        f"{ORIGIN}//",
    ):
        answer = await shared.authorize(client, ann, resource=requested)
        assert fields(answer)["error"] == "invalid_target"


async def test_without_a_resource_the_default_one_counts(shared: World) -> None:
    """The client may name it at the token endpoint, but no other one (RFC 8707 section 2.2)."""
    for identifier in ("https://default.example", "https://beside.example"):
        await shared.admin(CreateResource(identifier=identifier, name="MCP"))
    client = await shared.client(default_resources=["https://default.example"])
    ann = await shared.person()
    tokens = await shared.tokens(client, ann)
    claims = await shared.claims(tokens.access_token, "https://default.example")
    assert claims["aud"] == "https://default.example"
    code = await shared.code(client, ann)
    for other in ("https://beside.example", ORIGIN):
        with pytest.raises(InvalidTarget):
            await shared.redeem(client, code, resource=other)
    tokens = await shared.redeem(client, code, resource="https://default.example/")
    assert (await shared.claims(tokens.access_token, "https://default.example"))["scope"]
    with pytest.raises(InvalidTarget):
        await shared.refresh(client, tokens.refresh_token, resource="https://beside.example")
    tokens = await shared.refresh(client, tokens.refresh_token, resource="https://default.example")

    assert (await shared.claims(tokens.access_token, "https://default.example"))["scope"]
