"""The templates of an application's mails: list, replace, reset, preview, send a test."""

from __future__ import annotations

from common import audit, conditions, mail
from common.address_keys import address_key
from common.context import Context
from common.contracts.base import Done
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
from common.contracts.versioned import ChangedMeanwhile
from common.events.templates import MailTemplateChanged
from identity import mail_rendering, mail_template_check
from identity.deps import Deps
from identity.limits import MAIL_BY_ADDRESS, TEST_MAIL_BY_APP
from identity.mail_languages import LOCALES, Locale
from identity.mail_texts import MAILS, built_in_source
from identity.mail_variables import sample_data, variables
from identity.own_address import own_address
from identity.queries import mail_templates


async def list_(deps: Deps, ctx: Context, _: ListTemplates) -> Templates:
    """Returns the template of every kind of mail in every language, built-in or replaced."""
    async with deps.db.reader(ctx) as db:
        stored = {
            (row.kind, row.locale): row.source()
            for row in await mail_templates.list_(db, app_id=ctx.app_id)
        }
    return Templates(
        templates=[
            _template(kind, locale, stored.get((kind, locale)))
            for kind in MAILS
            for locale in LOCALES
        ]
    )


async def get(deps: Deps, ctx: Context, request: GetTemplate) -> Template:
    """Returns the template of one kind of mail, built-in or replaced. Raises TemplateNotFound."""
    async with deps.db.reader(ctx) as db:
        stored = await mail_templates.get(
            db, app_id=ctx.app_id, kind=request.kind, locale=request.locale
        )
    return _template(request.kind, request.locale, stored)


async def update(deps: Deps, ctx: Context, request: PutTemplate) -> Template:
    """Replaces a template. Raises TemplateInvalid, TemplateNotFound, Busy."""
    source = request.template
    await mail_template_check.check_in_worker(deps.workers, ctx.app_id, request.kind, source)
    async with deps.db.transaction(ctx) as tx:
        before = await mail_templates.lock(
            tx, app_id=ctx.app_id, kind=request.kind, locale=request.locale
        )
        conditions.check(_template(request.kind, request.locale, before))
        if before == source:
            return _template(request.kind, request.locale, source)
        # No row means that nothing is locked: somebody may store a first text at the same moment.
        is_written = await mail_templates.upsert(
            tx,
            app_id=ctx.app_id,
            kind=request.kind,
            locale=request.locale,
            source=source,
            only_new=before is None and conditions.is_conditional(),
        )
        if not is_written:
            now = await mail_templates.get(
                tx, app_id=ctx.app_id, kind=request.kind, locale=request.locale
            )
            raise ChangedMeanwhile(etag=_template(request.kind, request.locale, now).etag)
        await audit.record(tx, ctx, MailTemplateChanged(kind=request.kind, locale=request.locale))
    return _template(request.kind, request.locale, source)


async def reset(deps: Deps, ctx: Context, request: ResetTemplate) -> Template:
    """Returns to the built-in template. Raises TemplateNotFound."""
    built_in = _template(request.kind, request.locale, None)
    async with deps.db.transaction(ctx) as tx:
        if conditions.is_conditional():
            before = await mail_templates.lock(
                tx, app_id=ctx.app_id, kind=request.kind, locale=request.locale
            )
            conditions.check(_template(request.kind, request.locale, before))
            if before is None:
                return built_in
        if await mail_templates.delete(
            tx, app_id=ctx.app_id, kind=request.kind, locale=request.locale
        ):
            event = MailTemplateChanged(kind=request.kind, locale=request.locale)
            await audit.record(tx, ctx, event)
    return built_in


async def preview(deps: Deps, ctx: Context, request: PreviewTemplate) -> RenderedMail:
    """Renders a template with sample data: the sent one, else the stored, else the built-in one.
    Raises TemplateInvalid, TemplateNotFound, Busy."""
    tenant = await deps.tenants.get(ctx)
    source = request.template
    if source is None:
        async with deps.db.reader(ctx) as db:
            source = await mail_templates.get(
                db, app_id=ctx.app_id, kind=request.kind, locale=request.locale
            )
    else:
        await mail_template_check.check_in_worker(deps.workers, ctx.app_id, request.kind, source)
    data = sample_data(request.kind, tenant)
    if source is None:
        source = built_in_source(request.kind, request.locale)
        return mail_rendering.render(request.kind, request.locale, tenant, data=data, source=source)
    return await mail_rendering.render_in_worker(
        deps.workers,
        ctx.app_id,
        request.kind,
        request.locale,
        tenant=tenant,
        data=data,
        source=source,
    )


async def send_test(deps: Deps, ctx: Context, request: SendTestMail) -> Done:
    """Sends a mail with sample data to the caller, and to nobody else. Raises TemplateNotFound,
    OwnAddressUnverified, RateLimited."""
    _, to = await own_address(deps, ctx)
    tenant = await deps.tenants.get(ctx)
    data = sample_data(request.kind, tenant)
    await deps.limits.count(ctx, (TEST_MAIL_BY_APP, ctx.app_id), (MAIL_BY_ADDRESS, address_key(to)))
    async with deps.db.transaction(ctx) as tx:
        letter = mail.Mail(to, request.kind, request.locale, data)
        await mail.enqueue(tx, ctx, deps.sealer, letter)
    return Done()


def _template(kind: str, locale: Locale, custom: TemplateText | None) -> Template:
    source = custom or built_in_source(kind, locale)
    return Template(
        kind=kind,
        locale=locale,
        subject=source.subject,
        text=source.text,
        html=source.html,
        custom=custom is not None,
        variables=variables(kind),
    )
