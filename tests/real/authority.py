"""A certificate authority of the tests' own, and a server certificate for 127.0.0.1 signed by it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(words: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])


@dataclass
class Authority:
    """`root` is its own certificate's file, for those who are to trust it."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=_key)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = _name("Tests' own authority")
        built = self._built(name, name, self.key)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        built = built.add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
        identity = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        built = built.add_extension(identity, critical=False)
        self.certificate_of_root = built.sign(self.key, hashes.SHA256())
        self.root = self.folder / "root.pem"
        self.root.write_bytes(self.certificate_of_root.public_bytes(serialization.Encoding.PEM))

    def certificate(self, folder: Path, address: str = "127.0.0.1") -> tuple[Path, Path]:
        """(certificate, key) files for a server at that address."""
        folder.mkdir(parents=True, exist_ok=True)
        key = _key()
        built = self._built(_name("mx.client.example"), self.certificate_of_root.subject, key)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        built = built.add_extension(names, critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        built = built.add_extension(issuer, critical=False)
        certificate, private = folder / "server.pem", folder / "server.key"
        certificate.write_bytes(built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        private.chmod(0o600)
        return certificate, private

    @staticmethod
    def _built(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
        )
