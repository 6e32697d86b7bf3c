"""What the tenancy service answers: applications, keys, domains, organizations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from common.contracts.base import OPEN, SYSTEM, Contract, Id, Page, Request
from common.contracts.fields import EmailDomain, Timestamp, Title
from common.problems import Conflict, Misdirected, NotFound

SignupMode = Literal["open", "invite_only", "restricted"]
MfaPolicy = Literal["off", "optional", "required"]
AuthMethod = Literal["password", "email_code", "magic_link", "oauth", "passkey"]
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$", max_length=300)]


class Captcha(Contract):
    """A Turnstile-compatible check before sign-up and after repeated failures."""

    verify_url: str = Field(max_length=500)
    site_key: str = Field(max_length=200)
    secret: str | None = Field(
        default=None,
        max_length=1000,
        repr=False,
        description="Kept sealed and shown as ********; sent back like that, or left out, it stays.",
    )
    script_url: str | None = Field(default=None, max_length=500)


class PageTexts(Contract):
    """An application's own plain texts on its pages, in one language."""

    sign_in_heading: str | None = None
    sign_in_text: str | None = None
    sign_up_heading: str | None = None
    sign_up_text: str | None = None
    signed_out_text: str | None = None
    footer_text: str | None = None


class AppSettings(Contract):
    """How an application lets people in. Every field has a default that is safe to run with."""

    signup_mode: SignupMode = Field(default="open", description="Who may sign up.")
    mfa_policy: MfaPolicy = Field(default="off", description="Whether a second factor is asked.")
    session_ttl: int = Field(default=86_400, ge=60, le=31_536_000, description="Seconds.")
    session_idle_ttl: int | None = Field(
        default=None, ge=60, le=31_536_000, description="Seconds without activity; null: no limit."
    )
    session_ttl_remembered: int = Field(
        default=2_592_000, ge=60, le=31_536_000, description="The same with `remember`. Seconds."
    )
    session_idle_ttl_remembered: int | None = Field(
        default=1_209_600, ge=60, le=31_536_000, description="The same with `remember`. Seconds."
    )
    allowed_email_domains: list[EmailDomain] = Field(
        default=[], max_length=1000, description="Empty: all. Binding in mode `restricted`."
    )
    blocked_email_domains: list[EmailDomain] = Field(default=[], max_length=1000)
    block_disposable_email: bool = False
    auth_methods: list[AuthMethod] = Field(
        default=["password", "email_code", "magic_link"], min_length=1, max_length=5
    )
    allowed_origins: list[Origin] = Field(
        default=[], max_length=100, description="Browser origins that may call the API (CORS)."
    )
    password_min_length: int = Field(default=8, ge=8, le=64)
    password_min_score: int = Field(default=2, ge=0, le=4, description="zxcvbn.")
    password_breach_check: bool = False
    require_verified_email: bool = Field(
        default=False, description="Sign-in only once the address is verified."
    )
    default_locale: Literal["en", "de"] = "en"
    user_metadata_schema: dict[str, Any] | None = Field(
        default=None, description="JSON Schema for what users may write about themselves."
    )
    public_metadata_schema: dict[str, Any] | None = None
    private_metadata_schema: dict[str, Any] | None = None
    captcha: Captcha | None = None
    proof_of_work_bits: int = Field(default=0, ge=0, le=24)
    audit_retention_days: int | None = Field(default=None, ge=1, le=36_500)
    signup_by_organization_invitations: bool = Field(
        default=False,
        description="Whether an organization's invitation opens sign-up in mode `invite_only`.",
    )
    organizations_by_users: bool = Field(
        default=True, description="Whether users may create organizations."
    )
    page_texts: dict[Literal["en", "de"], PageTexts] = Field(
        default={}, description="Own texts on the pages, by language: plain, without links."
    )


class Branding(Contract):
    """How an application's pages and mails look."""

    logo_url: str | None = None
    favicon_url: str | None = None
    primary_color: str | None = None
    support_email: str | None = None
    homepage_url: str | None = None
    privacy_policy_url: str | None = None
    terms_url: str | None = None


class Tenant(Contract):
    """What every process needs to know of an application to serve it."""

    app_id: Id
    slug: str
    name: str
    state: str
    is_dashboard: bool = False
    host: str = Field(description="The host its links and issuer use: custom domain or slug host.")
    hosts: list[str] = Field(description="Every host it answers on, with port where not default.")
    origin: str = Field(description="Scheme and `host`.")
    branding: Branding = Branding()
    settings: AppSettings = AppSettings()


class UnknownHost(Misdirected):
    """No application answers on this host."""

    status, code, title = 404, "unknown_host", "No application answers on this host."


class ApplicationNotFound(NotFound):
    """There is no such application, or it is not yours."""

    code, title = "application_not_found", "There is no such application."


class ResolveHost(
    Request[Tenant], subject="tenancy.application.resolve", needs=OPEN, within=1.0, safe=True
):
    """Which application answers on a host (lower case, with port where not default)."""

    host: str = Field(max_length=260)


class GetTenant(
    Request[Tenant], subject="tenancy.application.tenant", needs=SYSTEM, within=1.0, safe=True
):
    """The application of the context."""


KeyType = Literal["publishable", "secret"]


class ApiKeyHolder(Contract):
    """What a valid API key stands for."""

    key_id: Id
    app_id: Id
    key_type: KeyType
    expires_at: Timestamp | None = None


class VerifyApiKey(
    Request[ApiKeyHolder], subject="tenancy.api_key.verify", needs=OPEN, within=1.0, safe=True
):
    """Which application a key belongs to. Raises Unauthenticated for anything not a live key."""

    key: str = Field(max_length=200, repr=False)


class Managed(Contract):
    """An application that the calling developer may manage, and with which permissions there."""

    tenant: Tenant
    permissions: list[str]


class ManageApplication(
    Request[Managed], subject="tenancy.application.manage", needs="apps:read", within=1.0, safe=True
):
    """A developer steps into an application of their team (operators: of any). In the dashboard's
    context. `apps:write` gives every permission there to the team's admins and developers;
    otherwise `apps:read` gives the reading ones. Raises ApplicationNotFound where it belongs to
    another team."""

    slug: str = Field(max_length=63)


# Applications, as their developers see them


SLUG = r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$"


class Application(Branding):
    """An application with its branding and its whole settings."""

    id: Id
    slug: str
    name: str
    state: Literal["creating", "active", "deleting"] = Field(
        description="It answers on its host once `active`: roles, signing keys and API keys stand."
    )
    host: str = Field(description="The host its links and issuer use.")
    url: str = Field(description="Its origin, and its issuer.")
    owner_org_id: Id | None = Field(default=None, description="The developer team that owns it.")
    is_dashboard: bool = False
    custom_domain: str | None = None
    custom_domain_verified: bool = False
    settings: AppSettings
    created_at: Timestamp
    updated_at: Timestamp


class ApiKey(Contract):
    """An API key without what makes it one: only the first twelve characters are known."""

    id: Id
    key_type: KeyType
    key_prefix: str
    name: str | None = None
    created_by: Id | None = None
    last_used_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    rotated_to: Id | None = Field(default=None, description="The key that takes its place.")
    created_at: Timestamp


class NewApiKey(ApiKey):
    """The only time the whole key is shown."""

    key: str = Field(repr=False)


class NewApplication(Application):
    """With its first keys, whose secrets are shown this once."""

    api_keys: list[NewApiKey] = []


class Applications(Contract):
    applications: list[Application]
    next: str | None = None


class SlugTaken(Conflict):
    """Another application has this slug, had it not long ago, or it is reserved."""

    code, title = "slug_taken", "This slug cannot be had."


class CreateApplication(
    Request[NewApplication],
    subject="tenancy.application.create",
    needs="apps:create",
    within=10.0,
):
    """A new application of one of the caller's teams, with a generated slug and its first keys."""

    name: Title
    owner_org_id: Id | None = Field(
        default=None,
        description="The team that owns it. You may leave it out if you have only one.",
    )
    slug: str | None = Field(
        default=None, pattern=SLUG, description="Only operators may choose; else it is generated."
    )


class EnsureApplication(
    Request[NewApplication], subject="tenancy.application.ensure", needs=SYSTEM, within=10.0
):
    """The application with this slug, made where it is missing. Keys are shown only when made."""

    slug: str = Field(pattern=SLUG)
    name: Title


class GetApplication(
    Request[Application], subject="tenancy.application.get", needs="apps:read", safe=True
):
    """One application of the caller's teams; operators see any."""

    slug: str = Field(max_length=63)


class ListApplications(
    Page, Request[Applications], subject="tenancy.application.list", needs="apps:read", safe=True
):
    """The applications of the caller's teams, oldest first; operators see all."""

    owner_org_id: Id | None = Field(default=None, description="Only those of this team.")
