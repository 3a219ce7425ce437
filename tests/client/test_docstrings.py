"""The examples in the docstrings of the SDK run against a server, with the requests that it delivers."""

from __future__ import annotations

import ast
import asyncio
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smsign import client as package
from smsign.client import Client
from tests.docs.pages import ROOT
from tests.images import noise
from tests.running import Server, free_port
from tests.worker.receiver import Received, Receiver, echo

pytestmark = pytest.mark.process

REQUESTS = ("verify_standard", "verify_vendor", "echo")
"""What a receiver gets, by the function of the SDK for it."""
NEEDED = {"__init__", "clients", "webhooks", "pytest_plugin"}
"""The modules that have an example."""


def _examples() -> Iterator[tuple[str, str]]:
    """Yield (module, code) for the indented blocks of docstrings that are Python."""
    for path in sorted((ROOT / "src/smsign/client").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                for block in re.findall(r"(?m)(?:^    .*\n(?:\n(?=    ))*)+", f"{ast.get_docstring(node)}\n"):
                    if "(" in block and "─" not in block:
                        yield path.stem, textwrap.dedent(block)


EXAMPLES = list(_examples())


def test_every_public_part_of_the_sdk_has_an_example() -> None:
    assert {module for module, _ in EXAMPLES} == NEEDED


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the examples take as given: a test application, and one delivery in each format."""
    receiver = Receiver().open()
    receiver.behave = echo
    folder, networks = tmp_path_factory.mktemp("service"), "127.0.0.1/32"
    with Server(folder, port=free_port(), callback_networks=networks) as server:
        keys = server.json("app", "create", "sandbox", "--test")
        with Client(server.url, keys["app_key"], keys["master_secret"]) as client:
            secret = client.create_callback(f"{receiver.url}/standard").secret
            client.create_callback(f"{receiver.url}/vendor", format="vendor")
            client.wait_until_decided(client.create_sign("测试模糊"))
            receiver.wait_for(lambda requests: {_kind(each) for each in requests} == {*REQUESTS})
        requests = {_kind(each): each for each in receiver.requests}
        yield keys | {"url": server.url, "secret": secret, "requests": requests}
    receiver.end()


def _kind(received: Received) -> str:
    if received.method == "GET":
        return "echo"
    return "verify_vendor" if received.target.endswith("/vendor") else "verify_standard"


@pytest.mark.parametrize("code", [code for module, code in EXAMPLES if module in ("__init__", "clients")])
def test_the_example_of_a_client_runs(
    code: str, names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "licence.png").write_bytes(noise())
    monkeypatch.chdir(tmp_path)
    for variable, name in (("URL", "url"), ("APP_KEY", "app_key"), ("MASTER_SECRET", "master_secret")):
        monkeypatch.setenv(f"SMSIGN_{variable}", names[name])
    _run(code.replace("https://sms.example.com", names["url"]), **names)


@pytest.mark.parametrize("function", REQUESTS)
def test_the_example_of_a_receiver_runs(function: str, names: dict[str, Any]) -> None:
    received = names["requests"][function]
    query = received.target.partition("?")[2]
    request = SimpleNamespace(headers=received.headers, body=received.body, query_string=query)
    [code] = [code for module, code in EXAMPLES if module == "webhooks"]
    [line] = [line for line in code.splitlines() if function in line]
    _run(line, **names, request=request)


def _run(code: str, **names: Any) -> None:
    compiled = compile(code, "example", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if (awaitable := eval(compiled, vars(package) | names)) is not None:
        asyncio.run(awaitable)
