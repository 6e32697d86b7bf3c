"""The classes of sign-in (`common.acr`) that an application's users can reach, and how."""

from __future__ import annotations

from typing import Final, Literal

from common import acr, second_factor_rules
from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.authorization import SignedIn
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps

Way = Literal["password", "mail"]

WAYS: Final[dict[str, Way]] = {acr.PASSWORD: "password", acr.MAIL: "mail"}
METHODS: Final[dict[Way, frozenset[str]]] = {
    "password": frozenset({"password"}),
    "mail": frozenset({"email_code", "magic_link"}),
}


def supported(settings: AppSettings) -> list[str]:
    """Returns the classes that some user of the application can reach, the most general one first. A
    passkey counts as two factors."""
    enabled = set(settings.auth_methods)
    names = [acr.ONE_FACTOR, *(name for name, way in WAYS.items() if METHODS[way] & enabled)]
    if settings.mfa_policy != "off" or "passkey" in enabled:
        names.append(acr.TWO_FACTORS)
    return names


def reached(session: SignedIn) -> frozenset[str]:
    """Returns the classes that a session has."""
    return acr.of_session(session.acr, session.factor_times, session.amr)


def is_unproven(request: AuthorizationRequest) -> bool:
    """Returns whether the user came from a provider that did not say when it asked them, although the
    client wants a recent sign-in. Another way of signing in can prove that."""
    must_be_recent = request.max_age is not None or "login" in request.prompts
    times = request.session.factor_times if request.session else {}
    return must_be_recent and times.get("provider") == 0


async def reachable(deps: Deps, ctx: Context, request: AuthorizationRequest) -> list[str]:
    """Returns the requested classes that the user can reach, in the client's order. A user who is
    not known yet can reach what some user can."""
    if not request.acr_values:
        return []
    settings = (await deps.tenants.get(ctx)).settings
    names = supported(settings)
    if request.session is not None and not _can_show_two(settings, request.session):
        names = [name for name in names if name != acr.TWO_FACTORS]
    return [name for name in request.acr_values if name in names]


def _can_show_two(settings: AppSettings, session: SignedIn) -> bool:
    """Returns whether the user has a second factor, or may enrol one on the way."""
    return bool(second_factor_rules.ENROLLED & set(session.second_factors)) or (
        settings.mfa_policy != "off"
    )


async def wants_two_factors(deps: Deps, ctx: Context, request: AuthorizationRequest) -> bool:
    """Returns whether two factors are the client's first choice among what the user can reach, or
    what the session has already and the client requests."""
    if request.session is None or acr.TWO_FACTORS not in request.acr_values:
        return False
    met = acr.satisfied(reached(request.session), request.acr_values)
    if met is not None:
        return met == acr.TWO_FACTORS
    return (await reachable(deps, ctx, request))[:1] == [acr.TWO_FACTORS]


async def sign_in_way(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Way | None:
    """Returns how the user has to sign in for the client's first choice. None: in any way."""
    names = await reachable(deps, ctx, request)
    return WAYS.get(names[0]) if names else None
