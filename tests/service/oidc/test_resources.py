"""Identifiers of resources (RFC 8707 section 2, RFC 3986 section 6.2.3)."""

from __future__ import annotations

import pytest
from tests.kit.oauth import ORIGIN
from tests.kit.world import World

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
