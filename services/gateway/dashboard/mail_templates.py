"""The texts of an application's mails: a list of kinds, and a page that edits, shows and tests one."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.mail_templates import (
    GetTemplate,
    ListTemplates,
    PreviewTemplate,
    PutTemplate,
    ResetTemplate,
    SendTestMail,
    Template,
    TemplateNotFound,
    TemplateText,
)
from common.contracts.versioned import ChangedMeanwhile
from common.message_ids import N_
from common.problems import Forbidden, Problem
from gateway.dashboard import form_guard, person_limits
from gateway.dashboard.api_call import curl
from gateway.dashboard.mail_names import MAIL_NAMES
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.preview_frame import inert_policy, refused_frame
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, html_response, redirect
from gateway.pages.branding import origin_of
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors, errors_of
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/mail"
ONE: Final = f"{HERE}/{{kind}}/{{locale}}"
PARTS: Final = ("subject", "text", "html")
NOTICES: Final = {
    "saved": N_("Saved. New mails have this text."),
    "reset": N_("New mails have the built-in text again."),
    "sent": N_("We sent a test mail to your own address."),
}


async def show(visit: Visit) -> GatewayResponse:
    """GET …/mail"""
    listed = await visit.call(ListTemplates())
    by_kind: dict[str, list[Template]] = {}
    for template in listed.templates:
        by_kind.setdefault(template.kind, []).append(template)
    return visit.show(
        "mail.html",
        kinds=by_kind,
        names=MAIL_NAMES,
        writes=visit.may("apps:write"),
        api=curl(visit.managed.tenant, "GET", "/mail-templates"),
    )


async def edit(visit: Visit) -> GatewayResponse:
    """GET …/mail/{kind}/{locale}"""
    return await _edit(visit)


async def _edit(visit: Visit, errors: Errors | None = None) -> GatewayResponse:
    template = await _template(visit)
    fields = {name: visit.fields[name] for name in PARTS if name in visit.fields}
    path = f"/mail-templates/{template.kind}/{template.locale}"
    return visit.show(
        "mail_edit.html",
        errors=errors,
        values={name: fields.get(name, getattr(template, name)) for name in PARTS},
        mail=template,
        version=form_guard.version(visit, template, errors),
        names=MAIL_NAMES,
        path=f"{visit.home}/mail/{template.kind}/{template.locale}",
        notice=NOTICES.get(visit.fields.text("done")) if errors is None else None,
        writes=visit.may("apps:write"),
        own_address=_own_address(visit),
        frames=[visit.request.app.origin],
        api=curl(visit.managed.tenant, "POST", f"{path}/preview", {}),
    )


async def _template(visit: Visit) -> Template:
    """Returns the template of the path. Raises TemplateNotFound."""
    kind, locale = visit.parameters["kind"], visit.parameters["locale"]
    try:
        wanted = GetTemplate.model_validate({"kind": kind, "locale": locale})
    except ValidationError:
        raise TemplateNotFound from None
    return await visit.call(wanted)


async def save(visit: Visit) -> GatewayResponse:
    """POST …/mail/{kind}/{locale}"""
    _check_may_write(visit)
    template, language = await _template(visit), visit.open().language
    try:
        form_guard.check(visit, template)
        text = TemplateText.model_validate(_typed(visit))
        put = PutTemplate(kind=template.kind, locale=template.locale, template=text)
        await visit.call(put, version=template.version)
    except ChangedMeanwhile:
        return await _edit(visit, form_guard.stored_now(visit, PARTS, await _template(visit)))
    except (Problem, ValidationError) as error:
        return await _edit(visit, errors_of(language, error))
    return _back(visit, "saved")


def _check_may_write(visit: Visit) -> None:
    if not visit.may("apps:write"):
        raise Forbidden


def _typed(visit: Visit) -> dict[str, str]:
    return {name: visit.fields.get(name, "").replace("\r\n", "\n") for name in PARTS}


def _back(visit: Visit, done: str) -> GatewayResponse:
    kind, locale = visit.parameters["kind"], visit.parameters["locale"]
    return redirect(at(f"{visit.home}/mail/{kind}/{locale}", done=done))


async def reset(visit: Visit) -> GatewayResponse:
    """POST …/mail/{kind}/{locale}/reset"""
    _check_may_write(visit)
    template = await _template(visit)
    await visit.call(ResetTemplate(kind=template.kind, locale=template.locale))
    return _back(visit, "reset")


def _own_address(visit: Visit) -> str | None:
    """Returns the developer's own address, if they have proven it."""
    session = visit.user.session
    return session.email if session.email_verified else None


async def test(visit: Visit) -> GatewayResponse:
    """POST …/mail/{kind}/{locale}/test: sends the stored text, only to the developer's own address."""
    _check_may_write(visit)
    template, language = await _template(visit), visit.open().language
    if _own_address(visit) is None:
        raise Forbidden
    try:
        await visit.call(SendTestMail(kind=template.kind, locale=template.locale))
    except Problem as error:
        return await _edit(visit, errors_of(language, error))
    return _back(visit, "sent")


async def preview_stored(visit: Visit) -> GatewayResponse:
    """GET …/mail/{kind}/{locale}/page: the stored text as a mail, for a frame."""
    return await _preview(visit, None)


async def preview_typed(visit: Visit) -> GatewayResponse:
    """POST …/mail/{kind}/{locale}/page: what was typed as a mail, for the frame that the form names."""
    return await _preview(visit, _typed(visit))


async def _preview(visit: Visit, typed: dict[str, str] | None) -> GatewayResponse:
    template, page = await _template(visit), visit.open()
    try:
        person_limits.count(visit, person_limits.PREVIEWS)
        text = None if typed is None else TemplateText.model_validate(typed)
        wanted = PreviewTemplate(kind=template.kind, locale=template.locale, template=text)
        mail = await visit.call(wanted)
    except (Problem, ValidationError) as error:
        heading = page.translate(N_("This text can't be shown yet"))
        return refused_frame(visit, heading, errors_of(page.language, error))
    return html_response(mail.html, 200, _inert(visit))


def _inert(visit: Visit) -> dict[str, str]:
    """Returns headers that let the mail have its own styles and the logo, and nothing else."""
    logo = origin_of(visit.managed.tenant.branding.logo_url or "")
    pictures = [logo] if logo else []
    policy = inert_policy(visit.request.app.origin, styles="'unsafe-inline'", pictures=pictures)
    return {"content-security-policy": policy, "cache-control": "no-store"}


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_page(ONE, edit),
        dashboard_form(ONE, save),
        dashboard_form(f"{ONE}/reset", reset, page_path=ONE),
        dashboard_form(f"{ONE}/test", test, page_path=ONE),
        dashboard_page(f"{ONE}/page", preview_stored),
        dashboard_form(f"{ONE}/page", preview_typed, page_path=ONE),
    )
)
