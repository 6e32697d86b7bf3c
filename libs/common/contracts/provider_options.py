"""Settings of an identity provider that say how its answers are read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.contracts.base import Contract
from common.contracts.fields import Url

ClaimPath = Annotated[str, Field(min_length=1, max_length=200)]
"""The name of a claim. Dots lead into objects, as in `data.id`, unless a claim has the whole name."""
ParameterName = Annotated[str, Field(max_length=60, pattern=r"^[A-Za-z0-9_.-]+$")]
AccountClaim = Literal[
    "subject",
    "email",
    "username",
    "name",
    "given_name",
    "family_name",
    "picture",
    "locale",
]
"""The parts of an account that are mapped from the provider's claims."""
RequestParameter = Literal["login_hint", "prompt", "max_age", "ui_locales"]


class EmailRule(Contract):
    """The rule by which an address at the provider counts as verified.

    `claim`: the claim at `path` has one of the `values`. `present`: there is an address at all.
    `entry`: the entry of the list of addresses says so. `never`: no address counts. Under every rule,
    an `email_verified` other than `true` wins.
    """

    kind: Literal["claim", "present", "entry", "never"] = "claim"
    path: ClaimPath = "email_verified"
    values: list[bool | int | str] = Field(default=[True, "true"], max_length=5)
    domains: list[Annotated[str, Field(max_length=253)]] = Field(
        default=[],
        max_length=20,
        description="With `domains` or `unless`: the address has one of these domains, or the claim "
        "`unless` is there.",
    )
    unless: ClaimPath | None = None
    not_null: list[ClaimPath] = Field(
        default=[], max_length=5, description="Claims that must not be `null` if they are sent."
    )


class EmailList(Contract):
    """A second endpoint with the addresses of the account, each with flags."""

    endpoint: Url
    path: ClaimPath | None = Field(
        default=None, description="Where the list is in the answer. `null`: the answer is the list."
    )
    address: ClaimPath = "email"
    primary: ClaimPath = "primary"
    verified: ClaimPath = "verified"
    ignored_domains: list[Annotated[str, Field(max_length=253)]] = Field(default=[], max_length=20)


class ProviderOptions(Contract):
    """Further settings of a provider. A preset fills them in."""

    discovery_url: Url | None = Field(
        default=None,
        description="The discovery document, if it is not below the issuer. It must still name the "
        "issuer of the provider. `{tenant}` stands for the tenant if `tenants` has one, else for "
        "`common`.",
    )
    issuer_aliases: list[Annotated[str, Field(max_length=500)]] = Field(
        default=[], max_length=5, description="Other texts by which the provider names its issuer."
    )
    tenants: list[Annotated[str, Field(max_length=100)]] = Field(
        default=[],
        max_length=200,
        description="Tenant ids that are accepted with `iss_mode` `template`. `*` accepts all.",
    )
    hosted_domain: str | None = Field(
        default=None,
        max_length=253,
        description="Only accounts whose claim `hd` is this domain are accepted.",
    )
    authorization_params: dict[ParameterName, Annotated[str, Field(max_length=1000)]] = Field(
        default={}, max_length=20, description="Further parameters of the authorization request."
    )
    request_params: list[RequestParameter] | None = Field(
        default=None,
        max_length=4,
        description="Parameters that the provider understands. `null`: all for type `oidc`, none for "
        "type `oauth2`.",
    )
    json_token_call: bool = Field(
        default=False, description="Send JSON to the token endpoint instead of a form."
    )
    version_header: str | None = Field(
        default=None,
        max_length=60,
        pattern=r"^[A-Za-z0-9-]*[Vv]ersion$",
        description="A header that names the version of the provider's API.",
    )
    version: str | None = Field(default=None, max_length=50, pattern=r"^[A-Za-z0-9._-]+$")
    userinfo: Literal["on", "off", "token_answer"] = Field(
        default="on",
        description="Where the profile is: at the UserInfo endpoint, in the ID token alone, or in the "
        "token answer.",
    )
    emails: EmailList | None = None
    email_rule: EmailRule = EmailRule()
    refresh_profile: bool = Field(
        default=False,
        description="Whether each sign-in replaces the user's name, picture and locale by those that "
        "the provider sends. The address is never replaced.",
    )
    store_tokens: bool = Field(
        default=False,
        description="Whether the provider's tokens are stored, so that the application's backend can "
        "call the provider's API for the user.",
    )
    nonce_waiver: ClaimPath | None = Field(
        default=None, description="A claim that is `false` if the provider knows no `nonce`."
    )
    team_id: str | None = Field(
        default=None, max_length=50, description="With `signed_secret`: the issuer of the secret."
    )
    key_id: str | None = Field(
        default=None,
        max_length=50,
        description="With `signed_secret`: the `kid` of the private key.",
    )
