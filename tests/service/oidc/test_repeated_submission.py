"""A form that was submitted twice gets one answer, and only in the browser that sent it."""

from __future__ import annotations

import asyncio

import pytest
from tests.kit.oauth import fields
from tests.kit.world import World

from common.contracts.oauth_errors import SignInOver


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
async def test_allowing_twice_leads_to_the_same_code(shared: World, mode: str) -> None:
    client, ann = await shared.client(first_party=False), await shared.person()
    waiting = await shared.authorize(client, ann, response_mode=mode, state="s")

    first = await shared.resume(waiting.request, ann, consent="allow")
    second = await shared.resume(waiting.request, ann, consent="allow")

    assert second == first
    assert (await shared.redeem(client, fields(first)["code"])).id_token


async def test_allowing_twice_at_once_leads_to_the_same_code(shared: World) -> None:
    client, ann = await shared.client(first_party=False), await shared.person()
    waiting = await shared.authorize(client, ann)

    answers = await asyncio.gather(
        *(shared.resume(waiting.request, ann, consent="allow") for _ in range(4))
    )

    assert len({fields(answer)["code"] for answer in answers}) == 1


async def test_denying_twice_leads_to_the_same_error(shared: World) -> None:
    client, ann = await shared.client(first_party=False), await shared.person()
    waiting = await shared.authorize(client, ann)

    first = await shared.resume(waiting.request, ann, consent="deny")

    assert fields(first)["error_description"] == "The user denied the request."
    assert await shared.resume(waiting.request, ann, consent="deny") == first


async def test_a_redeemed_code_is_not_answered_again(shared: World) -> None:
    """A client that presents a code twice would lose its tokens."""
    client, ann = await shared.client(first_party=False), await shared.person()
    waiting = await shared.authorize(client, ann)
    first = await shared.resume(waiting.request, ann, consent="allow")
    await shared.redeem(client, fields(first)["code"])

    second = await shared.resume(waiting.request, ann, consent="allow")

    assert (second.kind, second.error) == ("error", SignInOver.code)


@pytest.mark.parametrize("consent", ["allow", "deny"])
async def test_another_session_learns_nothing(shared: World, consent: str) -> None:
    client, ann, bob = (
        await shared.client(first_party=False),
        await shared.person(),
        await shared.person(),
    )
    waiting = await shared.authorize(client, ann)
    await shared.resume(waiting.request, ann, consent=consent)

    for other in (bob, None):
        answer = await shared.resume(waiting.request, other, consent=consent)
        assert (answer.kind, answer.error) == ("error", SignInOver.code)
