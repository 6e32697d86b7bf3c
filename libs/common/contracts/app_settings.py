"""An application's settings: every field with its bounds and its default."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from common.contracts.base import Contract
from common.contracts.client_registration import RegistrationMode
from common.contracts.fields import EmailDomain, Uri
from common.contracts.scopes import ScopeName
from common.contracts.versioned import Versioned

SignupMode = Literal["open", "invite_only", "restricted"]
MfaPolicy = Literal["off", "optional", "required"]
LinkPolicy = Literal["verified", "ask", "never"]
AuthMethod = Literal["password", "email_code", "magic_link", "oauth", "passkey"]


Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$", max_length=300)]


class Captcha(Contract):
    """A captcha (compatible with Turnstile) before sign-up and after repeated failures."""

    verify_url: str = Field(max_length=500, description="The URL that verifies answers.")
    site_key: str = Field(max_length=200, description="The public key for the page.")
    secret: str | None = Field(
        default=None,
        max_length=1000,
        repr=False,
        description="Stored encrypted and shown as `********`. To keep it, leave it out or send "
        "`********`. If `verify_url` changes, send it again.",
    )
    script_url: str | None = Field(
        default=None, max_length=500, description="The script of the widget."
    )


class PageTexts(Contract):
    """The application's own plain texts on its pages, in one language."""

    sign_in_heading: str | None = Field(default=None, description="Heading of the sign-in page.")
    sign_in_text: str | None = Field(default=None, description="Text below that heading.")
    sign_up_heading: str | None = Field(default=None, description="Heading of the sign-up page.")
    sign_up_text: str | None = Field(default=None, description="Text below that heading.")
    signed_out_text: str | None = Field(
        default=None, description="Text of the page after signing out."
    )
    footer_text: str | None = Field(default=None, description="Text at the foot of every page.")


class AppSettings(Versioned):
    """The settings of an application. Every field has a safe default."""

    signup_mode: SignupMode = Field(default="open", description="The people who can sign up.")
    mfa_policy: MfaPolicy = Field(
        default="off",
        description="Whether users can (`optional`) or must (`required`) have a second factor.",
    )
    mfa_remember_device_days: int = Field(
        default=30,
        ge=0,
        le=365,
        description="The days for which a remembered device skips the second factor. 0: never.",
    )
    link_policy: LinkPolicy = Field(
        default="verified",
        description="Whether a first sign-in through a provider joins an existing account with the "
        "same address: if both have verified it (`verified`), after the user has proven the "
        "existing account (`ask`), or `never`.",
    )
    guests: bool = Field(
        default=False, description="Whether the publishable key can create guest accounts."
    )
    passkey_sign_up: bool = Field(
        default=False, description="Whether people can sign up with only a passkey."
    )
    impersonation: bool = Field(
        default=False,
        description="Whether administrators with `users:impersonate` can act as a user.",
    )
    session_ttl: int = Field(
        default=86_400, ge=60, le=31_536_000, description="The lifetime of a session, in seconds."
    )
    session_idle_ttl: int | None = Field(
        default=None,
        ge=60,
        le=31_536_000,
        description="The seconds without activity after which a session ends. `null`: no limit.",
    )
    session_ttl_remembered: int = Field(
        default=2_592_000,
        ge=60,
        le=31_536_000,
        description="The same as `session_ttl`, for users who chose to stay signed in.",
    )
    session_idle_ttl_remembered: int | None = Field(
        default=1_209_600,
        ge=60,
        le=31_536_000,
        description="The same as `session_idle_ttl`, for users who chose to stay signed in.",
    )
    allowed_email_domains: list[EmailDomain] = Field(
        default=[], max_length=1000, description="Domains that can sign up in mode `restricted`."
    )
    blocked_email_domains: list[EmailDomain] = Field(
        default=[],
        max_length=1000,
        description="Domains that cannot sign up, with the domains below them.",
    )
    block_disposable_email: bool = Field(
        default=False, description="Whether addresses of disposable mail services are refused."
    )
    auth_methods: list[AuthMethod] = Field(
        default=["password", "email_code", "magic_link", "oauth", "passkey"],
        min_length=1,
        max_length=5,
        description="Ways to sign in. The first is shown first. `oauth` allows identity providers.",
    )
    allowed_origins: list[Origin] = Field(
        default=[], max_length=100, description="Browser origins that can call the API (CORS)."
    )
    password_min_length: int = Field(
        default=8, ge=8, le=64, description="The fewest characters of a new password."
    )
    password_min_score: int = Field(
        default=2, ge=0, le=4, description="The lowest zxcvbn score of a new password."
    )
    password_breach_check: bool = Field(
        default=False,
        description="Whether a new password is looked up in a list of leaked passwords. The list "
        "gets five digits of a hash.",
    )
    require_verified_email: bool = Field(
        default=False, description="Whether users can sign in only with a verified address."
    )
    default_locale: Literal["en", "de"] = Field(
        default="en", description="The language of pages and mails if nothing else decides it."
    )
    time_zone: str = Field(
        default="UTC",
        max_length=64,
        description="The time zone of the days in the charts, by its IANA name like "
        "`Europe/Berlin`.",
    )
    user_metadata_schema: dict[str, Any] | None = Field(
        default=None, description="A JSON Schema for the metadata that users can change themselves."
    )
    public_metadata_schema: dict[str, Any] | None = Field(
        default=None, description="A JSON Schema for the metadata that users can read."
    )
    private_metadata_schema: dict[str, Any] | None = Field(
        default=None, description="A JSON Schema for the metadata that users cannot see."
    )
    captcha: Captcha | None = Field(
        default=None, description="The captcha to solve before costly actions. `null`: none."
    )
    proof_of_work_bits: int = Field(
        default=0,
        ge=0,
        le=24,
        description="The zero bits of the proof of work before costly actions. 0: none.",
    )
    audit_retention_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="The days after which audit events are deleted. `null`: never.",
    )
    signup_by_organization_invitations: bool = Field(
        default=False,
        description="Whether people with an invitation to an organization can sign up in mode "
        "`invite_only`.",
    )
    organizations_by_users: bool = Field(
        default=True, description="Whether users can create organizations."
    )
    page_texts: dict[Literal["en", "de"], PageTexts] = Field(
        default={},
        description="Your own texts on the pages, by language. Plain text, without links.",
    )
    device_authorization: bool = Field(
        default=False,
        description="Whether devices without a browser can sign users in (RFC 8628), through clients "
        "with that grant type.",
    )
    client_id_documents: Literal["off", "listed", "any"] = Field(
        default="off",
        description="Whether a client can be known by the URL of its metadata document, as agents of the "
        "Model Context Protocol are: from the hosts in `client_id_document_hosts` (`listed`), or from "
        "everywhere (`any`).",
    )
    client_id_document_hosts: list[EmailDomain] = Field(
        default=[],
        max_length=100,
        description="The hosts whose documents are used in mode `listed`, like `claude.ai`.",
    )
    client_registration: RegistrationMode = Field(
        default="off",
        description="Who can register clients at `/oauth2/register` (RFC 7591): nobody (`off`), anyone with an "
        "initial access token (`token`), or anybody (`open`).",
    )
    agent_scopes: list[ScopeName] = Field(
        default=[],
        max_length=100,
        description="The most that clients which nobody registered can get. Empty: the standard scopes "
        "except `account`, and your own scopes that need no permission. Scopes beyond it are dropped.",
    )
    agent_resources: list[Uri] = Field(
        default=[],
        max_length=20,
        description="The APIs that tokens of these clients are for if they name none.",
    )
    agent_offline_access: bool = Field(
        default=False,
        description="Whether these clients keep their access after the user signs out, even if they do "
        "not request `offline_access`. The consent page says so.",
    )
    token_exchange: bool = Field(
        default=False,
        description="Whether clients with an exchange policy can exchange tokens (RFC 8693).",
    )
    jwt_bearer: bool = Field(
        default=False,
        description="Whether clients with an exchange policy can exchange assertions of identity "
        "providers for tokens (RFC 7523, ID-JAG).",
    )
    pushed_authorization_requests: bool = Field(
        default=False,
        description="Whether clients can push the parameters of an authorization request to "
        "`/oauth2/par` (RFC 9126).",
    )
    request_objects: bool = Field(
        default=False,
        description="Whether clients with keys can sign authorization requests, in the parameter "
        "`request` (RFC 9101).",
    )
    signed_authorization_responses: bool = Field(
        default=False,
        description="Whether clients can request signed authorization responses, with "
        "`response_mode=jwt` (JARM).",
    )
    authzen: bool = Field(
        default=False,
        description="Whether enforcement points with `authz:evaluate` can ask for decisions (AuthZEN).",
    )
