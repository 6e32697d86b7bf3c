"""The branding of an application: name, pictures, colour and links, with a preview of the real pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from common import brand_colors
from common.brand_colors import Shades, contrast, parse
from common.contracts.applications import (
    Application,
    ApplicationPatch,
    GetApplication,
    UpdateApplication,
)
from common.contracts.audit_log import AuditRecord
from common.contracts.tenants import Branding, Tenant
from common.contracts.versioned import ChangedMeanwhile
from common.message_ids import N_
from common.problems import Forbidden, Problem, RateLimited
from gateway.dashboard import form_guard, person_limits
from gateway.dashboard.api_call import curl_in_dashboard
from gateway.dashboard.brand_preview import PAGES, SCHEMES, previewed_page, show_preview
from gateway.dashboard.last_change import last_change
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.preview_frame import refused_frame
from gateway.dashboard.setting_fields import BEFORE, version
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors, errors_of
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/branding"
FIELDS: Final = ("name", *Branding.model_fields)
PREVIEW: Final = "preview"
"""The field that chooses the hosted page of the preview."""
LINKS: Final = (
    ("homepage_url", N_("Home page"), N_("The name on the sign-in page leads there.")),
    ("privacy_policy_url", N_("Privacy policy"), N_("Linked at the foot of every page.")),
    ("terms_url", N_("Terms"), N_("Linked at the foot of every page and below the sign-up form.")),
)


@dataclass(frozen=True)
class Contrast:
    """The contrasts of a colour in one scheme (WCAG 1.4.3 asks for 4.5)."""

    scheme: str
    button: float
    text: float


async def show(visit: Visit) -> GatewayResponse:
    """GET …/branding"""
    changed = await last_change(visit, "application_updated", FIELDS)
    return _show(visit, _stored(visit), changed=changed)


def _stored(visit: Visit) -> dict[str, str]:
    tenant = visit.managed.tenant
    values = {"name": tenant.name, **tenant.branding.model_dump()}
    return {name: value or "" for name, value in values.items()}


def _shown(application: Application) -> dict[str, str]:
    return {name: getattr(application, name) or "" for name in FIELDS}


def _show(
    visit: Visit,
    values: dict[str, str],
    errors: Errors | None = None,
    *,
    stored: dict[str, str] | None = None,
    changed: AuditRecord | None = None,
) -> GatewayResponse:
    stored = stored or _stored(visit)
    origin = visit.request.app.origin
    return visit.show(
        "branding.html",
        part="branding_preview.html",
        errors=errors,
        changed=changed,
        values=values,
        before={name: version(value) for name, value in stored.items()},
        begins=BEFORE,
        links=LINKS,
        **_previews(visit, _previewed(visit.managed.tenant, values)),
        writes=visit.may("apps:write"),
        saved=visit.fields.text("done") == "saved" and errors is None,
        frames=[origin],
        address=f"{visit.home}/branding",
        api=curl_in_dashboard(
            visit.request.app,
            "PATCH",
            f"/applications/{visit.managed.tenant.slug}",
            {"primary_color": values["primary_color"] or f"#{brand_colors.DEFAULT}"},
        ),
    )


def _previews(visit: Visit, previewed: Tenant) -> dict[str, Any]:
    """Returns what the frames show: the hosted page that was chosen, in both schemes."""
    page, color = previewed_page(visit.fields.get(PREVIEW)), previewed.branding.primary_color
    return {
        "pages": PAGES,
        "chosen": page,
        "contrasts": _contrasts(color),
        "previews": {
            scheme: _preview_address(visit, previewed, page=page.key, scheme=scheme)
            for scheme in SCHEMES
        },
    }


def _contrasts(color: str | None) -> list[Contrast]:
    palette = brand_colors.palette(brand_colors.color_of(color))

    def of(scheme: str, shades: Shades, surface: str) -> Contrast:
        button = contrast(parse(shades.on_fill), parse(shades.fill))
        return Contrast(scheme, button, contrast(parse(shades.text), parse(surface)))

    surfaces = {
        scheme: brand_colors.to_hex((light, tint, palette.hue))
        for scheme, ((light, tint), *_) in brand_colors.SURFACES.items()
    }
    return [
        of("light", palette.light, surfaces["light"]),
        of("dark", palette.dark, surfaces["dark"]),
    ]


def _previewed(tenant: Tenant, values: dict[str, str]) -> Tenant:
    """Returns the application with the values that are valid. The others stay as stored."""
    good: dict[str, Any] = {}
    for name in FIELDS:
        if name in values:
            try:
                patch = ApplicationPatch.model_validate({name: values[name].strip() or None})
            except ValidationError:
                continue
            good[name] = getattr(patch, name)
    name = good.pop("name", tenant.name)
    branding = tenant.branding.model_copy(update=good)
    return tenant.model_copy(update={"name": name, "branding": branding})


def _preview_address(visit: Visit, previewed: Tenant, *, page: str, scheme: str) -> str:
    """Returns the address of a preview. It has only what differs from the stored branding."""
    stored, values = _stored(visit), {"name": previewed.name, **previewed.branding.model_dump()}
    differing = {
        name: str(values[name] or "") for name in FIELDS if (values[name] or "") != stored[name]
    }
    return at(f"{visit.home}/branding/page", page=page, scheme=scheme, **differing)


async def preview_page(visit: Visit) -> GatewayResponse:
    """GET …/branding/page: a hosted page as it will be, for a frame."""
    try:
        person_limits.count(visit, person_limits.PREVIEWS)
    except RateLimited as error:
        page = visit.open()
        heading = page.translate(N_("No preview for a moment"))
        return refused_frame(visit, heading, errors_of(page.language, error))
    given_values = {name: visit.fields[name] for name in FIELDS if name in visit.fields}
    return await show_preview(visit, _previewed(visit.managed.tenant, given_values))


async def preview(visit: Visit) -> GatewayResponse:
    """POST …/branding/preview: shows what was typed, and saves nothing."""
    if not visit.may("apps:write"):
        raise Forbidden
    return _show(visit, _typed(visit))


def _typed(visit: Visit) -> dict[str, str]:
    return {name: visit.fields.text(name) for name in FIELDS}


async def save(visit: Visit) -> GatewayResponse:
    """POST …/branding: sends only what differs. If somebody else has changed one of these fields
    meanwhile, nothing is saved, and the page shows both values."""
    if not visit.may("apps:write"):
        raise Forbidden
    return await form_guard.compared_again(lambda: _save(visit))


async def _save(visit: Visit) -> GatewayResponse:
    """Saves the fields. Raises ChangedMeanwhile if somebody else saved after the comparison."""
    language, slug = visit.open().language, visit.managed.tenant.slug
    application = await visit.call_dashboard(GetApplication(slug=slug))
    stored, typed = _shown(application), _typed(visit)
    changed = {
        name
        for name in FIELDS
        if typed[name] != stored[name]
        and version(typed[name]) != visit.fields.get(f"{BEFORE}{name}")
        and f"{BEFORE}{name}" in visit.fields
    }
    values = stored | {name: typed[name] for name in changed}
    theirs = {
        name: stored[name]
        for name in sorted(changed)
        if version(stored[name]) != visit.fields.get(f"{BEFORE}{name}")
    }
    if theirs:
        errors = form_guard.changed_meanwhile(language, theirs)
        return _show(visit, values, errors, stored=stored)
    try:
        if changed:
            sent = {name: typed[name] or (None if name != "name" else "") for name in changed}
            patch = ApplicationPatch.model_validate(sent)
            update = UpdateApplication(slug=slug, changes=patch)
            await visit.call_dashboard(update, version=application.version)
    except ChangedMeanwhile:
        raise
    except (Problem, ValidationError) as error:
        return _show(visit, values, errors_of(language, error), stored=stored)
    return redirect(at(f"{visit.home}/branding", done="saved"))


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_form(HERE, save),
        dashboard_form(f"{HERE}/preview", preview, page_path=HERE),
        dashboard_page(f"{HERE}/page", preview_page),
    )
)
