"""Codes of field errors that the rules of a service raise, each with its message.

A rule looks further than the type of one value: at another field, or at the application.
`{name}` stands for a parameter. The hosted pages have each message in their own languages too.
"""

from __future__ import annotations

from typing import Final

from common.message_ids import N_

USER_ERRORS: Final = {
    # passwords
    "current_password_required": N_("Your current password is required."),
    "password_too_short": N_("The password must have at least {minimum} characters."),
    "password_too_long": N_("The password must have at most {maximum} bytes."),
    "password_empty": N_("A password must not be empty."),
    "password_common": N_(
        "The password is too common, or too close to your name, your address or this application."
    ),
    "password_guessable": N_(
        "The password is easy to guess. Use more words, or words that do not belong together."
    ),
    "password_breached": N_(
        "The password is in a published list of stolen passwords. Choose another one."
    ),
    "password_unchanged": N_("This is your current password. Choose another one."),
    "link_or_code_required": N_("A link or a code is required."),
    "credential_incomplete": N_("The browser's answer is incomplete: {place} is missing."),
    # second factors
    "factor_code_required": N_("A code or a recovery code is required, but not both."),
    # addresses
    "email_domain_refused": N_("Addresses of this domain cannot sign up here."),
    "email_disposable": N_("Use a permanent address. Disposable addresses cannot sign up here."),
    "no_email_to_verify": N_("There is no e-mail address to verify."),
    "no_phone_number_to_verify": N_("There is no phone number to verify."),
    # import
    "email_or_id_required": N_("An e-mail address or an ID is required."),
    "id_is_constant": N_("A UUID that repeats one digit is not accepted as an ID."),
    "time_in_future": N_("This time is in the future."),
    "password_and_hash": N_("Send a password or a hash, but not both."),
    "hash_too_long": N_("The hash is too long. Its maximum number of characters is {maximum}."),
    "hash_format_unknown": N_("Hashes of this format cannot be verified."),
    "hash_malformed": N_("The hash is malformed."),
    "hash_parameters_out_of_range": N_("The parameters of this {algorithm} hash are out of range."),
    "hash_digest_unknown": N_("PBKDF2 is verified only with {expected}."),
    "hash_needs_memory": N_("Verifying this hash takes more than {maximum} MiB of memory."),
    "hash_needs_time": N_("Verifying this hash takes too long: its parameters are too high."),
    "record_unreadable": N_("This record cannot be read: {reason}"),
    "record_too_large": N_("This record is too large."),
    # metadata
    "metadata_too_large": N_(
        "The metadata are too large. The maximum number of bytes is {maximum}."
    ),
    "metadata_too_deep": N_("The metadata are nested more than {maximum} levels deep."),
    "metadata_has_too_many_values": N_(
        "The metadata have too many values for the schema of the application."
    ),
    "metadata_breaks_schema": N_(
        "The value breaks the rule {rule} in the schema of the application."
    ),
    "metadata_schema_unusable": N_("The schema of the application cannot be used."),
    "metadata_schema_too_slow": N_("The schema of the application takes too long to check."),
    # mail templates
    "template_unreadable": N_("The template cannot be read: {reason}"),
    "template_element_refused": N_("A template of a mail must not contain {element}."),
    "template_filter_unknown": N_("There is no filter {name}."),
    "template_variable_unknown": N_("There is no variable {name}."),
    "template_without_code": N_(
        "One of {variables} is required. Without it, nobody can use the mail."
    ),
    "template_subject_has_lines": N_("The subject must be a single line."),
}
APPLICATION_ERRORS: Final = {
    "team_unknown": N_("There is no such team."),
    "team_foreign": N_("This is not one of your teams."),
    "team_unchosen": N_("Choose one of your teams, or activate it."),
    "team_required": N_("You belong to no team. Create one with POST /api/organizations."),
    "home_not_selectable": N_("Only an operator may choose the database cluster."),
    "home_unknown": N_("There is no database cluster of this name."),
    "slug_not_selectable": N_("Slugs are assigned. Only an operator may choose one."),
    "slug_internationalized": N_(
        "Two hyphens in third and fourth place are reserved for internationalized names."
    ),
    "slug_reserved": N_("This word is reserved."),
    "slug_unconfirmed": N_("Type the slug of the application. Deleting it cannot be undone."),
    "expiry_out_of_range": N_("The time must be in the future, and within ten years."),
    "domain_of_the_platform": N_("This name belongs to the domain of the platform."),
    "idle_time_too_long": N_("The time is longer than {setting}, so it would never take effect."),
    "allowed_domain_required": N_("The signup_mode `restricted` requires at least one domain."),
    "domain_allowed_and_blocked": N_("A domain is both allowed and blocked."),
    "user_required": N_("Name a user: the caller is not a user of this application."),
    "password_required_again": N_("Enter the password again: it would go to another server."),
    "captcha_secret_required_again": N_("Enter the secret again: it would go to another server."),
    "mail_tls_required": N_("Choose TLS. Mail is never sent without encryption."),
}
CLIENT_ERRORS: Final = {
    # URIs
    "secret_required_again": N_("Send the client secret again: it would go to another server."),
    "private_key_malformed": N_("A private key for ES256 is required: PEM, with the curve P-256."),
    "role_unknown": N_("There is no role {role} of this kind."),
    "organization_unknown": N_("The application has no organization with this ID."),
    "uri_character_refused": N_("The URI contains a character that must be encoded or left out."),
    "uri_not_absolute": N_("An absolute URI is required, like https://app.example.com/callback."),
    "uri_with_fragment": N_("The URI must not have a fragment."),
    "uri_host_refused": N_("The URI must have a host, and no user name before it."),
    "uri_http_not_local": N_(
        "http is only for this machine (localhost, 127.0.0.1, [::1]). Use https."
    ),
    "uri_scheme_refused": N_(
        "https is required. A native client may use a scheme like com.example.app."
    ),
    "uri_not_plain_https": N_("An absolute https URI without a fragment is required."),
    "uri_not_http": N_("An absolute http or https URI is required."),
    "uri_not_callable": N_(
        "Only public https addresses are called (AERO2_EGRESS_PRIVATE, AERO2_EGRESS_DENY)."
    ),
    # resources and scopes
    "resource_not_absolute": N_(
        "An absolute URI without a fragment is required (RFC 8707 section 2)."
    ),
    "resource_character_refused": N_(
        "The URI contains a character that is not allowed there (RFC 3986 section 2)."
    ),
    "resource_not_a_urn": N_("This is not a URN."),
    "resource_scheme_refused": N_("The scheme must be https, http or urn."),
    "resource_not_normalized": N_("Write it as {normalized} (RFC 3986 section 6.2.3)."),
    "client_url_malformed": N_(
        "This is no URL of a client: https, a host in lower case, and a path without dot segments."
    ),
    "document_too_large": N_("The document has more than {maximum} bytes."),
    "document_unusable": N_("The document cannot be used: {reason}."),
    "resource_is_issuer": N_("This is the issuer, which stands for Aero2's own API."),
    "resource_unknown": N_("The application has no such resource."),
    "claim_not_standard": N_("{claim} is not a standard claim."),
    "scope_named_like_permission": N_(
        "A scope with the name of a permission must stand for that permission."
    ),
    "scope_needs_user": N_(
        "This scope is about a user, so it requires authorization_code or the device code."
    ),
    # grants and authentication
    "acr_not_offered": N_("No sign-in of this application reaches it. Possible are {offered}."),
    "acr_unknown": N_("This class of sign-in is unknown. Possible are {offered}."),
    "grant_required": N_("A client requires at least one grant type."),
    "redirect_uri_required": N_("authorization_code requires at least one redirect URI."),
    "refresh_token_needs_code": N_(
        "refresh_token requires a grant type with users: authorization_code, or the device code."
    ),
    "service_has_no_users": N_(
        "A service signs nobody in. Use client_credentials, or the type web."
    ),
    "browser_needs_no_device_code": N_(
        "Code in a browser signs its user in there. Use authorization_code."
    ),
    "public_client_has_no_credentials": N_("A public client has no credentials."),
    "public_client_needs_pkce": N_("A public client always requires PKCE."),
    "spa_keeps_no_secret": N_("Code in a browser cannot keep a secret. Use none."),
    "lifetime_too_short": N_("This is less than refresh_token_lifetime."),
    "sector_identifier_required": N_("This is required if redirect URIs have several hosts."),
    "algorithm_refused": N_("The algorithm must be one of {expected}."),
    "algorithm_without_assertion": N_("An algorithm has a meaning only for assertions."),
    # token exchange
    "exchange_source_unclear": N_("Either a client or an identity provider is required."),
    "exchange_scope_refused": N_("Tokens that were exchanged never have this scope."),
    "exchange_audience_required": N_("This has a meaning only with an audience."),
    "exchange_audience_of_provider": N_(
        "Assertions for other servers are made from your own tokens. Choose a client."
    ),
    # keys
    "jwks_twice": N_("Send jwks or jwks_uri, but not both (RFC 7591 section 2)."),
    "jwks_required": N_("private_key_jwt requires jwks or jwks_uri."),
    "jwks_too_large": N_("The key set is too large. Its maximum number of bytes is {maximum}."),
    "jwks_malformed": N_("This is not a JWK Set of 1 to {maximum} keys."),
    "jwks_not_public": N_("It contains a private or symmetric key. Send only public keys."),
    "jwks_without_usable_key": N_("It contains no key that could verify an assertion."),
    # mapped claims
    "mapping_too_large": N_("Too many claims are mapped. The maximum number is {maximum}."),
    "mapping_claim_refused": N_("This claim cannot be mapped."),
    "mapping_source_malformed": N_("A path is required, or an object with `from` and `in`."),
    "mapping_object_malformed": N_(
        "`from` must be a path, and `in` a list of id_token, access_token and userinfo."
    ),
    "mapping_path_unknown": N_("A path must begin with user., org. or rights."),
    "mapping_member_unknown": N_("{source} has no member {member} that may be shown."),
    "mapping_member_closed": N_("{member} has no members."),
    # clients that registered themselves
    "client_not_verified": N_(
        "Nobody of the application registered this client, so its users are always asked."
    ),
    # authorization requests
    "setting_required": N_("The application's setting {setting} must be on."),
    "signed_requests_need_keys": N_("Signed requests require jwks or jwks_uri."),
    "algorithm_without_key": N_("No key of the client has this algorithm."),
    # the FAPI 2.0 security profile
    "fapi_needs_key_authentication": N_("FAPI 2.0 requires private_key_jwt."),
    "fapi_algorithm_refused": N_("FAPI 2.0 allows PS256, ES256 and EdDSA."),
    "fapi_needs_pushed_requests": N_(
        "FAPI 2.0 requires the application's setting pushed_authorization_requests."
    ),
    "fapi_needs_https": N_("FAPI 2.0 requires https."),
    "fapi_needs_pkce": N_("FAPI 2.0 requires PKCE."),
    "fapi_does_not_rotate": N_("With FAPI 2.0, refresh tokens do not rotate."),
}
RULE_ERRORS: Final = USER_ERRORS | APPLICATION_ERRORS | CLIENT_ERRORS
