"""What the oidc service answers: clients, authorization, tokens, keys."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from common.contracts.base import OPEN, SYSTEM, Contract, Done, Id, Request
from common.contracts.fields import Timestamp
from common.problems import Problem


class OAuthError(Problem):
    """RFC 6749 section 5.2. `code` is the OAuth `error`, `detail` its description."""

    status, code, title = 400, "invalid_request", "The request is missing something or malformed."


class SignInOver(OAuthError):
    """Shown to the person alone, because the client has nothing to correct."""

    code, title = "sign_in_over", "This sign-in was finished already, or took too long."


class InvalidGrant(OAuthError):
    code, title = "invalid_grant", "The grant is unknown, used, expired or of another client."


class InvalidClient(OAuthError):
    status, code, title = 401, "invalid_client", "Client authentication failed."


class UnauthorizedClient(OAuthError):
    code, title = "unauthorized_client", "This client may not use this grant."


class UnsupportedGrantType(OAuthError):
    code, title = "unsupported_grant_type", "This grant type is not supported."


class InvalidScope(OAuthError):
    code, title = "invalid_scope", "A scope is unknown or not allowed for this client."


class InvalidTarget(OAuthError):
    """RFC 8707 section 2."""

    code, title = "invalid_target", "The resource is unknown or not allowed."


class InvalidToken(OAuthError):
    """RFC 6750 section 3.1."""

    status, code, title = 401, "invalid_token", "The access token is not valid."


class InsufficientScope(OAuthError):
    """RFC 6750 section 3.1."""

    status, code, title = 403, "insufficient_scope", "The access token lacks a scope."


class LoginRequired(OAuthError):
    """OpenID Connect Core section 3.1.2.6."""

    code, title = "login_required", "The user must sign in."


class ConsentRequired(OAuthError):
    code, title = "consent_required", "The user must consent."


class AccountSelectionRequired(OAuthError):
    code, title = "account_selection_required", "The user must choose an account."


class UnmetAuthenticationRequirements(OAuthError):
    """OpenID Connect Core Error Code unmet_authentication_requirements 1.0."""

    code = "unmet_authentication_requirements"
    title = "The user cannot be signed in the way this is asked for."


class AccessDenied(OAuthError):
    """RFC 6749 section 4.1.2.1."""

    code, title = "access_denied", "The user denied the request."


class UnsupportedResponseType(OAuthError):
    code, title = "unsupported_response_type", "Only the response type `code` is supported."


class RequestNotSupported(OAuthError):
    """OpenID Connect Core section 6."""

    code, title = "request_not_supported", "Request objects are not supported."


class RequestUriNotSupported(OAuthError):
    code, title = "request_uri_not_supported", "Request objects by reference are not supported."


Params = list[tuple[str, str]]
"""Parameters as they came, duplicates included (RFC 6749 section 3.1 refuses those)."""


class Tokens(Contract, omit_none=True):
    """RFC 6749 section 5.1."""

    access_token: str = Field(repr=False)
    token_type: str = "Bearer"  # noqa: S105
    expires_in: int
    scope: str | None = Field(default=None, description="Left out where there is none.")
    id_token: str | None = Field(default=None, repr=False)
    refresh_token: str | None = Field(default=None, repr=False)


class ExchangeToken(Request[Tokens], subject="oidc.token.exchange", needs=OPEN, within=5.0):
    """POST /oauth2/token (RFC 6749 section 3.2)."""

    params: Params = Field(repr=False)
    basic: str | None = Field(default=None, repr=False)


class SignedIn(Contract):
    """Facts of the browser's session, as the gateway found them, for the authorization endpoint."""

    session_id: Id
    user_id: Id
    auth_time: Timestamp
    acr: str | None = None
    amr: list[str] = []
    org_id: Id | None = None
    email: str | None = Field(default=None, repr=False)


MOST_SESSIONS = 10
"""Sessions of one browser on one host."""


class Authorization(Contract):
    """What the browser has to do next.

    `redirect`: go to `location`. `form_post`: post `fields` to `location` (OAuth 2.0 Form Post
    Response Mode). `sign_in`, `select_account` and `consent`: show that page; the pending request
    is `request`. `resume`: come back with `request` and the cookies. `error`: show the error to the
    person, never redirect.
    """

    kind: Literal[
        "redirect", "form_post", "sign_in", "select_account", "consent", "resume", "error"
    ]
    location: str | None = Field(default=None, repr=False)
    fields: list[tuple[str, str]] = Field(default=[], repr=False)
    request: str | None = Field(default=None, repr=False)
    session_id: Id | None = Field(
        default=None, description="The browser's session that the request goes on with."
    )
    client_name: str | None = None
    client_id: str | None = None
    client_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    scopes: list[str] = []
    resources: list[str] = Field(default=[], description="Names of the APIs that it is for.")
    login_hint: str | None = None
    ui_locales: str | None = None
    reauthenticate: bool = Field(default=False, description="Signing in again is asked for.")
    way: Literal["password", "mail"] | None = Field(
        default=None, description="How to sign in, for the `acr` that the client wants."
    )
    error: str | None = None
    error_description: str | None = None


class Authorize(Request[Authorization], subject="oidc.authorization.start", needs=OPEN, within=5.0):
    """GET or POST /oauth2/authorize (RFC 6749 section 4.1.1; OpenID Connect Core 3.1.2)."""

    params: Params = Field(repr=False)
    session: SignedIn | None = None
    others: list[SignedIn] = Field(
        default=[], max_length=MOST_SESSIONS, description="Further sessions of this browser."
    )
    choices: dict[str, Id] = Field(
        default={}, max_length=100, description="By client: the session the person chose before."
    )
    unseen: bool = Field(
        default=False,
        description="The browser may have kept its cookies to itself: who is signed in is not "
        "known, and the request waits until it comes back.",
    )


class ResumeAuthorization(
    Request[Authorization], subject="oidc.authorization.resume", needs=OPEN, within=5.0
):
    """Go on with a pending request after the person has signed in, consented or refused."""

    request: str = Field(max_length=200, repr=False)
    session: SignedIn | None = None
    others: list[SignedIn] = Field(
        default=[], max_length=MOST_SESSIONS, description="Further sessions of this browser."
    )
    choices: dict[str, Id] = Field(
        default={}, max_length=100, description="By client: the session the person chose before."
    )
    consent: Literal["allow", "deny"] | None = None
    selected: bool = Field(
        default=False, description="The person has just chosen this session's account."
    )


class AuthorizationState(Contract):
    """Whether an authorization request still waits for its user, and the way back to its client."""

    pending: bool
    client_name: str | None = None
    client_link: str | None = Field(
        default=None,
        description="Where a new sign-in begins, or the client's home page, or its origin.",
    )


class GetAuthorizationState(
    Request[AuthorizationState],
    subject="oidc.authorization.state",
    needs=OPEN,
    within=2.0,
    safe=True,
):
    """Tells the sign-in pages early that a request was answered or has expired."""

    request: str = Field(max_length=200, repr=False)


class AccessToken(Contract):
    """A valid access token, checked against everything that can end it."""

    jti: str
    grant_id: str | None = Field(
        default=None, description="The authorization it belongs to: noun `token` when it ends."
    )
    client_id: str
    user_id: Id | None = None
    session_id: Id | None = None
    scopes: list[str]
    audience: list[str] = []
    permissions: list[str] = Field(default=[], description="Rights it carries and its user holds.")
    org_id: Id | None = None
    expires_at: Timestamp


class CheckAccessToken(
    Request[AccessToken], subject="oidc.access_token.check", needs=OPEN, within=1.0, safe=True
):
    """Who a bearer token speaks for. Raises InvalidToken."""

    token: str = Field(max_length=20_000, repr=False)


class EnsureKeys(Request[Done], subject="oidc.key.ensure", needs=SYSTEM, within=10.0, safe=True):
    """Make the signing keys a new application starts with. Idempotent."""


class Jwks(Contract):
    """RFC 7517 section 5: public keys only."""

    keys: list[dict[str, str]]


class GetJwks(Request[Jwks], subject="oidc.key.list", needs=OPEN, within=2.0, safe=True):
    """GET /oauth2/jwks.json."""


class WaitingKey(Contract):
    """A key that was published before and does not sign yet."""

    kid: str
    alg: str
    signs_at: Timestamp


class RotatedKeys(Contract):
    """All published keys, those that this call published, and those that kept it from more."""

    keys: list[dict[str, str]]
    published: list[str] = Field(description="Ids of the keys that are new.")
    waiting: list[WaitingKey] = Field(description="For their algorithms nothing was published.")


class RotateKeys(Request[RotatedKeys], subject="oidc.key.rotate", needs=SYSTEM, within=10.0):
    """Replace the signing keys. The next keys are published first and sign once relying parties
    had time to fetch them; `now` lets them sign at once, for a key that leaked. While the next key
    of an algorithm still waits, none is made."""

    alg: str | None = Field(default=None, description="Only this algorithm; by default all.")
    now: bool = False


class OpenContract(Contract):
    """A JSON document of a standard: it may hold more members than are named here."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Configuration(OpenContract):
    """OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2. Every value is true."""

    issuer: str


class GetConfiguration(
    Request[Configuration], subject="oidc.configuration.get", needs=OPEN, within=2.0, safe=True
):
    """GET /.well-known/openid-configuration. The issuer is the context's origin."""


class Userinfo(OpenContract, omit_none=True):
    """OpenID Connect Core 5.3.2. Where `jwt` is set, that is the answer, as application/jwt."""

    sub: str
    jwt: str | None = Field(default=None, repr=False)


class GetUserinfo(
    Request[Userinfo], subject="oidc.userinfo.get", needs=OPEN, within=2.0, safe=True
):
    """GET or POST /oauth2/userinfo. Raises InvalidToken, InsufficientScope."""

    token: str = Field(max_length=20_000, repr=False)


class Introspection(OpenContract):
    """RFC 7662 section 2.2."""

    active: bool


class IntrospectToken(
    Request[Introspection], subject="oidc.token.introspect", needs=OPEN, within=3.0, safe=True
):
    """POST /oauth2/introspect. Raises InvalidClient."""

    params: Params = Field(repr=False)
    basic: str | None = Field(default=None, repr=False)


class RevokeToken(Request[Done], subject="oidc.token.revoke", needs=OPEN, within=3.0):
    """POST /oauth2/revoke (RFC 7009). Done for an unknown token too. Raises InvalidClient."""

    params: Params = Field(repr=False)
    basic: str | None = Field(default=None, repr=False)


class LoggedOut(Contract):
    """What the browser has to do at logout.

    `confirm`: ask the person first (`request` names the pending logout). `done`: the session
    `session_id` is to be ended and the page says so; `redirect`: the same, then go to `location`.
    `frontchannel` are pages of relying parties to load in hidden frames first. `error`: show it.
    """

    kind: Literal["confirm", "done", "redirect", "error"]
    location: str | None = Field(default=None, repr=False)
    request: str | None = Field(default=None, repr=False)
    session_id: Id | None = None
    frontchannel: list[str] = []
    client_name: str | None = None
    error: str | None = None
    error_description: str | None = None


class LogOut(Request[LoggedOut], subject="oidc.session.end", needs=OPEN, within=8.0):
    """GET or POST /oauth2/logout (OpenID Connect RP-Initiated Logout 1.0). The gateway ends the
    browser's session with identity when this says so; logout tokens are queued here."""

    params: Params = Field(repr=False)
    session: SignedIn | None = None
    others: list[SignedIn] = Field(
        default=[], max_length=MOST_SESSIONS, description="Further sessions of this browser."
    )
    confirmed: bool = False
    request: str | None = Field(default=None, max_length=8000, repr=False)
