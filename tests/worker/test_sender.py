"""What a receiver may do to the one who sends: nothing but waste a little of its time."""

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
from smsign.worker.guard import Guard, Lookup
from smsign.worker.sender import HttpSender
from tests.worker.receiver import Got, Receiver, says, silent, status

pytestmark = pytest.mark.process

ALLOWED = networks("callback_networks", "127.0.0.1/32")
TIMEOUT_S = 1.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver().open()
    yield opened
    opened.end()


def sender(lookup: Lookup | None = None, tls: ssl.SSLContext | None = None) -> HttpSender:
    return HttpSender(Guard(ALLOWED, lookup), timeout_s=TIMEOUT_S, tls=tls)


def post(receiver: Receiver) -> OutgoingRequest:
    return OutgoingRequest("POST", receiver.url, {"content-type": "text/plain"}, "值")


async def test_a_request_arrives_as_it_was_written(receiver: Receiver) -> None:
    answer = await sender().send(post(receiver))
    assert (answer.status, answer.text, answer.error) == (200, "ok", "")
    (got,) = receiver.got
    assert (got.method, got.target, got.body) == ("POST", "/callback", "值".encode())
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["content-type"] == "text/plain"
    assert got.headers["accept-encoding"] == "identity"


ZEROS = gzip.compress(bytes(50_000_000))


async def _ten_gigabytes(got: Got, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    for _ in range(10_000):
        writer.write(bytes(1_000_000))
        await writer.drain()


async def _endless_header(got: Got, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"x" * 100_000)
        await writer.drain()


async def _endless_100s(got: Got, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        await writer.drain()
        await asyncio.sleep(0.001)


async def _drip(got: Got, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx":
        writer.write(bytes([byte]))
        await asyncio.sleep(0.3)


MISCHIEF = {
    "closes at once": (says(b""), None),
    "speaks another protocol": (says(b"SSH-2.0-OpenSSH_9.9\r\n"), None),
    "never answers": (silent, None),
    "drips": (_drip, None),
    "sends a header without end": (_endless_header, None),
    "says 100 Continue for ever": (_endless_100s, None),
    "redirects to the loopback": (
        says(b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n"),
        307,
    ),
    "fails": (status(500), 500),
    "says more than it sends": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"), 200),
    "says less than it sends": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nlong" * 100), 200),
    "sends a body that never ends": (
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", then_wait_s=60),
        200,
    ),
    "answers 10 GB": (_ten_gigabytes, 200),
    "sends a bomb": (
        says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZEROS) + ZEROS),
        200,
    ),
    "sends bytes that are no text": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\0\xff\xfe\0"), 200),
}


@pytest.mark.parametrize("mischief", MISCHIEF)
async def test_mischief_costs_little_time_and_no_memory(receiver: Receiver, mischief: str) -> None:
    receiver.behave, expected = MISCHIEF[mischief]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    answer = await sender().send(post(receiver))
    assert time.monotonic() - started < TIMEOUT_S + 1
    assert answer.status == expected, answer
    assert answer.error or expected == 200 or expected == 500
    assert len(answer.text.encode()) <= 3 * RESPONSE_BYTES
    assert "\0" not in answer.text
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000
    assert receiver.connections == 1


async def test_nobody_listens(receiver: Receiver) -> None:
    receiver.close()
    answer = await sender().send(post(receiver))
    assert (answer.status, answer.is_success) == (None, False)
    assert answer.error


@pytest.mark.parametrize(
    ("code", "asked", "low_s", "high_s"),
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
async def test_a_busy_receiver_says_when_to_come_again(
    receiver: Receiver, code: int, asked: str, low_s: float, high_s: float
) -> None:
    receiver.behave = says(
        f"HTTP/1.1 {code} Told\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    answer = await sender().send(post(receiver))
    assert answer.status == code
    assert low_s <= answer.retry_after_s <= high_s


async def test_a_redirect_reaches_nobody(receiver: Receiver) -> None:
    secret = Receiver("127.0.0.2").open()
    receiver.behave = says(f"HTTP/1.1 302 Go\r\nLocation: {secret.url}\r\nContent-Length: 0\r\n\r\n".encode())
    answer = await sender().send(post(receiver))
    assert not answer.is_success
    assert secret.connections == 0
    secret.end()


async def test_a_name_that_changes_its_mind_reaches_nobody_else(receiver: Receiver) -> None:
    secret = Receiver("127.0.0.2")
    secret.port = receiver.port
    secret.open()
    looks: list[str] = []

    async def lookup(host: str, port: int) -> Sequence[str]:
        looks.append(host)
        return ["127.0.0.1"] if len(looks) == 1 else ["127.0.0.2"]

    one = sender(lookup)
    there = OutgoingRequest("POST", f"http://rebound.test:{receiver.port}/callback", {}, "x")
    assert (await one.send(there)).status == 200
    assert looks == ["rebound.test"], "looked at once, and never again"
    assert receiver.got[0].headers["host"] == f"rebound.test:{receiver.port}"
    answer = await one.send(there)
    assert "rebound.test resolves to 127.0.0.2, which is not public (loopback)" in answer.error
    assert secret.connections == 0
    secret.end()


async def test_the_next_address_of_a_name_is_tried(receiver: Receiver) -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.9", "127.0.0.1"]

    both = HttpSender(Guard(networks("callback_networks", "127.0.0.0/8"), lookup), timeout_s=TIMEOUT_S)
    answer = await both.send(OutgoingRequest("POST", f"http://two.test:{receiver.port}/callback", {}, "x"))
    assert answer.status == 200, answer


async def test_a_resolver_that_never_answers_is_not_waited_for() -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    one = sender(lookup)
    assert (await one.send(OutgoingRequest("GET", "http://slow.test/"))).error == "no answer within 1 s"
    assert await one.check("http://slow.test/") == "its name does not resolve in time"


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return what a server shows that has a certificate for `name`, and a client that trusts its issuer."""
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
async def test_the_certificate_must_prove_the_name_and_not_the_address(
    tmp_path: Path, name: str, good: bool
) -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    server, client = _certificate(tmp_path, name)
    names: list[str] = []
    server.sni_callback = lambda _, sni, __: names.append(sni)
    receiver = Receiver(tls=server).open()
    url = f"https://receiver.test:{receiver.port}/callback"
    answer = await sender(lookup, client).send(OutgoingRequest("POST", url, {}, "x"))
    assert names == ["receiver.test"]
    if good:
        assert answer.status == 200, answer
        assert receiver.got[0].headers["host"] == f"receiver.test:{receiver.port}"
    else:
        assert answer.status is None
        assert "certificate verify failed" in answer.error
        assert receiver.got == []
    receiver.end()
