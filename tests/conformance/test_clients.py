"""Clients over HTTP, as an application's backend manages them."""

from __future__ import annotations

from tests.conformance.conftest import CALLBACK, Suite


async def test_clients_are_administered_over_http(fresh: Suite) -> None:
    """reference.md 1.10: made, read, changed, rotated, listed, deleted."""
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
