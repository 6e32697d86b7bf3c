"""Errors of OAuth 2.0 and OpenID Connect."""

from __future__ import annotations

from common.problems import Problem


class OAuthError(Problem):
    """An OAuth error (RFC 6749 section 5.2). `code` is its `error`, `detail` its description."""

    status, code, title = 400, "invalid_request", "A parameter is missing or malformed."


class SignInOver(OAuthError):
    """The pending request is finished or has expired. Only the user is told."""

    code, title = "sign_in_over", "This sign-in was already finished or took too long."


class InvalidGrant(OAuthError):
    """The grant is not valid (RFC 6749 section 5.2)."""

    code, title = "invalid_grant", "The grant is unknown, used, expired or for another client."


class InvalidClient(OAuthError):
    """The client could not be authenticated (RFC 6749 section 5.2)."""

    status, code, title = 401, "invalid_client", "Client authentication failed."


class UnauthorizedClient(OAuthError):
    """The client cannot use this grant type (RFC 6749 section 5.2)."""

    code, title = "unauthorized_client", "This client is not allowed to use this grant type."


class UnsupportedGrantType(OAuthError):
    """The server does not support this grant type (RFC 6749 section 5.2)."""

    code, title = "unsupported_grant_type", "This grant type is not supported."


class InvalidScope(OAuthError):
    """A scope is not valid (RFC 6749 section 5.2)."""

    code, title = "invalid_scope", "A scope is unknown or not allowed for this client."


class InvalidTarget(OAuthError):
    """The resource is not valid (RFC 8707 section 2)."""

    code, title = "invalid_target", "The resource is unknown or not allowed."


class InvalidToken(OAuthError):
    """The access token is not valid (RFC 6750 section 3.1)."""

    status, code, title = 401, "invalid_token", "The access token is not valid."


class InsufficientScope(OAuthError):
    """The access token has too few scopes (RFC 6750 section 3.1)."""

    status, code, title = 403, "insufficient_scope", "The access token lacks a required scope."


class LoginRequired(OAuthError):
    """The user must sign in (OpenID Connect Core section 3.1.2.6)."""

    code, title = "login_required", "The user must sign in."


class ConsentRequired(OAuthError):
    """The user must consent (OpenID Connect Core section 3.1.2.6)."""

    code, title = "consent_required", "The user must consent."


class AccountSelectionRequired(OAuthError):
    """The user must choose an account (OpenID Connect Core section 3.1.2.6)."""

    code, title = "account_selection_required", "The user must choose an account."


class UnmetAuthenticationRequirements(OAuthError):
    """The user cannot sign in as requested (OpenID Connect Core Error Code
    unmet_authentication_requirements 1.0)."""

    code = "unmet_authentication_requirements"
    title = "The user cannot sign in with the requested authentication."


class AccessDenied(OAuthError):
    """The user refused (RFC 6749 section 4.1.2.1)."""

    code, title = "access_denied", "The user denied the request."


class UnsupportedResponseType(OAuthError):
    """The response type is not supported (RFC 6749 section 4.1.2.1)."""

    code, title = "unsupported_response_type", "Only the response type `code` is supported."


class RequestNotSupported(OAuthError):
    """Request objects are not supported (OpenID Connect Core section 6)."""

    code, title = "request_not_supported", "Request objects are not supported."


class RequestUriNotSupported(OAuthError):
    """Request objects by reference are not supported (OpenID Connect Core section 6)."""

    code, title = "request_uri_not_supported", "Request objects by reference are not supported."


class UnusableClientDocument(OAuthError):
    """The document that the client_id names cannot be used. Only the user is told why."""

    code, title = "client_document_unusable", "The description of this client cannot be used."


class InvalidDpopProof(OAuthError):
    """The proof of possession is missing or not valid (RFC 9449 section 5)."""

    code, title = "invalid_dpop_proof", "The DPoP proof is missing or not valid."


class InvalidRequestObject(OAuthError):
    """The request object is not valid (RFC 9101 section 7)."""

    code, title = "invalid_request_object", "The request object is not valid."


class InvalidRequestUri(OAuthError):
    """The request URI names no request that waits (RFC 9101 section 7, RFC 9126 section 2.2)."""

    code = "invalid_request_uri"
    title = "The pushed authorization request is unknown, used or expired."


class PushedRequestsAreOff(OAuthError):
    """The application does not take pushed authorization requests (RFC 9126 section 2)."""

    status, code = 404, "pushed_requests_off"
    title = "Pushed authorization requests are not switched on."


class PushedRequestTooLarge(OAuthError):
    """The pushed authorization request is too large (RFC 9126 section 2.3)."""

    status, code = 413, "pushed_request_too_large"
    title = "The pushed authorization request is too large."


class UseDpopNonce(OAuthError):
    """The proof needs a nonce (RFC 9449 sections 8 and 9). `nonce` is one to use."""

    code, title = "use_dpop_nonce", "The DPoP proof needs a nonce of this server."
