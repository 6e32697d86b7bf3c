"""Errors a caller may see. They cross the bus whole; anything else becomes a bare `internal`."""

from __future__ import annotations

from typing import Any, ClassVar

_BY_CODE: dict[str, type[Problem]] = {}
_BY_STATUS: dict[int, type[Problem]] = {}


class Problem(Exception):
    """The root. `status` is the HTTP status, `code` the machine-readable name, unique.

    `detail` is a sentence for the caller; `extra` further members of the problem document
    (RFC 9457 section 3.2). Neither ever holds a secret.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side."

    def __init_subclass__(cls) -> None:
        if "code" in cls.__dict__:
            if cls.code in _BY_CODE:
                raise TypeError(f"problem code {cls.code!r} is already taken")
            _BY_CODE[cls.code] = cls
        if "status" in cls.__dict__:
            _BY_STATUS.setdefault(cls.status, cls)

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail, self.extra = detail or self.title, extra

    def to_wire(self) -> dict[str, Any]:
        return {"status": self.status, "code": self.code, "detail": self.detail, **self.extra}

    @staticmethod
    def from_wire(wire: dict[str, Any]) -> Problem:
        """Restore the class, or its kind by status where a newer peer sent an unknown code."""
        extra = dict(wire)
        status, code, detail = (
            extra.pop("status", 500),
            extra.pop("code", ""),
            extra.pop("detail", ""),
        )
        kind = _BY_CODE.get(code) or _BY_STATUS.get(status) or Problem
        return kind(detail, **extra)


def problem_types() -> list[type[Problem]]:
    """Returns every kind of problem with a code of its own that has been imported."""
    return list(_BY_CODE.values())


class BadRequest(Problem):
    """What was sent cannot be understood."""

    status, code, title = 400, "bad_request", "The request cannot be understood."


class Unauthenticated(Problem):
    """Nobody, or somebody whose credential does not hold."""

    status, code, title = 401, "unauthenticated", "Sign in first."


class Forbidden(Problem):
    """Known, but without the right for this kind of action."""

    status, code, title = 403, "forbidden", "You may not do this."


class NotFound(Problem):
    """Missing, or not yours: the two look alike."""

    status, code, title = 404, "not_found", "There is no such thing here."


class Conflict(Problem):
    """It contradicts what is there already."""

    status, code, title = 409, "conflict", "This contradicts what is there already."


class Gone(Problem):
    """It was there and is no more: an expired or used link."""

    status, code, title = 410, "gone", "This has expired or was used already."


class TooLarge(Problem):
    """More bytes than we read."""

    status, code, title = 413, "too_large", "The request is too large."


class Misdirected(Problem):
    """RFC 9110 section 15.5.20."""

    status, code, title = 421, "misdirected", "This host serves no application."


class Invalid(Problem):
    """Well-formed but wrong. `errors` lists a `FieldError` for each field."""

    status, code, title = 422, "invalid", "Some fields are not valid."


class RateLimited(Problem):
    """Too often. `retry_after` is in seconds."""

    status, code, title = 429, "rate_limited", "Too many attempts. Wait a little."


class Unavailable(Problem):
    """Whoever should answer is not there. `retry_after` is in seconds."""

    status, code, title = 503, "unavailable", "This part of the service is not available right now."


class Busy(Unavailable):
    """There, but its queue is full: nothing was begun."""

    code, title = "busy", "The service is busy. Try again in a moment."


class Outdated(Unavailable):
    """Rolled back because a table has changed meanwhile: the same once more succeeds."""

    code, title = "outdated", "The service is being updated. Try again in a moment."


class TooLate(Problem):
    """It took longer than the caller would wait."""

    status, code, title = 504, "deadline_exceeded", "This took too long."
