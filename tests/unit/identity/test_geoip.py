"""GeoipDatabase of IP addresses, from a file in MaxMind's format."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from tests.kit.geoip import city, write_places

from identity.geoip import MAX_LENGTH, BadGeoipFile, GeoipDatabase
from identity.settings import Settings


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with places of addresses of both families."""
    names: dict[str, Any] = {
        "81.2.69.0/24": city("London", "United Kingdom"),
        "2a02:8100::/32": city("Berlin", "Germany"),
        "89.160.20.0/24": {"country": {"names": {"en": "Sweden"}}},
        "175.16.199.0/24": {"city": "Changchun", "country": {"names": ["China"]}},
        "216.160.83.0/24": city("Mil\u202eton", "United States"),
        "67.43.156.0/24": city("T" * 500, "Bhutan"),
        "10.0.0.0/8": city("Headquarters", "Nowhere"),
    }
    path = tmp_path_factory.mktemp("places") / "city.mmdb"
    write_places(path, names)
    return str(path)


@pytest.mark.parametrize(
    ("ip", "place"),
    [
        ("81.2.69.142", "London, United Kingdom"),
        ("2a02:8100::1", "Berlin, Germany"),
        ("89.160.20.112", "Sweden"),
        ("8.8.8.8", None),
        ("10.1.2.3", None),
        ("127.0.0.1", None),
        ("::1", None),
        ("fe80::1%eth0", None),
        ("nonsense", None),
        ("", None),
        (None, None),
        ("175.16.199.1", None),
        ("216.160.83.56", "United States"),
    ],
)
def test_places(file: str, ip: str | None, place: str | None) -> None:
    """A public address has the city and the country of the file. A private address, text that is no
    address, and an entry in another shape have no place."""
    assert GeoipDatabase.open(file).place(ip) == place


def test_a_long_name_is_cut(file: str) -> None:
    """A name of the file cannot fill the database."""
    assert GeoipDatabase.open(file).place("67.43.156.1") == "T" * MAX_LENGTH


def test_without_a_file_nothing_has_a_place() -> None:
    """The setting is optional."""
    assert GeoipDatabase().place("81.2.69.142") is None


def test_a_damaged_file_never_stops_a_sign_in(file: str, tmp_path: Path) -> None:
    """A file whose end is intact opens. Lookups in its damaged part return nothing."""
    content = bytearray(Path(file).read_bytes())
    content[: len(content) // 2] = b"\xff" * (len(content) // 2)
    damaged = tmp_path / "damaged.mmdb"
    damaged.write_bytes(content)
    database = GeoipDatabase.open(str(damaged))

    assert [database.place(ip) for ip in ("81.2.69.142", "8.8.8.8", "2a02:8100::1")] == [None] * 3


def test_a_file_of_another_kind_stops_the_start(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable and says what is wrong."""
    half = tmp_path / "half.mmdb"
    half.write_bytes(Path(file).read_bytes()[:200])
    empty = tmp_path / "empty.mmdb"
    empty.touch()
    for path, cause in {
        half: "not a database in MaxMind's format",
        empty: "not a database in MaxMind's format",
        tmp_path / "absent.mmdb": "cannot be read: No such file",
        tmp_path: "not a database in MaxMind's format",
    }.items():
        with pytest.raises(BadGeoipFile, match=cause):
            GeoipDatabase.open(str(path))
        monkeypatch.setenv("AERO2_GEOIP_FILE", str(path))
        with pytest.raises(ValidationError, match=f"geoip_file\n.*{cause}"):
            Settings()  # from the environment


@pytest.mark.parametrize("empty", [True, False])
def test_a_good_file_is_accepted(file: str, empty: bool) -> None:
    """The setting keeps the path. An empty one, as compose sets it, means that there is none."""
    dsn = SecretStr("postgresql://identity@localhost/aero2")
    settings = Settings(
        master_key=SecretStr("k1:" + b64encode(bytes(range(32))).decode()),
        database_url=dsn,
        relay_database_url=dsn,
        sweep_database_url=dsn,
        mail_database_url=dsn,
        search_database_url=dsn,
        geoip_file="" if empty else file,
    )

    assert settings.geoip_file == (None if empty else file)
