"""Provider metadata (OpenID Connect Discovery 1.0, RFC 8414)."""

from __future__ import annotations

from common.contracts.base import OPEN, OpenContract, Request


class Configuration(OpenContract):
    """The provider metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2)."""

    issuer: str


class GetConfiguration(
    Request[Configuration], subject="oidc.configuration.get", needs=OPEN, within=2.0, safe=True
):
    """Returns the provider metadata: GET /.well-known/openid-configuration. The issuer is the
    origin of the context."""
