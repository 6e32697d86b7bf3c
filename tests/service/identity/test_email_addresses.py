"""Every place that takes an address gives the same answer for a pair of addresses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from tests.architecture.source import contracts
from tests.kit.callers import ADMIN, PASSWORD
from tests.kit.world import World

from common.address_keys import domain_key
from common.contracts.email_codes import StartEmailCode
from common.contracts.fields import Email
from common.contracts.invitations import InviteUser
from common.contracts.passwords import SignInWithPassword, StartReset
from common.contracts.profiles import UserChanges
from common.contracts.sign_up import SignUp
from common.contracts.user_import import ImportUsers
from common.contracts.users import CreateUser, FindUser, UpdateUser
from common.problems import Problem

SAME = [
    ("Ada.L@Example.COM", " ada.l@example.com\n"),
    ("ada@bücher.example", "ADA@XN--BCHER-KVA.Example"),
    ("ada@straße.example", "ada@xn--strae-oqa.example"),
    ("ΣΑΣ@example.com", "σας@example.com"),
    ("e\u0301va@example.com", "ÉVA@example.com"),
    ("ada@example.com", "ada@ｅxample。com"),
    ("\u212aim@example.com", "kim@example.com"),
    ("\u017fue@example.com", "sue@example.com"),
]
"""The same address: in another case, another Unicode composition, or two spellings of a domain
(IDNA 2008).
"""
DIFFERENT = [
    ("ada@straße.example", "ada@strasse.example"),
    ("ada+a@example.com", "ada@example.com"),
    ("a.da@example.com", "ada@example.com"),
    ("ada@example.com", "\u0430da@example.com"),
    ("ada@example.com", "ada@ex\u0430mple.com"),
    ("ada@example.com", "\uff41da@example.com"),
    ("\u0130da@example.com", "ida@example.com"),
    ("\u0131da@example.com", "ida@example.com"),
    ("stra\u00dfe@example.com", "strasse@example.com"),
    ("ada@example.com", "ada@example.com.example"),
]
"""Different addresses: tags and dots belong to the mailbox, and look-alikes are other letters."""
REFUSED = [
    "", "ada", "@example.com", "ada@", '"ada"@example.com', "a..b@example.com", ".a@example.com",
    "ada@[127.0.0.1]", "ada@127.0.0.1", "ada@exa_mple.com", "ada@-a.example", "ada@xn--a.example",
    "a@b@example.com", "Ada <ada@example.com>", "ada@example.com\r\nBcc: x@y.example",
    "a\u202eb@example.com", "a\u00adb@example.com", "ada@exa\u200dmple.com", "ada@☃.example",
    "a" * 65 + "@example.com", "ada@" + "a" * 64 + ".example", "ada@example.com.", "a\x00@example.com",
]  # fmt: skip


async def refusal(world: World, request: Any, **more: Any) -> str | None:
    try:
        await world.call(request, **more)
    except Problem as problem:
        return problem.code
    return None


@pytest.mark.parametrize(
    ("written", "other", "same"),
    [(*pair, True) for pair in SAME] + [(*pair, False) for pair in DIFFERENT],
)
async def test_every_place_decides_alike(
    world: World, written: str, other: str, same: bool
) -> None:
    """A user has the first address. Every place says whether the second one is the same address."""
    app = await world.application()
    user = await world.user(written, app)
    third = await world.user(app_id=app)
    taken = "email_taken" if same else None

    assert (await refusal(world, FindUser(email=other), app_id=app, caller=ADMIN) is None) == same
    signing_in = SignInWithPassword(email=other, password=PASSWORD)
    assert (await refusal(world, signing_in, app_id=app) is None) == same
    await world.call(StartEmailCode(email=other), app_id=app)
    assert ((await world.mail(app)).to == user.email) == same
    await world.call(StartReset(email=other), app_id=app)
    assert ((await world.mail(app)).kind == "reset") == same
    await world.call(SignUp(email=other, password="six unusual otters juggle"), app_id=app)
    assert ((await world.mail(app)).kind == "sign_up_known") == same
    arrived = await world.call(ImportUsers(users=[{"email": other}], dry_run=True), ADMIN, app)
    assert (arrived.arrivals[0].status == "exists") == same
    changes = UserChanges(email=other, email_verified=True)
    assert (
        await refusal(
            world, UpdateUser(user_id=third.id, changes=changes), app_id=app, caller=ADMIN
        )
        == taken
    )
    if same:
        assert await refusal(world, InviteUser(email=other), app_id=app, caller=ADMIN) == taken
        assert await refusal(world, CreateUser(email=other), app_id=app, caller=ADMIN) == taken


@pytest.mark.parametrize("other", [other for _, other in SAME])
async def test_rules_for_domains_know_every_spelling(world: World, other: str) -> None:
    """A domain that is blocked in one spelling is blocked in every spelling."""
    domain = other.strip().partition("@")[2]
    for spelling in {domain, domain_key(domain), domain.upper()}:
        app = await world.application(blocked_email_domains=[spelling])
        request = SignUp(email=other, password="six unusual otters juggle")
        assert await refusal(world, request, app_id=app) == "invalid"


@pytest.mark.parametrize("address", REFUSED)
def test_every_contract_refuses_it(address: str) -> None:
    """The type of every field for an address refuses the value."""
    with pytest.raises(ValidationError):
        TypeAdapter(Email).validate_python(address)


def test_every_address_in_a_request_is_of_the_type() -> None:
    """Every field `email` of a request is an Email. Fields that compare nothing are excepted."""
    checked = {
        f"{contract.__name__}.{name}"
        for contract in contracts().values()
        for name, field in contract.model_fields.items()
        if "email" in name and field.annotation in (str, str | None) and not field.metadata[1:]
    }

    assert checked <= {"CheckPassword.email"}
