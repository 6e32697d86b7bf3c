"""The base of all contracts: subject, permission, time limit, fields of request and reply."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

SIGNED_IN: Final = "@signed-in"
"""Any user or developer acting for themselves."""
KNOWN: Final = "@known"
"""Anybody but a stranger; the handler decides by resource: an organization's own admins and
holders of a right over all organizations do the same things."""
SYSTEM: Final = "@system"
"""Another service or the command line, never somebody from outside."""
OPEN: Final = None
"""Anybody, signed in or not. Every open contract stands in a list that a test holds."""


Id: TypeAlias = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
        to_lower=True,
    ),
]
"""The text of a UUID; capitals are accepted and become small (RFC 9562 section 4)."""


class Contract(BaseModel):
    """Unknown fields are ignored, so services may be deployed in any order."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    omits_none: ClassVar[bool] = False
    """As a reply: absent members are left out, not null (OAuth's way)."""

    def __init_subclass__(cls, *, omit_none: bool = False, **_: Any) -> None:
        super().__init_subclass__()
        if omit_none:
            cls.omits_none = True


R = TypeVar("R", bound=Contract)


class Request(Contract, Generic[R]):
    """A question that one service answers. `Request[Reply]` names the type of the answer.

    `subject` is `<service>.<noun>.<verb>`; `needs` the permission the caller must hold, or
    SIGNED_IN, KNOWN, SYSTEM or OPEN; `within` the time limit in seconds; `safe` says that asking
    twice does no harm, so the bus may retry on another replica. `teammates`: in the Dashboard a
    developer may ask without `developers:read`, and the handler shows members of the caller's teams
    only. `fresh`: a user or developer must have proven who they are a short time ago
    (`common.freshness`). `impersonated` says whether somebody who acts as a user may ask; by default,
    whatever only reads. `guests` says whether a user without credentials may. `conditional`: the
    handler checks an `If-Match` of the caller (`common.conditions`); all other contracts refuse one.
    """

    subject: ClassVar[str] = ""
    needs: ClassVar[str | None] = SYSTEM
    within: ClassVar[float] = 2.0
    safe: ClassVar[bool] = False
    teammates: ClassVar[bool] = False
    impersonated: ClassVar[bool] = False
    guests: ClassVar[bool] = True
    fresh: ClassVar[bool] = False
    conditional: ClassVar[bool] = False
    reply: ClassVar[type[Contract]]

    def __init_subclass__(
        cls,
        *,
        subject: str = "",
        needs: str | None = SYSTEM,
        within: float = 2.0,
        safe: bool = False,
        teammates: bool = False,
        impersonated: bool | None = None,
        guests: bool = True,
        fresh: bool = False,
        conditional: bool = False,
        **_: Any,
    ) -> None:
        super().__init_subclass__()
        if not subject:  # the generic alias Request[Reply] itself, or a shared base
            return
        cls.subject, cls.needs, cls.within, cls.safe = subject, needs, within, safe
        cls.teammates, cls.fresh, cls.guests = teammates, fresh, guests
        cls.conditional = conditional
        reads = safe and not fresh and not (needs or "").endswith((":write", ":delete"))
        cls.impersonated = reads if impersonated is None else impersonated
        cls.reply = _reply_of(cls)
        if subject in CONTRACTS:
            raise TypeError(f"subject {subject!r} is already taken")
        CONTRACTS[subject] = cls


CONTRACTS: dict[str, type[Request[Any]]] = {}
"""Every contract by its subject, filled as the contract modules are imported."""


def _reply_of(cls: type[Request[Any]]) -> type[Contract]:
    for base in cls.__mro__[1:]:
        args = getattr(base, "__pydantic_generic_metadata__", {}).get("args", ())
        if args and isinstance(args[0], type):
            return args[0]
    raise TypeError(f"{cls.__name__} does not name its reply: Request[Reply]")


class Page(Contract):
    """The parameters of every list: at most `limit` objects after `cursor`."""

    limit: int = Field(default=50, ge=1, le=100, description="The largest number of objects.")
    cursor: str | None = Field(default=None, description="The value of `next` of the last page.")


class Done(Contract):
    """An empty answer: the call succeeded."""


class OpenContract(Contract):
    """A JSON document of a standard. It can have more members than this class names."""

    model_config = ConfigDict(frozen=True, extra="allow")
