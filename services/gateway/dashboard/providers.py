"""The identity providers of an application, and new ones by preset."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from common.contracts.identity_providers import (
    CreateIdentityProvider,
    IdentityProvider,
    ListIdentityProviders,
    ProviderNameTaken,
)
from common.contracts.tenants import Tenant
from common.message_ids import N_
from common.problems import Forbidden, Problem
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.provider_fields import (
    HINTS,
    LABELS,
    OPTIONAL,
    SECRETS,
    secret_of,
    settings_of,
)
from gateway.dashboard.provider_presets import PRESETS, ProviderPreset, preset_of
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import errors_of
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/providers"
NOTICES: Final = {"deleted": N_("The identity provider is deleted. Nobody can sign in with it.")}
BAD_NAME: Final = N_("Start with a letter, and use only lower-case letters, digits, - and _.")


def callback_urls(tenant: Tenant, name: str) -> list[str]:
    """Returns the addresses to register at the provider: one for each host of the application."""
    scheme = tenant.origin.partition(":")[0]
    return [f"{scheme}://{host}/rp/callback/{name}" for host in tenant.hosts]


async def show(visit: Visit) -> GatewayResponse:
    """GET …/providers"""
    listed = await visit.call(ListIdentityProviders())
    return visit.show(
        "providers.html",
        providers=listed.idps,
        presets=PRESETS,
        offered="oauth" in visit.managed.tenant.settings.auth_methods,
        writes=visit.may("idps:write"),
        done=NOTICES.get(visit.fields.text("done")),
        api=curl(visit.managed.tenant, "GET", "/idps"),
    )


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/providers/new: the fields of the preset, and what to do at the provider."""
    if not visit.may("idps:write"):
        raise Forbidden
    return await _ask(visit)


async def _ask(visit: Visit, errors: dict[str, str] | None = None) -> GatewayResponse:
    preset = preset_of(visit.fields.get("preset"))
    listed = await visit.call(ListIdentityProviders())
    name = visit.fields.text("name") or _free_name(preset, listed.idps)
    return visit.show(
        "provider_new.html",
        errors=errors,
        values=_values(visit, preset) | {"name": name},
        preset=preset,
        org_id=visit.fields.text("org_id"),
        asks_name=preset.generic or name != preset.name,
        labels=LABELS,
        hints=HINTS,
        optional=OPTIONAL,
        secrets=SECRETS,
        callbacks=callback_urls(visit.managed.tenant, name or "…"),
        address=at(
            f"{visit.home}/providers/new",
            preset=preset.name,
            org_id=visit.fields.text_or_none("org_id"),
        ),
        api=curl(visit.managed.tenant, "POST", "/idps", _example(preset)),
    )


def _free_name(preset: ProviderPreset, providers: list[IdentityProvider]) -> str:
    """Returns the preset's name, or that with a number if a provider has it already."""
    taken = {provider.name for provider in providers}
    if preset.generic:
        return ""
    names = (preset.name, *(f"{preset.name}-{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def _values(visit: Visit, preset: ProviderPreset) -> dict[str, str]:
    """Returns what was typed. A secret is typed again."""
    return {name: "" if name in SECRETS else visit.fields.text(name) for name in preset.fields}


def _example(preset: ProviderPreset) -> dict[str, Any]:
    if preset.generic:
        return {"name": "acme", "display_name": "Acme", "type": preset.name, "client_id": "…"}
    return {"preset": preset.name, "client_id": "…", "client_secret": "…"}


async def create(visit: Visit) -> GatewayResponse:
    """POST …/providers/new"""
    if not visit.may("idps:write"):
        raise Forbidden
    page, preset = visit.open(), preset_of(visit.fields.get("preset"))
    try:
        new = await visit.call(_new_provider(visit, preset))
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        if "name" in errors and not isinstance(error, ProviderNameTaken):
            errors["name"] = page.translate(BAD_NAME)
        if "org_id" in errors:  # no field that anybody typed
            errors[""] = errors.pop("org_id")
        return await _ask(visit, errors)
    return redirect(at(f"{visit.home}/providers/{new.id}", done="created"))


def _new_provider(visit: Visit, preset: ProviderPreset) -> CreateIdentityProvider:
    settings = settings_of(visit.fields, preset.fields)
    fields: dict[str, Any] = {"client_secret": secret_of(visit.fields)}
    if preset.generic:
        settings["type"] = preset.name
    else:
        fields["preset"] = preset.name
    if org_id := visit.fields.text_or_none("org_id"):
        settings["org_id"] = org_id
    name = visit.fields.text_or_none("name")
    return CreateIdentityProvider(name=name, settings=settings, **fields)


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_page(f"{HERE}/new", ask, fresh=True),
        dashboard_form(f"{HERE}/new", create),
    )
)
