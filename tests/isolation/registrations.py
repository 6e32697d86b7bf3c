"""A client of each side that registered itself, and the token that it had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.caller import Caller
from common.contracts.client_registration import (
    CreateInitialAccessToken,
    ListInitialAccessTokens,
    RegisterClient,
)

if TYPE_CHECKING:
    from tests.isolation.sides import Side, Sides


async def add_registration(sides: Sides, side: Side, key_holder: Caller) -> None:
    """Registers a client with a token that can register more. The application's setting asks for one."""
    token = await sides.ask(side, key_holder, CreateInitialAccessToken(name=f"CI of {side.word}"))
    metadata = {
        "redirect_uris": [f"https://agent.{side.word}.example/cb"],
        "client_name": f"Agent of {side.word}",
        "token_endpoint_auth_method": "none",
    }
    told = await sides.ask(side, None, RegisterClient(metadata=metadata, token=token.token))
    listed = await sides.ask(side, key_holder, ListInitialAccessTokens())
    side.things |= {
        "RegisterClient.token": token.token,
        "DeleteInitialAccessToken.id": listed.initial_access_tokens[0].id,
    }
    for contract in ("ReadRegistration", "ReplaceRegistration", "DeleteRegistration"):
        side.things |= {
            f"{contract}.client_id": told.client_id,
            f"{contract}.token": told.registration_access_token,
        }
