"""Replicas of two versions run side by side, so each version understands what the other one writes.

The shapes of the last release's contracts and events are compared with today's, both ways. A change that
breaks one of them needs two releases; the message says what to do now.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

import pytest
from tests.releases.compatibility import Break, Comparison, changed_defaults
from tests.releases.described import described_contracts
from tests.releases.new_features import SENT_WITH_NEW_FEATURES, settings_of, without_new_settings
from tests.releases.record import recorded, versions

ADVICE: Final = {
    "request": {
        "missing": "a call of the version before lacks it: give it a default",
        "word": "the version before still sends it: take it for one more release",
        "type": "the version before sends it so: read both for one more release",
        "unread": "the version before still sends it: read it for one more release",
    },
    "old request": {
        "missing": "a service of the version before refuses a call without it: keep it required for one more release",
        "type": "a service of the version before reads it so: send another field, and change this one a release later",
    },
    "reply": {
        "missing": "a service of the version before does not send it: give it a default",
        "word": "the version before still sends it: take it for one more release",
        "type": "the version before sends it so: read both for one more release",
        "bounds": "the version before may send what breaks it: narrow it a release later",
    },
    "old reply": {
        "missing": "a caller of the version before needs it: send it for one more release",
        "unsent": "a caller of the version before reads it: send it for one more release",
        "word": "a caller of the version before refuses words it does not know: send this one a release later",
        "type": "a caller of the version before reads it so: send another field, and drop this one a release later",
        "bounds": "a caller of the version before refuses what breaks it: widen it a release later",
    },
    "absence": {
        "default": "a call of the version before that leaves it out means what it meant there: keep the default, or add another field",
    },
    "event": {
        "missing": "readers of the stream need it: send it, or raise the event's version",
        "unsent": "readers of the stream read it: send it, or raise the event's version",
        "type": "readers of the stream read it so: raise the event's version",
        "word": "readers of the stream do not know it: raise the event's version",
    },
}
"""What to do, by the reader and the kind of break."""


def breaks(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Yields a sentence for everything of which one version would not understand the other."""
    words = old["takes_any_word"]
    for subject, was in old["contracts"].items():
        now = new["contracts"].get(subject)
        if now is None:
            yield f"{subject} is gone: the version before still calls it, so answer it for one more release"
            continue
        for reader, found in _of_contract(was, now, any_word=words):
            advice = ADVICE[reader].get(found.kind)
            if advice and not (reader == "old reply" and is_of_new_feature(found)):
                yield f"{subject}: {found}; {advice}"
    for name, was in old["events"].items():
        now = new["events"].get(name)
        if now is None:
            yield f"the event {name} is gone: readers of the stream wait for it"
        elif now["version"] == was["version"]:
            for found in Comparison(was["written"], now["written"], any_word=True).breaks():
                if advice := ADVICE["event"].get(found.kind):
                    yield f"the event {name}: {found}; {advice}"
    audit, now = old["audit_event"], new["audit_event"]
    for found in Comparison(now["read"], audit["written"], any_word=True).breaks():
        if advice := ADVICE["reply"].get(found.kind):
            yield f"the audit log: {found}; {advice}"
    for found in Comparison(audit["read"], now["written"], any_word=words).breaks():
        if advice := ADVICE["old reply"].get(found.kind):
            yield f"the audit log: {found}; {advice}"
    for kind in sorted(set(new["caller_kinds"]) - set(old["caller_kinds"])):
        yield f"a caller of the kind {kind} is refused by the version before: send it a release later"


def is_of_new_feature(found: Break) -> bool:
    """Returns whether a break is a word of SENT_WITH_NEW_FEATURES."""
    return found.kind == "word" and any(
        f"{word!r}" in str(found) for word in SENT_WITH_NEW_FEATURES
    )


def _of_contract(
    was: dict[str, Any], now: dict[str, Any], *, any_word: bool
) -> Iterator[tuple[str, Break]]:
    def read(who: str, reader: Any, writer: Any, **more: Any) -> Iterator[tuple[str, Break]]:
        for each in Comparison(reader, writer, bounds=False, **more).breaks():
            yield who, each

    yield from read("request", now["request"], was["request"])
    yield from read("old request", was["request"], now["request"])
    for each in changed_defaults(was["request"], now["request"]):
        yield "absence", each
    old, new = was["reply_written"], now["reply_written"]
    yield from read("reply", now["reply_read"], old, any_word=True, omits_none=was["omits_none"])
    yield from read(
        "old reply", was["reply_read"], new, any_word=any_word, omits_none=now["omits_none"]
    )
    # What is written has no limits of its own: a reply holds what the model took.
    for who, one, other in (
        ("reply", now["reply_read"], was["reply_read"]),
        ("old reply", was["reply_read"], now["reply_read"]),
    ):
        for each in Comparison(one, other).breaks():
            if each.kind == "bounds":
                yield who, each


def test_this_version_and_the_last_release_understand_each_other() -> None:
    """Requests, replies, events and audit records, both ways."""
    before = recorded("contracts")
    now = without_new_settings(described_contracts(), settings_of(before))
    assert list(breaks(before, now)) == []


def test_every_exception_is_needed() -> None:
    """A word that the last release knows needs no exception."""
    before, now = recorded("contracts"), described_contracts()
    refused = {
        found.word
        for subject, was in before["contracts"].items()
        for reader, found in _of_contract(
            was, now["contracts"][subject], any_word=before["takes_any_word"]
        )
        if reader == "old reply"
    }
    assert refused >= SENT_WITH_NEW_FEATURES


@pytest.fixture(scope="module")
def shapes() -> dict[str, Any]:
    return {"takes_any_word": False} | described_contracts()


def contract(described: dict[str, Any], part: str, model: str = "") -> dict[str, Any]:
    """Returns the properties and required fields of a part of GetUser."""
    schema: dict[str, Any] = described["contracts"]["identity.user.list"][part]
    return schema["$defs"][model] if model else schema


def require_new_field(new: dict[str, Any]) -> None:
    schema = contract(new, "request")
    schema["properties"]["shade"] = {"type": "string"}
    schema["required"] = [*schema.get("required", []), "shade"]


def rename_request_field(new: dict[str, Any]) -> None:
    properties = contract(new, "request")["properties"]
    properties["size"] = properties.pop("limit")


def change_default(new: dict[str, Any]) -> None:
    contract(new, "request")["properties"]["limit"]["default"] = 10


def remove_reply_field(new: dict[str, Any]) -> None:
    for part in ("reply_read", "reply_written"):
        schema = contract(new, part, "User")
        del schema["properties"]["email_verified"]
        schema["required"] = [name for name in schema["required"] if name != "email_verified"]


def require_reply_field(new: dict[str, Any]) -> None:
    for part in ("reply_read", "reply_written"):
        schema = contract(new, part, "User")
        schema["properties"]["shade"] = {"type": "string"}
        schema["required"].append("shade")


def retype_reply_field(new: dict[str, Any]) -> None:
    for part in ("reply_read", "reply_written"):
        contract(new, part, "User")["properties"]["disabled"] = {"type": "string"}


def narrow_reply_field(new: dict[str, Any]) -> None:
    contract(new, "reply_read", "User")["properties"]["id"]["maxLength"] = 3


def rename_subject(new: dict[str, Any]) -> None:
    new["contracts"]["identity.user.every"] = new["contracts"].pop("identity.user.list")


def narrow_request_words(new: dict[str, Any]) -> None:
    _words(new["contracts"]["identity.user_batch.start"]["request"])["enum"].pop(0)


def widen_reply_words(new: dict[str, Any]) -> None:
    _words(new["contracts"]["identity.half_session.get"]["reply_written"])["enum"].append("palm")


def retype_event_field(new: dict[str, Any]) -> None:
    event = new["events"]["user_created"]["written"]
    event["properties"][next(iter(event["properties"]))] = {"type": "boolean"}


def remove_event(new: dict[str, Any]) -> None:
    del new["events"]["user_created"]


def add_caller_kind(new: dict[str, Any]) -> None:
    new["caller_kinds"].append("robot")


def _words(schema: Any) -> Any:
    """Returns the first list of words in a schema."""
    if isinstance(schema, dict):
        if "enum" in schema:
            return schema
        schema = list(schema.values())
    if isinstance(schema, list):
        return next((found for each in schema if (found := _words(each))), None)
    return None


BREAKS: Final = {
    require_new_field: "shade: is required, and not always sent; a call of the version before lacks it",
    rename_request_field: "limit: is not read; the version before still sends it",
    change_default: "limit: is 10 if absent, and was 50",
    remove_reply_field: "email_verified: is never sent; a caller of the version before reads it",
    require_reply_field: "shade: is required, and not always sent; a service of the version before does not",
    retype_reply_field: "disabled: is boolean, where string is read",
    narrow_reply_field: "id: may be beyond maxLength 3; the version before may send",
    rename_subject: "identity.user.list is gone: the version before still calls it",
    narrow_request_words: "is refused; the version before still sends it",
    widen_reply_words: "the word 'palm' is refused; a caller of the version before refuses",
    retype_event_field: "raise the event's version",
    remove_event: "the event user_created is gone",
    add_caller_kind: "a caller of the kind robot is refused",
}


@pytest.mark.parametrize("change", BREAKS, ids=lambda change: change.__name__)
def test_each_kind_of_break_is_found(shapes: dict[str, Any], change: Any) -> None:
    """The sentence names the field and says what to do."""
    new = deepcopy(shapes)
    change(new)

    found = list(breaks(shapes, new))
    assert any(BREAKS[change] in sentence for sentence in found), found


def add_fields(new: dict[str, Any]) -> None:
    """What a release may do: fields with defaults, words in requests, contracts, events, looser limits."""
    contract(new, "request")["properties"]["shade"] = {"type": "string", "default": "red"}
    contract(new, "reply_written", "User")["properties"]["shade"] = {"type": "string"}
    contract(new, "reply_written", "User")["required"].append("shade")
    contract(new, "reply_read", "User")["properties"]["shade"] = {"type": "string", "default": ""}
    _words(new["contracts"]["identity.user_batch.start"]["request"])["enum"].append("paint")
    new["contracts"]["identity.user.paint"] = new["contracts"]["identity.user.list"]
    new["events"]["user_painted"] = new["events"]["user_created"]


def test_what_may_change_is_no_break(shapes: dict[str, Any]) -> None:
    """A release that takes any word may be sent new ones."""
    new = deepcopy(shapes)
    add_fields(new)
    assert list(breaks(shapes, new)) == []
    widen_reply_words(new)
    assert list(breaks(shapes | {"takes_any_word": True}, new)) == []


def test_every_version_has_a_record() -> None:
    """The first one does; `make record-release` writes that of the next."""
    assert versions()[0] == "0.1.0"
