"""Certificates for the servers of a NATS cluster: an authority of the cluster's own, and one for each host."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from aero2.failures import CommandError

AUTHORITY: Final = "ca.pem"
AUTHORITY_KEY: Final = "ca-key.pem"
CERTIFICATE: Final = "certificate.pem"
KEY: Final = "key.pem"
AUTHORITY_LIFETIME: Final = timedelta(days=15 * 365)
LIFETIME: Final = timedelta(days=825)
"""Of a server's certificate. `write` makes a new one at any time before."""
CLOCK_SKEW: Final = timedelta(hours=1)
"""Clocks of other machines may be behind."""


@dataclass(frozen=True)
class Authority:
    """The authority that signs the certificates of all servers."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls) -> Authority:
        """Makes an authority whose certificate signs no further authorities."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Aero2 NATS cluster")])
        certificate = (
            _dated(AUTHORITY_LIFETIME)
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def read(cls, folder: Path) -> Authority:
        """Reads the authority of a folder. Raises CommandError if its files cannot be read."""
        try:
            certificate = x509.load_pem_x509_certificate((folder / AUTHORITY).read_bytes())
            key = serialization.load_pem_private_key((folder / AUTHORITY_KEY).read_bytes(), None)
        except (OSError, ValueError) as error:
            raise CommandError(f"The authority in {folder} cannot be read: {error}.") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CommandError(f"{folder / AUTHORITY_KEY} is not a key that this command made.")
        return cls(certificate, key)

    def issue(self, host: str) -> tuple[bytes, bytes]:
        """Returns a new certificate and its key for a server, both as PEM. A server is the client of the
        others too, so the certificate is for both (RFC 5280 section 4.2.1.12)."""
        key = ec.generate_private_key(ec.SECP256R1())
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        issuer = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        certificate = (
            _dated(LIFETIME)
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(both), critical=False)
            .add_extension(x509.SubjectAlternativeName([_name(host)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer.value),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM), _pem(key)


def write(folder: Path, hosts: tuple[str, ...]) -> datetime:
    """Writes `<folder>/<host>/` with ca.pem, certificate.pem and key.pem for each host. Makes the authority
    in `folder` if there is none. Replaces the certificates of before. Returns when the new ones end.

    Raises CommandError if the authority cannot be read or ends before them.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _authority(folder)
    ends = datetime.now(UTC) + LIFETIME
    if authority.certificate.not_valid_after_utc < ends:
        raise CommandError(
            f"The authority in {folder} ends on {authority.certificate.not_valid_after_utc:%Y-%m-%d}, "
            "before a new certificate would. Make a new one in another folder, and let the servers "
            "trust both (ca.pem of both in one file) until all have new certificates."
        )
    for host in hosts:
        certificate, key = authority.issue(host)
        place = folder / host
        place.mkdir(exist_ok=True)
        _write(place / KEY, key)
        _write(place / CERTIFICATE, certificate, mode=0o644)
        _write(place / AUTHORITY, _public(authority), mode=0o644)
    return ends


def _authority(folder: Path) -> Authority:
    if (folder / AUTHORITY_KEY).exists() or (folder / AUTHORITY).exists():
        return Authority.read(folder)
    authority = Authority.new()
    _write(folder / AUTHORITY_KEY, _pem(authority.key))
    _write(folder / AUTHORITY, _public(authority), mode=0o644)
    return authority


def _dated(lifetime: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _public(authority: Authority) -> bytes:
    return authority.certificate.public_bytes(serialization.Encoding.PEM)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replaces a file at once: a server that is reloaded meanwhile reads the old or the new one."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    fresh.replace(path)
