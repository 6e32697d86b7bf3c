"""The environment variables that no settings class reads: of commands, of files in this repository, and of tests."""

from __future__ import annotations

from typing import Final

from aero2.migrate import ROLES

NEEDED: Final = "required"
ROLE_NAMES: Final = tuple(role.upper() for role in ROLES)

OTHERS: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "Libraries": (
        (
            "SSL_CERT_FILE",
            "",
            "File with certificate authorities that outgoing calls trust, such as a company's own.",
        ),
    ),
    "The command `aero2`": (
        ("AERO2_URL", "", "Address of the Dashboard, for the commands that manage applications."),
        ("AERO2_SECRET_KEY", "", "Secret key of the Dashboard, for the same commands."),
        (
            "AERO2_OWNER_DATABASE_URL",
            NEEDED,
            "For `aero2 migrate` and `aero2 secrets`: DSN of a superuser, or of a role with "
            "CREATEROLE that owns the database. `aero2 migrate` takes CONNECT and TEMPORARY on the "
            "database from PUBLIC. As a superuser it also takes CONNECT to `postgres` and "
            "`template1` and the use of large objects: give Aero2 a cluster of its own.",
        ),
        (
            "AERO2_OWNER_DATABASE_PASSWORD",
            "",
            "Password of that DSN, if the DSN has none.",
        ),
        *(
            (
                f"AERO2_{role}_PASSWORD",
                NEEDED,
                f"Password that `aero2 migrate` sets for the role `aero2_{role.lower()}`, in all clusters; "
                f"`AERO2_{role}_PASSWORD_WEST` is for the cluster `west` alone.",
            )
            for role in ROLE_NAMES
        ),
    ),
    "`docker-compose.yml`": (
        ("AERO2_IMAGE", "`aero2`", "Name of the image."),
        ("AERO2_BIND", "`127.0.0.1`", "Address on which the proxy's port is published."),
        ("AERO2_HTTP_PORT", "`8080`", "Published port of the proxy; of Caddy in `tls.Caddyfile`."),
        (
            "AERO2_DASHBOARD_GATEWAY",
            "`gateway`",
            "Service that gets the requests to the Dashboard's host: `dashboard-gateway` with the profile"
            " `dashboard`.",
        ),
        (
            "AERO2_SEPARATE",
            "`1`",
            "Containers of each service. `0` with the profile `together`, which runs them in one.",
        ),
        ("AERO2_WORKERS", "`1`", "Processes in each container of the profile `together`."),
        ("AERO2_MAIL_PORT", "`8025`", "Published port of the page that shows caught mail."),
        (
            "AERO2_CALLOUT_FOLDER",
            "`./callout-keys`",
            "Folder with what `aero2 callout config` makes, for the profile `callout`.",
        ),
        (
            "AERO2_SECRETS",
            NEEDED,
            "Folder of secrets, each in a file. `aero2 compose-env` makes it.",
        ),
        ("AERO2_NATS_CONFIGURATION", "", "File that `aero2 secrets rotate nats` writes for NATS."),
        ("POSTGRES_PASSWORD", NEEDED, "Password of the superuser of PostgreSQL. A file."),
        *(
            (f"NATS_{user}_PASSWORD", NEEDED, f"Login of the NATS user `{user.lower()}`. A file.")
            for user in ("GATEWAY", "IDENTITY", "OIDC", "RBAC", "TENANCY", "CLI", "CALLOUT")
        ),
    ),
    "`deploy/cluster` (with the passwords of the NATS users above)": (
        (
            "NATS_SYSTEM_PASSWORD",
            NEEDED,
            "Password of the operator's users `system` and `stream-admin`. `aero2 cluster` and "
            "`aero2 stream replicas` read it. No service has it.",
        ),
    ),
    "`deploy/tls.Caddyfile`": (
        ("AERO2_GATEWAY", "`127.0.0.1:8080`", "Where the gateway listens."),
        ("AERO2_INTERNAL", "`127.0.0.1:9464`", "Where the gateway's internal listener is."),
        ("AERO2_HTTPS_PORT", "`443`", "Port for https."),
        ("AERO2_TLS_ISSUER", "`acme`", "`internal`: certificates of Caddy's own authority."),
    ),
    "The mail catcher (`aero2.mailcatcher`)": (
        ("AERO2_MAIL_HOST", "`127.0.0.1`", "Address to listen on."),
        ("AERO2_MAIL_SMTP_PORT", "`1025`", "Port for SMTP."),
        ("AERO2_MAIL_PAGE_PORT", "`8025`", "Port of the page."),
        ("AERO2_MAIL_NAMES", "`localhost,127.0.0.1,[::1]`", "Host names that the page answers."),
        ("AERO2_MAIL_SMTP_FD", "", "Inherited socket for SMTP. `aero2 up` sets it."),
        ("AERO2_MAIL_PAGE_FD", "", "Inherited socket for the page. `aero2 up` sets it."),
    ),
    "The tests": (
        (
            "AERO2_REQUIRE",
            "",
            "Markers whose tests must not be skipped, separated by commas: `browser,docker`.",
        ),
        ("AERO2_WRITE_SNAPSHOT", "", "`1`: write the shapes of the contracts (`make contracts`)."),
        ("AERO2_SHOTS", "", "Folder where the browser tests keep a picture of each page."),
        ("AERO2_TEST_ODD_REQUESTS", "`4`", "Examples for each contract in the fuzz tests."),
    ),
}
