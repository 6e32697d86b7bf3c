"""`aero2 users convert`: exports of other systems in their own shapes, what an import takes of them, and the report."""

from __future__ import annotations

import csv
import gzip
import json
import stat
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from typer.testing import CliRunner

from aero2.__main__ import app
from common.contracts.user_import import TransferredUser
from identity import imported_hashes

PASSWORD = "correct horse battery staple"
BCRYPT = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
UUID = "4f2d7c1e-9f3a-4a61-8f0e-2f6c9d0a1b2c"
HASH_CONFIG = """hash_config {
  algorithm: SCRYPT,
  base64_signer_key: jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==,
  base64_salt_separator: Bw==,
  rounds: 8,
  mem_cost: 14,
}"""
"""The test vector of Firebase's own scrypt utility; its password is `user1password`."""


class Conversion:
    """What one run of the command left behind."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.out = folder / "users.ndjson"
        self.report_file = folder / "users.ndjson.report.ndjson"
        self.result = CliRunner().invoke(
            app, ["users", "convert", *arguments, "--out", str(self.out)]
        )

    @property
    def users(self) -> list[dict[str, Any]]:
        """The users of the result, each as an import takes it."""
        users = [json.loads(line) for line in self.out.read_text().splitlines()]
        for user in users:
            TransferredUser.model_validate(user)
        return users

    @property
    def user(self) -> dict[str, Any]:
        (user,) = self.users
        return user

    @property
    def report(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.report_file.read_text().splitlines()]

    @property
    def codes(self) -> set[tuple[str, str | None]]:
        return {(line["code"], line.get("detail")) for line in self.report}


def ndjson(folder: Path, *records: Any) -> str:
    file = folder / "export.json"
    file.write_text("\n".join(json.dumps(record) for record in records))
    return str(file)


def document(folder: Path, content: Any) -> str:
    file = folder / "export.json"
    file.write_text(json.dumps(content, indent=1))
    return str(file)


def table(folder: Path, *rows: dict[str, str]) -> str:
    file = folder / "export.csv"
    with file.open("w", newline="") as sink:
        writer = csv.DictWriter(sink, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(file)


def keycloak(**changes: Any) -> dict[str, Any]:
    return {"id": UUID, "username": "ann", "email": "ann@example.com", "enabled": True, **changes}


def password_of_keycloak(algorithm: str = "pbkdf2-sha512", **data: Any) -> dict[str, Any]:
    return {
        "type": "password",
        "secretData": json.dumps({"value": "QUJD" * 16, "salt": "c2FsdHNhbHRzYWx0c2FsdA=="}),
        "credentialData": json.dumps({"hashIterations": 1000, "algorithm": algorithm, **data}),
    }


def test_auth0_joins_the_users_with_their_hashes(tmp_path: Path) -> None:
    """The hashes come in a second file, by the id without its provider, or by `alt_id`."""
    users = ndjson(
        tmp_path,
        {
            "user_id": "auth0|5dea9f9c82dd7c0e76e4ec93",
            "email": "ann@example.com",
            "email_verified": True,
            "created_at": "2021-05-04T10:00:00.000Z",
            "app_metadata": {"plan": "pro"},
            "user_metadata": {"color": "red"},
            "identities": [{"provider": "auth0"}, {"provider": "google-oauth2"}],
            "multifactor": ["guardian"],
        },
        {"user_id": "auth0|euclid", "email": "euclid@example.com", "blocked": True},
    )
    hashes = tmp_path / "hashes.json"
    hashes.write_text(
        json.dumps({"_id": {"$oid": "5dea9f9c82dd7c0e76e4ec93"}, "passwordHash": BCRYPT})
        + "\n"
        + json.dumps({"_id": {"$oid": "ff"}, "alt_id": "euclid", "passwordHash": BCRYPT})
    )

    converted = Conversion(tmp_path, "auth0", users, "--hashes", str(hashes))

    ann, euclid = converted.users
    assert converted.result.exit_code == 0, converted.result.output
    assert imported_hashes.verify(PASSWORD, ann["password_hash"])
    assert euclid["password_hash"] == BCRYPT
    assert ann["email_verified"] is True
    assert "email_verified" not in euclid
    assert ann["private_metadata"] == {
        "plan": "pro",
        "imported": {"from": "auth0", "id": "auth0|5dea9f9c82dd7c0e76e4ec93"},
    }
    assert ann["user_metadata"] == {"color": "red"}
    assert euclid["disabled"] is True
    assert converted.codes == {("identity", "google-oauth2"), ("second_factor", "guardian")}


def test_clerk_reads_its_csv_file(tmp_path: Path) -> None:
    """The primary address is verified only if it is among the verified ones. The secret of a TOTP is not written
    anywhere."""
    file = table(
        tmp_path,
        {
            "id": "user_1",
            "first_name": "Ann",
            "last_name": "Lee",
            "username": "ann",
            "primary_email_address": "ann@example.com",
            "primary_phone_number": "+15551234567",
            "verified_email_addresses": "ann@example.com,ann@work.example",
            "unverified_email_addresses": "",
            "verified_phone_numbers": "",
            "unverified_phone_numbers": "+15551234567",
            "totp_secret": "JBSWY3DPEHPK3PXP",
            "password_digest": BCRYPT,
            "password_hasher": "bcrypt",
        },
        {
            "id": "user_2",
            "primary_email_address": "bob@example.com",
            "unverified_email_addresses": "bob@example.com",
            "password_digest": "5f4dcc3b5aa765d61d8327deb882cf99",
            "password_hasher": "md5",
        },
    )

    converted = Conversion(tmp_path, "clerk", file)

    ann, bob = converted.users
    assert ann["email_verified"] is True
    assert ann["password_hash"] == BCRYPT
    assert ann.get("phone_number_verified", False) is False
    assert bob.get("email_verified", False) is False
    assert "password_hash" not in bob
    assert converted.codes == {
        ("further_address", None),
        ("second_factor", "totp"),
        ("hash_refused", "md5"),
    }
    assert "JBSWY3DPEHPK3PXP" not in converted.out.read_text() + converted.report_file.read_text()


def test_clerk_reads_the_users_of_its_api(tmp_path: Path) -> None:
    """The primary address is named by its id, wherever it stands."""
    file = document(
        tmp_path,
        [
            {
                "id": "user_1",
                "primary_email_address_id": "b",
                "email_addresses": [
                    {"id": "a", "email_address": "old@example.com"},
                    {
                        "id": "b",
                        "email_address": "new@example.com",
                        "verification": {"status": "verified"},
                    },
                ],
                "created_at": 1700000000000,
                "banned": True,
                "external_accounts": [{"provider": "oauth_google"}],
            }
        ],
    )

    user = Conversion(tmp_path, "clerk", file).user

    assert user["email"] == "new@example.com"
    assert user["email_verified"] is True
    assert user["disabled"] is True
    assert user["created_at"].startswith("2023-11-14T22:13:20")


@pytest.mark.parametrize("algorithm", ["pbkdf2", "pbkdf2-sha256", "pbkdf2-sha512"])
def test_keycloak_reads_json_inside_json(tmp_path: Path, algorithm: str) -> None:
    """A credential keeps its parts as two JSON texts."""
    credential = password_of_keycloak(algorithm)
    file = document(tmp_path, {"realm": "r", "users": [keycloak(credentials=[credential])]})

    user = Conversion(tmp_path, "keycloak", file).user

    digest = algorithm.partition("-")[2] or "sha1"
    salt = "c2FsdHNhbHRzYWx0c2FsdA=="
    assert user["password_hash"] == f"$pbkdf2-{digest}$1000${salt}${'QUJD' * 16}"
    assert imported_hashes.supported(user["password_hash"])
    assert user["id"] == UUID


def test_keycloak_verifies_a_password_of_argon2(tmp_path: Path) -> None:
    """A hash with the parameters that Keycloak writes today verifies its password."""
    from base64 import b64encode

    from argon2.low_level import Type, hash_secret_raw

    salt = b"0123456789abcdef"
    raw = hash_secret_raw(PASSWORD.encode(), salt, 5, 7168, 1, 32, Type.ID)
    credential = {
        "type": "password",
        "secretData": json.dumps(
            {"value": b64encode(raw).decode(), "salt": b64encode(salt).decode()}
        ),
        "credentialData": json.dumps(
            {
                "hashIterations": 5,
                "algorithm": "argon2",
                "additionalParameters": {
                    "hashLength": ["32"],
                    "memory": ["7168"],
                    "type": ["id"],
                    "version": ["1.3"],
                    "parallelism": ["1"],
                },
            }
        ),
    }
    file = document(tmp_path, {"users": [keycloak(credentials=[credential])]})

    assert imported_hashes.verify(
        PASSWORD, Conversion(tmp_path, "keycloak", file).user["password_hash"]
    )


def test_keycloak_takes_the_password_behind_other_credentials(tmp_path: Path) -> None:
    """The first credential need not be the password (goauthentik/authentik#4471)."""
    otp = {"type": "otp", "secretData": '{"value":"SECRETSEED"}', "credentialData": "{}"}
    file = document(tmp_path, {"users": [keycloak(credentials=[otp, password_of_keycloak()])]})

    converted = Conversion(tmp_path, "keycloak", file)

    assert converted.user["password_hash"].startswith("$pbkdf2-sha512$1000$")
    assert converted.codes == {("second_factor", "otp")}
    assert "SECRETSEED" not in converted.out.read_text() + converted.report_file.read_text()


def test_keycloak_reports_what_is_lost(tmp_path: Path) -> None:
    """A disabled user stays disabled, and what has no place here is in the report (zitadel/zitadel-tools#98)."""
    file = document(
        tmp_path,
        [
            keycloak(
                enabled=False,
                emailVerified=True,
                createdTimestamp=1600000000000,
                attributes={"locale": ["de"], "costCenter": ["42"]},
                credentials=[{"type": "otp"}],
                federatedIdentities=[{"identityProvider": "github"}],
                realmRoles=["admin"],
                groups=["/staff"],
                requiredActions=["UPDATE_PASSWORD"],
            )
        ],
    )

    converted = Conversion(tmp_path, "keycloak", file)

    user = converted.user
    assert user["disabled"] is True
    assert user["email_verified"] is True
    assert user["locale"] == "de"
    assert user["private_metadata"]["attributes"] == {"costCenter": ["42"]}
    assert converted.codes == {
        ("second_factor", "otp"),
        ("identity", "github"),
        ("roles", None),
        ("groups", None),
        ("required_action", "UPDATE_PASSWORD"),
        ("no_password", None),
    }
    assert "have a second factor that is lost" in converted.result.output


def test_supabase_reads_the_csv_of_postgres(tmp_path: Path) -> None:
    """PostgreSQL writes `t`, an empty cell for null, and JSON as a text."""
    columns = {
        "id": UUID,
        "email": "ann@example.com",
        "encrypted_password": BCRYPT,
        "email_confirmed_at": "2023-01-02 03:04:05.678+00",
        "created_at": "2023-01-02 03:04:05.678+00",
        "raw_app_meta_data": '{"provider": "email", "providers": ["email", "google"], "plan": "pro"}',
        "raw_user_meta_data": '{"full_name": "Ann Lee"}',
        "phone": "15551234567",
        "phone_confirmed_at": "",
        "banned_until": "",
        "deleted_at": "",
        "is_anonymous": "f",
    }
    gone = columns | {"id": UUID.replace("4f", "5f"), "email": "", "deleted_at": "2024-01-01"}
    guest = columns | {"id": UUID.replace("4f", "6f"), "email": "", "is_anonymous": "t"}
    banned = columns | {
        "id": UUID.replace("4f", "7f"),
        "email": "bob@example.com",
        "banned_until": "2999-01-01 00:00:00+00",
        "email_confirmed_at": "",
    }

    converted = Conversion(tmp_path, "supabase", table(tmp_path, columns, gone, guest, banned))

    ann, bob = converted.users
    assert converted.result.exit_code == 2
    assert ann["email_verified"] is True
    assert ann["public_metadata"] == {"plan": "pro"}
    assert ann["name"] == "Ann Lee"
    assert ann["phone_number"] == "+15551234567"
    assert ann.get("phone_number_verified", False) is False
    assert bob["disabled"] is True
    assert bob.get("email_verified", False) is False
    assert {code for code, _ in converted.codes} == {
        "deleted",
        "anonymous",
        "ban_without_end",
        "identity",
    }


def test_supabase_keeps_hashes_that_came_from_firebase(tmp_path: Path) -> None:
    """Its text form of Firebase's hashes verifies the password of Firebase's test vector."""
    stored = (
        "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjL"
        "NmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzr"
        "Cnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
    )
    file = ndjson(tmp_path, {"id": UUID, "email": "ann@example.com", "encrypted_password": stored})

    user = Conversion(tmp_path, "supabase", file).user

    assert imported_hashes.verify("user1password", user["password_hash"])


def test_firebase_verifies_the_public_test_vector(tmp_path: Path) -> None:
    """The fields of the export are base64, not hexadecimal (logto-io/logto#8504)."""
    config = tmp_path / "hash-config.txt"
    config.write_text(HASH_CONFIG)
    file = document(
        tmp_path,
        {
            "users": [
                {
                    "localId": "abc",
                    "email": "ann@example.com",
                    "emailVerified": True,
                    "passwordHash": "lSrfV15cpx95_sZS2W9c9Kp6i_LVgQNDNC_qzrCnh1SAyZvqmZqAjTdn3aoItz-VHjoZilo78198JAdRuid5lQ==",
                    "salt": "42xEC-ixf3L2lw==",
                    "displayName": "Ann",
                    "createdAt": "1600000000000",
                    "customAttributes": '{"plan":"pro"}',
                    "providerUserInfo": [
                        {"providerId": "password"},
                        {"providerId": "google.com"},
                    ],
                }
            ]
        },
    )

    converted = Conversion(tmp_path, "firebase", file, "--hash-config", str(config))

    assert imported_hashes.verify("user1password", converted.user["password_hash"])
    assert converted.user["public_metadata"] == {"plan": "pro"}
    assert converted.codes == {("identity", "google.com")}


def test_firebase_says_which_parameter_is_missing(tmp_path: Path) -> None:
    """Without the signer key every password would be wrong, so nothing is written."""
    config = tmp_path / "hash-config.txt"
    config.write_text("hash_config { algorithm: SCRYPT, rounds: 8, mem_cost: 14 }")
    converted = Conversion(
        tmp_path, "firebase", document(tmp_path, {"users": []}), "--hash-config", str(config)
    )
    assert converted.result.exit_code == 1
    assert "has no base64_signer_key" in converted.result.output
    assert not converted.out.exists()


def test_cognito_users_choose_a_password(tmp_path: Path) -> None:
    """Cognito gives no hashes. Pages of the command are documents one after the other."""
    page = {
        "Users": [
            {
                "Username": "ann",
                "Attributes": [
                    {"Name": "sub", "Value": UUID},
                    {"Name": "email", "Value": "ann@example.com"},
                    {"Name": "email_verified", "Value": "true"},
                    {"Name": "custom:plan", "Value": "pro"},
                ],
                "UserCreateDate": 1600000000.25,
                "Enabled": False,
                "UserStatus": "RESET_REQUIRED",
            }
        ]
    }
    other = json.loads(json.dumps(page).replace("ann", "bob").replace("4f2d", "5f2d"))
    file = tmp_path / "export.json"
    file.write_text(json.dumps(page) + "\n" + json.dumps(other))

    converted = Conversion(tmp_path, "cognito", str(file))

    ann, bob = converted.users
    assert (ann["id"], bob["email"]) == (UUID, "bob@example.com")
    assert ann["disabled"] is True
    assert ann["private_metadata"]["attributes"] == {"plan": "pro"}
    assert ("no_password", None) in converted.codes
    assert ("required_action", "RESET_REQUIRED") in converted.codes


def test_who_has_proven_an_address_gets_it(tmp_path: Path) -> None:
    """Somebody who only typed the address of another person, with a password of their own, does not get the account."""
    file = ndjson(
        tmp_path,
        {"user_id": "auth0|thief", "email": "Ann@example.com", "password_hash": BCRYPT},
        {"user_id": "google-oauth2|ann", "email": "ann@example.com", "email_verified": True},
    )

    converted = Conversion(tmp_path, "auth0", file)

    assert converted.user["private_metadata"]["imported"]["id"] == "google-oauth2|ann"
    assert "password_hash" not in converted.user
    assert {"user": "auth0|thief", "number": 1, "code": "same_address"} in converted.report
    assert converted.result.exit_code == 2


def test_one_bad_field_loses_no_user(tmp_path: Path) -> None:
    """A field that is not valid here is left out and named; the others are kept."""
    file = document(
        tmp_path,
        [
            {
                "user_id": "auth0|1",
                "email": "ann@example.com",
                "name": "A" * 500,
                "picture": "javascript:alert(1)",
                "locale": "!!",
                "phone_number": "none",
                "phone_verified": True,
                "created_at": "2999-01-01T00:00:00Z",
                "user_metadata": {"blob": "x" * 20_000},
                "app_metadata": {"huge": 2**70},
                "password_hash": "md5:nothing",
                "nickname": "Ann",
            }
        ],
    )

    converted = Conversion(tmp_path, "auth0", file)

    assert converted.user == {
        "email": "ann@example.com",
        "nickname": "Ann",
        "private_metadata": {"imported": {"from": "auth0", "id": "auth0|1"}},
    }
    refused = {detail for code, detail in converted.codes if code == "field_refused"}
    assert refused == {
        "name",
        "picture",
        "locale",
        "phone_number",
        "created_at",
        "user_metadata",
        "private_metadata",
    }
    assert ("hash_refused", "hash_format_unknown") in converted.codes


def test_users_without_a_name_for_them_are_left_out(tmp_path: Path) -> None:
    """No address and no id that can be kept, an address that is none, and a line that is no object."""
    file = tmp_path / "export.json"
    file.write_text(
        '{"user_id": "sms|1", "phone_number": "+15551234567"}\n'
        '{"user_id": "auth0|2", "email": "not an address"}\n'
        "[1]\n"
        "{broken\n"
    )

    converted = Conversion(tmp_path, "auth0", str(file))

    assert converted.users == []
    assert [line["code"] for line in converted.report] == [
        "no_address",
        "address_refused",
        "unreadable",
        "unreadable",
    ]


def test_a_compressed_export_is_read(tmp_path: Path) -> None:
    """Auth0 hands out .json.gz."""
    file = tmp_path / "export.json.gz"
    file.write_bytes(
        gzip.compress(b'\xef\xbb\xbf {"user_id": "auth0|1", "email": "ann@example.com"}')
    )
    assert Conversion(tmp_path, "auth0", str(file)).user["email"] == "ann@example.com"


@pytest.mark.parametrize(
    "content", ['{"users": [{"id": 1}, ', '[{"a": }]', "hello", '[{"a": "\\ud800']
)
def test_a_broken_document_writes_nothing(tmp_path: Path, content: str) -> None:
    """An earlier result stays as it is, and no draft is left."""
    (tmp_path / "users.ndjson").write_text("earlier")
    file = tmp_path / "export.json"
    file.write_text(content)

    converted = Conversion(tmp_path, "keycloak", str(file))

    assert converted.result.exit_code == 1
    assert "is not JSON" in converted.result.output
    assert converted.out.read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"export.json", "users.ndjson"}


def test_the_result_is_for_its_owner_alone(tmp_path: Path) -> None:
    """It has password hashes. What the report names has no terminal sequences on the screen."""
    file = ndjson(
        tmp_path,
        {
            "user_id": "\x1b[2J",
            "email": "ann@example.com",
            "identities": [{"provider": "\x1b]0;title\x07"}],
        },
    )

    converted = Conversion(tmp_path, "auth0", file)

    assert stat.S_IMODE(converted.out.stat().st_mode) == 0o600
    assert stat.S_IMODE(converted.report_file.stat().st_mode) == 0o600
    assert "\x1b" not in converted.result.output
    assert "\x1b" not in converted.report_file.read_text()
