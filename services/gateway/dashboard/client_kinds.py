"""The kinds of OAuth clients: how each proves itself, and what its form asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.contracts.clients import ClientType
from common.message_ids import N_


@dataclass(frozen=True)
class ClientKind:
    """A kind as a card shows it. `proof` has words of the protocol, which are not translated.
    `uri_hint` is None for clients without users, which have no redirect URI."""

    type: ClientType
    name: str
    icon: str
    says: str
    proof: str
    uri_hint: str | None = None
    example: str = ""


KINDS: Final[dict[str, ClientKind]] = {
    kind.type: kind
    for kind in (
        ClientKind(
            "web",
            N_("Web application"),
            "globe",
            N_("Its pages come from your server, which can keep a secret."),
            "authorization_code, client_secret",
            N_(
                "Use the address on your server that handles the answer. Only localhost may use http."
            ),
            "https://app.example/callback",
        ),
        ClientKind(
            "spa",
            N_("Single-page application"),
            "client",
            N_("It runs in the browser alone and keeps no secret."),
            "authorization_code, PKCE",
            N_(
                "Use the address of the page that reads the answer. Its origin may call the API then."
            ),
            "https://app.example/",
        ),
        ClientKind(
            "native",
            N_("Mobile or desktop app"),
            "phone",
            N_("People install it on a device. It keeps no secret."),
            "authorization_code, PKCE",
            N_(
                "Use an https link of your app, a scheme like com.example.app:/, or http://127.0.0.1/."
            ),
            "com.example.app:/callback",
        ),
        ClientKind(
            "service",
            N_("Service without users"),
            "server",
            N_("A server or a job that acts for itself."),
            "client_credentials, client_secret",
        ),
    )
}


def kind_of(text: str | None) -> ClientKind:
    """Returns the kind with this name, or the first one."""
    return KINDS.get(text or "", KINDS["web"])
