"""Errors of OAuth 2.0 and OpenID Connect."""

from __future__ import annotations

from common.problems import Problem


class OAuthError(Problem):
    """RFC 6749 section 5.2. `code` is the OAuth `error`, `detail` its description."""

    status, code, title = 400, "invalid_request", "The request is missing something or malformed."


class SignInOver(OAuthError):
    """Shown to the person alone, because the client has nothing to correct."""

    code, title = "sign_in_over", "This sign-in was finished already, or took too long."


class InvalidGrant(OAuthError):
    code, title = "invalid_grant", "The grant is unknown, used, expired or of another client."


class InvalidClient(OAuthError):
    status, code, title = 401, "invalid_client", "Client authentication failed."


class UnauthorizedClient(OAuthError):
    code, title = "unauthorized_client", "This client may not use this grant."


class UnsupportedGrantType(OAuthError):
    code, title = "unsupported_grant_type", "This grant type is not supported."


class InvalidScope(OAuthError):
    code, title = "invalid_scope", "A scope is unknown or not allowed for this client."


class InvalidTarget(OAuthError):
    """RFC 8707 section 2."""

    code, title = "invalid_target", "The resource is unknown or not allowed."


class InvalidToken(OAuthError):
    """RFC 6750 section 3.1."""

    status, code, title = 401, "invalid_token", "The access token is not valid."


class InsufficientScope(OAuthError):
    """RFC 6750 section 3.1."""

    status, code, title = 403, "insufficient_scope", "The access token lacks a scope."


class LoginRequired(OAuthError):
    """OpenID Connect Core section 3.1.2.6."""

    code, title = "login_required", "The user must sign in."


class ConsentRequired(OAuthError):
    code, title = "consent_required", "The user must consent."


class AccountSelectionRequired(OAuthError):
    code, title = "account_selection_required", "The user must choose an account."


class UnmetAuthenticationRequirements(OAuthError):
    """OpenID Connect Core Error Code unmet_authentication_requirements 1.0."""

    code = "unmet_authentication_requirements"
    title = "The user cannot be signed in the way this is asked for."


class AccessDenied(OAuthError):
    """RFC 6749 section 4.1.2.1."""

    code, title = "access_denied", "The user denied the request."


class UnsupportedResponseType(OAuthError):
    code, title = "unsupported_response_type", "Only the response type `code` is supported."


class RequestNotSupported(OAuthError):
    """OpenID Connect Core section 6."""

    code, title = "request_not_supported", "Request objects are not supported."


class RequestUriNotSupported(OAuthError):
    code, title = "request_uri_not_supported", "Request objects by reference are not supported."
