"""A caller of one application reads nothing of another application and changes nothing there.

The caller with the most rights in `home` calls every contract and names what belongs to `away`.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.architecture.source import contracts
from tests.isolation.cases import askers, case
from tests.isolation.sides import Sides

from common.contracts.base import Request
from common.contracts.oauth_errors import OAuthError
from common.ids import DASHBOARD
from common.problems import Problem
from common.testing import context

CONTRACTS = contracts()

QUIET = {
    "identity.email_code.start": "answers alike for everybody, and mails in `home` only",
    "identity.half_session.cancel": "nothing to end is ended",
    "identity.password.check": "judges a password by itself",
    "identity.provider.finish_sign_in": "a failure to show, like that of an unknown provider",
    "identity.reset.start": "answers alike for everybody, and mails in `home` only",
    "identity.session.end": "nothing to end is ended",
    "identity.session.sign_out": "nothing to end is ended",
    "identity.user.import": "makes a user of its own, who may have any id",
    "identity.user_batch.start": "finds no such user when it comes to them",
    "identity.user_batch.delete": "finds no such user when it comes to them",
    "oidc.authorization.check": "reports an unknown client",
    "oidc.authorization.resume": "answers an error to show, never a redirect",
    "oidc.authorization.start": "answers an error to show, never a redirect",
    "oidc.authorization.state": "a request it does not know is over, without a client",
    "oidc.session.end": "an ID token of another issuer is no hint",
    "oidc.token.revoke": "RFC 7009 section 2.2: an unknown token is revoked",
    "rbac.access.check": "answers `no` to each question",
    "rbac.access.evaluate": "answers `no` to each question",
    "rbac.delegation.check": "a user it does not know holds nothing",
    "rbac.nats_rights.get": "a user it does not know has no subjects",
    "rbac.rights.get": "a user it does not know has no rights",
    "rbac.rights.mine": "an organization it does not know gives no rights",
    "tenancy.application.list": "a developer sees no applications of another team",
    "tenancy.application.resolve": "public: which application a host is",
    "tenancy.api_key.verify": "names the key's own application: the gateway compares it",
    "tenancy.audit.list": "no event of such a user here",
    "tenancy.audit.export": "no event of such a user here",
    "tenancy.member.leave_all": "a user it does not know leaves nothing",
    "tenancy.member.join_by_domain": "a user it does not know joins nothing",
    "identity.session.end_unqualified": "an organization it does not know ends nothing",
}
"""Contracts that answer something harmless where others refuse."""
OTHERWISE = {
    "identity.me.delete": "last_admin",  # The user's own organization would lose its last admin.
    "identity.password.change": "invalid",  # The contract asks for the caller's own password.
    "tenancy.application.create": "invalid",  # "this is not one of your teams"
    "tenancy.organization.personal": "conflict",  # only developers have personal teams
}
"""Contracts that refuse with another code. It says nothing about `away` either."""
REGISTRY = {"tenancy.application.resolve", "tenancy.api_key.verify"}
"""Contracts that look an application up: by its public host, or by the secret of an API key."""


def in_dashboard(contract: type[Request[Any]]) -> bool:
    """Tells if developers call the contract in the Dashboard: the only way across applications."""
    return contract.subject.startswith("tenancy.application.") and (
        contract.needs or ""
    ).startswith("apps:")


@pytest.mark.parametrize("subject", CONTRACTS)
async def test_nothing_crosses(subject: str, sides: Sides) -> None:
    """The call is refused or its reply is empty. The reply has no byte of `away`, and no row of
    `away` changes."""
    contract = CONTRACTS[subject]
    made = case(contract, sides.away)
    before = await sides.rows(sides.away.app_id)
    for asker in askers(contract, sides.home):
        ctx = sides.ctx(sides.home, asker)
        if in_dashboard(contract):
            ctx = context(DASHBOARD, sides.home.developer, within=20)
        said, problem = await said_to(sides, ctx, made.request)

        if subject not in REGISTRY:
            assert sides.away.word not in said, said[:2000]
            for secret in hidden(sides, made.request):
                assert secret not in said, (secret, said[:2000])
        assert await sides.rows(sides.away.app_id) == before
        if made.named and subject not in QUIET:
            assert problem is not None, f"answered {made.named}: {said[:500]}"
        if problem is not None:
            told = f"{problem.code} {problem.detail} {problem.extra}"
            assert refused(problem) or problem.code == OTHERWISE.get(subject), told


async def said_to(sides: Sides, ctx: Any, request: Request[Any]) -> tuple[str, Problem | None]:
    try:
        answer = await sides.bus.raw(ctx, request)
    except Problem as problem:
        return str(problem.to_wire()), problem
    return answer.decode(), None


def refused(problem: Problem) -> bool:
    """Tells if a refusal says nothing. It is never a 500, and never `invalid` for an object of
    `away`."""
    if isinstance(problem, OAuthError):
        return problem.code in {"invalid_grant", "invalid_client", "invalid_token"}
    return problem.status in {401, 403, 404, 410} or problem.code in HARMLESS


HARMLESS = {
    "link_spent",
    "code_spent",
    "wrong_code",
    "wrong_factor_code",
    "totp_setup_missing",
    "fresh_sign_in_needed",
    "wrong_credentials",
}


def hidden(sides: Sides, request: Request[Any]) -> set[str]:
    """Returns the ids and secrets of `away` that the request did not contain."""
    sent = request.model_dump_json()
    values = {str(v) for v in sides.away.things.values() if isinstance(v, str) and len(v) > 15}
    values |= {sides.away.app_id, str(sides.away.ada.id)}
    return {value for value in values if value not in sent}


async def test_the_cases_name_what_is_there(sides: Sides) -> None:
    """The same requests find something if `away` sends them, so the cases name existing objects."""
    found, missed = 0, []
    for subject, contract in CONTRACTS.items():
        made = case(contract, sides.away)
        if not contract.safe or not made.named or in_dashboard(contract):
            continue
        if subject in ("identity.owner.get", "tenancy.domain.allow"):
            continue  # The first is for the Dashboard only, and the second needs a proven domain.
        said, problem = await said_to(
            sides, sides.ctx(sides.away, askers(contract, sides.away)[0]), made.request
        )
        if problem is not None and problem.status == 404:
            missed.append((subject, said))
        found += problem is None

    assert missed == []
    assert found >= 20
