"""The authorization endpoint (RFC 6749 section 4.1, OpenID Connect Core section 3.1.2)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import OPEN, Contract, Id, Request
from common.contracts.fields import Timestamp
from common.contracts.sessions import Factor, SecondFactor

Params = list[tuple[str, str]]
"""Parameters as they came, duplicates included (RFC 6749 section 3.1 refuses those)."""


class SignedIn(Contract):
    """The facts of a session of the browser, which the gateway passes to the authorization
    endpoint."""

    session_id: Id
    user_id: Id
    auth_time: Timestamp
    acr: str | None = None
    amr: list[str] = []
    factor_times: dict[Factor, int] = Field(
        default={}, description="When each factor was last shown, in epoch seconds."
    )
    second_factors: list[SecondFactor] = Field(
        default=[], description="The second factors that the user has enrolled."
    )
    org_id: Id | None = None
    email: str | None = Field(default=None, repr=False)
    guest: bool = False
    impersonated: bool = Field(default=False, description="Whether somebody acts as the user.")


MOST_SESSIONS = 10
"""Sessions of one browser on one host."""


class RequestingDevice(Contract):
    """A device that waits for its user (RFC 8628), as the page about it shows it. Its user agent is not
    there, because the person who started the device chose that text."""

    user_code: str = Field(repr=False)
    ip_address: str | None = None
    created_at: Timestamp


class Authorization(Contract):
    """The next step of the browser.

    `redirect`: go to `location`. `form_post`: post `fields` to `location` (OAuth 2.0 Form Post
    Response Mode). `sign_in`, `step_up`, `select_account` and `consent`: show that page; `request`
    names the pending request. `step_up` asks a signed-in user for the second factor. `resume`: come
    back with `request` and the cookies. `error`: show the error to the user, never redirect.
    `device`: ask the user whether to sign `device` in. `device_approved` and `device_denied`: say that
    this was decided.
    """

    kind: Literal[
        "redirect",
        "form_post",
        "sign_in",
        "step_up",
        "select_account",
        "consent",
        "resume",
        "error",
        "device",
        "device_approved",
        "device_denied",
    ]
    location: str | None = Field(default=None, repr=False)
    fields: list[tuple[str, str]] = Field(default=[], repr=False)
    request: str | None = Field(default=None, repr=False)
    session_id: Id | None = Field(
        default=None, description="The session of the browser with which the request continues."
    )
    client_name: str | None = Field(
        default=None,
        description="The name, or the host if nobody of the application has checked the name.",
    )
    client_id: str | None = None
    client_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    scopes: list[str] = []
    resources: list[str] = Field(
        default=[], description="The names of the APIs that the tokens will be for."
    )
    scope_texts: dict[str, str] = Field(
        default={}, description="By scope: the text that the application wrote for this page."
    )
    login_hint: str | None = None
    ui_locales: str | None = None
    reauthenticate: bool = Field(default=False, description="Whether the user must sign in again.")
    way: Literal["password", "mail"] | None = Field(
        default=None,
        description="The sign-in method that gives the `acr` that the client requested.",
    )
    error: str | None = None
    error_description: str | None = None
    device: RequestingDevice | None = None
    claimed_name: str | None = Field(
        default=None,
        description="The name that a client gave itself, if nobody of the application has checked it.",
    )
    redirects_to: str | None = Field(
        default=None,
        description="The host that the browser will be sent to. `localhost` is the user's own device, and a "
        "scheme like `cursor:` an app on it.",
    )


class Authorize(Request[Authorization], subject="oidc.authorization.start", needs=OPEN, within=5.0):
    """Starts an authorization request: GET or POST /oauth2/authorize (RFC 6749 section 4.1.1,
    OpenID Connect Core 3.1.2)."""

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
        description="Whether the browser may have left out its cookies. The request then waits until "
        "the browser comes back with them.",
    )


class ResumeAuthorization(
    Request[Authorization], subject="oidc.authorization.resume", needs=OPEN, within=5.0
):
    """Continues a pending request after the user has signed in, consented or refused."""

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
        default=False, description="Whether the user has just chosen the account of this session."
    )


class AuthorizationState(Contract):
    """The state of an authorization request, and the way back to its client."""

    pending: bool
    client_name: str | None = None
    client_link: str | None = Field(
        default=None,
        description="The page at which a new sign-in starts, or the client's home page or origin.",
    )


class GetAuthorizationState(
    Request[AuthorizationState],
    subject="oidc.authorization.state",
    needs=OPEN,
    within=2.0,
    safe=True,
):
    """Returns whether a request is still pending, so that sign-in pages can say early that it is
    not."""

    request: str = Field(max_length=200, repr=False)
