"""One sign-in with a provider, and where it leads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import ValidationError

from common import clock
from common.contracts.profiles import Profile
from common.contracts.tenants import Tenant
from identity.authentication_result import AuthenticationResult
from identity.guests import GuestSession
from identity.providers.account import ProviderAccount
from identity.queries.identity_providers import Provider
from identity.session_start import StartedSession

ProofKind = Literal["address", "account"]
PROFILE: Final = ("name", "given_name", "family_name", "picture", "locale")
"""The fields that a new user takes over from the provider."""
MOST_AMR: Final = 10


class AccountAppeared(Exception):
    """Another request created the same user or link at the same moment. The caller tries again."""


@dataclass(frozen=True)
class SignInFlow:
    """One sign-in with a provider. `browser` and `devices` are the values of its cookies."""

    tenant: Tenant
    provider: Provider
    account: ProviderAccount
    destination: str
    browser: str | None = field(repr=False)
    devices: list[str] = field(repr=False)
    remember: bool = False
    admission: dict[str, Any] = field(default_factory=dict, repr=False)
    """The invitations that admit the address (`sign_up.admission`)."""
    role_ids: list[str] = field(default_factory=list)
    """The roles of the invitation into the application, for its new user."""
    invitation: str | None = field(default=None, repr=False)
    locale: str | None = None
    guest: GuestSession | None = None
    """The guest who is signed in at the browser."""

    @property
    def verified_email(self) -> str | None:
        """The address, if the provider has verified it and may speak for it."""
        trusted = self.provider.trusts_email and self.account.email_verified
        return self.account.email if trusted else None

    def result(self, *, mailed: str | None = None, **more: Any) -> AuthenticationResult:
        """Returns what the sign-in has shown. `mailed` is the address that a mailed code has just
        proven: the code is then the factor that was shown last."""
        trusted = self.account.amr[:MOST_AMR] if self.provider.trusts_factors else ()
        at = self.account.auth_time
        return AuthenticationResult(
            method="idp",
            factor="mail" if mailed else "provider",
            amr=[*trusted, *(["otp"] if mailed else [])],
            email=mailed,
            browser=self.browser,
            devices=self.devices,
            remember=self.remember,
            idp_name=self.provider.name,
            idp_org_id=self.provider.org_id,
            provider_time=min(int(at.timestamp()), int(clock.now())) if at else None,
            **more,
        )


@dataclass(frozen=True)
class Resolution:
    """A started session, or a proof that the user has to give first. `ended` are sessions that the caller
    publishes as revoked. `signed_up`: the session is that of a new user."""

    started: StartedSession | None = None
    proof: str | None = field(default=None, repr=False)
    kind: ProofKind = "address"
    ended: list[str] | None = None
    signed_up: bool = False


def profile_of(account: ProviderAccount) -> dict[str, str]:
    """Returns the fields of a profile that the provider fills, each by the rules for users' own."""
    profile: dict[str, str] = {}
    for name in PROFILE:
        value = getattr(account, name)
        try:
            checked = getattr(Profile.model_validate({name: value}), name)
        except ValidationError:
            continue
        if checked:
            profile[name] = checked
    return profile
