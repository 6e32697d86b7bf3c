"""Device authorization (RFC 8628): the endpoint, the decision of the user, and the polls."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest
from tests.kit.device_sign_in import (
    GRANTS,
    SCOPE,
    decide,
    device_client,
    expire,
    poll,
    start,
    verify,
    wait,
)
from tests.kit.factories import Person
from tests.kit.oauth import ORIGIN
from tests.kit.round_trips import recorded_round_trips
from tests.kit.world import World

from common import audit
from common.acr import TWO_FACTORS
from common.contracts.clients import UpdateClient
from common.contracts.consents import RevokeUserGrant
from common.contracts.device_authorization import (
    AuthorizationPending,
    DeviceAuthorization,
    ExpiredToken,
    SlowDown,
    UserCodeUnknown,
    VerifyUserCode,
)
from common.contracts.discovery import GetConfiguration
from common.contracts.oauth_errors import (
    AccessDenied,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from common.contracts.tokens import CheckAccessToken, Tokens
from common.grant_types import DEVICE_CODE
from common.problems import Invalid, RateLimited
from common.sweeps import sweep
from oidc import user_codes
from oidc.queries.sweeps import EXPIRED

NETWORK = "203.0.113.200"
ENDS = {
    "locked": "UPDATE users SET disabled = true WHERE id = $1",
    "new password": "UPDATE users SET epoch = epoch + 1 WHERE id = $1",
    "signed out": "UPDATE user_sessions SET revoked_at = now() WHERE user_id = $1",
}


async def events_of(world: World, person: Person) -> list[str]:
    rows = await world.owner.fetch(
        "SELECT event_type FROM audit_logs WHERE user_id = $1 ORDER BY created_at, id",
        person.user_id,
    )
    return [row["event_type"] for row in rows]


# The endpoint (RFC 8628 sections 3.1 and 3.2)


async def test_a_device_signs_in(shared: World) -> None:
    """A device waits, its user types the code in another form and allows it, and the next poll gets tokens
    of this user. Once used, the code is worth nothing."""
    client, ann = await device_client(shared), await shared.person()
    device = await start(shared, client)
    assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", device.user_code)
    assert len(device.device_code) >= 43  # 256 bits
    assert device.verification_uri == f"{ORIGIN}/device"
    assert device.verification_uri_complete == f"{ORIGIN}/device?user_code={device.user_code}"
    assert (device.expires_in, device.interval) == (600, 5)
    with pytest.raises(AuthorizationPending):
        await poll(shared, client, device.device_code)

    page = await verify(shared, ann, device.user_code.replace("-", " ").lower())
    assert (page.kind, page.client_name, page.session_id) == (
        "device", client.name, ann.session.session_id,
    )  # fmt: skip
    assert page.device
    assert (page.device.user_code, page.device.ip_address) == (device.user_code, "198.51.100.7")
    assert (await shared.resume(page.request, ann, consent="allow")).kind == "device_approved"

    await wait(shared)
    tokens = await poll(shared, client, device.device_code)
    checked = await shared.call(CheckAccessToken(token=tokens.access_token))
    assert (checked.user_id, checked.client_id) == (ann.user_id, client.client_id)
    assert tokens.scope == SCOPE
    claims = await shared.claims(tokens.id_token, client.client_id)
    assert claims["sub"] == ann.user_id
    assert (await shared.refresh(client, tokens.refresh_token)).access_token
    with pytest.raises(InvalidGrant):
        await poll(shared, client, device.device_code)
    assert await events_of(shared, ann) == ["device_authorization_approved", "token_issued"]


async def test_codes_are_stored_as_hashes(shared: World) -> None:
    """Each under a purpose key of its own: nobody who reads the table has a code, and a device code is no
    user code."""
    client = await device_client(shared)
    device = await start(shared, client)
    row = await shared.owner.fetchrow(
        "SELECT * FROM device_codes WHERE client_id = $1", client.client_id
    )
    assert row is not None
    text = str(dict(row))
    assert device.device_code not in text
    assert device.user_code not in text
    assert device.user_code.replace("-", "") not in text
    assert row["device_code_hash"] == shared.keys.hash("device-code", device.device_code)
    assert row["user_code_hash"] == shared.keys.hash("user-code", device.user_code.replace("-", ""))


async def test_a_confidential_client_authenticates(shared: World) -> None:
    """At this endpoint as at the token endpoint."""
    client = await device_client(
        shared, type="web", token_endpoint_auth_method="client_secret_basic"
    )
    assert (await start(shared, client)).user_code
    wrong = client.model_copy(update={"client_secret": "wrong"})
    with pytest.raises(InvalidClient):
        await start(shared, wrong)
    with pytest.raises(InvalidClient):
        await start(shared, client.model_copy(update={"client_secret": None}))


async def test_only_clients_with_the_grant_start(shared: World) -> None:
    """It is off by default, for each client."""
    await device_client(shared)
    client = await shared.client(token_endpoint_auth_method="none", type="native")
    with pytest.raises(UnauthorizedClient):
        await start(shared, client)
    assert not await shared.owner.fetchval(
        "SELECT count(*) FROM device_codes WHERE client_id = $1", client.client_id
    )
    with pytest.raises(UnauthorizedClient):
        await poll(shared, client, "dc_x")


async def test_scopes_and_resources_are_checked_at_the_start(shared: World) -> None:
    client = await device_client(shared)
    with pytest.raises(InvalidScope):
        await start(shared, client, scope="openid phone")
    with pytest.raises(InvalidTarget):
        await start(shared, client, resource="https://unknown.example")


async def test_an_application_switches_it_on(world: World) -> None:
    """Discovery lists endpoint and grant only then. When it is off, nothing starts, nothing is redeemed, and
    nobody can type a code."""
    client, ann = await device_client(world), await world.person()
    listed = (await world.call(GetConfiguration())).model_dump()
    assert listed["device_authorization_endpoint"] == f"{ORIGIN}/oauth2/device_authorization"
    assert DEVICE_CODE in listed["grant_types_supported"]
    waiting, approved = await start(world, client), await start(world, client)
    await decide(world, ann, approved.user_code)

    world.configure(world.app_id)
    listed = (await world.call(GetConfiguration())).model_dump()
    assert "device_authorization_endpoint" not in listed
    assert DEVICE_CODE not in listed["grant_types_supported"]
    with pytest.raises(UnauthorizedClient):
        await start(world, client)
    for device in (waiting, approved):
        with pytest.raises(UnsupportedGrantType):
            await poll(world, client, device.device_code)
    assert (await verify(world, ann, waiting.user_code)).error == "unauthorized_client"


async def test_rules_of_the_client(shared: World) -> None:
    """Refresh tokens need a grant with users, and this is one. Services and browsers have no use for it."""
    with pytest.raises(Invalid):
        await device_client(shared, type="service", token_endpoint_auth_method=None)
    with pytest.raises(Invalid):
        await device_client(shared, type="spa", grant_types=GRANTS)
    with pytest.raises(Invalid):
        await shared.client(grant_types=["refresh_token"], redirect_uris=[], scopes=[])
    assert (await device_client(shared)).redirect_uris == []


async def test_a_taken_user_code_is_not_given_again(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await device_client(shared)
    codes = iter(["BCDFGHJK", "BCDFGHJK", "KJHGFDCB"])
    monkeypatch.setattr(user_codes, "generate", lambda: next(codes))
    first, second = await start(shared, client), await start(shared, client)
    assert (first.user_code, second.user_code) == ("BCDF-GHJK", "KJHG-FDCB")


# Polls (RFC 8628 section 3.5)


async def test_denied_is_told_at_the_next_poll(shared: World) -> None:
    """Trap 40: also if the poll comes too early. Nobody gets tokens."""
    client, ann = await device_client(shared), await shared.person()
    device = await start(shared, client)
    with pytest.raises(AuthorizationPending):
        await poll(shared, client, device.device_code)
    assert (await decide(shared, ann, device.user_code, "deny")).kind == "device_denied"
    for _ in range(2):
        with pytest.raises(AccessDenied):
            await poll(shared, client, device.device_code)
    assert await events_of(shared, ann) == ["device_authorization_denied"]
    assert not await shared.owner.fetchval(
        "SELECT count(*) FROM token_families WHERE client_id = $1", client.client_id
    )


async def test_twenty_polls_at_once_give_one_token_set(shared: World) -> None:
    """Trap 41, over two replicas."""
    client, ann = await device_client(shared), await shared.person()
    device = await start(shared, client)
    await decide(shared, ann, device.user_code)
    buses = (shared.bus, shared.replica.bus)
    answers = await asyncio.gather(
        *(poll(shared, client, device.device_code, bus=buses[n % 2]) for n in range(20)),
        return_exceptions=True,
    )
    assert len([one for one in answers if isinstance(one, Tokens)]) == 1
    assert len([one for one in answers if isinstance(one, InvalidGrant)]) == 19
    for table in ("token_families", "refresh_tokens"):
        count = f"SELECT count(*) FROM {table} WHERE client_id = $1"
        assert await shared.owner.fetchval(count, client.client_id) == 1
    assert (await events_of(shared, ann)).count("token_issued") == 1


async def test_a_poll_while_it_is_redeemed_leaves_it_redeemed(shared: World) -> None:
    """Trap 42: a poll writes the polling columns alone. What the redemption wrote stays."""
    client, ann = await device_client(shared), await shared.person()
    device = await start(shared, client)
    await decide(shared, ann, device.user_code)
    await poll(shared, client, device.device_code)
    row = "SELECT * FROM device_codes WHERE client_id = $1"
    before = await shared.owner.fetchrow(row, client.client_id)
    await asyncio.gather(
        *(poll(shared, client, device.device_code) for _ in range(5)), return_exceptions=True
    )
    after = await shared.owner.fetchrow(row, client.client_id)
    assert before
    assert after
    changed = {name for name in dict(before) if before[name] != after[name]}
    assert changed <= {"last_polled_at", "too_fast", "poll_interval"}
    assert after["used_at"] is not None


async def test_fast_polls_over_two_replicas_slow_down(shared: World) -> None:
    """Trap 44: of polls at once one is in time. Each early one makes the interval 5 seconds longer, which
    holds for all replicas, and an approval is not delayed by it."""
    client, ann = await device_client(shared), await shared.person()
    device = await start(shared, client)
    buses = (shared.bus, shared.replica.bus)
    answers = await asyncio.gather(
        *(poll(shared, client, device.device_code, bus=buses[n % 2]) for n in range(4)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in answers) == [
        "AuthorizationPending", "SlowDown", "SlowDown", "SlowDown",
    ]  # fmt: skip
    interval = "SELECT poll_interval FROM device_codes WHERE client_id = $1"
    assert await shared.owner.fetchval(interval, client.client_id) == 20
    await wait(shared, 15)
    with pytest.raises(SlowDown):
        await poll(shared, client, device.device_code, bus=shared.replica.bus)
    await wait(shared, 25)
    with pytest.raises(AuthorizationPending):
        await poll(shared, client, device.device_code)
    await decide(shared, ann, device.user_code)
    assert await poll(shared, client, device.device_code)


async def test_a_poll_costs_one_statement(shared: World) -> None:
    """The one that gets tokens costs a second one: the redemption."""
    client, ann = await device_client(shared), await shared.person()
    device = await start(shared, client)
    await decide(shared, ann, device.user_code)
    await poll(shared, client, device.device_code)  # notes once a day that the client is in use
    device = await start(shared, client)
    with recorded_round_trips() as made, pytest.raises(AuthorizationPending):
        await poll(shared, client, device.device_code)
    assert len(made) == 1
    await decide(shared, ann, device.user_code)
    with recorded_round_trips() as made:
        await poll(shared, client, device.device_code)
    assert len(made) == 2


async def test_a_poll_in_time_is_not_slowed_down(shared: World) -> None:
    """Nor is one that comes a moment early: two requests take different times on their way."""
    client = await device_client(shared)
    device = await start(shared, client)
    for seconds in (0, 4.5, 5, 60):
        await wait(shared, seconds)
        with pytest.raises(AuthorizationPending):
            await poll(shared, client, device.device_code)


async def test_expired_codes(shared: World) -> None:
    """The device is told, approved or not. The user cannot find it any more."""
    client, ann = await device_client(shared), await shared.person()
    waiting, approved = await start(shared, client), await start(shared, client)
    await decide(shared, ann, approved.user_code)
    page = await verify(shared, ann, waiting.user_code)
    await expire(shared, waiting)
    for device in (waiting, approved):
        with pytest.raises(ExpiredToken):
            await poll(shared, client, device.device_code)
    with pytest.raises(UserCodeUnknown):
        await verify(shared, ann, waiting.user_code)
    assert (await shared.resume(page.request, ann, consent="allow")).error == "sign_in_over"


@pytest.mark.parametrize("device_code", ["dc_unknown", "x" * 5000, "\u20ac"])
async def test_unknown_codes(shared: World, device_code: str) -> None:
    client = await device_client(shared)
    with pytest.raises(InvalidGrant):
        await poll(shared, client, device_code)


async def test_another_client_gets_nothing(shared: World) -> None:
    """And leaves the code as it is."""
    client, other = await device_client(shared), await device_client(shared)
    ann = await shared.person()
    device = await start(shared, client)
    await decide(shared, ann, device.user_code)
    with pytest.raises(InvalidGrant):
        await poll(shared, other, device.device_code)
    assert await poll(shared, client, device.device_code)


@pytest.mark.parametrize("end", ENDS)
async def test_what_ends_the_user_after_the_approval_ends_the_code(shared: World, end: str) -> None:
    """Trap 39 (CVE-2026-88770): invalid_grant, and no tokens, also if it is undone meanwhile."""
    client, ann = await device_client(shared), await shared.person()
    device = await start(shared, client)
    await decide(shared, ann, device.user_code)
    await shared.owner.execute(ENDS[end], ann.user_id)
    with pytest.raises(InvalidGrant):
        await poll(shared, client, device.device_code)
    await shared.owner.execute("UPDATE users SET disabled = false WHERE id = $1", ann.user_id)
    with pytest.raises(InvalidGrant):
        await poll(shared, client, device.device_code)
    assert "token_issued" not in await events_of(shared, ann)


async def test_what_ends_the_client_ends_the_code(shared: World) -> None:
    """A client that was disabled since, or lost the grant, gets no tokens. Neither does one whose grant the
    user took back."""
    ann = await shared.person()
    disabled, without, revoked = [await device_client(shared, first_party=False) for _ in range(3)]
    devices = []
    for client in (disabled, without, revoked):
        devices.append(await start(shared, client))
        await decide(shared, ann, devices[-1].user_code)
    for enabled in (False, True):
        await shared.admin(UpdateClient(client=disabled.client_id, changes={"enabled": enabled}))
    await shared.admin(
        UpdateClient(
            client=without.client_id,
            changes={
                "grant_types": ["authorization_code"],
                "redirect_uris": ["https://rp.example.com/cb"],
            },
        )
    )
    await shared.admin(RevokeUserGrant(user_id=ann.user_id, client_id=revoked.client_id))
    with pytest.raises(InvalidGrant):
        await poll(shared, disabled, devices[0].device_code)
    with pytest.raises(UnauthorizedClient):
        await poll(shared, without, devices[1].device_code)
    with pytest.raises(InvalidGrant):
        await poll(shared, revoked, devices[2].device_code)


# The user (RFC 8628 sections 3.3 and 5.4)


async def test_typing_a_code_approves_nothing(shared: World) -> None:
    """Trap 43: neither does coming back to the page. The page says what, who and where."""
    client, ann = await device_client(shared), await shared.person()
    device = await start(shared, client)
    page = await verify(shared, ann, device.user_code)
    again = await shared.resume(page.request, ann)
    assert (again.kind, again.device) == ("device", page.device)
    with pytest.raises(AuthorizationPending):
        await poll(shared, client, device.device_code)
    assert await events_of(shared, ann) == []


async def test_the_user_is_always_asked(shared: World) -> None:
    """Also for a client that they have allowed before: somebody else may have started this device."""
    client, ann = await device_client(shared, first_party=False), await shared.person()
    for _ in range(2):
        device = await start(shared, client)
        page = await verify(shared, ann, device.user_code)
        assert page.kind == "device"
        await shared.resume(page.request, ann, consent="allow")


async def test_only_the_session_that_saw_the_page_decides(shared: World) -> None:
    """Another session with the name of the request is shown the page, and decides nothing by that."""
    client = await device_client(shared)
    ann, eve = await shared.person(), await shared.person()
    device = await start(shared, client)
    page = await verify(shared, ann, device.user_code)
    for consent in ("allow", "deny"):
        other = await shared.resume(page.request, eve, consent=consent)
        assert other.kind == "device"
        await shared.resume(page.request, ann)
    with pytest.raises(AuthorizationPending):
        await poll(shared, client, device.device_code)


async def test_a_decision_is_made_once(shared: World) -> None:
    """Of two users who typed the same code, the first decides. A form that is sent twice gets the same page,
    and nothing happens twice."""
    client = await device_client(shared)
    ann, ben = await shared.person(), await shared.person()
    device = await start(shared, client)
    pages = [await verify(shared, person, device.user_code) for person in (ann, ben)]
    first = await asyncio.gather(
        *(shared.resume(pages[0].request, ann, consent="allow") for _ in range(4))
    )
    assert {page.kind for page in first} <= {"device_approved", "error"}
    assert (await shared.resume(pages[0].request, ann, consent="allow")).kind == "device_approved"
    assert (await shared.resume(pages[0].request, ann, consent="deny")).error == "sign_in_over"
    assert (await shared.resume(pages[0].request, ben, consent="allow")).error == "sign_in_over"
    assert (await shared.resume(pages[1].request, ben, consent="deny")).error == "sign_in_over"
    checked = await shared.call(
        CheckAccessToken(token=(await poll(shared, client, device.device_code)).access_token)
    )
    assert checked.user_id == ann.user_id
    assert (await events_of(shared, ann)).count("device_authorization_approved") == 1
    assert await events_of(shared, ben) == []


async def test_wrong_codes_of_a_session_are_limited(shared: World) -> None:
    """Five in a session. Then the right one is refused, too, and other sessions are not."""
    client = await device_client(shared)
    ann, ben = await shared.person(), await shared.person()
    device = await start(shared, client)
    for n in range(5):
        with pytest.raises(UserCodeUnknown):
            await verify(shared, ann, "BBBB-BBB" + "BCDFG"[n], ip=f"203.0.113.{n}")
    with pytest.raises(RateLimited):
        await verify(shared, ann, device.user_code, ip="203.0.113.99")
    assert (await verify(shared, ben, device.user_code)).kind == "device"
    noted = [entry.event_type for entry in shared.activity_of(ann.user_id)]
    assert noted.count("user_code_failed") == 5


async def test_codes_of_a_network_are_limited(shared: World) -> None:
    """Ten in a minute, whatever the session. Right ones are not counted."""
    client, ann = await device_client(shared), await shared.person()
    device = await start(shared, client)
    for _ in range(12):
        assert (await verify(shared, ann, device.user_code, ip=NETWORK)).kind == "device"
    for n in range(10):
        person = await shared.person()
        with pytest.raises(UserCodeUnknown):
            await verify(shared, person, "BBBB-BBB" + "BCDFGHJKLM"[n], ip=NETWORK)
    with pytest.raises(RateLimited):
        await verify(shared, await shared.person(), device.user_code, ip=NETWORK)
    assert (await verify(shared, ann, device.user_code, ip="203.0.113.5")).kind == "device"


@pytest.mark.parametrize("typed", ["", "BCDF", "BCDF-GHJKL", "AEIO-UAEI", "\u20ac" * 8, "b" * 60])
async def test_what_cannot_be_a_code(shared: World, typed: str) -> None:
    """It is refused without a look, and not counted: it tells nothing."""
    ann = await shared.person()
    for _ in range(7):
        with pytest.raises(UserCodeUnknown):
            await verify(shared, ann, typed)


@pytest.mark.parametrize(
    "typed", ["bcdfghjk", " BCDF GHJK ", "bcdf\u2013ghjk", "BCDF-GHJK", "bcdf.ghjk"]
)
def test_spellings_of_a_code(typed: str) -> None:
    """Any case, with or without the hyphen, with spaces (RFC 8628 section 6.1)."""
    assert user_codes.parse(typed) == "BCDFGHJK"


async def test_a_second_factor_is_asked_for(shared: World) -> None:
    """As at the authorization endpoint, for a client that wants it. The page comes after it."""
    client = await device_client(shared)
    shared.configure(shared.app_id, device_authorization=True, mfa_policy="optional")
    await shared.admin(
        UpdateClient(client=client.client_id, changes={"default_acr_values": [TWO_FACTORS]})
    )
    ann = await shared.person()
    device = await start(shared, client)
    page = await verify(shared, ann, device.user_code)
    assert page.kind == "step_up"
    after = await shared.resume(page.request, ann)
    assert after.kind == "device"


async def test_a_signed_out_user_signs_in_first(shared: World) -> None:
    """The request waits meanwhile, and the user is asked after it."""
    client, ann = await device_client(shared), await shared.person()
    device = await start(shared, client)
    page = await verify(shared, ann, device.user_code)
    assert (await shared.resume(page.request, None, consent="allow")).kind == "sign_in"
    with pytest.raises(AuthorizationPending):
        await poll(shared, client, device.device_code)


async def test_several_accounts_of_a_browser(shared: World) -> None:
    """The user chooses the account first."""
    client = await device_client(shared)
    ann, ben = await shared.person(), await shared.person()
    device = await start(shared, client)
    call = VerifyUserCode(user_code=device.user_code, session=ann.session, others=[ben.session])
    page = await shared.call(call)
    assert page.kind == "select_account"
    chosen = await shared.resume(page.request, ben, selected=True, others=[ann.session])
    assert (chosen.kind, chosen.session_id) == ("device", ben.session.session_id)


async def test_guests_and_impersonators(shared: World) -> None:
    """A guest may, without offline_access, as with consent. Who acts as a user may not: the device would
    stay signed in."""
    client = await device_client(shared)
    guest = await shared.person(guest=True, email=None)
    guest = replace(guest, session=guest.session.model_copy(update={"guest": True}))
    device = await start(shared, client)
    await decide(shared, guest, device.user_code)
    tokens = await poll(shared, client, device.device_code)
    assert tokens.scope == "openid email"

    ann = await shared.person()
    acted = replace(ann, session=ann.session.model_copy(update={"impersonated": True}))
    device = await start(shared, client)
    assert (await verify(shared, acted, device.user_code)).error == "access_denied"
    with pytest.raises(AuthorizationPending):
        await poll(shared, client, device.device_code)


async def test_another_application_knows_no_code(shared: World) -> None:
    """Codes belong to their application."""
    client = await device_client(shared)
    device = await start(shared, client)
    other = await shared.application(device_authorization=True)
    app_id, shared.app_id = shared.app_id, other
    stranger = await shared.person()
    with pytest.raises(UserCodeUnknown):
        await verify(shared, stranger, device.user_code)
    shared.app_id = app_id


async def test_the_approval_is_one_transaction(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it breaks at the end, nothing of it is there, and the user can decide once more."""
    client, ann = await device_client(shared, first_party=False), await shared.person()
    device = await start(shared, client)
    page = await verify(shared, ann, device.user_code)

    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", broken)
        with pytest.raises(RuntimeError):
            await shared.resume(page.request, ann, consent="allow")
    status = "SELECT status FROM device_codes WHERE client_id = $1"
    assert await shared.owner.fetchval(status, client.client_id) == "pending"
    count = "SELECT count(*) FROM consents WHERE client_id = $1"
    assert await shared.owner.fetchval(count, client.client_id) == 0
    assert (await shared.resume(page.request, ann, consent="allow")).kind == "device_approved"


# What is kept


async def test_sweeps(world: World) -> None:
    """Expired codes go after a day. A device that is signed in stays listed as long as it has tokens."""
    client, ann = await device_client(world), await world.person()
    devices = [await start(world, client) for _ in range(4)]
    for device in devices[:2]:
        await decide(world, ann, device.user_code)
        await poll(world, client, device.device_code)
    await world.owner.execute(
        "UPDATE device_codes SET expires_at = now() - interval '25 hours' WHERE family_id <> $1",
        await _id(world, devices[3]),
    )
    await world.owner.execute(
        "UPDATE token_families SET revoked_at = now() WHERE id = $1", await _id(world, devices[1])
    )
    gone = await sweep(world.oidc.sweep_db, EXPIRED)
    assert gone["device_codes"] == 2
    rows = await world.owner.fetch("SELECT family_id::text AS id FROM device_codes")
    left = {row["id"] for row in rows}
    assert left == {await _id(world, devices[0]), await _id(world, devices[3])}


async def _id(world: World, device: DeviceAuthorization) -> str:
    found: str | None = await world.owner.fetchval(
        "SELECT family_id::text AS id FROM device_codes WHERE device_code_hash = $1",
        world.keys.hash("device-code", device.device_code),
    )
    return found or ""
