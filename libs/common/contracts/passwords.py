"""Passwords: signing in with one, choosing one, choosing another by mail."""

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
    """Raises WrongCredentials, Locked, RateLimited, AccountDisabled, EmailUnverified, ResetNeeded,
    Busy."""

    email: Email
    password: Secret = Field(repr=False)


class Reauthenticate(
    Request[SignedInSession], subject="identity.password.confirm", needs=SIGNED_IN, within=10.0
):
    """Prove again who asks: the session goes on under a new id and token with a new `auth_time`.
    Raises WrongCredentials, Locked."""

    password: Secret = Field(repr=False)


class WeakPassword(Invalid):
    """`errors` names what is wrong, in the field `password`."""

    code, title = "weak_password", "This password is not safe enough."


class CheckPassword(
    Request[Done], subject="identity.password.check", needs=OPEN, within=5.0, safe=True
):
    """Whether a password would be accepted. Raises WeakPassword."""

    password: Secret = Field(repr=False)
    email: str | None = Field(default=None, max_length=254)


class ChangePassword(
    Request[SignedInSession], subject="identity.password.change", needs=SIGNED_IN, within=10.0
):
    """Set the caller's password; every other session ends and this one gets a new id and token.
    `current` is needed where there is a password, else a fresh sign-in (FreshSignInNeeded). Raises
    WeakPassword, also where nothing would change."""

    current: Secret | None = Field(default=None, repr=False)
    password: Secret = Field(repr=False)


class StartReset(Attempt, Request[Flow], subject="identity.reset.start", needs=OPEN, within=5.0):
    """One mail with a code and a link to choose a new password."""

    email: Email


class ResetPassword(
    Attempt, Request[SignedInSession], subject="identity.reset.finish", needs=OPEN, within=10.0
):
    """Choose a new password by link (`token`) or by `flow` and `code`. All sessions end, a new one
    begins. Raises LinkSpent, OtherBrowser, WrongCode, CodeSpent, WeakPassword (the link stays good
    then)."""

    token: Token | None = Field(default=None, repr=False)
    flow: Id | None = None
    code: str | None = Field(default=None, max_length=20, repr=False)
    password: Secret = Field(repr=False)
