"""A condition (`If-Match`) is checked under the lock of the write, or the call is refused.

Every contract that checks one is called with old and current tags, and twice at once. All others refuse
a condition.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest
from tests.architecture.source import contracts
from tests.isolation.cases import NEUTRAL
from tests.isolation.ground import OURS, Ground
from tests.isolation.sides import KEY_HOLDER
from tests.kit.round_trips import recorded_round_trips

from common import conditions
from common.context import Context
from common.contracts.base import Request
from common.contracts.mail_sender import DeleteMailSender, MailSenderFields, PutMailSender
from common.contracts.mail_templates import GetTemplate, PutTemplate, Template
from common.contracts.permissions import GetPermission, Permission, UpdatePermission
from common.contracts.versioned import ChangedMeanwhile, ConditionUnsupported, Versioned
from common.problems import Problem
from rbac.queries import permissions

CONTRACTS: Final = contracts()
CONDITIONAL: Final = [subject for subject, one in CONTRACTS.items() if one.conditional]
CHANGES: Final[dict[str, Any]] = {
    "UpdatePlatformSettings.changes": {"applications_per_team": 5},
    "UpdateMe.changes": {"name": "changed"},
    "UpdateSettings.changes": {"session_ttl": 7200},
}
ROUNDS: Final = 3


@pytest.fixture(autouse=True)
def _changes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CHANGES.items():
        monkeypatch.setitem(NEUTRAL, name, value)


@pytest.mark.parametrize("subject", CONDITIONAL)
async def test_only_the_current_tag_is_accepted(subject: str, ground: Ground) -> None:
    """An old tag, a weak one and an empty list are refused with the current tag. No row changes, so
    there is no event either. The current tag is accepted, also in a list. The reply has the new tag."""
    contract, bus = CONTRACTS[subject], ground.sides.bus
    for ctx in ground.contexts(contract):
        shown = await ground.shown(ctx, contract)
        before = await ground.rows()
        for stale in (('"old"',), (f"W/{shown.etag}",), (), (conditions.ABSENT,)):
            with pytest.raises(ChangedMeanwhile) as refused:
                await bus.call(ctx.with_condition(stale), ground.request(contract))
            assert refused.value.extra == {"etag": shown.etag}
        assert await ground.rows() == before

        current = ctx.with_condition(('"old"', shown.etag))
        reply = await bus.call(current, ground.request(contract))

        assert await ground.rows() != before
        if isinstance(reply, Versioned):
            assert reply.etag == (await ground.shown(ctx, contract)).etag != shown.etag
        await ground.restore()


@pytest.mark.parametrize("subject", CONDITIONAL)
async def test_any_tag(subject: str, ground: Ground) -> None:
    """`*` is accepted for an object that exists."""
    contract = CONTRACTS[subject]
    ctx = ground.contexts(contract)[0].with_condition((conditions.ANY,))

    await ground.sides.bus.call(ctx, ground.request(contract))

    await ground.restore()


@pytest.mark.parametrize("subject", CONDITIONAL)
async def test_of_two_at_once_one_is_refused(subject: str, ground: Ground) -> None:
    """Two calls with the same current tag run at the same time. Exactly one of them does something. The
    other is told, or finds that the object is gone."""
    contract, bus = CONTRACTS[subject], ground.sides.bus
    for _ in range(ROUNDS):
        ctx = ground.contexts(contract)[0]
        ctx = ctx.with_condition(((await ground.shown(ctx, contract)).etag,))
        calls = (bus.call(ctx, ground.request(contract)) for _ in range(2))
        told = await asyncio.gather(*calls, return_exceptions=True)

        problems = [one for one in told if isinstance(one, BaseException)]
        assert len(problems) == 1, told
        assert isinstance(problems[0], Problem)
        assert problems[0].status in (404, 412), problems
        await ground.restore()


async def test_of_two_first_texts_one_is_refused(ground: Ground) -> None:
    """A built-in text has a tag, but no row to lock. Of two texts that replace it at once, one is
    stored, and the other is refused with the tag of the first."""
    bus, ctx = ground.sides.bus, ground.sides.ctx(ground.sides.home, KEY_HOLDER)
    for _ in range(ROUNDS):
        built_in = await bus.call(ctx, GetTemplate(kind="sign_in", locale="en"))
        current = ctx.with_condition((built_in.etag,))
        texts = [OURS.model_copy(update={"subject": word}) for word in ("a", "b")]
        puts = [PutTemplate(kind="sign_in", locale="en", template=text) for text in texts]
        told = await asyncio.gather(
            *(bus.call(current, put) for put in puts), return_exceptions=True
        )

        (stored,) = (one for one in told if isinstance(one, Template))
        (refused,) = (one for one in told if isinstance(one, ChangedMeanwhile))
        assert refused.extra == {"etag": stored.etag}
        assert await bus.call(ctx, GetTemplate(kind="sign_in", locale="en")) == stored
        await ground.restore()


async def test_of_two_first_senders_one_is_refused(ground: Ground) -> None:
    """Two callers saw no mail server, and each stores one on the condition that there is none."""
    bus, ctx = ground.sides.bus, ground.sides.ctx(ground.sides.home, KEY_HOLDER)
    for _ in range(ROUNDS):
        await bus.call(ctx, DeleteMailSender())
        for nothing_yet in ((conditions.ANY,), ('"old"',)):
            with pytest.raises(ChangedMeanwhile) as refused:
                await bus.call(ctx.with_condition(nothing_yet), _sender("a"))
            assert refused.value.extra == {}
        absent = ctx.with_condition((conditions.ABSENT,))
        told = await asyncio.gather(
            *(bus.call(absent, _sender(word)) for word in ("a", "b")), return_exceptions=True
        )

        assert sorted(type(one).__name__ for one in told) == ["ChangedMeanwhile", "MailSender"]
        await ground.restore()


def _sender(word: str) -> PutMailSender:
    fields = MailSenderFields(host=f"{word}.example.com", from_address=f"{word}@example.com")
    return PutMailSender(sender=fields)


async def test_all_others_refuse_a_condition(ground: Ground) -> None:
    """A contract that checks no condition refuses one, and does nothing."""
    before = await ground.rows()
    answered: dict[str, str] = {}
    for subject, contract in CONTRACTS.items():
        for ctx in [] if contract.conditional else ground.contexts(contract):
            code = "answered"
            try:
                await ground.sides.bus.call(
                    ctx.with_condition((conditions.ANY,)), ground.request(contract)
                )
            except Problem as problem:
                code = problem.code
            if code != ConditionUnsupported.code:
                answered[subject] = code

    assert answered == {}
    assert await ground.rows() == before


async def test_a_forgotten_check_does_nothing(ground: Ground) -> None:
    """A handler that forgets the condition cannot commit: the caller is refused, and nothing is
    written."""

    async def forgetful(deps: Any, ctx: Context, request: UpdatePermission) -> Permission:
        async with deps.db.transaction(ctx) as tx:
            changed = await permissions.update(
                tx, app_id=ctx.app_id, id=request.permission_id, description="forgotten"
            )
        assert changed is not None
        return changed

    sides = ground.sides
    handler, deps = sides.bus.handlers[UpdatePermission]
    ctx, request = sides.ctx(sides.home, KEY_HOLDER), ground.request(UpdatePermission)
    shown = await ground.shown(ctx, UpdatePermission)
    sides.bus.serve(deps, {UpdatePermission: forgetful})
    try:
        with pytest.raises(ConditionUnsupported):
            await sides.bus.call(ctx.with_condition((shown.etag,)), request)
        assert await ground.shown(ctx, UpdatePermission) == shown
        await sides.bus.call(ctx, request)
        changed = await sides.bus.call(ctx, ground.request(GetPermission))
        assert changed.description == "forgotten"
    finally:
        sides.bus.serve(deps, {UpdatePermission: handler})
        await ground.restore()


async def statements(ground: Ground, ctx: Context, request: Request[Any]) -> int:
    """Returns the number of round trips to the database that one call makes."""
    with recorded_round_trips() as made:
        await ground.sides.bus.call(ctx, request)
    await ground.restore()
    return len(made)


@pytest.mark.parametrize(("subject", "more"), [("rbac.role.update", 0), ("oidc.client.delete", 2)])
async def test_without_a_condition_nothing_is_read_for_it(
    subject: str, more: int, ground: Ground
) -> None:
    """A change compares the row that it locks anyway. A deletion locks and reads the row only if there
    is a condition."""
    contract = CONTRACTS[subject]
    (ctx,), request = ground.contexts(contract), ground.request(contract)
    conditional = ctx.with_condition((conditions.ANY,))

    plain = await statements(ground, ctx, request)

    assert plain > 1
    assert await statements(ground, conditional, request) == plain + more
