"""The shape of the package: two clients with the same calls, a class for each code, nothing of the server."""

from __future__ import annotations

import inspect
import pickle
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any, assert_type

import pytest

from smsign import client as package
from smsign import errors
from smsign.api.routes import API
from smsign.client import AsyncClient, Client, Sign, SmsignApiError
from smsign.client.method import call, items
from smsign.client.steps import Request


def _public(client: type) -> dict[str, Any]:
    found = {name: getattr(client, name) for name in dir(client) if not name.startswith("_")}
    return {name: each for name, each in found.items() if not isinstance(each, property)}


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    blocking, waiting = _public(Client), _public(AsyncClient)
    assert set(blocking) == set(waiting)
    assert len(blocking) > 25
    for name, method in blocking.items():
        ours, theirs = inspect.signature(method), inspect.signature(waiting[name])
        assert ours.parameters == theirs.parameters, name
        assert method.__doc__, name
        assert method.__doc__ == waiting[name].__doc__, name
        if name.startswith("iter_"):
            assert str(theirs.return_annotation) == f"Async{ours.return_annotation}"
        else:
            assert inspect.iscoroutinefunction(waiting[name]), name
            assert ours.return_annotation == theirs.return_annotation
    assert _defaults(Client) == _defaults(AsyncClient)


def _defaults(client: type) -> dict[str, object]:
    return {name: each.default for name, each in inspect.signature(client).parameters.items()}


def _is_typed(blocking: Client, waiting: AsyncClient) -> None:
    """Read by mypy, never called: it sees through the decorators."""
    assert_type(blocking.get_sign(1), Sign)
    _ = assert_type(waiting.get_sign(1), Coroutine[Any, Any, Sign])
    assert_type(blocking.iter_signs(prefix="极"), Iterator[Sign])
    assert_type(waiting.iter_signs(prefix="极"), AsyncIterator[Sign])
    assert_type(blocking.get_in_use(), Sign | None)
    blocking.create_sign("极光推送", remarks="")  # type: ignore[call-arg]
    blocking.get_sign("1")  # type: ignore[arg-type]
    waiting.get_sign(1)  # type: ignore[unused-coroutine]


@pytest.mark.parametrize("code", [code for code in errors.Code if code != errors.Code.SUCCESS])
def test_every_code_is_a_class_by_its_name(code: errors.Code) -> None:
    kind = SmsignApiError.BY_CODE[int(code)]
    assert code.message == kind.MESSAGE
    assert kind.__name__ == code.name.title().replace("_", "")
    assert kind.__name__ in package.__all__
    assert issubclass(kind, SmsignApiError)


@pytest.mark.parametrize(
    "error",
    [
        package.OtherInAudit("m", status=403, details=(package.Detail("sign", "a", "b"),), maybe_done=True),
        package.NoConnection("m", maybe_done=True),
        package.NotDecided(Sign(sign_id=7, sign="极光推送", status=0), 1.5),
        package.BadAnswer("m"),
        package.BadCallback("m"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_passes_from_one_process_to_another(error: package.ClientError) -> None:
    there = pickle.loads(pickle.dumps(error))
    assert type(there) is type(error)
    assert (str(there), vars(there)) == (str(error), vars(error))


def test_no_class_is_of_a_code_that_there_is_not() -> None:
    assert set(SmsignApiError.BY_CODE) == {int(code) for code in errors.Code} - {50000}


def test_every_call_of_the_api_is_one_of_the_client() -> None:
    """A call is steps, so that its request is seen without sending it."""
    given = {"int": 7, "str": "x", "datetime": datetime.now(UTC)}
    sent = set()
    for name in _public(Client):
        steps = inspect.getattr_static(Client, name)
        if isinstance(steps, call | items):
            needed = [
                each
                for each in inspect.signature(steps.steps).parameters.values()
                if each.default is each.empty
            ]
            named = {each.name: given[each.annotation] for each in needed if each.annotation in given}
            request = next(steps.steps(Client("http://x", "k", "s"), **named))
            assert isinstance(request, Request)
            sent.add((request.method, re.sub(r"/(7|x)(?=/|$)", "/{}", request.path)))
    for path, methods in API.items():
        for method in methods:
            if (method, path) != ("PUT", "/v1/sign/{id}"):  # POST does the same
                assert (method, re.sub(r"{\w+}", "{}", path)) in sent


def test_everything_public_is_named() -> None:
    assert all(hasattr(package, name) for name in package.__all__)


def test_the_package_loads_without_the_server() -> None:
    program = "import sys, smsign.client; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names = set(loaded.stdout.split())
    assert {name.split(".")[1] for name in names if name.startswith("smsign.")} == {"client"}
    assert not names & {"apsw", "asyncpg", "PIL", "cryptography", "granian", "click"}


def test_a_method_knows_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    method: Callable[..., Any] = Client.get_sign
    help(method)
    assert "Ask about a signature." in capsys.readouterr().out
