"""The prose of the OpenAPI document: how to authenticate, what each group holds, examples."""

from __future__ import annotations

from typing import Any, Final

DESCRIPTION: Final = """\
**Authentication.** A server sends a secret key of the application or an access token: \
`Authorization: Bearer sk_live_…`. A browser sends the session cookie that signing in sets; with a \
cookie, a request that changes something also needs the `Origin` of this host or of an allowed \
origin. The endpoints below `/oauth2` take the credentials of a client (RFC 6749 section 2.3). \
Each operation lists what it accepts, and its description names the permission that it needs.

**Errors** are RFC 9457 problem documents. Key on `code`: the texts are for people and may change. \
`errors` names every field that is wrong. The OAuth endpoints answer as RFC 6749 section 5.2 says.

**Lists** take `limit` and `cursor`. The answer has `next`, the cursor of the following page, until \
the last page.
"""

BEARER: Final = "A secret key of the application (`sk_live_…`), or an access token of this host."
SESSION: Final = "The session of a browser. Without TLS the cookie is named `aero2_session`."

TAGS: Final = {
    "users": ("Users", "The people who have an account in the application."),
    "organizations": ("Organizations", "Groups of users: members, invitations, domains."),
    "roles": ("Roles", "Sets of permissions, and who holds them."),
    "permissions": ("Permissions", "What a role may allow."),
    "authorize": ("Access checks", "Whether users may do things, for backends that ask."),
    "auth": ("Sign-in", "Signing up, in and out by JSON, in a browser."),
    "me": ("Account", "What the signed-in user does with their own account."),
    "my grants": ("Consents", "What the signed-in user allowed clients."),
    "sessions": ("Sessions", "Where the signed-in user is signed in."),
    "clients": ("Clients", "OAuth clients: their secrets, and what users allowed them."),
    "resources": ("APIs and scopes", "APIs that access tokens are for, and their scopes."),
    "oauth": ("OAuth and OpenID Connect", "The protocol's endpoints and public documents."),
    "settings": ("Settings", "How the application signs people in."),
    "mail_templates": ("Mail templates", "Your own texts for the application's mails."),
    "audit": ("Audit log", "What happened in the application, and who did it."),
    "applications": ("Applications", "Applications of your teams, on the Dashboard."),
    "api_keys": ("API keys", "Secret and publishable keys of an application."),
    "domains": ("Domains", "Custom domains of an application."),
}
"""By the tag of a router: the title of its group, and what the group holds."""

ANSWERS: Final = {"200": "The result.", "201": "Created.", "202": "Accepted.", "204": "Done."}
"""For what has no description of its own."""

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
