"""Which clients a token concerns: its own, and those that stand for an API in its audience."""

from __future__ import annotations

from oidc.access_tokens import ValidAccessToken
from oidc.queries.clients import RegisteredClient


def concerns(client: RegisteredClient, token: ValidAccessToken) -> bool:
    """Returns whether the token is the client's own, or is for an API that the client stands for.

    A client stands for an API if its client_id is the API's identifier, or if the API is among its
    default resources.
    """
    audience = set(token.audience)
    return (
        token.client_id == client.client_id
        or client.client_id in audience
        or bool(audience & set(client.default_resources))
    )
