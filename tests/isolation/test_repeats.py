"""A call that changes nothing writes no event and sends no mail. Every contract is called twice."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import pytest
from tests.architecture.source import contracts
from tests.isolation.cases import NEUTRAL, askers, case
from tests.isolation.sides import Side, Sides
from tests.isolation.test_every_contract import in_dashboard

from common.context import Caller, Context
from common.contracts.base import KNOWN, SIGNED_IN, Request
from common.ids import DASHBOARD, new_id
from common.problems import Conflict, Problem
from common.testing import context

CONTRACTS: Final = contracts()
ENDS: Final = ("delete", "revoke", "remove", "end", "sign_out", "leave", "disable", "unassign")
AGAIN: Final = {
    "identity.email_code.start": "mails another code",
    "identity.guest.create": "another guest",
    "identity.identity_link.token": "each read of a token is audited",
    "identity.me.change_email": "mails another link",
    "identity.password.sign_in": "another session",
    "identity.reset.start": "mails another code",
    "identity.provider.finish_sign_in": "records that the sign-in failed",
    "identity.recovery_code.regenerate": "other codes",
    "identity.user_batch.delete": "another batch",
    "identity.user_batch.import": "another batch",
    "identity.user_batch.start": "another batch",
    "identity.user.force_reset": "mails another link",
    "identity.user.resend_sign_up": "mails another code",
    "identity.user.sign_up": "mails another code",
    "oidc.client.create": "another client",
    "oidc.client_secret.rotate": "another secret",
    "oidc.initial_token.create": "another token",
    "oidc.registration.create": "another client",
    "tenancy.api_key.create": "another key",
    "tenancy.organization.create": "another organization",
}
"""Contracts that do something at each call."""
WITH_ID: Final = {
    "oidc.client.create": "id",
    "oidc.client_secret.rotate": "id",
    "tenancy.api_key.create": "id",
    "tenancy.organization.create": "request_id",
}
"""Those of them that do it once for each id that the caller chooses, with the field that has it."""
CHANGES: Final[dict[str, Any]] = {
    "UpdateClient.changes": {"name": "changed", "redirect_uris": ["https://changed.example.com/cb"],
                             "scopes": ["openid", "email"], "require_pkce": True},
    "UpdateOrganization.changes": {"name": "changed", "slug": "changed",
                                   "public_metadata": {"a": [1, {"b": None}]}},
    "UpdateRole.changes": {"name": "changed", "description": "changed", "permissions": []},
    "UpdateSettings.changes": {"session_ttl": 7200, "blocked_email_domains": ["a.example"]},
    "UpdateApplication.changes": {"name": "changed"},
    "UpdateMember.role": "admin",
}  # fmt: skip
"""Requests with more changes than those of tests/isolation/cases.py."""


async def trace(sides: Sides, side: Side) -> tuple[int, int]:
    """Returns the numbers of events and mails."""
    apps = [side.app_id, DASHBOARD]
    return (
        await sides.owner.fetchval(
            "SELECT count(*) FROM audit_logs WHERE app_id = ANY($1::uuid[])", apps
        ),
        await sides.owner.fetchval(
            "SELECT count(*) FROM mail_outbox WHERE app_id = ANY($1::uuid[])", apps
        ),
    )


def contexts(contract: type[Request[Any]], sides: Sides) -> list[Context]:
    if in_dashboard(contract):
        return [context(DASHBOARD, sides.away.developer, within=20)]
    return [sides.ctx(sides.away, who) for who in askers(contract, sides.away)]


async def test_an_id_makes_a_creation_repeatable(changing_sides: Sides) -> None:
    """A request with an id, sent again after a double click or a lost answer, creates nothing."""
    sides = changing_sides
    for subject, field in WITH_ID.items():
        contract = CONTRACTS[subject]
        request = case(contract, sides.away).request
        once = request.model_copy(update={field: new_id()})
        ctx = contexts(contract, sides)[0]
        before = await trace(sides, sides.away)
        await sides.bus.call(ctx, once)
        after = await trace(sides, sides.away)
        with pytest.raises(Conflict):
            await sides.bus.call(replace(ctx, deadline=ctx.deadline + 20), once)

        assert after != before, subject
        assert await trace(sides, sides.away) == after, subject


async def test_the_second_time_leaves_no_trace(
    changing_sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second call writes no event and no mail, whether it is answered or refused."""
    sides = changing_sides
    for name, value in CHANGES.items():
        monkeypatch.setitem(NEUTRAL, name, value)
    traces: set[str] = set()
    for subject in sorted(CONTRACTS, key=lambda name: (name.endswith(ENDS), name)):
        contract = CONTRACTS[subject]
        request = case(contract, sides.away).request
        for ctx in contexts(contract, sides):
            with suppress(Problem):
                await sides.bus.call(ctx, request)
            before = await trace(sides, sides.away)
            with suppress(Problem):
                await sides.bus.call(replace(ctx, deadline=ctx.deadline + 20), request)
            if await trace(sides, sides.away) != before:
                traces.add(subject)

    assert traces == set(AGAIN)


@pytest.mark.parametrize("subject", [s for s in CONTRACTS if CONTRACTS[s].needs is not None])
async def test_a_refusal_leaves_no_trace(subject: str, sides: Sides) -> None:
    """A call without the right, or from outside the organization, writes no event and no mail."""
    contract = CONTRACTS[subject]
    request = case(contract, sides.home).request
    stranger = Caller("user", new_id(), session_id=new_id())
    before = await trace(sides, sides.home)
    for who in (Caller(), stranger):
        if who.kind == "user" and contract.needs in (SIGNED_IN, KNOWN) and contract.safe:
            continue
        with suppress(Problem):
            await sides.ask(sides.home, who, request)
        assert await trace(sides, sides.home) == before
