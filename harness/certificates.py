"""Certificates for tests: an authority, and the certificates that it issues."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS: Final = 2
"""How long a certificate is valid; all are valid from three days ago."""
_USES: Final = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


class KeyPair(NamedTuple):
    """The files of a certificate and its private key, both PEM."""

    cert: Path
    key: Path


class Authority:
    """A certificate authority. Its certificate is `ca.crt` in `folder`, which is created; what it
    issues is written there too. Without ``key_identifiers`` it is as EKS makes them."""

    def __init__(self, folder: Path, *, key_identifiers: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._identifier = (
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
            if key_identifiers
            else None
        )
        self._name = _name(f"test authority in {folder.name}")
        unsigned = (
            _unsigned(self._name, self._name, self._key.public_key(), DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
        )
        if self._identifier:
            unsigned = unsigned.add_extension(self._identifier, critical=False)
        self.cert = folder / "ca.crt"
        self.cert.write_bytes(_pem(unsigned.sign(self._key, hashes.SHA256())))

    def issue(
        self,
        name: str,
        *,
        groups: Sequence[str] = (),
        hosts: Sequence[str] = (),
        days: int = DAYS,
    ) -> KeyPair:
        """A certificate for client `name` in `groups`, or for a server reached as `hosts` (default:
        `name`). Expired when `days` is negative. Issued again, it replaces the files at once."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_host(host) for host in hosts or [name]])
        unsigned = (
            _unsigned(_name(name, groups), self._name, key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_USES), critical=False)
            .add_extension(names, critical=False)
        )
        if self._identifier:
            issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                self._identifier
            )
            unsigned = unsigned.add_extension(issuer, critical=False)
        pair = KeyPair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        _write(pair.key, _private_pem(key))
        _write(pair.cert, _pem(unsigned.sign(self._key, hashes.SHA256())))
        return pair


def signing_key(path: Path) -> Path:
    """A private key alone, for service account tokens; Go reads its public half from it."""
    _write(path, _private_pem(ec.generate_private_key(ec.SECP256R1())))
    return path


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=3))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str, groups: Sequence[str] = ()) -> x509.Name:
    """Kubernetes reads the user from CN and the groups from O."""
    organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(cert: x509.Certificate) -> bytes:
    return cert.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes) -> None:
    """Mode 0600; readers see the old file or the new one."""
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_bytes(content)
    new.replace(path)
