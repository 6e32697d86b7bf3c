"""The effects of a sign-in with a provider: roles by rules, the organization, and the profile.

The rules are data of the provider's row. Their author held every permission that they can give, so the
claims of a provider never lead beyond what an administrator of the application allowed.
"""

from __future__ import annotations

from typing import Any, Final

from common import audit, logs
from common.context import Context
from common.contracts.assignments import SetMappedRoles
from common.contracts.sessions import SignedInSession
from common.contracts.sso_members import JoinThroughProvider
from common.events.users import UserUpdated
from common.problems import Problem
from identity import provider_domains
from identity.deps import Deps
from identity.provider_flow import SignInFlow, profile_of
from identity.providers.claim_mapping import at
from identity.queries import accounts, sso, users

log = logs.get(__name__)

MOST_RULES: Final = 50
MOST_VALUES: Final = 1000
"""Values of a claim that a rule looks at."""


def mapped_roles(rules: list[Any], claims: dict[str, Any]) -> list[str]:
    """Returns the roles of the rules that hold, in their order, each once."""
    held = [rule["role_id"] for rule in rules[:MOST_RULES] if _holds(rule, claims)]
    return list(dict.fromkeys(held))


def _holds(rule: dict[str, Any], claims: dict[str, Any]) -> bool:
    value = at(claims, rule["claim"])
    values = value[:MOST_VALUES] if isinstance(value, list) else [value]
    return any(_text(each) == rule["value"] for each in values)


def claims_of_rules(rules: list[Any], claims: dict[str, Any]) -> dict[str, list[str]]:
    """Returns of the claims no more than what the rules need: under each path, the values for which a
    rule holds. A provider may send a megabyte, and a proof keeps its claims for a while."""
    kept: dict[str, list[str]] = {}
    for rule in rules[:MOST_RULES] if claims else []:
        values = kept.setdefault(rule["claim"], [])
        if _holds(rule, claims):
            values.append(rule["value"])
    return kept


def _text(value: Any) -> str | None:
    """Returns a text, number or truth value as rules name it. None for everything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


async def apply(
    deps: Deps, ctx: Context, flow: SignInFlow, *, user_id: str, signed_in: SignedInSession
) -> SignedInSession:
    """Applies the rules after a sign-in was committed. Returns the session, in which the organization of
    the provider is active if the user is its member. If a service is away, the next sign-in does it.
    """
    try:
        if flow.provider.options.get("refresh_profile"):
            await _refresh_profile(deps, ctx, flow, user_id)
        if flow.provider.org_id is not None:
            return await _join(deps, ctx, flow, user_id=user_id, signed_in=signed_in)
        if flow.account.claims:
            roles = mapped_roles(flow.provider.role_mapping, flow.account.claims)
            call = SetMappedRoles(user_id=user_id, idp_id=flow.provider.id, role_ids=roles)
            await deps.bus.call(ctx.as_system(), call)
    except Problem as problem:
        log.warning("mapping not applied", code=problem.code, user_id=user_id)
    return signed_in


async def _join(
    deps: Deps, ctx: Context, flow: SignInFlow, *, user_id: str, signed_in: SignedInSession
) -> SignedInSession:
    org_id, rules = flow.provider.org_id, flow.provider.role_mapping[:MOST_RULES]
    assert org_id is not None
    named = list(dict.fromkeys(rule["role_id"] for rule in rules)) if flow.account.claims else []
    call = JoinThroughProvider(
        org_id=org_id,
        user_id=user_id,
        email=await _address(deps, ctx, flow, user_id),
        role=next(iter(mapped_roles(rules, flow.account.claims)), None),
        mapped_roles=named,
    )
    joined = await deps.bus.call(ctx.as_system(), call)
    session = signed_in.session
    if joined.role is None or session is None or session.active_org_id is not None:
        return signed_in
    # The session's token has reached nobody yet, so its rights may change without a new one.
    async with deps.db.transaction(ctx) as tx:
        await sso.activate_joined(tx, app_id=ctx.app_id, session_id=session.id, org_id=org_id)
    changed = session.model_copy(update={"active_org_id": org_id})
    return signed_in.model_copy(update={"session": changed})


async def _address(deps: Deps, ctx: Context, flow: SignInFlow, user_id: str) -> str | None:
    async with deps.db.reader(ctx) as db:
        account = await accounts.by_id(db, app_id=ctx.app_id, id=user_id)
    return provider_domains.proven_address(flow.account, account)


async def _refresh_profile(deps: Deps, ctx: Context, flow: SignInFlow, user_id: str) -> None:
    profile = profile_of(flow.account)
    async with deps.db.transaction(ctx) as tx:
        await accounts.lock(tx, app_id=ctx.app_id, id=user_id)
        user = await users.get(tx, app_id=ctx.app_id, id=user_id)
        changes = {name: new for name, new in profile.items() if getattr(user, name, new) != new}
        if user is None or not changes:
            return
        await users.update(tx, app_id=ctx.app_id, id=user_id, changes=changes)
        event = UserUpdated(user_id=user_id, fields=sorted(changes))
        await audit.record(tx, ctx, event, user_id=user_id)
    await deps.invalidation.publish(ctx, "user", user_id)
