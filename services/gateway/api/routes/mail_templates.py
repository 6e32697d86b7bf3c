"""The texts of an application's mails."""

from __future__ import annotations

from typing import Literal

from common.contracts.base import Contract, Done
from common.contracts.fields import Email
from common.contracts.mail_templates import (
    ListTemplates,
    PreviewTemplate,
    PutTemplate,
    RenderedMail,
    ResetTemplate,
    SendTestMail,
    Template,
    Templates,
    TemplateText,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/mail-templates", tags=["mail_templates"])
Locale = Literal["en", "de"]


class Preview(Contract):
    template: TemplateText | None = None


class Recipient(Contract):
    to: Email


@router.get("", summary="List the mails and their texts")
async def list_(ctx: Acting, bus: TheBus) -> Templates:
    """Every kind in every language, with the variables each may use. Needs `apps:read`."""
    return await bus.call(ctx, ListTemplates())


@router.put("/{kind}/{locale}", summary="Write a mail's text")
async def put(
    kind: str, locale: Locale, template: TemplateText, *, ctx: Acting, bus: TheBus
) -> Template:
    """Jinja2 in a cage: output, `if`, a few filters. 422 names what it may not. Needs `apps:write`."""
    return await bus.call(ctx, PutTemplate(kind=kind, locale=locale, template=template))


@router.delete("/{kind}/{locale}", summary="Put the built-in text back")
async def reset(kind: str, locale: Locale, ctx: Acting, bus: TheBus) -> Template:
    """Needs `apps:write`."""
    return await bus.call(ctx, ResetTemplate(kind=kind, locale=locale))


@router.post("/{kind}/{locale}/preview", summary="Look at a mail")
async def preview(
    kind: str, locale: Locale, request: Preview, *, ctx: Acting, bus: TheBus
) -> RenderedMail:
    """With sample values; of a text that is not stored yet, too. Needs `apps:read`."""
    return await bus.call(ctx, PreviewTemplate(kind=kind, locale=locale, template=request.template))


@router.post("/{kind}/{locale}/test", status_code=202, summary="Send a mail as a test")
async def test(kind: str, locale: Locale, request: Recipient, *, ctx: Acting, bus: TheBus) -> Done:
    """With sample values; ten in ten minutes at most. Needs `apps:write`."""
    return await bus.call(ctx, SendTestMail(kind=kind, locale=locale, to=request.to))


routes = RouteSet(router=router, in_applications=True)
