"""Problems: errors that a caller may see. They cross the bus whole; any other error becomes a bare
`internal`."""

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
        """Returns the problem as a reply on the bus."""
        return {"status": self.status, "code": self.code, "detail": self.detail, **self.extra}

    @staticmethod
    def from_wire(wire: dict[str, Any]) -> Problem:
        """Restores the problem. A code that a newer peer sent, and that is unknown here, becomes
        the general kind of its status."""
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
    """The request is malformed and cannot be understood."""

    status, code, title = 400, "bad_request", "The request cannot be understood."


class Unauthenticated(Problem):
    """Nobody is signed in, or the credential is not valid."""

    status, code, title = 401, "unauthenticated", "Sign in first."


class Forbidden(Problem):
    """The caller is known, but lacks the right for this kind of action."""

    status, code, title = 403, "forbidden", "You may not do this."


class Impersonating(Forbidden):
    """The call is refused to somebody who acts as a user."""

    code = "impersonating"
    title = "You are acting as this user. End the impersonation to do this."


class GuestRefused(Forbidden):
    """The call is refused to a guest, who has no credentials yet."""

    code, title = "guest_refused", "Create an account first. Guests can't do this."


class NotFound(Problem):
    """The object does not exist, or belongs to another application: both answer alike."""

    status, code, title = 404, "not_found", "There is no such thing here."


class Conflict(Problem):
    """The request contradicts what exists already."""

    status, code, title = 409, "conflict", "This contradicts what is there already."


class Gone(Problem):
    """A link or code that was used or has expired."""

    status, code, title = 410, "gone", "This has expired or was used already."


class TooLarge(Problem):
    """The request has more bytes than are read."""

    status, code, title = 413, "too_large", "The request is too large."


class Misdirected(Problem):
    """RFC 9110 section 15.5.20."""

    status, code, title = 421, "misdirected", "This host serves no application."


class Invalid(Problem):
    """Well-formed but wrong. `errors` lists a `FieldError` for each field."""

    status, code, title = 422, "invalid", "Some fields are not valid."


class RateLimited(Problem):
    """Too many attempts. `retry_after` is in seconds."""

    status, code, title = 429, "rate_limited", "Too many attempts. Wait a little."


class Unavailable(Problem):
    """The service that should answer is away. `retry_after` is in seconds."""

    status, code, title = 503, "unavailable", "This part of the service is not available right now."


class Busy(Unavailable):
    """The service is there, but its queue is full: nothing was started."""

    code, title = "busy", "The service is busy. Try again in a moment."


class Outdated(Unavailable):
    """The transaction was rolled back because a table has changed: the same request succeeds when
    it is repeated."""

    code, title = "outdated", "The service is being updated. Try again in a moment."


class TooLate(Problem):
    """The work took longer than the caller would wait."""

    status, code, title = 504, "deadline_exceeded", "This took too long."
