"""Snippets of code that sign users in, filled in with an application's values. Each is one file of the
folder beside this module, and a test runs it as it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from common.contracts.clients import CreateClient
from gateway.dashboard.light_replies import ListedClient

FOLDER: Final = Path(__file__).parent / "snippets"
NO_CLIENT: Final = "YOUR_CLIENT_ID"
"""Stands in a snippet until its client exists."""


@dataclass(frozen=True)
class Snippet:
    """A program in one file. `client_type` is that of its OAuth client; None if it needs none. `port` is
    that of the program on the developer's machine, and `callback` the path to which users return."""

    key: str
    title: str
    client_type: Literal["web", "spa"] | None = "web"
    port: int = 8000
    callback: str = "/callback"

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    def client(self) -> CreateClient | None:
        """Returns the call that creates the client of the program."""
        if self.client_type is None:
            return None
        is_public = self.client_type == "spa"
        return CreateClient(
            name=self.title,
            type=self.client_type,
            redirect_uris=[self.origin + self.callback],
            post_logout_redirect_uris=[f"{self.origin}/", self.origin],
            allowed_origins=[self.origin] if is_public else [],
            token_endpoint_auth_method="none" if is_public else None,
        )

    def client_among(self, clients: Iterable[ListedClient]) -> ListedClient | None:
        """Returns the client of the program, if it was created already."""
        uri = self.origin + self.callback
        mine = (one for one in clients if one.name == self.title and uri in one.redirect_uris)
        return next(mine, None)

    def text(self, issuer: str, client_id: str | None) -> str:
        """Returns the program with the values of an application."""
        values = {
            "issuer": issuer,
            "client_id": client_id or NO_CLIENT,
            "origin": self.origin,
            "port": str(self.port),
        }
        text = _template(self.key)
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text


@cache
def _template(key: str) -> str:
    return (FOLDER / f"{key}.txt").read_text(encoding="utf-8").rstrip()


SNIPPETS: Final = (
    Snippet("curl", "curl", client_type=None),
    Snippet("fastapi", "FastAPI"),
    Snippet("django", "Django"),
    Snippet("flask", "Flask", port=5000),
    Snippet("express", "Express", port=3000),
    Snippet("nextjs", "Next.js", port=3000, callback="/api/auth/callback/aero2"),
    Snippet("html", "HTML", client_type="spa", callback="/"),
)


def snippet_of(key: str) -> Snippet | None:
    """Returns the snippet with this key, or None."""
    return next((snippet for snippet in SNIPPETS if snippet.key == key), None)
