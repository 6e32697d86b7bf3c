"""Identity providers of an application: what its users sign in with."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from common.contracts.base import OPEN, Contract, Done, Id, Request
from common.contracts.fields import Timestamp, Title, Url
from common.contracts.provider_options import AccountClaim, ClaimPath, ProviderOptions
from common.contracts.roles import RoleId
from common.contracts.scopes import ScopeName
from common.contracts.versioned import Versioned
from common.problems import Conflict, NotFound

ProviderName = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9_-]*$")]
ProviderType = Literal["oidc", "oauth2"]
ProviderAlg = Literal["RS256", "PS256", "ES256", "EdDSA"]
PresetName = Literal[
    "github", "google", "microsoft", "apple", "gitlab", "discord", "slack", "linkedin", "facebook",
    "x", "bitbucket", "twitch", "spotify", "notion", "zoom",
]  # fmt: skip


class ProviderNotFound(NotFound):
    """The application has no identity provider with this id or name."""

    code, title = "provider_not_found", "This identity provider does not exist."


class ProviderNameTaken(Conflict):
    """Another identity provider of the application has this name."""

    code, title = "provider_name_taken", "Another identity provider has this name."


class ProviderInUse(Conflict):
    """Users have linked accounts at the provider. Its issuer, type and subject claim are fixed, because
    another value would give their accounts to strangers. Create another provider instead."""

    code = "provider_in_use"
    title = "Users have linked accounts at this provider. This setting cannot be changed."


class TooManyProviders(Conflict):
    """The application has as many identity providers as it can have."""

    code, title = "too_many_providers", "There are too many identity providers."


class RoleRule(Contract):
    """A rule that gives a role. It holds if the claim is the value, or a list with it. At each sign-in the
    user gets the roles of the rules that hold, and loses those that a rule gave before. The rules of an
    organization's provider name a role of organizations: the first rule that holds sets the role of the
    member. All other rules name roles of the application."""

    claim: ClaimPath
    value: str = Field(min_length=1, max_length=200)
    role_id: RoleId


class ProviderFields(Contract):
    """The settings of an identity provider. The defaults suit any OpenID provider."""

    display_name: Title
    type: ProviderType = Field(
        default="oidc",
        description="`oidc` is OpenID Connect: the issuer is enough. `oauth2` has only access tokens: "
        "endpoints and a claim mapping are needed.",
    )
    org_id: Id | None = Field(
        default=None,
        description="The organization that the provider belongs to. It speaks only for the domains that "
        "the organization has verified, and its users join. Needs `organizations:write` too. "
        "`null`: everybody.",
    )
    issuer: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    authorization_endpoint: Url | None = None
    token_endpoint: Url | None = None
    userinfo_endpoint: Url | None = None
    jwks_uri: Url | None = None
    client_id: str = Field(min_length=1, max_length=500)
    auth_method: Literal["none", "client_secret_basic", "client_secret_post", "signed_secret"] = (
        Field(
            default="client_secret_basic",
            description="`signed_secret`: `client_secret` is a private key (PEM, P-256), and each call "
            "has a JWT that it signed, as Apple expects.",
        )
    )
    scopes: list[ScopeName] = Field(default=["openid", "profile", "email"], max_length=50)
    pkce: bool = Field(default=True, description="Send a `code_challenge` (S256).")
    nonce: Literal["required", "optional", "off"] = "required"
    response_mode: Literal["query", "form_post"] = "query"
    iss_mode: Literal["exact", "optional", "template"] = Field(
        default="exact",
        description="`optional`: the provider may leave `iss` out of its response (RFC 9207), even if "
        "its metadata promise it. `template`: `{tenantid}` in the issuer stands for the claim `tid`.",
    )
    algorithms: list[ProviderAlg] = Field(
        default=["RS256", "PS256", "ES256", "EdDSA"], min_length=1, max_length=4
    )
    claim_mapping: dict[AccountClaim, Annotated[list[ClaimPath], Field(max_length=8)]] = Field(
        default={},
        description="Where each part of an account is. The first claim that is there counts; of "
        "`subject`, all must be there. Standard claims of OpenID Connect need no mapping.",
    )
    role_mapping: list[RoleRule] = Field(default=[], max_length=50)
    options: ProviderOptions = ProviderOptions()
    trusts_email: bool = Field(
        default=False,
        description="Whether an address that the provider has verified counts as verified here.",
    )
    trusts_factors: bool = Field(
        default=False,
        description="Whether second factors that the provider reports (`acr`, `amr`) count here.",
    )
    position: int = Field(default=0, ge=0, le=1000, description="The order of the buttons.")
    enabled: bool = True


class IdentityProvider(ProviderFields, Versioned):
    """An identity provider, without its secret."""

    volatile: ClassVar[frozenset[str]] = frozenset({"warnings"})

    id: Id
    name: ProviderName
    preset: PresetName | None = None
    client_secret: str | None = Field(
        default=None, description="`********` if there is one. It is never shown."
    )
    created_at: Timestamp
    updated_at: Timestamp
    warnings: list[str] = Field(
        default=[], description="Sentences about what the last change can break."
    )


class PublicProvider(Contract):
    """An identity provider as a sign-in page shows it."""

    id: Id
    name: ProviderName
    type: ProviderType
    display_name: str


class PublicProviders(Contract):
    """The identity providers of a sign-in page, in the order of their buttons. `by_address`: the
    application has organizations with providers of their own, to which an address leads."""

    idps: list[PublicProvider]
    by_address: bool = False


class ListPublicProviders(
    Request[PublicProviders], subject="identity.provider.list_public", needs=OPEN, safe=True
):
    """Lists the enabled providers that belong to no organization."""


class IdentityProviders(Contract):
    """All identity providers of an application and of its organizations."""

    idps: list[IdentityProvider]


class ListIdentityProviders(
    Request[IdentityProviders], subject="identity.provider.list", needs="idps:read", safe=True
):
    """Lists the providers of the application and of its organizations."""


class GetIdentityProvider(
    Request[IdentityProvider], subject="identity.provider.get", needs="idps:read", safe=True
):
    """Returns a provider by its `id` or `name`. Raises ProviderNotFound."""

    provider: str = Field(max_length=100)


class CreateIdentityProvider(
    Request[IdentityProvider], subject="identity.provider.create", needs="idps:write", fresh=True
):
    """Creates a provider. A `preset` fills in what you leave out, also the name. Raises
    ProviderNameTaken, TooManyProviders, NotHeld.

    A provider says who its users are. So the caller must hold every permission that any user can hold.
    """

    name: ProviderName | None = None
    preset: PresetName | None = None
    client_secret: str | None = Field(default=None, max_length=5000, repr=False)
    settings: dict[str, Any] = Field(description="The fields of ProviderFields.")


class UpdateIdentityProvider(
    Request[IdentityProvider],
    subject="identity.provider.update",
    needs="idps:write",
    fresh=True,
    conditional=True,
):
    """Changes the fields in `changes`, each as in ProviderFields. The others stay as they are, also
    inside `options`. Raises ProviderNotFound, ProviderInUse, NotHeld.

    Without every permission that any user can hold, the caller changes only the name, the position and
    `enabled`.
    """

    provider: str = Field(max_length=100)
    client_secret: str | None = Field(default=None, max_length=5000, repr=False)
    changes: dict[str, Any]


class DeleteIdentityProvider(
    Request[Done],
    subject="identity.provider.delete",
    needs="idps:delete",
    fresh=True,
    conditional=True,
):
    """Deletes a provider with the links of its users. Raises ProviderNotFound."""

    provider: str = Field(max_length=100)


class ProviderCheck(Contract):
    """One step of a test. `detail` says what happened."""

    step: Literal["discovery", "keys", "token"]
    passed: bool
    detail: str


class ProviderReport(Contract):
    """The steps of a test, in order. The test ends at the first that fails."""

    passed: bool
    steps: list[ProviderCheck]


class CheckIdentityProvider(
    Request[ProviderReport], subject="identity.provider.check", needs="idps:write", within=20.0
):
    """Calls the provider: its discovery document, its keys, and its token endpoint with a wrong code.
    Raises ProviderNotFound, RateLimited."""

    provider: str = Field(max_length=100)
