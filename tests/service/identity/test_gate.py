"""Every way of signing in ends at the gate: a session, or a half session that says what is missing."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import pytest
from tests.kit.callers import ADMIN, PASSWORD, now
from tests.kit.factories import Person
from tests.kit.oauth import fields
from tests.kit.postgres import Postgres
from tests.kit.second_factors import turn_on_totp
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Caller
from common.contracts.authorization import SignedIn
from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.invitations import AcceptInvitation, InviteUser
from common.contracts.keys import EnsureKeys
from common.contracts.oauth_errors import InvalidGrant, InvalidToken
from common.contracts.owner import ClaimOwner, CreateOwnerLink
from common.contracts.passwords import (
    ChangePassword,
    ResetPassword,
    SignInWithPassword,
    StartReset,
)
from common.contracts.profiles import User
from common.contracts.sessions import CheckSession, NoSession, SignedInSession
from common.contracts.sign_in import LinkSpent
from common.contracts.sign_up import SignUp
from common.contracts.tokens import CheckAccessToken
from common.ids import DASHBOARD, new_id

BROWSER: Final = "b" * 43
NEW: Final = "a new and better phrase"
Way = Callable[[World, User], Awaitable[SignedInSession]]
Setup = Callable[[World, User], Awaitable[None]]


async def by_password(world: World, user: User) -> SignedInSession:
    return await world.sign_in(user)


async def by_code(world: World, user: User) -> SignedInSession:
    flow = await world.call(StartEmailCode(email=user.email or ""))
    return await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))


async def by_link(world: World, user: User) -> SignedInSession:
    await world.call(StartEmailCode(email=user.email or "", browser=BROWSER))
    return await world.call(SignInWithLink(token=(await world.mail()).token, browser=BROWSER))


async def by_sign_up_again(world: World, user: User) -> SignedInSession:
    """Signs up with the address of the user: the mail signs in to their account."""
    flow = await world.call(SignUp(email=user.email or "", password=PASSWORD, browser=BROWSER))
    return await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))


async def by_reset_link(world: World, user: User) -> SignedInSession:
    await world.call(StartReset(email=user.email or "", browser=BROWSER))
    token = (await world.mail()).token
    return await world.call(ResetPassword(token=token, browser=BROWSER, password=NEW))


async def by_reset_code(world: World, user: User) -> SignedInSession:
    flow = await world.call(StartReset(email=user.email or "", browser=BROWSER))
    code = (await world.mail()).code
    return await world.call(ResetPassword(flow=flow.flow, code=code, password=NEW))


async def by_password_change(world: World, user: User) -> SignedInSession:
    """Changes the password with an access token, so there is no session to continue."""
    caller = Caller("user", user.id, proven_at=now())
    return await world.call(ChangePassword(current=PASSWORD, password=NEW), caller)


WAYS: Final[list[Way]] = [
    by_password,
    by_code,
    by_link,
    by_sign_up_again,
    by_reset_link,
    by_reset_code,
    by_password_change,
]


async def without_factor(world: World, user: User) -> None:
    """Leaves the user as they are."""


async def with_totp(world: World, user: User) -> None:
    await turn_on_totp(world, user)


async def with_passkey(world: World, user: User) -> None:
    await world.owner.execute(
        "INSERT INTO passkeys (app_id, id, user_id, credential_id, public_key, rp_id)"
        " VALUES ($1, $2, $3, $4, $5, 'shop.id.example.org')",
        world.app_id,
        new_id(),
        user.id,
        secrets.token_bytes(32),
        b"key",
    )


EXPECTED: Final[dict[tuple[str, Setup], str]] = {
    ("off", without_factor): "full",
    ("off", with_totp): "full",
    ("off", with_passkey): "full",
    ("optional", without_factor): "full",
    ("optional", with_totp): "mfa_required",
    ("optional", with_passkey): "full",
    ("required", without_factor): "mfa_setup_required",
    ("required", with_totp): "mfa_required",
    ("required", with_passkey): "mfa_required",
}
"""By policy and by what the user has: what one factor leads to."""


def kind_of(signed: SignedInSession) -> str:
    """Returns the kind of a session."""
    assert (signed.session is None) != (signed.challenge is None)
    return signed.challenge.kind if signed.challenge else "full"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(
    ("policy", "factor"), EXPECTED, ids=[f"{policy}-{have.__name__}" for policy, have in EXPECTED]
)
async def test_one_factor_leads_to(world: World, policy: str, factor: Setup, way: Way) -> None:
    """A sign-in is a session only if no second factor is missing. A half session is no session: there
    is none in the database, its token opens none, and no sign-in is recorded."""
    world.configure(world.app_id, mfa_policy="optional")
    user = await world.user()
    await factor(world, user)
    world.configure(world.app_id, mfa_policy=policy)
    await world.owner.execute("DELETE FROM user_sessions WHERE app_id = $1", world.app_id)
    logins = (await world.event_types("login")).count("login")
    signed = await way(world, user)

    assert kind_of(signed) == EXPECTED[policy, factor]
    kinds = await world.owner.fetch(
        "SELECT kind FROM user_sessions WHERE app_id = $1 AND revoked_at IS NULL", world.app_id
    )
    assert [row["kind"] for row in kinds] == [kind_of(signed)]
    is_session = await world.live_session(signed.token) is not None
    assert is_session == (kind_of(signed) == "full")
    assert (await world.event_types("login")).count("login") == logins + is_session


@pytest.mark.parametrize(
    ("policy", "kind"),
    [("off", "full"), ("optional", "full"), ("required", "mfa_setup_required")],
)
async def test_an_invited_user(world: World, policy: str, kind: str) -> None:
    """A user who accepts an invitation has no second factor, and enrols one if it is required. So
    does one who signs up."""
    world.configure(world.app_id, mfa_policy=policy)
    await world.call(InviteUser(email="eve@example.com"), ADMIN)
    token = (await world.mail()).token
    signed = await world.call(AcceptInvitation(token=token, password=PASSWORD))
    assert kind_of(signed) == kind

    flow = await world.call(SignUp(email="zoe@example.com", password=PASSWORD, browser=BROWSER))
    code = (await world.mail()).code
    signed = await world.call(SignInWithCode(flow=flow.flow, code=code, browser=BROWSER))
    assert kind_of(signed) == kind


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["link alone", "with a password"])
@pytest.mark.parametrize(
    ("policy", "kind"),
    [("off", "full"), ("optional", "full"), ("required", "mfa_setup_required")],
)
async def test_the_owner_link(world: World, policy: str, kind: str, password: str | None) -> None:
    """The holder of the link passes the gate of the Dashboard like everybody who signs up. The link
    starts one sign-in: the second use starts nothing, whatever came of the first."""
    world.configure(DASHBOARD, mfa_policy=policy)
    link = await world.call(CreateOwnerLink(), SYSTEM_CALLER, DASHBOARD)
    email = f"owner-{new_id()[-12:]}@example.com"
    request = ClaimOwner(token=link.token, email=email, password=password, browser=BROWSER)
    signed = await world.call(request, app_id=DASHBOARD)

    assert kind_of(signed) == kind
    is_session = await world.live_session(signed.token, DASHBOARD) is not None
    assert is_session == (kind == "full")
    assert signed.session is None or "mfa" not in signed.session.amr
    again = ClaimOwner(token=link.token, email=f"second-{email}", browser=BROWSER)
    assert isinstance(await world.refused(again, app_id=DASHBOARD), LinkSpent)
    rows = await world.owner.fetch(
        "SELECT s.kind FROM user_sessions s JOIN users u ON u.app_id = s.app_id AND u.id = s.user_id"
        " WHERE s.app_id = $1 AND u.email LIKE '%' || $2",
        DASHBOARD,
        email,
    )
    assert [row["kind"] for row in rows] == [kind]


@pytest.fixture
async def with_oidc(postgres: Postgres) -> AsyncIterator[World]:
    """Identity and oidc on one database."""
    name = postgres.clone()
    world = await World.start(
        postgres.dsns(name),
        "identity",
        "oidc",
        stand_ins=("tenancy", "rbac"),
        host="acme.example.test",
        size=4,
        request_facts={"ip": "203.0.113.7", "origin": "https://acme.example.test"},
    )
    world.app_id = await world.application()
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    yield world
    await world.close()
    postgres.drop(name)


async def test_a_half_session_opens_nothing(with_oidc: World) -> None:
    """Its token is no session, no refresh token and no access token. Its id is no session at the
    authorization endpoint."""
    world = with_oidc
    world.configure(world.app_id, mfa_policy="optional")
    user = await world.user()
    await turn_on_totp(world, user)
    half = await world.sign_in(user)
    client = await world.client()

    assert isinstance(await world.refused(CheckSession(token=half.token)), NoSession)
    assert isinstance(await world.refused(CheckAccessToken(token=half.token)), InvalidToken)
    with pytest.raises(InvalidGrant):
        await world.refresh(client, half.token)
    row = await world.owner.fetchrow(
        "SELECT id, auth_time FROM user_sessions WHERE kind = 'mfa_required'"
    )
    assert row is not None
    session = SignedIn(session_id=row["id"], user_id=user.id, auth_time=row["auth_time"])
    answer = await world.authorize(client, Person(user.id, session), prompt="none")
    assert "code" not in fields(answer)


async def test_a_wrong_password_starts_nothing(world: World) -> None:
    """Without the first factor there is no half session either."""
    world.configure(world.app_id, mfa_policy="required")
    user = await world.user()
    await world.refused(SignInWithPassword(email=user.email or "", password="wrong"))

    assert (
        await world.owner.fetchval(
            "SELECT count(*) FROM user_sessions WHERE app_id = $1", world.app_id
        )
        == 0
    )
