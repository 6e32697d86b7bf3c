"""The token of a session that a form starts. It follows from the form, so that a form that is posted
twice leads to one session."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.context import Context
from common.crypto import Keys, b64url, key_id
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps


@dataclass(frozen=True, slots=True)
class FormTokens:
    """The tokens that the replicas would give to one form, each under its active master key."""

    keys: Keys
    facts: bytes = field(repr=False)

    @property
    def own(self) -> str:
        """The token that this replica gives to the form."""
        return self._under(self.keys.active)

    def hashes(self, label: str) -> list[str]:
        """Returns the texts under which the database may have one of the tokens."""
        return [self.keys.hash(label, self._under(kid), kid) for kid in self.keys.configured]

    def stored_as(self, hash: str) -> str:
        """Returns the token of one of the `hashes`."""
        return self._under(key_id(hash))

    def _under(self, kid: str) -> str:
        return b64url(self.keys.digest("session-of-form", self.facts, kid))


def of_result(deps: Deps, ctx: Context, result: AuthenticationResult) -> FormTokens | None:
    """Returns the tokens for this sign-in, or None if it has no key."""
    if result.idempotency_key is None or result.browser is None:
        return None
    return of_form(deps, ctx, result.browser, remember=result.remember, key=result.idempotency_key)


def of_form(deps: Deps, ctx: Context, browser: str, *, remember: bool, key: str) -> FormTokens:
    """Returns the tokens for a form that this browser posts with this key."""
    facts = "\n".join((ctx.app_id, browser, str(remember), key))
    return FormTokens(deps.keys, facts.encode())
