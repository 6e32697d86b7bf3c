"""Parts that all ways to sign in share: the fields of an attempt, and its errors."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Id
from common.contracts.fields import Locale, Timestamp
from common.problems import (
    Forbidden,
    Gone,
    Invalid,
    RateLimited,
    Unauthenticated,
)


class Attempt(Contract):
    """The fields of every attempt to sign in.

    `browser` is the value of the browser's own long-lived cookie: a link in a mail works only in
    the browser that asked for it, and a sign-in from a new browser is reported by mail.
    `captcha` and `proof` answer what the application asks (see GetProtection).
    """

    browser: str | None = Field(default=None, max_length=200, repr=False)
    captcha: str | None = Field(default=None, max_length=4096, repr=False)
    proof: str | None = Field(default=None, max_length=400, repr=False)
    locale: Locale | None = Field(default=None, description="For the mail, where one is sent.")


class SignInAttempt(Attempt):
    """An attempt that begins a session."""

    remember: bool = False
    idempotency_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        repr=False,
        description="Names this attempt: repeated in the same browser within a minute, it leads to "
        "the same session.",
    )


class Flow(Contract):
    """A mail with a code and a link is on its way, or looks as if it were: the answer is the same
    whether the address is known or not. The code belongs to `flow`, the link to `browser`."""

    flow: Id
    browser: str = Field(repr=False, description="Value for the browser's long-lived cookie.")
    expires_at: Timestamp
    resend_after: int = Field(default=30, description="Seconds.")


class WrongCredentials(Unauthenticated):
    """Address or password, never which."""

    code, title = "wrong_credentials", "Address or password is wrong."


class WrongCode(Invalid):
    """Wrong, used, expired or of another flow."""

    code, title = "wrong_code", "The code is wrong or has expired."


class CodeSpent(Gone):
    """Five wrong tries, used or expired: ask for a new one."""

    code, title = "code_spent", "This code cannot be used any more. Ask for a new one."


class LinkSpent(Gone):
    """Used, expired or unknown."""

    code, title = "link_spent", "This link has expired or was used already."


class OtherBrowser(Forbidden):
    """The link was opened in a browser other than the one that asked."""

    code, title = "other_browser", "Open the link in the browser you began with, or type the code."


class Locked(RateLimited):
    """Too many wrong passwords for this address. `retry_after` in seconds."""

    code, title = "locked", "Too many wrong passwords. Wait, or sign in another way."


class MailsSent(RateLimited):
    """Mails went to this address a moment ago. `retry_after` in seconds."""

    code = "mails_sent"
    title = "We sent mails to this address just now. Look for them, or wait a little."


class MethodOff(Forbidden):
    """The application does not offer this way to sign in."""

    code, title = "method_off", "This application does not offer this way to sign in."


class AccountDisabled(Forbidden):
    """Told only to somebody who has proven to own the account."""

    code, title = "account_disabled", "This account is disabled."


class EmailUnverified(Forbidden):
    """Told only to somebody who has proven to know the password."""

    code, title = "email_unverified", "Confirm your e-mail address first: sign in with a code."


class ResetNeeded(Forbidden):
    """An administrator asked for a new password. Told only to somebody who knows the old one."""

    code, title = "reset_needed", "Choose a new password first: ask for a mail to reset it."
