"""The prose of the OpenAPI document: how to authenticate, what each group holds, examples."""

from __future__ import annotations

from typing import Any, Final

DESCRIPTION: Final = """\
**Authentication.** From a server, send a secret key of the application or an access token: \
`Authorization: Bearer sk_live_…`. A browser sends the session cookie that signing in sets. With a \
cookie, requests that change something must also have the `Origin` of this host or of an allowed \
origin. The endpoints below `/oauth2` take the credentials of a client (RFC 6749 section 2.3). \
Each operation lists the credentials that it accepts. Its description names the permission that \
you need.

**Errors** are problem documents (RFC 9457). Use `code` in your program: the texts are for people \
and may change. `errors` lists the fields that are not valid. The OAuth endpoints answer with the \
errors of RFC 6749 section 5.2.

**Lists** take `limit` and `cursor`. The answer has the cursor of the following page in `next`. It \
is null on the last page.

**Versions.** GET of one object answers an `ETag`. Send it in `If-Match` with PUT, PATCH or DELETE. If \
somebody was faster, nothing changes, and the answer is 412 `changed_meanwhile` with the current `ETag`. \
Operations without `If-Match` in this document refuse it.
"""

BEARER: Final = "A secret key of the application (`sk_live_…`), or an access token from this host."
SESSION: Final = "The session of a browser. Without TLS the cookie is named `aero2_session`."

TAGS: Final = {
    "users": ("Users", "The people who have an account in the application."),
    "user batches": (
        "Batches of users",
        "Acts on many users, with progress and a result for each row.",
    ),
    "organizations": ("Organizations", "Groups of users, with members, invitations and domains."),
    "roles": ("Roles", "Named sets of permissions, and the users who have them."),
    "permissions": ("Permissions", "The built-in permissions and your own."),
    "authorize": ("Access checks", "Check from your backend what users are allowed to do."),
    "auth": ("Sign-in", "Sign up, sign in and sign out from a browser, with JSON."),
    "me": ("Account", "The account of the signed-in user."),
    "second_factors": (
        "Second factors",
        "The authenticator app, recovery codes and remembered devices of the signed-in user.",
    ),
    "my grants": ("Consents", "The access that the signed-in user gave to clients."),
    "sessions": ("Sessions", "The browsers in which the signed-in user is signed in."),
    "clients": ("Clients", "OAuth clients, their secrets, and the grants of users."),
    "idps": (
        "Identity providers",
        "The providers that users sign in with: GitHub, Google, or any OAuth 2 or OpenID provider.",
    ),
    "resources": ("APIs and scopes", "The APIs that access tokens are for, and their scopes."),
    "oauth": ("OAuth and OpenID Connect", "The protocol endpoints and public documents."),
    "settings": ("Settings", "How users sign in to the application."),
    "mail_sender": ("Mail server", "The application's own mail server."),
    "mail_templates": ("Mail templates", "Your own texts for the e-mails of the application."),
    "audit": ("Audit log", "What happened in the application, and who did it."),
    "applications": ("Applications", "The applications of your teams, on the Dashboard."),
    "api_keys": ("API keys", "Secret and publishable keys of an application."),
    "domains": ("Domains", "Custom domains of an application."),
    "platform": ("Platform", "The whole deployment, for operators on the Dashboard."),
}
"""By the tag of a router: the title of its group, and what the group holds."""

ANSWERS: Final = {"200": "The result.", "201": "Created.", "202": "Accepted.", "204": "No content."}
"""Descriptions of responses, by status, for operations without a description of their own."""

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "users_create": {
        "email": "ada@example.com",
        "email_verified": True,
        "profile": {"name": "Ada Lovelace"},
        "public_metadata": {"plan": "pro"},
    },
    "users_invite": {"email": "ada@example.com", "role_ids": ["member"]},
    "organizations_create": {"name": "Analytical Engines", "slug": "engines"},
    "roles_create": {
        "name": "Editor",
        "description": "Writes articles.",
        "permissions": ["articles:read", "articles:write"],
    },
    "permissions_create": {"name": "articles:write", "description": "Write articles."},
    "clients_create": {
        "name": "Web shop",
        "redirect_uris": ["https://shop.example.com/callback"],
        "post_logout_redirect_uris": ["https://shop.example.com/"],
    },
    "auth_sign_up": {
        "email": "ada@example.com",
        "password": "correct horse battery staple",
        "name": "Ada Lovelace",
    },
    "auth_sign_in": {"email": "ada@example.com", "password": "correct horse battery staple"},
    "auth_start_code": {"email": "ada@example.com", "locale": "en"},
    "applications_create": {"name": "Web shop"},
}
"""By the operation's id: a body that it takes."""
