"""Messages of the last release are read by today's code: calls, contexts, events, codes, cursors, errors.

A newer message in an old reader is the other direction: what it does not know, it ignores.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Final

import orjson
import pytest
from pydantic import BaseModel
from tests.architecture.source import contracts
from tests.releases.described import ID, KEYS, described_contracts, described_messages
from tests.releases.record import recorded

from common.answering import encode_reply
from common.audit_lines import read_lines
from common.context import Context
from common.cursors import Cursors
from common.events.base import EVENTS, AuditEvent
from common.invalidation import NatsInvalidation
from common.problems import Problem
from common.reply_reading import read_reply
from oidc.code_content import CodeContent

MESSAGES: Final[dict[str, Any]] = recorded("messages")
NEWER: Final = {"member_of_a_later_version": {"a": [1]}}


def inside(sent: Any, read: Any) -> bool:
    """Returns whether everything that was sent was read as it was sent. What was not sent may be there."""
    if isinstance(sent, dict) and isinstance(read, dict):
        return all(name in read and inside(value, read[name]) for name, value in sent.items())
    if isinstance(sent, list) and isinstance(read, list):
        return len(sent) == len(read) and all(map(inside, sent, read))
    return bool(sent == read)


def with_newer(value: Any) -> Any:
    """Returns the message with a member in each object that this version does not know."""
    if isinstance(value, dict):
        return {name: with_newer(each) for name, each in value.items()} | NEWER
    return [with_newer(each) for each in value] if isinstance(value, list) else value


def read_again(model: BaseModel) -> Any:
    return orjson.loads(model.model_dump_json())


@pytest.mark.parametrize("subject", sorted(MESSAGES["calls"]))
def test_a_recorded_call_is_understood(subject: str) -> None:
    """The request and the reply say today what they said then."""
    call, contract = MESSAGES["calls"][subject], contracts()[subject]
    request = contract.model_validate_json(orjson.dumps(call["request"]))
    reply = read_reply(contract.reply, orjson.dumps(call["reply"]))

    assert inside(call["request"], orjson.loads(request.model_dump_json(exclude_unset=True)))
    assert inside(call["reply"], orjson.loads(encode_reply(reply)))


@pytest.mark.parametrize("subject", sorted(contracts()))
def test_members_of_a_later_version_are_ignored(subject: str) -> None:
    """In the request and in the reply. Documents of a standard keep them."""
    call = described_messages_once()["calls"][subject]
    contract = contracts()[subject]
    for model, message in ((contract, call["request"]), (contract.reply, call["reply"])):
        newer = model.model_validate_json(orjson.dumps({**message, **NEWER}))
        known = model.model_validate_json(orjson.dumps(message))
        assert newer.model_dump(exclude=set(NEWER)) == known.model_dump()


_NOW: dict[str, Any] = {}


def described_messages_once() -> dict[str, Any]:
    if not _NOW:
        _NOW.update(described_messages())
    return _NOW


def test_recorded_contexts() -> None:
    """The caller of a call is who they were, and the context says the same. Members of a later version
    are ignored."""
    for each in MESSAGES["contexts"]:
        for header in (each["header"], orjson.dumps(with_newer(orjson.loads(each["header"])))):
            ctx = Context.decode(header if isinstance(header, str) else header.decode())
            caller = {
                name: sorted(value) if isinstance(value, frozenset) else value
                for name, value in asdict(ctx.caller).items()
            }
            assert inside(each["caller"], caller)
            assert (ctx.app_id, ctx.origin, ctx.agent) == (ID, "https://a.example", "Firefox")
            assert ctx.if_match == ('"x"',)
            assert ctx.remaining() == pytest.approx(1767323045.5 - time.time(), abs=60)


def test_recorded_events() -> None:
    """Lines of the stream and rows of the log are read, also those of a later version."""
    for name, event in MESSAGES["events"].items():
        for line in (event, event | NEWER, event | {"event_type": "made_later"}):
            assert [each.id for each in read_lines(orjson.dumps(line), ID)] == [ID]
            assert inside(event | line, read_again(AuditEvent.model_validate(line)) | line)
        if event["version"] == EVENTS[name].version:
            data = EVENTS[name].model_validate(event["event_data"] | NEWER)
            assert inside(event["event_data"], data.model_dump(mode="json"))


def test_recorded_authorization_codes() -> None:
    """A code of the version before is redeemed by this one. A code that is bound to something which this
    version does not know is refused: it could not check it."""
    for each in MESSAGES["codes"]:
        content = CodeContent.decoded(ID, each["content"])
        assert content is not None
        assert content.encoded() == each["content"]
        assert content.nonce == each["nonce"]
        assert CodeContent.decoded(ID, each["content"] | NEWER) is None


def test_a_usual_code_of_this_version_is_redeemed_by_the_one_before() -> None:
    """It has no member that the version before refuses."""
    known = set(recorded("contracts")["code_members"])
    for each in described_messages_once()["codes"]:
        assert each["content"].keys() <= known


def test_recorded_cursors() -> None:
    """A list goes on at the place where a page of the version before ended."""
    values = Cursors(KEYS).read(ID, "users", MESSAGES["cursor"], 2)
    assert values == ("2026-01-02T03:04:05+00:00", ID)


def test_recorded_problems() -> None:
    """An error keeps its code and status. An unknown one becomes the general one of its status."""
    now = described_contracts()["problems"]
    for wire in MESSAGES["problems"]:
        problem = Problem.from_wire(wire)
        assert problem.status == wire["status"]
        assert wire["code"] not in now or problem.code == wire["code"]
    assert Problem.from_wire({"status": 404, "code": "made_later", "detail": "x"}).status == 404


@pytest.mark.fault("F23")
async def test_invalidation_messages() -> None:
    """`changed.<app>.<noun>.<id>` with the id as content: a noun of a later version and a header that
    is unknown here are no errors."""
    heard: list[tuple[str, str, str]] = []
    listener = NatsInvalidation(nc=None)  # type: ignore[arg-type]
    listener.listeners.append(lambda app_id, noun, id: heard.append((app_id, noun, id)))

    class Message:
        def __init__(self, subject: str, data: bytes) -> None:
            self.subject, self.data, self.headers = subject, data, {"Later": "x"}

    for subject, data in (
        (f"changed.{ID}.user.{ID}", ID.encode()),
        (f"changed.{ID}.made_later.x", b"x"),
        (f"changed.{ID}.user.x.more", b"x"),
    ):
        await listener._heard(Message(subject, data))  # type: ignore[arg-type]

    assert heard == [(ID, "user", ID), (ID, "made_later", "x")]
