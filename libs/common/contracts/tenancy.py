"""What the tenancy service answers: applications, keys, domains, organizations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from common.contracts.base import OPEN, SYSTEM, Contract, Id, Request
from common.problems import Misdirected, NotFound

SignupMode = Literal["open", "invite_only", "restricted"]
MfaPolicy = Literal["off", "optional", "required"]
AuthMethod = Literal["password", "email_code", "magic_link", "oauth", "passkey"]
EmailDomain = Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$", max_length=253)]
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$", max_length=300)]


class Captcha(Contract):
    """A Turnstile-compatible check before sign-up and after repeated failures."""

    verify_url: str = Field(max_length=500)
    site_key: str = Field(max_length=200)
    script_url: str | None = Field(default=None, max_length=500)


class AppSettings(Contract):
    """How an application lets people in. Every field has a default that is safe to run with."""

    signup_mode: SignupMode = Field(default="open", description="Who may sign up.")
    mfa_policy: MfaPolicy = Field(default="off", description="Whether a second factor is asked.")
    mfa_remember_device_days: int = Field(default=30, ge=0, le=365)
    session_ttl: int = Field(default=86_400, ge=60, le=31_536_000, description="Seconds.")
    session_idle_ttl: int | None = Field(
        default=None, ge=60, le=31_536_000, description="Seconds without activity; null: no limit."
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
    organizations_by_users: bool = Field(
        default=True, description="Whether users may create organizations."
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


class ApiKeyHolder(Contract):
    """What a valid API key stands for."""

    key_id: Id
    app_id: Id
    key_type: Literal["publishable", "secret"]


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
    """A developer steps into an application of his team (operators: of any). In the dashboard's
    context. `apps:write` gives every permission there, `apps:read` the reading ones. Raises
    ApplicationNotFound where it is not his."""

    slug: str = Field(max_length=63)
