"""The public names of the SDK: two clients with the same methods, an exception class for each return code."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any, assert_type
from unittest import mock

import msgspec
import pytest

from smsign import client as package
from smsign import errors
from smsign.api.routes import API
from smsign.client import AsyncClient, Client, Sign, SmsignApiError
from smsign.client.retry import Request


def _public(client: type) -> dict[str, Any]:
    found = {name: getattr(client, name) for name in dir(client) if not name.startswith("_")}
    return {name: each for name, each in found.items() if not isinstance(each, property)}


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    sync, awaited = _public(Client), _public(AsyncClient)
    assert set(sync) == set(awaited)
    assert len(sync) > 25
    assert _defaults(sync.pop("from_env")) == _defaults(awaited["from_env"])
    for name, method in sync.items():
        own, other = inspect.signature(method), inspect.signature(awaited[name])
        assert own.parameters == other.parameters, name
        assert method.__doc__, name
        assert method.__doc__ == awaited[name].__doc__, name
        if name.startswith("iter_"):
            assert str(other.return_annotation) == f"Async{own.return_annotation}"
        else:
            assert inspect.iscoroutinefunction(awaited[name]), name
            assert own.return_annotation == other.return_annotation
    assert _defaults(Client) == _defaults(AsyncClient)


def _defaults(client: Callable[..., object]) -> dict[str, object]:
    return {name: each.default for name, each in inspect.signature(client).parameters.items()}


def _is_typed(sync: Client, awaited: AsyncClient) -> None:
    """Checked by mypy, never called: the decorators keep the types."""
    assert_type(sync.get_sign(1), Sign)
    _ = assert_type(awaited.get_sign(1), Coroutine[Any, Any, Sign])
    assert_type(sync.iter_signs(prefix="极"), Iterator[Sign])
    assert_type(awaited.iter_signs(prefix="极"), AsyncIterator[Sign])
    assert_type(sync.get_in_use(), Sign | None)
    sync.create_sign("极光推送", remarks="")  # type: ignore[call-arg]
    sync.get_sign("1")  # type: ignore[arg-type]
    awaited.get_sign(1)  # type: ignore[unused-coroutine]


@pytest.mark.parametrize("code", [code for code in errors.Code if code != errors.Code.SUCCESS])
def test_every_return_code_has_an_exception_class(code: errors.Code) -> None:
    kind = SmsignApiError.BY_CODE[int(code)]
    assert code.message == kind.MESSAGE
    assert kind.__name__ == code.name.title().replace("_", "")
    assert kind.__name__ in package.__all__
    assert issubclass(kind, SmsignApiError)


@pytest.mark.parametrize(
    "error",
    [
        package.OtherInAudit(
            "m", status=403, details=(package.Detail("sign", "a", "b"),), may_have_succeeded=True
        ),
        package.ApiConnectionError("m", may_have_succeeded=True),
        package.DecisionTimeout(Sign(sign_id=7, sign="极光推送", status=0), 1.5),
        package.InvalidResponse("m"),
        package.WebhookVerificationError("m"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_exceptions_can_be_pickled(error: package.ClientError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_no_exception_class_has_an_unknown_code() -> None:
    assert set(SmsignApiError.BY_CODE) == {int(code) for code in errors.Code} - {50000}


def test_the_client_has_a_method_for_every_call_of_the_api() -> None:
    """The first step of a call is its request, which is inspected without sending it."""
    given = {"int": 7, "str": "x", "datetime": datetime.now(UTC)}
    sent = set()
    for method in _public(Client).values():
        if steps := vars(method).get("__wrapped__") if inspect.isfunction(method) else None:
            needed = [
                each for each in inspect.signature(steps).parameters.values() if each.default is each.empty
            ]
            named = {each.name: given[each.annotation] for each in needed if each.annotation in given}
            request = next(steps(Client("http://x", "k", "s"), **named))
            assert isinstance(request, Request)
            sent.add((request.method, re.sub(r"/(7|x)(?=/|$)", "/{}", request.path)))
    for path, methods in API.items():
        for method in methods:
            if (method, path) != ("PUT", "/v1/sign/{id}"):  # POST does the same
                assert (method, re.sub(r"{\w+}", "{}", path)) in sent


def test_all_exports_exist() -> None:
    assert all(hasattr(package, name) for name in package.__all__)


def test_the_sdk_imports_nothing_of_the_server() -> None:
    program = "import sys, smsign.client; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names = set(loaded.stdout.split())
    assert {name.split(".")[1] for name in names if name.startswith("smsign.")} == {"client"}
    assert not names & {"apsw", "asyncpg", "PIL", "cryptography", "granian", "click"}


def test_the_old_name_of_a_callbacks_format_is_still_read() -> None:
    old = b'{"callback_id": 7, "url": "https://x", "form": "vendor", "state": "active"}'
    for body in (old, old.replace(b"form", b"format")):
        callback = msgspec.json.decode(body, type=package.Callback)
        assert (callback.format, callback.form) == ("vendor", "vendor")


def test_mocks_of_a_client_have_its_methods_and_their_parameters() -> None:
    client = mock.create_autospec(Client, instance=True)
    client.create_sign("极光推送", remark="官网")
    with pytest.raises(TypeError):
        client.get_sign()
    with pytest.raises(AttributeError):
        _ = client.get_signs
    awaited = mock.create_autospec(AsyncClient, instance=True)
    awaited.get_sign.return_value = Sign(sign_id=7, sign="极光推送", status=1)
    assert asyncio.run(awaited.get_sign(7)).passed


def test_methods_have_their_docstrings(capsys: pytest.CaptureFixture[str]) -> None:
    method: Callable[..., Any] = Client.get_sign
    help(method)
    assert "Query a signature." in capsys.readouterr().out
