"""The secrets of a client. A secret is shown once, in the answer to the form that creates it."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.client_secrets import (
    ClientSecretExists,
    DeleteClientSecret,
    ListClientSecrets,
    RotateClientSecret,
)
from common.contracts.clients import Client, ClientNotFound
from common.ids import new_id
from common.message_ids import N_
from common.problems import Conflict, Forbidden
from gateway.dashboard.api_call import curl
from gateway.dashboard.client import find, of_client
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/clients/{{client}}/secrets"
OVERLAPS: Final = {
    "86400": N_("For another day"),
    "604800": N_("For another week"),
    "3600": N_("For another hour"),
    "0": N_("Not at all: they stop at once"),
}
"""How long the old secrets work, by seconds."""
NOTICES: Final = {
    "revoked": N_("The secret is revoked. It no longer works."),
    "exists": N_(
        "This secret was already created, and there is no second one. A secret is shown once."
    ),
}
REFUSED: Final = N_(
    "This was not possible. A client needs at least one secret, and two changes at once are refused."
    " Look at the list and try again."
)


async def show(visit: Visit) -> GatewayResponse:
    """GET …/secrets"""
    return await _show(visit, await find(visit))


async def _show(
    visit: Visit, client: Client, errors: dict[str, str] | None = None, status: int | None = None
) -> GatewayResponse:
    listed = await visit.call(ListClientSecrets(client=client.client_id))
    return visit.show(
        "client_secrets.html",
        status,
        errors=errors,
        secrets=listed.secrets,
        done=NOTICES.get(visit.fields.text("done")),
        address=f"{visit.home}/clients/{client.client_id}/secrets",
        api=curl(visit.managed.tenant, "GET", f"/clients/{client.client_id}/secrets"),
        **of_client(visit, client),
    )


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/secrets/new"""
    if not visit.may("clients:write"):
        raise Forbidden
    client = await find(visit)
    if not of_client(visit, client)["has_secret"]:
        raise ClientNotFound
    path = f"/clients/{client.client_id}/rotate-secret"
    return visit.show(
        "client_secret_new.html",
        id=new_id(),
        overlaps=OVERLAPS,
        api=curl(visit.managed.tenant, "POST", path, {"overlap": 86_400}),
        **of_client(visit, client),
    )


async def create(visit: Visit) -> GatewayResponse:
    """POST …/secrets/new: shows the new secret. Sent again, the form creates no second one."""
    client = await find(visit)
    overlap = visit.fields.text("overlap")
    if overlap not in OVERLAPS:
        raise ClientNotFound
    there = f"{visit.home}/clients/{client.client_id}/secrets"
    try:
        rotation = RotateClientSecret(
            client=client.client_id, id=visit.fields.text_or_none("id"), overlap=int(overlap)
        )
        new = await visit.call(rotation)
    except ClientSecretExists:
        return redirect(at(there, done="exists"))
    except Conflict:
        return await _refused(visit, client)
    return visit.show(
        "client_secret.html",
        client=client,
        secret=new.client_secret,
        ends=OVERLAPS[overlap],
        address=there,
    )


async def _refused(visit: Visit, client: Client) -> GatewayResponse:
    return await _show(visit, client, {"": visit.open().translate(REFUSED)}, 409)


async def ask_revocation(visit: Visit) -> GatewayResponse:
    """GET …/secrets/{secret}/revoke"""
    if not visit.may("clients:write"):
        raise Forbidden
    client = await find(visit)
    listed = await visit.call(ListClientSecrets(client=client.client_id))
    secret = next((one for one in listed.secrets if one.id == visit.parameters["secret"]), None)
    if secret is None:
        raise ClientNotFound
    path = f"/clients/{client.client_id}/secrets/{secret.id}"
    return visit.show(
        "client_secret_revoke.html",
        secret=secret,
        api=curl(visit.managed.tenant, "DELETE", path),
        **of_client(visit, client),
    )


async def revoke(visit: Visit) -> GatewayResponse:
    """POST …/secrets/{secret}/revoke"""
    client = await find(visit)
    try:
        call = DeleteClientSecret(client=client.client_id, secret_id=visit.parameters["secret"])
        await visit.call(call)
    except ValidationError:
        raise ClientNotFound from None
    except Conflict:
        return await _refused(visit, client)
    return redirect(at(f"{visit.home}/clients/{client.client_id}/secrets", done="revoked"))


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_page(f"{HERE}/new", ask, fresh=True),
        dashboard_form(f"{HERE}/new", create),
        dashboard_page(f"{HERE}/{{secret}}/revoke", ask_revocation, fresh=True),
        dashboard_form(f"{HERE}/{{secret}}/revoke", revoke),
    )
)
