"""Servers that listen on a Unix socket, or with TLS."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.running import Server


class UnixServer(Server):
    """A server on a Unix socket: it is ready when the socket accepts connections."""

    @property
    def path(self) -> Path:
        return self.data / "smsign.sock"

    def dial(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self.path))
        except OSError:
            connection.close()
            raise
        return connection


def start_server(server: Server, ready: Callable[[], object]) -> None:
    """Start a server that does not speak plain HTTP on its port."""
    with server.log.open("ab") as log:
        server._process = subprocess.Popen(
            [sys.executable, "-m", "smsign.cli", "serve"], env=server.env, stdout=log, stderr=log
        )
    deadline = time.monotonic() + 20
    while True:
        try:
            ready()
            return
        except (OSError, httpx.TransportError):
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.02)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return the files of a self-signed certificate for 127.0.0.1, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "smsign.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file
