"""What replicas of another version see of this one: contracts, events, messages and statements.

`make record-release` writes it into a folder of the version. Tests compare it with the next version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from pydantic import BaseModel
from tests.architecture.source import COMMON, SERVICES, contracts, statements
from tests.kit.filled_contracts import filled

from common.answering import encode_reply
from common.bus import encode_request
from common.caller import KINDS, Caller
from common.context import Context
from common.contracts.base import Request
from common.crypto import Keys
from common.cursors import Cursors
from common.events.base import EVENTS, AuditEvent
from common.problems import problem_types
from oidc.code_content import CodeContent

ID: Final = "01900000-0000-7000-8000-00000000000a"
THEN: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEYS: Final = Keys((("recorded", bytes(32)),))
LENGTH: Final = 2
"""Things in each list of a message."""
SPECIAL: Final[Mapping[str, dict[str, Any]]] = {
    "tenancy.platform_settings.update": {"changes": {"applications_per_team": 3}},
    "identity.user.import": {"users": [{"email": "ada@example.com"}], "dry_run": True},
    "identity.user_batch.import": {"users": [{"email": "ada@example.com"}], "complete": True},
    "identity.user_batch.add_rows": {
        "batch_id": ID, "first": 7, "users": [{"email": "ada@example.com"}], "complete": True,
    },
}  # fmt: skip
"""Requests whose fields depend on each other, or take any value."""
CALLERS: Final = (
    Caller(),
    Caller("user", ID),
    Caller(
        "user", ID, frozenset({"users:read"}), session_id=ID, org_id=ID, delegated=True, guest=True,
        actor_id=ID, actor_kind="developer", proven_at=1767323045, two_factors=True, by_token=True,
    ),
    Caller("developer", ID, frozenset({"apps:read"}), frozenset({ID}), session_id=ID, lacks_factor=True),
    Caller("secret_key", ID, frozenset({"*"})),
    Caller("client", "c"),
    Caller("system", permissions=frozenset({"*"})),
)  # fmt: skip
CODES: Final = (
    CodeContent(
        id=ID, client_id="c", client_epoch=1, user_id=ID, user_epoch=2, session_id=ID,
        redirect_uri_hash="h", auth_time=THEN, expires_at=THEN,
    ),
    CodeContent(
        id=ID, client_id="c", client_epoch=1, user_id=ID, user_epoch=2, session_id=ID,
        redirect_uri_hash="h", redirect_uri_given=False, code_challenge="x", nonce="n",
        scopes=["openid"], resource=["https://api.example"], claims={"userinfo": {"name": None}},
        auth_time=THEN, acr="1", amr=["pwd"], org_id=ID, revocations=[ID], expires_at=THEN,
    ),
)  # fmt: skip


def described_contracts() -> dict[str, Any]:
    """Returns the shape of each contract and event: what is read, and what is written."""
    return {
        "contracts": {
            subject: {
                "name": contract.__name__,
                "omits_none": contract.reply.omits_none,
                "request": shape(contract, "validation"),
                "reply_read": shape(contract.reply, "validation"),
                "reply_written": shape(contract.reply, "serialization"),
            }
            for subject, contract in sorted(contracts().items())
        },
        "events": {
            name: {"version": event.version, "written": shape(event, "serialization")}
            for name, event in sorted(EVENTS.items())
        },
        "audit_event": {
            "read": shape(AuditEvent, "validation"),
            "written": shape(AuditEvent, "serialization"),
        },
        "problems": {each.code: each.status for each in problem_types()},
        "caller_kinds": sorted(KINDS),
        "code_members": sorted(CodeContent.__dataclass_fields__.keys() - {"id"}),
    }


def shape(model: type[BaseModel], mode: Any) -> Any:
    """Returns the JSON schema of a model without its prose."""
    return _without_prose(model.model_json_schema(mode=mode))


def _without_prose(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: _without_prose(value)
            for key, value in schema.items()
            if not (key in ("description", "title", "examples") and isinstance(value, str | list))
        }
    return [_without_prose(item) for item in schema] if isinstance(schema, list) else schema


def described_messages() -> dict[str, Any]:
    """Returns messages as they go over the bus, and what clients and the database keep for us."""
    return {
        "calls": {
            subject: {
                "request": orjson.loads(encode_request(_request(contract))),
                "reply": orjson.loads(encode_reply(filled(contract.reply, length=LENGTH))),
            }
            for subject, contract in sorted(contracts().items())
        },
        "contexts": [
            {"header": _context(caller).encode(), "caller": _plain(asdict(caller))}
            for caller in CALLERS
        ],
        "events": {name: _event(name) for name in sorted(EVENTS)},
        "codes": [{"content": code.encoded(), "nonce": code.nonce} for code in CODES],
        "cursor": Cursors(KEYS).make(ID, "users", THEN, ID),
        "problems": [each("text").to_wire() for each in problem_types()],
    }


def _request(contract: type[Request[Any]]) -> Request[Any]:
    if contract.subject in SPECIAL:
        return contract.model_validate(SPECIAL[contract.subject])
    return filled(contract, length=LENGTH)


def _context(caller: Caller) -> Context:
    return Context(
        ID, caller, 1767323045.5, f"00-{'a' * 32}-{'b' * 16}-01", origin="https://a.example",
        ip="192.0.2.1", agent="Firefox", if_match=('"x"',),
    )  # fmt: skip


def _plain(value: Any) -> Any:
    return {k: sorted(v) if isinstance(v, frozenset) else v for k, v in value.items()}


def _event(name: str) -> Any:
    event = filled(EVENTS[name], length=LENGTH)
    return {
        "id": ID, "app_id": ID, "event_type": name, "version": event.version,
        "event_data": event.model_dump(mode="json"), "user_id": ID, "actor_kind": "user",
        "actor_id": ID, "session_id": ID, "org_id": None, "ip_address": "192.0.2.1",
        "user_agent": "Firefox", "created_at": THEN.isoformat(), "trace": "00-a-b-01",
    }  # fmt: skip


def described_statements() -> list[dict[str, Any]]:
    """Returns every statement of the services, and the database roles that run it."""
    return [
        {"where": each.where, "sql": each.sql, "roles": each.roles, "any_tenant": each.any_tenant}
        for each in statements(SERVICES, COMMON)
    ]
