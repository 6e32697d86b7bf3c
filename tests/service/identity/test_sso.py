"""Organizations that require their own provider: who may sign in, and which sessions stay."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.callers import ADMIN, PASSWORD, as_user
from tests.kit.world import World

from common.context import SYSTEM_CALLER
from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.passwords import (
    Reauthenticate,
    ResetPassword,
    SignInWithPassword,
    StartReset,
)
from common.contracts.profiles import User
from common.contracts.sessions import (
    ActivateOrganization,
    EndUnqualifiedSessions,
    Factor,
    SignedInSession,
)
from common.contracts.sign_in import SsoRequired
from common.contracts.sign_in_route import FindSignInRoute
from common.ids import new_id
from identity import session_start
from identity.authentication_result import AuthenticationResult
from identity.queries import accounts, sign_in_facts


async def _organization(
    world: World, *members: User, sso: bool = True, domain: str | None = None, verified: bool = True
) -> str:
    org_id = await world.insert_organization(
        world.app_id, **{user.id: "member" for user in members}
    )
    await _require(world, org_id, sso)
    if domain is not None:
        await world.owner.execute(
            "INSERT INTO organization_roles (app_id, id, name) VALUES ($1, 'member', 'member')"
            " ON CONFLICT DO NOTHING",
            world.app_id,
        )
        await world.owner.execute(
            "INSERT INTO organization_domains (app_id, id, org_id, domain, verification_token,"
            " verified_at) VALUES ($1, $2, $3, $4, 't', CASE WHEN $5 THEN now() END)",
            world.app_id,
            new_id(),
            org_id,
            domain,
            verified,
        )
    return org_id


async def _require(world: World, org_id: str, sso: bool = True) -> None:
    await world.owner.execute(
        "UPDATE organizations SET sso_required = $3 WHERE app_id = $1 AND id = $2",
        world.app_id,
        org_id,
        sso,
    )


async def _provider(world: World, org_id: str, name: str = "acme", **columns: Any) -> str:
    idp_id = new_id()
    columns = {"display_name": name.title(), "type": "oidc", "client_id": "c"} | columns
    columns |= {"issuer": "https://idp.example", "org_id": org_id, "name": name}
    await world.owner.execute(
        f"INSERT INTO identity_providers (app_id, id, {', '.join(columns)}) VALUES"
        f" ($1, $2, {', '.join(f'${n + 3}' for n in range(len(columns)))})",
        world.app_id,
        idp_id,
        *columns.values(),
    )
    return idp_id


async def _through(
    world: World, user: User, org_id: str | None, *, factor: Factor = "provider", **more: Any
) -> SignedInSession:
    """Ends a sign-in at the gate, as every way in does."""
    deps, ctx = world.identity, world.ctx()
    result = AuthenticationResult(
        method=factor, factor=factor, amr=[], idp_name="acme", idp_org_id=org_id, **more
    )
    tenant = await deps.tenants.get(ctx)
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=user.id)
        assert account
        started = await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)
    return await session_start.finish(deps, ctx, started)


async def test_members_sign_in_through_their_provider_only(world: World) -> None:
    """A member is refused with the right password, and told which provider to use. Through the
    organization's provider they sign in, and the organization is active."""
    user = await world.user()
    org_id = await _organization(world, user)
    await _provider(world, org_id, "old", enabled=False)
    await _provider(world, org_id)
    refusal = await world.refused(SignInWithPassword(email=user.email or "", password=PASSWORD))
    signed = await _through(world, user, org_id)

    assert isinstance(refusal, SsoRequired)
    assert refusal.extra == {"idp": "acme", "idp_name": "Acme"}
    assert signed.full().active_org_id == org_id


@pytest.mark.parametrize("factor", ["password", "mail", "provider", "passkey"])
async def test_every_other_way_is_refused(world: World, factor: Factor) -> None:
    """The gate refuses every factor that the organization's own provider did not show: also
    another provider, and that of another organization."""
    user = await world.user()
    await _organization(world, user)
    for org_id in (None, await _organization(world)):
        with pytest.raises(SsoRequired):
            await _through(world, user, org_id, factor=factor)

    assert (
        await world.owner.fetchval(
            "SELECT count(*) FROM user_sessions WHERE app_id = $1", world.app_id
        )
        == 0
    )


async def test_reset_opens_no_way_round(world: World) -> None:
    """Neither a code by mail, nor a reset, nor the password that the reset set starts a session."""
    user = await world.user()
    await _organization(world, user)
    email = user.email or ""
    flow = await world.call(StartEmailCode(email=email))
    by_code = SignInWithCode(flow=flow.flow, code=(await world.mail()).code)
    assert isinstance(await world.refused(by_code), SsoRequired)
    reset = await world.call(StartReset(email=email))
    request = ResetPassword(
        flow=reset.flow, code=(await world.mail()).code, password=f"{PASSWORD}2"
    )
    assert isinstance(await world.refused(request), SsoRequired)
    for password in (PASSWORD, f"{PASSWORD}2"):
        problem = await world.refused(SignInWithPassword(email=email, password=password))
        assert problem.code in {"sso_required", "wrong_credentials"}

    assert "login" not in [name for name, _ in await world.events()]


async def test_domain_counts_without_membership(world: World) -> None:
    """A user who is no member is bound by the verified domain of their address. An unverified domain,
    a subdomain and a longer name bind nobody."""
    user = await world.user("ada@acme.example")
    await _organization(world, domain="acme.example")
    free = [
        await world.user("ada@sub.acme.example"),
        await world.user("ada@not-acme.example"),
        await world.user("ada@open.example"),
        await world.user("ada@lax.example"),
    ]
    await _organization(world, domain="open.example", verified=False)
    await _organization(world, domain="lax.example", sso=False)

    request = SignInWithPassword(email="ada@acme.example", password=PASSWORD)
    assert isinstance(await world.refused(request), SsoRequired)
    for each in free:
        assert (await world.sign_in(each)).full().user_id == each.id
    assert user.id


async def test_failed_lookup_is_a_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the organizations cannot be read, nobody gets a session."""
    user = await world.user()

    async def broken(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(sign_in_facts, "lock", broken)
    with pytest.raises(Exception):  # noqa: B017
        await world.sign_in(user)
    assert (
        await world.owner.fetchval(
            "SELECT count(*) FROM user_sessions WHERE app_id = $1", world.app_id
        )
        == 0
    )


async def test_other_sessions_cannot_activate_it(world: World) -> None:
    """A session by another way cannot make the organization active. A session that its provider
    started can, and so can its successor after a step-up with the password."""
    user = await world.user()
    org_id, free = (
        await _organization(world, user, sso=False),
        await _organization(world, user, sso=False),
    )
    older = await world.sign_in(user)
    await _require(world, org_id)
    request = ActivateOrganization(session_id=older.full().id, org_id=org_id)
    assert isinstance(await world.refused(request, caller=SYSTEM_CALLER), SsoRequired)
    other = ActivateOrganization(session_id=older.full().id, org_id=free)
    assert (await world.call(other, caller=SYSTEM_CALLER)).full().active_org_id == free

    signed = await _through(world, user, org_id)
    confirmed = await world.call(Reauthenticate(password=PASSWORD), caller=as_user(signed))
    away = await world.call(
        ActivateOrganization(session_id=confirmed.full().id, org_id=free), caller=SYSTEM_CALLER
    )
    back = await world.call(
        ActivateOrganization(session_id=away.full().id, org_id=org_id), caller=SYSTEM_CALLER
    )
    assert back.full().active_org_id == org_id


async def test_requirement_ends_older_sessions(world: World) -> None:
    """Requiring the provider ends the members' sessions by other ways, with an event for each user.
    Sessions by the provider and of strangers stay. Without the requirement nothing ends."""
    user, stranger = await world.user(), await world.user()
    org_id = await _organization(world, user, sso=False)
    older, through = await world.sign_in(user), await _through(world, user, org_id)
    foreign = await world.sign_in(stranger)
    request = EndUnqualifiedSessions(org_id=org_id)
    assert (await world.call(request, caller=SYSTEM_CALLER)).revoked_count == 0
    await _require(world, org_id)

    assert (await world.call(request, caller=SYSTEM_CALLER)).revoked_count == 1
    assert await world.live_session(older.token) is None
    assert await world.live_session(through.token) is not None
    assert await world.live_session(foreign.token) is not None
    assert ("sessions_revoked", {"count": 1, "reason": "sso_required"}) in await world.events()
    assert (await world.refused(request, caller=ADMIN)).status == 403


async def test_renewed_session_drops_a_closed_organization(world: World) -> None:
    """A session in which the organization was active before it required its provider loses it when
    its rights change."""
    user = await world.user()
    org_id = await _organization(world, user, sso=False)
    signed = await world.sign_in(user)
    active = await world.call(
        ActivateOrganization(session_id=signed.full().id, org_id=org_id), caller=SYSTEM_CALLER
    )
    await _require(world, org_id)
    deps, ctx = world.identity, world.ctx()
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=user.id)
        assert account
        tenant = await deps.tenants.get(ctx)
        renewed = await session_start.renew(
            deps, ctx, tx, tenant, account=account, session_id=active.full().id
        )

    assert renewed.reply is not None
    assert renewed.reply.full().active_org_id is None


async def test_domain_decides_the_route(world: World) -> None:
    """An address of a verified domain leads to the organization's provider. The answer is the same with
    and without an account. Unverified domains, subdomains, switched-off providers and applications
    without providers lead nowhere."""
    org_id = await _organization(world, sso=False, domain="acme.example")
    await _provider(world, org_id)
    await _provider(world, await _organization(world, domain="off.example"), "off", enabled=False)
    await _provider(
        world, await _organization(world, domain="open.example", verified=False), "open"
    )
    await world.user("ada@acme.example")

    async def route(email: str, app_id: str | None = None) -> str | None:
        idp = (await world.call(FindSignInRoute(email=email), app_id=app_id)).idp
        return idp.name if idp else None

    assert await route("ada@acme.example") == await route("Nobody@ACME.example") == "acme"
    for email in ("a@sub.acme.example", "a@off.example", "a@open.example", "a@else.example"):
        assert await route(email) is None
    assert await route("ada@acme.example", world.other_app_id) is None
    world.configure(world.app_id, auth_methods=["password"])
    assert await route("ada@acme.example") is None
