"""Identifiers of token types in token exchange (RFC 8693 section 3)."""

from __future__ import annotations

from typing import Final

ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
"""An assertion of an identity provider."""
ID_JAG: Final = "urn:ietf:params:oauth:token-type:id-jag"
"""An assertion for another authorization server (draft-ietf-oauth-identity-assertion-authz-grant)."""
NOT_APPLICABLE: Final = "N_A"
"""The `token_type` of what is no access token (RFC 8693 section 2.2.1)."""
