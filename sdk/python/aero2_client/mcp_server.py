"""Access tokens of Aero2 for servers of the package `mcp`: give both to `MCPServer`."""

from __future__ import annotations

import jwt
from mcp.server.auth.provider import AccessToken as McpAccessToken
from mcp.server.auth.settings import AuthSettings

from aero2_client.jwks import KeysUnavailable
from aero2_client.resource import ProtectedResource


class TokenVerifier:
    """Checks tokens for a resource, as `mcp` asks for it."""

    def __init__(self, resource: ProtectedResource) -> None:
        """Checks tokens for this resource."""
        self._resource = resource

    async def verify_token(self, token: str) -> McpAccessToken | None:
        """Returns what a valid token says, or None."""
        try:
            access_token = await self._resource.verify(token)
        except (jwt.InvalidTokenError, KeysUnavailable):
            return None
        return McpAccessToken(
            token=token,
            client_id=access_token.client_id,
            scopes=sorted(access_token.scopes),
            expires_at=access_token.expires_at,
            resource=self._resource.resource,
            subject=access_token.subject,
            claims=dict(access_token.claims),
        )


def auth_settings(resource: ProtectedResource) -> AuthSettings:
    """Returns the settings of `mcp` for a resource: it serves the metadata and answers 401 and 403."""
    return AuthSettings.model_validate(
        {
            "issuer_url": resource.issuer,
            "resource_server_url": resource.resource,
            "required_scopes": list(resource.scopes) or None,
            "validate_token_resource": True,
        }
    )
