"""A fixture that runs the emulator in a container: pip install smsign pytest testcontainers."""

from collections.abc import Iterator

import pytest
from smsign.client import Client
from testcontainers.core.container import DockerContainer
from testcontainers.core.waiting_utils import wait_for_logs

IMAGE = "smsign"  # docker build -f deploy/Dockerfile -t smsign .
KEYS = "7d431e42dfa6a6d693ac2d04", "5e987ac6d2e04d95a9d8f0d1"


@pytest.fixture(scope="session")
def sms() -> Iterator[Client]:
    container = DockerContainer(IMAGE).with_env("SMSIGN_TEST", "1").with_exposed_ports(8080)
    with container:
        wait_for_logs(container, "SMSIGN_MASTER_SECRET=", timeout=30)
        url = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(8080)}"
        with Client(url, *KEYS) as client:
            yield client
