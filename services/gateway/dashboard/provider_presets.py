"""The presets of identity providers as the Dashboard shows them: what each form asks for, and what to do
at the provider. The values of a preset are with the identity service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.message_ids import N_

SERVER: Final = ("client_id", "client_secret")


@dataclass(frozen=True)
class ProviderPreset:
    """A preset as a card. `label` is the provider's own name, which is not translated. `fields` are those
    of its form, and `steps` what the developer does at the provider. `generic`: it is no preset of the
    API, so the form asks for a name."""

    name: str
    label: str
    says: str
    fields: tuple[str, ...] = SERVER
    steps: tuple[str, ...] = ()
    console: str | None = None
    generic: bool = False


OPENID: Final = N_("OpenID Connect")
OAUTH: Final = N_("OAuth 2.0")
REGISTER: Final = N_("Register an application at the provider. Many call it a client or an app.")
CALLBACK: Final = N_("Enter the callback URL that is shown here, exactly.")
COPY: Final = N_("Copy the client id and the secret into this form.")
USUAL: Final = (REGISTER, CALLBACK, COPY)
ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")

PRESETS: Final[dict[str, ProviderPreset]] = {
    preset.name: preset
    for preset in (
        ProviderPreset(
            "github",
            "GitHub",
            OAUTH,
            steps=(
                N_("Open **Settings → Developer settings → OAuth Apps → New OAuth App**."),
                N_("Enter your homepage, and the callback URL as **Authorization callback URL**."),
                N_("Choose **Register application**, then **Generate a new client secret**."),
                COPY,
            ),
            console="https://github.com/settings/developers",
        ),
        ProviderPreset(
            "google",
            "Google",
            OPENID,
            fields=(*SERVER, "hosted_domain"),
            steps=(
                N_("Choose a project, and open **APIs & Services → OAuth consent screen**."),
                N_("Enter the name and the support address that users see."),
                N_(
                    "Open **Credentials → Create credentials → OAuth client ID**: **Web application**."
                ),
                N_("Add the callback URL under **Authorized redirect URIs**."),
                COPY,
            ),
            console="https://console.cloud.google.com/apis/credentials",
        ),
        ProviderPreset(
            "microsoft",
            "Microsoft",
            N_("One tenant or any"),
            fields=(*SERVER, "tenants"),
            steps=(
                N_(
                    "Open **App registrations → New registration**, and choose whose accounts may sign in."
                ),
                N_("Under **Redirect URI**, choose **Web** and enter the callback URL."),
                N_("Copy the **Application (client) ID** into this form."),
                N_(
                    "Under **Certificates & secrets**, create a client secret. Copy its **value**, and note when it expires."
                ),
                N_(
                    "Under **Token configuration**, add the optional claim `email` to the ID token, and `xms_edov` in the manifest."
                ),
            ),
            console="https://entra.microsoft.com/",
        ),
        ProviderPreset(
            "apple",
            "Apple",
            N_("Needs a signing key"),
            fields=("client_id", "private_key", "team_id", "key_id"),
            steps=(
                N_("Create an **App ID** with **Sign in with Apple**."),
                N_("Create a **Services ID**. Its identifier is the client id."),
                N_(
                    "Configure **Sign in with Apple** for it: enter your domain, and the callback URL as **Return URL**. Apple accepts neither http nor localhost."
                ),
                N_(
                    "Under **Keys**, create a key for **Sign in with Apple**, and download the `.p8` file. Apple shows it once."
                ),
                N_("Copy the content of the file, the key id and the team id into this form."),
            ),
            console="https://developer.apple.com/account/resources",
        ),
        ProviderPreset("gitlab", "GitLab", N_("Cloud or your own"), (*SERVER, "own_issuer"), USUAL),
        ProviderPreset("linkedin", "LinkedIn", OPENID, steps=USUAL),
        ProviderPreset("slack", "Slack", OPENID, steps=USUAL),
        ProviderPreset("discord", "Discord", OAUTH, steps=USUAL),
        ProviderPreset("facebook", "Facebook", OAUTH, steps=USUAL),
        ProviderPreset(
            "x",
            "X",
            OAUTH,
            steps=(*USUAL, N_("Switch on **Request email from users** in X's console.")),
        ),
        ProviderPreset(
            "bitbucket",
            "Bitbucket",
            OAUTH,
            steps=(*USUAL, N_("Choose the scopes `account` and `email` in the consumer.")),
        ),
        ProviderPreset("twitch", "Twitch", OPENID, steps=USUAL),
        ProviderPreset("spotify", "Spotify", OAUTH, steps=USUAL),
        ProviderPreset("notion", "Notion", OAUTH, steps=USUAL),
        ProviderPreset("zoom", "Zoom", OAUTH, steps=USUAL),
        ProviderPreset(
            "oidc",
            "OpenID Connect",
            N_("Any provider, from its issuer"),
            ("display_name", "issuer", *SERVER),
            USUAL,
            generic=True,
        ),
        ProviderPreset(
            "oauth2",
            "OAuth 2.0",
            N_("Any provider, from its endpoints"),
            ("display_name", *ENDPOINTS, "scopes", "subject", "email_claim", *SERVER),
            USUAL,
            generic=True,
        ),
    )
}


def preset_of(text: str | None) -> ProviderPreset:
    """Returns the preset with this name, or that for any OpenID provider."""
    return PRESETS.get(text or "", PRESETS["oidc"])
