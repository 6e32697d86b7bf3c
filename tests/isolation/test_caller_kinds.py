"""Contracts about ways in refuse each kind of caller that they are not for, who names the right objects
of their own application. Neither a secret key nor a permission makes somebody another user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
from tests.architecture.source import contracts
from tests.isolation.cases import case
from tests.isolation.sides import KEY_HOLDER, Side, Sides
from tests.kit.callers import now

from common.context import ANONYMOUS, Caller
from common.contracts.base import OPEN, SIGNED_IN, Request
from common.contracts.sessions import FreshSignInNeeded
from common.ids import new_id
from common.problems import GuestRefused, Impersonating, Problem
from rbac.role_templates import APPLICATION

NOUNS: Final = {
    "device", "factor", "guest", "half_session", "identity_link", "impersonation", "link_proof",
    "passkey", "provider", "recovery_code", "totp",
}  # fmt: skip
"""The second words of the subjects of ways in."""
EVERYTHING: Final = frozenset({"*"})
CONTRACTS: Final = {
    subject: contract
    for subject, contract in contracts().items()
    if subject.startswith("identity.") and subject.split(".")[1] in NOUNS
}
CLIENT = Caller("client", "a-client-of-ours", EVERYTHING)
IN_PERSON = {"identity.impersonation.start"}
"""Only somebody with a session of their own, whatever a key or a client may do."""
FOR_BACKENDS = {"identity.identity_link.token"}
"""Only a key or a client, whatever a user or a developer may do."""


def strangers(contract: type[Request[Any]], side: Side) -> Iterator[tuple[str, Caller]]:
    """Yields the callers that the contract is not for, with what they are."""
    ada = side.ada
    developer = replace(
        side.developer, kind="developer", permissions=EVERYTHING, session_id=new_id()
    )
    mighty = replace(ada, permissions=EVERYTHING)
    if contract.needs == OPEN:
        return
    yield "anonymous", ANONYMOUS
    if contract.needs == SIGNED_IN:
        yield "secret key", KEY_HOLDER
        yield "client", CLIENT
        yield "developer", developer
        yield "client for a user", replace(mighty, delegated=True, by_token=True)
        return
    others = frozenset(APPLICATION) - {contract.needs}
    yield "user", ada
    yield "user with all other permissions", replace(ada, permissions=others)
    yield "key with all other permissions", replace(KEY_HOLDER, permissions=others)
    if contract.subject in IN_PERSON:
        yield "secret key", KEY_HOLDER
        yield "client", CLIENT
        yield "user by a token", replace(mighty, by_token=True)
        yield "user without a session", replace(mighty, session_id=None)
    if contract.subject in FOR_BACKENDS:
        yield "user with the permission", mighty
        yield "developer", developer


async def refusal(sides: Sides, caller: Caller, contract: type[Request[Any]]) -> Problem | None:
    """Returns the problem of a call that names the right objects."""
    try:
        await sides.ask(sides.home, caller, case(contract, sides.home).request)
    except Problem as problem:
        return problem
    return None


@pytest.mark.parametrize("subject", CONTRACTS)
async def test_others_are_refused(subject: str, sides: Sides) -> None:
    """Every stranger is refused as one, and nothing changes."""
    contract = CONTRACTS[subject]
    before = await sides.rows(sides.home.app_id)
    for what, caller in strangers(contract, sides.home):
        problem = await refusal(sides, caller, contract)
        assert problem is not None, what
        assert problem.status in (401, 403), (what, problem.code)
    assert await sides.rows(sides.home.app_id) == before


@pytest.mark.parametrize("subject", [name for name, one in CONTRACTS.items() if one.fresh])
async def test_a_fresh_proof_is_needed(subject: str, sides: Sides) -> None:
    """The right user is refused if they showed a factor more than 15 minutes ago, or if nobody knows
    when."""
    contract = CONTRACTS[subject]
    mighty = replace(sides.home.ada, permissions=EVERYTHING)
    before = await sides.rows(sides.home.app_id)
    for proven_at in (now() - 16 * 60, None):
        problem = await refusal(sides, replace(mighty, proven_at=proven_at), contract)
        assert isinstance(problem, FreshSignInNeeded)
    assert await sides.rows(sides.home.app_id) == before


@pytest.mark.parametrize(
    "subject", [name for name, one in CONTRACTS.items() if not one.impersonated]
)
async def test_nobody_acts_as_a_user_here(subject: str, sides: Sides) -> None:
    """Somebody who acts as the right user is refused, also where no caller is needed."""
    actor = replace(sides.home.ada, permissions=EVERYTHING, actor_id=new_id())
    before = await sides.rows(sides.home.app_id)
    assert isinstance(await refusal(sides, actor, CONTRACTS[subject]), Impersonating)
    assert await sides.rows(sides.home.app_id) == before


@pytest.mark.parametrize("subject", [name for name, one in CONTRACTS.items() if not one.guests])
async def test_guests_have_nothing_here(subject: str, sides: Sides) -> None:
    """A guest has no credentials that the contract could be about."""
    guest = replace(sides.home.ada, guest=True)
    assert isinstance(await refusal(sides, guest, CONTRACTS[subject]), GuestRefused)


def test_every_way_in_is_here() -> None:
    """Each noun has contracts, so that no new name of a subject empties the list."""
    assert {subject.split(".")[1] for subject in CONTRACTS} == NOUNS
    assert len(CONTRACTS) > 50
