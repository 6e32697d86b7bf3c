"""The authorization endpoint (RFC 6749 section 4.1, OpenID Connect Core section 3.1.2)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import OPEN, Contract, Id, Request
from common.contracts.fields import Timestamp

Params = list[tuple[str, str]]
"""Parameters as they came, duplicates included (RFC 6749 section 3.1 refuses those)."""


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
