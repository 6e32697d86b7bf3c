"""The gate refuses a sign-in, and its transaction rolls back. The log still says once what happened."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.authenticator import Authenticator
from tests.kit.callers import ADMIN, PASSWORD, as_user
from tests.kit.passkeys import BROWSER, SITE, add_passkey, attempt
from tests.kit.second_factors import two_step_user
from tests.kit.world import World

from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.invitations import AcceptInvitation, InviteUser
from common.contracts.passwords import (
    Reauthenticate,
    ResetPassword,
    SignInWithPassword,
    StartReset,
)
from common.contracts.profiles import User
from common.contracts.second_factors import CompleteSignIn
from common.contracts.sign_in import AccountDisabled, SsoRequired
from common.contracts.users import DisableUser
from common.problems import Problem

from .provider_stand_in import ProviderStandIn, provider_account


async def by_password(world: World, user: User, _: Authenticator) -> Problem:
    request = SignInWithPassword(email=user.email or "", password=PASSWORD, browser=BROWSER)
    return await world.refused(request)


async def by_code(world: World, user: User, _: Authenticator) -> Problem:
    flow = await world.call(StartEmailCode(email=user.email or "", browser=BROWSER))
    code = (await world.mail()).code
    return await world.refused(SignInWithCode(flow=flow.flow, code=code, browser=BROWSER))


async def by_link(world: World, user: User, _: Authenticator) -> Problem:
    await world.call(StartEmailCode(email=user.email or "", browser=BROWSER))
    token = (await world.mail()).token
    return await world.refused(SignInWithLink(token=token, browser=BROWSER))


async def by_reset(world: World, user: User, _: Authenticator) -> Problem:
    await world.call(StartReset(email=user.email or "", browser=BROWSER))
    token = (await world.mail()).token
    request = ResetPassword(token=token, password="six unusual otters juggle", browser=BROWSER)
    return await world.refused(request)


async def by_passkey(world: World, user: User, authenticator: Authenticator) -> Problem:
    request, facts = await attempt(world, authenticator)
    return await world.refused(request, **facts)


WAYS: list[Any] = [
    (by_password, "password"),
    (by_code, "email_code"),
    (by_link, "magic_link"),
    (by_reset, "reset"),
    (by_passkey, "passkey"),
]


async def failures(world: World) -> list[dict[str, Any]]:
    return [data for kind, data in await world.events() if kind == "login_failed"]


async def subjects(world: World) -> list[str | None]:
    rows = await world.owner.fetch(
        "SELECT user_id FROM audit_logs WHERE app_id = $1 AND event_type = 'login_failed'",
        world.app_id,
    )
    return [row["user_id"] for row in rows]


async def bind(world: World, user: User) -> str:
    """Makes the user a member of an organization that requires its own provider."""
    org_id = await world.insert_organization(world.app_id, **{user.id: "member"})
    await world.owner.execute("UPDATE organizations SET sso_required = true WHERE id = $1", org_id)
    return org_id


@pytest.mark.parametrize(("way", "method"), WAYS)
async def test_a_sign_in_without_the_organizations_provider(
    world: World, way: Any, method: str
) -> None:
    """One event names the user, the method and the organization. Nothing else of the sign-in stays."""
    user, authenticator = await world.user(), Authenticator(SITE)
    await add_passkey(world, await world.sign_in(user), authenticator)
    org_id = await bind(world, user)

    assert isinstance(await way(world, user, authenticator), SsoRequired)

    event = {"method": method, "reason": "sso_required", "address_hash": None, "org_ids": [org_id]}
    assert await failures(world) == [event]
    assert await subjects(world) == [user.id]
    assert (await world.event_types("login")) == ["login"]


@pytest.mark.parametrize(("way", "method"), WAYS)
async def test_a_sign_in_of_a_disabled_user(world: World, way: Any, method: str) -> None:
    """One event says that the credential was right and the user is disabled."""
    user, authenticator = await world.user(), Authenticator(SITE)
    await add_passkey(world, await world.sign_in(user), authenticator)
    await world.call(DisableUser(user_id=user.id), ADMIN)

    assert isinstance(await way(world, user, authenticator), AccountDisabled)

    event: dict[str, Any] = {
        "method": method,
        "reason": "account_disabled",
        "address_hash": None,
        "org_ids": [],
    }
    assert await failures(world) == [event]
    assert await subjects(world) == [user.id]


async def test_a_half_session_and_a_confirmation(world: World) -> None:
    """The gate asks again at the second factor, and at a confirmation with the password."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    await bind(world, person.user)
    completing = CompleteSignIn(token=half.token, code=person.app.code())
    assert isinstance(await world.refused(completing), SsoRequired)
    confirming = Reauthenticate(password=PASSWORD)
    assert isinstance(await world.refused(confirming, as_user(person.signed)), SsoRequired)

    assert [event["method"] for event in await failures(world)] == ["password", "confirm"]


async def test_a_sign_up_that_is_refused(world: World) -> None:
    """The user was not created, so the event has the hash of the address and names nobody."""
    await world.call(InviteUser(email="ada@acme.example"), ADMIN)
    token = (await world.mail()).token
    org_id = await world.insert_organization(world.app_id)
    await world.owner.execute("UPDATE organizations SET sso_required = true WHERE id = $1", org_id)
    await world.owner.execute(
        "INSERT INTO organization_roles (app_id, id, name) VALUES ($1, 'member', 'member')",
        world.app_id,
    )
    await world.owner.execute(
        "INSERT INTO organization_domains (app_id, id, org_id, domain, verification_token,"
        " verified_at) VALUES ($1, gen_random_uuid(), $2, 'acme.example', 't', now())",
        world.app_id,
        org_id,
    )
    assert isinstance(await world.refused(AcceptInvitation(token=token)), SsoRequired)

    (event,) = await failures(world)
    assert (event["method"], event["org_ids"]) == ("invitation", [org_id])
    assert event["address_hash"]
    assert await subjects(world) == [None]


async def test_a_provider_has_its_own_event(world: World, providers: ProviderStandIn) -> None:
    """A refused sign-in with another provider is one `idp_sign_in_failed`, and no `login_failed`."""
    first = await providers.sign_in(provider_account())
    assert first.session is not None
    user_id = first.session.full().user_id
    org_id = await world.insert_organization(world.app_id, **{user_id: "member"})
    await world.owner.execute("UPDATE organizations SET sso_required = true WHERE id = $1", org_id)

    assert (await providers.sign_in(provider_account())).failure == "sso_required"
    assert await failures(world) == []
    assert len(await providers.failures()) == 1
