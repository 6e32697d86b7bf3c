"""The section of settings about how clients send authorization requests, and get their answers."""

from __future__ import annotations

from typing import Final

from common.message_ids import N_
from gateway.dashboard.setting_sections import Section, Setting

REQUESTS: Final = Section(
    "authorization-requests",
    N_("Authorization requests"),
    (
        Setting(
            "pushed_authorization_requests",
            "switch",
            N_("Pushed requests (PAR)"),
            N_(
                "Clients send the parameters of a sign-in from their server first. The browser "
                "carries only a name."
            ),
        ),
        Setting(
            "request_objects",
            "switch",
            N_("Signed requests (JAR)"),
            N_("Clients with keys can sign the parameters of a sign-in."),
        ),
        Setting(
            "signed_authorization_responses",
            "switch",
            N_("Signed answers (JARM)"),
            N_("Clients can ask for the answer of a sign-in as one signed token."),
        ),
    ),
)
