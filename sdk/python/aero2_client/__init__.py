"""Protects an API or an MCP server with the access tokens of Aero2 (RFC 9068, RFC 9728, RFC 6750)."""

from aero2_client.asgi import BearerGuard
from aero2_client.jwks import KeysUnavailable, SigningKeys
from aero2_client.metadata import WrongResource, check_metadata, metadata_url
from aero2_client.resource import AccessToken, ProtectedResource, Refused

__all__ = [
    "AccessToken",
    "BearerGuard",
    "KeysUnavailable",
    "ProtectedResource",
    "Refused",
    "SigningKeys",
    "WrongResource",
    "check_metadata",
    "metadata_url",
]
