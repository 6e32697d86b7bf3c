"""The section of settings for clients that nobody of the application registered."""

from __future__ import annotations

from typing import Final

from common.message_ids import N_
from gateway.dashboard.setting_sections import Section, Setting

REGISTRATION: Final = Section(
    "registration",
    N_("Apps that nobody registered"),
    (
        Setting(
            "client_registration",
            "choice",
            N_("Self-registration"),
            N_(
                "Agents and other apps can register themselves as OAuth clients. “With a token” needs "
                "a token that you create on the page of OAuth clients. People are always asked."
            ),
            (
                ("off", N_("Off")),
                ("token", N_("With a token")),
                ("open", N_("Everybody")),
            ),
        ),
        Setting(
            "client_id_documents",
            "choice",
            N_("Metadata documents"),
            N_(
                "Agents like Claude name themselves by the address of a document. “Listed” accepts "
                "documents of the hosts below. People are always asked for consent."
            ),
            (("off", N_("Off")), ("listed", N_("Listed")), ("any", N_("From everywhere"))),
        ),
        Setting(
            "client_id_document_hosts",
            "lines",
            N_("Hosts of documents"),
            N_("Used for “Listed”. One host a line, like claude.ai."),
        ),
        Setting(
            "agent_scopes",
            "lines",
            N_("Scopes they can get"),
            N_(
                "One scope a line. Whatever else they request is left out. Empty: all scopes that need "
                "no permission, except for `account`."
            ),
        ),
        Setting(
            "agent_resources",
            "lines",
            N_("APIs by default"),
            N_("Tokens are for these APIs if an app names none. One identifier a line."),
        ),
        Setting(
            "agent_offline_access",
            "switch",
            N_("Keep their access"),
            N_("They stay connected after people sign out, as the consent page says."),
        ),
    ),
)
