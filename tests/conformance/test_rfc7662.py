"""RFC 7662, introspection: only for clients that the token concerns, and without delay."""

from __future__ import annotations

from tests.conformance.conftest import Suite, introspected


async def test_what_is_remembered_is_remembered_per_asker(fresh: Suite) -> None:
    """A cached answer is not given to another client, nor for a wrong secret."""
    token = (await fresh.tokens())["access_token"]
    for _ in range(3):
        told = await introspected(fresh, token)
        assert (told["active"], told["client_id"]) == (True, fresh.client.client_id)
    other = fresh.clients["client2"]
    assert await introspected(fresh, token, auth=(other.client_id, other.client_secret)) == {
        "active": False
    }
    wrong = await fresh.http.post(
        fresh.provider["introspection_endpoint"],
        data={"token": token},
        auth=(fresh.client.client_id, "wrong"),
    )
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    nobody = await fresh.http.post(fresh.provider["introspection_endpoint"], data={"token": token})
    assert nobody.status_code == 401


async def test_signing_out_ends_what_is_remembered(fresh: Suite) -> None:
    """Cached answers end with the session."""
    token = (await fresh.tokens())["access_token"]
    assert (await introspected(fresh, token))["active"] is True
    page = await fresh.browser.get("/logout")
    await fresh.browser.submit(page, page.form("confirm"), confirm="1")

    assert await introspected(fresh, token) == {"active": False}
    assert (await fresh.userinfo(token)).status_code == 401
