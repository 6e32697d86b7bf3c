"""The kinds of data that a conversion cannot take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

LEFT_OUT: Final = {
    "unreadable": "cannot be read",
    "deleted": "are deleted",
    "anonymous": "are anonymous: nobody can sign in as them again",
    "no_address": "have no e-mail address, and no id that can be kept",
    "address_refused": "have an address that is not valid",
    "same_address": "have the address of another user of the export, who is taken instead",
}
"""Reasons for which a user is not in the result."""

TAKEN_WITHOUT: Final = {
    "no_password": "have no password hash: they choose a password by mail, or use another way in",
    "hash_refused": "have a password hash that cannot be verified: they choose a password by mail",
    "second_factor": "have a second factor that is lost: they set it up again",
    "identity": "sign in with a provider: their accounts are linked when they do so here",
    "further_address": "have further addresses: only the first one is taken",
    "further_phone_number": "have further phone numbers: only the first one is taken",
    "roles": "have roles: assign them after the import",
    "groups": "are in groups or organizations: add them after the import",
    "required_action": "have to do something at their next sign-in: ask for it again",
    "ban_without_end": "are banned until some day: they are disabled until you enable them",
    "field_refused": "have a field that is not valid here, which is left out",
}
"""Losses of a user who is in the result."""


@dataclass(frozen=True)
class Finding:
    """Something of one user that was not taken. `detail` names a field, a provider or a reason; it is never
    a value of the user."""

    code: str
    detail: str | None = None


@dataclass
class Converted:
    """A user of another system: the fields of an import, and what is not among them. `old_id` is how the other
    system knows them."""

    old_id: str
    fields: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def miss(self, code: str, detail: str | None = None) -> None:
        """Notes something that is not taken."""
        self.findings.append(Finding(code, detail))

    @property
    def left_out(self) -> bool:
        """Returns whether the user must not be in the result."""
        return any(finding.code in LEFT_OUT for finding in self.findings)
