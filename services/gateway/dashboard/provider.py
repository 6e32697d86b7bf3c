"""One identity provider: its state, its test, its settings; deleting it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pydantic import ValidationError

from common.contracts.audit_log import AuditRecord
from common.contracts.identity_providers import (
    CheckIdentityProvider,
    DeleteIdentityProvider,
    GetIdentityProvider,
    IdentityProvider,
    ProviderNotFound,
    ProviderReport,
    UpdateIdentityProvider,
)
from common.contracts.versioned import ChangedMeanwhile
from common.message_ids import N_
from common.problems import Forbidden, Problem
from gateway.dashboard import form_guard
from gateway.dashboard.api_call import curl
from gateway.dashboard.form_guard import name_errors
from gateway.dashboard.last_change import change_of, latest_events
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.provider_fields import (
    HINTS,
    LABELS,
    OPTIONAL,
    SECRETS,
    changes,
    names_of,
    secret_of,
    typed,
    values_of,
)
from gateway.dashboard.providers import callback_urls
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import errors_of
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/providers/{{provider}}"
NOTICES: Final = {
    "created": N_("The identity provider is created. Test the connection now."),
    "saved": N_("The changes are saved."),
    "enabled": N_("The identity provider is on. Its button is on the sign-in page."),
    "disabled": N_("The identity provider is off. Nobody can sign in with it."),
}
STEPS: Final = {
    "discovery": N_("The endpoints of the provider are known"),
    "keys": N_("The signature keys of the provider are read"),
    "token": N_("The token endpoint accepts the client"),
}
"""The sentence for each step of a test. A provider without ID tokens has no keys."""


async def find(visit: Visit) -> IdentityProvider:
    """Returns the provider of the path. Raises ProviderNotFound."""
    name = visit.parameters["provider"]
    if not name.isprintable():
        raise ProviderNotFound
    return await visit.call(GetIdentityProvider(provider=name))


def of_provider(visit: Visit, provider: IdentityProvider) -> dict[str, Any]:
    """Returns what every page of a provider needs."""
    return {
        "provider": provider,
        "at_provider": f"{visit.home}/providers/{provider.id}",
        "writes": visit.may("idps:write"),
        "deletes": visit.may("idps:delete"),
    }


async def show(visit: Visit) -> GatewayResponse:
    """GET …/providers/{provider}"""
    provider, events = await asyncio.gather(find(visit), latest_events(visit, "idp_updated"))
    return _show(
        visit,
        provider,
        done=NOTICES.get(visit.fields.text("done")),
        last_event=change_of(provider, events, idp_id=provider.id),
    )


def _show(
    visit: Visit,
    provider: IdentityProvider,
    errors: dict[str, str] | None = None,
    *,
    done: str | None = None,
    report: ProviderReport | None = None,
    last_event: AuditRecord | None = None,
) -> GatewayResponse:
    steps = {
        name: text for name, text in STEPS.items() if name != "keys" or provider.type == "oidc"
    }
    return visit.show(
        "provider.html",
        errors=errors,
        done=done,
        last_event=last_event,
        steps=steps,
        report=report,
        results={check.step: check for check in report.steps} if report else {},
        callbacks=callback_urls(visit.managed.tenant, provider.name),
        address=f"{visit.home}/providers/{provider.id}",
        api=curl(visit.managed.tenant, "POST", f"/idps/{provider.id}/test"),
        **of_provider(visit, provider),
    )


async def test(visit: Visit) -> GatewayResponse:
    """POST …/providers/{provider}/test: calls the provider, and shows each step."""
    if not visit.may("idps:write"):
        raise Forbidden
    provider = await find(visit)
    try:
        report = await visit.call(CheckIdentityProvider(provider=provider.id))
    except Problem as error:
        return _show(visit, provider, errors_of(visit.open().language, error))
    return _show(visit, provider, report=report)


async def switch(visit: Visit) -> GatewayResponse:
    """POST …/providers/{provider}/enabled: turns the provider on or off."""
    enabled = visit.fields.get("enabled") == "true"
    provider = await find(visit)
    await visit.call(UpdateIdentityProvider(provider=provider.id, changes={"enabled": enabled}))
    done = "enabled" if enabled else "disabled"
    return redirect(at(f"{visit.home}/providers/{provider.id}", done=done))


async def ask_changes(visit: Visit) -> GatewayResponse:
    """GET …/providers/{provider}/edit"""
    if not visit.may("idps:write"):
        raise Forbidden
    provider = await find(visit)
    return _ask_changes(visit, provider, values_of(provider))


def _ask_changes(
    visit: Visit,
    provider: IdentityProvider,
    values: dict[str, str],
    errors: dict[str, str] | None = None,
) -> GatewayResponse:
    return visit.show(
        "provider_edit.html",
        errors=errors,
        values=values | dict.fromkeys(SECRETS, ""),
        names=names_of(provider),
        version=provider.version,
        labels=LABELS,
        hints=HINTS,
        optional=OPTIONAL,
        secrets=SECRETS,
        api=curl(visit.managed.tenant, "PATCH", f"/idps/{provider.id}", {"position": 1}),
        **of_provider(visit, provider),
    )


async def save(visit: Visit) -> GatewayResponse:
    """POST …/providers/{provider}/edit: changes what differs. An empty secret keeps the stored one."""
    if not visit.may("idps:write"):
        raise Forbidden
    provider = await find(visit)
    page, values = visit.open(), typed(visit.fields, provider)
    try:
        form_guard.check(visit, provider)
        update = UpdateIdentityProvider(
            provider=provider.id,
            client_secret=secret_of(visit.fields),
            changes=changes(provider, values),
        )
        await visit.call(update, version=provider.version)
    except ChangedMeanwhile:
        errors = form_guard.changed_meanwhile(page.language)
        return _ask_changes(visit, await find(visit), values, errors)
    except (Problem, ValidationError) as error:
        return _ask_changes(visit, provider, values, errors_of(page.language, error))
    return redirect(at(f"{visit.home}/providers/{provider.id}", done="saved"))


async def ask_deletion(visit: Visit) -> GatewayResponse:
    """GET …/providers/{provider}/delete"""
    if not visit.may("idps:delete"):
        raise Forbidden
    return _ask_deletion(visit, await find(visit))


def _ask_deletion(
    visit: Visit, provider: IdentityProvider, errors: dict[str, str] | None = None
) -> GatewayResponse:
    return visit.show(
        "provider_delete.html",
        errors=errors,
        values={"typed": visit.fields.text("typed")},
        api=curl(visit.managed.tenant, "DELETE", f"/idps/{provider.id}"),
        **of_provider(visit, provider),
    )


async def delete(visit: Visit) -> GatewayResponse:
    """POST …/providers/{provider}/delete: needs the name of the button, typed."""
    if not visit.may("idps:delete"):
        raise Forbidden
    provider = await find(visit)
    if errors := name_errors(visit, provider.display_name):
        return _ask_deletion(visit, provider, errors)
    await visit.call(DeleteIdentityProvider(provider=provider.id))
    return redirect(at(f"{visit.home}/providers", done="deleted"))


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_form(f"{HERE}/test", test, page_path=HERE),
        dashboard_form(f"{HERE}/enabled", switch, page_path=HERE),
        dashboard_page(f"{HERE}/edit", ask_changes, fresh=True),
        dashboard_form(f"{HERE}/edit", save),
        dashboard_page(f"{HERE}/delete", ask_deletion, fresh=True),
        dashboard_form(f"{HERE}/delete", delete),
    )
)
