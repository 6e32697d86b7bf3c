"""Clients over HTTP, as an application's backend manages them."""

from __future__ import annotations

from tests.conformance.conftest import CALLBACK, Client, Suite, introspected


async def test_clients_are_administered_over_http(fresh: Suite) -> None:
    """Clients are created, read, changed, rotated, listed and deleted."""
    async with fresh.system.backend() as api:
        made = (
            await api.post("/api/clients", json={"name": "A", "redirect_uris": [CALLBACK]})
        ).json()
        at = f"/api/clients/{made['id']}"
        shown = (await api.get(at)).json()
        assert shown["client_id"] == made["client_id"]
        assert "client_secret" not in shown
        changed = await api.put(at, json={"name": "B"})
        assert changed.json()["name"] == "B"
        wrong = await api.put(at, json={"redirect_uris": ["x"]})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "redirect_uris.0")
        rotated = (await api.post(f"{at}/rotate-secret")).json()
        assert rotated["client_secret"] != made["client_secret"]
        listed = (await api.get("/api/clients", params={"limit": 100})).json()
        assert made["id"] in [one["id"] for one in listed["clients"]]
        assert (await api.get(f"{at}/grants")).json() == {"grants": [], "next": None}
        assert (await api.delete(at)).status_code == 200
        assert (await api.get(at)).status_code == 404


async def test_a_disabled_clients_tokens_never_come_back(fresh: Suite) -> None:
    """They are refused when the answer arrives, whatever the gateway had cached. They stay refused
    when the client is enabled again. Consents stay."""
    async with fresh.system.backend() as api:
        wanted = {"require_pkce": False, "id_token_claims": "asked"}
        made = await api.post(
            "/api/clients", json={"name": "Off and on", "redirect_uris": [CALLBACK], **wanted}
        )
        id, secret = made.json()["client_id"], made.json()["client_secret"]
        fresh.clients = {"client": Client(id, secret, "client_secret_basic")}
        at = f"/api/clients/{id}"
        tokens = await fresh.tokens(scope="openid offline_access", prompt="consent")
        old = tokens["access_token"]
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        assert (await fresh.userinfo(old)).status_code == 200
        assert (await introspected(fresh, old))["active"]

        await api.patch(at, json={"enabled": False})
        assert (await fresh.userinfo(old)).status_code == 401
        refused = await fresh.token(**refresh)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")

        await api.patch(at, json={"enabled": True})
    refused = await fresh.token(**refresh)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert (await fresh.userinfo(old)).status_code == 401
    assert await introspected(fresh, old) == {"active": False}
    result = await fresh.authorize(prompt="none", scope="openid offline_access")
    again = (await fresh.redeem(result.code)).json()
    assert (await fresh.userinfo(again["access_token"])).status_code == 200
