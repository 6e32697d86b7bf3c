"""Rendering of mails: a built-in template or one of the application, with its logo and color.

A value is never a template itself: a user named `{{ 7 * 7 }}` is greeted by that name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from common.bidi import isolate
from common.brand_colors import color_of, palette
from common.contracts.fields import LINK
from common.contracts.mail_templates import RenderedMail, TemplateInvalid, TemplateText
from common.contracts.tenants import Tenant
from common.worker_processes import WorkerProcesses
from identity.mail_languages import Locale
from identity.mail_layout import PAGE
from identity.mail_template_check import parsed
from identity.mail_texts import unnamed_organization
from identity.mail_variables import variables

ADVERTISEMENT: Final = re.compile(r"[/:@<>\[\]{}|\\#%$]|\.\w{2,}|www|http|\d{4}", re.I)
"""In a name: markup, what could be a link, and what could be a telephone number."""

_plain = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
_html = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True)

_page = _html.from_string(PAGE)


async def render_in_worker(
    workers: WorkerProcesses,
    app_id: str,
    kind: str,
    locale: Locale,
    *,
    tenant: Tenant,
    data: Mapping[str, Any],
    source: TemplateText,
) -> RenderedMail:
    """Does what `render` does, in a process that can be killed. Raises TemplateInvalid, Busy,
    WorkerFailed."""
    content = {"data": data, "source": source.model_dump()}
    result = await workers.run(
        app_id, "render_mail", kind, locale, tenant.model_dump(mode="json"), content
    )
    if "invalid" in result:
        raise TemplateInvalid(result["invalid"])
    return RenderedMail.model_validate(result)


def render(
    kind: str, locale: Locale, tenant: Tenant, *, data: Mapping[str, Any], source: TemplateText
) -> RenderedMail:
    """Returns the mail. Raises TemplateInvalid if the source does not render, though
    `mail_template_check` accepted it."""
    values = _values(kind, locale, tenant, data)
    try:
        subject = " ".join(_compiled(source.subject, html=False).render(values).split())[:200]
        text = _compiled(source.text, html=False).render(values)
        body = _compiled(source.html, html=True).render(values)
    except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise TemplateInvalid(f"it does not render: {type(error).__name__}") from None
    colors = palette(color_of(tenant.branding.primary_color))
    page = _page.render(
        {
            **values,
            "subject": subject,
            "locale": locale,
            "light": colors.light,
            "dark": colors.dark,
            "body": _html.filters["safe"](body),
        }
    )
    return RenderedMail(subject=subject, text=_tidy(text), html=page)


def _values(kind: str, locale: Locale, tenant: Tenant, data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a value for every variable. Text that strangers typed is left out if it could be an
    advertisement."""
    branding = tenant.branding
    typed = {
        name: isolate(harmless(str(data.get(name) or "")))
        for name in ("name", "inviter", "device", "org_name")
    }
    return {
        **dict.fromkeys(variables(kind), ""),
        **data,
        **typed,
        "org_name": typed["org_name"] or unnamed_organization(locale),
        "app_name": isolate(tenant.name),
        "app_url": tenant.origin,
        "support_email": branding.support_email or "",
        "homepage_url": branding.homepage_url or "",
        "logo_url": branding.logo_url if (branding.logo_url or "").startswith("https://") else "",
    }


@lru_cache(maxsize=1024)
def _compiled(source: str, *, html: bool) -> Any:
    """Returns the compiled template. Its size is checked again, because a stored template may be
    older than the limit. Raises TemplateError."""
    parsed(source)
    return (_html if html else _plain).from_string(source)


def _tidy(text: str) -> str:
    """Removes the empty lines that a part without text leaves."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def harmless(name: str) -> str:
    """Returns a name for a greeting, or "" if it could be an advertisement. Strangers choose names,
    and the mail looks like ours."""
    if len(name) > 60 or LINK.search(name) or ADVERTISEMENT.search(name):
        return ""
    return " ".join(name.split())
