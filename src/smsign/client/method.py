"""One method for two clients: a call is written once, as steps, and is a plain method of `Client` and a
coroutine method of `AsyncClient`. Type checkers see the exact types on both.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from smsign.client.drivers import Async, Blocking
from smsign.client.steps import Call, Items

P = ParamSpec("P")
T = TypeVar("T")


class call(Generic[P, T]):  # noqa: N801
    """A method that answers once: `T` on `Client`, awaited on `AsyncClient`."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self.__doc__ = steps.__doc__
        self.steps = steps

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Async, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """Return the method, bound to a client if there is one."""
        return _bind(self._waiting if issubclass(owner, Async) else self._plain, client)

    @functools.cached_property
    def _plain(self) -> Callable[..., Any]:
        def method(client: Blocking, /, *given: Any, **named: Any) -> Any:
            return client._run(self.steps(client, *given, **named))

        return _dress(method, self.steps, "{}")

    @functools.cached_property
    def _waiting(self) -> Callable[..., Any]:
        async def method(client: Async, /, *given: Any, **named: Any) -> Any:
            return await client._run(self.steps(client, *given, **named))

        return _dress(method, self.steps, "{}")


class items(Generic[P, T]):  # noqa: N801
    """A method to iterate over: `for` on `Client`, `async for` on `AsyncClient`."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Items[T]]) -> None:
        self.__doc__ = steps.__doc__
        self.steps = steps

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: Async, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """Return the method, bound to a client if there is one."""
        return _bind(self._waiting if issubclass(owner, Async) else self._plain, client)

    @functools.cached_property
    def _plain(self) -> Callable[..., Any]:
        def method(client: Blocking, /, *given: Any, **named: Any) -> Iterator[Any]:
            return client._iterate(self.steps(client, *given, **named))

        return _dress(method, self.steps, "Iterator[{}]")

    @functools.cached_property
    def _waiting(self) -> Callable[..., Any]:
        def method(client: Async, /, *given: Any, **named: Any) -> AsyncIterator[Any]:
            return client._iterate(self.steps(client, *given, **named))

        return _dress(method, self.steps, "AsyncIterator[{}]")


def _bind(method: Callable[..., Any], client: object) -> Any:
    return method if client is None else MethodType(method, client)


def _dress(method: Callable[..., Any], steps: Callable[..., Any], returns: str) -> Callable[..., Any]:
    """Give `method` the name, the text and the parameters of `steps`, and the type that it returns itself."""
    functools.update_wrapper(method, steps)
    signature = inspect.signature(steps)
    inner = str(signature.return_annotation).partition("[")[2].removesuffix("]")
    vars(method)["__signature__"] = signature.replace(return_annotation=returns.format(inner))
    return method
