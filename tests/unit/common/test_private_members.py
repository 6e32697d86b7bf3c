"""The private members that common uses are still there, with the parameters that it passes.

If one of these tests fails after an update of a package: read its changes, adapt the file that is named, and
then raise the version in pyproject.toml.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
from types import FunctionType
from typing import Any

import asyncpg
import nats.micro.service
import pytest
from asyncpg.protocol import protocol
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.protocol.parser import Parser

from common.contracts.base import Page, Request
from common.nats_client import NatsClient
from common.nats_sender import SendingClient

FUNCTIONS = [
    (Client, "_process_connect_init", ["self"], "nats_client: the protocol takes over"),
    (Client, "_connect_command", ["self"], "nats_client: no password without TLS"),
    (Client, "_init_request_sub", ["self"], "nats_client.NatsClient.request"),
    (Client, "_request_sub_callback", ["self", "msg"], "nats_client.NatsClient.request"),
    (Client, "_send_ping", ["self", "future"], "nats_sender: PING in order"),
    (Client, "_flush_pending", ["self", "force_flush"], "nats_sender: one write a turn"),
    (Client, "_flusher", ["self"], "nats_sender: one write a turn"),
    (Client, "_read_loop", ["self"], "nats_client: deferred frames"),
    (Client, "_process_op_err", ["self", "e"], "nats_client: a lost connection"),
    (
        Client,
        "_process_msg",
        ["self", "sid", "subject", "reply", "data", "headers"],
        "nats_client: deferred frames",
    ),
    (Client, "_send_unsubscribe", ["self", "sid", "limit"], "nats_private: leaving a NATS server"),
    (asyncpg.Connection, "_check_open", ["self"], "asyncpg_private.require_open"),
    (asyncpg.Connection, "_drop_global_statement_cache", ["self"], "asyncpg_private: overridden"),
    (asyncpg.Connection, "_drop_global_type_cache", ["self"], "asyncpg_private: overridden"),
    (asyncpg.Connection, "_drop_local_statement_cache", ["self"], "asyncpg_private: siblings"),
    (asyncpg.Connection, "_drop_local_type_cache", ["self"], "asyncpg_private: siblings"),
    (
        asyncpg.Connection,
        "_cancel_current_command",
        ["self", "waiter", "cancel_waiter"],
        "asyncpg_private: overridden, so that nothing asks to cancel a COMMIT",
    ),
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


TRANSPORT = TcpTransport()  # type: ignore[no-untyped-call]
ATTRIBUTES = [
    (Client(), "_current_server", type(None), "nats_client: no password without TLS"),
    (Client(), "_server_info", dict, "nats_client: no password without TLS"),
    (Client(), "_subs", dict, "nats_private.unsubscribe_requests"),
    (Client(), "_resp_map", dict, "nats_private.pending_replies"),
    (Client(), "_resp_sub_prefix", (bytearray, type(None)), "nats_private.unsubscribe_requests"),
    (Client(), "_pending", list, "nats_sender: what waits to be written"),
    (Client(), "_pending_data_size", int, "nats_sender: what waits to be written"),
    (Client(), "_max_pending_size", int, "nats_sender.SendingClient.send"),
    (Client(), "_max_payload", int, "nats_sender.SendingClient.send"),
    (Client(), "_pongs", list, "nats_client: PONG"),
    (Client(), "_pongs_received", int, "nats_client: PONG"),
    (Client(), "_pings_outstanding", int, "nats_client: PONG"),
    (Client(), "_ps", Parser, "nats_client: INFO and -ERR"),
    (Client(), "_error_cb", FunctionType, "nats_client: a lost connection"),
    (TRANSPORT, "_io_reader", type(None), "nats_client: the protocol takes over"),
    (TRANSPORT, "_io_writer", type(None), "nats_client: the protocol takes over"),
    (Subscription(Client()), "_received", int, "nats_client.NatsClient.handle"),
    (Subscription(Client()), "_pending_size", int, "nats_client.NatsClient.handle"),
    (Subscription(Client()), "_pending_queue", asyncio.Queue, "nats_client.NatsClient.handle"),
    (Subscription(Client()), "_pending_bytes_limit", int, "nats_client._has_room"),
    (Subscription(Client()), "_max_msgs", int, "nats_client._has_room"),
    (Subscription(Client()), "_future", type(None), "nats_client._has_room"),
    (Subscription(Client()), "_jsi", type(None), "nats_client._has_room"),
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


def test_nats_py_writes_to_its_transport_where_we_know_of_it() -> None:
    """Elsewhere its bytes could overtake those that wait to be written. It writes during the handshake and
    when it replays subscriptions, before anything of ours, and at the end, after everything; the other
    three are replaced."""
    source = ast.parse(inspect.getsource(Client))
    writers = {
        function.name
        for function in ast.walk(source)
        if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("self._transport.write", "self._transport.writelines")
    }
    replaced = {"_send_ping", "_flush_pending", "_flusher"}

    assert writers == {"_process_connect_init", "_attempt_reconnect", "_close"} | replaced, (
        "nats_client depends on who writes."
    )


def test_nats_py_sends_commands_by_the_list_that_waits() -> None:
    """SUB, UNSUB and PONG stand in it in the order of the calls."""
    source = inspect.getsource(vars(Client)["_send_command"])

    assert "self._pending.append(cmd)" in source, "nats_client depends on it."
    assert "self._pending_data_size += len(cmd)" in source, "nats_client depends on it."


def test_names_of_our_own_are_not_taken_by_nats_py() -> None:
    """A member of the same name in a new version would be replaced without a sign."""
    replaced = {name for owner, name, *_ in FUNCTIONS if owner is Client} | {"publish", "request"}
    members = vars(SendingClient) | vars(NatsClient)
    ours = {name for name in members if not name.startswith("__")} - replaced

    assert not ours & set(dir(Client())), "a new version of nats-py has a member of that name"
    assert set(vars(NatsClient())) - set(vars(Client())) == {
        "_protocol",
        "_write_planned",
        "_reply_prefix",
        "_receivers",
        "_request_ids",
        "lost_at",
        "server",
    }


def test_connections_of_asyncpg_have_a_transport_and_a_protocol() -> None:
    """They are slots: an object needs a server."""
    for name in ("_transport", "_protocol", "_aborted"):
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


def test_services_of_nats_have_endpoints_with_subscriptions() -> None:
    """They are set when a service starts: their source is looked at."""
    for owner, name in (
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
