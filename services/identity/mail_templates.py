"""The texts of an application's mails: listed, replaced, put back, looked at, sent as a test."""

from __future__ import annotations

from common import audit, mail
from common.address_keys import address_key
from common.context import Context
from common.contracts.base import Done
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
from common.events.templates import MailTemplateChanged
from identity import mail_rendering
from identity.deps import Deps
from identity.limits import MAIL_BY_ADDRESS, TEST_MAIL_BY_APP
from identity.mail_texts import LOCALES, Locale
from identity.queries import mail_templates


async def listed(deps: Deps, ctx: Context, request: ListTemplates) -> Templates:
    async with deps.db.reading(ctx) as db:
        stored = {
            (found.kind, found.locale): found.source()
            for found in await mail_templates.all_of(db, app_id=ctx.app_id)
        }
    return Templates(
        templates=[
            _template(kind, locale, stored.get((kind, locale)))
            for kind in mail_rendering.kinds()
            for locale in LOCALES
        ]
    )


async def put(deps: Deps, ctx: Context, request: PutTemplate) -> Template:
    source = request.template
    await mail_rendering.checked(deps.workers, ctx.app_id, request.kind, source)
    async with deps.db.transaction(ctx) as tx:
        before = await mail_templates.get(
            tx, app_id=ctx.app_id, kind=request.kind, locale=request.locale
        )
        if before == source:
            return _template(request.kind, request.locale, source)
        await mail_templates.put(
            tx,
            app_id=ctx.app_id,
            kind=request.kind,
            locale=request.locale,
            subject=source.subject,
            text=source.text,
            html=source.html,
        )
        await audit.record(tx, ctx, MailTemplateChanged(kind=request.kind, locale=request.locale))
    return _template(request.kind, request.locale, source)


async def reset(deps: Deps, ctx: Context, request: ResetTemplate) -> Template:
    ours = _template(request.kind, request.locale, None)
    async with deps.db.transaction(ctx) as tx:
        if await mail_templates.delete(
            tx, app_id=ctx.app_id, kind=request.kind, locale=request.locale
        ):
            event = MailTemplateChanged(kind=request.kind, locale=request.locale)
            await audit.record(tx, ctx, event)
    return ours


async def preview(deps: Deps, ctx: Context, request: PreviewTemplate) -> RenderedMail:
    tenant = await deps.tenants.get(ctx)
    source = request.template
    if source is None:
        async with deps.db.reading(ctx) as db:
            source = await mail_templates.get(
                db, app_id=ctx.app_id, kind=request.kind, locale=request.locale
            )
    else:
        await mail_rendering.checked(deps.workers, ctx.app_id, request.kind, source)
    data = mail_rendering.sample(request.kind, tenant)
    if source is None:
        ours = mail_rendering.built_in(request.kind, request.locale)
        return mail_rendering.render(request.kind, request.locale, tenant, data, ours)
    return await mail_rendering.rendered(
        deps.workers, ctx.app_id, request.kind, request.locale, tenant, data, source
    )


async def test(deps: Deps, ctx: Context, request: SendTestMail) -> Done:
    tenant = await deps.tenants.get(ctx)
    data = mail_rendering.sample(request.kind, tenant)
    await deps.limits.count(
        ctx, (TEST_MAIL_BY_APP, ctx.app_id), (MAIL_BY_ADDRESS, address_key(request.to))
    )
    async with deps.db.transaction(ctx) as tx:
        letter = mail.Mail(request.to, request.kind, request.locale, data)
        await mail.enqueue(tx, ctx, deps.sealer, letter)
    return Done()


def _template(kind: str, locale: Locale, custom: TemplateText | None) -> Template:
    source = custom or mail_rendering.built_in(kind, locale)
    return Template(
        kind=kind,
        locale=locale,
        subject=source.subject,
        text=source.text,
        html=source.html,
        custom=custom is not None,
        variables=mail_rendering.variables(kind),
    )
