"""PUT and PATCH accept the response of GET, because tools read, change and write back."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.kit.system import System, fresh_email

pytestmark = pytest.mark.timeout(120)
MADE: dict[str, tuple[str, dict[str, Any]]] = {
    "/api/users/{id}": ("/api/users", {"profile": {"name": "Ada"}}),
    "/api/clients/{id}": (
        "/api/clients",
        {"name": "Shop", "redirect_uris": ["https://shop.example/cb"]},
    ),
    "/api/roles/{role_id}": ("/api/roles", {"name": "Reader", "permissions": ["users:read"]}),
    "/api/organization-roles/{role_id}": ("/api/organization-roles", {"name": "Buyer"}),
    "/api/permissions/{permission_id}": ("/api/permissions", {"name": "shelves:dust"}),
    "/api/organizations/{org_id}": ("/api/organizations", {"name": "Acme"}),
    "/api/idps/{id}": (
        "/api/idps",
        {
            "name": "stock",
            "display_name": "Stock",
            "issuer": "https://idp.example.com",
            "client_id": "ours",
            "client_secret": "secret",
        },
    ),
    "/api/resources/{id}": ("/api/resources", {"identifier": "https://api.example", "name": "A"}),
}
"""For each path to read: the call that creates one such object."""
SET = {
    "/api/mail-sender": {"host": "mail.example.com", "from_address": "no-reply@example.com"},
}
"""Paths of one thing that is absent at first: what to store there before it is read."""
PLACES = {"/api/mail-templates/{kind}/{locale}": "/api/mail-templates/sign_in/en"}
"""Paths of what is there without being created, and one place of each."""
BY_THE_BODY = {"/api/client-documents"}
"""Paths of lists, to which a PUT adds the thing that its body names by a URL."""
OF_ITSELF = {"/oauth2/register/{client_id}"}
"""Paths that a client uses with a token of its own. RFC 7592 section 2.2 forbids to write some members back."""
OF_A_USER = {"/api/users/me"}
"""Paths that need a session instead of a key."""


async def test_what_was_read_can_be_written_back(system: System) -> None:
    """Every path of the OpenAPI document with GET and PUT or PATCH accepts its own response."""
    async with system.backend() as api:
        document = (await api.get("/openapi.json")).json()
        for path, operations in document["paths"].items():
            if "get" not in operations or path in OF_A_USER | BY_THE_BODY | OF_ITSELF:
                continue
            methods = sorted(operations.keys() & {"put", "patch"})
            place = await _place(api, path) if methods else path
            if path in SET:
                (await api.put(path, json=SET[path])).raise_for_status()
            for method in methods:
                await _write_back(api, method, place)
            if path in SET:
                (await api.delete(path)).raise_for_status()


async def _place(api: httpx.AsyncClient, path: str) -> str:
    if "{" not in path or path in PLACES:
        return PLACES.get(path, path)
    where, body = MADE[path]  # a new resource needs a line there
    if path == "/api/users/{id}":
        body = body | {"email": fresh_email()}
    made = await api.post(where, json=body)
    assert made.status_code == 201, (path, made.text)
    return f"{path.rpartition('/')[0]}/{made.json()['id']}"


async def _write_back(api: httpx.AsyncClient, method: str, place: str) -> None:
    present = (await api.get(place)).json()
    answer = await api.request(method, place, json=present)
    assert answer.status_code == 200, (method, place, answer.text)
    after = (await api.get(place)).json()
    for told_by_writing in ("updated_at", "custom"):
        present.pop(told_by_writing, None)
        after.pop(told_by_writing, None)
    assert after == present, (method, place)
    if "id" in present:
        refused = await api.request(method, place, json={**after, "id": "another"})
        assert [one["field"] for one in refused.json()["errors"]] == ["id"], (method, place)
