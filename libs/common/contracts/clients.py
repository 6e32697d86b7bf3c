"""OAuth clients of an application."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from common.contracts.base import SYSTEM, Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp, Title, Uri
from common.contracts.keys import SigningAlg
from common.contracts.scopes import ScopeName
from common.problems import NotFound

ClientType = Literal["web", "spa", "native", "service"]


ClientAuthMethod = Literal[
    "none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"
]


GrantType = Literal["authorization_code", "refresh_token", "client_credentials"]


class ClientNotFound(NotFound):
    """There is no such client in this application."""

    code, title = "client_not_found", "There is no such client."


class ClientFields(Contract):
    """What can be said of a client, named as in OpenID Connect Dynamic Registration 1.0 section 2
    where it is said there. The defaults are the safe ones."""

    name: Title
    type: ClientType = "web"
    redirect_uris: list[Uri] = Field(default=[], max_length=50, description="Matched exactly.")
    post_logout_redirect_uris: list[Uri] = Field(default=[], max_length=50)
    scopes: list[ScopeName] = Field(
        default=["openid", "profile", "email", "offline_access"], max_length=100
    )
    grant_types: list[GrantType] = ["authorization_code", "refresh_token"]
    allowed_origins: list[Uri] = Field(
        default=[],
        max_length=50,
        description="Browser origins that may call the token, UserInfo and revocation endpoints.",
    )
    default_resources: list[Uri] = Field(default=[], max_length=20)
    token_endpoint_auth_method: ClientAuthMethod | None = Field(
        default=None,
        description="Null: its secret by `client_secret_basic` or `client_secret_post`. Otherwise "
        "exactly this method. Clients of type `spa` and `native` have `none` by default.",
    )
    token_endpoint_auth_alg: str | None = Field(default=None, max_length=10)
    require_pkce: bool | None = Field(
        default=None,
        description="Null: PKCE, or the scope `openid` with a `nonce` from a confidential client "
        "(RFC 9700 section 2.1.1). True: PKCE always. False: neither. Public clients always need "
        "PKCE.",
    )
    jwks: dict[str, JsonValue] | None = Field(default=None, description="Its public keys.")
    jwks_uri: Uri | None = None
    first_party: bool = Field(
        default=True,
        description="An application of your own: its users are not asked for consent. Set it to "
        "false for a client of somebody else.",
    )
    subject_type: Literal["public", "pairwise"] = "public"
    sector_identifier: str | None = Field(default=None, max_length=255)
    id_token_alg: SigningAlg = "RS256"
    access_token_alg: SigningAlg = "ES256"
    access_token_format: Literal["jwt", "opaque"] = "jwt"
    userinfo_alg: SigningAlg | None = None
    access_token_lifetime: int = Field(default=900, ge=60, le=86_400)
    id_token_lifetime: int = Field(default=3600, ge=60, le=86_400)
    id_token_claims: Literal["scopes", "asked"] = Field(
        default="scopes",
        description="What ID tokens tell of the user: what the scopes allow, or only what the "
        "`claims` parameter asks for (OpenID Connect Core 5.4).",
    )
    refresh_token_lifetime: int = Field(default=604_800, ge=60, le=31_536_000)
    refresh_token_max_lifetime: int = Field(default=2_592_000, ge=60, le=31_536_000)
    rotate_refresh_tokens: bool = True
    include_rights: bool = Field(
        default=False, description="Access tokens carry roles and permissions of their user."
    )
    claims_mapping: dict[str, JsonValue] = Field(
        default={},
        description="Further claims: name to a path such as `user.public_metadata.plan`.",
    )
    backchannel_logout_uri: Uri | None = None
    backchannel_session_required: bool = False
    frontchannel_logout_uri: Uri | None = None
    frontchannel_session_required: bool = False
    initiate_login_uri: Uri | None = None
    default_max_age: int | None = Field(default=None, ge=0, le=31_536_000)
    require_auth_time: bool = False
    default_acr_values: list[Annotated[str, Field(max_length=200)]] = Field(
        default=[], max_length=20
    )
    logo_uri: Uri | None = None
    client_uri: Uri | None = None
    policy_uri: Uri | None = None
    tos_uri: Uri | None = None
    contacts: list[Annotated[str, Field(max_length=254)]] = Field(
        default=[], max_length=20, description="E-mail addresses."
    )
    enabled: bool = True


class LogoutFailure(Contract):
    """Why the client did not take its last logout token."""

    error: str = Field(description="The host and the cause.")
    attempt: int
    max_attempts: int
    failed_at: Timestamp
    next_attempt_at: Timestamp | None = Field(
        default=None, description="Null: this was the last attempt."
    )


class Client(ClientFields):
    """A registered client; its secrets are never shown again."""

    id: Id
    client_id: str
    backchannel_logout_failure: LogoutFailure | None = Field(
        default=None, description="Null: the last logout token was delivered, or none was sent yet."
    )
    created_at: Timestamp
    updated_at: Timestamp


class NewClient(Client, omit_none=True):
    """A client just made, with its secret: the only time that it is shown."""

    client_secret: str | None = Field(default=None, repr=False)


class CreateClient(
    ClientFields, Request[NewClient], subject="oidc.client.create", needs="clients:write"
):
    """Register a client. A confidential one gets a generated secret."""


class Clients(Contract):
    clients: list[Client]
    next: str | None = None


class ListClients(
    Page, Request[Clients], subject="oidc.client.list", needs="clients:read", safe=True
):
    """The application's clients, in the order they were made."""


class GetClient(Request[Client], subject="oidc.client.get", needs="clients:read", safe=True):
    """By `id` or by `client_id`. Raises ClientNotFound."""

    client: str = Field(max_length=200)


class Origins(Contract):
    origins: list[str]


class ListOrigins(Request[Origins], subject="oidc.origin.list", needs=SYSTEM, safe=True):
    """The browser origins of all enabled clients: what the gateway allows in CORS."""


class UpdateClient(Request[Client], subject="oidc.client.update", needs="clients:write"):
    """Change the fields named in `changes`, each as in ClientFields; the others stay."""

    client: str = Field(max_length=200)
    changes: dict[str, Any]


class DeleteClient(Request[Done], subject="oidc.client.delete", needs="clients:delete"):
    """The client, its secrets, grants and tokens."""

    client: str = Field(max_length=200)
