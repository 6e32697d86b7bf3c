"""One OAuth client: its facts to copy and its settings; disabling and deleting it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from common.contracts.audit_log import AuditRecord
from common.contracts.clients import Client, ClientNotFound, DeleteClient, GetClient, UpdateClient
from common.contracts.versioned import ChangedMeanwhile
from common.grant_types import DEVICE_CODE, sign_users_in
from common.message_ids import N_
from common.problems import Forbidden, Problem
from gateway.dashboard import form_guard
from gateway.dashboard.api_call import curl
from gateway.dashboard.client_fields import changes, typed, values_of
from gateway.dashboard.client_kinds import KINDS
from gateway.dashboard.form_guard import name_errors
from gateway.dashboard.last_change import change_of, latest_events
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import errors_of
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/clients/{{client}}"
ShowClient = Callable[[Visit, Client, dict[str, str], dict[str, str] | None], GatewayResponse]
"""Shows a form with these values and errors."""
WITH_SECRET: Final = (None, "client_secret_basic", "client_secret_post", "client_secret_jwt")
"""Methods of client authentication that need a secret."""
PUBLIC: Final = "none"
"""The method of clients without credentials."""
NOTICES: Final = {
    "created": N_("The client is created. Copy its id into your application."),
    "saved": N_("The changes are saved."),
    "enabled": N_("The client is enabled. Users can sign in with it."),
    "disabled": N_(
        "The client is disabled. Nobody can sign in with it, and its tokens stopped working."
    ),
}


def name_of(visit: Visit) -> str:
    """Returns the client id in the path. Raises ClientNotFound if it is not even a text of one."""
    name = visit.parameters["client"]
    if not name.isprintable():
        raise ClientNotFound
    return name


async def find(visit: Visit) -> Client:
    """Returns the client of the path. Raises ClientNotFound."""
    return await visit.call(GetClient(client=name_of(visit)))


def of_client(visit: Visit, client: Client) -> dict[str, Any]:
    """Returns what every page of a client needs: for its head and its tabs."""
    return {
        "client": client,
        "kind": KINDS[client.type],
        "at_client": f"{visit.home}/clients/{client.client_id}",
        "has_secret": client.token_endpoint_auth_method in WITH_SECRET,
        "has_users": sign_users_in(client.grant_types),
        "may_use_devices": sign_users_in(client.grant_types) and client.type != "spa",
        "devices_are_on": visit.managed.tenant.settings.device_authorization,
        "exchanges": client.token_endpoint_auth_method != PUBLIC,
        "writes": visit.may("clients:write"),
        "deletes": visit.may("clients:delete"),
    }


async def show(visit: Visit) -> GatewayResponse:
    """GET …/clients/{client}"""
    client, events = await asyncio.gather(find(visit), latest_events(visit, "client_updated"))
    return _show(
        visit,
        client,
        values_of(client),
        done=NOTICES.get(visit.fields.text("done")),
        last_event=change_of(client, events, client_id=client.client_id),
    )


def _show(
    visit: Visit,
    client: Client,
    values: dict[str, str],
    errors: dict[str, str] | None = None,
    *,
    done: str | None = None,
    last_event: AuditRecord | None = None,
) -> GatewayResponse:
    origin = visit.managed.tenant.origin
    return visit.show(
        "client.html",
        errors=errors,
        values=values,
        done=done,
        last_event=last_event,
        facts=_facts(client, origin),
        saved=values_of(client),
        version=client.version,
        address=f"{visit.home}/clients/{client.client_id}",
        api=curl(visit.managed.tenant, "GET", f"/clients/{client.client_id}"),
        **of_client(visit, client),
    )


def _facts(client: Client, origin: str) -> list[tuple[str, str]]:
    """Returns what developers copy into their application: labels and values."""
    facts = [(N_("Client id"), client.client_id), (N_("Issuer"), origin)]
    if sign_users_in(client.grant_types):
        facts.append((N_("Authorization endpoint"), f"{origin}/oauth2/authorize"))
    if DEVICE_CODE in client.grant_types:
        facts.append((N_("Device authorization endpoint"), f"{origin}/oauth2/device_authorization"))
    facts.append((N_("Token endpoint"), f"{origin}/oauth2/token"))
    if sign_users_in(client.grant_types):
        facts.append((N_("UserInfo endpoint"), f"{origin}/oauth2/userinfo"))
        facts.append((N_("End of session endpoint"), f"{origin}/oauth2/logout"))
    facts.append((N_("Discovery document"), f"{origin}/.well-known/openid-configuration"))
    return facts


async def save(visit: Visit) -> GatewayResponse:
    """POST …/clients/{client}: changes what differs. If somebody else changed the client since the form
    was shown, nothing is saved, and the input is kept."""
    client = await find(visit)
    return await save_form(
        visit,
        client,
        typed(visit.fields, client),
        changes=changes,
        show=_show,
        place=f"{visit.home}/clients/{client.client_id}",
    )


async def save_form(
    visit: Visit,
    client: Client,
    values: dict[str, str],
    *,
    changes: Callable[[Client, dict[str, str]], dict[str, Any]],
    show: ShowClient,
    place: str,
) -> GatewayResponse:
    """Saves what a form of the client changes, and leads to `place`. Shows the form again for a mistake, and if
    somebody else has changed the client since it was shown."""
    language = visit.open().language
    try:
        form_guard.check(visit, client)
        change = UpdateClient(client=client.client_id, changes=changes(client, values))
        await visit.call(change, version=client.version)
    except ChangedMeanwhile:
        if not visit.may("clients:write"):
            raise Forbidden from None
        return show(visit, await find(visit), values, form_guard.changed_meanwhile(language))
    except (Problem, ValidationError) as error:
        return show(visit, client, values, errors_of(language, error))
    return redirect(at(place, done="saved"))


async def switch(visit: Visit) -> GatewayResponse:
    """POST …/clients/{client}/enabled: enables the client, or disables it."""
    enabled = visit.fields.get("enabled") == "true"
    client = await visit.call(UpdateClient(client=name_of(visit), changes={"enabled": enabled}))
    done = "enabled" if enabled else "disabled"
    return redirect(at(f"{visit.home}/clients/{client.client_id}", done=done))


async def ask_deletion(visit: Visit) -> GatewayResponse:
    """GET …/clients/{client}/delete"""
    if not visit.may("clients:delete"):
        raise Forbidden
    return _ask_deletion(visit, await find(visit))


def _ask_deletion(
    visit: Visit, client: Client, errors: dict[str, str] | None = None
) -> GatewayResponse:
    return visit.show(
        "client_delete.html",
        errors=errors,
        values={"typed": visit.fields.text("typed")},
        api=curl(visit.managed.tenant, "DELETE", f"/clients/{client.client_id}"),
        **of_client(visit, client),
    )


async def delete(visit: Visit) -> GatewayResponse:
    """POST …/clients/{client}/delete: needs the client's name, typed."""
    if not visit.may("clients:delete"):
        raise Forbidden
    client = await find(visit)
    if errors := name_errors(visit, client.name):
        return _ask_deletion(visit, client, errors)
    await visit.call(DeleteClient(client=client.client_id))
    return redirect(at(f"{visit.home}/clients", done="deleted"))


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_form(HERE, save),
        dashboard_form(f"{HERE}/enabled", switch, page_path=HERE),
        dashboard_page(f"{HERE}/delete", ask_deletion, fresh=True),
        dashboard_form(f"{HERE}/delete", delete),
    )
)
