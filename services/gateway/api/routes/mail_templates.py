"""The texts of an application's mails."""

from __future__ import annotations

from typing import Literal

from common.contracts.base import Contract, Done
from common.contracts.mail_templates import (
    GetTemplate,
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
    """The text to preview. Without one, the stored text is used."""

    template: TemplateText | None = None


@router.get("", summary="List mail templates")
async def list_(ctx: Acting, bus: TheBus) -> Templates:
    """Lists the templates of every kind of mail in every language, with the variables that each can
    use. Needs `apps:read`."""
    return await bus.call(ctx, ListTemplates())


@router.get("/{kind}/{locale}", summary="Get a mail template")
async def get(kind: str, locale: Locale, ctx: Acting, bus: TheBus) -> Template:
    """Returns one template, built-in or your own. Needs `apps:read`."""
    return await bus.call(ctx, GetTemplate(kind=kind, locale=locale))


@router.put("/{kind}/{locale}", summary="Set a mail template")
async def put(
    kind: str, locale: Locale, template: TemplateText, *, ctx: Acting, bus: TheBus
) -> Template:
    """Replaces the built-in text of a mail. Templates are sandboxed Jinja2: output, `if` and a few
    filters. Answers 422 and names the part that is not allowed. Needs `apps:write`."""
    return await bus.call(ctx, PutTemplate(kind=kind, locale=locale, template=template))


@router.delete("/{kind}/{locale}", summary="Reset a mail template")
async def reset(kind: str, locale: Locale, ctx: Acting, bus: TheBus) -> Template:
    """Restores the built-in text. Needs `apps:write`."""
    return await bus.call(ctx, ResetTemplate(kind=kind, locale=locale))


@router.post("/{kind}/{locale}/preview", summary="Preview a mail template")
async def preview(
    kind: str, locale: Locale, request: Preview, *, ctx: Acting, bus: TheBus
) -> RenderedMail:
    """Renders a mail with sample values. You can also send a text that is not stored yet. Needs
    `apps:read`."""
    return await bus.call(ctx, PreviewTemplate(kind=kind, locale=locale, template=request.template))


@router.post("/{kind}/{locale}/test", status_code=202, summary="Send a test e-mail")
async def test(kind: str, locale: Locale, *, ctx: Acting, bus: TheBus) -> Done:
    """Sends the mail with sample values to your own verified address, at most 10 times in 10 minutes.
    Keys have no address. Needs `apps:write`."""
    return await bus.call(ctx, SendTestMail(kind=kind, locale=locale))


routes = RouteSet(router=router, in_applications=True)
