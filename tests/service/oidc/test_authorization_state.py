"""The sign-in pages learn early whether a request is still pending."""

from __future__ import annotations

import pytest
from tests.kit.world import World

from common.contracts.authorization import GetAuthorizationState


async def test_a_waiting_request_is_pending_until_it_is_answered(shared: World) -> None:
    """Reading the state does not answer the request. Afterwards there is a link that starts a new
    sign-in."""
    login = "https://app.example.com/login?way=sso"
    client = await shared.client(
        first_party=False, client_uri="https://app.example.com", initiate_login_uri=login
    )
    ann = await shared.person()
    waiting = await shared.authorize(client, ann)
    question = GetAuthorizationState(request=waiting.request or "")

    before = [await shared.call(question) for _ in range(2)]
    await shared.resume(waiting.request, ann, consent="deny")
    after = await shared.call(question)

    assert [state.pending for state in before] == [True, True]
    assert (after.pending, after.client_name) == (False, client.name)
    assert (after.client_link or "").startswith(f"{login}&iss=http")


async def test_an_unknown_request_names_no_client(shared: World) -> None:
    state = await shared.call(GetAuthorizationState(request="ar_" + "x" * 32))

    assert (state.pending, state.client_name, state.client_link) == (False, None, None)


@pytest.mark.parametrize(
    ("type_", "redirect", "link"),
    [
        ("web", "https://shop.example:8443/callback", "https://shop.example:8443/"),
        ("native", "http://127.0.0.1/callback", None),
        ("native", "com.example.app:/callback", None),
    ],
)
async def test_a_website_without_a_home_page(
    shared: World, type_: str, redirect: str, link: str | None
) -> None:
    """The link leads to the origin of its redirect URI. A native app has no link."""
    client = await shared.client(type=type_, redirect_uris=[redirect])
    waiting = await shared.authorize(client, None, redirect_uri=redirect)

    state = await shared.call(GetAuthorizationState(request=waiting.request or ""))

    assert (state.pending, state.client_link) == (True, link)
