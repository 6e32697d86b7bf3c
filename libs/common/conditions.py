"""The condition of a request, which its handler checks under the lock that guards its write.

`If-Match` travels in the Context (`if_match`). The serving side takes it out of the Context, so that
calls which the handler makes itself have no condition. Until `check` has compared it, no transaction
of the handler commits (`common.db`): a handler that forgets it does nothing.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any, Final

from common.contracts.base import Request
from common.contracts.versioned import ChangedMeanwhile, ConditionUnsupported, Versioned

ANY: Final = "*"
"""Holds for every object that exists (RFC 9110 section 13.1.1)."""
ABSENT: Final = "-"
"""Holds if there is no such object, as `If-None-Match: *` wants it (RFC 9110 section 13.1.2)."""


@dataclass(slots=True)
class Condition:
    """The entity tags of which one must be current."""

    etags: tuple[str, ...]
    checked: bool = False


_condition: ContextVar[Condition | None] = ContextVar("condition", default=None)


class condition_of:
    """Sets the condition of the request that is handled within. Raises ConditionUnsupported if handlers
    of this contract check none."""

    __slots__ = ("_condition", "_token")

    _token: Token[Condition | None]

    def __init__(self, contract: type[Request[Any]], if_match: tuple[str, ...] | None) -> None:
        if if_match is not None and not contract.conditional:
            raise ConditionUnsupported
        self._condition = None if if_match is None else Condition(if_match)

    def __enter__(self) -> None:
        self._token = _condition.set(self._condition)

    def __exit__(self, *_: object) -> None:
        _condition.reset(self._token)


def is_conditional() -> bool:
    """Returns whether the request has a condition. Without one, a handler need not read what `check`
    compares."""
    return _condition.get() is not None


def check(current: Versioned | None) -> None:
    """Raises ChangedMeanwhile if the request has a condition that does not hold for the object. Call
    it in the transaction that writes, after the lock. `current` is what GET shows the caller now, and
    None if there is no such object."""
    condition = _condition.get()
    if condition is None:
        return
    if current is None and ABSENT not in condition.etags:
        raise ChangedMeanwhile
    if current is not None and not matches(condition.etags, current):
        raise ChangedMeanwhile(etag=current.etag)
    condition.checked = True


def matches(etags: tuple[str, ...], current: Versioned) -> bool:
    """Returns whether one of the tags is that of the object. Weak tags never are, because they are
    compared as they were sent (RFC 9110 section 8.8.3.2)."""
    return ANY in etags or current.etag in etags


def refuse_unchecked() -> None:
    """Raises ConditionUnsupported if the request has a condition that was not checked yet."""
    condition = _condition.get()
    if condition is not None and not condition.checked:
        raise ConditionUnsupported
