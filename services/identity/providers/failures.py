"""The one exception of the relying party."""

from __future__ import annotations

from typing import Final, Literal

Step = Literal[
    "discovery", "keys", "token", "id_token", "userinfo", "issuer", "response", "assertion"
]
"""The step at which a sign-in with a provider ended."""
LONGEST: Final = 300
"""Characters of a detail."""


class ProviderFailed(Exception):
    """A provider did not answer, or its answer is refused. `step` says where and `detail` says why.

    The detail is for the developer's audit event; users see one general sentence. It holds no secret,
    and text of the provider in it is printable and short.
    """

    def __init__(self, step: Step, detail: str) -> None:
        self.step: Step = step
        self.detail = "".join(c if c.isprintable() else " " for c in detail)[:LONGEST]
        super().__init__(f"{step}: {self.detail}")
