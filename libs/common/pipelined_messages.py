"""Messages of PostgreSQL's extended query protocol that go ahead of a statement of asyncpg's.

Everything up to asyncpg's Sync is sent together and takes one round trip (PostgreSQL documentation, section
55.2.4, pipelining). Values go as text, which the server reads as it reads literals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

import orjson

BEGIN: Final = "BEGIN"
COMMIT: Final = "COMMIT"
BINDING: Final = "PREPARE aero2_bind (text) AS SELECT bind_application($1)"
"""Prepared once on each connection. Sets `aero2.app_id` as SET LOCAL does. Refuses an application that is
closed (docs/adr/0034)."""
BINDING_AT: Final = "PREPARE aero2_bind (text) AS SELECT bind_at_home($1, '%s')"
"""The same in a deployment with several clusters: refuses an application with another home."""
_EXECUTE: Final = b"E" + (9).to_bytes(4, "big") + b"\x00" + b"\x00\x00\x00\x00"
"""The unnamed portal is executed to its end."""
_NULL: Final = (-1).to_bytes(4, "big", signed=True)


@dataclass(frozen=True, slots=True)
class DeferredStatement:
    """A statement whose result nobody reads. `values` are its arguments, encoded."""

    sql: LiteralString
    values: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Preamble:
    """Messages ahead of a statement: the beginning of its transaction, the binding to an application,
    and statements that were deferred, in this order."""

    begins: bool = False
    app_id: str | None = None
    deferred: Sequence[DeferredStatement] = ()

    def statements(self) -> list[LiteralString]:
        """Returns the texts of the statements that asyncpg must have prepared."""
        return [*([BEGIN] if self.begins else ()), *(one.sql for one in self.deferred)]

    def replies(self) -> int:
        """Returns how many commands the server completes before the statement."""
        return self.begins + (self.app_id is not None) + len(self.deferred)

    def encoded(self, names: Sequence[str]) -> bytes:
        """Returns the messages. `names` are those of `statements`, as they were prepared."""
        parts: list[bytes] = []
        named = iter(names)
        if self.begins:
            parts.append(bind_and_execute(next(named)))
        if self.app_id is not None:
            parts.append(_binding(self.app_id))
        parts += [
            bind_and_execute(name, one.values)
            for name, one in zip(named, self.deferred, strict=True)
        ]
        return b"".join(parts)


def bind_and_execute(name: str, values: Sequence[bytes | None] = ()) -> bytes:
    """Returns Bind and Execute of a prepared statement, with values as text."""
    content = b"".join(
        _NULL if value is None else len(value).to_bytes(4, "big") + value for value in values
    )
    count = len(values).to_bytes(2, "big")
    body = b"\x00" + name.encode() + b"\x00" + b"\x00\x00" + count + content + b"\x00\x00"
    return b"B" + (4 + len(body)).to_bytes(4, "big") + body + _EXECUTE


_PLACE: Final = b"?" * 36
_BIND_START, _, _BIND_END = bind_and_execute("aero2_bind", (_PLACE,)).partition(_PLACE)


def _binding(app_id: str) -> bytes:
    """Returns the messages that bind the transaction to an application. The id is the text of a UUID."""
    return _BIND_START + app_id.encode("ascii") + _BIND_END


def text_of(value: Any) -> bytes | None:
    """Returns a value as the server reads it in a literal. Raises TypeError for a type that no deferred
    statement has."""
    match value:
        case None:
            return None
        case bool():
            return b"t" if value else b"f"
        case str():
            return value.encode()
        case int() | float():
            return repr(value).encode()
        case bytes():
            return b"\\x" + value.hex().encode()
        case datetime():
            return value.isoformat().encode()
        case dict():
            return orjson.dumps(value)
        case list() if all(isinstance(one, str) for one in value):
            return b"{" + b",".join(map(_quoted, value)) + b"}"
    raise TypeError(f"{type(value).__name__} cannot be deferred")


def _quoted(element: str) -> bytes:
    """Returns an element of an array (PostgreSQL documentation, section 8.15.6)."""
    escaped = element.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode()
