"""Passwords: signing in, changing and resetting them."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, SIGNED_IN, Done, Id, Request
from common.contracts.fields import Email, Secret, Token
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import Attempt, Flow, SignInAttempt
from common.problems import (
    Invalid,
)


class SignInWithPassword(
    SignInAttempt,
    Request[SignedInSession],
    subject="identity.password.sign_in",
    needs=OPEN,
    within=10.0,
):
    """Signs in with an e-mail address and a password. Raises WrongCredentials, Locked, RateLimited,
    AccountDisabled, EmailUnverified, ResetNeeded, Busy."""

    email: Email
    password: Secret = Field(repr=False)


class Reauthenticate(
    Request[SignedInSession], subject="identity.password.confirm", needs=SIGNED_IN, within=10.0
):
    """Confirms the identity of the caller with their password. The session gets a new id, a new
    token and a new `auth_time`. Raises WrongCredentials, Locked."""

    password: Secret = Field(repr=False)


class WeakPassword(Invalid):
    """The password does not follow the rules. `errors` lists what is wrong, in the field
    `password`."""

    code, title = "weak_password", "This password is not safe enough."


class CheckPassword(
    Request[Done], subject="identity.password.check", needs=OPEN, within=5.0, safe=True
):
    """Checks that a password would be accepted. Raises WeakPassword."""

    password: Secret = Field(repr=False)
    email: str | None = Field(default=None, max_length=254)


class ChangePassword(
    Request[SignedInSession],
    subject="identity.password.change",
    needs=SIGNED_IN,
    within=10.0,
    fresh=True,
    guests=False,
):
    """Sets the password of the caller. All other sessions end, and this one gets a new id and
    token. Needs a fresh sign-in, and the `current` password if there is one. Raises
    WrongCredentials, FreshSignInNeeded, and WeakPassword, also if the password would stay the
    same."""

    current: Secret | None = Field(default=None, repr=False)
    password: Secret = Field(repr=False)


class StartReset(Attempt, Request[Flow], subject="identity.reset.start", needs=OPEN, within=5.0):
    """Sends one e-mail with a code and a link to choose a new password."""

    email: Email


class ResetPassword(
    Attempt, Request[SignedInSession], subject="identity.reset.finish", needs=OPEN, within=10.0
):
    """Sets a new password with the `token` of a link, or with `flow` and `code`. All sessions end
    and a new one starts. Raises LinkSpent, OtherBrowser, WrongCode, CodeSpent, WeakPassword. After
    WeakPassword the link still works."""

    token: Token | None = Field(default=None, repr=False)
    flow: Id | None = None
    code: str | None = Field(default=None, max_length=20, repr=False)
    password: Secret = Field(repr=False)
