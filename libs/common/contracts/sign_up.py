"""New accounts."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, Id, Request
from common.contracts.fields import Email, Name, Secret, Token
from common.contracts.sign_in import Attempt, Flow
from common.problems import (
    Forbidden,
)


class SignUpClosed(Forbidden):
    """The application takes new users by invitation only."""

    code, title = "sign_up_closed", "New accounts are by invitation only."


class SignUp(Attempt, Request[Flow], subject="identity.user.sign_up", needs=OPEN, within=5.0):
    """Ask for a new account. The user comes to be once the mailed code or link is used
    (SignInWithCode, SignInWithLink), so nobody can occupy a stranger's address; an existing
    account's owner gets a mail that says so. Raises SignUpClosed, Invalid."""

    email: Email
    password: Secret | None = Field(default=None, repr=False)
    name: Name | None = None
    invitation: Token | None = Field(default=None, repr=False)


class ResendSignUp(
    Attempt, Request[Flow], subject="identity.user.resend_sign_up", needs=OPEN, within=5.0
):
    """Mails a new code and link for a sign-up that this browser began within the last hour, with
    everything that was entered. Raises CodeSpent if there is none, or it is finished."""

    flow: Id
