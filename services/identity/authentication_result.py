"""The result of an authentication, from which a session starts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime

from common import acr, second_factor_rules
from common.contracts.sessions import Factor


@dataclass(frozen=True)
class EarlierSession:
    """The facts that a session takes over: from the session that it replaces, or from the half session
    that it completes. `factor_times` are in epoch seconds."""

    acr: str | None
    amr: list[str]
    idp_name: str | None
    idp_org_id: str | None
    remembered: bool
    auth_time: datetime
    factor_times: dict[Factor, int]


@dataclass(frozen=True)
class Actor:
    """Somebody who acts as the user of a session, from a session of their own, for a reason."""

    id: str
    app_id: str
    session_id: str
    reason: str
    minutes: int


@dataclass(frozen=True)
class AuthenticationResult:
    """How a user has proven who they are.

    `idp_org_id` is the organization of the provider that has just been shown, or None.
    `factor` is what they have just shown, and `amr` how (RFC 8176); None if they have proven nothing
    again. `email` is the address that the user has just proven, and `phc` the hash that the password
    matched. `previous` is the session that the new one replaces. `devices` are the values of the
    browser's cookies for remembered devices. `provider_time` is when a provider says that it asked
    the user, in epoch seconds; None if it does not say."""

    method: str
    factor: Factor | None
    amr: list[str]
    email: str | None = None
    phc: str | None = field(default=None, repr=False)
    browser: str | None = field(default=None, repr=False)
    devices: list[str] = field(default_factory=list, repr=False)
    remember: bool = False
    idempotency_key: str | None = field(default=None, repr=False)
    idp_name: str | None = None
    provider_time: int | None = None
    idp_org_id: str | None = None
    previous: str | None = None
    earlier: EarlierSession | None = None
    new_user: bool = False
    joins_team: bool = False
    """Whether a new user signed up by an invitation into an organization."""
    actor: Actor | None = None
    """Somebody who acts as the user. The user themselves prove nothing then."""
    first_proof_done: bool = False
    """Whether the caller has called `first_proof.end_earlier_credentials` itself. Later credentials
    are the owner's, and stay."""
    kept_guest_id: str | None = None
    """The guest who is signed in at the browser, if the user is another one."""
    upgrades_guest: bool = False
    """Whether the user of the session `previous` was a guest until now. The gate then asks everything:
    the earlier session has shown no factor."""

    @property
    def factors(self) -> set[Factor]:
        """The factors of the session, those of the earlier session included."""
        earlier = set(self.earlier.factor_times) if self.earlier else set()
        return earlier | ({self.factor} if self.factor else set())

    @property
    def factor_time(self) -> int | None:
        """When the factor was shown, in epoch seconds; None: now. A provider may answer without asking
        its user, so it proves nothing unless it says when it asked."""
        return self.provider_time or 0 if self.factor == "provider" else None

    @property
    def sso_org_id(self) -> str | None:
        """The organization whose own provider has vouched for the user, now or earlier in the session."""
        return self.idp_org_id or (self.earlier.idp_org_id if self.earlier else None)

    @property
    def used_password(self) -> bool:
        """Whether this sign-in used the password, now or in the half session that it completes."""
        if self.earlier is None or self.previous is not None:
            return self.phc is not None
        return "password" in self.earlier.factor_times

    @property
    def all_amr(self) -> list[str]:
        """The authentication methods of the session, with `mfa` if they are two factors."""
        methods = [*(self.earlier.amr if self.earlier else []), *self.amr]
        if second_factor_rules.are_two(self.factors, methods):
            methods.append("mfa")
        return list(dict.fromkeys(methods))

    @property
    def earned(self) -> str:
        """The class of the session (`acr`)."""
        if self.factor is None and self.earlier and self.earlier.acr:
            return self.earlier.acr
        if not self.factors and not self.all_amr:
            return acr.NO_FACTOR
        return acr.earned(self.all_amr, by_mail=self.email is not None)

    @property
    def auth_time(self) -> datetime | None:
        """When the user last proved who they are, or None: now."""
        if self.earlier is None:
            return None
        confirms = self.factor is not None and (self.previous is None or self.factor_time != 0)
        return None if confirms else self.earlier.auth_time


def with_new_user(
    result: AuthenticationResult, fresh: bool, *, joins_team: bool = False
) -> AuthenticationResult:
    """Returns the result with a mark for a user who was just created."""
    return dataclasses.replace(result, new_user=fresh, joins_team=joins_team)
