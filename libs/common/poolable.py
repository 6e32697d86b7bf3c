"""A connection as its pool sees it."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class Poolable(Protocol):
    """The methods that the pool calls."""

    def is_closed(self) -> bool:
        """Returns whether the connection is closed or lost."""
        ...

    def unfit(self) -> str | None:
        """Returns why nobody else may use the connection, or None."""
        ...

    def terminate(self) -> None:
        """Closes the connection without waiting."""
        ...

    async def close(self) -> None:
        """Tells the server and closes the connection."""
        ...


C = TypeVar("C", bound=Poolable)


class PoolMember(Generic[C]):
    """A connection of a pool, and when its time is over."""

    __slots__ = ("connection", "expires", "idle_since")

    def __init__(self, connection: C, expires: float) -> None:
        self.connection = connection
        self.expires = expires
        self.idle_since = 0.0
