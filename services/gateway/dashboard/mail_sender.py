"""The application's own mail server: its settings, a test of each step, and whether mails wait."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pydantic import ValidationError

from common import freshness
from common.contracts.audit_log import AuditRecord
from common.contracts.mail_sender import (
    CheckMailSender,
    DeleteMailSender,
    GetMailSender,
    MailSender,
    MailSenderCheck,
    MailSenderFields,
    MailSenderNotFound,
    PutMailSender,
    SenderStep,
)
from common.contracts.versioned import ChangedMeanwhile
from common.message_ids import N_
from common.problems import Forbidden, Problem
from gateway.dashboard import form_guard
from gateway.dashboard.api_call import curl
from gateway.dashboard.last_change import last_change
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors, errors_of
from gateway.routing import RouteSet

PATH: Final = f"{APPLICATIONS}/{{slug}}/mail-sender"
NAMES: Final = ("host", "port", "tls", "user", "from_address", "from_name")
"""Fields of the form that are shown again after an error. The password is not."""
STEPS: Final[dict[SenderStep, tuple[str, str]]] = {
    "connect": (
        N_("Connect to the server"),
        N_("Check the host and the port. The server must have a public address."),
    ),
    "tls": (
        N_("Encrypt the connection"),
        N_("Choose the other kind of TLS, or renew the server's certificate."),
    ),
    "sign_in": (N_("Sign in"), N_("The server refused the user or the password.")),
    "sender": (N_("Accept the sender"), N_("The server does not let you send from this address.")),
    "message": (
        N_("Accept the message"),
        N_("The server refused your address or the message."),
    ),
}
"""By step: its name, and what to do if it fails."""
NOTICES: Final = {
    "saved": N_("The mail server was saved. Mails go out through it now."),
    "deleted": N_("The mail server was deleted. Mails go out through the platform's server."),
}


async def show(visit: Visit) -> GatewayResponse:
    """GET /dashboard/applications/{slug}/mail-sender. Developers who may change it confirm that it is
    them before they type a password, not after."""
    if visit.may("settings:write"):
        freshness.check(visit.user.caller)
    stored, changed = await asyncio.gather(
        _stored(visit), last_change(visit, "mail_sender_changed")
    )
    return _page(visit, stored, changed=changed)


async def _stored(visit: Visit) -> MailSender | None:
    try:
        return await visit.call(GetMailSender())
    except MailSenderNotFound:
        return None


def _page(
    visit: Visit,
    stored: MailSender | None,
    errors: Errors | None = None,
    *,
    changed: AuditRecord | None = None,
    **more: Any,
) -> GatewayResponse:
    values = {name: visit.fields.text(name) for name in NAMES if name in visit.fields}
    if visit.request.method == "GET" or not values:
        values = _values(stored)
    return visit.show(
        "mail_sender.html",
        part="mail_sender_test.html",
        sender=stored,
        errors=errors,
        version=_version(visit, stored, errors),
        changed=changed if stored else None,
        values=values,
        steps=STEPS,
        notice=NOTICES.get(visit.fields.text("done")),
        api=curl(visit.managed.tenant, "GET", "/mail-sender"),
        **more,
    )


def _version(visit: Visit, stored: MailSender | None, errors: Errors | None) -> str:
    """Returns the version for the form. A test leaves what was typed, and the version with it."""
    return form_guard.version(visit, stored, Errors() if errors is None else errors)


def _values(stored: MailSender | None) -> dict[str, str]:
    if stored is None:
        return {}
    values = stored.model_dump(include=set(NAMES))
    return {name: str(value) for name, value in values.items() if value is not None}


def _fields(visit: Visit) -> MailSenderFields:
    """Returns the settings of the form. Raises ValidationError, and Forbidden before it."""
    if not visit.may("settings:write"):
        raise Forbidden
    values = {name: visit.fields.text_or_none(name) for name in (*NAMES, "password")}
    required = {name: values[name] or "" for name in ("host", "tls", "from_address")}
    return MailSenderFields.model_validate(values | required)


async def save(visit: Visit) -> GatewayResponse:
    """POST /dashboard/applications/{slug}/mail-sender"""
    stored = await _stored(visit)
    version = stored.version if stored else ""
    try:
        if visit.fields.text("version") != version:
            raise ChangedMeanwhile
        put = PutMailSender(sender=_fields(visit))
        await visit.call(put, version=version)
    except ChangedMeanwhile:
        return await _changed_meanwhile(visit)
    except (Problem, ValidationError) as error:
        return await _refused(visit, error)
    return redirect(at(f"{visit.home}/mail-sender", done="saved"))


async def _changed_meanwhile(visit: Visit) -> GatewayResponse:
    """Shows what was typed, and what somebody else stored meanwhile."""
    if not visit.may("settings:write"):
        raise Forbidden
    stored = await _stored(visit)
    return _page(visit, stored, form_guard.stored_now(visit, NAMES, stored))


async def test(visit: Visit) -> GatewayResponse:
    """POST /dashboard/applications/{slug}/mail-sender/test: tests what the form holds, saved or not."""
    try:
        checked = await visit.call(CheckMailSender(sender=_fields(visit)))
    except (Problem, ValidationError) as error:
        return await _refused(visit, error)
    return _page(visit, await _stored(visit), checked=checked, results=_results(checked))


def _results(checked: MailSenderCheck) -> list[SenderStep]:
    """Returns the steps to show, in their order: those that passed, and the one that failed."""
    return [*checked.passed, *([checked.failed] if checked.failed else [])]


async def _refused(visit: Visit, error: Problem | ValidationError) -> GatewayResponse:
    """Shows the form again, with what was typed. Raises Forbidden again if a right is missing."""
    if isinstance(error, Forbidden) and error.code == Forbidden.code:
        raise error
    errors = errors_of(visit.open().language, error)
    return _page(visit, await _stored(visit), errors)


async def delete(visit: Visit) -> GatewayResponse:
    """POST /dashboard/applications/{slug}/mail-sender/delete"""
    try:
        await visit.call(DeleteMailSender())
    except MailSenderNotFound:
        return redirect(f"{visit.home}/mail-sender")
    return redirect(at(f"{visit.home}/mail-sender", done="deleted"))


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_form(PATH, save),
        dashboard_form(f"{PATH}/test", test, page_path=PATH),
        dashboard_form(f"{PATH}/delete", delete, page_path=PATH),
    )
)
