"""The sender against hostile receivers: redirects, DNS rebinding, endless responses, wrong certificates."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import resource
import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smsign.config import networks
from smsign.domain.callbacks import RESPONSE_BYTES, OutgoingRequest
from smsign.worker.sender import HttpSender
from smsign.worker.ssrf import AddressGuard, Lookup
from tests.worker.receiver import Received, Receiver, hang, respond, status

pytestmark = pytest.mark.process

ALLOWED = networks("callback_networks", "127.0.0.1/32")
TIMEOUT_S = 1.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver().open()
    yield opened
    opened.end()


def sender(lookup: Lookup | None = None, tls: ssl.SSLContext | None = None) -> HttpSender:
    return HttpSender(AddressGuard(ALLOWED, lookup), timeout_s=TIMEOUT_S, tls=tls)


def post(receiver: Receiver) -> OutgoingRequest:
    return OutgoingRequest("POST", receiver.url, {"content-type": "text/plain"}, "值")


async def test_request_is_sent_unchanged(receiver: Receiver) -> None:
    response = await sender().send(post(receiver))
    assert (response.status, response.text, response.error) == (200, "ok", "")
    (got,) = receiver.requests
    assert (got.method, got.target, got.body) == ("POST", "/hook", "值".encode())
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["content-type"] == "text/plain"
    assert got.headers["accept-encoding"] == "identity"


ZEROS = gzip.compress(bytes(50_000_000))


async def _ten_gigabytes(got: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    for _ in range(10_000):
        writer.write(bytes(1_000_000))
        await writer.drain()


async def _endless_header(got: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"x" * 100_000)
        await writer.drain()


async def _endless_100s(got: Received, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        await writer.drain()
        await asyncio.sleep(0.001)


async def _drip(got: Received, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx":
        writer.write(bytes([byte]))
        await asyncio.sleep(0.3)


HOSTILE = {
    "closes at once": (respond(b""), None),
    "speaks another protocol": (respond(b"SSH-2.0-OpenSSH_9.9\r\n"), None),
    "never answers": (hang, None),
    "sends a byte every 0.3 s": (_drip, None),
    "sends an endless header": (_endless_header, None),
    "sends 100 Continue endlessly": (_endless_100s, None),
    "redirects to the loopback": (
        respond(b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n"),
        307,
    ),
    "answers 500": (status(500), 500),
    "sends less than Content-Length": (respond(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"), 200),
    "sends more than Content-Length": (
        respond(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nlong" * 100),
        200,
    ),
    "sends a body that never ends": (
        respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", then_wait_s=60),
        200,
    ),
    "answers 10 GB": (_ten_gigabytes, 200),
    "sends a gzip bomb": (
        respond(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZEROS) + ZEROS
        ),
        200,
    ),
    "sends bytes that are not text": (
        respond(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\0\xff\xfe\0"),
        200,
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_hostile_receiver_costs_little_time_and_memory(receiver: Receiver, case: str) -> None:
    receiver.behave, expected = HOSTILE[case]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    response = await sender().send(post(receiver))
    assert time.monotonic() - started < TIMEOUT_S + 1
    assert response.status == expected, response
    assert response.error or expected == 200 or expected == 500
    assert len(response.text.encode()) <= 3 * RESPONSE_BYTES
    assert "\0" not in response.text
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000
    assert receiver.connections == 1


async def test_connection_refused_is_an_error(receiver: Receiver) -> None:
    receiver.close()
    response = await sender().send(post(receiver))
    assert (response.status, response.is_success) == (None, False)
    assert response.error


@pytest.mark.parametrize(
    ("code", "retry_after", "low_s", "high_s"),
    [
        (429, "120", 120, 120),
        (503, "Fri, 31 Dec 9999 23:59:59 GMT", 2e11, 3e11),
        (503, "Tue, 24 Nov 2020 00:00:00 GMT", 0, 0),
        (503, "Mon, 01 Jan 0001 00:00:00 +2359", 0, 0),
        (503, "-5", 0, 0),
        (503, "9" * 5000, 1e60, 1e64),
        (200, "120", 0, 0),
        (500, "120", 0, 0),
    ],
)
async def test_retry_after_is_parsed_for_429_and_503_only(
    receiver: Receiver, code: int, retry_after: str, low_s: float, high_s: float
) -> None:
    receiver.behave = respond(
        f"HTTP/1.1 {code} Busy\r\nRetry-After: {retry_after}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    response = await sender().send(post(receiver))
    assert response.status == code
    assert low_s <= response.retry_after_s <= high_s


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    secret = Receiver("127.0.0.2").open()
    receiver.behave = respond(
        f"HTTP/1.1 302 Go\r\nLocation: {secret.url}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    response = await sender().send(post(receiver))
    assert not response.is_success
    assert secret.connections == 0
    secret.end()


async def test_dns_rebinding_reaches_no_forbidden_address(receiver: Receiver) -> None:
    secret = Receiver("127.0.0.2")
    secret.port = receiver.port
    secret.open()
    lookups: list[str] = []

    async def lookup(host: str, port: int) -> Sequence[str]:
        lookups.append(host)
        return ["127.0.0.1"] if len(lookups) == 1 else ["127.0.0.2"]

    one = sender(lookup)
    request = OutgoingRequest("POST", f"http://rebound.test:{receiver.port}/hook", {}, "x")
    assert (await one.send(request)).status == 200
    assert lookups == ["rebound.test"], "one lookup per request"
    assert receiver.requests[0].headers["host"] == f"rebound.test:{receiver.port}"
    response = await one.send(request)
    assert "rebound.test resolves to 127.0.0.2, which is not public (loopback)" in response.error
    assert secret.connections == 0
    secret.end()


async def test_next_address_is_tried_after_a_failed_connection(receiver: Receiver) -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.9", "127.0.0.1"]

    both = HttpSender(AddressGuard(networks("callback_networks", "127.0.0.0/8"), lookup), timeout_s=TIMEOUT_S)
    response = await both.send(OutgoingRequest("POST", f"http://two.test:{receiver.port}/hook", {}, "x"))
    assert response.status == 200, response


async def test_dns_lookup_is_bounded_by_the_timeout() -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    one = sender(lookup)
    assert (await one.send(OutgoingRequest("GET", "http://slow.test/"))).error == "no response within 1 s"
    assert await one.check("http://slow.test/") == "DNS timeout"


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return TLS contexts: of a server with a certificate for `name`, of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    file = folder / f"{name}.pem"
    file.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=pem.decode())
    return server, client


@pytest.mark.parametrize(("name", "good"), [("receiver.test", True), ("other.test", False)])
async def test_certificate_is_verified_against_the_host_name(tmp_path: Path, name: str, good: bool) -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    server, client = _certificate(tmp_path, name)
    names: list[str] = []
    server.sni_callback = lambda _, sni, __: names.append(sni)
    receiver = Receiver(tls=server).open()
    url = f"https://receiver.test:{receiver.port}/hook"
    response = await sender(lookup, client).send(OutgoingRequest("POST", url, {}, "x"))
    assert names == ["receiver.test"]
    if good:
        assert response.status == 200, response
        assert receiver.requests[0].headers["host"] == f"receiver.test:{receiver.port}"
    else:
        assert response.status is None
        assert "certificate verify failed" in response.error
        assert receiver.requests == []
    receiver.end()
