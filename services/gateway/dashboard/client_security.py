"""How a client sends its authorization requests: pushed, signed, and with signed answers; and whether it meets
the FAPI 2.0 security profile."""

from __future__ import annotations

from typing import Any, Final

from common.contracts.clients import Client, UpdateClient
from common.message_ids import N_
from common.problems import Invalid
from gateway.dashboard import fapi_checklist
from gateway.dashboard.api_call import curl
from gateway.dashboard.client import find, of_client, save_form
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/clients/{{client}}/security"
FLAGS: Final = ("require_pushed_authorization_requests", "require_signed_request_object")
ALGORITHMS: Final = ("request_object_signing_alg", "authorization_signed_response_alg")
CHOICES: Final = ("RS256", "PS256", "ES256", "EdDSA")
NOTICES: Final = {
    "saved": N_("The changes are saved."),
    "fapi_on": N_(
        "FAPI 2.0 is switched on. The client's secrets are deleted, and its tokens stopped working."
    ),
    "fapi_off": N_("FAPI 2.0 is switched off. The client's other settings stay as they are."),
}


async def show(visit: Visit) -> GatewayResponse:
    """GET …/clients/{client}/security"""
    client = await find(visit)
    return _show(visit, client, values_of(client))


def _show(
    visit: Visit,
    client: Client,
    values: dict[str, str],
    errors: dict[str, str] | None = None,
) -> GatewayResponse:
    settings = visit.managed.tenant.settings
    return visit.show(
        "client_security.html",
        errors=errors,
        values=values,
        done=NOTICES.get(visit.fields.text("done")),
        version=client.version,
        algorithms=CHOICES,
        pushes=settings.pushed_authorization_requests,
        signs=settings.request_objects,
        answers=settings.signed_authorization_responses,
        checklist=fapi_checklist.checklist(client, settings),
        each_request=fapi_checklist.EACH_REQUEST,
        has_keys=client.jwks is not None or client.jwks_uri is not None,
        par=f"{visit.managed.tenant.origin}/oauth2/par",
        address=f"{visit.home}/clients/{client.client_id}/security",
        api=curl(visit.managed.tenant, "GET", f"/clients/{client.client_id}"),
        **of_client(visit, client),
    )


def values_of(client: Client) -> dict[str, str]:
    """Returns the texts that the form shows."""
    values = {name: "on" if getattr(client, name) else "" for name in FLAGS}
    return values | {name: getattr(client, name) or "" for name in ALGORITHMS}


def typed(fields: Fields) -> dict[str, str]:
    """Returns the texts of a posted form. A switch that is off is not in it."""
    values = {name: "on" if name in fields else "" for name in FLAGS}
    return values | {name: fields.text(name) for name in ALGORITHMS}


def changes(client: Client, values: dict[str, str]) -> dict[str, Any]:
    """Returns the fields whose values differ from those of the client."""
    before = values_of(client)
    changed = {name: text for name, text in values.items() if text != before[name]}
    return {name: text == "on" if name in FLAGS else text or None for name, text in changed.items()}


async def save(visit: Visit) -> GatewayResponse:
    """POST …/clients/{client}/security: changes what differs. If somebody else changed the client since
    the form was shown, nothing is saved, and the input is kept."""
    client = await find(visit)
    return await save_form(
        visit,
        client,
        typed(visit.fields),
        changes=changes,
        show=_show,
        place=f"{visit.home}/clients/{client.client_id}/security",
    )


async def switch_profile(visit: Visit) -> GatewayResponse:
    """POST …/clients/{client}/security/profile: switches FAPI 2.0 on, with the settings that follow from it,
    or off."""
    client = await find(visit)
    on = visit.fields.get("profile") == "fapi2"
    changes = fapi_checklist.switch_on(client) if on else {"security_profile": None}
    try:
        await visit.call(UpdateClient(client=client.client_id, changes=changes))
    except Invalid as error:
        return _show(visit, client, values_of(client), errors_of(visit.open().language, error))
    done = "fapi_on" if on else "fapi_off"
    return redirect(at(f"{visit.home}/clients/{client.client_id}/security", done=done))


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_form(HERE, save),
        dashboard_form(f"{HERE}/profile", switch_profile, page_path=HERE),
    )
)
