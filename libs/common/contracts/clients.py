"""What the oidc service answers about registered clients, what they were allowed, and APIs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from common.contracts.base import SIGNED_IN, SYSTEM, Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp, Title
from common.problems import Conflict, NotFound

ClientType = Literal["web", "spa", "native", "service"]
AuthMethod = Literal[
    "none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"
]
GrantType = Literal["authorization_code", "refresh_token", "client_credentials"]
SigningAlg = Literal["RS256", "PS256", "ES256", "EdDSA"]
Uri = Annotated[str, Field(max_length=2000)]
ScopeName = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$", max_length=200)]
"""RFC 6749 section 3.3: printable ASCII without space, quote and backslash."""


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
    token_endpoint_auth_method: AuthMethod | None = Field(
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


class ClientSecret(Contract):
    """One of a client's secrets, without the secret itself."""

    id: Id
    hint: str | None = Field(default=None, description="Its last characters.")
    expires_at: Timestamp | None = None
    created_at: Timestamp


class NewSecret(ClientSecret):
    client_id: str
    client_secret: str = Field(repr=False)


class ClientSecrets(Contract):
    secrets: list[ClientSecret]


class ListClientSecrets(
    Request[ClientSecrets], subject="oidc.client_secret.list", needs="clients:read", safe=True
):
    client: str = Field(max_length=200)


class RotateClientSecret(
    Request[NewSecret], subject="oidc.client_secret.rotate", needs="clients:write", within=5.0
):
    """A new secret. The old ones are dead at once, or live `overlap` seconds more."""

    client: str = Field(max_length=200)
    overlap: int = Field(default=0, ge=0, le=2_592_000, description="Seconds.")


class DeleteClientSecret(Request[Done], subject="oidc.client_secret.delete", needs="clients:write"):
    """Raises Conflict for the last secret of a client that needs one."""

    client: str = Field(max_length=200)
    secret_id: Id


class Grant(Contract):
    """What a user allowed a client."""

    user_id: Id
    client_id: str
    client_name: str
    scopes: list[str]
    email: str | None = None
    name: str | None = None
    created_at: Timestamp
    updated_at: Timestamp


class Grants(Contract):
    grants: list[Grant]
    next: str | None = None


class ListClientGrants(
    Page, Request[Grants], subject="oidc.grant.list", needs="clients:read", safe=True
):
    """The users who allowed this client something."""

    client: str = Field(max_length=200)


class RevokedGrants(Contract):
    revoked_count: int


class RevokeClientGrants(
    Request[RevokedGrants], subject="oidc.grant.revoke", needs="clients:write", within=5.0
):
    """Withdraw what users allowed this client, of all or of one; its tokens for them are dead."""

    client: str = Field(max_length=200)
    user_id: Id | None = None


class ListMyGrants(Request[Grants], subject="oidc.grant.list_own", needs=SIGNED_IN, safe=True):
    """The clients that the calling user allowed something."""


class RevokeMyGrant(Request[Done], subject="oidc.grant.revoke_own", needs=SIGNED_IN):
    """Take back what the calling user allowed a client. Its tokens for them end."""

    client_id: str = Field(max_length=200)


class ResourceNotFound(NotFound):
    code, title = "resource_not_found", "There is no such resource."


class ResourceTaken(Conflict):
    code, title = "resource_taken", "A resource of this identifier exists already."


class ResourceFields(Contract):
    identifier: Uri = Field(description="The resource indicator: an absolute URI (RFC 8707).")
    name: Title
    access_token_lifetime: int | None = Field(default=None, ge=60, le=86_400)
    access_token_alg: SigningAlg | None = None


class Resource(ResourceFields):
    """An API that access tokens are for."""

    id: Id
    created_at: Timestamp
    updated_at: Timestamp


class Resources(Contract):
    resources: list[Resource]


class CreateResource(
    ResourceFields, Request[Resource], subject="oidc.resource.create", needs="clients:write"
):
    """Raises ResourceTaken."""


class ListResources(
    Request[Resources], subject="oidc.resource.list", needs="clients:read", safe=True
):
    """All of them; an application has few."""


class DeleteResource(Request[Done], subject="oidc.resource.delete", needs="clients:delete"):
    """The resource and its scopes; clients lose them. Raises ResourceNotFound."""

    id: Id


class ScopeNotFound(NotFound):
    code, title = "scope_not_found", "There is no such scope."


class ScopeTaken(Conflict):
    code, title = "scope_taken", "This scope exists already."


class UnknownPermission(NotFound):
    code, title = "permission_unknown", "There is no such permission."


class ScopeFields(Contract):
    name: ScopeName
    description: str | None = Field(
        default=None, max_length=300, description="On the consent page."
    )
    resource_id: Id | None = None
    permission_id: str | None = Field(
        default=None, max_length=200, description="Granted only to who holds this permission."
    )
    claims: list[str] = Field(default=[], max_length=50, description="Claims it gives access to.")


class Scope(ScopeFields):
    """A scope of the application beside the standard ones."""

    id: Id
    created_at: Timestamp


class Scopes(Contract):
    scopes: list[Scope]


class CreateScope(ScopeFields, Request[Scope], subject="oidc.scope.create", needs="clients:write"):
    """A scope named like a permission stands for it. Raises ScopeTaken, ResourceNotFound,
    UnknownPermission."""


class ListScopes(Request[Scopes], subject="oidc.scope.list", needs="clients:read", safe=True):
    """All of them; an application has few."""


class DeleteScope(Request[Done], subject="oidc.scope.delete", needs="clients:delete"):
    """The scope; clients lose it. Raises ScopeNotFound."""

    id: Id
