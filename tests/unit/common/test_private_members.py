"""The private members that common uses are still there, with the parameters that it passes.

If one of these tests fails after an update of a package: read its changes, adapt the file that is named, and
then raise the version in pyproject.toml.
"""

from __future__ import annotations

import inspect
from typing import Any

import asyncpg
import nats.micro.service
import pytest
from asyncpg.protocol import protocol
from nats.aio.client import Client
from nats.aio.subscription import Subscription

from common.contracts.base import Page, Request

FUNCTIONS = [
    (
        Client,
        "_flush_pending",
        ["self", "force_flush"],
        "nats_private: BatchedClient, write_pending",
    ),
    (Client, "_send_unsubscribe", ["self", "sid", "limit"], "nats_private: leaving a NATS server"),
    (asyncpg.Connection, "_check_open", ["self"], "asyncpg_private.require_open"),
    (asyncpg.Connection, "_drop_global_statement_cache", ["self"], "asyncpg_private: overridden"),
    (asyncpg.Connection, "_drop_global_type_cache", ["self"], "asyncpg_private: overridden"),
    (asyncpg.Connection, "_drop_local_statement_cache", ["self"], "asyncpg_private: siblings"),
    (asyncpg.Connection, "_drop_local_type_cache", ["self"], "asyncpg_private: siblings"),
    (protocol.BaseProtocol, "_is_cancelling", ["self"], "asyncpg_private.finish_cancellation"),
    (protocol.BaseProtocol, "_wait_for_cancellation", ["self", "timeout"], "asyncpg_private"),
    (
        protocol.BaseProtocol,
        "bind_execute",
        ["self", "state", "args", "portal_name", "limit", "return_extra", "timeout"],
        "asyncpg_private.execute_statement",
    ),
]
"""Owner, name, parameters, and the code that depends on it."""


@pytest.mark.parametrize(
    ("owner", "name", "parameters", "user"), FUNCTIONS, ids=[row[1] for row in FUNCTIONS]
)
def test_private_functions_take_the_parameters_that_we_pass(
    owner: type, name: str, parameters: list[str], user: str
) -> None:
    """A new version that renames one is noticed here, and not by a request."""
    function = getattr(owner, name, None)
    what = f"{owner.__module__}.{owner.__name__}.{name}"

    assert function is not None, f"{what} is gone. {user} depends on it."
    present = list(inspect.signature(function).parameters)
    assert present == parameters, f"{what} takes {present} now. {user} depends on it."


def test_a_statement_is_prepared_by_its_text_and_a_time_limit() -> None:
    """asyncpg may add parameters with defaults."""
    first = list(inspect.signature(vars(asyncpg.Connection)["_get_statement"]).parameters)[:3]

    assert first == ["self", "query", "timeout"], (
        f"asyncpg.Connection._get_statement takes {first} now. "
        "asyncpg_private.prepared_statement depends on it."
    )


ATTRIBUTES = [
    (Client(), "_subs", dict, "nats_private.unsubscribe_requests"),
    (Client(), "_resp_map", dict, "nats_private.pending_replies"),
    (Client(), "_resp_sub_prefix", (bytearray, type(None)), "nats_private.unsubscribe_requests"),
    (Client(), "_flush_queue", (object,), "nats_private.BatchedClient"),
    (Subscription(Client(), id=7), "_id", int, "nats_private.send_unsubscribe"),
    (Subscription(Client(), id=7), "_conn", Client, "nats_private.send_unsubscribe"),
]
"""Object, name, type, and the code that depends on it."""


@pytest.mark.parametrize(
    ("owner", "name", "kind", "user"), ATTRIBUTES, ids=[row[1] for row in ATTRIBUTES]
)
def test_private_attributes_have_the_types_that_we_read(
    owner: object, name: str, kind: Any, user: str
) -> None:
    """They exist before a connection does."""
    what = f"{type(owner).__module__}.{type(owner).__name__}.{name}"

    assert hasattr(owner, name), f"{what} is gone. {user} depends on it."
    value = getattr(owner, name)
    assert isinstance(value, kind), f"{what} is a {type(value)} now. {user} depends on it."


def test_connections_of_asyncpg_have_a_transport_and_a_protocol() -> None:
    """They are slots: an object needs a server."""
    for name in ("_transport", "_protocol"):
        assert name in asyncpg.Connection.__slots__, (
            f"asyncpg.Connection.{name} is gone. asyncpg_private depends on it."
        )


def test_asyncpg_empties_its_caches_by_the_members_that_we_override() -> None:
    """It calls them where a table or a type has changed. Otherwise only one connection of a pool would
    learn it."""
    for function, name in (
        (vars(asyncpg.Connection)["_do_execute"], "_drop_global_statement_cache"),
        (asyncpg.Connection.reload_schema_state, "_drop_global_statement_cache"),
        (asyncpg.Connection.reload_schema_state, "_drop_global_type_cache"),
    ):
        assert f"self.{name}()" in inspect.getsource(function), (
            f"asyncpg.Connection.{function.__name__} no longer calls {name}. "
            "asyncpg_private overrides it."
        )


def test_services_and_endpoints_of_nats_have_a_connection_and_subscriptions() -> None:
    """They are set when a service starts: their source is looked at."""
    for owner, name in (
        (nats.micro.service.Service, "_client"),
        (nats.micro.service.Service, "_endpoints"),
        (nats.micro.service.Endpoint, "_subscription"),
    ):
        assert f"self.{name}" in inspect.getsource(owner), (
            f"nats.micro.service.{owner.__name__}.{name} is gone. "
            "nats_private.service_subscriptions depends on it."
        )


def test_generic_models_tell_their_arguments() -> None:
    """`Request[Reply]` names the type of the reply."""

    class Probe(Request[Page], subject="probe.private.members"):
        """Declared for this test."""

    assert Probe.reply is Page, (
        "pydantic's __pydantic_generic_metadata__ has changed. contracts.base depends on it."
    )
