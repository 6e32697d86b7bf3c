"""Audit events in plain words: one line for each type of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.message_ids import N_


@dataclass(frozen=True)
class EventLine:
    """How a page shows a type of event. `text` is an id of the catalogue of texts. `tone` is empty, or
    `warn` or `bad` for what somebody should look at."""

    text: str
    icon: str
    tone: str = ""


def _lines(icon: str, **texts: str) -> dict[str, EventLine]:
    return {name: EventLine(text, icon) for name, text in texts.items()}


def _bad(icon: str, **texts: str) -> dict[str, EventLine]:
    return {name: EventLine(text, icon, "bad") for name, text in texts.items()}


def _warn(icon: str, **texts: str) -> dict[str, EventLine]:
    return {name: EventLine(text, icon, "warn") for name, text in texts.items()}


SESSIONS: Final = {
    **_lines(
        "check",
        login=N_("Signed in"),
        device_remembered=N_("Device remembered"),
    ),
    **_lines(
        "signout",
        logout=N_("Signed out"),
        session_revoked=N_("Session ended"),
        sessions_revoked=N_("All sessions ended"),
        device_forgotten=N_("Remembered device forgotten"),
    ),
    **_lines("mail", email_code_sent=N_("Code sent by e-mail")),
    **_bad(
        "fail",
        login_failed=N_("Sign-in failed"),
        idp_sign_in_failed=N_("Sign-in with an identity provider failed"),
        passkey_refused=N_("Passkey not accepted"),
    ),
    **_warn("lock", sign_in_locked=N_("Address locked after too many wrong passwords")),
    **_warn(
        "user",
        impersonation_started=N_("Impersonation started"),
        impersonation_ended=N_("Impersonation ended"),
    ),
}
USERS: Final = {
    **_lines(
        "user",
        user_created=N_("User created"),
        user_updated=N_("Profile changed"),
        user_disabled=N_("User disabled"),
        user_enabled=N_("User enabled"),
        user_unlocked=N_("User unlocked"),
        user_deleted=N_("User deleted"),
        user_verified=N_("E-mail address verified"),
        users_imported=N_("Users imported"),
        user_batch_started=N_("Act on many users started"),
        user_batch_ended=N_("Act on many users ended"),
        email_changed=N_("E-mail address changed"),
        guest_upgraded=N_("Guest became a user"),
        guest_kept=N_("Guest signed in to an existing account"),
        owner_claimed=N_("Owner link used"),
        identity_linked=N_("Account at an identity provider connected"),
        identity_unlinked=N_("Account at an identity provider disconnected"),
        unproven_credentials_ended=N_("Credentials from before the address was proven ended"),
    ),
    **_lines(
        "mail",
        user_invited=N_("User invited"),
        user_invitation_revoked=N_("Invitation revoked"),
        user_invitation_accepted=N_("Invitation accepted"),
        mail_template_changed=N_("Mail template changed"),
        mail_sender_changed=N_("Mail server changed"),
        mail_sender_deleted=N_("Mail server deleted"),
        mail_sender_recovered=N_("Mail server works again"),
    ),
    **_bad("mail", mail_sender_failed=N_("Mail server failed")),
    **_lines(
        "lock",
        password_changed=N_("Password changed"),
        password_reset=N_("Password reset by e-mail"),
        password_reset_forced=N_("Password reset forced"),
        totp_enabled=N_("Authenticator app turned on"),
        totp_disabled=N_("Authenticator app turned off"),
        recovery_codes_created=N_("Recovery codes created"),
        recovery_code_used=N_("Recovery code used"),
        second_factors_reset=N_("Second factors removed"),
    ),
    **_lines(
        "passkey",
        passkey_added=N_("Passkey added"),
        passkey_removed=N_("Passkey removed"),
        passkey_renamed=N_("Passkey renamed"),
    ),
}
BUILDING: Final = {
    **_lines(
        "sliders",
        application_created=N_("Application created"),
        application_updated=N_("Settings changed"),
        application_moved=N_("Application moved to another database cluster"),
        application_transferred=N_("Application transferred to another team"),
        application_deleted=N_("Application deleted"),
        scope_changed=N_("Scope or API changed"),
        audit_pruned=N_("Old events removed"),
        platform_settings_updated=N_("Settings of the platform changed"),
    ),
    **_warn(
        "shield",
        operator_entered=N_("An operator opened the application"),
        users_searched=N_("An operator searched all applications for an address"),
        user_located=N_("An operator found this user by their address"),
        support_view_opened=N_("An operator opened the data of a user"),
    ),
    **_lines(
        "key",
        api_key_created=N_("API key created"),
        api_key_rotated=N_("API key rotated"),
        api_key_revoked=N_("API key revoked"),
        signing_keys_rotated=N_("Signing keys rotated"),
        idp_token_read=N_("Token of a connected account read"),
    ),
    **_lines(
        "globe",
        custom_domain_added=N_("Domain added"),
        custom_domain_verified=N_("Domain verified"),
        custom_domain_made_primary=N_("Primary domain changed"),
        custom_domain_removed=N_("Domain removed"),
    ),
    **_bad("globe", custom_domain_lost=N_("Domain no longer verified")),
    **_lines(
        "client",
        client_created=N_("OAuth client created"),
        client_registered=N_("OAuth client registered itself"),
        client_expired=N_("Unused OAuth client deleted"),
        initial_access_token_created=N_("Initial access token created"),
        initial_access_token_deleted=N_("Initial access token revoked"),
        client_updated=N_("OAuth client changed"),
        client_disabled=N_("OAuth client disabled"),
        client_enabled=N_("OAuth client enabled"),
        client_deleted=N_("OAuth client deleted"),
        client_document_pinned=N_("Copy of a client's document stored"),
        client_document_forgotten=N_("Client's document forgotten"),
        client_secret_created=N_("Client secret created"),
        client_secret_deleted=N_("Client secret deleted"),
        exchange_policy_created=N_("Client allowed to exchange tokens"),
        exchange_policy_deleted=N_("Client no longer allowed to exchange tokens"),
        consent_granted=N_("Access granted to an OAuth client"),
        grant_revoked=N_("Access of an OAuth client revoked"),
        authorization_granted=N_("Authorization code issued"),
        token_issued=N_("Tokens issued"),
        token_refreshed=N_("Tokens refreshed"),
        token_revoked=N_("Token revoked"),
        client_token_issued=N_("OAuth client got a token for itself"),
        token_exchanged=N_("Token exchanged"),
        assertion_exchanged=N_("Assertion exchanged for a token"),
        assertion_issued=N_("Assertion for another server issued"),
        device_authorization_started=N_("Device asked to be signed in"),
        device_authorization_approved=N_("Device signed in by a code"),
        device_revoked=N_("Device signed out"),
    ),
    **_warn("client", device_authorization_denied=N_("Device refused")),
    **_warn("client", user_code_failed=N_("Wrong code of a device typed")),
    **_bad(
        "alert",
        authorization_code_reused=N_("Authorization code presented twice"),
        refresh_token_reused=N_("Refresh token presented twice"),
    ),
    **_lines(
        "provider",
        idp_created=N_("Identity provider created"),
        idp_updated=N_("Identity provider changed"),
        idp_deleted=N_("Identity provider deleted"),
    ),
}
RIGHTS: Final = {
    **_lines(
        "shield",
        role_created=N_("Role created"),
        role_updated=N_("Role changed"),
        role_deleted=N_("Role deleted"),
        role_assigned=N_("Role assigned"),
        role_unassigned=N_("Role removed from a user"),
        permission_created=N_("Permission created"),
        permission_updated=N_("Permission changed"),
        permission_deleted=N_("Permission deleted"),
    ),
    **_lines(
        "org",
        org_created=N_("Organization created"),
        org_updated=N_("Organization changed"),
        org_deleted=N_("Organization deleted"),
        org_activated=N_("Active organization changed"),
        member_added=N_("Member added"),
        member_role_changed=N_("Role of a member changed"),
        member_removed=N_("Member removed"),
        org_invitation_sent=N_("Invited to an organization"),
        org_invitation_revoked=N_("Invitation to an organization revoked"),
        org_invitation_accepted=N_("Invitation to an organization accepted"),
        org_domain_added=N_("Domain of an organization added"),
        org_domain_verified=N_("Domain of an organization verified"),
        org_domain_updated=N_("Rules of an organization's domain changed"),
        org_domain_removed=N_("Domain of an organization removed"),
    ),
    **_warn(
        "org",
        org_admin_lost=N_("Organization lost its last admin"),
        org_domain_lost=N_("Domain of an organization no longer verified"),
    ),
}
GROUPS: Final = (
    (N_("Signing in"), SESSIONS),
    (N_("People"), USERS),
    (N_("Roles and organizations"), RIGHTS),
    (N_("Building"), BUILDING),
)
LINES: Final[dict[str, EventLine]] = {
    name: line for _, lines in GROUPS for name, line in lines.items()
}
BY_OPERATORS: Final = frozenset(
    {"operator_entered", "users_searched", "user_located", "support_view_opened"}
)
"""Events of operators. In the log of an application their actor is a developer of no team."""


def line_of(event_type: str) -> EventLine:
    """Returns the line of a type. A type that is newer than this process shows its own name."""
    return LINES.get(event_type) or EventLine(event_type, "log")
