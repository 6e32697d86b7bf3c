"""Fake services for the pages about an application itself: keys, settings, branding, domains, mails."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tests.kit.developers import NOW, Developers, developers
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.api_keys import (
    AlreadyRotated,
    ApiKey,
    ApiKeyExists,
    ApiKeyNotFound,
    ApiKeys,
    CreateApiKey,
    ListApiKeys,
    NewApiKey,
    RevokeApiKey,
    RotateApiKey,
)
from common.contracts.app_settings import AppSettings
from common.contracts.applications import (
    Application,
    DeleteApplication,
    DeletionNotConfirmed,
    GetApplication,
    TransferApplication,
    UpdateApplication,
)
from common.contracts.base import Done, Request
from common.contracts.domains import (
    AddCustomDomain,
    CustomDomain,
    CustomDomainNotFound,
    CustomDomains,
    DnsRecord,
    ListCustomDomains,
    RemoveCustomDomain,
    SetPrimaryDomain,
    VerifyCustomDomain,
)
from common.contracts.mail_templates import (
    GetTemplate,
    ListTemplates,
    PreviewTemplate,
    PutTemplate,
    RenderedMail,
    SendTestMail,
    Template,
    TemplateNotFound,
    Templates,
)
from common.contracts.settings_change import GetSettings, UpdateSettings
from common.ids import new_id
from tenancy.app_settings import merged

WHOLE: Final = "sk_live_whole_key"
HOSTILE: Final = '<b>"hx-get=/x\u202e'
MAIL: Final = Template(
    kind="sign_in", locale="en", subject="Hi", text="{{ code }}", html="<p>x</p>"
)


@dataclass
class OwnApplication:
    """The state of the application `shop`, and the calls that changed it."""

    people: Developers
    keys: dict[str, ApiKey] = field(default_factory=dict)
    used_ids: set[str] = field(default_factory=set)
    stored: dict[str, Any] = field(default_factory=dict)
    domains: dict[str, CustomDomain] = field(default_factory=dict)
    changes: list[tuple[Context, Request[Any]]] = field(default_factory=list)

    @property
    def requests(self) -> list[Request[Any]]:
        return [request for _, request in self.changes]

    def add_key(self, name: str | None = None) -> ApiKey:
        key = ApiKey(
            id=new_id(), key_type="secret", key_prefix="sk_live_abcd", name=name, created_at=NOW
        )
        self.keys[key.id] = key
        return key

    def add_domain(self, *, verified: bool = False) -> CustomDomain:
        domain = CustomDomain(
            id=new_id(),
            domain="login.example.com",
            verified=verified,
            primary=False,
            records=[DnsRecord(type="TXT", name="_aero2.x", value="aero2=1", ok=verified)],
            created_at=NOW,
        )
        self.domains[domain.id] = domain
        return domain


async def _keys(world: OwnApplication, ctx: Context, request: ListApiKeys) -> ApiKeys:
    start = int(request.cursor or 0)
    keys, end = list(world.keys.values()), start + request.limit
    return ApiKeys(api_keys=keys[start:end], next=str(end) if end < len(keys) else None)


async def _create_key(world: OwnApplication, ctx: Context, request: CreateApiKey) -> NewApiKey:
    world.changes.append((ctx, request))
    if request.id in world.used_ids:
        raise ApiKeyExists
    key = world.add_key(request.name)
    world.used_ids.add(request.id or key.id)
    return NewApiKey(**key.model_dump(), key=WHOLE)


async def _rotate_key(world: OwnApplication, ctx: Context, request: RotateApiKey) -> NewApiKey:
    world.changes.append((ctx, request))
    old = world.keys[request.id]
    if old.rotated_to:
        raise AlreadyRotated
    new = world.add_key(old.name)
    world.keys[old.id] = old.model_copy(update={"rotated_to": new.id})
    return NewApiKey(**new.model_dump(), key=WHOLE)


async def _revoke_key(world: OwnApplication, ctx: Context, request: RevokeApiKey) -> Done:
    if request.id not in world.keys:
        raise ApiKeyNotFound
    world.changes.append((ctx, request))
    del world.keys[request.id]
    return Done()


async def _settings(world: OwnApplication, ctx: Context, request: GetSettings) -> AppSettings:
    return AppSettings.model_validate(world.stored)


async def _update(world: OwnApplication, ctx: Context, request: UpdateSettings) -> AppSettings:
    world.changes.append((ctx, request))
    world.stored, _ = merged(world.stored, request.changes)
    return AppSettings.model_validate(world.stored)


async def _brand(world: OwnApplication, ctx: Context, request: UpdateApplication) -> Application:
    world.changes.append((ctx, request))
    tenant = world.people.managed[request.slug]
    sent = request.changes.model_dump(exclude_unset=True)
    name = sent.pop("name", tenant.name)
    branding = tenant.branding.model_copy(update=sent)
    world.people.managed[request.slug] = tenant.model_copy(
        update={"name": name, "branding": branding}
    )
    return world.people.application(request.slug)


async def _get(world: OwnApplication, ctx: Context, request: GetApplication) -> Application:
    return world.people.application(request.slug)


async def _delete(world: OwnApplication, ctx: Context, request: DeleteApplication) -> Done:
    if request.confirm != request.slug:
        raise DeletionNotConfirmed
    world.changes.append((ctx, request))
    return Done()


async def _transfer(
    world: OwnApplication, ctx: Context, request: TransferApplication
) -> Application:
    world.changes.append((ctx, request))
    return world.people.application(request.slug)


async def _domains(
    world: OwnApplication, ctx: Context, request: ListCustomDomains
) -> CustomDomains:
    return CustomDomains(domains=list(world.domains.values()))


async def _add(world: OwnApplication, ctx: Context, request: AddCustomDomain) -> CustomDomain:
    world.changes.append((ctx, request))
    return world.add_domain()


async def _verify(world: OwnApplication, ctx: Context, request: VerifyCustomDomain) -> CustomDomain:
    if request.id not in world.domains:
        raise CustomDomainNotFound
    world.changes.append((ctx, request))
    checked = {"verified": True, "checked_at": datetime.now(UTC)}
    world.domains[request.id] = world.domains[request.id].model_copy(update=checked)
    return world.domains[request.id]


async def _primary(world: OwnApplication, ctx: Context, request: SetPrimaryDomain) -> CustomDomains:
    world.changes.append((ctx, request))
    return CustomDomains(domains=list(world.domains.values()))


async def _remove(world: OwnApplication, ctx: Context, request: RemoveCustomDomain) -> Done:
    world.changes.append((ctx, request))
    del world.domains[request.id]
    return Done()


async def _templates(world: OwnApplication, ctx: Context, request: ListTemplates) -> Templates:
    return Templates(templates=[MAIL])


async def _template(world: OwnApplication, ctx: Context, request: GetTemplate) -> Template:
    if (request.kind, request.locale) != (MAIL.kind, MAIL.locale):
        raise TemplateNotFound
    return MAIL


async def _put(world: OwnApplication, ctx: Context, request: PutTemplate) -> Template:
    world.changes.append((ctx, request))
    return MAIL


async def _preview(world: OwnApplication, ctx: Context, request: PreviewTemplate) -> RenderedMail:
    html = request.template.html if request.template else MAIL.html
    return RenderedMail(subject="Hi", text="x", html=html)


async def _send(world: OwnApplication, ctx: Context, request: SendTestMail) -> Done:
    world.changes.append((ctx, request))
    return Done()


def own_application(world: FakeServices, *permissions: str) -> OwnApplication:
    """Registers the fake services. The developer is signed in and may do everything in `shop`, or has
    the `permissions` alone."""
    people = developers(
        world,
        "apps:read",
        "apps:create",
        "apps:write",
        "apps:delete",
        "apps:transfer",
        "teams:read",
    )
    people.managed["shop"] = world.add("shop")
    people.permissions = list(permissions or ("*",))
    own = OwnApplication(people)
    world.bus.serve(
        own,
        {
            ListApiKeys: _keys,
            CreateApiKey: _create_key,
            RotateApiKey: _rotate_key,
            RevokeApiKey: _revoke_key,
            GetSettings: _settings,
            UpdateSettings: _update,
            UpdateApplication: _brand,
            GetApplication: _get,
            DeleteApplication: _delete,
            TransferApplication: _transfer,
            ListCustomDomains: _domains,
            AddCustomDomain: _add,
            VerifyCustomDomain: _verify,
            SetPrimaryDomain: _primary,
            RemoveCustomDomain: _remove,
            ListTemplates: _templates,
            GetTemplate: _template,
            PutTemplate: _put,
            PreviewTemplate: _preview,
            SendTestMail: _send,
        },
    )
    return own
