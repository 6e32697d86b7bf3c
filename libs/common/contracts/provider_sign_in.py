"""Signing in with an identity provider, and linking its accounts (RFC 6749 section 4.1).

A browser goes to the provider with a `state` that is valid once, for ten minutes, in this browser and
for this provider. It comes back with a code.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from common.contracts.base import OPEN, SIGNED_IN, Contract, Done, Request
from common.contracts.fields import Locale
from common.contracts.identity_providers import ProviderName
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import SignInAttempt
from common.problems import Gone, Unavailable

CALLBACK_PATH: Final = "/rp/callback/"
"""Before the name of the provider: where providers send browsers back to."""
Browser = Annotated[str, Field(min_length=1, max_length=200)]
Destination = Annotated[
    str,
    Field(
        max_length=2000,
        pattern=r"^/([A-Za-z0-9\-._~!$&'()*+,;=:@?][A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?$",
    ),
]
"""A path of this host, with a query (RFC 3986 section 3.3)."""
ResponseText = Annotated[str, Field(max_length=8_000)]

Failure = Literal[
    "over",
    "other_browser",
    "cancelled",
    "provider_failed",
    "provider_off",
    "not_fresh",
    "other_account",
    "link_taken",
    "account_exists",
    "account_disabled",
    "email_unverified",
    "email_refused",
    "sign_up_closed",
    "other_invitation",
    "sso_required",
]
"""Why a sign-in with a provider ended. The page has one sentence for each."""


class ProviderAway(Unavailable):
    """The provider cannot be reached, so the sign-in was not started."""

    code, title = "provider_away", "The sign-in provider does not answer. Try again later."


class ProviderResponseSpent(Gone):
    """The provider's response belongs to no sign-in that waits for one."""

    code, title = "provider_response_spent", "This sign-in has ended or has expired. Start again."


class ProviderRedirect(Contract):
    """The address at the provider to which the browser goes next."""

    url: str = Field(repr=False)


class StartProviderSignIn(
    Request[ProviderRedirect], subject="identity.provider.start_sign_in", needs=OPEN, within=10.0
):
    """Starts a sign-in or a sign-up with a provider. Raises MethodOff, ProviderNotFound,
    ProviderAway, RateLimited."""

    idp: ProviderName
    browser: Browser = Field(repr=False)
    destination: Destination = "/account"
    remember: bool = False
    invitation: str | None = Field(default=None, max_length=200, repr=False)
    choose_account: bool = Field(
        default=False, description="Whether the provider asks which of its accounts to use."
    )
    login_hint: str | None = Field(default=None, max_length=254)
    locale: Locale | None = None


class StartProviderLink(
    Request[ProviderRedirect],
    subject="identity.provider.start_link",
    needs=SIGNED_IN,
    within=10.0,
    fresh=True,
):
    """Starts to connect an account at a provider to the calling user. Raises FreshSignInNeeded,
    TooManyIdentities, MethodOff, ProviderNotFound, ProviderAway, RateLimited."""

    idp: ProviderName
    browser: Browser = Field(repr=False)
    destination: Destination = "/account/connections"
    locale: Locale | None = None


class StartProviderStepUp(
    Request[ProviderRedirect],
    subject="identity.provider.start_step_up",
    needs=SIGNED_IN,
    within=10.0,
):
    """Starts to confirm with a connected account that the calling user is present. Raises
    MethodOff, ProviderNotFound, ProviderAway, RateLimited."""

    idp: ProviderName
    browser: Browser = Field(repr=False)
    destination: Destination = "/account"
    locale: Locale | None = None


class KeepFormPost(
    Request[Done], subject="identity.provider.store_response", needs=OPEN, within=3.0
):
    """Keeps a response that a provider had the browser post (`response_mode=form_post`), until the
    browser comes back with its cookies. A sign-in takes one response. Raises
    ProviderResponseSpent."""

    idp: ProviderName
    state: str = Field(max_length=200, repr=False)
    response: dict[str, ResponseText] = Field(max_length=20, repr=False)


class ProviderOutcome(Contract):
    """How a sign-in with a provider ended.

    `signed_in` has a `session`. `linked` has connected the account to the user. With
    `address_needed`, the user proves an address first, and with `account_needed` the existing
    account with the address: `proof` stands for the provider's account until then. `failed` has a
    `failure`.
    """

    kind: Literal["signed_in", "linked", "address_needed", "account_needed", "failed"]
    destination: str = "/account"
    idp: str | None = Field(
        default=None, description="The provider to try again, or that of the user's organization."
    )
    provider: str = Field(default="", description="The name of a provider that people see.")
    session: SignedInSession | None = None
    link_proof: str | None = Field(default=None, repr=False)
    failure: Failure | None = None


class FinishProviderSignIn(
    SignInAttempt,
    Request[ProviderOutcome],
    subject="identity.provider.finish_sign_in",
    needs=OPEN,
    within=20.0,
):
    """Finishes what the browser started, with the provider's response. A posted response is read
    from where KeepFormPost has kept it. Raises RateLimited, TooManyIdentities."""

    idp: ProviderName
    state: str = Field(max_length=200, repr=False)
    response: dict[str, ResponseText] = Field(default={}, max_length=20, repr=False)
