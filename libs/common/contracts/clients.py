"""OAuth clients of an application."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue

from common.contracts.base import Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp, Title, Uri
from common.contracts.keys import SigningAlg
from common.contracts.logout import LogoutFailure
from common.contracts.scopes import ScopeName
from common.contracts.versioned import Versioned
from common.problems import Conflict, NotFound

ClientType = Literal["web", "spa", "native", "service"]


ClientAuthMethod = Literal[
    "none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"
]


GrantType = Literal[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:device_code",
]


ClientSource = Literal["developer", "registered", "document"]
"""The registrant of a client: people of the application, the client itself (RFC 7591), or nobody, because its id is the
URL of its metadata document."""


class ClientNotFound(NotFound):
    """The application has no client with this id."""

    code, title = "client_not_found", "This client does not exist."


class ClientExists(Conflict):
    """A client was already created with this id."""

    code, title = "client_exists", "This client was already created."


class ClientFields(Contract):
    """The settings of a client. They have the names of OpenID Connect Dynamic Registration 1.0
    section 2, where it defines one. The defaults are safe."""

    name: Title
    type: ClientType = "web"
    redirect_uris: list[Uri] = Field(
        default=[], max_length=50, description="They must match exactly."
    )
    post_logout_redirect_uris: list[Uri] = Field(default=[], max_length=50)
    scopes: list[ScopeName] = Field(
        default=["openid", "profile", "email", "offline_access"], max_length=100
    )
    grant_types: list[GrantType] = ["authorization_code", "refresh_token"]
    allowed_origins: list[Uri] = Field(
        default=[],
        max_length=50,
        description="Browser origins that can call the token, UserInfo and revocation endpoints.",
    )
    default_resources: list[Uri] = Field(default=[], max_length=20)
    token_endpoint_auth_method: ClientAuthMethod | None = Field(
        default=None,
        description="The only method that the client can use. `null`: it can send its secret by "
        "`client_secret_basic` or `client_secret_post`. The default of the types `spa` and `native` "
        "is `none`.",
    )
    token_endpoint_auth_alg: str | None = Field(default=None, max_length=10)
    require_pkce: bool | None = Field(
        default=None,
        description="`true`: PKCE is required. `false`: it is not required. `null`: it is required, "
        "unless a confidential client sends a `nonce` with the scope `openid` (RFC 9700 section "
        "2.1.1). Public clients always need PKCE.",
    )
    jwks: dict[str, JsonValue] | None = Field(
        default=None, description="The public keys of the client."
    )
    jwks_uri: Uri | None = None
    first_party: bool = Field(
        default=True,
        description="Whether this is one of your own clients. Its users are not asked for consent. "
        "Set it to `false` for clients of others.",
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
        description="The claims in ID tokens: `scopes` for all claims of the granted scopes, `asked` "
        "for those in the `claims` parameter only (OpenID Connect Core 5.4).",
    )
    refresh_token_lifetime: int = Field(default=604_800, ge=60, le=31_536_000)
    refresh_token_max_lifetime: int = Field(default=2_592_000, ge=60, le=31_536_000)
    rotate_refresh_tokens: bool = True
    include_rights: bool = Field(
        default=False,
        description="Whether access tokens have the roles and permissions of their user.",
    )
    claims_mapping: dict[str, JsonValue] = Field(
        default={},
        description="Additional claims: the name of each, and a path like "
        "`user.public_metadata.plan`.",
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
    require_pushed_authorization_requests: bool = Field(
        default=False,
        description="Whether authorization requests must be pushed (RFC 9126 section 6). The "
        "application's setting `pushed_authorization_requests` must be on.",
    )
    require_signed_request_object: bool = Field(
        default=False,
        description="Whether authorization requests must be signed (RFC 9101 section 10.5). The "
        "application's setting `request_objects` must be on.",
    )
    request_object_signing_alg: SigningAlg | None = Field(
        default=None,
        description="The only algorithm of the client's request objects. `null`: any of ours.",
    )
    authorization_signed_response_alg: SigningAlg | None = Field(
        default=None,
        description="The algorithm of signed authorization responses (JARM). `null`: `RS256`.",
    )
    security_profile: Literal["fapi2"] | None = Field(
        default=None,
        description="`fapi2`: the client meets the FAPI 2.0 security profile. Settings that contradict "
        "it are refused, and so is every request that does not meet it. Switching it on ends the "
        "client's secrets and tokens.",
    )
    dpop_bound_access_tokens: bool = Field(
        default=False,
        description="Whether each token request needs a DPoP proof, so that every token is bound to a key "
        "(RFC 9449 section 5.2). Other clients may send one.",
    )


class Client(ClientFields, Versioned):
    """A client, without its secrets."""

    volatile: ClassVar[frozenset[str]] = frozenset({"backchannel_logout_failure", "last_used_at"})

    id: Id
    client_id: str
    backchannel_logout_failure: LogoutFailure | None = Field(
        default=None, description="`null`: the last logout token was delivered, or none was sent."
    )
    created_at: Timestamp
    updated_at: Timestamp
    source: ClientSource = Field(
        default="developer",
        description="`developer`: people of the application registered it. `registered`: it registered itself. "
        "`document`: its id is the URL of its metadata document.",
    )
    last_used_at: Timestamp | None = Field(
        default=None,
        description="When it last got tokens, to within a day. `null`: it has never been used.",
    )


class NewClient(Client, omit_none=True):
    """A new client with its secret. The secret is shown only once."""

    client_secret: str | None = Field(default=None, repr=False)


class CreateClient(
    ClientFields, Request[NewClient], subject="oidc.client.create", needs="clients:write"
):
    """Creates a client. A confidential client gets a generated secret. Raises ClientExists."""

    id: Id | None = Field(
        default=None,
        description="A new UUID. If you send the request twice, the second one creates no client.",
    )


class Clients(Contract):
    """A page of clients."""

    clients: list[Client]
    next: str | None = None


class ListClients(
    Page, Request[Clients], subject="oidc.client.list", needs="clients:read", safe=True
):
    """Lists the clients of the application in the order of their creation."""

    source: ClientSource | None = Field(
        default=None, description="Only clients of this source. `null`: all clients."
    )


class GetClient(Request[Client], subject="oidc.client.get", needs="clients:read", safe=True):
    """Returns a client by its `id` or `client_id`. Raises ClientNotFound."""

    client: str = Field(max_length=200)


class UpdateClient(
    Request[Client], subject="oidc.client.update", needs="clients:write", conditional=True
):
    """Changes the fields in `changes`, each as in ClientFields. The others stay as they are."""

    client: str = Field(max_length=200)
    changes: dict[str, Any]


class DeleteClient(
    Request[Done],
    subject="oidc.client.delete",
    needs="clients:delete",
    fresh=True,
    conditional=True,
):
    """Deletes a client with its secrets, grants and tokens."""

    client: str = Field(max_length=200)
