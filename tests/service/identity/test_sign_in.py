"""Sign-up and sign-in by passwords, mailed codes and links."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest
from tests.kit.callers import ADMIN, PASSWORD, SAFARI, as_user
from tests.kit.world import World

from common import acr
from common.attempt_limits import AttemptLimit
from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.passwords import (
    ChangePassword,
    CheckPassword,
    Reauthenticate,
    ResetPassword,
    SignInWithPassword,
    StartReset,
    WeakPassword,
)
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import (
    AccountDisabled,
    CodeSpent,
    EmailUnverified,
    LinkSpent,
    Locked,
    MailsSent,
    MethodOff,
    OtherBrowser,
    WrongCode,
    WrongCredentials,
)
from common.contracts.sign_up import ResendSignUp, SignUp, SignUpClosed
from common.contracts.users import DisableUser, FindUser, GetUser, UnlockUser
from common.ids import DASHBOARD
from common.problems import Busy, Invalid, RateLimited, Unavailable
from identity import passwords, session_start
from identity.queries import lockouts

from .conftest import wrong


async def test_password_sign_in(world: World) -> None:
    """The right password starts a session that CheckSession finds, and the audit log has it."""
    user = await world.user("Ada@Example.com")
    signed = await world.sign_in(user)
    session = await world.live_session(signed.token)

    assert session is not None
    assert (session.user_id, session.email) == (user.id, "Ada@example.com")
    assert session.amr == ["pwd"]
    assert ("login", signed.full().id) in [
        (kind, data.get("session_id")) for kind, data in await world.events()
    ]


async def test_a_session_tells_the_class_of_its_sign_in(world: World) -> None:
    """`acr` says what the user proved: a password, or access to the mailbox. A confirmation can
    raise it. A session that only gets a new id keeps it."""
    user = await world.user()
    signed = await world.sign_in(user)
    assert (await acr_of(world, signed)) == acr.PASSWORD

    flow = await world.call(StartEmailCode(email=user.email or ""))
    letter = await world.mail()
    mailed = await world.call(SignInWithCode(flow=flow.flow, code=letter.code))
    assert (await acr_of(world, mailed)) == acr.MAIL
    request = ChangePassword(current=PASSWORD, password="a new and better phrase")
    replaced = await world.call(request, caller=as_user(mailed))
    assert (await acr_of(world, replaced)) == acr.MAIL
    confirm = Reauthenticate(password="a new and better phrase")
    confirmed = await world.call(confirm, caller=as_user(replaced))
    assert (await acr_of(world, confirmed)) == acr.PASSWORD

    flow = await world.call(StartEmailCode(email=user.email or ""))
    link = SignInWithLink(token=(await world.mail()).token, browser=flow.browser)
    assert (await acr_of(world, await world.call(link))) == acr.MAIL
    flow = await world.call(StartReset(email=user.email or ""))
    reset = ResetPassword(
        token=(await world.mail()).token, browser=flow.browser, password="yet another good phrase"
    )
    assert (await acr_of(world, await world.call(reset))) == acr.MAIL


async def acr_of(world: World, signed: SignedInSession) -> str | None:
    """Returns the `acr` of the session, after checking that reply and check agree."""
    live = await world.live_session(signed.token)
    assert live is not None
    assert live.acr == signed.full().acr
    return live.acr


async def test_wrong_password_and_unknown_address_look_alike(world: World) -> None:
    """A wrong password and an unknown address get the same problem, word for word."""
    user = await world.user()
    known = await world.refused(SignInWithPassword(email=user.email or "", password="nope nope"))
    unknown = await world.refused(
        SignInWithPassword(email="nobody@example.com", password="nope nope")
    )

    assert isinstance(known, WrongCredentials)
    assert known.to_wire() == unknown.to_wire()


async def test_unknown_address_costs_a_hash(world: World) -> None:
    """An unknown address and a user without a password verify a dummy hash."""
    verified: list[str] = []
    hashing = world.identity.hashing
    without = await world.user(password=None)
    original = type(hashing)._own

    def counted(self: object, password: str, phc: str) -> bool:
        verified.append(phc)
        return original(hashing, password, phc)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(hashing), "_own", counted)
        for email in ("nobody@example.com", without.email or ""):
            await world.refused(SignInWithPassword(email=email, password=PASSWORD))

    assert verified == [hashing.dummy, hashing.dummy]


async def test_lockout_grows(world: World) -> None:
    """The 5th wrong password locks for 5 minutes, the 10th for 15, the 20th for an hour, the 50th
    for a day, the 100th for good. A locked address refuses the right password too."""
    user = await world.user()
    world_scale = world.identity.limits.scale
    object.__setattr__(world.identity.limits, "scale", 0.0)
    waits: dict[int, int] = {}
    try:
        for number in range(1, 101):
            problem = await world.refused(
                SignInWithPassword(email=user.email or "", password=f"wrong {number}")
            )
            assert isinstance(problem, WrongCredentials)
            problem = (
                await world.refused(SignInWithPassword(email=user.email or "", password="wrong"))
                if number >= 5
                else problem
            )
            if number >= 5:
                assert isinstance(problem, Locked)
                waits[number] = problem.extra["retry_after"]
            await world.owner.execute(
                "UPDATE sign_in_guards SET locked_until = now() - interval '1 s'"
                " WHERE app_id = $1 AND failed_attempts < 100",
                world.app_id,
            )
        right = await world.refused(SignInWithPassword(email=user.email or "", password=PASSWORD))
    finally:
        object.__setattr__(world.identity.limits, "scale", world_scale)

    assert {n: round(waits[n] / 60) for n in (5, 9, 10, 19, 20, 49, 50, 99)} == {
        5: 5, 9: 5, 10: 15, 19: 15, 20: 60, 49: 60, 50: 1440, 99: 1440
    }  # fmt: skip
    assert isinstance(right, Locked)


async def test_administrators_see_a_lockout(world: World) -> None:
    """A user's details say until when their address is locked, and nothing once it is free again."""
    user = await world.user()
    of_user = (GetUser(user_id=user.id), FindUser(email=user.email or ""))
    for number in range(5):
        for request in of_user:
            assert (await world.call(request, caller=ADMIN)).locked_until is None, number
        await world.refused(SignInWithPassword(email=user.email or "", password="wrong"))
    locked = [(await world.call(request, caller=ADMIN)).locked_until for request in of_user]
    await world.call(UnlockUser(user_id=user.id), caller=ADMIN)

    assert locked[0] == locked[1]
    assert locked[0] is not None
    assert 4 < (locked[0] - datetime.now(UTC)).total_seconds() / 60 < 6
    assert (await world.call(of_user[0], caller=ADMIN)).locked_until is None


async def test_lockout_of_an_unknown_address(world: World) -> None:
    """An address without an account is locked like one with an account."""
    user = await world.user()
    seen = []
    for email in (user.email or "", "nobody@example.com"):
        problems = [
            await world.refused(SignInWithPassword(email=email, password="wrong")) for _ in range(6)
        ]
        seen.append([problem.to_wire() for problem in problems])

    assert seen[0] == seen[1]
    assert seen[0][-1]["code"] == "locked"


async def test_lockout_leaves_other_ways_open(world: World) -> None:
    """A locked password does not keep its owner from a mailed code, and the code unlocks it."""
    user = await world.user()
    for _ in range(5):
        await world.refused(SignInWithPassword(email=user.email or "", password="wrong"))
    flow = await world.call(StartEmailCode(email=user.email or ""))
    await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))

    assert (await world.sign_in(user)).full().user_id == user.id


async def test_many_guesses_at_once_stay_within_the_limit(world: World) -> None:
    """Of fifty simultaneous wrong passwords at most five are verified."""
    user = await world.user()
    outcomes = await asyncio.gather(
        *(
            world.refused(SignInWithPassword(email=user.email or "", password=f"guess {n}"))
            for n in range(50)
        )
    )

    assert sum(isinstance(outcome, WrongCredentials) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, Locked) for outcome in outcomes) == 45


async def lockout_rows(world: World) -> list[tuple[int, int, bool]]:
    """Returns failed tries, pending tries and whether it is locked, for each address."""
    rows = await world.owner.fetch(
        "SELECT failed_attempts, pending, locked_until IS NOT NULL FROM sign_in_guards"
        " WHERE app_id = $1",
        world.app_id,
    )
    return [tuple(row) for row in rows]


async def test_a_full_queue_is_no_wrong_password(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six tries that find the hash queue full leave no failure, no lock and no event. The right
    password then signs in. The same holds for confirming."""
    user = await world.user()
    signed = await world.sign_in(user)
    before = len(await world.events())

    async def full(*_: object) -> None:
        raise Busy("too much hashing", retry_after=1)

    with monkeypatch.context() as patch:
        patch.setattr(type(world.identity.hashing), "verify", full)
        for _ in range(6):
            refused = await world.refused(
                SignInWithPassword(email=user.email or "", password=PASSWORD)
            )
            assert isinstance(refused, Busy)
            refused = await world.refused(Reauthenticate(password=PASSWORD), caller=as_user(signed))
            assert isinstance(refused, Busy)

    assert await lockout_rows(world) == [(0, 0, False)]
    assert len(await world.events()) == before
    assert (await world.sign_in(user)).full().user_id == user.id


@pytest.mark.parametrize("writable", [True, False])
async def test_a_database_that_stops_is_no_wrong_password(
    world: World, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    """If the session cannot be stored after the right password, no failure is counted. A
    reservation that cannot be released expires."""
    user = await world.user()

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("the database does not answer", retry_after=1)

    with monkeypatch.context() as patch:
        patch.setattr(session_start, "begin", away)
        if not writable:
            patch.setattr(lockouts, "release", away)
        for _ in range(5):
            refused = await world.refused(
                SignInWithPassword(email=user.email or "", password=PASSWORD)
            )
            assert isinstance(refused, Unavailable)

    assert await lockout_rows(world) == [(0, 0 if writable else 5, False)]
    if not writable:
        await world.owner.execute(
            "UPDATE sign_in_guards SET pending_until = now() WHERE app_id = $1", world.app_id
        )
    assert (await world.sign_in(user)).full().user_id == user.id
    assert "sign_in_locked" not in [kind for kind, _ in await world.events()]


async def test_a_service_that_is_away_is_no_wrong_password(world: World) -> None:
    """While rbac is down, the right password signs in, or fails without being counted."""
    user = await world.user(app_id=DASHBOARD)
    world.stand_ins.rbac.running = False
    for _ in range(6):
        with contextlib.suppress(Unavailable):
            await world.sign_in(user, DASHBOARD)
    world.stand_ins.rbac.running = True

    assert (await world.sign_in(user, DASHBOARD)).full().user_id == user.id


async def test_the_right_password_of_a_refused_user_is_no_wrong_one(world: World) -> None:
    """A user whose address has to be verified first is refused every time, and never locked."""
    user = await world.user(email_verified=False)
    world.configure(world.app_id, require_verified_email=True)
    for _ in range(6):
        refused = await world.refused(SignInWithPassword(email=user.email or "", password=PASSWORD))
        assert isinstance(refused, EmailUnverified)

    assert await lockout_rows(world) == [(0, 0, False)]


async def test_an_unknown_address_leaves_a_keyed_hash(world: World) -> None:
    """The event of a failed sign-in names a keyed hash for an unknown address, the same for every
    spelling. For a known address it names the user. It never has the address."""
    user = await world.user()
    for email in ("nobody@example.com", "Nobody@Example.com", user.email or ""):
        await world.refused(SignInWithPassword(email=email, password="wrong"))
    failed = [data for kind, data in await world.events() if kind == "login_failed"]

    hashes = [data.get("address_hash") for data in failed]
    assert hashes[0]
    assert hashes == [hashes[0], hashes[0], None]
    assert "nobody" not in str(failed).lower()


async def test_disabled_user(world: World) -> None:
    """A disabled user is told so only after the right password."""
    user = await world.user()
    await world.call(DisableUser(user_id=user.id), caller=ADMIN)
    wrong_one = await world.refused(SignInWithPassword(email=user.email or "", password="wrong"))
    right_one = await world.refused(SignInWithPassword(email=user.email or "", password=PASSWORD))

    assert isinstance(wrong_one, WrongCredentials)
    assert isinstance(right_one, AccountDisabled)


async def test_sign_up_makes_the_user_once_the_code_is_used(world: World) -> None:
    """A sign-up creates the user when its mailed code is used. Then the password works."""
    flow = await world.call(SignUp(email="new@example.com", password=PASSWORD, name="New"))
    before = await world.refused(SignInWithPassword(email="new@example.com", password=PASSWORD))
    signed = await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))
    again = await world.call(SignInWithPassword(email="new@example.com", password=PASSWORD))

    assert isinstance(before, WrongCredentials)
    assert signed.new_user
    assert signed.full().email_verified
    assert not again.new_user
    assert again.full().user_id == signed.full().user_id
    assert world.stand_ins.rbac.roles == [(world.app_id, signed.full().user_id, False)]


async def test_sign_up_with_a_known_address_looks_alike(world: World) -> None:
    """Signing up with a known address answers like any other sign-up. The owner gets a mail, the
    entered password is not set, and the mailed code signs the owner in."""
    user = await world.user()
    known = await world.call(SignUp(email=user.email or "", password="entirely different words"))
    letter = await world.mail()
    unknown = await world.call(
        SignUp(email="other@example.com", password="entirely different words")
    )
    stolen = await world.refused(
        SignInWithPassword(email=user.email or "", password="entirely different words")
    )
    signed = await world.call(SignInWithCode(flow=known.flow, code=letter.code))

    assert set(known.model_dump()) == set(unknown.model_dump())
    assert known.resend_after == unknown.resend_after
    assert letter.kind == "sign_up_known"
    assert isinstance(stolen, WrongCredentials)
    assert (signed.full().user_id, signed.new_user) == (user.id, False)


async def test_a_sign_up_is_sent_again_with_all_that_was_entered(world: World) -> None:
    """The code can be sent again, even after it expired. Both codes create one user with the
    entered password."""
    first = await world.call(SignUp(email="New@example.com", password=PASSWORD, name="New"))
    await world.owner.execute("UPDATE email_verification_codes SET expires_at = now()")
    again = await world.call(ResendSignUp(flow=first.flow, browser=first.browser))
    third = await world.call(ResendSignUp(flow=again.flow, browser=first.browser))
    letter = await world.mail()
    signed = await world.call(SignInWithCode(flow=third.flow, code=letter.code))
    by_password = await world.call(SignInWithPassword(email="new@example.com", password=PASSWORD))

    assert (letter.kind, letter.to, len(await world.mails())) == ("sign_up", "New@example.com", 3)
    assert len({first.flow, again.flow, third.flow}) == 3
    assert (signed.new_user, signed.full().name) == (True, "New")
    assert by_password.full().user_id == signed.full().user_id


async def test_only_a_pending_sign_up_of_this_browser_is_sent_again(world: World) -> None:
    """No mail is sent for another browser, for a finished or old sign-up, or for an unknown flow."""
    user = await world.user()
    done = await world.call(SignUp(email="new@example.com", password=PASSWORD))
    await world.call(SignInWithCode(flow=done.flow, code=(await world.mail()).code))
    old = await world.call(SignUp(email="old@example.com", password=PASSWORD))
    await world.owner.execute(
        "UPDATE email_verification_codes SET created_at = now() - interval '61 minutes'"
        " WHERE id = $1",
        old.flow,
    )
    pending = await world.call(SignUp(email="other@example.com", password=PASSWORD))
    sign_in = await world.call(StartEmailCode(email=user.email or ""))
    sent = len(await world.mails())

    for flow, browser in (
        (pending.flow, "another"),
        (pending.flow, None),
        (done.flow, done.browser),
        (old.flow, old.browser),
        (sign_in.flow, sign_in.browser),
    ):
        refused = await world.refused(ResendSignUp(flow=flow, browser=browser))
        assert isinstance(refused, CodeSpent)
    assert len(await world.mails()) == sent


async def test_sending_again_tells_nothing_of_an_address(world: World) -> None:
    """Sending again answers the same for an address with an account, whose password stays. Mails
    are limited."""
    user = await world.user()
    flows = {}
    for email in (user.email or "", "other@example.com"):
        first = await world.call(SignUp(email=email, password="entirely different words"))
        flows[email] = await world.call(ResendSignUp(flow=first.flow, browser=first.browser))
    kinds = [letter.kind for letter in await world.mails()]
    stolen = await world.refused(
        SignInWithPassword(email=user.email or "", password="entirely different words")
    )
    known, unknown = flows.values()
    await world.call(ResendSignUp(flow=known.flow, browser=known.browser))
    too_many = await world.refused(ResendSignUp(flow=known.flow, browser=known.browser))

    assert set(known.model_dump()) == set(unknown.model_dump())
    assert sorted(kinds) == ["sign_up", "sign_up", "sign_up_known", "sign_up_known"]
    assert isinstance(stolen, WrongCredentials)
    assert isinstance(too_many, MailsSent)


async def test_sign_up_modes(world: World) -> None:
    """`invite_only` refuses strangers, and `restricted` accepts only its domains. Blocked and
    disposable domains are refused with an error at the field."""
    world.configure(world.app_id, signup_mode="invite_only")
    closed = await world.refused(SignUp(email="a@example.com", password=PASSWORD))
    world.configure(world.app_id, signup_mode="restricted", allowed_email_domains=["example.org"])
    restricted = await world.refused(SignUp(email="a@example.com", password=PASSWORD))
    await world.call(SignUp(email="a@dept.example.org", password=PASSWORD))
    world.configure(
        world.app_id, blocked_email_domains=["example.net"], block_disposable_email=True
    )
    blocked = await world.refused(SignUp(email="a@mail.example.net", password=PASSWORD))
    disposable = await world.refused(SignUp(email="a@mailinator.com", password=PASSWORD))

    assert isinstance(closed, SignUpClosed)
    for problem in (restricted, blocked, disposable):
        assert isinstance(problem, Invalid)
        assert problem.extra["errors"][0]["field"] == "email"


async def test_email_code_makes_a_user_where_sign_up_is_open(world: World) -> None:
    """A code to an unknown address creates the user. If sign-up is closed, the mail says that there
    is no account, and no code is accepted."""
    flow = await world.call(StartEmailCode(email="Eve@Example.com"))
    signed = await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))
    world.configure(world.app_id, signup_mode="invite_only")
    shut = await world.call(StartEmailCode(email="nobody@example.com"))
    letter = await world.mail()

    assert signed.new_user
    assert signed.full().email == "Eve@example.com"
    assert letter.kind == "no_account"
    assert not letter.code
    assert not letter.data["link"]
    assert set(shut.model_dump()) == set(flow.model_dump())


async def test_code_is_single_use_and_of_its_flow(world: World) -> None:
    """A code works once, and only for the flow that asked for it. A try in another flow is not
    counted."""
    user = await world.user()
    first = await world.call(StartEmailCode(email=user.email or ""))
    code = (await world.mail()).code
    second = await world.call(StartEmailCode(email=user.email or ""))
    other = await world.refused(SignInWithCode(flow=second.flow, code=code))
    await world.call(SignInWithCode(flow=first.flow, code=code.replace(" ", "")))
    twice = await world.refused(SignInWithCode(flow=first.flow, code=code))

    assert isinstance(other, WrongCode)
    assert isinstance(twice, CodeSpent)


async def test_five_tries(world: World) -> None:
    """The fifth wrong try ends the code, and the right one is refused then."""
    user = await world.user()
    flow = await world.call(StartEmailCode(email=user.email or ""))
    code = (await world.mail()).code
    tries = [
        await world.refused(SignInWithCode(flow=flow.flow, code=wrong(flow, code)))
        for _ in range(5)
    ]
    right = await world.refused(SignInWithCode(flow=flow.flow, code=code))

    assert [type(problem) for problem in tries] == [WrongCode] * 4 + [CodeSpent]
    assert isinstance(right, CodeSpent)


async def test_racing_codes(world: World) -> None:
    """Of twenty simultaneous uses of one code exactly one signs in."""
    user = await world.user()
    flow = await world.call(StartEmailCode(email=user.email or ""))
    code = (await world.mail()).code
    outcomes = await asyncio.gather(
        *(world.call(SignInWithCode(flow=flow.flow, code=code)) for _ in range(20)),
        return_exceptions=True,
    )

    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1


async def test_expired_code(world: World) -> None:
    """After ten minutes neither the code nor the link works."""
    user = await world.user()
    flow = await world.call(StartEmailCode(email=user.email or ""))
    letter = await world.mail()
    await world.owner.execute(
        "UPDATE email_verification_codes SET expires_at = expires_at - interval '10 min'"
        " WHERE app_id = $1",
        world.app_id,
    )

    assert isinstance(
        await world.refused(SignInWithCode(flow=flow.flow, code=letter.code)), CodeSpent
    )
    assert isinstance(
        await world.refused(SignInWithLink(token=letter.token, browser=flow.browser)), LinkSpent
    )


async def test_link_is_bound_to_the_browser(world: World) -> None:
    """The link works once, in the browser that asked. Its origin is the stored one, whatever the
    request's host was."""
    user = await world.user()
    flow = await world.call(StartEmailCode(email=user.email or ""))
    letter = await world.mail()
    elsewhere = await world.refused(SignInWithLink(token=letter.token, browser="another"))
    nowhere = await world.refused(SignInWithLink(token=letter.token))
    signed = await world.call(SignInWithLink(token=letter.token, browser=flow.browser))
    again = await world.refused(SignInWithLink(token=letter.token, browser=flow.browser))

    assert letter.data["link"].startswith("https://shop.id.example.org/login/link?token=")
    assert isinstance(elsewhere, OtherBrowser)
    assert isinstance(nowhere, OtherBrowser)
    assert signed.full().user_id == user.id
    assert isinstance(again, LinkSpent)


async def test_mails_per_address_are_limited(world: World) -> None:
    """An address gets three mails in 15 minutes, known or not. Then the answer is 429 with
    Retry-After."""
    for email in ((await world.user()).email or "", "nobody@example.com"):
        for _ in range(3):
            await world.call(StartEmailCode(email=email))
        problem = await world.refused(StartEmailCode(email=email.upper()))

        assert isinstance(problem, MailsSent)
        assert 0 < problem.extra["retry_after"] <= 900


async def test_a_stranger_does_not_use_up_the_mails_of_the_owner(world: World) -> None:
    """Three codes from one network do not use up the owner's, who asks from another network or a
    known browser. Resets have a count of their own, and an unknown browser has no allowance."""
    user = await world.user()
    email = user.email or ""
    known = "a-browser-of-the-owner"
    await world.sign_in(user, browser=known)
    for _ in range(3):
        await world.call(StartEmailCode(email=email))
    before = len(await world.mails())
    invented = await world.refused(StartEmailCode(email=email, browser="never-seen-before"))

    assert isinstance(invented, MailsSent)
    assert len(await world.mails()) == before
    await world.call(StartReset(email=email))
    await world.call(StartEmailCode(email=email), ip="198.51.100.1")
    await world.call(StartEmailCode(email=email, browser=known))
    await world.call(StartReset(email=email, browser=known))


async def test_one_ipv6_customer_is_one_network(world: World) -> None:
    """Addresses of one /64 share an allowance."""
    for last in range(3):
        await world.call(StartEmailCode(email="six@example.com"), ip=f"2001:db8::{last}")
    refused = await world.refused(StartEmailCode(email="six@example.com"), ip="2001:db8::ffff")

    assert isinstance(refused, MailsSent)


async def test_many_networks_cannot_flood_an_address(world: World) -> None:
    """All networks together can send thirty mails to an address in 15 minutes. A known browser can
    still send one."""
    user = await world.user()
    email = user.email or ""
    await world.sign_in(user, browser="known")
    for last in range(30):
        await world.call(StartEmailCode(email=email), ip=f"198.51.100.{last}")
    refused = await world.refused(StartEmailCode(email=email), ip="198.51.100.99")
    await world.call(StartEmailCode(email=email, browser="known"), ip="198.51.100.99")

    assert isinstance(refused, MailsSent)


async def test_sign_ins_per_network_are_limited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One network has a limit on tries over all addresses. Another network is not affected."""
    monkeypatch.setattr(passwords, "SIGN_IN_BY_IP", AttemptLimit("sign_in_ip", 5, 300))
    outcomes = [
        await world.refused(
            SignInWithPassword(email=f"u{n}@example.com", password="x"), ip="192.0.2.9"
        )
        for n in range(7)
    ]
    other = await world.refused(
        SignInWithPassword(email="u@example.com", password="x"), ip="192.0.2.10"
    )

    assert [type(outcome) for outcome in outcomes] == [WrongCredentials] * 5 + [RateLimited] * 2
    assert isinstance(other, WrongCredentials)


async def test_methods_can_be_off(world: World) -> None:
    """A method that the application does not offer is refused before anything else."""
    user = await world.user()
    world.configure(world.app_id, auth_methods=["email_code"])
    assert isinstance(
        await world.refused(SignInWithPassword(email=user.email or "", password=PASSWORD)),
        MethodOff,
    )
    await world.call(StartEmailCode(email=user.email or ""))
    assert not (await world.mail()).data["link"]
    world.configure(world.app_id, auth_methods=["password"])
    assert isinstance(await world.refused(StartEmailCode(email=user.email or "")), MethodOff)


async def test_unverified_address(world: World) -> None:
    """If the application asks for verified addresses, the right password is not enough. A code
    verifies the address and signs in. In the same browser the password stays valid."""
    user, browser = await world.user(email_verified=False), "b" * 32
    world.configure(world.app_id, require_verified_email=True)
    request = SignInWithPassword(email=user.email or "", password=PASSWORD, browser=browser)
    problem = await world.refused(request)
    flow = await world.call(StartEmailCode(email=user.email or "", browser=browser))
    code = (await world.mail()).code
    await world.call(SignInWithCode(flow=flow.flow, code=code, browser=browser))

    assert isinstance(problem, EmailUnverified)
    assert (await world.sign_in(user)).full().email_verified
    assert (await world.call(GetUser(user_id=user.id), caller=ADMIN)).email_verified


async def test_an_unverified_address_signs_in_by_default(world: World) -> None:
    """By default the right password signs in, confirms and changes, and the address stays
    unverified. A code then verifies it."""
    user = await world.user(email_verified=False)
    signed = await world.sign_in(user)
    me = as_user(signed)
    confirmed = await world.call(Reauthenticate(password=PASSWORD), caller=me)
    change = ChangePassword(current=PASSWORD, password="kV9-blue-harbour-kite")
    changed = await world.call(change, caller=as_user(confirmed))

    assert not signed.full().email_verified
    assert not changed.full().email_verified
    assert not (await world.call(GetUser(user_id=user.id), caller=ADMIN)).email_verified

    flow = await world.call(StartEmailCode(email=user.email or ""))
    await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))
    assert (await world.call(GetUser(user_id=user.id), caller=ADMIN)).email_verified


async def test_only_a_real_lock_is_recorded(world: World) -> None:
    """The fifth wrong password records `sign_in_locked` and earlier ones do not, for known and
    unknown addresses."""
    user = await world.user()
    for email in (user.email or "", "nobody@example.com"):
        before = len(await world.events())
        kinds = []
        for number in range(5):
            await world.refused(SignInWithPassword(email=email, password=f"wrong {number}"))
            kinds.append([kind for kind, _ in (await world.events())[before:]])
        locked = [data for kind, data in (await world.events())[before:] if "locked" in kind]

        assert kinds[3] == ["login_failed"] * 4
        assert kinds[4] == ["login_failed"] * 5 + ["sign_in_locked"]
        assert locked == [{"failures": 5, "seconds": 300}]


async def test_new_device_is_told_by_mail(world: World) -> None:
    """A mail tells of a new device, but not of the first one or of a known one."""
    user = await world.user()
    await world.sign_in(user)
    await world.sign_in(user)
    assert not await world.mails()
    signed = await world.sign_in(user, agent=SAFARI)
    letter = await world.mail()

    assert signed.new_device
    assert (letter.kind, letter.to) == ("new_device", user.email)
    assert letter.data["device"] == "Mobile Safari on iOS"


async def test_weak_passwords_are_refused_at_sign_up(world: World) -> None:
    """A common password, the address and the application's name are refused at the field."""
    for password in ("password123", "someone.special", "blue shop 1", "Iloveyou2"):
        problem = await world.refused(
            SignUp(email="someone.special@example.com", password=password)
        )

        assert isinstance(problem, WeakPassword), password
        assert problem.extra["errors"][0]["field"] == "password"
        assert password not in str(problem.to_wire())


async def test_everything_wrong_with_a_password_is_said_at_once(world: World) -> None:
    """A password that is too short and easy to guess gets both errors at once."""
    problem = await world.refused(SignUp(email="someone@example.com", password="abcabc"))

    codes = [error["code"] for error in problem.extra["errors"]]
    assert codes == ["password_too_short", "password_guessable"]


async def test_an_empty_password_is_refused_like_any_weak_one(world: World) -> None:
    """An empty password is refused at every place that takes one, with a link or without."""
    signed = await world.sign_in(await world.user())
    for request in (
        ResetPassword(password=""),
        CheckPassword(password=""),
        SignUp(email="someone@example.com", password=""),
        ChangePassword(current=PASSWORD, password=""),
    ):
        problem = await world.refused(request, caller=as_user(signed))

        assert isinstance(problem, WeakPassword), request.subject


async def test_settling_is_repaired_at_the_next_sign_in(world: World) -> None:
    """If rbac was down at the first sign-in, the user gets the default role at the next one."""
    world.stand_ins.rbac.running = False
    flow = await world.call(StartEmailCode(email="late@example.com"))
    signed = await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))
    assert world.stand_ins.rbac.roles == []
    world.stand_ins.rbac.running = True
    for _ in range(2):
        flow = await world.call(StartEmailCode(email="late@example.com"))
        await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))

    assert world.stand_ins.rbac.roles == [(world.app_id, signed.full().user_id, False)]


async def test_dashboard_user_gets_role_and_team(world: World) -> None:
    """On the Dashboard the verified bootstrap address becomes an operator, and no other one does.
    Both users get a personal team."""
    for email, operator in (("boss@example.com", True), ("dev@example.com", False)):
        await world.owner.execute(
            "DELETE FROM users WHERE app_id = $1 AND email = $2", DASHBOARD, email
        )
        flow = await world.call(StartEmailCode(email=email), app_id=DASHBOARD)
        code = (await world.mail(DASHBOARD)).code
        signed = await world.call(SignInWithCode(flow=flow.flow, code=code), app_id=DASHBOARD)

        assert world.stand_ins.rbac.roles[-1] == (DASHBOARD, signed.full().user_id, operator)
        assert world.stand_ins.tenancy.teams[-1] == signed.full().user_id


async def test_other_application_knows_nothing(world: World) -> None:
    """A user, a code, a link and a session of one application are unknown in another."""
    user = await world.user()
    signed = await world.sign_in(user)
    flow = await world.call(StartEmailCode(email=user.email or ""))
    letter = await world.mail()

    assert isinstance(
        await world.refused(
            SignInWithPassword(email=user.email or "", password=PASSWORD), app_id=world.other_app_id
        ),
        WrongCredentials,
    )
    assert isinstance(
        await world.refused(
            SignInWithCode(flow=flow.flow, code=letter.code), app_id=world.other_app_id
        ),
        CodeSpent,
    )
    assert isinstance(
        await world.refused(
            SignInWithLink(token=letter.token, browser=flow.browser), app_id=world.other_app_id
        ),
        LinkSpent,
    )
    assert await world.live_session(signed.token, world.other_app_id) is None
