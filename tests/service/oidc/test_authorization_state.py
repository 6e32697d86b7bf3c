"""Whether a request still waits, told before its user types anything."""

from __future__ import annotations

from tests.service.oidc.conftest import World

from common.contracts.oidc import GetAuthorizationState


async def test_a_waiting_request_is_pending_until_it_is_answered(shared: World) -> None:
    """Looking at it does not answer it. Afterwards there is a link that begins a new sign-in."""
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
