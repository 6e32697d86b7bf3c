"""The common fields and errors of all ways to sign in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.contracts.base import Contract, Id
from common.contracts.fields import Locale, Timestamp
from common.problems import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    RateLimited,
    Unauthenticated,
)


class Attempt(Contract):
    """The fields of every attempt to sign in or sign up.

    `browser` is the value of the browser's own long-lived cookie. A link in an e-mail works only in
    the browser that requested it, and users get an e-mail about sign-ins from new browsers.
    `captcha` and `proof` are the solutions for the application's challenge (see GetProtection).
    """

    browser: str | None = Field(default=None, max_length=200, repr=False)
    captcha: str | None = Field(default=None, max_length=4096, repr=False)
    proof: str | None = Field(default=None, max_length=400, repr=False)
    locale: Locale | None = Field(
        default=None, description="The language of the e-mail, if one is sent."
    )


class SignInAttempt(Attempt):
    """An attempt that starts a session."""

    remember: bool = False
    devices: list[Annotated[str, Field(max_length=200)]] = Field(
        default=[],
        max_length=5,
        repr=False,
        description="The values of the browser's cookies for remembered devices.",
    )
    idempotency_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        repr=False,
        description="A name for this attempt. If the same browser repeats it within a minute, it "
        "gets the same session.",
    )


class Flow(Contract):
    """A request for an e-mail with a code and a link. The answer is the same whether the address is
    known or not. The code belongs to `flow`, the link to `browser`."""

    flow: Id
    browser: str = Field(repr=False, description="The value for the browser's long-lived cookie.")
    expires_at: Timestamp
    resend_after: int = Field(
        default=30, description="The seconds until the e-mail can be sent again."
    )


class WrongCredentials(Unauthenticated):
    """The address or the password is wrong. The answer does not tell which."""

    code, title = "wrong_credentials", "The address or the password is wrong."


class WrongCode(Invalid):
    """The code is wrong, used, expired or from another flow."""

    code, title = "wrong_code", "The code is wrong or has expired."


class CodeSpent(Gone):
    """The code was used, has expired, or was entered wrong five times."""

    code, title = "code_spent", "This code no longer works. Request a new one."


class LinkSpent(Gone):
    """The link was used, has expired or is unknown."""

    code, title = "link_spent", "This link was already used or has expired. Request a new one."


class OtherBrowser(Forbidden):
    """The link was opened in a browser other than the one that requested it."""

    code = "other_browser"
    title = "Open the link in the browser in which you requested it, or enter the code."


class Locked(RateLimited):
    """The address had too many wrong passwords. `retry_after` is in seconds."""

    code, title = "locked", "Too many wrong passwords. Try again later, or sign in another way."


class MailsSent(RateLimited):
    """Too many e-mails were sent to this address. `retry_after` is in seconds."""

    code = "mails_sent"
    title = "We've just sent e-mails to this address. Check your inbox, or try again later."


class MethodOff(Forbidden):
    """The application does not offer this sign-in method."""

    code, title = "method_off", "This application does not offer this sign-in method."


class SsoRequired(Forbidden):
    """An organization of the user requires its own provider. `idp` is its name and `idp_name` the name to
    show. Both are null if the organization has no provider that is switched on."""

    code = "sso_required"
    title = "Your organization requires you to sign in through its own provider."


class AccountDisabled(Forbidden):
    """The account is disabled. Only its owner gets this answer."""

    code, title = "account_disabled", "This account is disabled."


class LastWayIn(Conflict):
    """The passkey or provider account is the user's only way to sign in."""

    code, title = "last_way_in", "This is your only way to sign in. Add another one first."


class EmailUnverified(Forbidden):
    """The address is not verified. Only a user with the right password gets this answer."""

    code, title = "email_unverified", "Sign in with a code first to confirm your e-mail address."


class ResetNeeded(Forbidden):
    """The user must choose a new password. Only a user with the right password gets this answer."""

    code, title = "reset_needed", "Reset your password first. You will get an e-mail for that."
