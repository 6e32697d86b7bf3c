"""The way to sign in that an address leads to: the provider of an organization, or any."""

from __future__ import annotations

from common.contracts.base import OPEN, Contract, Request
from common.contracts.fields import Email
from common.contracts.identity_providers import PublicProvider


class SignInRoute(Contract):
    """The provider with which an address signs in. `null`: any way that the application offers."""

    idp: PublicProvider | None = None


class FindSignInRoute(
    Request[SignInRoute], subject="identity.provider.route", needs=OPEN, safe=True
):
    """Returns the provider of the organization that has verified the domain of an address. Only the
    domain counts: the answer is the same whether the address has an account or not."""

    email: Email
