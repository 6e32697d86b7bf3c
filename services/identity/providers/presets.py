"""Presets: well-known providers, each as one row of data.

A preset fills in what the developer leaves out. Its values are copied into the provider's row, where
all of them can be changed.
"""

from __future__ import annotations

from typing import Any, Final

NEVER: Final = {"kind": "never"}

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "github": {
        "display_name": "GitHub",
        "type": "oauth2",
        "issuer": "https://github.com/login/oauth",
        "iss_mode": "optional",
        "authorization_endpoint": "https://github.com/login/oauth/authorize",
        "token_endpoint": "https://github.com/login/oauth/access_token",
        "userinfo_endpoint": "https://api.github.com/user",
        "auth_method": "client_secret_post",
        "scopes": ["user:email"],
        "claim_mapping": {
            "subject": ["id"],
            "username": ["login"],
            "name": ["name", "login"],
            "picture": ["avatar_url"],
        },
        "options": {
            "request_params": ["prompt"],
            "emails": {
                "endpoint": "https://api.github.com/user/emails",
                "ignored_domains": ["users.noreply.github.com"],
            },
            "email_rule": {"kind": "entry"},
        },
        "trusts_email": True,
    },
    "google": {
        "display_name": "Google",
        "type": "oidc",
        "issuer": "https://accounts.google.com",
        "options": {
            "issuer_aliases": ["accounts.google.com"],
            "userinfo": "off",
            "email_rule": {"domains": ["gmail.com"], "unless": "hd"},
        },
        "trusts_email": True,
    },
    "microsoft": {
        "display_name": "Microsoft",
        "type": "oidc",
        "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
        "iss_mode": "template",
        "auth_method": "client_secret_post",
        "claim_mapping": {"subject": ["tid", "oid"]},
        "options": {
            "discovery_url": "https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration",
            "tenants": ["*"],
            "userinfo": "off",
            "email_rule": {"path": "xms_edov", "values": [True, 1, "1"]},
        },
        "trusts_email": True,
    },
    "apple": {
        "display_name": "Apple",
        "type": "oidc",
        "issuer": "https://appleid.apple.com",
        "auth_method": "signed_secret",
        "scopes": ["openid", "name", "email"],
        "response_mode": "form_post",
        "options": {
            "issuer_aliases": ["https://account.apple.com"],
            "userinfo": "off",
            "nonce_waiver": "nonce_supported",
            "request_params": ["login_hint"],
        },
        "trusts_email": True,
    },
    "gitlab": {
        "display_name": "GitLab",
        "type": "oidc",
        "issuer": "https://gitlab.com",
        "claim_mapping": {"username": ["preferred_username", "nickname"]},
        "options": {"email_rule": {"not_null": ["confirmed_at"]}},
    },
    "discord": {
        "display_name": "Discord",
        "type": "oauth2",
        "issuer": "https://discord.com",
        "iss_mode": "optional",
        "authorization_endpoint": "https://discord.com/api/oauth2/authorize",
        "token_endpoint": "https://discord.com/api/oauth2/token",
        "userinfo_endpoint": "https://discord.com/api/users/@me",
        "scopes": ["identify", "email"],
        "claim_mapping": {
            "subject": ["id"],
            "email": ["email"],
            "username": ["username"],
            "name": ["global_name", "username"],
            "locale": ["locale"],
        },
        "options": {"email_rule": {"path": "verified", "values": [True]}},
        "trusts_email": True,
    },
    "slack": {
        "display_name": "Slack",
        "type": "oidc",
        "issuer": "https://slack.com",
        "auth_method": "client_secret_post",
        "algorithms": ["RS256"],
        "claim_mapping": {"subject": ["https://slack.com/team_id", "sub"]},
        "options": {"email_rule": NEVER},
    },
    "linkedin": {
        "display_name": "LinkedIn",
        "type": "oidc",
        "issuer": "https://www.linkedin.com/oauth",
        "auth_method": "client_secret_post",
        "pkce": False,
        "nonce": "optional",
        "trusts_email": True,
    },
    "facebook": {
        "display_name": "Facebook",
        "type": "oauth2",
        "authorization_endpoint": "https://www.facebook.com/dialog/oauth",
        "token_endpoint": "https://graph.facebook.com/oauth/access_token",
        "userinfo_endpoint": "https://graph.facebook.com/me?fields=id,name,email",
        "auth_method": "client_secret_post",
        "scopes": ["email", "public_profile"],
        "claim_mapping": {"subject": ["id"]},
        "options": {"email_rule": NEVER},
    },
    "x": {
        "display_name": "X",
        "type": "oauth2",
        "authorization_endpoint": "https://x.com/i/oauth2/authorize",
        "token_endpoint": "https://api.x.com/2/oauth2/token",
        "userinfo_endpoint": "https://api.x.com/2/users/me?user.fields=confirmed_email,"
        "profile_image_url",
        "scopes": ["users.read", "users.email", "tweet.read"],
        "claim_mapping": {
            "subject": ["data.id"],
            "email": ["data.confirmed_email"],
            "username": ["data.username"],
            "name": ["data.name"],
            "picture": ["data.profile_image_url"],
        },
        "options": {"email_rule": {"kind": "present"}},
        "trusts_email": True,
    },
    "bitbucket": {
        "display_name": "Bitbucket",
        "type": "oauth2",
        "authorization_endpoint": "https://bitbucket.org/site/oauth2/authorize",
        "token_endpoint": "https://bitbucket.org/site/oauth2/access_token",
        "userinfo_endpoint": "https://api.bitbucket.org/2.0/user",
        "scopes": [],
        "claim_mapping": {
            "subject": ["uuid"],
            "username": ["username", "nickname"],
            "name": ["display_name"],
            "picture": ["links.avatar.href"],
        },
        "options": {
            "emails": {
                "endpoint": "https://api.bitbucket.org/2.0/user/emails",
                "path": "values",
                "primary": "is_primary",
                "verified": "is_confirmed",
            },
            "email_rule": {"kind": "entry"},
        },
        "trusts_email": True,
    },
    "twitch": {
        "display_name": "Twitch",
        "type": "oidc",
        "issuer": "https://id.twitch.tv/oauth2",
        "auth_method": "client_secret_post",
        "pkce": False,
        "scopes": ["openid", "user:read:email"],
        "options": {
            "authorization_params": {
                "claims": '{"id_token":{"email":null,"email_verified":null,"picture":null,'
                '"preferred_username":null}}'
            },
            "userinfo": "off",
        },
        "trusts_email": True,
    },
    "spotify": {
        "display_name": "Spotify",
        "type": "oauth2",
        "authorization_endpoint": "https://accounts.spotify.com/authorize",
        "token_endpoint": "https://accounts.spotify.com/api/token",
        "userinfo_endpoint": "https://api.spotify.com/v1/me",
        "scopes": ["user-read-email"],
        "claim_mapping": {"subject": ["id"], "name": ["display_name"], "username": ["id"]},
        "options": {"email_rule": NEVER},
    },
    "notion": {
        "display_name": "Notion",
        "type": "oauth2",
        "authorization_endpoint": "https://api.notion.com/v1/oauth/authorize",
        "token_endpoint": "https://api.notion.com/v1/oauth/token",
        "pkce": False,
        "scopes": [],
        "claim_mapping": {
            "subject": ["owner.user.id"],
            "email": ["owner.user.person.email"],
            "name": ["owner.user.name"],
            "picture": ["owner.user.avatar_url"],
        },
        "options": {
            "authorization_params": {"owner": "user"},
            "json_token_call": True,
            "version_header": "Notion-Version",
            "version": "2022-06-28",
            "userinfo": "token_answer",
            "email_rule": NEVER,
        },
    },
    "zoom": {
        "display_name": "Zoom",
        "type": "oauth2",
        "authorization_endpoint": "https://zoom.us/oauth/authorize",
        "token_endpoint": "https://zoom.us/oauth/token",
        "userinfo_endpoint": "https://api.zoom.us/v2/users/me",
        "scopes": [],
        "claim_mapping": {
            "subject": ["id"],
            "given_name": ["first_name"],
            "family_name": ["last_name"],
            "name": ["display_name"],
            "picture": ["pic_url"],
        },
        "options": {"email_rule": {"path": "verified", "values": [1]}},
        "trusts_email": True,
    },
}
