"""Sign-up."""

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
    """Starts a sign-up. The user is created once the code or link from the e-mail is used
    (SignInWithCode, SignInWithLink), so nobody can take the address of others. If the address has
    an account, its owner gets an e-mail that says so. Raises SignUpClosed, Invalid."""

    email: Email
    password: Secret | None = Field(default=None, repr=False)
    name: Name | None = None
    invitation: Token | None = Field(default=None, repr=False)


class ResendSignUp(
    Attempt, Request[Flow], subject="identity.user.resend_sign_up", needs=OPEN, within=5.0
):
    """Sends a new code and link for a sign-up that this browser started within the last hour. The
    data that the user entered is kept. Raises CodeSpent if there is none, or it is finished."""

    flow: Id
