"""Every secret can stand in a file. A setting whose name says that it is a secret is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, SecretStr
from tests.architecture.source import CLI, modules
from tests.kit.world import MASTER_KEY

from aero2.nats_access import SERVICES
from aero2.reference.environment import COMMAND_SECRETS, settings_of
from common.environment_settings import read_settings
from common.secret_source import is_secret, secret_settings
from common.settings import Settings
from common.shared_settings import PREFIX, prefix_of

SECRET_NAME = re.compile(r"(password|token|secret|_key|database_url|smtp_url)$")
READ = re.compile(
    r'environ(?:\.get\(|\[)f?"(AERO2_[A-Za-z_{}]*(?:PASSWORD|KEY|DATABASE_URL|TOKEN))"'
)
CONTENTS = {
    "master_key": MASTER_KEY,
    "smtp_url": "smtp://u:p@mail",
    "nats_password": "of nats",
    "metrics_token": "of metrics",
    "cloudflare_token": "of cloudflare",
}
DSN = "postgresql://aero2_x@db/aero2"


def plain_secrets(settings_class: type[Settings]) -> list[str]:
    """Returns settings whose names are those of secrets, and whose types are not."""
    fields = settings_class.model_fields.items()
    return [name for name, field in fields if SECRET_NAME.search(name) and not is_secret(field)]


def read_past_the_files(text: str) -> list[str]:
    """Returns the secrets that code takes from the environment itself, past their files."""
    return READ.findall(text)


@pytest.mark.parametrize("service", SERVICES)
def test_every_secret_is_declared_as_one(service: str) -> None:
    """As a SecretStr it stands in no log, and may stand in a file."""
    assert plain_secrets(settings_of(service)) == []


def _environment(service: str, prefix: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Yields a variable and its value, so that each secret of a service is in a file."""
    yield f"{prefix}NATS_USER", "x"
    if service == "tenancy":
        yield f"{prefix}CLOUDFLARE_ZONE", "x"
    for name in secret_settings(settings_of(service)):
        if name.endswith("database_url"):
            yield f"{prefix}{name.upper()}", DSN
        else:
            path = folder / f"{prefix}{name}"
            path.write_text(f"{CONTENTS.get(name, name)}\n")
            yield f"{prefix}{name.upper()}_FILE", str(path)


@pytest.mark.parametrize("own", [False, True], ids=["of-all-services", "of-one-service"])
@pytest.mark.parametrize("service", SERVICES)
def test_every_secret_can_stand_in_a_file(
    service: str, own: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the name of the service, too."""
    prefix = prefix_of(service) if own else PREFIX
    for name, value in _environment(service, prefix, tmp_path):
        monkeypatch.setenv(name, value)
    settings: Any = read_settings(settings_of(service), service)

    for name, field in settings_of(service).model_fields.items():
        if not is_secret(field):
            continue
        secret = getattr(settings, name)
        if name.endswith("database_url"):
            password = name.removesuffix("_url") + "_password"
            assert secret.logins() == [DSN.replace("@", f":{password}@")]
        else:
            assert secret.get_secret_value() == CONTENTS[name]


def test_commands_read_their_secrets_from_files_too() -> None:
    """No command takes a secret from the environment past its file."""
    found = {
        file.name: names
        for file in modules(CLI)
        if (names := read_past_the_files(file.read_text()))
    }
    assert found == {}
    assert {"AERO2_SECRET_KEY", "AERO2_OWNER_DATABASE_URL"} < COMMAND_SECRETS


def test_the_rules_see_what_they_forbid() -> None:
    class Bad(Settings):
        api_token: str = ""
        good_token: Annotated[SecretStr | None, Field()] = None

    assert plain_secrets(Bad) == ["api_token"]
    assert read_past_the_files('os.environ.get("AERO2_SECRET_KEY")') == ["AERO2_SECRET_KEY"]
    assert read_past_the_files('os.environ[f"AERO2_{role}_PASSWORD"]') == ["AERO2_{role}_PASSWORD"]
    assert read_past_the_files('os.environ.get("AERO2_URL")') == []
