"""The accounts of a browser, as the authorization endpoint gets them."""

from __future__ import annotations

from dataclasses import dataclass

from common.contracts.authorization import Authorization, SignedIn
from gateway.auth import browser_sessions
from gateway.auth.caller import user_even_without_rights
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.state import Gateway, SignedInUser


@dataclass(frozen=True)
class Accounts:
    """The active user of the browser, and its other accounts."""

    user: SignedInUser | None
    others: list[SignedInUser]

    def other_sessions(self) -> list[SignedIn]:
        facts = [browser_sessions.session_facts(one) for one in self.others]
        return [one for one in facts if one is not None]

    def user_of(self, authorization: Authorization) -> SignedInUser | None:
        """Returns the user with whom the request continues: a hint or a choice may name another account
        than the active one."""
        for other in self.others:
            if other.session.id == authorization.session_id:
                return other
        return self.user

    def with_form_of(self, gateway: Gateway, token: str | None) -> Accounts:
        """Returns the accounts with that one as the user in whose session the form was shown."""
        for one in self.others:
            if csrf.is_form_of_session(gateway.settings, token, one.session):
                rest = [other for other in self.others if other is not one]
                return Accounts(one, [*([self.user] if self.user else []), *rest])
        return self


async def accounts_of(gateway: Gateway, request: GatewayRequest) -> Accounts:
    """Returns the accounts of the browser that sent the request."""
    user = await user_even_without_rights(gateway, request)
    return Accounts(user, await browser_sessions.other_accounts(gateway, request, user))
